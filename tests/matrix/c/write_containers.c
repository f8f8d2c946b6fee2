/* This file is the only place that writes tuples, lists and dicts in C: what docs/types.md says of each
 * type, by hand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

/* 10 to the power of 30. */
static const unsigned char kTenTo30[] = {0x0c, 0x9f, 0x2c, 0x9c, 0xd0, 0x46, 0x74,
                                         0xed, 0xea, 0x40, 0x00, 0x00, 0x00};

/* The name of element `index`; lives until the next call. */
static const char* at(const char* prefix, uint64_t index) {
  static char name[64];
  snprintf(name, sizeof name, "%s%" PRIu64, prefix, index);
  return name;
}

#define ELEMENT(index) at("__elements_-", index)
#define KEY(index) at("__values_-key-", index)
#define VALUE(index) at("__values_-value-", index)

static vineyard_meta* make_sequence(const char* type, uint64_t size) {
  vineyard_meta* meta = make(type);
  set(meta, "__elements_-size", uint_value(size));
  return meta;
}

static vineyard_meta* make_dict(uint64_t size) {
  vineyard_meta* meta = make("vineyard::Dict");
  set(meta, "__values_-size", uint_value(size));
  return meta;
}

/* Adds a builder and gives it back. */
static void add(vineyard_meta* meta, const char* name, vineyard_meta* member) {
  check(vineyard_meta_add_meta(meta, name, member), name);
  vineyard_meta_release(member);
}

static void add_bytes(vineyard_meta* meta, const char* name, const char* bytes, int32_t kind) {
  check(vineyard_meta_add_bytes(meta, name, bytes, strlen(bytes), kind), name);
}

/* A sequence whose elements are all fields. */
static vineyard_meta* make_sequence_of(const char* type, const vineyard_value* values,
                                       uint64_t count) {
  vineyard_meta* meta = make_sequence(type, count);
  for (uint64_t i = 0; i < count; ++i) set(meta, ELEMENT(i), values[i]);
  return meta;
}

static void write_sequences(vineyard_client* client) {
  vineyard_value some[10], parts[2];
  vineyard_meta *meta, *inner, *shared = NULL;
  char* longest = repeated("x", 16385);
  char* numbers;
  some[0] = int_value(1);
  some[1] = text_value("b");
  some[2] = null_value();
  put(client, "tuple_empty", make_sequence("vineyard::Tuple", 0));
  put(client, "tuple_one", make_sequence_of("vineyard::Tuple", some, 1));
  put(client, "tuple_three", make_sequence_of("vineyard::Tuple", some, 3));
  meta = make("vineyard::Pair");
  set(meta, "first_", int_value(1));
  set(meta, "second_", text_value("b"));
  put(client, "tuple_two", meta);
  meta = make("vineyard::Pair");
  add(meta, "first_", make_sequence_of("vineyard::List", some, 1));
  add_bytes(meta, "second_", "second", VINEYARD_BLOB_BYTES);
  put(client, "pair_of_members", meta);
  meta = make_sequence("vineyard::Sequence", 2);
  set(meta, ELEMENT(0), int_value(7));
  add_bytes(meta, ELEMENT(1), "seven", VINEYARD_BLOB_BYTES);
  put(client, "sequence", meta);

  /* Leaves that are objects of their own. */
  meta = make_sequence("vineyard::List", 2);
  inner = make("vineyard::Scalar");
  set(inner, "value_", int_value(7));
  set(inner, "value_type_", text_value("int"));
  set(inner, "scalar_kind_", text_value("python"));
  add(meta, ELEMENT(0), inner);
  add(meta, ELEMENT(1), make_text("seven", 5));
  put(client, "list_leaf_members", meta);

  put(client, "list_empty", make_sequence("vineyard::List", 0));
  some[1] = int_value(2);
  put(client, "list_of_two", make_sequence_of("vineyard::List", some, 2));
  some[0] = null_value();
  some[1] = bool_value(1);
  some[2] = bool_value(0);
  some[3] = int_value(-1);
  some[4] = uint_value(UINT64_MAX);
  some[5] = int_value(INT64_MIN);
  some[6] = float_value(1.5);
  some[7] = float_value(-0.0);
  some[8] = text_value("s");
  some[9] = text_value("");
  put(client, "list_leaves", make_sequence_of("vineyard::List", some, 10));

  meta = make_sequence("vineyard::List", 5);
  set(meta, ELEMENT(1), int_value(1));
  set(meta, ELEMENT(3), text_value("s"));
  set_scalar(meta, ELEMENT(0), bytes_value(kTenTo30, sizeof kTenTo30), "bigint", "python");
  parts[0] = float_value(1.0);
  parts[1] = float_value(-2.0);
  set_scalar(meta, ELEMENT(2), list_value(parts, 2), "complex", "python");
  set_scalar(meta, ELEMENT(4), uint_value(0), "float32", "numpy");
  put(client, "list_scalars", meta);

  meta = make_sequence("vineyard::List", 2);
  set(meta, ELEMENT(0), text_of(longest, 16384));
  add(meta, ELEMENT(1), make_text(longest, 16385));
  put(client, "list_of_texts", meta);
  meta = make_sequence("vineyard::List", 4);
  add_bytes(meta, ELEMENT(0), "", VINEYARD_BLOB_BYTES);
  add_bytes(meta, ELEMENT(1), "a", VINEYARD_BLOB_BYTES);
  add_bytes(meta, ELEMENT(2), "b", VINEYARD_BLOB_BYTEARRAY);
  add_bytes(meta, ELEMENT(3), "c", VINEYARD_BLOB_BUFFER);
  put(client, "list_of_bytes", meta);

  check(vineyard_meta_create_blob("shared", 6, VINEYARD_BLOB_BYTES, &shared), "shared");
  inner = make_sequence("vineyard::List", 1);
  check(vineyard_meta_add_meta(inner, ELEMENT(0), shared), "shared");
  meta = make_sequence("vineyard::List", 3);
  check(vineyard_meta_add_meta(meta, ELEMENT(0), inner), "shared");
  check(vineyard_meta_add_meta(meta, ELEMENT(1), inner), "shared");
  check(vineyard_meta_add_meta(meta, ELEMENT(2), shared), "shared");
  put(client, "list_shared", meta);
  vineyard_meta_release(inner);
  vineyard_meta_release(shared);

  meta = make_sequence("vineyard::List", 10000);
  numbers = malloc(4 * 10000);
  if (numbers == NULL) abort();
  for (uint32_t i = 0; i < 10000; ++i) {
    memcpy(numbers + 4 * i, &i, 4);
    check(vineyard_meta_add_bytes(meta, ELEMENT(i), numbers + 4 * i, 4, VINEYARD_BLOB_BYTES),
          "element");
  }
  put(client, "list_10000_members", meta);
  free(numbers);
  meta = make_sequence("vineyard::List", 10000);
  for (int64_t i = 0; i < 10000; ++i) set(meta, ELEMENT((uint64_t)i), int_value(i));
  put(client, "list_10000_fields", meta);
  free(longest);
}

static void write_tree(vineyard_client* client) {
  vineyard_meta *meta, *below = NULL;
  for (int64_t level = 0; level < 50; ++level) {
    if (level % 2 == 1) {
      meta = make_sequence("vineyard::List", 2);
      set(meta, ELEMENT(1), int_value(level));
      add(meta, ELEMENT(0), below);
    } else {
      meta = make_dict(1);
      set(meta, KEY(0), text_value("below"));
      if (below == NULL) {
        set(meta, VALUE(0), text_value("leaf"));
      } else {
        add(meta, VALUE(0), below);
      }
    }
    below = meta;
  }
  put(client, "tree_50_deep", below);
}

static void write_dicts(vineyard_client* client) {
  vineyard_value parts[2];
  vineyard_meta *meta, *inner;
  put(client, "dict_empty", make_dict(0));
  meta = make_dict(3);
  set(meta, KEY(0), text_value("z"));
  set(meta, KEY(1), text_value("a"));
  set(meta, KEY(2), text_value("m"));
  for (int64_t i = 0; i < 3; ++i) set(meta, VALUE((uint64_t)i), int_value(i + 1));
  put(client, "dict_order", meta);

  meta = make_dict(9);
  set(meta, KEY(0), null_value());
  set(meta, KEY(1), bool_value(1));
  set(meta, KEY(2), int_value(-7));
  set(meta, KEY(3), float_value(1.5));
  set(meta, KEY(4), text_value(""));
  set_scalar(meta, KEY(7), bytes_value(kTenTo30, sizeof kTenTo30), "bigint", "python");
  parts[0] = float_value(0.0);
  parts[1] = float_value(2.0);
  set_scalar(meta, KEY(8), list_value(parts, 2), "complex", "python");
  for (int64_t i = 0; i < 9; ++i) set(meta, VALUE((uint64_t)i), int_value(i));
  add_bytes(meta, KEY(5), "k", VINEYARD_BLOB_BYTES);
  inner = make("vineyard::Pair");
  set(inner, "first_", int_value(1));
  set(inner, "second_", int_value(2));
  add(meta, KEY(6), inner);
  put(client, "dict_keys", meta);

  meta = make_dict(5);
  set(meta, KEY(0), text_value("i"));
  set(meta, KEY(1), text_value("l"));
  set(meta, KEY(2), text_value("b"));
  set(meta, KEY(3), text_value("n"));
  set(meta, KEY(4), text_value("c"));
  set(meta, VALUE(0), int_value(1));
  parts[1] = float_value(1.0);
  set_scalar(meta, VALUE(4), list_value(parts, 2), "complex", "python");
  parts[0] = int_value(1);
  parts[1] = int_value(2);
  add(meta, VALUE(1), make_sequence_of("vineyard::List", parts, 2));
  add_bytes(meta, VALUE(2), "bytes", VINEYARD_BLOB_BYTES);
  inner = make_dict(1);
  set(inner, KEY(0), text_value("a"));
  set(inner, VALUE(0), null_value());
  add(meta, VALUE(3), inner);
  put(client, "dict_values", meta);

  meta = make_dict(2);
  set(meta, KEY(0), text_value("\xf0\x9f\x8d\x87"));
  set(meta, KEY(1), text_of("\xc3\xa9 \0", 4));
  set(meta, VALUE(0), text_value("grape"));
  set(meta, VALUE(1), text_value("accent and NUL"));
  put(client, "dict_unicode", meta);
}

/* {"t": (1, 2, [3, (4,)]), "d": {"e": {}}, "s": ["x", ("y", "z")], "none": [None]} */
static void write_mixed(vineyard_client* client) {
  vineyard_value one = int_value(4);
  vineyard_meta *meta = make_dict(4), *tuple, *list, *dict, *pair;
  set(meta, KEY(0), text_value("t"));
  set(meta, KEY(1), text_value("d"));
  set(meta, KEY(2), text_value("s"));
  set(meta, KEY(3), text_value("none"));
  list = make_sequence("vineyard::List", 2);
  set(list, ELEMENT(0), int_value(3));
  add(list, ELEMENT(1), make_sequence_of("vineyard::Tuple", &one, 1));
  tuple = make_sequence("vineyard::Tuple", 3);
  set(tuple, ELEMENT(0), int_value(1));
  set(tuple, ELEMENT(1), int_value(2));
  add(tuple, ELEMENT(2), list);
  add(meta, VALUE(0), tuple);
  dict = make_dict(1);
  set(dict, KEY(0), text_value("e"));
  add(dict, VALUE(0), make_dict(0));
  add(meta, VALUE(1), dict);
  pair = make("vineyard::Pair");
  set(pair, "first_", text_value("y"));
  set(pair, "second_", text_value("z"));
  list = make_sequence("vineyard::List", 2);
  set(list, ELEMENT(0), text_value("x"));
  add(list, ELEMENT(1), pair);
  add(meta, VALUE(2), list);
  one = null_value();
  add(meta, VALUE(3), make_sequence_of("vineyard::List", &one, 1));
  put(client, "mixed", meta);
}

void write_containers(vineyard_client* client) {
  write_sequences(client);
  write_tree(client);
  write_dicts(client);
  write_mixed(client);
}

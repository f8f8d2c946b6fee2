/* This file is the only place that writes arrays and metadata of types of one's own in C: what docs/types.md
 * says of each, by hand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

/* ---- arrays ---- */

typedef struct array {
  const char* element;
  const char* descriptor; /* numpy's word for it */
  const char* order;
  int dimensions;
  int64_t shape[8];
} array;

static void set_fields(vineyard_meta* meta, const array* of) {
  vineyard_value shape[8];
  for (int i = 0; i < of->dimensions; ++i) shape[i] = int_value(of->shape[i]);
  set(meta, "value_type_", text_value(of->element));
  set(meta, "shape_", list_value(shape, (uint64_t)of->dimensions));
  set(meta, "order_", text_value(of->order));
  set(meta, "value_type_meta_", text_value(of->descriptor));
  set(meta, "partition_index_", list_value(NULL, 0));
}

/* A builder; `data` has to live until the put. */
static vineyard_meta* make_array(const array* of, const void* data, uint64_t size) {
  vineyard_meta* meta = make(of->dimensions == 1 ? "vineyard::Array" : "vineyard::Tensor");
  set_fields(meta, of);
  check(vineyard_meta_add_bytes(meta, "buffer_", data, size, VINEYARD_BLOB_BUFFER), "buffer_");
  return meta;
}

static array of_one(const char* element, const char* descriptor, int64_t count) {
  array made = {element, descriptor, "C", 1, {0}};
  made.shape[0] = count;
  return made;
}

static void one(vineyard_client* client, const char* name, const char* element,
                const char* descriptor, int64_t count, const void* data, uint64_t size) {
  array of = of_one(element, descriptor, count);
  put(client, name, make_array(&of, data, size));
}

#define ONE(name, element, descriptor, data) \
  one(client, name, element, descriptor, sizeof(data) / sizeof *(data), data, sizeof(data))

static void write_elements(vineyard_client* client) {
  static const int8_t i8[] = {INT8_MIN, INT8_MAX, 0, 1, -1, 2};
  static const int16_t i16[] = {INT16_MIN, INT16_MAX, 0, 1, -1, 2};
  static const int32_t i32[] = {INT32_MIN, INT32_MAX, 0, 1, -1, 2};
  static const int64_t i64[] = {INT64_MIN, INT64_MAX, 0, 1, -1, 2};
  static const uint8_t u8[] = {0, 1, UINT8_MAX};
  static const uint16_t u16[] = {0, 1, UINT16_MAX};
  static const uint32_t u32[] = {0, 1, UINT32_MAX};
  static const uint64_t u64[] = {0, 1, UINT64_MAX};
  static const uint8_t booleans[] = {1, 0, 1, 1, 0};
  static const uint16_t f16[] = {0x3e00, 0x8000, 0x7c00, 0x7e23};
  static const uint32_t f32[] = {0x3fc00000, 0x80000000u, 0x7f800000, 0x7fc00123, 1};
  static const uint64_t f64[] = {UINT64_C(0x3ff8000000000000), UINT64_C(1) << 63,
                                 UINT64_C(0xfff0000000000000), UINT64_C(0x7ff8000000000123), 1};
  static const float c64[2][2] = {{1.5f, -2.0f}, {-0.0f, 4.0f}};
  static const double c128[2][2] = {{1.5, -2.0}, {-0.0, 4.0}};
  int64_t* numbers = malloc(20000 * sizeof *numbers);
  if (numbers == NULL) abort();
  ONE("array_int8", "int8", "|i1", i8);
  ONE("array_int16", "int16", "<i2", i16);
  ONE("array_int32", "int32", "<i4", i32);
  ONE("array_int64", "int64", "<i8", i64);
  ONE("array_uint8", "uint8", "|u1", u8);
  ONE("array_uint16", "uint16", "<u2", u16);
  ONE("array_uint32", "uint32", "<u4", u32);
  ONE("array_uint64", "uint64", "<u8", u64);
  ONE("array_bool", "bool", "|b1", booleans);
  ONE("array_float16", "float16", "<f2", f16);
  ONE("array_float32", "float32", "<f4", f32);
  ONE("array_float64", "float64", "<f8", f64);
  ONE("array_complex64", "complex64", "<c8", c64);
  ONE("array_complex128", "complex128", "<c16", c128);
  one(client, "array_empty", "float64", "<f8", 0, NULL, 0);
  for (int64_t i = 0; i < 20000; ++i) numbers[i] = i;
  one(client, "array_20000", "int64", "<i8", 20000, numbers, 20000 * sizeof *numbers);
  free(numbers);
}

static void write_shapes(vineyard_client* client) {
  static const int32_t six[] = {0, 1, 2, 3, 4, 5};
  static const double number = 2.5;
  static const uint8_t sixteen[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  array c = {"int32", "<i4", "C", 2, {2, 3}};
  array f = {"int32", "<i4", "F", 2, {2, 3}};
  array three = {"float64", "<f8", "F", 3, {2, 3, 4}};
  array none = {"float64", "<f8", "C", 0, {0}};
  array empty = {"uint8", "|u1", "C", 3, {2, 0, 3}};
  array eight = {"uint8", "|u1", "C", 8, {1, 2, 1, 2, 1, 2, 1, 2}};
  double numbers[24];
  vineyard_value size = int_value(6);
  vineyard_meta* meta;
  for (int i = 0; i < 24; ++i) numbers[i] = i;
  put(client, "tensor_c", make_array(&c, six, sizeof six));
  put(client, "tensor_f", make_array(&f, six, sizeof six));
  put(client, "tensor_3_f", make_array(&three, numbers, sizeof numbers));
  put(client, "tensor_0", make_array(&none, &number, sizeof number));
  put(client, "tensor_empty", make_array(&empty, NULL, 0));
  put(client, "tensor_8", make_array(&eight, sixteen, sizeof sixteen));
  meta = make("vineyard::Tensor<int32>");
  set_fields(meta, &c);
  check(vineyard_meta_add_bytes(meta, "buffer_", six, sizeof six, VINEYARD_BLOB_BUFFER), "buffer_");
  put(client, "tensor_parameters", meta);
  meta = make("vineyard::Array");
  set(meta, "value_type_", text_value("int32"));
  set(meta, "shape_", list_value(&size, 1));
  set(meta, "my_note_", text_value("ignore me"));
  check(vineyard_meta_add_bytes(meta, "buffer_", six, sizeof six, VINEYARD_BLOB_BUFFER), "buffer_");
  put(client, "array_least_fields", meta);
}

/* Elements 6 to 10 of an array of 20: a link to its blob. */
static void write_part(vineyard_client* client) {
  array of = of_one("int64", "<i8", 5);
  vineyard_meta* meta = make("vineyard::Array");
  vineyard_id whole;
  int64_t numbers[20];
  for (int i = 0; i < 20; ++i) numbers[i] = i;
  check(vineyard_blob_put(client, numbers, sizeof numbers, VINEYARD_BLOB_BUFFER, &whole), "whole");
  set_fields(meta, &of);
  set(meta, "offset_", uint_value(6 * sizeof *numbers));
  check(vineyard_meta_add_id(meta, "buffer_", whole), "buffer_");
  put(client, "array_part", meta);
}

static void write_list(vineyard_client* client) {
  static const int16_t two[] = {-1, 2};
  static const uint8_t yes = 1;
  array shorts = of_one("int16", "<i2", 2), booleans = of_one("bool", "|b1", 1);
  vineyard_meta* meta = make("vineyard::List");
  vineyard_meta* first = make_array(&shorts, two, sizeof two);
  vineyard_meta* second = make_array(&booleans, &yes, 1);
  set(meta, "__elements_-size", uint_value(2));
  check(vineyard_meta_add_meta(meta, "__elements_-0", first), "array");
  check(vineyard_meta_add_meta(meta, "__elements_-1", second), "array");
  put(client, "list_of_arrays", meta);
  vineyard_meta_release(first);
  vineyard_meta_release(second);
}

void write_arrays(vineyard_client* client) {
  write_elements(client);
  write_shapes(client);
  write_part(client);
  write_list(client);
}

/* ---- types of one's own ---- */

static void write_every_value(vineyard_client* client) {
  vineyard_meta* meta = make("my::Every");
  vineyard_value empty = list_value(NULL, 0), inner[2], middle[2], pair[2], list[3], map[4];
  vineyard_value deepest[3], c[2], b[2];
  set(meta, "null", null_value());
  set(meta, "yes", bool_value(1));
  set(meta, "no", bool_value(0));
  set(meta, "least", int_value(INT64_MIN));
  set(meta, "greatest", uint_value(UINT64_MAX));
  set(meta, "zero", int_value(0));
  set(meta, "float", float_value(double_of(UINT64_C(0x7ff8000000000123))));
  set(meta, "text", text_of("NUL \0 and \xf0\x9f\x8d\x87", 14));
  set(meta, "bytes", bytes_value("\x00\xff", 2));
  set(meta, "no bytes", bytes_value(NULL, 0));
  /* [1, [2, [3, []]], {"k": None}] */
  inner[0] = int_value(3);
  inner[1] = empty;
  middle[0] = int_value(2);
  middle[1] = list_value(inner, 2);
  pair[0] = text_value("k");
  pair[1] = null_value();
  list[0] = int_value(1);
  list[1] = list_value(middle, 2);
  list[2] = map_value(pair, 1);
  set(meta, "list", list_value(list, 3));
  /* {"a": {"b": {"c": [1.5, "d", b"e"]}}, "": {}} */
  deepest[0] = float_value(1.5);
  deepest[1] = text_value("d");
  deepest[2] = bytes_value("e", 1);
  c[0] = text_value("c");
  c[1] = list_value(deepest, 3);
  b[0] = text_value("b");
  b[1] = map_value(c, 1);
  map[0] = text_value("a");
  map[1] = map_value(b, 1);
  map[2] = text_value("");
  map[3] = map_value(NULL, 0);
  set(meta, "map", map_value(map, 2));
  put(client, "meta_every_value", meta);
}

void write_by_hand(vineyard_client* client) {
  vineyard_value numbers[2], number;
  vineyard_meta *meta, *list;
  char* long_text = repeated("y", 20000);
  write_every_value(client);
  put(client, "meta_empty", make("my::Nothing"));

  meta = make(
      "mein::Gro\xc3\x9f"
      "er \xf0\x9f\x8d\x87");
  set(meta,
      "gr\xc3\xb6\xc3\x9f"
      "e",
      int_value(1));
  set(meta, "\xf0\x9f\x8d\x87", text_value("grape"));
  numbers[0] = int_value(1);
  numbers[1] = int_value(2);
  set(meta, "\xe9\x95\xbf\xe5\xba\xa6", list_value(numbers, 2));
  check(vineyard_meta_add_bytes(meta, "\xe6\x88\x90\xe5\x91\x98", "m", 1, VINEYARD_BLOB_BYTES),
        "member");
  number = int_value(1);
  list = make("vineyard::List");
  set(list, "__elements_-size", uint_value(1));
  set(list, "__elements_-0", number);
  check(vineyard_meta_add_meta(meta, "\xc3\xa9\xcc\x81", list), "member");
  put(client, "meta_unicode", meta);
  vineyard_meta_release(list);

  meta = make("my::Long");
  set(meta, "bytes", bytes_value(pattern(20000), 20000));
  set(meta, "text", text_value(long_text));
  put(client, "meta_long_field", meta);
  free(long_text);
}

/* This file is the only place that makes values of objects in the C program, by what docs/types.md says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

/* "vineyard::Tensor", and "vineyard::Tensor<int32>" as well. */
static int is_type(const char* type, const char* wanted) {
  size_t size = strlen(wanted);
  return strncmp(type, wanted, size) == 0 && (type[size] == '\0' || type[size] == '<');
}

static int is_text(const vineyard_value* value, const char* text) {
  return value != NULL && value->type == VINEYARD_VALUE_STRING && value->size == strlen(text) &&
         memcmp(value->as.data, text, value->size) == 0;
}

/* ---- scalars: the three fields of an object, or of a map that stands for one ---- */

static const vineyard_value* in_map(const vineyard_value* map, const char* key) {
  for (uint64_t i = 0; i < map->size; ++i) {
    if (is_text(&map->as.items[2 * i], key)) return &map->as.items[2 * i + 1];
  }
  return NULL;
}

static void print_hex(const char* data, uint64_t size) {
  for (uint64_t i = 0; i < size; ++i) printf("%02x", (unsigned char)data[i]);
}

/* One float of numpy's: float16 and float32 are stored as their bits. */
static void print_float(const vineyard_value* value, int digits) {
  if (value->type == VINEYARD_VALUE_FLOAT64) {
    print_double(value->as.float64);
  } else {
    printf("%0*" PRIx64, digits, value->as.uint64);
  }
}

static void print_numpy(const vineyard_value* value, const vineyard_value* type) {
  printf("numpy %.*s ", (int)type->size, type->as.data);
  if (value->type == VINEYARD_VALUE_LIST) {
    print_float(&value->as.items[0], 8);
    putchar(' ');
    print_float(&value->as.items[1], 8);
  } else if (is_text(type, "float16") || is_text(type, "float32") || is_text(type, "float64")) {
    print_float(value, is_text(type, "float16") ? 4 : 8);
  } else if (value->type == VINEYARD_VALUE_BOOL) {
    printf("%s", value->as.boolean ? "true" : "false");
  } else if (value->type == VINEYARD_VALUE_INT64) {
    printf("%" PRId64, value->as.int64);
  } else {
    printf("%" PRIu64, value->as.uint64);
  }
  putchar('\n');
}

static void print_scalar(const vineyard_value* value, const vineyard_value* type,
                         const vineyard_value* kind, int depth) {
  if (is_text(kind, "numpy")) {
    print_numpy(value, type);
  } else if (is_text(type, "bigint")) {
    printf("bigint ");
    print_hex(value->as.data, value->size);
    putchar('\n');
  } else if (is_text(type, "complex")) {
    printf("complex ");
    print_double(value->as.items[0].as.float64);
    putchar(' ');
    print_double(value->as.items[1].as.float64);
    putchar('\n');
  } else {
    print_field_value(value, depth + 1);
  }
}

/* ---- containers ---- */

static void print_element(vineyard_object* object, const char* name, int depth) {
  const vineyard_value* value = NULL;
  vineyard_object* member = NULL;
  print_indent(depth);
  if (vineyard_object_field(object, name, &value) != VINEYARD_OK) {
    check(vineyard_object_member(object, name, &member), name);
    print_value(member, depth);
    vineyard_object_release(member);
  } else if (value->type == VINEYARD_VALUE_MAP) {
    print_scalar(in_map(value, "value_"), in_map(value, "value_type_"),
                 in_map(value, "scalar_kind_"), depth);
  } else {
    print_field_value(value, depth + 1);
  }
}

static void print_sequence(vineyard_object* object, const char* what, int depth) {
  char name[64];
  uint64_t size;
  check(vineyard_object_field_uint64(object, "__elements_-size", &size), "__elements_-size");
  printf("%s %" PRIu64 "\n", what, size);
  for (uint64_t i = 0; i < size; ++i) {
    snprintf(name, sizeof name, "__elements_-%" PRIu64, i);
    print_element(object, name, depth + 1);
  }
}

static void print_dict(vineyard_object* object, int depth) {
  char name[64];
  uint64_t size;
  check(vineyard_object_field_uint64(object, "__values_-size", &size), "__values_-size");
  printf("dict %" PRIu64 "\n", size);
  for (uint64_t i = 0; i < size; ++i) {
    snprintf(name, sizeof name, "__values_-key-%" PRIu64, i);
    print_element(object, name, depth + 1);
    snprintf(name, sizeof name, "__values_-value-%" PRIu64, i);
    print_element(object, name, depth + 1);
  }
}

/* ---- payloads ---- */

static void print_bytes(vineyard_blob* blob) {
  int32_t kind = vineyard_blob_kind(blob);
  printf("%s ", kind == VINEYARD_BLOB_BYTES       ? "bytes"
                : kind == VINEYARD_BLOB_BYTEARRAY ? "bytearray"
                                                  : "buffer");
  print_data(vineyard_blob_data(blob), vineyard_blob_length(blob));
  putchar('\n');
  vineyard_blob_release(blob);
}

static void print_text(vineyard_object* object) {
  vineyard_blob* blob = NULL;
  const char* text = NULL;
  uint64_t size = 0;
  if (vineyard_object_field_string(object, "value_", &text, &size) == VINEYARD_OK) {
    print_string(text, size);
  } else {
    check(vineyard_object_member_blob(object, "buffer_", &blob), "text");
    print_string(vineyard_blob_data(blob), vineyard_blob_length(blob));
    vineyard_blob_release(blob);
  }
  putchar('\n');
}

static void print_array(const vineyard_object* object, const vineyard_tensor* tensor) {
  if (tensor->element == VINEYARD_ELEMENT_OTHER) {
    printf("unsupported %s: its elements are of type other, which is numpy's own\n",
           vineyard_object_type_name(object));
    return;
  }
  printf("array %s [", vineyard_element_name(tensor->element));
  for (int32_t i = 0; i < tensor->dimensions; ++i) {
    printf("%s%" PRId64, i == 0 ? "" : ",", tensor->shape[i]);
  }
  printf("] %c ", tensor->is_fortran ? 'F' : 'C');
  print_data(tensor->data, tensor->data_size);
  putchar('\n');
}

/* The rest of a line, then the parts. */
void print_value(vineyard_object* object, int depth) {
  const char* type = vineyard_object_type_name(object);
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  const vineyard_value *value = NULL, *value_type = NULL, *kind = NULL;
  vineyard_blob* blob = NULL;
  uint64_t nbytes;
  if (is_type(type, "vineyard::Blob")) {
    check(vineyard_object_blob(object, &blob), "blob");
    print_bytes(blob);
  } else if (is_type(type, "vineyard::Scalar")) {
    check(vineyard_object_field(object, "value_", &value), "value_");
    check(vineyard_object_field(object, "value_type_", &value_type), "value_type_");
    check(vineyard_object_field(object, "scalar_kind_", &kind), "scalar_kind_");
    print_scalar(value, value_type, kind, depth);
  } else if (is_type(type, "vineyard::String")) {
    print_text(object);
  } else if (is_type(type, "vineyard::List")) {
    print_sequence(object, "list", depth);
  } else if (is_type(type, "vineyard::Tuple") || is_type(type, "vineyard::Sequence")) {
    print_sequence(object, "tuple", depth);
  } else if (is_type(type, "vineyard::Pair")) {
    printf("tuple 2\n");
    print_element(object, "first_", depth + 1);
    print_element(object, "second_", depth + 1);
  } else if (is_type(type, "vineyard::Dict")) {
    print_dict(object, depth);
  } else if (is_type(type, "vineyard::Array") || is_type(type, "vineyard::Tensor")) {
    check(vineyard_object_tensor(object, &tensor), "array");
    print_array(object, &tensor);
  } else if (is_type(type, "vineyard::PickleBuffer")) {
    check(vineyard_object_field_uint64(object, "nbytes", &nbytes), "nbytes");
    printf("unsupported %s: a Python pickle of %" PRIu64 " bytes\n", type, nbytes);
  } else {
    printf("object ");
    print_quoted(type, strlen(type));
    putchar('\n');
  }
}

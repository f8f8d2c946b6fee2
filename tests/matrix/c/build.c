/* This file is the only place that makes values of metadata in the C program, and puts what was built. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

static vineyard_value of_type(int32_t type, uint64_t size) {
  vineyard_value value = {0, 0, 0, {0}};
  value.type = type;
  value.size = size;
  return value;
}

vineyard_value null_value(void) { return of_type(VINEYARD_VALUE_NULL, 0); }

vineyard_value bool_value(int value) {
  vineyard_value made = of_type(VINEYARD_VALUE_BOOL, 0);
  made.as.boolean = value;
  return made;
}

vineyard_value int_value(int64_t value) {
  vineyard_value made = of_type(VINEYARD_VALUE_INT64, 0);
  made.as.int64 = value;
  return made;
}

vineyard_value uint_value(uint64_t value) {
  vineyard_value made = of_type(VINEYARD_VALUE_UINT64, 0);
  made.as.uint64 = value;
  return made;
}

vineyard_value float_value(double value) {
  vineyard_value made = of_type(VINEYARD_VALUE_FLOAT64, 0);
  made.as.float64 = value;
  return made;
}

vineyard_value text_of(const char* text, uint64_t size) {
  vineyard_value made = of_type(VINEYARD_VALUE_STRING, size);
  made.as.data = text;
  return made;
}

vineyard_value text_value(const char* text) { return text_of(text, strlen(text)); }

vineyard_value bytes_value(const void* data, uint64_t size) {
  vineyard_value made = of_type(VINEYARD_VALUE_BYTES, size);
  made.as.data = data;
  return made;
}

vineyard_value list_value(const vineyard_value* items, uint64_t count) {
  vineyard_value made = of_type(VINEYARD_VALUE_LIST, count);
  made.as.items = items;
  return made;
}

vineyard_value map_value(const vineyard_value* items, uint64_t pairs) {
  vineyard_value made = of_type(VINEYARD_VALUE_MAP, pairs);
  made.as.items = items;
  return made;
}

double double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

const char* pattern(uint64_t size) {
  static char bytes[1 << 20];
  if (size > sizeof bytes) abort();
  for (uint64_t i = 0; i < size; ++i) bytes[i] = (char)(7 * i + i / 256);
  return bytes;
}

vineyard_meta* make(const char* type) {
  vineyard_meta* meta = NULL;
  check(vineyard_meta_create(type, &meta), type);
  return meta;
}

void set(vineyard_meta* meta, const char* name, vineyard_value value) {
  check(vineyard_meta_set_value(meta, name, &value), name);
}

void put(vineyard_client* client, const char* name, vineyard_meta* meta) {
  char full[128];
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  vineyard_id id;
  snprintf(full, sizeof full, "c/%s", name);
  options.name = full;
  check(vineyard_object_put(client, meta, &options, &id), full);
  vineyard_meta_release(meta);
  printf("written %s\n", name);
}

void set_scalar(vineyard_meta* meta, const char* name, vineyard_value value, const char* type,
                const char* kind) {
  vineyard_value pairs[6];
  pairs[0] = text_value("value_");
  pairs[1] = value;
  pairs[2] = text_value("value_type_");
  pairs[3] = text_value(type);
  pairs[4] = text_value("scalar_kind_");
  pairs[5] = text_value(kind);
  set(meta, name, map_value(pairs, 3));
}

vineyard_meta* make_text(const char* text, uint64_t size) {
  vineyard_meta* meta = make("vineyard::String");
  if (size <= 16 * 1024) {
    set(meta, "value_", text_of(text, size));
  } else {
    check(vineyard_meta_add_bytes(meta, "buffer_", text, size, VINEYARD_BLOB_BUFFER), "buffer_");
  }
  return meta;
}

char* repeated(const char* text, int times) {
  size_t size = strlen(text);
  char* made = malloc(size * (size_t)times + 1);
  if (made == NULL) abort();
  for (int i = 0; i < times; ++i) memcpy(made + size * (size_t)i, text, size);
  made[size * (size_t)times] = '\0';
  return made;
}

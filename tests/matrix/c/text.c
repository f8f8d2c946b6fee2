/* This file is the only place that makes text of values in the C program. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

enum { kMaxShown = 256 };

void print_indent(int depth) { printf("%*s", 2 * depth, ""); }

/* FNV-1a of 64 bits. */
static uint64_t hash_of(const unsigned char* data, uint64_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint64_t i = 0; i < size; ++i) hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash;
}

void print_data(const void* data, uint64_t size) {
  const unsigned char* bytes = data;
  printf("[%" PRIu64 "]", size);
  if (size > kMaxShown) {
    printf(" fnv %016" PRIx64, hash_of(bytes, size));
  } else if (size > 0) {
    putchar(' ');
    for (uint64_t i = 0; i < size; ++i) printf("%02x", bytes[i]);
  }
}

static void print_unit(unsigned unit) {
  if (unit == '"' || unit == '\\') {
    printf("\\%c", unit);
  } else if (unit >= 0x20 && unit < 0x7f) {
    putchar((int)unit);
  } else {
    printf("\\u%04x", unit);
  }
}

void print_quoted(const char* text, uint64_t size) {
  const unsigned char* at = (const unsigned char*)text;
  const unsigned char* end = at + size;
  putchar('"');
  while (at < end) {
    unsigned first = *at++;
    unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    unsigned character = more == 0 ? first : first & (0x3fu >> more);
    for (; more > 0 && at < end; --more) character = character << 6 | (*at++ & 0x3fu);
    if (character >= 0x10000) {
      print_unit(0xd800 + ((character - 0x10000) >> 10));
      character = 0xdc00 + ((character - 0x10000) & 0x3ff);
    }
    print_unit(character);
  }
  putchar('"');
}

void print_string(const char* text, uint64_t size) {
  printf("str ");
  if (size > kMaxShown) {
    print_data(text, size);
  } else {
    print_quoted(text, size);
  }
}

void print_double(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  printf("%016" PRIx64, bits);
}

static void print_parts(const char* what, const vineyard_value* value, uint64_t parts, int depth) {
  printf("%s %" PRIu64 "\n", what, value->size);
  for (uint64_t i = 0; i < parts; ++i) {
    print_indent(depth);
    print_field_value(&value->as.items[i], depth + 1);
  }
}

void print_field_value(const vineyard_value* value, int depth) {
  switch (value->type) {
    case VINEYARD_VALUE_NULL:
      printf("none");
      break;
    case VINEYARD_VALUE_BOOL:
      printf("bool %s", value->as.boolean ? "true" : "false");
      break;
    case VINEYARD_VALUE_INT64:
      printf("int %" PRId64, value->as.int64);
      break;
    case VINEYARD_VALUE_UINT64:
      printf("int %" PRIu64, value->as.uint64);
      break;
    case VINEYARD_VALUE_FLOAT64:
      printf("float ");
      print_double(value->as.float64);
      break;
    case VINEYARD_VALUE_STRING:
      print_string(value->as.data, value->size);
      break;
    case VINEYARD_VALUE_BYTES:
      printf("bytes ");
      print_data(value->as.data, value->size);
      break;
    case VINEYARD_VALUE_LIST:
      print_parts("list", value, value->size, depth);
      return;
    case VINEYARD_VALUE_MAP:
      print_parts("map", value, 2 * value->size, depth);
      return;
    default:
      printf("unknown %d", value->type);
  }
  putchar('\n');
}

/* This file is the only place that writes scalars, text and bytes in C: what docs/types.md says of each
 * type, by hand. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

static void scalar(vineyard_client* client, const char* name, vineyard_value value,
                   const char* type, const char* kind) {
  vineyard_meta* meta = make("vineyard::Scalar");
  set(meta, "value_", value);
  set(meta, "value_type_", text_value(type));
  set(meta, "scalar_kind_", text_value(kind));
  put(client, name, meta);
}

/* 10 to the power of 50, as a bigint. */
static const unsigned char kTenTo50[] = {0x44, 0x6c, 0x3b, 0x15, 0xf9, 0x92, 0x66,
                                         0x87, 0xd2, 0xc4, 0x05, 0x34, 0xfd, 0xb5,
                                         0x64, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
static const unsigned char kMinusTenTo50[] = {0xbb, 0x93, 0xc4, 0xea, 0x06, 0x6d, 0x99,
                                              0x78, 0x2d, 0x3b, 0xfa, 0xcb, 0x02, 0x4a,
                                              0x9c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

static void write_scalars(vineyard_client* client) {
  static const struct {
    const char* name;
    uint64_t bits;
  } floats[] = {
      {"float_zero", 0},
      {"float_minus_zero", UINT64_C(1) << 63},
      {"float_1_5", UINT64_C(0x3ff8000000000000)},
      {"float_inf", UINT64_C(0x7ff0000000000000)},
      {"float_minus_inf", UINT64_C(0xfff0000000000000)},
      {"float_nan", UINT64_C(0x7ff8000000000000)},
      {"float_nan_payload", UINT64_C(0x7ff8000000000123)},
      {"float_nan_signalling", UINT64_C(0xfff0000000000001)},
      {"float_least", 1},
      {"float_greatest", UINT64_C(0x7fefffffffffffff)},
  };
  vineyard_value parts[2];
  char bytes[17] = {0};
  scalar(client, "none", null_value(), "none", "python");
  scalar(client, "bool_true", bool_value(1), "bool", "python");
  scalar(client, "bool_false", bool_value(0), "bool", "python");
  scalar(client, "int_zero", int_value(0), "int", "python");
  scalar(client, "int_minus_one", int_value(-1), "int", "python");
  scalar(client, "int_255", uint_value(255), "int", "python");
  scalar(client, "int_int64_least", int_value(INT64_MIN), "int", "python");
  scalar(client, "int_int64_greatest", int_value(INT64_MAX), "int", "python");
  scalar(client, "int_2_63", uint_value(UINT64_C(1) << 63), "int", "python");
  scalar(client, "int_uint64_greatest", uint_value(UINT64_MAX), "int", "python");

  bytes[0] = 1;
  scalar(client, "bigint_2_64", bytes_value(bytes, 9), "bigint", "python");
  bytes[0] = '\xff';
  memset(bytes + 1, 0xff, 8);
  bytes[1] = '\x7f';
  scalar(client, "bigint_below_int64", bytes_value(bytes, 9), "bigint", "python");
  memset(bytes, 0, sizeof bytes);
  bytes[1] = '\x80';
  scalar(client, "bigint_2_127", bytes_value(bytes, 17), "bigint", "python");
  scalar(client, "bigint_minus_2_127", bytes_value(bytes + 1, 16), "bigint", "python");
  scalar(client, "bigint_10_50", bytes_value(kTenTo50, sizeof kTenTo50), "bigint", "python");
  scalar(client, "bigint_minus_10_50", bytes_value(kMinusTenTo50, sizeof kMinusTenTo50), "bigint",
         "python");

  for (size_t i = 0; i < sizeof floats / sizeof *floats; ++i) {
    scalar(client, floats[i].name, float_value(double_of(floats[i].bits)), "float", "python");
  }
  parts[0] = float_value(1.0);
  parts[1] = float_value(2.0);
  scalar(client, "complex", list_value(parts, 2), "complex", "python");
  parts[0] = float_value(-0.0);
  parts[1] = float_value(double_of(UINT64_C(0x7ff8000000000123)));
  scalar(client, "complex_edges", list_value(parts, 2), "complex", "python");
}

static void write_numpy_scalars(vineyard_client* client) {
  vineyard_value parts[2];
  char name[64], type[16];
  for (int bits = 8; bits <= 64; bits *= 2) {
    snprintf(type, sizeof type, "int%d", bits);
    snprintf(name, sizeof name, "numpy_int%d_least", bits);
    scalar(client, name, int_value(INT64_MIN >> (64 - bits)), type, "numpy");
    snprintf(name, sizeof name, "numpy_int%d_greatest", bits);
    scalar(client, name, int_value(INT64_MAX >> (64 - bits)), type, "numpy");
    snprintf(type, sizeof type, "uint%d", bits);
    snprintf(name, sizeof name, "numpy_uint%d_greatest", bits);
    scalar(client, name, uint_value(UINT64_MAX >> (64 - bits)), type, "numpy");
  }
  scalar(client, "numpy_bool", bool_value(1), "bool", "numpy");
  scalar(client, "numpy_float16", uint_value(0x3e00), "float16", "numpy");
  scalar(client, "numpy_float16_nan", uint_value(0x7e23), "float16", "numpy");
  scalar(client, "numpy_float32", uint_value(0x3fc00000), "float32", "numpy");
  scalar(client, "numpy_float32_minus_zero", uint_value(0x80000000u), "float32", "numpy");
  scalar(client, "numpy_float32_nan", uint_value(0x7fc00123), "float32", "numpy");
  scalar(client, "numpy_float64", float_value(-2.25), "float64", "numpy");
  parts[0] = uint_value(0x3fc00000);
  parts[1] = uint_value(0x80000000u);
  scalar(client, "numpy_complex64", list_value(parts, 2), "complex64", "numpy");
  parts[0] = float_value(1.5);
  parts[1] = float_value(-0.0);
  scalar(client, "numpy_complex128", list_value(parts, 2), "complex128", "numpy");
}

/* ---- text and bytes ---- */

static void text(vineyard_client* client, const char* name, const char* text, uint64_t size) {
  put(client, name, make_text(text, size));
}

static void repeated_text(vineyard_client* client, const char* name, const char* part, int times) {
  char* made = repeated(part, times);
  text(client, name, made, strlen(made));
  free(made);
}

#define TEXT(name, literal) text(client, name, literal, sizeof(literal) - 1)

static void write_texts(vineyard_client* client) {
  TEXT("str_empty", "");
  TEXT("str_ascii", "text");
  TEXT("str_nul", "NUL \0 inside");
  TEXT("str_emoji", "\xf0\x9f\x8d\x87 \xf4\x8f\xbf\xbf \xc3\xa9");
  TEXT("str_last_of_each_length", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80");
  TEXT("str_escapes", "\"\\\n\t\x01/'\x7f");
  repeated_text(client, "str_16384", "x", 16384);
  repeated_text(client, "str_16385", "x", 16385);
  repeated_text(client, "str_e_8192", "\xc3\xa9", 8192);
  repeated_text(client, "str_e_8193", "\xc3\xa9", 8193);
  repeated_text(client, "str_long", "grape \xf0\x9f\x8d\x87 ", 9091);
}

static void blob(vineyard_client* client, const char* name, const void* data, uint64_t size,
                 int32_t kind) {
  vineyard_meta* meta = NULL;
  check(vineyard_meta_create_blob(data, size, kind, &meta), name);
  put(client, name, meta);
}

/* Written in place, named afterwards. */
static void written_blob(vineyard_client* client, const char* name, uint64_t size, int32_t kind) {
  char full[64];
  vineyard_blob_writer* writer = NULL;
  check(vineyard_blob_writer_create(client, size, kind, &writer), name);
  memcpy(vineyard_blob_writer_data(writer), pattern(size), size);
  check(vineyard_blob_writer_seal(writer), name);
  snprintf(full, sizeof full, "c/%s", name);
  check(vineyard_name_put(client, full, vineyard_blob_writer_id(writer), NULL, NULL), full);
  vineyard_blob_writer_release(writer);
  printf("written %s\n", name);
}

static void write_blobs(vineyard_client* client) {
  static const uint64_t sizes[] = {0, 1, 255, 256, 65535, 65536, 65537};
  char name[64];
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    snprintf(name, sizeof name, "bytes_%" PRIu64, sizes[i]);
    blob(client, name, pattern(sizes[i]), sizes[i], VINEYARD_BLOB_BYTES);
    snprintf(name, sizeof name, "bytearray_%" PRIu64, sizes[i]);
    blob(client, name, pattern(sizes[i]), sizes[i], VINEYARD_BLOB_BYTEARRAY);
  }
  blob(client, "bytes_hello", "Hello, World!", 13, VINEYARD_BLOB_BYTES);
  blob(client, "buffer_0", NULL, 0, VINEYARD_BLOB_BUFFER);
  blob(client, "buffer_1", pattern(1), 1, VINEYARD_BLOB_BUFFER);
  blob(client, "buffer_65536", pattern(65536), 65536, VINEYARD_BLOB_BUFFER);
  written_blob(client, "bytes_100000", 100000, VINEYARD_BLOB_BYTES);
  written_blob(client, "buffer_100000", 100000, VINEYARD_BLOB_BUFFER);
}

void write_leaves(vineyard_client* client) {
  write_scalars(client);
  write_numpy_scalars(client);
  write_texts(client);
  write_blobs(client);
}

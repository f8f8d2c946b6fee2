/* This file is the only place that writes and reads, in C, a blob that is larger than 4 GiB. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

enum { kPart = 1024 }; /* elements of the array that begins 24 bytes beyond 4 GiB */

/* Word i of the blob is i. */
void write_large(vineyard_client* client, uint64_t size) {
  vineyard_blob_writer* writer = NULL;
  vineyard_value count = int_value(kPart);
  vineyard_meta* meta = make("vineyard::Array");
  uint64_t* words;
  check(vineyard_blob_writer_create(client, size, VINEYARD_BLOB_BYTES, &writer), "large");
  words = vineyard_blob_writer_data(writer);
  for (uint64_t i = 0; i < size / 8; ++i) words[i] = i;
  check(vineyard_blob_writer_seal(writer), "large");
  check(vineyard_name_put(client, "c/large", vineyard_blob_writer_id(writer), NULL, NULL), "large");
  printf("written large\n");
  set(meta, "value_type_", text_value("uint64"));
  set(meta, "shape_", list_value(&count, 1));
  set(meta, "order_", text_value("C"));
  set(meta, "value_type_meta_", text_value("<u8"));
  set(meta, "partition_index_", list_value(NULL, 0));
  set(meta, "offset_", uint_value((UINT64_C(1) << 32) + 24));
  check(vineyard_meta_add_id(meta, "buffer_", vineyard_blob_writer_id(writer)), "buffer_");
  put(client, "large_part", meta);
  vineyard_blob_writer_release(writer);
}

static void print_at(const char* data, uint64_t offset) {
  printf("at %" PRIu64 " ", offset);
  print_data(data + offset, 8);
  putchar('\n');
}

void read_large(vineyard_client* client, const char* writer) {
  static const uint64_t offsets[] = {0,
                                     (UINT64_C(1) << 31) - 8,
                                     UINT64_C(1) << 31,
                                     (UINT64_C(1) << 32) - 8,
                                     UINT64_C(1) << 32,
                                     (UINT64_C(1) << 32) + 8};
  char name[64];
  vineyard_id id;
  vineyard_blob* blob = NULL;
  vineyard_object* part = NULL;
  const char *data, *stored;
  uint64_t length, stored_size, before = copied(client);
  snprintf(name, sizeof name, "%s/large", writer);
  check(vineyard_name_get(client, name, 0, &id, NULL), name);
  check(vineyard_blob_get(client, id, &blob), name);
  data = vineyard_blob_data(blob);
  stored = vineyard_blob_stored_data(blob);
  length = vineyard_blob_length(blob);
  stored_size = vineyard_blob_stored_size(blob);
  printf("length %" PRIu64 "\nbefore ", length);
  print_data(stored, (uint64_t)(data - stored));
  printf("\nbehind ");
  print_data(data + length, stored_size - length - (uint64_t)(data - stored));
  putchar('\n');
  for (size_t i = 0; i < sizeof offsets / sizeof *offsets; ++i) print_at(data, offsets[i]);
  print_at(data, length - 8);
  vineyard_blob_release(blob);
  snprintf(name, sizeof name, "%s/large_part", writer);
  check(vineyard_name_get(client, name, 0, &id, NULL), name);
  check(vineyard_object_get(client, id, &part), name);
  print_value(part, 0);
  vineyard_object_release(part);
  printf("copied %" PRIu64 "\n", copied(client) - before);
}

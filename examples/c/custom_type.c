/* A type of one's own, example::Ticker: fields and a blob of prices. One process puts it, another finds it by its
 * type and reads the prices where they lie.
 *
 *   custom_type put  [SOCKET]    stores one and persists it under the name "ticker"
 *   custom_type read [SOCKET]    finds all of them
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <vineyard/vineyard.h>

#define PRICES 1000

/* The prices are written into shared memory, nothing is copied; they are sealed by the put that stores the rest. */
static int32_t put(vineyard_client* client) {
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  vineyard_blob_writer* writer = NULL;
  vineyard_meta* meta = NULL;
  vineyard_id id;
  char text[VINEYARD_ID_TEXT_SIZE];
  uint64_t text_size = sizeof text;
  int32_t status =
      vineyard_blob_writer_create(client, PRICES * sizeof(double), VINEYARD_BLOB_BUFFER, &writer);
  if (status == VINEYARD_OK) {
    double* prices = vineyard_blob_writer_data(writer);
    int i;
    for (i = 0; i < PRICES; ++i) prices[i] = 100 + i / 8.0;
    status = vineyard_meta_create("example::Ticker", &meta);
  }
  if (status == VINEYARD_OK) status = vineyard_meta_set_string(meta, "symbol", "VY", 2);
  if (status == VINEYARD_OK) status = vineyard_meta_set_int64(meta, "lot", 100);
  if (status == VINEYARD_OK) status = vineyard_meta_add_writer(meta, "prices", writer);
  options.name = "ticker";
  options.replace = 1;
  options.persist = 1; /* the whole cluster knows of it, and who watches hears of it */
  if (status == VINEYARD_OK) status = vineyard_object_put(client, meta, &options, &id);
  if (status == VINEYARD_OK) status = vineyard_id_print(id, text, &text_size);
  if (status == VINEYARD_OK) printf("put %s\n", text);
  vineyard_meta_release(meta);
  vineyard_blob_writer_release(writer);
  return status;
}

static int32_t read_one(vineyard_client* client, vineyard_id id) {
  vineyard_object* object = NULL;
  vineyard_blob* blob = NULL;
  const char* symbol = NULL;
  uint64_t symbol_size = 0, count, i;
  int64_t lot = 0;
  int32_t status = vineyard_object_get(client, id, &object);
  if (status == VINEYARD_OK) {
    status = vineyard_object_field_string(object, "symbol", &symbol, &symbol_size);
  }
  if (status == VINEYARD_OK) status = vineyard_object_field_int64(object, "lot", &lot);
  if (status == VINEYARD_OK) status = vineyard_object_member_blob(object, "prices", &blob);
  if (status == VINEYARD_OK) {
    const double* prices = vineyard_blob_data(blob);
    double sum = 0;
    count = vineyard_blob_length(blob) / sizeof *prices;
    for (i = 0; i < count; ++i) sum += prices[i];
    printf("%.*s in lots of %" PRId64 ": %" PRIu64
           " prices of %.4f on average, read in place: %s\n",
           (int)symbol_size, symbol, lot, count, sum / (double)count,
           vineyard_memory_is_shared(prices, vineyard_blob_length(blob)) ? "yes" : "no");
  }
  vineyard_blob_release(blob);
  vineyard_object_release(object);
  return status;
}

/* Types are found by pattern: "example::*" would find all of this family. */
static int32_t read_all(vineyard_client* client) {
  vineyard_list* list = NULL;
  vineyard_id id = VINEYARD_ID_INVALID;
  int32_t status = vineyard_list_open(client, "example::Ticker", 0, &list);
  while (status == VINEYARD_OK) {
    status = vineyard_list_next(list, &id);
    if (status != VINEYARD_OK || id == VINEYARD_ID_INVALID) break;
    status = read_one(client, id);
    if (status == VINEYARD_E_NOT_FOUND) status = VINEYARD_OK; /* deleted since it was listed */
  }
  vineyard_list_release(list);
  return status;
}

int main(int argc, char** argv) {
  vineyard_client* client = NULL;
  int32_t status;
  if (argc < 2 || (strcmp(argv[1], "put") != 0 && strcmp(argv[1], "read") != 0)) {
    fprintf(stderr, "usage: %s put|read [SOCKET]\n", argv[0]);
    return 2;
  }
  status = vineyard_client_connect(argc > 2 ? argv[2] : NULL, NULL, &client);
  if (status == VINEYARD_OK) {
    status = strcmp(argv[1], "put") == 0 ? put(client) : read_all(client);
  }
  if (status != VINEYARD_OK) {
    fprintf(stderr, "%s: %s: %s\n", argv[1], vineyard_status_name(status), vineyard_error_text());
  }
  vineyard_client_release(client);
  return status == VINEYARD_OK ? 0 : 1;
}

/* A client as it was written for the first header (beside this file), which is never changed. */
#include <stdio.h>
#include <string.h>
#include <vineyard/vineyard.h>

#define CHECK(call)                                                              \
  do {                                                                           \
    int32_t check_status = (call);                                               \
    if (check_status != VINEYARD_OK) {                                           \
      fprintf(stderr, "%s: %s: %s\n", #call, vineyard_status_name(check_status), \
              vineyard_error_text());                                            \
      return 1;                                                                  \
    }                                                                            \
  } while (0)

int main(int argc, char** argv) {
  vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
  vineyard_put_options put = VINEYARD_PUT_OPTIONS_INIT;
  vineyard_delete_options shallow = VINEYARD_DELETE_OPTIONS_INIT;
  vineyard_name_options replace = VINEYARD_NAME_OPTIONS_INIT;
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  vineyard_client* client;
  vineyard_meta* meta;
  vineyard_object* object;
  vineyard_blob* blob;
  vineyard_id bytes, id, named;
  uint64_t revision;
  int64_t number;
  if (argc != 2) return 2;
  options.timeout_ms = 20000;
  options.name = "first header";
  CHECK(vineyard_client_connect(argv[1], &options, &client));
  CHECK(vineyard_blob_put(client, "Hello, World!", 13, VINEYARD_BLOB_BYTES, &bytes));
  CHECK(vineyard_meta_create("test::Thing", &meta));
  CHECK(vineyard_meta_set_int64(meta, "answer", 42));
  CHECK(vineyard_meta_add_id(meta, "bytes", bytes));
  put.name = "thing";
  CHECK(vineyard_object_put(client, meta, &put, &id));
  vineyard_meta_release(meta);
  CHECK(vineyard_name_get(client, "thing", 0, &named, &revision));
  CHECK(vineyard_object_get(client, named, &object));
  CHECK(vineyard_object_field_int64(object, "answer", &number));
  CHECK(vineyard_object_member_blob(object, "bytes", &blob));
  if (named != id || number != 42 || vineyard_blob_stored_size(blob) != 28 ||
      memcmp(vineyard_blob_data(blob), "Hello, World!", 13) != 0) {
    fprintf(stderr, "what came back is not what was put\n");
    return 1;
  }
  vineyard_object_release(object);
  vineyard_blob_release(blob);
  replace.replace = 1;
  CHECK(vineyard_name_put(client, "thing", bytes, &replace, &revision));
  shallow.shallow = 1;
  CHECK(vineyard_object_delete(client, &id, 1, &shallow));
  CHECK(vineyard_client_get_statistics(client, &statistics));
  if (statistics.requests == 0 || statistics.copied_payload_bytes != 13) return 1;
  vineyard_client_release(client);
  return 0;
}

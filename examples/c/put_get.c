/* Puts bytes and an array, gets them back without a copy, and says what happened.
 *
 *   put_get [SOCKET]     without SOCKET: environment VINEYARD_IPC_SOCKET, else the default socket
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <vineyard/vineyard.h>

static int fail(const char* what, int32_t status) {
  fprintf(stderr, "%s: %s: %s\n", what, vineyard_status_name(status), vineyard_error_text());
  return 1;
}

/* A blob of its own: bytes, named so that another process finds it. */
static int32_t put_and_get_bytes(vineyard_client* client) {
  const char* greeting = "Hello, World!";
  vineyard_blob* blob = NULL;
  vineyard_id id;
  char text[VINEYARD_ID_TEXT_SIZE];
  uint64_t text_size = sizeof text;
  int32_t status = vineyard_blob_put(client, greeting, strlen(greeting), VINEYARD_BLOB_BYTES, &id);
  if (status == VINEYARD_OK) status = vineyard_id_print(id, text, &text_size);
  if (status == VINEYARD_OK) status = vineyard_blob_get(client, id, &blob);
  if (status != VINEYARD_OK) return status;
  printf("%s: \"%.*s\", %" PRIu64 " bytes stored\n", text, (int)vineyard_blob_length(blob),
         (const char*)vineyard_blob_data(blob), vineyard_blob_stored_size(blob));
  vineyard_blob_release(blob);
  return vineyard_object_delete(client, &id, 1, NULL);
}

/* An array: metadata and payload are stored by one message and read without any. */
static int32_t put_and_get_array(vineyard_client* client) {
  double numbers[1000];
  vineyard_value size[1] = {{VINEYARD_VALUE_INT64, 0, 0, {0}}};
  vineyard_value shape = {VINEYARD_VALUE_LIST, 0, 1, {0}};
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  vineyard_meta* meta = NULL;
  vineyard_object* object = NULL;
  vineyard_id id;
  int32_t status;
  int i;
  for (i = 0; i < 1000; ++i) numbers[i] = i / 2.0;
  size[0].as.int64 = 1000;
  shape.as.items = size;

  status = vineyard_meta_create("vineyard::Array", &meta);
  if (status == VINEYARD_OK) {
    status = vineyard_meta_set_string(meta, "value_type_", "float64", 7);
  }
  if (status == VINEYARD_OK) status = vineyard_meta_set_value(meta, "shape_", &shape);
  if (status == VINEYARD_OK) status = vineyard_meta_set_string(meta, "order_", "C", 1);
  if (status == VINEYARD_OK) {
    status =
        vineyard_meta_add_bytes(meta, "buffer_", numbers, sizeof numbers, VINEYARD_BLOB_BUFFER);
  }
  if (status == VINEYARD_OK) status = vineyard_object_put(client, meta, NULL, &id);
  vineyard_meta_release(meta);
  if (status == VINEYARD_OK) status = vineyard_object_get(client, id, &object);
  if (status == VINEYARD_OK) status = vineyard_object_tensor(object, &tensor);
  if (status == VINEYARD_OK) {
    printf("%s of %" PRId64 " %s: the last is %.1f, in shared memory: %s\n",
           vineyard_object_type_name(object), tensor.shape[0],
           vineyard_element_name(tensor.element), ((const double*)tensor.data)[999],
           vineyard_memory_is_shared(tensor.data, tensor.data_size) ? "yes" : "no");
  }
  vineyard_object_release(object);
  if (status == VINEYARD_OK) status = vineyard_object_delete(client, &id, 1, NULL);
  return status;
}

int main(int argc, char** argv) {
  vineyard_client* client = NULL;
  int32_t status = vineyard_client_connect(argc > 1 ? argv[1] : NULL, NULL, &client);
  if (status != VINEYARD_OK) return fail("connect", status);
  status = put_and_get_bytes(client);
  if (status == VINEYARD_OK) status = put_and_get_array(client);
  vineyard_client_release(client);
  return status == VINEYARD_OK ? 0 : fail("put and get", status);
}

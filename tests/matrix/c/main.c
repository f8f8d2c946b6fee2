/* The C program of the matrix: writes what C can express, prints what others wrote.
 *
 *   matrix_c write SOCKET            puts every case, named c/<case>
 *   matrix_c read SOCKET WRITER      prints every object that is named <WRITER>/<case>
 *   matrix_c refuse SOCKET WRITER    asks for what an object is not, prints the errors
 *   matrix_c write-large SOCKET BYTES, matrix_c large SOCKET WRITER: see large.py
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

void check(int32_t status, const char* what) {
  if (status == VINEYARD_OK) return;
  fflush(stdout);
  fprintf(stderr, "%s: %s: %s\n", what, vineyard_status_name(status), vineyard_error_text());
  exit(1);
}

uint64_t copied(const vineyard_client* client) {
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  check(vineyard_client_get_statistics(client, &statistics), "statistics");
  return statistics.copied_payload_bytes;
}

static void read_cases(vineyard_client* client, const char* writer) {
  char pattern[64];
  vineyard_name_list* names = NULL;
  const char* name = NULL;
  vineyard_id id;
  vineyard_object* object = NULL;
  uint64_t before;
  snprintf(pattern, sizeof pattern, "%s/*", writer);
  check(vineyard_name_list_open(client, pattern, &names), "names");
  for (;;) {
    check(vineyard_name_list_next(names, &name, &id, NULL), "names");
    if (name == NULL) break;
    before = copied(client);
    check(vineyard_object_get(client, id, &object), name);
    printf("object\n");
    print_object(object);
    printf("value\n");
    print_value(object, 0);
    vineyard_object_release(object);
    printf("copied %" PRIu64 "\nread %s\n", copied(client) - before, strchr(name, '/') + 1);
  }
  vineyard_name_list_release(names);
}

static void refused(const char* what, int32_t status) {
  if (status == VINEYARD_OK) {
    printf("accepted %s\n", what);
  } else {
    printf("refused %s: %d %s\n", what, status, vineyard_error_text());
  }
}

static vineyard_id id_of(vineyard_client* client, const char* writer, const char* name) {
  char full[128];
  vineyard_id id;
  snprintf(full, sizeof full, "%s/%s", writer, name);
  check(vineyard_name_get(client, full, 0, &id, NULL), full);
  return id;
}

static void refuse(vineyard_client* client, const char* writer) {
  vineyard_id id = id_of(client, writer, "str_ascii");
  vineyard_object *object = NULL, *member = NULL;
  vineyard_blob* blob = NULL;
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  vineyard_value size = int_value(1);
  vineyard_meta* meta = make("vineyard::Array");
  int64_t number;
  char name[128];
  check(vineyard_object_get(client, id, &object), "str_ascii");
  refused("array of a string", vineyard_object_tensor(object, &tensor));
  refused("blob of a string", vineyard_blob_get(client, id, &blob));
  refused("member of a string", vineyard_object_member(object, "buffer_", &member));
  refused("integer of a text", vineyard_object_field_int64(object, "value_", &number));
  vineyard_object_release(object);
  set(meta, "shape_", list_value(&size, 1));
  check(vineyard_object_put(client, meta, NULL, &id), "array without a buffer");
  vineyard_meta_release(meta);
  check(vineyard_object_get(client, id, &object), "array without a buffer");
  refused("array without a buffer", vineyard_object_tensor(object, &tensor));
  vineyard_object_release(object);
  snprintf(name, sizeof name, "%s/no such case", writer);
  refused("name of nothing", vineyard_name_get(client, name, 0, &id, NULL));
}

int main(int argc, char** argv) {
  vineyard_client* client = NULL;
  const char* command = argc > 2 ? argv[1] : "";
  vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
  options.timeout_ms = 600000; /* 5 GiB are prepared by a machine that may do much else */
  check(vineyard_client_connect(argc > 2 ? argv[2] : NULL, &options, &client), "connect");
  if (strcmp(command, "write") == 0) {
    write_leaves(client);
    write_containers(client);
    write_arrays(client);
    write_by_hand(client);
  } else if (strcmp(command, "read") == 0 && argc == 4) {
    read_cases(client, argv[3]);
  } else if (strcmp(command, "refuse") == 0 && argc == 4) {
    refuse(client, argv[3]);
  } else if (strcmp(command, "write-large") == 0 && argc == 4) {
    write_large(client, strtoull(argv[3], NULL, 10));
  } else if (strcmp(command, "large") == 0 && argc == 4) {
    read_large(client, argv[3]);
  } else {
    fprintf(stderr, "usage: matrix_c write | read | refuse | write-large | large, see main.c\n");
    return 2;
  }
  vineyard_client_release(client);
  return 0;
}

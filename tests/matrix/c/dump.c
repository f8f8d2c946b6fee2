/* This file is the only place that prints, in the C program, an object as it is stored: its fields, its members,
 * the bytes of a blob. It knows no type names. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/matrix/c/matrix.h"

/* Objects that were met; the number of each is its place. */
typedef struct met {
  vineyard_id* ids;
  uint64_t count;
} met;

static void print_blob(vineyard_object* object, int depth) {
  vineyard_blob* blob = NULL;
  check(vineyard_object_blob(object, &blob), "blob");
  print_indent(depth);
  printf("value at %u ", (unsigned)((uintptr_t)vineyard_blob_data(blob) % 64));
  print_data(vineyard_blob_data(blob), vineyard_blob_length(blob));
  putchar('\n');
  print_indent(depth);
  printf("stored ");
  print_data(vineyard_blob_stored_data(blob), vineyard_blob_stored_size(blob));
  putchar('\n');
  vineyard_blob_release(blob);
}

/* The rest of a line, then the parts. */
static void print_rest(vineyard_object* object, int depth, met* met) {
  vineyard_id id = vineyard_object_id(object);
  const char* type = vineyard_object_type_name(object);
  const char* name;
  const vineyard_value* value;
  vineyard_object* member = NULL;
  uint64_t i, size;
  for (i = 0; i < met->count; ++i) {
    if (met->ids[i] == id) {
      printf("#%" PRIu64 "\n", i);
      return;
    }
  }
  met->ids = realloc(met->ids, (met->count + 1) * sizeof *met->ids);
  if (met->ids == NULL) abort();
  met->ids[met->count] = id;
  printf("#%" PRIu64 " ", met->count++);
  print_quoted(type, strlen(type));
  printf(" nbytes %" PRIu64 "\n", vineyard_object_nbytes(object));
  for (i = 0; i < vineyard_object_field_count(object); ++i) {
    check(vineyard_object_field_at(object, i, &name, &size, &value), "field");
    print_indent(depth + 1);
    printf("field ");
    print_quoted(name, size);
    putchar(' ');
    print_field_value(value, depth + 2);
  }
  for (i = 0; i < vineyard_object_member_count(object); ++i) {
    check(vineyard_object_member_at(object, i, &name, &size, &id), "member");
    check(vineyard_object_member_by_index(object, i, &member), "member");
    print_indent(depth + 1);
    printf("member ");
    print_quoted(name, size);
    putchar(' ');
    print_rest(member, depth + 1, met);
    vineyard_object_release(member);
  }
  if (vineyard_id_is_blob(vineyard_object_id(object))) print_blob(object, depth + 1);
}

void print_object(vineyard_object* object) {
  met met = {NULL, 0};
  print_rest(object, 0, &met);
  free(met.ids);
}

/* What the files of the C program share. README.md describes what it prints. */
#ifndef TESTS_MATRIX_C_MATRIX_H_
#define TESTS_MATRIX_C_MATRIX_H_

#include <stdint.h>
#include <vineyard/vineyard.h>

/* Ends the program with the text of the error, unless `status` is VINEYARD_OK. */
void check(int32_t status, const char* what);

/* ---- text.c: pieces of text, on standard output ---- */

void print_indent(int depth);
/* "[3] 616263": a size and the bytes, or of many a hash. */
void print_data(const void* data, uint64_t size);
/* "text" in quotes, everything but ASCII as UTF-16 in \uXXXX. */
void print_quoted(const char* text, uint64_t size);
/* The rest of a line, then a line for each part of a list or map, at `depth`. */
void print_field_value(const vineyard_value* value, int depth);
/* str "text"; of long text a hash. Without the end of the line. */
void print_string(const char* text, uint64_t size);
void print_double(double value);

/* ---- dump.c, value.c ---- */

void print_object(vineyard_object* object);
void print_value(vineyard_object* object, int depth);

/* ---- write_*.c ---- */

void write_leaves(vineyard_client* client);
void write_containers(vineyard_client* client);
void write_arrays(vineyard_client* client);
void write_by_hand(vineyard_client* client);

/* ---- build.c ---- */

/* A builder of one type; what is set later may not fail. */
vineyard_meta* make(const char* type);
void set(vineyard_meta* meta, const char* name, vineyard_value value);
/* Puts it as c/<name> and says so; gives the builder back. */
void put(vineyard_client* client, const char* name, vineyard_meta* meta);

vineyard_value null_value(void);
vineyard_value bool_value(int value);
vineyard_value int_value(int64_t value);
vineyard_value uint_value(uint64_t value);
vineyard_value float_value(double value);
vineyard_value text_value(const char* text);
vineyard_value text_of(const char* text, uint64_t size);
vineyard_value bytes_value(const void* data, uint64_t size);
vineyard_value list_value(const vineyard_value* items, uint64_t count);
vineyard_value map_value(const vineyard_value* items, uint64_t pairs);

/* Bytes that differ where they stand: byte i is (7 i + i / 256) mod 256. Lives until the program ends. */
const char* pattern(uint64_t size);
double double_of(uint64_t bits);
/* The text so many times, to be given to free(). */
char* repeated(const char* text, int times);

/* A scalar as an element of a container: a map. */
void set_scalar(vineyard_meta* meta, const char* name, vineyard_value value, const char* type,
                const char* kind);
/* A builder of text, which has to live until the put. */
vineyard_meta* make_text(const char* text, uint64_t size);

/* ---- main.c, large.c ---- */

/* Payload bytes that this client copied so far. */
uint64_t copied(const vineyard_client* client);

void write_large(vineyard_client* client, uint64_t size);
void read_large(vineyard_client* client, const char* writer);

#endif /* TESTS_MATRIX_C_MATRIX_H_ */

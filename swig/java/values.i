// This file is the only place that turns typed values into bytes for Java and back: one call brings all of an
// object's metadata. Values.java has the other half. Little-endian:
//
//   value := tag:u8 and, by tag, NULL: nothing; BOOL: u8; INT64, UINT64, FLOAT64: 8 bytes; STRING, BYTES: size:u32
//            and so many bytes; LIST: count:u32 and so many values; MAP: count:u32 and so many pairs of values,
//            the first of each a STRING. Tags are VINEYARD_VALUE_*.
%{
// Grows; once memory has failed it stays as it is.
typedef struct vy_writer {
  char* data;
  size_t size, capacity;
  bool failed;
} vy_writer;

static void vy_put(vy_writer* out, const void* bytes, size_t size) {
  if (out->failed) return;
  if (size > out->capacity - out->size) {
    size_t capacity = 2 * out->capacity + size + 256;
    char* larger = (char*)realloc(out->data, capacity);
    if (larger == NULL) {
      out->failed = true;
      return;
    }
    out->data = larger;
    out->capacity = capacity;
  }
  if (size > 0) memcpy(out->data + out->size, bytes, size);
  out->size += size;
}

static void vy_put_tag(vy_writer* out, int32_t tag) {
  unsigned char byte = (unsigned char)tag;
  vy_put(out, &byte, 1);
}

static void vy_put_count(vy_writer* out, uint64_t count) {
  uint32_t small = (uint32_t)count;
  if (count > UINT32_MAX) out->failed = true;
  vy_put(out, &small, sizeof small);
}

static void vy_put_text(vy_writer* out, int32_t tag, const char* text, uint64_t size) {
  vy_put_tag(out, tag);
  vy_put_count(out, size);
  vy_put(out, text, size);
}

static void vy_put_string(vy_writer* out, const char* text) {
  vy_put_text(out, VINEYARD_VALUE_STRING, text, strlen(text));
}

static void vy_put_int64(vy_writer* out, int64_t number) {
  vy_put_tag(out, VINEYARD_VALUE_INT64);
  vy_put(out, &number, sizeof number);
}

static void vy_put_uint64(vy_writer* out, uint64_t number) {
  vy_put_tag(out, VINEYARD_VALUE_UINT64);
  vy_put(out, &number, sizeof number);
}

static void vy_put_list(vy_writer* out, uint64_t count) {
  vy_put_tag(out, VINEYARD_VALUE_LIST);
  vy_put_count(out, count);
}

static void vy_put_value(vy_writer* out, const vineyard_value* value) {
  uint64_t i, items = value->type == VINEYARD_VALUE_MAP ? 2 * value->size : value->size;
  unsigned char boolean = value->as.boolean != 0;
  switch (value->type) {
    case VINEYARD_VALUE_BOOL:
      vy_put_tag(out, value->type);
      vy_put(out, &boolean, 1);
      return;
    case VINEYARD_VALUE_INT64:
    case VINEYARD_VALUE_UINT64:
    case VINEYARD_VALUE_FLOAT64:
      vy_put_tag(out, value->type);
      vy_put(out, &value->as.uint64, 8);
      return;
    case VINEYARD_VALUE_STRING:
    case VINEYARD_VALUE_BYTES:
      vy_put_text(out, value->type, value->as.data, value->size);
      return;
    case VINEYARD_VALUE_LIST:
    case VINEYARD_VALUE_MAP:  // nested at most 64 deep: the library checks what it reads
      vy_put_tag(out, value->type);
      vy_put_count(out, value->size);
      for (i = 0; i < items; ++i) vy_put_value(out, &value->as.items[i]);
      return;
    default:
      vy_put_tag(out, VINEYARD_VALUE_NULL);
  }
}

// What was written, as Java's; frees it.
static jbyteArray vy_take(JNIEnv* env, vy_writer* out) {
  jbyteArray made = NULL;
  if (out->failed) vy_throw_text(env, VINEYARD_E_HOST_MEMORY, "an answer: no memory for it");
  else made = vy_bytes(env, out->data, out->size);
  free(out->data);
  return made;
}

typedef struct vy_reader {
  const char *at, *end;
  bool failed;
} vy_reader;

static void vy_get(vy_reader* in, void* to, size_t size) {
  if (in->failed || (size_t)(in->end - in->at) < size) {
    in->failed = true;
    memset(to, 0, size);
    return;
  }
  memcpy(to, in->at, size);
  in->at += size;
}

// Frees the items that vy_get_value() has made; text is borrowed from the bytes.
static void vy_free_value(vineyard_value* value) {
  uint64_t i, items = value->type == VINEYARD_VALUE_MAP ? 2 * value->size : value->size;
  if (value->type != VINEYARD_VALUE_LIST && value->type != VINEYARD_VALUE_MAP) return;
  for (i = 0; i < items; ++i) vy_free_value((vineyard_value*)&value->as.items[i]);
  free((void*)value->as.items);
}

// The bytes are Java's own (Values.java), which nests at most 60 deep; they are checked all the same.
static void vy_get_value(vy_reader* in, vineyard_value* value) {
  unsigned char tag = 0, boolean = 0;
  uint32_t count = 0;
  uint64_t i, items;
  vineyard_value* made;
  memset(value, 0, sizeof *value);
  vy_get(in, &tag, 1);
  if (tag == VINEYARD_VALUE_BOOL) {
    vy_get(in, &boolean, 1);
    value->as.boolean = boolean;
  } else if (tag == VINEYARD_VALUE_INT64 || tag == VINEYARD_VALUE_UINT64 || tag == VINEYARD_VALUE_FLOAT64) {
    vy_get(in, &value->as.uint64, 8);
  } else if (tag == VINEYARD_VALUE_STRING || tag == VINEYARD_VALUE_BYTES) {
    vy_get(in, &count, sizeof count);
    if ((size_t)(in->end - in->at) < count) in->failed = true;
    value->as.data = in->at;
    if (!in->failed) in->at += count;
  } else if (tag == VINEYARD_VALUE_LIST || tag == VINEYARD_VALUE_MAP) {
    vy_get(in, &count, sizeof count);
    items = tag == VINEYARD_VALUE_MAP ? 2 * (uint64_t)count : count;
    if ((uint64_t)(in->end - in->at) < items) in->failed = true;  // each takes a byte at least
    made = in->failed ? NULL : (vineyard_value*)calloc(items + 1, sizeof *made);
    if (made == NULL) {
      in->failed = true;
      return;
    }
    for (i = 0; i < items; ++i) vy_get_value(in, &made[i]);
    value->as.items = made;
  } else if (tag != VINEYARD_VALUE_NULL) {
    in->failed = true;
  }
  value->type = tag;
  value->size = count;
}
%}

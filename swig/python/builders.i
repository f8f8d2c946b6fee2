// This file is the only place that stores objects from Python: a Builder is one object being built, with
// all that must stay until it is put (borrowed buffers, members); put_blob() and put_array() store the
// common values in one call.
%{
typedef struct vy_builder {
  PyObject_HEAD
  vineyard_meta* meta;
  PyObject* keep;  // list: members' Builders and Writers, memoryviews of borrowed payloads
  char shares;     // it links to a blob that some view came from; that blob may be deleted by now
  char busy;
} vy_builder;

static PyTypeObject* vy_builder_type;

// Takes over `meta`, also when it fails.
static PyObject* vy_builder_new(vineyard_meta* meta) {
  vy_builder* builder = (vy_builder*)vy_builder_type->tp_alloc(vy_builder_type, 0);
  if (builder == NULL) {
    vineyard_meta_release(meta);
    return NULL;
  }
  builder->meta = meta;
  builder->keep = PyList_New(0);
  if (builder->keep == NULL) Py_CLEAR(builder);
  return (PyObject*)builder;
}

static void vy_builder_dealloc(PyObject* self) {
  vy_builder* builder = (vy_builder*)self;
  PyTypeObject* type = Py_TYPE(self);
  vineyard_meta_release(builder->meta);
  Py_XDECREF(builder->keep);
  type->tp_free(self);
  Py_DECREF(type);
}

// create(type name) -> Builder
static PyObject* vy_native_create(PyObject* module, PyObject* type_name) {
  vineyard_meta* meta = NULL;
  const char* text = vy_text(type_name, "a type name");
  int32_t status;
  if (text == NULL) return NULL;
  status = vineyard_meta_create(text, &meta);
  return status == VINEYARD_OK ? vy_builder_new(meta) : vy_raise(status);
}

static PyObject* vy_none_or_raise(int32_t status) {
  if (status != VINEYARD_OK) return vy_raise(status);
  Py_RETURN_NONE;
}

// ---- fields --------------------------------------------------------------------------------------------

static PyObject* vy_builder_set(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  vineyard_value value;
  vy_block* blocks = NULL;
  const char* name;
  int32_t status = VINEYARD_OK;
  bool ready;
  if (!vy_count("set", count, 2) || (name = vy_text(args[0], "a field's name")) == NULL) return NULL;
  ready = vy_value_of_python(args[1], &value, &blocks, 0);
  if (ready) status = vineyard_meta_set_value(((vy_builder*)self)->meta, name, &value);
  vy_free_blocks(blocks);
  return ready ? vy_none_or_raise(status) : NULL;
}

#define VY_LEAF_TEXT (16 * 1024)

// Sets `item` as a field if it is a small leaf: exactly None, bool, int of 64 bits, float, or short text.
// 1: done; 0: it is not; -1: an exception.
static int vy_set_leaf(vineyard_meta* meta, const char* name, PyObject* item) {
  vineyard_value value;
  Py_ssize_t size;
  int32_t status;
  memset(&value, 0, sizeof value);
  if (item == Py_None) {
    value.type = VINEYARD_VALUE_NULL;
  } else if (PyBool_Check(item)) {
    value.type = VINEYARD_VALUE_BOOL;
    value.as.boolean = item == Py_True;
  } else if (PyLong_CheckExact(item)) {
    if (!vy_set_int(item, &value)) {
      PyErr_Clear();
      return 0;
    }
  } else if (PyFloat_CheckExact(item)) {
    value.type = VINEYARD_VALUE_FLOAT64;
    value.as.float64 = PyFloat_AS_DOUBLE(item);
  } else if (PyUnicode_CheckExact(item) && PyUnicode_GET_LENGTH(item) <= VY_LEAF_TEXT) {
    value.type = VINEYARD_VALUE_STRING;
    value.as.data = PyUnicode_AsUTF8AndSize(item, &size);
    if (value.as.data == NULL) PyErr_Clear();
    if (value.as.data == NULL || size > VY_LEAF_TEXT) return 0;
    value.size = (uint64_t)size;
  } else {
    return 0;
  }
  status = vineyard_meta_set_value(meta, name, &value);
  if (status == VINEYARD_OK) return 1;
  vy_raise(status);
  return -1;
}

// leaves(prefix, sequence) -> [index, ...] of those that are no small leaves, still to be added
static PyObject* vy_builder_leaves(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  PyObject *items, *rest;
  const char* prefix;
  char name[64];
  Py_ssize_t i;
  int set = 1;
  if (!vy_count("leaves", count, 2) || (prefix = vy_text(args[0], "the prefix")) == NULL) return NULL;
  items = PySequence_Fast(args[1], "a sequence was expected");
  rest = items == NULL ? NULL : PyList_New(0);
  for (i = 0; rest != NULL && i < PySequence_Fast_GET_SIZE(items); ++i) {
    snprintf(name, sizeof name, "%.40s%zd", prefix, i);
    set = vy_set_leaf(((vy_builder*)self)->meta, name, PySequence_Fast_GET_ITEM(items, i));
    if (set < 0 || (set == 0 && !vy_note(rest, i))) Py_CLEAR(rest);
  }
  Py_XDECREF(items);
  return rest;
}

// ---- members -------------------------------------------------------------------------------------------

static PyObject* vy_builder_add_id(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  const char* name;
  vineyard_id id;
  if (!vy_count("add_id", count, 2) || (name = vy_text(args[0], "a member's name")) == NULL ||
      !vy_id(args[1], &id)) {
    return NULL;
  }
  return vy_none_or_raise(vineyard_meta_add_id(((vy_builder*)self)->meta, name, id));
}

// add(name, Builder or Writer): stored (sealed) by the same put
static PyObject* vy_builder_add(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  vy_builder* builder = (vy_builder*)self;
  const char* name;
  int32_t status;
  if (!vy_count("add", count, 2) || (name = vy_text(args[0], "a member's name")) == NULL) return NULL;
  if (Py_IS_TYPE(args[1], vy_builder_type)) {
    status = vineyard_meta_add_meta(builder->meta, name, ((vy_builder*)args[1])->meta);
    if (((vy_builder*)args[1])->shares) builder->shares = 1;
  } else if (Py_IS_TYPE(args[1], vy_writer_type)) {
    status = vineyard_meta_add_writer(builder->meta, name, ((vy_writer*)args[1])->writer);
  } else {
    return vy_raise_type("a Builder or Writer was expected, not %.200s", args[1]);
  }
  if (status != VINEYARD_OK) return vy_raise(status);
  if (PyList_Append(builder->keep, args[1]) != 0) return NULL;
  Py_RETURN_NONE;
}

// A memoryview of contiguous bytes; new reference.
static Py_buffer* vy_borrow(PyObject* from, PyObject** holder) {
  *holder = PyMemoryView_FromObject(from);
  if (*holder == NULL) return NULL;
  if (PyBuffer_IsContiguous(PyMemoryView_GET_BUFFER(*holder), 'A')) return PyMemoryView_GET_BUFFER(*holder);
  Py_CLEAR(*holder);
  PyErr_SetString(PyExc_BufferError, "the bytes of a blob must be contiguous: copy them first");
  return NULL;
}

// blob(buffer, kind) -> Builder of a blob; the buffer is held until the Builder goes
static PyObject* vy_native_blob(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_meta* meta = NULL;
  PyObject *holder, *made;
  Py_buffer* buffer;
  int32_t status, kind;
  if (!vy_count("blob", count, 2)) return NULL;
  kind = (int32_t)PyLong_AsLong(args[1]);
  if ((kind == -1 && PyErr_Occurred()) || (buffer = vy_borrow(args[0], &holder)) == NULL) return NULL;
  status = vineyard_meta_create_blob(buffer->buf, (uint64_t)buffer->len, kind, &meta);
  made = status == VINEYARD_OK ? vy_builder_new(meta) : vy_raise(status);
  if (made != NULL && PyList_Append(((vy_builder*)made)->keep, holder) != 0) Py_CLEAR(made);
  Py_DECREF(holder);
  return made;
}

// ---- arrays --------------------------------------------------------------------------------------------

// Links to the blob that `data` lies in instead of copying it. False: there is none, or no longer.
static bool vy_share(PyObject* handle, vineyard_meta* meta, const Py_buffer* array,
                     int32_t* status) {
  uint64_t length = (uint64_t)array->len;
  vy_view* view = length == 0 ? NULL : vy_find_view(array->buf, length);
  int64_t offset;
  bool shared = view != NULL && vy_is_of(view, handle);  // may run other threads meanwhile
  if (shared) {
    offset = (const char*)array->buf - (const char*)vineyard_blob_data(view->blob);
    *status = vineyard_meta_add_id(meta, "buffer_", vineyard_blob_id(view->blob));
    if (*status == VINEYARD_OK && (offset != 0 || length != vineyard_blob_length(view->blob))) {
      *status = vineyard_meta_set_int64(meta, "offset_", offset);
    }
  }
  Py_XDECREF(view);
  return shared;
}

// Builder of an array, `array` borrowed by it; None: it is not contiguous. `shape` and `order`, when not
// NULL, say what `array` does not: it is the bytes of an array whose elements no buffer can describe.
static PyObject* vy_build_array(PyObject* handle, PyObject* array, const char* element, PyObject* descriptor,
                                bool share, PyObject* shape_object, const char* order) {
  vineyard_client* client = vy_client(handle);
  vineyard_value shape, descriptor_value, none, items[64];
  vy_block* blocks = NULL;
  PyObject *holder = NULL, *made = NULL;
  vineyard_meta* meta = NULL;
  Py_buffer* buffer;
  int32_t status;
  int i;
  if (client == NULL || (holder = PyMemoryView_FromObject(array)) == NULL) return NULL;
  buffer = PyMemoryView_GET_BUFFER(holder);
  if (order == NULL && PyBuffer_IsContiguous(buffer, 'C')) order = "C";
  if (order == NULL && PyBuffer_IsContiguous(buffer, 'F')) order = "F";
  if (order == NULL) {
    Py_DECREF(holder);
    Py_RETURN_NONE;
  }
  memset(&shape, 0, sizeof shape);
  memset(items, 0, sizeof items);
  shape.type = VINEYARD_VALUE_LIST;
  shape.as.items = items;
  shape.size = (uint64_t)buffer->ndim;
  for (i = 0; i < buffer->ndim; ++i) {
    items[i].type = VINEYARD_VALUE_INT64;
    items[i].as.int64 = buffer->shape[i];
  }
  memset(&none, 0, sizeof none);
  none.type = VINEYARD_VALUE_LIST;
  if (shape_object != NULL && !vy_value_of_python(shape_object, &shape, &blocks, 0)) goto done;
  if (!vy_value_of_python(descriptor, &descriptor_value, &blocks, 0)) goto done;
  status = vineyard_meta_create(shape.size == 1 ? "vineyard::Array" : "vineyard::Tensor", &meta);
  if (status == VINEYARD_OK) status = vineyard_meta_set_string(meta, "value_type_", element, strlen(element));
  if (status == VINEYARD_OK) status = vineyard_meta_set_value(meta, "shape_", &shape);
  if (status == VINEYARD_OK) status = vineyard_meta_set_string(meta, "order_", order, 1);
  if (status == VINEYARD_OK) status = vineyard_meta_set_value(meta, "value_type_meta_", &descriptor_value);
  if (status == VINEYARD_OK) status = vineyard_meta_set_value(meta, "partition_index_", &none);
  if (status == VINEYARD_OK && !(share = share && vy_share(handle, meta, buffer, &status))) {
    status = vineyard_meta_add_bytes(meta, "buffer_", buffer->buf, (uint64_t)buffer->len, VINEYARD_BLOB_BUFFER);
  }
  if (status != VINEYARD_OK) {
    vy_raise(status);
    vineyard_meta_release(meta);
  } else if ((made = vy_builder_new(meta)) != NULL) {
    ((vy_builder*)made)->shares = (char)share;
    if (PyList_Append(((vy_builder*)made)->keep, holder) != 0) Py_CLEAR(made);
  }
done:
  vy_free_blocks(blocks);
  Py_DECREF(holder);
  return made;
}

// array(handle, array, element name, descriptor, share[, shape, order]) -> Builder, or None when it is
// not contiguous
static PyObject* vy_native_array(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  const char *element, *order = NULL;
  int share;
  if ((count != 7 && !vy_count("array", count, 5)) ||
      (element = vy_text(args[2], "the element type")) == NULL ||
      (count == 7 && (order = vy_text(args[6], "the order")) == NULL)) {
    return NULL;
  }
  share = PyObject_IsTrue(args[4]);
  if (share < 0) return NULL;
  return vy_build_array(args[0], args[1], element, args[3], share != 0, count == 7 ? args[5] : NULL, order);
}

// ---- put -----------------------------------------------------------------------------------------------

static PyObject* vy_put(vy_builder* builder, vineyard_client* client, vineyard_put_options options) {
  vineyard_id id = VINEYARD_ID_INVALID;
  int32_t status;
  if (builder->busy) return vy_raise_text(VINEYARD_E_INVALID, "builder: another thread is putting it");
  builder->busy = 1;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_object_put(client, builder->meta, &options, &id);
  Py_END_ALLOW_THREADS
  builder->busy = 0;
  return status == VINEYARD_OK ? PyLong_FromUnsignedLongLong(id) : vy_raise(status);
}

// put(handle, name or None, replace, persist, share, gid) -> id
static PyObject* vy_builder_put(PyObject* self, PyObject* args) {
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  PyObject *handle, *name;
  vineyard_client* client;
  if (!PyArg_ParseTuple(args, "OOppiI", &handle, &name, &options.replace, &options.persist,
                        &options.share, &options.gid)) {
    return NULL;
  }
  options.name = name == Py_None ? NULL : vy_text(name, "a name");
  if ((options.name == NULL && name != Py_None) || (client = vy_client(handle)) == NULL) return NULL;
  return vy_put((vy_builder*)self, client, options);
}

// put_array(the same) -> id, or None when it is not contiguous
static PyObject* vy_native_put_array(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  PyObject *made, *builder = vy_native_array(module, args, count);
  if (builder == NULL || builder == Py_None) return builder;
  made = vy_put((vy_builder*)builder, vy_client(args[0]), options);
  Py_DECREF(builder);
  return made;
}

// put_blob(handle, buffer, kind) -> id
static PyObject* vy_native_put_blob(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_id id = VINEYARD_ID_INVALID;
  Py_buffer buffer;
  int32_t status, kind;
  if (!vy_count("put_blob", count, 3) || (client = vy_client(args[0])) == NULL) return NULL;
  kind = (int32_t)PyLong_AsLong(args[2]);
  if (kind == -1 && PyErr_Occurred()) return NULL;
  // Held across the call: nobody resizes a bytearray meanwhile.
  if (PyObject_GetBuffer(args[1], &buffer, PyBUF_SIMPLE) != 0) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_blob_put(client, buffer.buf, (uint64_t)buffer.len, kind, &id);
  Py_END_ALLOW_THREADS
  PyBuffer_Release(&buffer);
  return status == VINEYARD_OK ? PyLong_FromUnsignedLongLong(id) : vy_raise(status);
}
%}

// This file is the only place that lets Python write payload: blobs that are not sealed yet.
//
// A Python buffer can not be taken back, so memory that was ever exported for writing is not given
// back to the store while its exporter lives: an abort waits for that, and a sealed blob stays pinned.
%{
typedef struct vy_writer {
  PyObject_HEAD
  vineyard_blob_writer* writer;
  vineyard_blob* sealed;  // pinned when there may be late writers
  PyObject* handle;
  PyObject* weakrefs;
  Py_ssize_t exports;  // buffers that are not released
  char exported, aborted, busy;
} vy_writer;

static PyTypeObject* vy_writer_type;

// create_writer(handle, size, kind, share, gid) -> Writer
static PyObject* vy_native_create_writer(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_blob_writer* made = NULL;
  vy_writer* writer;
  vineyard_blob_options options = VINEYARD_BLOB_OPTIONS_INIT;
  unsigned long long size;
  int32_t kind, status;
  if (!vy_count("create_writer", count, 5)) return NULL;
  client = vy_client(args[0]);
  if (client == NULL) return NULL;
  size = PyLong_AsUnsignedLongLong(args[1]);
  kind = (int32_t)PyLong_AsLong(args[2]);
  options.share = (int32_t)PyLong_AsLong(args[3]);
  options.gid = (uint32_t)PyLong_AsUnsignedLong(args[4]);
  if (PyErr_Occurred()) return NULL;
  VY_CALL(status, vineyard_blob_writer_create_with(client, size, kind, &options, &made));
  if (status != VINEYARD_OK) return vy_raise(status);
  writer = (vy_writer*)vy_writer_type->tp_alloc(vy_writer_type, 0);
  if (writer == NULL) {
    vineyard_blob_writer_release(made);
    return NULL;
  }
  writer->writer = made;
  writer->handle = Py_NewRef(args[0]);
  return (PyObject*)writer;
}

static void vy_writer_dealloc(PyObject* self) {
  vy_writer* writer = (vy_writer*)self;
  PyTypeObject* type = Py_TYPE(self);
  if (writer->weakrefs != NULL) PyObject_ClearWeakRefs(self);
  VY_RELEASE(vineyard_blob_writer_release(writer->writer));
  vineyard_blob_release(writer->sealed);
  Py_XDECREF(writer->handle);
  type->tp_free(self);
  Py_DECREF(type);
}

// Where to write; NULL with an exception when that is over.
static void* vy_writer_data(vy_writer* writer) {
  static char nothing;
  uint64_t size = vineyard_blob_writer_size(writer->writer);
  void* data = writer->aborted ? NULL : vineyard_blob_writer_data(writer->writer);
  int32_t status;
  if (data != NULL) return data;
  if (writer->aborted) return vy_raise_text(VINEYARD_E_INVALID, "blob builder: it was aborted, create another");
  if (size == 0) return &nothing;
  status = vineyard_blob_writer_shrink(writer->writer, size);  // changes nothing, and says what is wrong
  return vy_raise(status);
}

static int vy_writer_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
  vy_writer* writer = (vy_writer*)self;
  void* data = vy_writer_data(writer);
  if (data == NULL) return -1;
  if (PyBuffer_FillInfo(buffer, self, data, (Py_ssize_t)vineyard_blob_writer_size(writer->writer), 0, flags) != 0) {
    return -1;
  }
  writer->exported = 1;
  ++writer->exports;
  return 0;
}

static void vy_writer_releasebuffer(PyObject* self, Py_buffer* buffer) { --((vy_writer*)self)->exports; }

static bool vy_writer_enter(vy_writer* writer) {
  if (writer->busy) {
    vy_raise_text(VINEYARD_E_INVALID, "blob builder: another thread is using it");
    return false;
  }
  writer->busy = 1;
  return true;
}

static PyObject* vy_writer_seal(PyObject* self, PyObject* unused) {
  vy_writer* writer = (vy_writer*)self;
  vineyard_client* client = vy_client(writer->handle);
  vineyard_id id = vineyard_blob_writer_id(writer->writer);
  int32_t status;
  if (client == NULL) return NULL;
  if (writer->aborted) return vy_raise_text(VINEYARD_E_INVALID, "blob builder: it was aborted, create another");
  if (!vy_writer_enter(writer)) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_blob_writer_seal(writer->writer);
  if (status == VINEYARD_OK && writer->exported) (void)vineyard_blob_get(client, id, &writer->sealed);
  Py_END_ALLOW_THREADS
  writer->busy = 0;
  if (status != VINEYARD_OK) return vy_raise(status);
  Py_RETURN_NONE;
}

static PyObject* vy_writer_abort(PyObject* self, PyObject* unused) {
  vy_writer* writer = (vy_writer*)self;
  int32_t status = VINEYARD_OK;
  if (writer->aborted) Py_RETURN_NONE;
  if (!vy_writer_enter(writer)) return NULL;
  if (!writer->exported) {
    Py_BEGIN_ALLOW_THREADS
    status = vineyard_blob_writer_abort(writer->writer);
    Py_END_ALLOW_THREADS
  } else if (vineyard_blob_writer_size(writer->writer) != 0 &&
             vineyard_blob_writer_data(writer->writer) == NULL) {
    status = vineyard_blob_writer_abort(writer->writer);  // sealed: says so
  }
  writer->busy = 0;
  if (status != VINEYARD_OK) return vy_raise(status);
  writer->aborted = 1;
  Py_RETURN_NONE;
}

static PyObject* vy_writer_shrink(PyObject* self, PyObject* size_object) {
  vy_writer* writer = (vy_writer*)self;
  int32_t status;
  unsigned long long size = PyLong_AsUnsignedLongLong(size_object);
  if (size == (unsigned long long)-1 && PyErr_Occurred()) return NULL;
  if (vy_writer_data(writer) == NULL) return NULL;
  // As a bytearray: what is cut off will be somebody else's.
  if (writer->exports > 0 && size < vineyard_blob_writer_size(writer->writer)) {
    return vy_raise_text(VINEYARD_E_IN_USE,
                         "blob builder: it can not shrink while views of it exist, release them first");
  }
  if (!vy_writer_enter(writer)) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_blob_writer_shrink(writer->writer, size);
  Py_END_ALLOW_THREADS
  writer->busy = 0;
  if (status != VINEYARD_OK) return vy_raise(status);
  Py_RETURN_NONE;
}

// copy(offset, buffer): the caller has checked the range.
static PyObject* vy_writer_copy(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  vy_writer* writer = (vy_writer*)self;
  Py_buffer from;
  char* data;
  unsigned long long offset;
  if (!vy_count("copy", count, 2)) return NULL;
  offset = PyLong_AsUnsignedLongLong(args[0]);
  if (offset == (unsigned long long)-1 && PyErr_Occurred()) return NULL;
  data = (char*)vy_writer_data(writer);
  if (data == NULL || PyObject_GetBuffer(args[1], &from, PyBUF_SIMPLE) != 0) return NULL;
  if (offset > vineyard_blob_writer_size(writer->writer) ||
      (uint64_t)from.len > vineyard_blob_writer_size(writer->writer) - offset) {
    PyBuffer_Release(&from);
    return vy_raise_text(VINEYARD_E_INVALID, "blob builder: the bytes would reach beyond its end");
  }
  if (vy_writer_enter(writer)) {
    Py_BEGIN_ALLOW_THREADS
    vineyard_memory_copy(data + offset, from.buf, (uint64_t)from.len);
    Py_END_ALLOW_THREADS
    vineyard_client_add_copied(vy_client(writer->handle), (uint64_t)from.len);
    writer->busy = 0;
  }
  PyBuffer_Release(&from);
  if (PyErr_Occurred()) return NULL;
  Py_RETURN_NONE;
}

static PyObject* vy_writer_id(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_blob_writer_id(((vy_writer*)self)->writer));
}

static PyObject* vy_writer_size(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_blob_writer_size(((vy_writer*)self)->writer));
}

static PyMethodDef vy_writer_methods[] = {
    {"seal", vy_writer_seal, METH_NOARGS, "Makes it immutable and visible."},
    {"abort", vy_writer_abort, METH_NOARGS, "Gives the memory back once nothing can write there."},
    {"shrink", vy_writer_shrink, METH_O, "Keeps the first bytes."},
    {"copy", (PyCFunction)(void (*)(void))vy_writer_copy, METH_FASTCALL, "copy(offset, buffer)"},
    {NULL}};
static PyGetSetDef vy_writer_members[] = {{"id", vy_writer_id, NULL, "The id it will have.", NULL},
                                          {"size", vy_writer_size, NULL, "Bytes of value.", NULL},
                                          {NULL}};
static PyMemberDef vy_writer_offsets[] = {
    {"aborted", T_BOOL, offsetof(vy_writer, aborted), READONLY},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(vy_writer, weakrefs), READONLY},
    {NULL}};
static PyType_Slot vy_writer_slots[] = {{Py_tp_dealloc, vy_writer_dealloc},
                                        {Py_bf_getbuffer, vy_writer_getbuffer},
                                        {Py_bf_releasebuffer, vy_writer_releasebuffer},
                                        {Py_tp_methods, vy_writer_methods},
                                        {Py_tp_getset, vy_writer_members},
                                        {Py_tp_members, vy_writer_offsets},
                                        {Py_tp_doc, "A blob being written; a writable buffer."},
                                        {0, NULL}};
static PyType_Spec vy_writer_spec = {"vineyard._native.Writer", sizeof(vy_writer), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     vy_writer_slots};

static PyMethodDef vy_writer_functions[] = {
    {"create_writer", (PyCFunction)(void (*)(void))vy_native_create_writer, METH_FASTCALL,
     "create_writer(handle, size, kind) -> Writer"},
    {NULL}};
%}

%init %{
  vy_writer_type = vy_add_type(m, &vy_writer_spec);
  if (vy_writer_type == NULL || PyModule_AddFunctions(m, vy_writer_functions) != 0) return NULL;
%}

// This file is the only place that exports payloads as Python buffers.
//
//   View    holds the pin of a sealed blob and exports its value, read-only. It is never taken back:
//           whoever has a view, or anything made of one, may read. numpy keeps the exporter and not its
//           Py_buffer, hence the pin goes with the View object and not with a count of exports.
//   Buffer  base of the public classes (Blob, BlobBuilder): forwards to the exporter in `_exporter`, so
//           that the class can let go of it in close() while views of it live on.
%{
typedef struct vy_view {
  PyObject_HEAD
  vineyard_blob* blob;
  PyObject* handle;  // the client's capsule: says which store the blob is in
  PyObject* weakrefs;
  const char* begin;  // of the value, and its length: a child may not ask the blob
  uint64_t length;
  bool listed;
} vy_view;

static PyTypeObject* vy_view_type;
static void* vy_views;  // all views of this process by address, under the GIL (tsearch)

static int vy_compare_views(const void* left, const void* right) {
  const char *a = ((const vy_view*)left)->begin, *b = ((const vy_view*)right)->begin;
  if (a != b) return a < b ? -1 : 1;
  return left == right ? 0 : left < right ? -1 : 1;
}

// Takes over `blob`, also when it fails.
static PyObject* vy_view_new(PyObject* handle, vineyard_blob* blob) {
  vy_view* view = (vy_view*)vy_view_type->tp_alloc(vy_view_type, 0);
  if (view == NULL) {
    vineyard_blob_release(blob);
    return NULL;
  }
  view->blob = blob;
  view->handle = Py_NewRef(handle);
  view->begin = (const char*)vineyard_blob_data(blob);
  view->length = vineyard_blob_length(blob);
  if (tsearch(view, &vy_views, vy_compare_views) == NULL) {
    Py_DECREF(view);
    return PyErr_NoMemory();
  }
  view->listed = true;
  return (PyObject*)view;
}

static void vy_view_dealloc(PyObject* self) {
  vy_view* view = (vy_view*)self;
  PyTypeObject* type = Py_TYPE(self);
  if (view->weakrefs != NULL) PyObject_ClearWeakRefs(self);
  if (view->listed) tdelete(view, &vy_views, vy_compare_views);
  vineyard_blob_release(view->blob);
  Py_XDECREF(view->handle);
  type->tp_free(self);
  Py_DECREF(type);
}

static int vy_view_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
  static char nothing;
  vineyard_blob* blob = ((vy_view*)self)->blob;
  void* data = (void*)vineyard_blob_data(blob);
  return PyBuffer_FillInfo(buffer, self, data == NULL ? &nothing : data,
                           (Py_ssize_t)vineyard_blob_length(blob), 1, flags);
}

static Py_ssize_t vy_view_length(PyObject* self) {
  return (Py_ssize_t)vineyard_blob_length(((vy_view*)self)->blob);
}

static PyObject* vy_view_id(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_blob_id(((vy_view*)self)->blob));
}

static PyObject* vy_view_kind(PyObject* self, void* unused) {
  return PyLong_FromLong(vineyard_blob_kind(((vy_view*)self)->blob));
}

static PyObject* vy_view_stored_size(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_blob_stored_size(((vy_view*)self)->blob));
}

static PyObject* vy_view_address(PyObject* self, void* unused) {
  return PyLong_FromVoidPtr((void*)vineyard_blob_data(((vy_view*)self)->blob));
}

static PyObject* vy_view_is_of(PyObject* self, PyObject* handle);
static PyMethodDef vy_view_methods[] = {
    {"is_of", vy_view_is_of, METH_O, "is_of(handle): whether the blob can be linked to there"}, {NULL}};
static PyGetSetDef vy_view_members[] = {
    {"id", vy_view_id, NULL, "Id of the blob, an int.", NULL},
    {"kind", vy_view_kind, NULL, "One of VINEYARD_BLOB_*.", NULL},
    {"stored_size", vy_view_stored_size, NULL, "Bytes of the stored form.", NULL},
    {"address", vy_view_address, NULL, "Where the value begins in this process.", NULL},
    {NULL}};
static PyMemberDef vy_view_offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(vy_view, weakrefs), READONLY}, {NULL}};
static PyType_Slot vy_view_slots[] = {{Py_tp_dealloc, vy_view_dealloc},
                                      {Py_bf_getbuffer, vy_view_getbuffer},
                                      {Py_sq_length, vy_view_length},
                                      {Py_tp_getset, vy_view_members},
                                      {Py_tp_methods, vy_view_methods},
                                      {Py_tp_members, vy_view_offsets},
                                      {Py_tp_doc, "A sealed blob's value, pinned; a read-only buffer."},
                                      {0, NULL}};
static PyType_Spec vy_view_spec = {"vineyard._native.View", sizeof(vy_view), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   vy_view_slots};

// Two handles reach the same store: one connection, or one socket. (An id carries its instance, so
// that a later daemon at the same socket is told apart by vy_same_instance.)
static bool vy_same_store(PyObject* left, PyObject* right) {
  return left == right ||
         strcmp(vineyard_client_socket(vy_client(left)), vineyard_client_socket(vy_client(right))) == 0;
}

// The blob of a view can be linked to from there: same store, same life of the daemon.
static bool vy_is_of(vy_view* view, PyObject* handle) {
  vineyard_client* client = vy_client(handle);
  uint64_t instance;
  int32_t status;
  if (client == NULL) {
    PyErr_Clear();
    return false;
  }
  if (!vy_same_store(view->handle, handle)) return false;
  VY_CALL(status, vineyard_client_instance(client, &instance));
  return status == VINEYARD_OK && ((vineyard_blob_id(view->blob) >> 40) & 0x7fffff) == (instance & 0x7fffff);
}

static PyObject* vy_view_is_of(PyObject* self, PyObject* handle) {
  return PyBool_FromLong(vy_is_of((vy_view*)self, handle));
}

typedef struct vy_range {
  const char* data;
  uint64_t size;
} vy_range;

// Views are of whole blobs, which do not overlap: one that the range begins in is found, whichever of
// those with the same blob.
static int vy_compare_range(const void* range, const void* other) {
  const vy_view* view = (const vy_view*)other;
  const char* data = ((const vy_range*)range)->data;
  if (data < view->begin) return -1;
  return (uint64_t)(data - view->begin) < view->length ? 0 : 1;
}

// The view (a new reference) that holds the whole range, if `data` points into one that this process
// reads. NULL without an exception: there is none.
static vy_view* vy_find_view(const void* data, uint64_t size) {
  vy_range range = {(const char*)data, size};
  vy_view* view;
  void* found;
  if (!vineyard_memory_is_shared(data, size)) return NULL;
  found = tfind(&range, &vy_views, vy_compare_range);
  if (found == NULL) return NULL;
  view = *(vy_view**)found;
  if (size > view->length - (uint64_t)(range.data - view->begin)) return NULL;
  Py_INCREF(view);
  return view;
}

// find_view(address, size) -> View or None
static PyObject* vy_native_find_view(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  void* data;
  unsigned long long size;
  vy_view* view;
  if (!vy_count("find_view", count, 2)) return NULL;
  data = PyLong_AsVoidPtr(args[0]);
  if (data == NULL && PyErr_Occurred()) return NULL;
  size = PyLong_AsUnsignedLongLong(args[1]);
  if (size == (unsigned long long)-1 && PyErr_Occurred()) return NULL;
  view = vy_find_view(data, size);
  if (view == NULL) Py_RETURN_NONE;
  return (PyObject*)view;
}

// address(memoryview) -> int
static PyObject* vy_native_address(PyObject* module, PyObject* view) {
  if (!PyMemoryView_Check(view)) return vy_raise_type("a memoryview was expected, not %.200s", view);
  return PyLong_FromVoidPtr(PyMemoryView_GET_BUFFER(view)->buf);
}

// copy(destination, offset, source): into a writable buffer, without the GIL
static PyObject* vy_native_copy(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  Py_buffer to, from;
  Py_ssize_t offset;
  bool fits;
  if (!vy_count("copy", count, 3)) return NULL;
  offset = PyLong_AsSsize_t(args[1]);
  if ((offset == -1 && PyErr_Occurred()) || PyObject_GetBuffer(args[0], &to, PyBUF_WRITABLE) != 0) return NULL;
  if (PyObject_GetBuffer(args[2], &from, PyBUF_SIMPLE) != 0) {
    PyBuffer_Release(&to);
    return NULL;
  }
  fits = offset >= 0 && offset <= to.len && from.len <= to.len - offset;
  if (fits) {
    Py_BEGIN_ALLOW_THREADS
    vineyard_memory_copy((char*)to.buf + offset, from.buf, (uint64_t)from.len);
    Py_END_ALLOW_THREADS
  } else {
    vy_raise_text(VINEYARD_E_INVALID, "memory copy: the bytes would reach beyond the destination");
  }
  PyBuffer_Release(&to);
  PyBuffer_Release(&from);
  if (!fits) return NULL;
  Py_RETURN_NONE;
}

// ---- Buffer ----------------------------------------------------------------------------------------

typedef struct vy_buffer {
  PyObject_HEAD
  PyObject* exporter;
  char exported;
} vy_buffer;

static int vy_buffer_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
  vy_buffer* forward = (vy_buffer*)self;
  if (forward->exporter == NULL) {
    PyErr_Format(PyExc_BufferError, "%.200s: it is closed, its bytes can not be read any more",
                 Py_TYPE(self)->tp_name);
    return -1;
  }
  if (PyObject_GetBuffer(forward->exporter, buffer, flags) != 0) return -1;
  forward->exported = 1;
  return 0;
}

// Lets go of the bytes, unless a view may rely on this object alone (numpy's does): then they stay as
// long as it does.
static PyObject* vy_buffer_unbind(PyObject* self, PyObject* unused) {
  vy_buffer* forward = (vy_buffer*)self;
  if (!forward->exported) Py_CLEAR(forward->exporter);
  Py_RETURN_NONE;
}

static void vy_buffer_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(((vy_buffer*)self)->exporter);
  type->tp_free(self);
  Py_DECREF(type);
}

static PyMemberDef vy_buffer_members[] = {
    {"_exporter", T_OBJECT, offsetof(vy_buffer, exporter), 0, "Where the bytes come from, or None."},
    {NULL}};
static PyMethodDef vy_buffer_methods[] = {
    {"_unbind", vy_buffer_unbind, METH_NOARGS, "Lets go of the exporter, if no view relies on it."},
    {NULL}};
static PyType_Slot vy_buffer_slots[] = {{Py_tp_dealloc, vy_buffer_dealloc},
                                        {Py_bf_getbuffer, vy_buffer_getbuffer},
                                        {Py_tp_members, vy_buffer_members},
                                        {Py_tp_methods, vy_buffer_methods},
                                        {Py_tp_doc, "Forwards the buffer protocol to `_exporter`."},
                                        {0, NULL}};
static PyType_Spec vy_buffer_spec = {"vineyard._native.Buffer", sizeof(vy_buffer), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, vy_buffer_slots};

static PyMethodDef vy_view_functions[] = {
    {"find_view", (PyCFunction)(void (*)(void))vy_native_find_view, METH_FASTCALL,
     "The View that holds an address range, or None."},
    {"address", vy_native_address, METH_O, "address(memoryview) -> int"},
    {"copy", (PyCFunction)(void (*)(void))vy_native_copy, METH_FASTCALL, "copy(destination, offset, source)"},
    {NULL}};

// Adds a heap type to the module; answers it, borrowed from the module.
static PyTypeObject* vy_add_type(PyObject* module, PyType_Spec* spec) {
  PyObject* type = PyType_FromSpec(spec);
  if (type == NULL || PyModule_AddType(module, (PyTypeObject*)type) != 0) return NULL;
  return (PyTypeObject*)type;  // the reference stays: these types live as long as the process
}
%}

%init %{
  vy_view_type = vy_add_type(m, &vy_view_spec);
  if (vy_view_type == NULL || vy_add_type(m, &vy_buffer_spec) == NULL ||
      PyModule_AddFunctions(m, vy_view_functions) != 0) {
    return NULL;
  }
%}

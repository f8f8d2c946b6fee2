// Copies that a get makes where it was asked for them, or resolves piece by piece: without the GIL, and
// counted like all others.
%{
// copy_out(view, kind) -> bytes for VINEYARD_BLOB_BYTES, else bytearray
static PyObject* vy_native_copy_out(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vy_view* view;
  vineyard_client* client;
  PyObject* made;
  void* to;
  uint64_t size;
  long kind;
  if (!vy_count("copy_out", count, 2)) return NULL;
  if (Py_TYPE(args[0]) != vy_view_type) return vy_raise_type("a View was expected, not %.200s", args[0]);
  view = (vy_view*)args[0];
  kind = PyLong_AsLong(args[1]);
  if (kind == -1 && PyErr_Occurred()) return NULL;
  client = (vineyard_client*)PyCapsule_GetPointer(view->handle, "vineyard_client");
  if (client == NULL) return NULL;
  size = vineyard_blob_length(view->blob);
  made = kind == VINEYARD_BLOB_BYTES ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size)
                                     : PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (made == NULL || size == 0) return made;
  to = kind == VINEYARD_BLOB_BYTES ? PyBytes_AS_STRING(made) : PyByteArray_AS_STRING(made);
  // The caller's reference keeps the view, and nobody else knows `made`.
  Py_BEGIN_ALLOW_THREADS
  vineyard_memory_copy(to, vineyard_blob_data(view->blob), size);
  Py_END_ALLOW_THREADS
  vineyard_client_add_copied(client, size);
  return made;
}

static PyMethodDef vy_copy_functions[] = {
    {"copy_out", (PyCFunction)(void (*)(void))vy_native_copy_out, METH_FASTCALL,
     "copy_out(view, kind) -> bytes or bytearray"},
    {NULL}};
%}

%init %{
  if (PyModule_AddFunctions(m, vy_copy_functions) != 0) return NULL;
%}

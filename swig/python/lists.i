// This file is the only place that reads lists: whole ones into a dict, long ones page by page.
%{
// next_ids(list, limit) -> [id, ...]; shorter than `limit` at the end.
static PyObject* vy_native_next_ids(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_list* list;
  PyObject *made, *item;
  Py_ssize_t limit;
  vineyard_id id;
  int32_t status;
  if (!vy_count("next_ids", count, 2)) return NULL;
  list = (vineyard_list*)PyCapsule_GetPointer(args[0], "vineyard_list");
  limit = PyLong_AsSsize_t(args[1]);
  if (list == NULL || PyErr_Occurred() || (made = PyList_New(0)) == NULL) return NULL;
  while (PyList_GET_SIZE(made) < limit) {
    VY_CALL(status, vineyard_list_next(list, &id));
    if (status == VINEYARD_OK && id == VINEYARD_ID_INVALID) return made;
    item = status == VINEYARD_OK ? PyLong_FromUnsignedLongLong(id) : vy_raise(status);
    if (item == NULL || PyList_Append(made, item) != 0) Py_CLEAR(made);
    Py_XDECREF(item);
    if (made == NULL) return NULL;
  }
  return made;
}

// next_names(list, limit) -> [(name, id, revision), ...]; shorter than `limit` at the end.
static PyObject* vy_native_next_names(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_name_list* list;
  PyObject *made, *item;
  const char* name;
  Py_ssize_t limit;
  vineyard_id id;
  uint64_t revision;
  int32_t status;
  if (!vy_count("next_names", count, 2)) return NULL;
  list = (vineyard_name_list*)PyCapsule_GetPointer(args[0], "vineyard_name_list");
  limit = PyLong_AsSsize_t(args[1]);
  if (list == NULL || PyErr_Occurred() || (made = PyList_New(0)) == NULL) return NULL;
  while (PyList_GET_SIZE(made) < limit) {
    VY_CALL(status, vineyard_name_list_next(list, &name, &id, &revision));
    if (status == VINEYARD_OK && name == NULL) return made;
    item = status != VINEYARD_OK ? vy_raise(status)
                                 : Py_BuildValue("sKK", name, (unsigned long long)id,
                                                 (unsigned long long)revision);
    if (item == NULL || PyList_Append(made, item) != 0) Py_CLEAR(made);
    Py_XDECREF(item);
    if (made == NULL) return NULL;
  }
  return made;
}

// Puts key and value, whose references it takes, into `made`, which it takes on failure.
static PyObject* vy_put_pair(PyObject* made, PyObject* key, PyObject* value) {
  if (key == NULL || value == NULL || PyDict_SetItem(made, key, value) != 0) Py_CLEAR(made);
  Py_XDECREF(key);
  Py_XDECREF(value);
  return made;
}

// info(handle) -> {name: int or str}
static PyObject* vy_native_info(PyObject* module, PyObject* handle) {
  vineyard_client* client = vy_client(handle);
  vineyard_info* info = NULL;
  const vineyard_value* value;
  const char* name;
  PyObject* made;
  uint64_t i;
  int32_t status;
  if (client == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_client_get_info(client, &info);
  Py_END_ALLOW_THREADS
  if (status != VINEYARD_OK) return vy_raise(status);
  made = PyDict_New();
  for (i = 0; made != NULL && vineyard_info_at(info, i, &name, &value) == VINEYARD_OK; ++i) {
    made = vy_put_pair(made, PyUnicode_FromString(name), vy_value_to_python(value));
  }
  vineyard_info_release(info);
  return made;
}

// types(handle) -> {type name: number of objects}
static PyObject* vy_native_types(PyObject* module, PyObject* handle) {
  vineyard_client* client = vy_client(handle);
  vineyard_types* types = NULL;
  const char* name;
  PyObject* made;
  uint64_t i, objects;
  int32_t status;
  if (client == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_types_get(client, &types);
  Py_END_ALLOW_THREADS
  if (status != VINEYARD_OK) return vy_raise(status);
  made = PyDict_New();
  for (i = 0; made != NULL && vineyard_types_at(types, i, &name, &objects) == VINEYARD_OK; ++i) {
    made = vy_put_pair(made, PyUnicode_FromString(name), PyLong_FromUnsignedLongLong(objects));
  }
  vineyard_types_release(types);
  return made;
}

// labels(handle, id) -> {key: value}
static PyObject* vy_native_labels(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_labels* labels = NULL;
  const char *key, *value;
  PyObject* made;
  vineyard_id id;
  uint64_t i;
  int32_t status;
  if (!vy_count("labels", count, 2) || (client = vy_client(args[0])) == NULL || !vy_id(args[1], &id)) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_labels_get(client, id, &labels);
  Py_END_ALLOW_THREADS
  if (status != VINEYARD_OK) return vy_raise(status);
  made = PyDict_New();
  for (i = 0; made != NULL && vineyard_labels_at(labels, i, &key, &value) == VINEYARD_OK; ++i) {
    made = vy_put_pair(made, PyUnicode_FromString(key), PyUnicode_FromString(value));
  }
  vineyard_labels_release(labels);
  return made;
}

// statistics(handle) -> (requests, copied payload bytes, reconnects)
static PyObject* vy_native_statistics(PyObject* module, PyObject* handle) {
  vineyard_client_statistics all = VINEYARD_CLIENT_STATISTICS_INIT;
  vineyard_client* client = vy_client(handle);
  int32_t status;
  if (client == NULL) return NULL;
  status = vineyard_client_get_statistics(client, &all);
  if (status != VINEYARD_OK) return vy_raise(status);
  return Py_BuildValue("KKK", (unsigned long long)all.requests, (unsigned long long)all.copied_payload_bytes,
                       (unsigned long long)all.reconnects);
}

static PyMethodDef vy_list_functions[] = {
    {"next_ids", (PyCFunction)(void (*)(void))vy_native_next_ids, METH_FASTCALL,
     "next_ids(list, limit) -> [id, ...]"},
    {"next_names", (PyCFunction)(void (*)(void))vy_native_next_names, METH_FASTCALL,
     "next_names(list, limit) -> [(name, id, revision), ...]"},
    {"info", vy_native_info, METH_O, "info(handle) -> {name: int or str}"},
    {"types", vy_native_types, METH_O, "types(handle) -> {type name: number of objects}"},
    {"labels", (PyCFunction)(void (*)(void))vy_native_labels, METH_FASTCALL,
     "labels(handle, id) -> {key: value}"},
    {"statistics", vy_native_statistics, METH_O,
     "statistics(handle) -> (requests, copied payload bytes, reconnects)"},
    {NULL}};
%}

%init %{
  if (PyModule_AddFunctions(m, vy_list_functions) != 0) return NULL;
%}

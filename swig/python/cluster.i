// This file is the only place that shows Python what is about more than one instance: the list of
// instances, positions (as tuples of two), and changes as they happen.
%{
static bool vy_position(PyObject* value, vineyard_position* position) {
  unsigned long long generation, entries;
  if (!PyTuple_Check(value)) {
    vy_raise_type("position: a tuple of two numbers was expected, not %.200s", value);
    return false;
  }
  if (!PyArg_ParseTuple(value, "KK", &generation, &entries)) return false;
  position->generation = generation;
  position->entries = entries;
  return true;
}

static PyObject* vy_position_to_python(vineyard_position position) {
  return Py_BuildValue("KK", (unsigned long long)position.generation, (unsigned long long)position.entries);
}

// instances(handle) -> [(number, lost, since ms, memory limit, epoch, uid, host, socket, endpoint), ...]
static PyObject* vy_native_instances(PyObject* module, PyObject* handle) {
  vineyard_client* client = vy_client(handle);
  vineyard_instance_list* list = NULL;
  vineyard_instance found = VINEYARD_INSTANCE_INIT;
  PyObject *made, *item;
  uint64_t i;
  int32_t status;
  if (client == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_instance_list_get(client, &list);
  Py_END_ALLOW_THREADS
  if (status != VINEYARD_OK) return vy_raise(status);
  made = PyList_New(0);
  for (i = 0; made != NULL && vineyard_instance_list_at(list, i, &found) == VINEYARD_OK; ++i) {
    item = Py_BuildValue("KNKKKKsss", (unsigned long long)found.number,
                         PyBool_FromLong(found.state == VINEYARD_INSTANCE_LOST),
                         (unsigned long long)found.since_ms, (unsigned long long)found.memory_limit,
                         (unsigned long long)found.epoch, (unsigned long long)found.uid, found.host,
                         found.socket, found.endpoint);
    if (item == NULL || PyList_Append(made, item) != 0) Py_CLEAR(made);
    Py_XDECREF(item);
  }
  vineyard_instance_list_release(list);
  return made;
}

// revision(handle) -> position
static PyObject* vy_native_revision(PyObject* module, PyObject* handle) {
  vineyard_client* client = vy_client(handle);
  vineyard_position position;
  int32_t status;
  if (client == NULL) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_client_revision(client, &position);
  Py_END_ALLOW_THREADS
  return status == VINEYARD_OK ? vy_position_to_python(position) : vy_raise(status);
}

// wait_revision(handle, position, timeout_ms)
static PyObject* vy_native_wait_revision(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_position position;
  long long timeout_ms;
  int32_t status;
  if (!vy_count("wait_revision", count, 3) || (client = vy_client(args[0])) == NULL ||
      !vy_position(args[1], &position)) {
    return NULL;
  }
  timeout_ms = PyLong_AsLongLong(args[2]);
  if (timeout_ms == -1 && PyErr_Occurred()) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_client_wait_revision(client, &position, timeout_ms);
  Py_END_ALLOW_THREADS
  if (status != VINEYARD_OK) return vy_raise(status);
  Py_RETURN_NONE;
}

// sync(handle, timeout_ms) -> position
static PyObject* vy_native_sync(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_position position;
  long long timeout_ms;
  int32_t status;
  if (!vy_count("sync", count, 2) || (client = vy_client(args[0])) == NULL) return NULL;
  timeout_ms = PyLong_AsLongLong(args[1]);
  if (timeout_ms == -1 && PyErr_Occurred()) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_client_sync(client, timeout_ms, &position);
  Py_END_ALLOW_THREADS
  return status == VINEYARD_OK ? vy_position_to_python(position) : vy_raise(status);
}

// ---- watches ---------------------------------------------------------------------------------------

// Its watch; the capsule's context is the client's capsule, which it keeps.
static vineyard_watch* vy_watch(PyObject* handle) {
  return (vineyard_watch*)PyCapsule_GetPointer(handle, "vineyard_watch");
}

static void vy_watch_free(PyObject* capsule) {
  PyObject* client = (PyObject*)PyCapsule_GetContext(capsule);
  VY_RELEASE(vineyard_watch_release(vy_watch(capsule)));
  Py_XDECREF(client);
}

// watch(handle, position or None) -> watch
static PyObject* vy_native_watch(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_position after = {0, 0};
  vineyard_watch* watch = NULL;
  PyObject* made;
  int32_t status;
  if (!vy_count("watch", count, 2) || (client = vy_client(args[0])) == NULL) return NULL;
  if (args[1] != Py_None && !vy_position(args[1], &after)) return NULL;
  Py_BEGIN_ALLOW_THREADS
  status = vineyard_watch_open(client, &after, &watch);
  Py_END_ALLOW_THREADS
  if (status != VINEYARD_OK) return vy_raise(status);
  made = PyCapsule_New(watch, "vineyard_watch", vy_watch_free);
  if (made == NULL) {
    vineyard_watch_release(watch);
  } else {
    PyCapsule_SetContext(made, Py_NewRef(args[0]));
  }
  return made;
}

// next_event(watch, timeout_ms) -> (kind, id, instance, name)
static PyObject* vy_native_next_event(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_watch* watch;
  vineyard_event event = VINEYARD_EVENT_INIT;
  long long timeout_ms;
  int32_t status;
  if (!vy_count("next_event", count, 2) || (watch = vy_watch(args[0])) == NULL) return NULL;
  timeout_ms = PyLong_AsLongLong(args[1]);
  if (timeout_ms == -1 && PyErr_Occurred()) return NULL;
  VY_CALL(status, vineyard_watch_next(watch, timeout_ms, &event));
  if (status != VINEYARD_OK) return vy_raise(status);
  return Py_BuildValue("iKKs", (int)event.kind, (unsigned long long)event.id, (unsigned long long)event.instance,
                       event.name);
}

// watch_fd(watch) -> descriptor
static PyObject* vy_native_watch_fd(PyObject* module, PyObject* handle) {
  vineyard_watch* watch = vy_watch(handle);
  return watch == NULL ? NULL : PyLong_FromLong(vineyard_watch_fd(watch));
}

// watch_position(watch) -> position
static PyObject* vy_native_watch_position(PyObject* module, PyObject* handle) {
  vineyard_watch* watch = vy_watch(handle);
  vineyard_position position;
  int32_t status;
  if (watch == NULL) return NULL;
  status = vineyard_watch_position(watch, &position);
  return status == VINEYARD_OK ? vy_position_to_python(position) : vy_raise(status);
}

static PyMethodDef vy_cluster_functions[] = {
    {"instances", vy_native_instances, METH_O,
     "instances(handle) -> [(number, lost, since ms, memory limit, epoch, uid, host, socket, endpoint), ...]"},
    {"revision", vy_native_revision, METH_O, "revision(handle) -> (generation, entries)"},
    {"wait_revision", (PyCFunction)(void (*)(void))vy_native_wait_revision, METH_FASTCALL,
     "wait_revision(handle, position, timeout_ms)"},
    {"sync", (PyCFunction)(void (*)(void))vy_native_sync, METH_FASTCALL,
     "sync(handle, timeout_ms) -> (generation, entries)"},
    {"watch", (PyCFunction)(void (*)(void))vy_native_watch, METH_FASTCALL,
     "watch(handle, position or None) -> watch"},
    {"next_event", (PyCFunction)(void (*)(void))vy_native_next_event, METH_FASTCALL,
     "next_event(watch, timeout_ms) -> (kind, id, instance, name)"},
    {"watch_fd", vy_native_watch_fd, METH_O, "watch_fd(watch) -> descriptor"},
    {"watch_position", vy_native_watch_position, METH_O, "watch_position(watch) -> (generation, entries)"},
    {NULL}};
%}

%init %{
  if (PyModule_AddFunctions(m, vy_cluster_functions) != 0) return NULL;
%}

// This file is the only place that declares the type Record and the functions of records.i.
%{
static PyObject* vy_record_id(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_object_id(((vy_record*)self)->object));
}
static PyObject* vy_record_type_name(PyObject* self, void* unused) {
  return PyUnicode_FromString(vineyard_object_type_name(((vy_record*)self)->object));
}
static PyObject* vy_record_nbytes(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_object_nbytes(((vy_record*)self)->object));
}
static PyObject* vy_record_instance(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_object_instance(((vy_record*)self)->object));
}
static PyObject* vy_record_owner_uid(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLong(vineyard_object_owner_uid(((vy_record*)self)->object));
}

static PyObject* vy_record_persisted(PyObject* self, void* unused) {
  return PyBool_FromLong(vineyard_object_is_persisted(((vy_record*)self)->object));
}

static PyObject* vy_record_remote(PyObject* self, void* unused) {
  return PyBool_FromLong(vineyard_object_is_remote(((vy_record*)self)->object));
}
static PyObject* vy_record_lost(PyObject* self, void* unused) {
  return PyBool_FromLong(vineyard_object_owner_state(((vy_record*)self)->object) == VINEYARD_INSTANCE_LOST);
}
static PyObject* vy_record_stale_since_ms(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_object_stale_since_ms(((vy_record*)self)->object));
}
static PyObject* vy_record_is_global(PyObject* self, PyObject* unused) {
  int32_t status, global = 0;
  VY_CALL(status, vineyard_object_is_global(((vy_record*)self)->object, &global));
  return status == VINEYARD_OK ? PyBool_FromLong(global) : vy_raise(status);
}

// The bytes of a blob; the error of a payload that is not here.
static int vy_record_getbuffer(PyObject* self, Py_buffer* buffer, int flags) {
  PyObject* view = vy_record_view(self, NULL);
  int status = view == NULL ? -1 : PyObject_GetBuffer(view, buffer, flags);
  Py_XDECREF(view);
  return status;
}

static PyGetSetDef vy_record_getters[] = {
    {"id", vy_record_id, NULL, "Its id, an int.", NULL},
    {"typename", vy_record_type_name, NULL, "Its type name.", NULL},
    {"nbytes", vy_record_nbytes, NULL, "Payload bytes of the whole tree.", NULL},
    {"instance", vy_record_instance, NULL, "Number of the instance that owns it.", NULL},
    {"owner_uid", vy_record_owner_uid, NULL, "The user who put it.", NULL},
    {"persisted", vy_record_persisted, NULL, "Whether it was persisted when it was opened.", NULL},
    {"remote", vy_record_remote, NULL, "Whether another instance has it.", NULL},
    {"lost", vy_record_lost, NULL, "Whether the instance that owns it was gone when it was opened.", NULL},
    {"stale_since_ms", vy_record_stale_since_ms, NULL, "Since when what is known may be old; 0: it is not.", NULL},
    {NULL}};
static PyMethodDef vy_record_methods[] = {
    {"field", vy_record_field, METH_O, "field(name) -> value"},
    {"fields", vy_record_fields, METH_NOARGS, "fields() -> {name: value}"},
    {"members", vy_record_members, METH_NOARGS, "members() -> [(name, id), ...]"},
    {"member", vy_record_member, METH_O, "member(name) -> Record"},
    {"is_global", vy_record_is_global, METH_NOARGS, "is_global() -> whether it reaches other instances"},
    {"view", vy_record_view, METH_NOARGS, "view() -> View of this blob"},
    {"array", vy_record_array, METH_NOARGS, "array() -> numpy.ndarray"},
    {"elements", (PyCFunction)(void (*)(void))vy_record_elements, METH_FASTCALL,
     "elements(prefix, count, memo) -> (values, pending)"},
    {NULL}};
static PyMemberDef vy_record_offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(vy_record, weakrefs), READONLY}, {NULL}};
static PyType_Slot vy_record_slots[] = {{Py_tp_dealloc, vy_record_dealloc},
                                        {Py_bf_getbuffer, vy_record_getbuffer},
                                        {Py_tp_getset, vy_record_getters},
                                        {Py_tp_methods, vy_record_methods},
                                        {Py_tp_members, vy_record_offsets},
                                        {Py_tp_doc, "A sealed object's metadata, its tree pinned."},
                                        {0, NULL}};
static PyType_Spec vy_record_spec = {"vineyard._native.Record", sizeof(vy_record), 0,
                                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                     vy_record_slots};

// set_arrays(ndarray, dtypes by VINEYARD_ELEMENT_*): load() makes arrays by itself from then on.
static PyObject* vy_native_set_arrays(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  Py_ssize_t i;
  if (!vy_count("set_arrays", count, 2)) return NULL;
  if (!PyList_Check(args[1]) || PyList_GET_SIZE(args[1]) != 15) {
    PyErr_SetString(PyExc_TypeError, "a list of 15 dtypes was expected");
    return NULL;
  }
  for (i = 0; i < 15; ++i) Py_XSETREF(vy_dtypes[i], Py_NewRef(PyList_GET_ITEM(args[1], i)));
  Py_XSETREF(vy_ndarray, Py_NewRef(args[0]));
  Py_RETURN_NONE;
}

static PyMethodDef vy_record_functions[] = {
    {"load", (PyCFunction)(void (*)(void))vy_native_load, METH_FASTCALL,
     "load(handle, id) -> the value, or a Record where Python has to make it"},
    {"open", (PyCFunction)(void (*)(void))vy_native_open, METH_FASTCALL, "open(handle, id) -> Record"},
    {"set_arrays", (PyCFunction)(void (*)(void))vy_native_set_arrays, METH_FASTCALL,
     "set_arrays(ndarray, dtypes)"},
    {NULL}};
%}

%init %{
  vy_record_type = vy_add_type(m, &vy_record_spec);
  if (vy_record_type == NULL || PyModule_AddFunctions(m, vy_record_functions) != 0) return NULL;
%}

// This file is the only place that declares the type Builder and the functions of builders.i.
%{
static PyObject* vy_builder_id(PyObject* self, void* unused) {
  return PyLong_FromUnsignedLongLong(vineyard_meta_id(((vy_builder*)self)->meta));
}

static PyGetSetDef vy_builder_getters[] = {
    {"id", vy_builder_id, NULL, "Its id after the put; 0 before.", NULL}, {NULL}};
static PyMemberDef vy_builder_members[] = {
    {"shares", T_BOOL, offsetof(vy_builder, shares), READONLY,
     "Whether it links to blobs that arrays came from."},
    {NULL}};
static PyMethodDef vy_builder_methods[] = {
    {"set", (PyCFunction)(void (*)(void))vy_builder_set, METH_FASTCALL, "set(name, value): a field"},
    {"leaves", (PyCFunction)(void (*)(void))vy_builder_leaves, METH_FASTCALL,
     "leaves(prefix, sequence) -> indexes that are no small leaves"},
    {"add_id", (PyCFunction)(void (*)(void))vy_builder_add_id, METH_FASTCALL, "add_id(name, id): a member"},
    {"add", (PyCFunction)(void (*)(void))vy_builder_add, METH_FASTCALL,
     "add(name, Builder or Writer): a member"},
    {"put", vy_builder_put, METH_VARARGS, "put(handle, name or None, replace, persist) -> id"},
    {NULL}};
static PyType_Slot vy_builder_slots[] = {{Py_tp_dealloc, vy_builder_dealloc},
                                         {Py_tp_getset, vy_builder_getters},
                                         {Py_tp_members, vy_builder_members},
                                         {Py_tp_methods, vy_builder_methods},
                                         {Py_tp_doc, "One object being built; put once."},
                                         {0, NULL}};
static PyType_Spec vy_builder_spec = {"vineyard._native.Builder", sizeof(vy_builder), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                      vy_builder_slots};

static PyMethodDef vy_builder_functions[] = {
    {"create", vy_native_create, METH_O, "create(type name) -> Builder"},
    {"blob", (PyCFunction)(void (*)(void))vy_native_blob, METH_FASTCALL, "blob(buffer, kind) -> Builder"},
    {"array", (PyCFunction)(void (*)(void))vy_native_array, METH_FASTCALL,
     "array(handle, array, element, descriptor, share[, shape, order]) -> Builder or None"},
    {"put_array", (PyCFunction)(void (*)(void))vy_native_put_array, METH_FASTCALL,
     "put_array(handle, array, element, descriptor, share[, shape, order]) -> id or None"},
    {"put_blob", (PyCFunction)(void (*)(void))vy_native_put_blob, METH_FASTCALL,
     "put_blob(handle, buffer, kind) -> id"},
    {NULL}};
%}

%init %{
  vy_builder_type = vy_add_type(m, &vy_builder_spec);
  if (vy_builder_type == NULL || PyModule_AddFunctions(m, vy_builder_functions) != 0) return NULL;
%}

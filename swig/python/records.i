// This file is the only place that reads objects: a Record holds the pin of a whole tree, load() makes
// Python's value of an object in one call where no Python code is needed for it (blobs, plain scalars,
// text, arrays of numpy's own types), elements() does so for all elements of a container.
%{
typedef struct vy_record {
  PyObject_HEAD
  vineyard_object* object;
  PyObject* handle;
  PyObject* weakrefs;
} vy_record;

static PyTypeObject* vy_record_type;
static PyObject* vy_ndarray;     // numpy.ndarray once vineyard.data.tensor was imported
static PyObject* vy_dtypes[15];  // by VINEYARD_ELEMENT_*

// Takes over `object`, also when it fails.
static PyObject* vy_record_new(PyObject* handle, vineyard_object* object) {
  vy_record* record = (vy_record*)vy_record_type->tp_alloc(vy_record_type, 0);
  if (record == NULL) {
    vineyard_object_release(object);
    return NULL;
  }
  record->object = object;
  record->handle = Py_NewRef(handle);
  return (PyObject*)record;
}

static void vy_record_dealloc(PyObject* self) {
  vy_record* record = (vy_record*)self;
  PyTypeObject* type = Py_TYPE(self);
  if (record->weakrefs != NULL) PyObject_ClearWeakRefs(self);
  vineyard_object_release(record->object);
  Py_XDECREF(record->handle);
  type->tp_free(self);
  Py_DECREF(type);
}

// ---- values ------------------------------------------------------------------------------------------

// The value of a blob: bytes and bytearray are copies, a buffer is a memoryview of the blob itself.
// Takes over `blob`.
static PyObject* vy_load_blob(PyObject* handle, vineyard_blob* blob) {
  uint64_t size = vineyard_blob_length(blob);
  const void* from = vineyard_blob_data(blob);
  int32_t kind = vineyard_blob_kind(blob);
  PyObject *made, *view;
  void* to;
  if (kind != VINEYARD_BLOB_BYTES && kind != VINEYARD_BLOB_BYTEARRAY) {
    view = vy_view_new(handle, blob);
    made = view == NULL ? NULL : PyMemoryView_FromObject(view);
    Py_XDECREF(view);
    return made;
  }
  made = kind == VINEYARD_BLOB_BYTES ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size)
                                     : PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
  if (made != NULL) {
    to = kind == VINEYARD_BLOB_BYTES ? PyBytes_AS_STRING(made) : PyByteArray_AS_STRING(made);
    if (size > 256 * 1024) {
      Py_BEGIN_ALLOW_THREADS
      vineyard_memory_copy(to, from, size);
      Py_END_ALLOW_THREADS
    } else if (size > 0) {
      memcpy(to, from, size);
    }
    vineyard_client_add_copied(vy_client(handle), size);
  }
  vineyard_blob_release(blob);
  return made;
}

// ndarray(shape, dtype, view, offset, None, order), without a detour over a format.
static PyObject* vy_make_array(PyObject* shape, PyObject* dtype, PyObject* view, int64_t offset,
                               bool is_fortran) {
  static PyObject *c_order, *f_order;
  PyObject *offset_object, *arguments, *made = NULL;
  if (c_order == NULL) c_order = PyUnicode_InternFromString("C");
  if (f_order == NULL) f_order = PyUnicode_InternFromString("F");
  if (c_order == NULL || f_order == NULL) return NULL;
  if (offset == 0 && !is_fortran) {
    arguments = PyTuple_Pack(3, shape, dtype, view);
  } else {
    offset_object = PyLong_FromLongLong(offset);
    if (offset_object == NULL) return NULL;
    arguments = PyTuple_Pack(6, shape, dtype, view, offset_object, Py_None, is_fortran ? f_order : c_order);
    Py_DECREF(offset_object);
  }
  if (arguments != NULL) made = PyObject_Call(vy_ndarray, arguments, NULL);
  Py_XDECREF(arguments);
  return made;
}

// The array of a Tensor or Array, in place.
static PyObject* vy_load_array(PyObject* handle, vineyard_object* object) {
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  vineyard_blob* blob = NULL;
  PyObject *view, *shape, *made = NULL, *module;
  int32_t status, i;
  int64_t offset;
  VY_CALL(status, vineyard_object_tensor(object, &tensor));
  if (status == VINEYARD_OK) VY_CALL(status, vineyard_object_member_blob(object, "buffer_", &blob));
  if (status != VINEYARD_OK) return vy_raise(status);
  offset = tensor.data_size == 0 ? 0 : (const char*)tensor.data - (const char*)vineyard_blob_data(blob);
  view = vy_view_new(handle, blob);
  shape = PyTuple_New(tensor.dimensions);
  for (i = 0; shape != NULL && i < tensor.dimensions; ++i) {
    PyObject* size = PyLong_FromLongLong(tensor.shape[i]);
    if (size == NULL) Py_CLEAR(shape);
    else PyTuple_SET_ITEM(shape, i, size);
  }
  if (view == NULL || shape == NULL) {
    made = NULL;
  } else if (vy_ndarray != NULL && tensor.element != VINEYARD_ELEMENT_OTHER) {
    made = vy_make_array(shape, vy_dtypes[tensor.element], view, offset, tensor.is_fortran != 0);
  } else if ((module = PyImport_ImportModule("vineyard.data.tensor")) != NULL) {
    // numpy is not imported yet, or the element type is known to numpy only.
    const vineyard_value* meta = NULL;
    PyObject* descriptor;
    if (vineyard_object_field(object, "value_type_meta_", &meta) != VINEYARD_OK) meta = NULL;
    descriptor = meta == NULL ? Py_NewRef(Py_None) : vy_value_to_python(meta);
    if (descriptor != NULL) {
      made = PyObject_CallMethod(module, "array_of", "OOiOLC", view, shape, (int)tensor.element, descriptor,
                                 (long long)offset, tensor.is_fortran ? 'F' : 'C');
      Py_DECREF(descriptor);
    }
    Py_DECREF(module);
  }
  Py_XDECREF(view);
  Py_XDECREF(shape);
  return made;
}

// "vineyard::Tensor", and "vineyard::Tensor<int64>" as well.
static bool vy_is_type(const char* type, const char* wanted) {
  size_t size = strlen(wanted);
  return strncmp(type, wanted, size) == 0 && (type[size] == '\0' || type[size] == '<');
}

static bool vy_is_plain_scalar(vineyard_object* object) {
  static const char* const plain[] = {"none", "bool", "int", "float"};
  const char* text;
  uint64_t size;
  size_t i;
  if (vineyard_object_field_string(object, "scalar_kind_", &text, &size) != VINEYARD_OK || size != 6 ||
      memcmp(text, "python", 6) != 0 ||
      vineyard_object_field_string(object, "value_type_", &text, &size) != VINEYARD_OK) {
    return false;
  }
  for (i = 0; i < sizeof plain / sizeof *plain; ++i) {
    if (strlen(plain[i]) == size && memcmp(plain[i], text, size) == 0) return true;
  }
  return false;
}

// The value, or a Record where Python code has to make it. Takes over `object`.
static PyObject* vy_load_object(PyObject* handle, vineyard_object* object) {
  const char* type = vineyard_object_type_name(object);
  const vineyard_value* value;
  vineyard_blob* blob = NULL;
  PyObject* made;
  int32_t status;
  if (vineyard_id_is_blob(vineyard_object_id(object))) {
    VY_CALL(status, vineyard_object_blob(object, &blob));
    made = status == VINEYARD_OK ? vy_load_blob(handle, blob) : vy_raise(status);
  } else if (vy_is_type(type, "vineyard::Array") || vy_is_type(type, "vineyard::Tensor")) {
    made = vy_load_array(handle, object);
  } else if ((strcmp(type, "vineyard::String") == 0 ||
              (strcmp(type, "vineyard::Scalar") == 0 && vy_is_plain_scalar(object))) &&
             vineyard_object_field(object, "value_", &value) == VINEYARD_OK) {
    made = vy_value_to_python(value);
  } else {
    return vy_record_new(handle, object);
  }
  vineyard_object_release(object);
  return made;
}

// load(handle, id) -> value or Record
static PyObject* vy_native_load(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_object* object = NULL;
  vineyard_blob* blob = NULL;
  vineyard_id id;
  int32_t status;
  if (!vy_count("load", count, 2) || (client = vy_client(args[0])) == NULL || !vy_id(args[1], &id)) {
    return NULL;
  }
  if (vineyard_id_is_blob(id)) {
    VY_CALL(status, vineyard_blob_get(client, id, &blob));
    return status == VINEYARD_OK ? vy_load_blob(args[0], blob) : vy_raise(status);
  }
  VY_CALL(status, vineyard_object_get(client, id, &object));
  return status == VINEYARD_OK ? vy_load_object(args[0], object) : vy_raise(status);
}

// open(handle, id) -> Record
static PyObject* vy_native_open(PyObject* module, PyObject* const* args, Py_ssize_t count) {
  vineyard_client* client;
  vineyard_object* object = NULL;
  vineyard_id id;
  int32_t status;
  if (!vy_count("open", count, 2) || (client = vy_client(args[0])) == NULL || !vy_id(args[1], &id)) {
    return NULL;
  }
  VY_CALL(status, vineyard_object_get(client, id, &object));
  return status == VINEYARD_OK ? vy_record_new(args[0], object) : vy_raise(status);
}

// ---- Record ------------------------------------------------------------------------------------------

static PyObject* vy_record_field(PyObject* self, PyObject* name) {
  const vineyard_value* value;
  int32_t status;
  const char* text = vy_text(name, "a field's name");
  if (text == NULL) return NULL;
  status = vineyard_object_field(((vy_record*)self)->object, text, &value);
  return status == VINEYARD_OK ? vy_value_to_python(value) : vy_raise(status);
}

static PyObject* vy_record_fields(PyObject* self, PyObject* unused) {
  vineyard_object* object = ((vy_record*)self)->object;
  PyObject *made = PyDict_New(), *key, *item;
  const vineyard_value* value;
  const char* name;
  uint64_t i, size;
  for (i = 0; made != NULL && vineyard_object_field_at(object, i, &name, &size, &value) == VINEYARD_OK; ++i) {
    key = PyUnicode_DecodeUTF8(name, (Py_ssize_t)size, NULL);
    item = key == NULL ? NULL : vy_value_to_python(value);
    if (item == NULL || PyDict_SetItem(made, key, item) != 0) Py_CLEAR(made);
    Py_XDECREF(key);
    Py_XDECREF(item);
  }
  return made;
}

// [(name, id), ...]
static PyObject* vy_record_members(PyObject* self, PyObject* unused) {
  vineyard_object* object = ((vy_record*)self)->object;
  PyObject *made = PyList_New(0), *item;
  const char* name;
  uint64_t i, size;
  vineyard_id id;
  for (i = 0; made != NULL && vineyard_object_member_at(object, i, &name, &size, &id) == VINEYARD_OK; ++i) {
    item = Py_BuildValue("s#K", name, (Py_ssize_t)size, (unsigned long long)id);
    if (item == NULL || PyList_Append(made, item) != 0) Py_CLEAR(made);
    Py_XDECREF(item);
  }
  return made;
}

static PyObject* vy_record_member(PyObject* self, PyObject* name) {
  vy_record* record = (vy_record*)self;
  vineyard_object* member = NULL;
  int32_t status;
  const char* text = vy_text(name, "a member's name");
  if (text == NULL) return NULL;
  VY_CALL(status, vineyard_object_member(record->object, text, &member));
  return status == VINEYARD_OK ? vy_record_new(record->handle, member) : vy_raise(status);
}

// The object itself, a blob, as a View.
static PyObject* vy_record_view(PyObject* self, PyObject* unused) {
  vy_record* record = (vy_record*)self;
  vineyard_blob* blob = NULL;
  int32_t status;
  VY_CALL(status, vineyard_object_blob(record->object, &blob));
  return status == VINEYARD_OK ? vy_view_new(record->handle, blob) : vy_raise(status);
}

static PyObject* vy_record_array(PyObject* self, PyObject* unused) {
  return vy_load_array(((vy_record*)self)->handle, ((vy_record*)self)->object);
}

// The number behind `prefix` in a name; -1: none below `count`.
static Py_ssize_t vy_index(const char* name, uint64_t size, const char* prefix, size_t prefix_size,
                           Py_ssize_t count) {
  Py_ssize_t index = 0;
  uint64_t i;
  if (size <= prefix_size || memcmp(name, prefix, prefix_size) != 0) return -1;
  for (i = prefix_size; i < size; ++i) {
    if (name[i] < '0' || name[i] > '9') return -1;
    index = 10 * index + (name[i] - '0');
    if (index >= count) return -1;
  }
  return index;
}

static bool vy_note(PyObject* pending, Py_ssize_t index) {
  PyObject* number = PyLong_FromSsize_t(index);
  int failed = number == NULL || PyList_Append(pending, number) != 0;
  Py_XDECREF(number);
  return !failed;
}

// Member `at` as element `index`; equal ids give one value through `memo`.
static bool vy_member_element(vy_record* record, uint64_t at, vineyard_id id, PyObject* memo, Py_ssize_t index,
                              PyObject* values, PyObject* pending) {
  vineyard_object* member = NULL;
  PyObject *value = NULL, *key = PyLong_FromUnsignedLongLong(id);
  int32_t status;
  bool done = false;
  if (key == NULL) return false;
  if (memo != Py_None) value = Py_XNewRef(PyDict_GetItemWithError(memo, key));
  if (value == NULL && !PyErr_Occurred()) {
    VY_CALL(status, vineyard_object_member_by_index(record->object, at, &member));
    if (status != VINEYARD_OK) {
      vy_raise(status);
    } else if (memo == Py_None) {
      value = vy_record_new(record->handle, member);
    } else {
      value = vy_load_object(record->handle, member);
      if (value != NULL && !Py_IS_TYPE(value, vy_record_type) && PyDict_SetItem(memo, key, value) != 0) {
        Py_CLEAR(value);
      }
    }
  }
  if (value != NULL) {
    done = !Py_IS_TYPE(value, vy_record_type) || vy_note(pending, index);
    Py_XSETREF(((PyListObject*)values)->ob_item[index], value);
  }
  Py_DECREF(key);
  return done;
}

// elements(prefix, count, memo) -> (values, pending): the fields and members <prefix>0, <prefix>1, ...;
// `pending` lists those that are still a Record, or a map that stands for a scalar. Without a memo
// (None) every member is a Record.
static PyObject* vy_record_elements(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  vy_record* record = (vy_record*)self;
  PyObject *values = NULL, *pending = NULL, *made = NULL, *item;
  const vineyard_value* value;
  const char *prefix, *name;
  uint64_t i, size;
  vineyard_id id;
  Py_ssize_t count, index;
  size_t prefix_size;
  if (!vy_count("elements", nargs, 3) || (prefix = vy_text(args[0], "the prefix")) == NULL) return NULL;
  prefix_size = strlen(prefix);
  count = PyLong_AsSsize_t(args[1]);
  if (count == -1 && PyErr_Occurred()) return NULL;
  // Checked before it is allocated for.
  if (count < 0 || (uint64_t)count > vineyard_object_field_count(record->object) +
                                         vineyard_object_member_count(record->object)) {
    return vy_raise_text(VINEYARD_E_CORRUPT, "container: it claims more elements than it has");
  }
  values = PyList_New(count);
  pending = PyList_New(0);
  if (values == NULL || pending == NULL) goto done;
  for (i = 0; vineyard_object_field_at(record->object, i, &name, &size, &value) == VINEYARD_OK; ++i) {
    index = vy_index(name, size, prefix, prefix_size, count);
    if (index < 0) continue;
    item = vy_value_to_python(value);
    if (item == NULL || (value->type == VINEYARD_VALUE_MAP && !vy_note(pending, index))) goto done;
    Py_XSETREF(((PyListObject*)values)->ob_item[index], item);
  }
  for (i = 0; vineyard_object_member_at(record->object, i, &name, &size, &id) == VINEYARD_OK; ++i) {
    index = vy_index(name, size, prefix, prefix_size, count);
    if (index >= 0 && !vy_member_element(record, i, id, args[2], index, values, pending)) goto done;
  }
  for (index = 0; index < count; ++index) {
    if (PyList_GET_ITEM(values, index) == NULL) {
      vy_raise_text(VINEYARD_E_CORRUPT, "container: an element is missing");
      goto done;
    }
  }
  made = PyTuple_Pack(2, values, pending);
done:
  Py_XDECREF(values);
  Py_XDECREF(pending);
  return made;
}
%}

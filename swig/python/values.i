// This file is the only place that turns typed values of metadata into Python's and back.
%{
// A field's value as None, bool, int, float, str, bytes, list or dict.
static PyObject* vy_value_to_python(const vineyard_value* value) {
  PyObject *made, *key, *item;
  uint64_t i;
  switch (value->type) {
    case VINEYARD_VALUE_NULL: Py_RETURN_NONE;
    case VINEYARD_VALUE_BOOL: return PyBool_FromLong(value->as.boolean);
    case VINEYARD_VALUE_INT64: return PyLong_FromLongLong(value->as.int64);
    case VINEYARD_VALUE_UINT64: return PyLong_FromUnsignedLongLong(value->as.uint64);
    case VINEYARD_VALUE_FLOAT64: return PyFloat_FromDouble(value->as.float64);
    case VINEYARD_VALUE_STRING:
      return PyUnicode_DecodeUTF8(value->as.data, (Py_ssize_t)value->size, NULL);
    case VINEYARD_VALUE_BYTES:
      return PyBytes_FromStringAndSize(value->as.data, (Py_ssize_t)value->size);
    case VINEYARD_VALUE_LIST:
      made = PyList_New((Py_ssize_t)value->size);
      for (i = 0; made != NULL && i < value->size; ++i) {
        item = vy_value_to_python(&value->as.items[i]);
        if (item == NULL) Py_CLEAR(made);
        else PyList_SET_ITEM(made, (Py_ssize_t)i, item);
      }
      return made;
    case VINEYARD_VALUE_MAP:
      made = PyDict_New();
      for (i = 0; made != NULL && i < value->size; ++i) {
        key = vy_value_to_python(&value->as.items[2 * i]);
        item = key == NULL ? NULL : vy_value_to_python(&value->as.items[2 * i + 1]);
        if (item == NULL || PyDict_SetItem(made, key, item) != 0) Py_CLEAR(made);
        Py_XDECREF(key);
        Py_XDECREF(item);
      }
      return made;
    default: return PyErr_Format(PyExc_SystemError, "metadata value of unknown type %d", (int)value->type);
  }
}

// Items of lists and maps being built; text and bytes are borrowed from the Python objects.
typedef struct vy_block {
  struct vy_block* next;
  vineyard_value items[1];
} vy_block;

static void vy_free_blocks(vy_block* blocks) {
  while (blocks != NULL) {
    vy_block* next = blocks->next;
    PyMem_Free(blocks);
    blocks = next;
  }
}

static vineyard_value* vy_new_items(vy_block** blocks, Py_ssize_t count) {
  vy_block* block = (vy_block*)PyMem_Calloc(1, sizeof(vy_block) + (size_t)count * sizeof(vineyard_value));
  if (block == NULL) {
    PyErr_NoMemory();
    return NULL;
  }
  block->next = *blocks;
  *blocks = block;
  return block->items;
}

static bool vy_set_int(PyObject* number, vineyard_value* value) {
  int overflow;
  value->type = VINEYARD_VALUE_INT64;
  value->as.int64 = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow > 0) {
    value->type = VINEYARD_VALUE_UINT64;
    value->as.uint64 = PyLong_AsUnsignedLongLong(number);
    return !PyErr_Occurred();
  }
  if (overflow < 0) PyErr_SetString(PyExc_OverflowError, "int too small to convert");
  return overflow == 0 && !(value->as.int64 == -1 && PyErr_Occurred());
}

static bool vy_value_of_python(PyObject* from, vineyard_value* value, vy_block** blocks, int depth);

static bool vy_list_of_python(PyObject* from, vineyard_value* value, vy_block** blocks, int depth) {
  Py_ssize_t i, count = PySequence_Fast_GET_SIZE(from);
  vineyard_value* items = vy_new_items(blocks, count);
  if (items == NULL) return false;
  value->type = VINEYARD_VALUE_LIST;
  value->size = (uint64_t)count;
  value->as.items = items;
  for (i = 0; i < count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(from, i);
    if (!vy_value_of_python(item, &items[i], blocks, depth + 1)) return false;
  }
  return true;
}

static bool vy_map_of_python(PyObject* from, vineyard_value* value, vy_block** blocks, int depth) {
  PyObject *key, *item;
  Py_ssize_t at = 0, i = 0;
  vineyard_value* items = vy_new_items(blocks, 2 * PyDict_GET_SIZE(from));
  if (items == NULL) return false;
  value->type = VINEYARD_VALUE_MAP;
  value->size = (uint64_t)PyDict_GET_SIZE(from);
  value->as.items = items;
  while (PyDict_Next(from, &at, &key, &item)) {
    if (!PyUnicode_Check(key)) {
      vy_raise_type("keys of a map in metadata must be str, not %.200s", key);
      return false;
    }
    if (!vy_value_of_python(key, &items[i++], blocks, depth + 1)) return false;
    if (!vy_value_of_python(item, &items[i++], blocks, depth + 1)) return false;
  }
  return true;
}

// The reverse. Text stays borrowed from `from`, items from `blocks`.
static bool vy_value_of_python(PyObject* from, vineyard_value* value, vy_block** blocks, int depth) {
  Py_ssize_t size;
  memset(value, 0, sizeof *value);
  if (depth > 60) {
    vy_raise_text(VINEYARD_E_LIMIT, "metadata value: lists and maps nested more than 60 deep");
    return false;
  }
  if (from == Py_None) {
    value->type = VINEYARD_VALUE_NULL;
  } else if (PyBool_Check(from)) {
    value->type = VINEYARD_VALUE_BOOL;
    value->as.boolean = from == Py_True;
  } else if (PyLong_Check(from)) {
    if (vy_set_int(from, value)) return true;
    PyErr_Clear();
    vy_raise_text(VINEYARD_E_LIMIT, "metadata value: an integer beyond 64 bits");
    return false;
  } else if (PyFloat_Check(from)) {
    value->type = VINEYARD_VALUE_FLOAT64;
    value->as.float64 = PyFloat_AS_DOUBLE(from);
  } else if (PyUnicode_Check(from)) {
    value->type = VINEYARD_VALUE_STRING;
    value->as.data = PyUnicode_AsUTF8AndSize(from, &size);
    if (value->as.data == NULL) {
      PyErr_Clear();
      vy_raise_text(VINEYARD_E_INVALID, "metadata value: text with lone surrogates has no UTF-8 form");
      return false;
    }
    value->size = (uint64_t)size;
  } else if (PyBytes_Check(from)) {
    value->type = VINEYARD_VALUE_BYTES;
    value->as.data = PyBytes_AS_STRING(from);
    value->size = (uint64_t)PyBytes_GET_SIZE(from);
  } else if (PyList_Check(from) || PyTuple_Check(from)) {
    return vy_list_of_python(from, value, blocks, depth);
  } else if (PyDict_Check(from)) {
    return vy_map_of_python(from, value, blocks, depth);
  } else {
    vy_raise_type("metadata holds None, bool, int, float, str, bytes, list and dict, not %.200s", from);
    return false;
  }
  return true;
}
%}

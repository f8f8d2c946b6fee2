// This file is the only place that says how the C interface looks to Python: a failing status is an
// exception, an out-parameter is a result, a handle is a capsule that gives it back, and who gives up
// the interpreter's lock (GIL).
//
// The GIL. The library asks keep_waiting() while it holds its own locks, and keep_waiting() takes the
// GIL. So whoever may wait for the daemon, or for a thread that does, has given the GIL up: by %thread
// below, or by VY_CALL, which first tries without waiting.

// uint64_t is unsigned long, as in the C library.
#define SWIGWORDSIZE64
%include <stdint.i>

%{
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <structmember.h>
#include <unistd.h>
#include "vineyard/vineyard.h"

// Not 0 while this thread gives a handle back: nobody could see an exception there, so signals wait.
static __thread int vy_releasing;

// Asked by a waiting thread: runs Python's signal handlers. An exception (KeyboardInterrupt) stays
// set in this thread and is found by vy_raise.
//
// Nobody may ask for the GIL of an interpreter that ends: it ends the thread in the middle of the library. So who asks is
// counted, and vy_end_asking(), before the interpreter ends, waits for them and lets nobody else begin. seq_cst: who begins
// counts itself before it looks, and the end says so before it looks at the count.
static atomic_int vy_asking;
static atomic_bool vy_ending;

static int32_t vy_keep_waiting(void) {
  PyGILState_STATE state;
  int raised = 0;
  if (vy_releasing) return 1;
  atomic_fetch_add(&vy_asking, 1);
  if (!atomic_load(&vy_ending) && Py_IsInitialized()) {
    state = PyGILState_Ensure();
    raised = PyErr_Occurred() != NULL || PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
  }
  atomic_fetch_sub(&vy_asking, 1);
  return !raised;
}

// For a child: of the threads that were counted it has none.
static void vy_forget_asking(void) { atomic_store(&vy_asking, 0); }

// A second at most: a signal handler of the program's may be running.
static PyObject* vy_end_asking(PyObject* module, PyObject* nothing) {
  int i;
  (void)module;
  (void)nothing;
  atomic_store(&vy_ending, true);
  Py_BEGIN_ALLOW_THREADS
  for (i = 0; i < 1000 && atomic_load(&vy_asking) > 0; ++i) usleep(1000);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}
static PyMethodDef vy_end_asking_method = {"end_asking", vy_end_asking, METH_NOARGS, NULL};

// When the interpreter is about to end, behind the threads that it waits for.
static int vy_await_end(void) {
  PyObject *atexit, *function, *registered = NULL;
  if (pthread_atfork(NULL, NULL, vy_forget_asking) != 0) {
    PyErr_NoMemory();
    return -1;
  }
  atexit = PyImport_ImportModule("atexit");
  function = PyCFunction_New(&vy_end_asking_method, NULL);
  if (atexit != NULL && function != NULL) {
    registered = PyObject_CallMethod(atexit, "register", "O", function);
  }
  Py_XDECREF(atexit);
  Py_XDECREF(function);
  Py_XDECREF(registered);
  return registered == NULL ? -1 : 0;
}

// Raises the exception that vineyard.errors has for `status`; always answers NULL.
static PyObject* vy_raise_text(int32_t status, const char* text) {
  PyObject *module, *error;
  if (PyErr_Occurred()) return NULL;
  module = PyImport_ImportModule("vineyard.errors");
  if (module == NULL) return NULL;
  error = PyObject_CallMethod(module, "error_of", "is", (int)status, text);
  Py_DECREF(module);
  if (error == NULL) return NULL;
  PyErr_SetObject((PyObject*)Py_TYPE(error), error);
  Py_DECREF(error);
  return NULL;
}

// TypeMismatch; the format has one %s, for the name of the type of `value`.
static PyObject* vy_raise_type(const char* format, PyObject* value) {
  char text[512];
  snprintf(text, sizeof text, format, Py_TYPE(value)->tp_name);
  return vy_raise_text(VINEYARD_E_TYPE, text);
}

static PyObject* vy_raise(int32_t status) {
  char text[512];  // a signal handler may call the library and change its text
  if (PyErr_Occurred()) return NULL;
  strncpy(text, vineyard_error_text(), sizeof text - 1);
  text[sizeof text - 1] = 0;
  if (status == VINEYARD_E_INTERRUPTED && PyErr_CheckSignals() != 0) return NULL;
  return vy_raise_text(status, text);
}

// A call that is usually answered from memory: made with the GIL held; only when the library says
// that it would have to wait, made again without.
#define VY_CALL(status, call)                 \
  do {                                        \
    vineyard_thread_set_waiting(0);           \
    (status) = (call);                        \
    vineyard_thread_set_waiting(1);           \
    if ((status) == VINEYARD_E_TIMEOUT) {     \
      Py_BEGIN_ALLOW_THREADS                  \
      (status) = (call);                      \
      Py_END_ALLOW_THREADS                    \
    }                                         \
  } while (0)

// Gives a handle back where that may take a message, from a destructor.
#define VY_RELEASE(call)     \
  do {                       \
    ++vy_releasing;          \
    Py_BEGIN_ALLOW_THREADS   \
    call;                    \
    Py_END_ALLOW_THREADS     \
    --vy_releasing;          \
  } while (0)

// The text of a str, borrowed from it; no surrogates, no NUL.
static const char* vy_text(PyObject* value, const char* what) {
  Py_ssize_t size;
  const char* text;
  if (!PyUnicode_Check(value)) {
    char format[128];
    snprintf(format, sizeof format, "%s: a str was expected, not %%.200s", what);
    vy_raise_type(format, value);
    return NULL;
  }
  text = PyUnicode_AsUTF8AndSize(value, &size);
  if (text == NULL) {
    PyErr_Clear();
    vy_raise_text(VINEYARD_E_INVALID, "text with lone surrogates: it has no UTF-8 form");
  } else if ((Py_ssize_t)strlen(text) != size) {
    vy_raise_text(VINEYARD_E_INVALID, "text with a NUL character: not allowed in names and paths");
    text = NULL;
  }
  return text;
}

static bool vy_id(PyObject* value, vineyard_id* id) {
  *id = PyLong_Check(value) ? PyLong_AsUnsignedLongLong(value) : (vineyard_id)-1;
  if (!PyLong_Check(value)) {
    vy_raise_type("object id: an ObjectID was expected, not %.200s", value);
    return false;
  }
  if (*id == (vineyard_id)-1 && PyErr_Occurred()) {
    PyErr_Clear();
    vy_raise_text(VINEYARD_E_INVALID, "object id: a number from 0 to 2**64 - 1 was expected");
    return false;
  }
  return true;
}

static bool vy_count(const char* name, Py_ssize_t given, Py_ssize_t wanted) {
  if (given == wanted) return true;
  PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, %zd were given", name, wanted, given);
  return false;
}

// A result that an out-parameter adds: alone, or in a list with the others. SWIG's own helper keeps the
// None of the status in some versions and drops it in others. Takes over both.
static PyObject* vy_append(PyObject* result, PyObject* item) {
  PyObject* list;
  if (result == NULL) {
    Py_XDECREF(item);
    return NULL;
  }
  if (item == NULL || result == Py_None) {
    Py_DECREF(result);
    return item;
  }
  if (!PyList_Check(result)) {
    list = PyList_New(1);
    if (list == NULL) {
      Py_DECREF(result);
      Py_DECREF(item);
      return NULL;
    }
    PyList_SET_ITEM(list, 0, result);
    result = list;
  }
  if (PyList_Append(result, item) != 0) Py_CLEAR(result);
  Py_DECREF(item);
  return result;
}

#define VY_CLOSED 1  // not a status of the library: vineyard.errors.Closed

// NULL with an exception when `handle` is none: Python's closed clients have None there.
static vineyard_client* vy_client(PyObject* handle) {
  if (PyCapsule_IsValid(handle, "vineyard_client")) {
    return (vineyard_client*)PyCapsule_GetPointer(handle, "vineyard_client");
  }
  vy_raise_text(VY_CLOSED, "client: it is closed, connect again");
  return NULL;
}
%}

// ---- numbers, text, ids --------------------------------------------------------------------------

%typemap(out) int32_t {
  if ($1 != VINEYARD_OK) { vy_raise($1); SWIG_fail; }
  $result = SWIG_Py_Void();
}
// These answer a number and can not fail.
%define VY_ANSWERS_NUMBER(NAME)
%typemap(out) int32_t NAME { $result = PyLong_FromLong($1); }
%enddef
VY_ANSWERS_NUMBER(vineyard_abi_version)
VY_ANSWERS_NUMBER(vineyard_status_is_retryable)
VY_ANSWERS_NUMBER(vineyard_id_is_blob)
VY_ANSWERS_NUMBER(vineyard_client_is_connected)

// None stands for NULL, where the header allows it.
%typemap(in) const char* {
  if ($input == Py_None) {
    $1 = NULL;
  } else {
    $1 = (char*)vy_text($input, "$1_name");
    if ($1 == NULL) SWIG_fail;
  }
}
%typemap(freearg) const char* ""
%typemap(in) vineyard_id { if (!vy_id($input, &$1)) SWIG_fail; }
%typemap(in, numinputs=0) vineyard_id* id (vineyard_id made = 0), uint64_t* instance (uint64_t made = 0),
    uint64_t* revision (uint64_t made = 0), uint64_t* count (uint64_t made = 0),
    uint64_t* bytes (uint64_t made = 0), uint64_t* unchecked (uint64_t made = 0) {
  $1 = &made;
}
%typemap(argout) vineyard_id* id, uint64_t* instance, uint64_t* revision, uint64_t* count, uint64_t* bytes,
    uint64_t* unchecked {
  $result = vy_append($result, PyLong_FromUnsignedLongLong(*$1));
}
%typemap(in, numinputs=0) int32_t* exists (int32_t made = 0) { $1 = &made; }
%typemap(argout) int32_t* exists { $result = vy_append($result, PyBool_FromLong(*$1)); }

// A list of ids and its length.
%typemap(in) (const vineyard_id* ids, uint64_t count) (PyObject* items = NULL) {
  Py_ssize_t i, count;
  items = PySequence_Fast($input, "a sequence of object ids was expected");
  if (items == NULL) SWIG_fail;
  count = PySequence_Fast_GET_SIZE(items);
  $1 = (vineyard_id*)PyMem_Calloc(count + 1, sizeof(vineyard_id));
  if ($1 == NULL) { PyErr_NoMemory(); SWIG_fail; }
  for (i = 0; i < count; ++i) {
    if (!vy_id(PySequence_Fast_GET_ITEM(items, i), &$1[i])) SWIG_fail;
  }
  $2 = (uint64_t)count;
}
%typemap(freearg) (const vineyard_id* ids, uint64_t count) {
  PyMem_Free($1);
  Py_XDECREF(items$argnum);
}

// ---- handles ---------------------------------------------------------------------------------------

%define VY_HANDLE(TYPE, RELEASE)
%wrapper %{
static void TYPE##_free(PyObject* capsule) {
  TYPE* handle = (TYPE*)PyCapsule_GetPointer(capsule, #TYPE);
  VY_RELEASE(RELEASE(handle));
}
%}
%typemap(in) TYPE*, const TYPE* {
  $1 = (TYPE*)PyCapsule_GetPointer($input, #TYPE);
  if ($1 == NULL) SWIG_fail;
}
%typemap(in, numinputs=0) TYPE** (TYPE* made = NULL) { $1 = &made; }
%typemap(argout) TYPE** { $result = vy_append($result, PyCapsule_New(*$1, #TYPE, TYPE##_free)); }
%enddef
VY_HANDLE(vineyard_client, vineyard_client_release)
%typemap(in) vineyard_client*, const vineyard_client* {
  $1 = vy_client($input);
  if ($1 == NULL) SWIG_fail;
}
VY_HANDLE(vineyard_list, vineyard_list_release)
VY_HANDLE(vineyard_name_list, vineyard_name_list_release)

// ---- options: tuples of their members, in the order of the struct --------------------------------------

%typemap(in) const vineyard_connect_options* (vineyard_connect_options made) {
  vineyard_connect_options zero = VINEYARD_CONNECT_OPTIONS_INIT;
  long long timeout_ms;
  made = zero;
  if (!PyArg_ParseTuple($input, "LziII", &timeout_ms, &made.name, &made.share, &made.gid,
                        &made.daemon_uid)) {
    SWIG_fail;
  }
  made.timeout_ms = timeout_ms;
  made.keep_waiting = vy_keep_waiting;
  $1 = &made;
}
%typemap(in) const vineyard_delete_options* (vineyard_delete_options made) {
  vineyard_delete_options zero = VINEYARD_DELETE_OPTIONS_INIT;
  made = zero;
  if (!PyArg_ParseTuple($input, "pp", &made.force, &made.shallow)) SWIG_fail;
  $1 = &made;
}
%typemap(in) const vineyard_name_options* (vineyard_name_options made) {
  vineyard_name_options zero = VINEYARD_NAME_OPTIONS_INIT;
  unsigned long long expect;
  made = zero;
  if (!PyArg_ParseTuple($input, "ppK", &made.replace, &made.compare, &expect)) SWIG_fail;
  made.expect = expect;
  $1 = &made;
}
%typemap(in) const vineyard_list_options* (vineyard_list_options made) {
  vineyard_list_options zero = VINEYARD_LIST_OPTIONS_INIT;
  unsigned long long page, instance;
  PyObject *label, *value;
  made = zero;
  if (!PyArg_ParseTuple($input, "KKOO", &page, &instance, &label, &value)) SWIG_fail;
  made.page = page;
  made.instance = instance;
  if (label != Py_None && (made.label = vy_text(label, "a label")) == NULL) SWIG_fail;
  if (value != Py_None && (made.value = vy_text(value, "a label's value")) == NULL) SWIG_fail;
  $1 = &made;
}
%typemap(in) const vineyard_name_get_options* (vineyard_name_get_options made) {
  vineyard_name_get_options zero = VINEYARD_NAME_GET_OPTIONS_INIT;
  long long timeout_ms;
  made = zero;
  if (!PyArg_ParseTuple($input, "pL", &made.latest, &timeout_ms)) SWIG_fail;
  made.timeout_ms = timeout_ms;
  $1 = &made;
}

%init %{
  if (vy_await_end() != 0) return NULL;
%}

// ---- who may wait ----------------------------------------------------------------------------------------

%nothread;
%define VY_WAITS(NAME)
%thread NAME;
%enddef
VY_WAITS(vineyard_client_connect)
VY_WAITS(vineyard_client_close)
VY_WAITS(vineyard_client_instance)
VY_WAITS(vineyard_client_clear)
VY_WAITS(vineyard_client_trim)
VY_WAITS(vineyard_object_exists)
VY_WAITS(vineyard_object_wait)
VY_WAITS(vineyard_object_delete)
VY_WAITS(vineyard_object_persist)
VY_WAITS(vineyard_object_verify)
VY_WAITS(vineyard_object_evict)
VY_WAITS(vineyard_object_load)
VY_WAITS(vineyard_object_pin)
VY_WAITS(vineyard_object_unpin)
VY_WAITS(vineyard_label_set)
VY_WAITS(vineyard_list_open_with)
VY_WAITS(vineyard_name_put)
VY_WAITS(vineyard_name_get_with)
VY_WAITS(vineyard_instance_forget)
VY_WAITS(vineyard_name_drop)
VY_WAITS(vineyard_name_list_open)

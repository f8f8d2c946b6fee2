// This file is the only place that shows SWIG the C header. What a language does with it (typemaps,
// exceptions, what has types of its own) is said before, in <language>/: a typemap acts on what comes after it.

// SWIG knows no attributes.
#define __attribute__(what)

%ignore vineyard_value;
%rename(which) as;  // keywords of Python and Java; nothing of it is wrapped
%rename(truth) boolean;
%ignore vineyard_value_as;
// Structs are built from arguments and taken apart by functions of each language.
%ignore vineyard_tensor;
%ignore vineyard_instance;
%ignore vineyard_event;
%ignore vineyard_position;
%rename("$ignore", regextarget=1) "_(options|statistics)$";
%rename("$ignore", regextarget=1) "_INIT$";
// Of two functions that do the same, the one with options.
%ignore vineyard_name_get;
%ignore vineyard_list_open;
// Only for callers that hold a lock.
%ignore vineyard_thread_set_waiting;
%ignore vineyard_error_text;
%ignore vineyard_id_print;
%ignore vineyard_memory_copy;
%ignore vineyard_memory_is_shared;

%include "vineyard/vineyard.h"
%include "vineyard/cluster.h"
%include "vineyard/share.h"

// This file is the only place that shows SWIG the C header. What a language does with it (typemaps,
// exceptions) is said before, in <language>/rules.i: a typemap acts on what comes after it.

// SWIG knows no attributes.
#define __attribute__(what)

// Objects, blobs, writers and builders have types of their own in each language, which call the
// library directly; wrapping them one call at a time would be slow and unsafe.
%rename("$ignore", regextarget=1) "^vineyard_(blob|object|meta|value)_";
%rename("%s") vineyard_object_exists;
%rename("%s") vineyard_object_wait;
%rename("%s") vineyard_object_delete;
%rename("%s") vineyard_object_persist;
%ignore vineyard_value;
%rename(which) as;  // a keyword of Python; nothing of it is wrapped
%ignore vineyard_value_as;
%ignore vineyard_tensor;
// So have lists, which are read whole or page by page.
%rename("$ignore", regextarget=1) "^vineyard_(info|labels|types|list|name_list|instance_list|watch)_";
%rename("%s") vineyard_list_open_with;
%rename("%s") vineyard_name_list_open;
%ignore vineyard_types_get;
%ignore vineyard_labels_get;
%ignore vineyard_client_get_info;
%ignore vineyard_client_get_statistics;
%ignore vineyard_instance;
%ignore vineyard_event;
%ignore vineyard_position;
%ignore vineyard_client_revision;
%ignore vineyard_client_wait_revision;
%ignore vineyard_client_sync;
// Of two functions that do the same, the one with options.
%ignore vineyard_name_get;
// Option structs are built from arguments.
%rename("$ignore", regextarget=1) "_(options|statistics)$";
%rename("$ignore", regextarget=1) "_INIT$";
// The owner of a handle gives it back; nobody else does.
%rename("$ignore", regextarget=1) "_release$";
// Only for callers that hold a lock.
%ignore vineyard_thread_set_waiting;
%ignore vineyard_error_text;
%ignore vineyard_id_print;
%ignore vineyard_memory_copy;
%ignore vineyard_memory_is_shared;

%include "vineyard/vineyard.h"
%include "vineyard/cluster.h"

// This file is the only place that says what of the C header Python's own functions and types call
// directly: wrapping it one call at a time would be slow and unsafe.

// Objects, blobs, writers and builders have types of their own.
%rename("$ignore", regextarget=1) "^vineyard_(blob|object|meta|value|mapping)_";
%rename("%s") vineyard_object_exists;
%rename("%s") vineyard_object_wait;
%rename("%s") vineyard_object_delete;
%rename("%s") vineyard_object_persist;
%rename("%s") vineyard_object_verify;
%rename("%s") vineyard_object_evict;
%rename("%s") vineyard_object_load;
%rename("%s") vineyard_object_pin;
%rename("%s") vineyard_object_unpin;
// So have lists, which are read whole or page by page.
%rename("$ignore", regextarget=1) "^vineyard_(info|labels|types|list|name_list|instance_list|watch)_";
%rename("%s") vineyard_list_open_with;
%rename("%s") vineyard_name_list_open;
%ignore vineyard_types_get;
%ignore vineyard_labels_get;
%ignore vineyard_client_get_info;
%ignore vineyard_client_get_statistics;
%ignore vineyard_client_revision;
%ignore vineyard_client_wait_revision;
%ignore vineyard_client_sync;
// The owner of a handle gives it back; nobody else does.
%rename("$ignore", regextarget=1) "_release$";

// This file is the only place that says what of the C header Java does not call as it is: what takes or
// fills a struct has a function of its own in calls.i, with the same name and `vy_` in front.

%ignore vineyard_client_connect;
%ignore vineyard_client_close;
%ignore vineyard_client_release;
%ignore vineyard_client_get_statistics;
%ignore vineyard_client_get_info;
%ignore vineyard_client_revision;
%ignore vineyard_client_wait_revision;
%ignore vineyard_client_sync;
%rename("$ignore", regextarget=1) "^vineyard_(info|value)_";
%rename("$ignore", regextarget=1) "^vineyard_meta_set_";
%rename("$ignore", regextarget=1) "^vineyard_object_(field|member_(count|at|id))";
%ignore vineyard_object_put;
%ignore vineyard_object_delete;
%ignore vineyard_object_persist;
%ignore vineyard_object_tensor;
%rename("$ignore", regextarget=1) "^vineyard_labels_";
%rename("$ignore", regextarget=1) "^vineyard_types_";
%rename("$ignore", regextarget=1) "^vineyard_instance_list_";
%ignore vineyard_list_open_with;
%ignore vineyard_list_next;
%ignore vineyard_name_put;
%ignore vineyard_name_get_with;
%ignore vineyard_name_drop;
%ignore vineyard_name_list_next;
%ignore vineyard_watch_open;
%ignore vineyard_watch_next;
%ignore vineyard_watch_position;
%ignore vineyard_watch_fd;
// Is in vy_object_record.
%rename("$ignore", regextarget=1) "^vineyard_object_(type_name|nbytes|instance|is_(persisted|remote)|owner_.*|stale_.*)$";
%ignore vineyard_object_member_by_index;
// Of statuses, elements and ids Java knows all by itself.
%rename("$ignore", regextarget=1) "^vineyard_(status_|element_)";
%rename("$ignore", regextarget=1) "^(vineyard_id_(parse|is_blob)|VINEYARD_ID_|VINEYARD_REVISION_)";

// This file is the only place that has functions for Java that the C header has in another form or not at all: option
// structs are made from arguments, answers of several parts are long[] or the bytes of values.i, memory is direct buffers.
// `vy_name` calls vineyard_name where there is one. Like there, a failing status is an exception.

VY_ANSWERS_LONG(vy_client_connect)
VY_ANSWERS_LONG(vy_blob_writer_create)
VY_CHECKED(vy_client_close)
VY_CHECKED(vy_client_wait_revision)
VY_ANSWERS_LONG(vy_bytes_put)
VY_CHECKED(vy_object_put)
VY_CHECKED(vy_object_delete)
VY_CHECKED(vy_object_persist)
VY_ANSWERS_LONG(vy_list_open)
VY_ANSWERS_LONG(vy_name_put)
VY_CHECKED(vy_name_drop)
VY_ANSWERS_LONG(vy_watch_open)

%{
static jlongArray vy_position(JNIEnv* env, int32_t status, const vineyard_position* position) {
  jlong numbers[2];
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  numbers[0] = (jlong)position->generation;
  numbers[1] = (jlong)position->entries;
  return vy_longs(env, numbers, 2);
}
%}

%inline %{
// ---- client

static int32_t vy_client_connect(const char* path, int64_t timeout_ms, const char* name, int32_t share,
                                 int32_t gid, int32_t daemon_uid, vineyard_client** client) {
  vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
  options.share = share;
  options.gid = (uint32_t)gid;
  options.daemon_uid = (uint32_t)daemon_uid;
  options.timeout_ms = timeout_ms;
  options.name = name;
  options.keep_waiting = vy_keep_waiting;
  return vineyard_client_connect(path, &options, client);
}

static int32_t vy_client_close(vineyard_client* client) {
  int32_t status;
  ++vy_releasing;
  status = vineyard_client_close(client);
  --vy_releasing;
  return status;
}

static void vy_client_release(vineyard_client* client) {
  ++vy_releasing;
  vineyard_client_release(client);
  --vy_releasing;
}

// {requests, copied payload bytes, reconnects}
static jlongArray vy_client_counters(JNIEnv* env, vineyard_client* client) {
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  jlong numbers[3];
  int32_t status = vineyard_client_get_statistics(client, &statistics);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  numbers[0] = (jlong)statistics.requests;
  numbers[1] = (jlong)statistics.copied_payload_bytes;
  numbers[2] = (jlong)statistics.reconnects;
  return vy_longs(env, numbers, 3);
}

// A map of what the daemon reports of itself.
static jbyteArray vy_client_info(JNIEnv* env, vineyard_client* client) {
  vy_writer out = {0};
  vineyard_info* info = NULL;
  const char* name;
  const vineyard_value* value;
  uint64_t i;
  int32_t status = vineyard_client_get_info(client, &info);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  vy_put_tag(&out, VINEYARD_VALUE_MAP);
  vy_put_count(&out, vineyard_info_count(info));
  for (i = 0; vineyard_info_at(info, i, &name, &value) == VINEYARD_OK; ++i) {
    vy_put_string(&out, name);
    vy_put_value(&out, value);
  }
  vineyard_info_release(info);
  return vy_take(env, &out);
}

// ---- payloads

// The memory as a direct buffer; size below 2 GiB.
static jobject vy_buffer(JNIEnv* env, const void* data, int64_t size) {
  static char nothing;
  return (*env)->NewDirectByteBuffer(env, data == NULL ? &nothing : (void*)data, size);
}

// Where a direct buffer's memory begins.
static uint64_t vy_address(JNIEnv* env, jobject buffer) {
  return (uint64_t)(uintptr_t)(*env)->GetDirectBufferAddress(env, buffer);
}

static int32_t vy_memory_is_shared(const void* data, uint64_t size) {
  return vineyard_memory_is_shared(data, size);
}

// vineyard_blob_put of a part of an array in Java's heap: a small one, since it is copied for the call.
static int32_t vy_bytes_put(JNIEnv* env, vineyard_client* client, jbyteArray bytes, int32_t from,
                            int32_t size, int32_t kind, vineyard_id* id) {
  jbyte few[1024], *copy = size <= (int32_t)sizeof few ? few : (jbyte*)malloc((size_t)size);
  int32_t status = VINEYARD_OK;
  if (copy == NULL) {
    vy_throw_text(env, VINEYARD_E_HOST_MEMORY, "put: no memory for a copy of its bytes");
    return status;
  }
  (*env)->GetByteArrayRegion(env, bytes, from, size, copy);
  if (!(*env)->ExceptionCheck(env)) status = vineyard_blob_put(client, copy, (uint64_t)size, kind, id);
  if (copy != few) free(copy);
  return status;
}

static void* vy_memory_allocate(JNIEnv* env, int64_t size) {
  void* memory = malloc((size_t)size);
  if (memory == NULL) vy_throw_text(env, VINEYARD_E_HOST_MEMORY, "put: no memory for its small payloads");
  return memory;
}

static void vy_memory_free(void* memory) { free(memory); }

// ---- building

// Sets a field to a value in the bytes of values.i.
static void vy_meta_set(JNIEnv* env, vineyard_meta* meta, const char* name, jbyteArray encoded) {
  jsize size = (*env)->GetArrayLength(env, encoded);
  jbyte* bytes = (*env)->GetByteArrayElements(env, encoded, NULL);
  vineyard_value value;
  vy_reader in = {(const char*)bytes, (const char*)bytes + size, false};
  int32_t status;
  if (bytes == NULL) return;
  vy_get_value(&in, &value);
  if (in.failed || in.at != in.end) {
    vy_throw_text(env, VINEYARD_E_HOST_MEMORY, "field: its value can not be taken over, out of memory");
  } else {
    status = vineyard_meta_set_value(meta, name, &value);
    if (status != VINEYARD_OK) vy_throw(env, status);
  }
  vy_free_value(&value);
  (*env)->ReleaseByteArrayElements(env, encoded, bytes, JNI_ABORT);
}

static int32_t vy_blob_writer_create(vineyard_client* client, uint64_t size, int32_t kind, int32_t share,
                                     int32_t gid, vineyard_blob_writer** writer) {
  vineyard_blob_options options = VINEYARD_BLOB_OPTIONS_INIT;
  options.share = share;
  options.gid = (uint32_t)gid;
  return vineyard_blob_writer_create_with(client, size, kind, &options, writer);
}

// The id goes into `id[0]`, also of a failure after which the object exists.
static int32_t vy_object_put(JNIEnv* env, vineyard_client* client, vineyard_meta* meta, const char* name,
                             int32_t replace, int32_t persist, int32_t share, int32_t gid, jlongArray id) {
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  vineyard_id made = VINEYARD_ID_INVALID;
  jlong number;
  int32_t status;
  options.name = name;
  options.replace = replace;
  options.persist = persist;
  options.share = share;
  options.gid = (uint32_t)gid;
  status = vineyard_object_put(client, meta, &options, &made);
  number = (jlong)made;
  (*env)->SetLongArrayRegion(env, id, 0, 1, &number);
  return status;
}

// ---- reading

// All metadata of an object, a list: {type name, id, bytes, instance, persisted, remote, state and since and host
// of its owner, stale since, fields (map), members (map of ids), uid of its owner}.
static jbyteArray vy_object_record(JNIEnv* env, vineyard_object* object) {
  vy_writer out = {0};
  const vineyard_value* value;
  const char *name, *host = vineyard_object_owner_host(object);
  uint64_t size, i;
  vineyard_id id;
  vy_put_list(&out, 13);
  vy_put_string(&out, vineyard_object_type_name(object));
  vy_put_int64(&out, (int64_t)vineyard_object_id(object));
  vy_put_uint64(&out, vineyard_object_nbytes(object));
  vy_put_uint64(&out, vineyard_object_instance(object));
  vy_put_int64(&out, vineyard_object_is_persisted(object));
  vy_put_int64(&out, vineyard_object_is_remote(object));
  vy_put_int64(&out, vineyard_object_owner_state(object));
  vy_put_uint64(&out, vineyard_object_owner_since_ms(object));
  vy_put_string(&out, host == NULL ? "" : host);
  vy_put_uint64(&out, vineyard_object_stale_since_ms(object));
  vy_put_tag(&out, VINEYARD_VALUE_MAP);
  vy_put_count(&out, vineyard_object_field_count(object));
  for (i = 0; vineyard_object_field_at(object, i, &name, &size, &value) == VINEYARD_OK; ++i) {
    vy_put_text(&out, VINEYARD_VALUE_STRING, name, size);
    vy_put_value(&out, value);
  }
  vy_put_tag(&out, VINEYARD_VALUE_MAP);
  vy_put_count(&out, vineyard_object_member_count(object));
  for (i = 0; vineyard_object_member_at(object, i, &name, &size, &id) == VINEYARD_OK; ++i) {
    vy_put_text(&out, VINEYARD_VALUE_STRING, name, size);
    vy_put_int64(&out, (int64_t)id);
  }
  vy_put_int64(&out, vineyard_object_owner_uid(object));
  return vy_take(env, &out);
}

// {handle of the buffer's blob, its id, address and size, element, fortran, offset of the first element in the blob, bytes,
// sizes ...}
static jlongArray vy_object_tensor(JNIEnv* env, vineyard_object* object) {
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  vineyard_blob* blob = NULL;
  enum { kHeader = 8, kFew = 8 };
  jlong few[kHeader + kFew], *numbers = few;
  jlongArray made = NULL;
  int32_t i, status = vineyard_object_tensor(object, &tensor);
  if (status == VINEYARD_OK) status = vineyard_object_member_blob(object, "buffer_", &blob);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  if (tensor.dimensions > kFew) {
    numbers = (jlong*)malloc((kHeader + (size_t)tensor.dimensions) * sizeof *numbers);
  }
  if (numbers == NULL) {
    vy_throw_text(env, VINEYARD_E_HOST_MEMORY, "array: no memory for its shape");
  } else {
    numbers[0] = (jlong)(intptr_t)blob;
    numbers[1] = (jlong)vineyard_blob_id(blob);
    numbers[2] = (jlong)(intptr_t)vineyard_blob_data(blob);
    numbers[3] = (jlong)vineyard_blob_length(blob);
    numbers[4] = tensor.element;
    numbers[5] = tensor.is_fortran;
    numbers[6] = tensor.data_size == 0 ? 0 : (jlong)(intptr_t)tensor.data - numbers[2];
    numbers[7] = (jlong)tensor.data_size;
    for (i = 0; i < tensor.dimensions; ++i) numbers[kHeader + i] = tensor.shape[i];
    made = vy_longs(env, numbers, kHeader + tensor.dimensions);
  }
  if (numbers != few) free(numbers);
  if (made == NULL) vineyard_blob_release(blob);
  return made;
}

// The same of an object that is not open; its buffer alone is pinned from then on.
static jlongArray vy_client_tensor(JNIEnv* env, vineyard_client* client, vineyard_id id) {
  vineyard_object* object = NULL;
  jlongArray made = NULL;
  int32_t status = vineyard_object_get(client, id, &object);
  if (status == VINEYARD_OK) made = vy_object_tensor(env, object);
  else vy_throw(env, status);
  vineyard_object_release(object);
  return made;
}

// ---- many objects

static int32_t vy_object_delete(JNIEnv* env, vineyard_client* client, jlongArray ids, int32_t force,
                                int32_t shallow) {
  vineyard_delete_options options = VINEYARD_DELETE_OPTIONS_INIT;
  jlong* numbers = (*env)->GetLongArrayElements(env, ids, NULL);
  int32_t status;
  if (numbers == NULL) return VINEYARD_OK;  // an exception is pending
  options.force = force;
  options.shallow = shallow;
  status = vineyard_object_delete(client, (const vineyard_id*)numbers,
                                  (uint64_t)(*env)->GetArrayLength(env, ids), &options);
  (*env)->ReleaseLongArrayElements(env, ids, numbers, JNI_ABORT);
  return status;
}

static int32_t vy_object_persist(JNIEnv* env, vineyard_client* client, jlongArray ids) {
  jlong* numbers = (*env)->GetLongArrayElements(env, ids, NULL);
  int32_t status;
  if (numbers == NULL) return VINEYARD_OK;  // an exception is pending
  status = vineyard_object_persist(client, (const vineyard_id*)numbers,
                                   (uint64_t)(*env)->GetArrayLength(env, ids));
  (*env)->ReleaseLongArrayElements(env, ids, numbers, JNI_ABORT);
  return status;
}

static int32_t vy_list_open(vineyard_client* client, const char* pattern, uint64_t page, uint64_t instance,
                            const char* label, const char* value, vineyard_list** list) {
  vineyard_list_options options = VINEYARD_LIST_OPTIONS_INIT;
  options.page = page;
  options.instance = instance;
  options.label = label;
  options.value = value;
  return vineyard_list_open_with(client, pattern, &options, list);
}

// The next ids, at most 256; none at the end.
static jlongArray vy_list_next(JNIEnv* env, vineyard_list* list) {
  jlong ids[256];
  jsize count = 0;
  while (count < 256) {
    vineyard_id id = VINEYARD_ID_INVALID;
    int32_t status = vineyard_list_next(list, &id);
    if (status != VINEYARD_OK && count > 0) break;  // these first; the next call says what is wrong
    if (status != VINEYARD_OK) {
      vy_throw(env, status);
      return NULL;
    }
    if (id == VINEYARD_ID_INVALID) break;
    ids[count++] = (jlong)id;
  }
  return vy_longs(env, ids, count);
}

// A map of type names and numbers of objects.
static jbyteArray vy_types(JNIEnv* env, vineyard_client* client) {
  vy_writer out = {0};
  vineyard_types* types = NULL;
  const char* name;
  uint64_t objects, i;
  int32_t status = vineyard_types_get(client, &types);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  vy_put_tag(&out, VINEYARD_VALUE_MAP);
  vy_put_count(&out, vineyard_types_count(types));
  for (i = 0; vineyard_types_at(types, i, &name, &objects) == VINEYARD_OK; ++i) {
    vy_put_string(&out, name);
    vy_put_uint64(&out, objects);
  }
  vineyard_types_release(types);
  return vy_take(env, &out);
}

// A map of keys and values.
static jbyteArray vy_labels(JNIEnv* env, vineyard_client* client, vineyard_id id) {
  vy_writer out = {0};
  vineyard_labels* labels = NULL;
  const char *key, *value;
  uint64_t i;
  int32_t status = vineyard_labels_get(client, id, &labels);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  vy_put_tag(&out, VINEYARD_VALUE_MAP);
  vy_put_count(&out, vineyard_labels_count(labels));
  for (i = 0; vineyard_labels_at(labels, i, &key, &value) == VINEYARD_OK; ++i) {
    vy_put_string(&out, key);
    vy_put_string(&out, value);
  }
  vineyard_labels_release(labels);
  return vy_take(env, &out);
}

// ---- names

static int32_t vy_name_put(vineyard_client* client, const char* name, vineyard_id id, int32_t replace,
                           int32_t compare, uint64_t expect, uint64_t* revision) {
  vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
  options.replace = replace;
  options.compare = compare;
  options.expect = expect;
  return vineyard_name_put(client, name, id, &options, revision);
}

// {id, revision}
static jlongArray vy_name_get(JNIEnv* env, vineyard_client* client, const char* name, int32_t latest,
                              int64_t timeout_ms) {
  vineyard_name_get_options options = VINEYARD_NAME_GET_OPTIONS_INIT;
  uint64_t revision = 0;
  vineyard_id id = VINEYARD_ID_INVALID;
  jlong numbers[2];
  int32_t status;
  options.latest = latest;
  options.timeout_ms = timeout_ms;
  status = vineyard_name_get_with(client, name, &options, &id, &revision);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  numbers[0] = (jlong)id;
  numbers[1] = (jlong)revision;
  return vy_longs(env, numbers, 2);
}

static int32_t vy_name_drop(vineyard_client* client, const char* name, int32_t compare, uint64_t expect) {
  vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
  options.compare = compare;
  options.expect = expect;
  return vineyard_name_drop(client, name, &options);
}

// The next names, at most 256: a list of name, id, revision, name, id, revision, ...; empty at the end.
static jbyteArray vy_name_list_next(JNIEnv* env, vineyard_name_list* list) {
  vy_writer out = {0}, items = {0};
  uint64_t count = 0, revision;
  vineyard_id id;
  const char* name;
  int32_t status = VINEYARD_OK;
  while (count < 256) {
    status = vineyard_name_list_next(list, &name, &id, &revision);
    if (status != VINEYARD_OK || name == NULL) break;
    vy_put_string(&items, name);
    vy_put_int64(&items, (int64_t)id);
    vy_put_int64(&items, (int64_t)revision);
    ++count;
  }
  if (count > 0) status = VINEYARD_OK;  // these first; the next call says what is wrong
  if (status == VINEYARD_OK) {
    vy_put_list(&out, 3 * count);
    vy_put(&out, items.data, items.size);
    out.failed = out.failed || items.failed;
  }
  free(items.data);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  return vy_take(env, &out);
}

// ---- the cluster

// A list of instances, each a list: {number, lost, since, memory limit, epoch, uid, host, socket, endpoint}.
static jbyteArray vy_instances(JNIEnv* env, vineyard_client* client) {
  vy_writer out = {0};
  vineyard_instance_list* list = NULL;
  vineyard_instance instance = VINEYARD_INSTANCE_INIT;
  uint64_t i;
  int32_t status = vineyard_instance_list_get(client, &list);
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  vy_put_list(&out, vineyard_instance_list_count(list));
  for (i = 0; vineyard_instance_list_at(list, i, &instance) == VINEYARD_OK; ++i) {
    vy_put_list(&out, 9);
    vy_put_uint64(&out, instance.number);
    vy_put_int64(&out, instance.state);
    vy_put_uint64(&out, instance.since_ms);
    vy_put_uint64(&out, instance.memory_limit);
    vy_put_uint64(&out, instance.epoch);
    vy_put_uint64(&out, instance.uid);
    vy_put_string(&out, instance.host);
    vy_put_string(&out, instance.socket);
    vy_put_string(&out, instance.endpoint);
  }
  vineyard_instance_list_release(list);
  return vy_take(env, &out);
}

// {generation, entries}, like the next two.
static jlongArray vy_client_revision(JNIEnv* env, vineyard_client* client) {
  vineyard_position position = {0, 0};
  int32_t status = vineyard_client_revision(client, &position);
  return vy_position(env, status, &position);
}

static jlongArray vy_client_sync(JNIEnv* env, vineyard_client* client, int64_t timeout_ms) {
  vineyard_position position = {0, 0};
  int32_t status = vineyard_client_sync(client, timeout_ms, &position);
  return vy_position(env, status, &position);
}

static jlongArray vy_watch_position(JNIEnv* env, vineyard_watch* watch) {
  vineyard_position position = {0, 0};
  int32_t status = vineyard_watch_position(watch, &position);
  return vy_position(env, status, &position);
}

static int32_t vy_client_wait_revision(vineyard_client* client, uint64_t generation, uint64_t entries,
                                       int64_t timeout_ms) {
  vineyard_position position = {generation, entries};
  return vineyard_client_wait_revision(client, &position, timeout_ms);
}

static int32_t vy_watch_open(vineyard_client* client, uint64_t generation, uint64_t entries,
                             vineyard_watch** watch) {
  vineyard_position after = {generation, entries};
  return vineyard_watch_open(client, &after, watch);
}

// A list {kind, id, instance, name}; null when there was none in time.
static jbyteArray vy_watch_next(JNIEnv* env, vineyard_watch* watch, int64_t timeout_ms) {
  vy_writer out = {0};
  vineyard_event event = VINEYARD_EVENT_INIT;
  int32_t status = vineyard_watch_next(watch, timeout_ms, &event);
  if (status == VINEYARD_E_TIMEOUT) return NULL;
  if (status != VINEYARD_OK) {
    vy_throw(env, status);
    return NULL;
  }
  vy_put_list(&out, 4);
  vy_put_int64(&out, event.kind);
  vy_put_int64(&out, (int64_t)event.id);
  vy_put_uint64(&out, event.instance);
  vy_put_string(&out, event.name == NULL ? "" : event.name);
  return vy_take(env, &out);
}
%}

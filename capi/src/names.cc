// Existence, deletion, names and labels.
#include "capi/src/guard.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

namespace {

Status ReadIds(const vineyard_id* ids, uint64_t count, std::vector<ObjectId>* out) {
  if (ids == nullptr && count > 0) return NullPointer("ids");
  out->assign(ids, ids + count);
  for (ObjectId id : *out) {
    if (id == kInvalidId) return Invalid("ids: one of them is the invalid id");
  }
  return OkStatus();
}

}  // namespace

// ---- objects -------------------------------------------------------------------------------------

int32_t vineyard_object_exists(vineyard_client* client, vineyard_id id, int32_t* exists) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(exists);
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    ASSIGN_OR_RETURN(bool found, Of(client)->Exists(id));
    *exists = found ? 1 : 0;
    return OkStatus();
  });
}

int32_t vineyard_object_wait(vineyard_client* client, vineyard_id id, int64_t timeout_ms) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    RETURN_IF_ERROR(CheckTimeout(timeout_ms));
    return Of(client)->Wait(id, timeout_ms);
  });
}

int32_t vineyard_object_delete(vineyard_client* client, const vineyard_id* ids, uint64_t count,
                               const vineyard_delete_options* options) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    std::vector<ObjectId> list;
    RETURN_IF_ERROR(ReadIds(ids, count, &list));
    vineyard_delete_options known = VINEYARD_DELETE_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    if (list.empty()) return OkStatus();
    return Of(client)->Delete(list, known.force != 0, /*deep=*/known.shallow == 0);
  });
}

int32_t vineyard_object_persist(vineyard_client* client, const vineyard_id* ids, uint64_t count) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    std::vector<ObjectId> list;
    RETURN_IF_ERROR(ReadIds(ids, count, &list));
    return list.empty() ? OkStatus() : Of(client)->Persist(list);
  });
}

// ---- names ---------------------------------------------------------------------------------------

int32_t vineyard_name_put(vineyard_client* client, const char* name, vineyard_id id,
                          const vineyard_name_options* options, uint64_t* revision) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(name);
    vineyard_name_options known = VINEYARD_NAME_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    bool compare = known.compare != 0;
    ASSIGN_OR_RETURN(uint64_t now,
                     Of(client)->PutName(name, id, compare || known.replace != 0,
                                         compare ? known.expect : VINEYARD_REVISION_ANY));
    if (revision != nullptr) *revision = now;
    return OkStatus();
  });
}

int32_t vineyard_name_get(vineyard_client* client, const char* name, int64_t timeout_ms,
                          vineyard_id* id, uint64_t* revision) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(id);
    RETURN_IF_ERROR(CheckTimeout(timeout_ms));
    ASSIGN_OR_RETURN(client::NamedObject found, Of(client)->GetName(name, timeout_ms));
    *id = found.id;
    if (revision != nullptr) *revision = found.revision;
    return OkStatus();
  });
}

int32_t vineyard_name_get_with(vineyard_client* client, const char* name,
                               const vineyard_name_get_options* options, vineyard_id* id,
                               uint64_t* revision) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(id);
    vineyard_name_get_options known = VINEYARD_NAME_GET_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    RETURN_IF_ERROR(CheckTimeout(known.timeout_ms));
    ASSIGN_OR_RETURN(client::NamedObject found,
                     Of(client)->GetName(name, known.timeout_ms, known.latest != 0));
    *id = found.id;
    if (revision != nullptr) *revision = found.revision;
    return OkStatus();
  });
}

int32_t vineyard_name_drop(vineyard_client* client, const char* name,
                           const vineyard_name_options* options) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(name);
    vineyard_name_options known = VINEYARD_NAME_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    return Of(client)->DropName(name, known.compare != 0 ? known.expect : VINEYARD_REVISION_ANY);
  });
}

// ---- labels --------------------------------------------------------------------------------------

struct vineyard_labels {
  client::Labels labels;
};

int32_t vineyard_label_set(vineyard_client* client, vineyard_id id, const char* key,
                           const char* value) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(key);
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    return Of(client)->SetLabel(id, key, value != nullptr ? value : "");
  });
}

int32_t vineyard_labels_get(vineyard_client* client, vineyard_id id, vineyard_labels** labels) {
  if (labels != nullptr) *labels = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(labels);
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    ASSIGN_OR_RETURN(client::Labels got, Of(client)->GetLabels(id));
    *labels = new vineyard_labels{std::move(got)};
    return OkStatus();
  });
}

uint64_t vineyard_labels_count(const vineyard_labels* labels) {
  return labels != nullptr ? labels->labels.size() : 0;
}

int32_t vineyard_labels_at(const vineyard_labels* labels, uint64_t index, const char** key,
                           const char** value) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(labels);
    RETURN_IF_NULL(key);
    RETURN_IF_NULL(value);
    if (index >= labels->labels.size()) return NotFound("labels: the index is behind the last one");
    *key = labels->labels[index].first.c_str();
    *value = labels->labels[index].second.c_str();
    return OkStatus();
  });
}

void vineyard_labels_release(vineyard_labels* labels) { delete labels; }

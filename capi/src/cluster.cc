// Instances, how far knowledge reaches, and changes as they happen.
#include <memory>

#include "capi/src/handles.h"
#include "core/client/watch.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

static_assert(VINEYARD_INSTANCE_ALIVE == static_cast<int32_t>(wire::OwnerState::kAlive));
static_assert(VINEYARD_INSTANCE_LOST == static_cast<int32_t>(wire::OwnerState::kLost));
static_assert(VINEYARD_EVENT_CREATED == static_cast<int32_t>(wire::EventKind::kCreated));
static_assert(VINEYARD_EVENT_DELETED == static_cast<int32_t>(wire::EventKind::kDeleted));
static_assert(VINEYARD_EVENT_NAMED == static_cast<int32_t>(wire::EventKind::kNamed));
static_assert(VINEYARD_EVENT_DROPPED == static_cast<int32_t>(wire::EventKind::kDropped));
static_assert(VINEYARD_EVENT_JOINED == static_cast<int32_t>(wire::EventKind::kJoined));
static_assert(VINEYARD_EVENT_LOST == static_cast<int32_t>(wire::EventKind::kLost));
static_assert(VINEYARD_EVENT_FORGOTTEN == static_cast<int32_t>(wire::EventKind::kForgotten));
static_assert(VINEYARD_EVENT_LABELLED == static_cast<int32_t>(wire::EventKind::kLabelled));
static_assert(VINEYARD_EVENT_COMPACTED == static_cast<int32_t>(wire::EventKind::kCompacted));

namespace {

const client::RemoteTree* RemoteOf(const vineyard_object* object) {
  return object != nullptr ? object->view->remote() : nullptr;
}

vineyard_position PositionOf(const wire::LogPosition& position) {
  return {position.generation, position.entries};
}

}  // namespace

// ---- objects of other instances ------------------------------------------------------------------

int32_t vineyard_object_is_remote(const vineyard_object* object) {
  return RemoteOf(object) != nullptr ? 1 : 0;
}

int32_t vineyard_object_is_global(vineyard_object* object, int32_t* global) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(global);
    ASSIGN_OR_RETURN(bool is_global, object->view->IsGlobal());
    *global = is_global ? 1 : 0;
    return OkStatus();
  });
}

int32_t vineyard_object_owner_state(const vineyard_object* object) {
  const client::RemoteTree* remote = RemoteOf(object);
  return remote != nullptr ? static_cast<int32_t>(remote->owner()) : VINEYARD_INSTANCE_ALIVE;
}

uint64_t vineyard_object_owner_since_ms(const vineyard_object* object) {
  const client::RemoteTree* remote = RemoteOf(object);
  return remote != nullptr ? remote->since_ms() : 0;
}

const char* vineyard_object_owner_host(const vineyard_object* object) {
  const client::RemoteTree* remote = RemoteOf(object);
  return remote != nullptr ? remote->host().c_str() : "";
}

uint64_t vineyard_object_stale_since_ms(const vineyard_object* object) {
  const client::RemoteTree* remote = RemoteOf(object);
  return remote != nullptr ? remote->stale_since_ms() : 0;
}

// ---- instances -----------------------------------------------------------------------------------

struct vineyard_instance_list {
  std::vector<wire::InstancesAnswer::Item> items;
};

int32_t vineyard_instance_list_get(vineyard_client* client, vineyard_instance_list** list) {
  if (list != nullptr) *list = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(list);
    ASSIGN_OR_RETURN(auto items, Of(client)->ListInstances());
    *list = new vineyard_instance_list{std::move(items)};
    return OkStatus();
  });
}

uint64_t vineyard_instance_list_count(const vineyard_instance_list* list) {
  return list != nullptr ? list->items.size() : 0;
}

int32_t vineyard_instance_list_at(const vineyard_instance_list* list, uint64_t index,
                                  vineyard_instance* instance) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(list);
    RETURN_IF_NULL(instance);
    if (index >= list->items.size()) {
      return NotFound("instances: the index is behind the last one");
    }
    const wire::InstancesAnswer::Item& item = list->items[index];
    vineyard_instance full = VINEYARD_INSTANCE_INIT;
    full.state = static_cast<int32_t>(item.state);
    full.number = item.number;
    full.since_ms = item.since_ms;
    full.memory_limit = item.memory_limit;
    full.epoch = item.epoch;
    full.uid = item.uid;
    full.host = item.host.c_str();
    full.socket = item.socket.c_str();
    full.endpoint = item.endpoint.c_str();
    return WriteStruct(full, instance);
  });
}

void vineyard_instance_list_release(vineyard_instance_list* list) { delete list; }

int32_t vineyard_instance_forget(vineyard_client* client, uint64_t number) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    if (number == 0 || number > kMaxInstance) {
      return Invalid(Format("instance %llu: no instance has this number",
                            static_cast<unsigned long long>(number)));
    }
    return Of(client)->ForgetInstance(number);
  });
}

// ---- how far knowledge reaches -------------------------------------------------------------------

int32_t vineyard_client_revision(vineyard_client* client, vineyard_position* position) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(position);
    ASSIGN_OR_RETURN(wire::LogPosition now, Of(client)->Sync({wire::Sync::Kind::kNow, {}}));
    *position = PositionOf(now);
    return OkStatus();
  });
}

int32_t vineyard_client_wait_revision(vineyard_client* client, const vineyard_position* position,
                                      int64_t timeout_ms) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(position);
    RETURN_IF_ERROR(CheckTimeout(timeout_ms));
    wire::Sync question{wire::Sync::Kind::kAtLeast, {position->generation, position->entries}};
    return Of(client)->Sync(question, timeout_ms).status();
  });
}

int32_t vineyard_client_sync(vineyard_client* client, int64_t timeout_ms,
                             vineyard_position* position) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_ERROR(CheckTimeout(timeout_ms));
    ASSIGN_OR_RETURN(wire::LogPosition now,
                     Of(client)->Sync({wire::Sync::Kind::kBarrier, {}}, timeout_ms));
    if (position != nullptr) *position = PositionOf(now);
    return OkStatus();
  });
}

// ---- changes -------------------------------------------------------------------------------------

struct vineyard_watch {
  std::unique_ptr<client::Watch> watch;
};

int32_t vineyard_watch_open(vineyard_client* client, const vineyard_position* after,
                            vineyard_watch** watch) {
  if (watch != nullptr) *watch = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(watch);
    if (Of(client)->is_closed()) return Invalid("client: it is closed");
    wire::LogPosition from;
    if (after != nullptr) from = {after->generation, after->entries};
    auto made = std::make_unique<vineyard_watch>();
    ASSIGN_OR_RETURN(made->watch, client::Watch::Open(Of(client)->shared_from_this(), from));
    *watch = made.release();
    return OkStatus();
  });
}

int32_t vineyard_watch_next(vineyard_watch* watch, int64_t timeout_ms, vineyard_event* event) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(watch);
    RETURN_IF_NULL(event);
    RETURN_IF_ERROR(CheckTimeout(timeout_ms));
    if (event->struct_size < sizeof event->struct_size) {
      return Invalid("struct_size: it is not set");  // before an event is taken for it
    }
    ASSIGN_OR_RETURN(const client::Watch::Event* next, watch->watch->Next(timeout_ms));
    vineyard_event full = VINEYARD_EVENT_INIT;
    full.kind = static_cast<int32_t>(next->kind);
    full.id = next->id;
    full.instance = next->instance;
    full.name = next->name.c_str();
    return WriteStruct(full, event);
  });
}

int32_t vineyard_watch_fd(const vineyard_watch* watch) {
  return watch != nullptr ? watch->watch->fd() : -1;
}

int32_t vineyard_watch_position(const vineyard_watch* watch, vineyard_position* position) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(watch);
    RETURN_IF_NULL(position);
    *position = PositionOf(watch->watch->position());
    return OkStatus();
  });
}

void vineyard_watch_release(vineyard_watch* watch) {
  Guarded([&] {
    delete watch;
    return OkStatus();
  });
}

// A client's life, and what the daemon reports of itself.
#include <deque>

#include "capi/src/guard.h"
#include "core/client/verify.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

int32_t vineyard_client_connect(const char* path, const vineyard_connect_options* options,
                                vineyard_client** client) {
  if (client != nullptr) *client = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    vineyard_connect_options known = VINEYARD_CONNECT_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    if (path != nullptr && *path == '\0')
      return Invalid("path: it is empty; NULL stands for the default socket");
    if (known.timeout_ms < 0) return Invalid("timeout_ms: it is negative");
    client::ConnectOptions wanted;
    if (path != nullptr) wanted.path = path;
    if (known.name != nullptr) wanted.client_name = known.name;
    wanted.timeout_ms = known.timeout_ms;
    wanted.keep_waiting = known.keep_waiting;
    wanted.daemon_uid = known.daemon_uid;
    RETURN_IF_ERROR(ReadShare(known.share, known.gid, &wanted.share));
    ASSIGN_OR_RETURN(client::Client * made, client::Client::Connect(wanted));
    *client = HandleOf(made);
    return OkStatus();
  });
}

int32_t vineyard_client_close(vineyard_client* client) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    Of(client)->Close();
    return OkStatus();
  });
}

void vineyard_client_release(vineyard_client* client) {
  if (client == nullptr) return;
  Guarded([&] {
    Of(client)->Release();
    return OkStatus();
  });
}

int32_t vineyard_client_is_connected(const vineyard_client* client) {
  return client != nullptr && Of(client)->is_connected() ? 1 : 0;
}

const char* vineyard_client_socket(const vineyard_client* client) {
  return client != nullptr ? Of(client)->path().c_str() : "";
}

int32_t vineyard_client_instance(vineyard_client* client, uint64_t* instance) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(instance);
    RETURN_IF_ERROR(Of(client)->EnsureSession(Of(client)->PatienceOf()).status());
    *instance = Of(client)->instance();
    return OkStatus();
  });
}

int32_t vineyard_client_get_statistics(const vineyard_client* client,
                                       vineyard_client_statistics* statistics) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(statistics);
    client::ClientStatistics now = Of(client)->statistics();
    vineyard_client_statistics full = VINEYARD_CLIENT_STATISTICS_INIT;
    full.requests = now.requests;
    full.copied_payload_bytes = now.copied_payload_bytes;
    full.reconnects = now.reconnects;
    return WriteStruct(full, statistics);
  });
}

void vineyard_client_add_copied(vineyard_client* client, uint64_t bytes) {
  if (client != nullptr) Of(client)->AddCopied(bytes);
}

int32_t vineyard_client_clear(vineyard_client* client, uint64_t* count) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    ASSIGN_OR_RETURN(uint64_t objects, Of(client)->Clear());
    if (count != nullptr) *count = objects;
    return OkStatus();
  });
}

int32_t vineyard_object_verify(vineyard_client* client, vineyard_id id, uint64_t* unchecked) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    client::Verified verified;
    RETURN_IF_ERROR(client::VerifyTree(Of(client), id, &verified));
    if (unchecked != nullptr) *unchecked = verified.unchecked_bytes;
    return OkStatus();
  });
}

int32_t vineyard_object_evict(vineyard_client* client, vineyard_id id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    return Of(client)->Evict(id);
  });
}

int32_t vineyard_object_load(vineyard_client* client, vineyard_id id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    return Of(client)->Load(id);
  });
}

int32_t vineyard_object_pin(vineyard_client* client, vineyard_id id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    return Of(client)->Pin(id);
  });
}

int32_t vineyard_object_unpin(vineyard_client* client, vineyard_id id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    return Of(client)->Unpin(id);
  });
}

int32_t vineyard_client_trim(vineyard_client* client, uint64_t* bytes) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    ASSIGN_OR_RETURN(uint64_t trimmed, Of(client)->Trim());
    if (bytes != nullptr) *bytes = trimmed;
    return OkStatus();
  });
}

// ---- info ----------------------------------------------------------------------------------------

struct vineyard_info {
  client::Client::Info info;
  std::deque<std::pair<const char*, Value>> entries;
};

int32_t vineyard_client_get_info(vineyard_client* client, vineyard_info** info) {
  if (info != nullptr) *info = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(info);
    ASSIGN_OR_RETURN(client::Client::Info got, Of(client)->GetInfo());
    auto made = std::make_unique<vineyard_info>();
    made->info = std::move(got);
    for (const auto& [name, number] : made->info.numbers) {
      made->entries.emplace_back(name.c_str(), Value::Uint64(number));
    }
    for (const auto& [name, text] : made->info.texts) {
      made->entries.emplace_back(name.c_str(), Value::String(text));
    }
    *info = made.release();
    return OkStatus();
  });
}

uint64_t vineyard_info_count(const vineyard_info* info) {
  return info != nullptr ? info->entries.size() : 0;
}

int32_t vineyard_info_at(const vineyard_info* info, uint64_t index, const char** name,
                         const vineyard_value** value) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(info);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(value);
    if (index >= info->entries.size()) return NotFound("info: the index is behind the last entry");
    *name = info->entries[index].first;
    *value = HandleOf(&info->entries[index].second);
    return OkStatus();
  });
}

void vineyard_info_release(vineyard_info* info) { delete info; }

// The messages about what other instances have; the others are in messages.cc and changes.cc.
#include "core/object/pack.h"
#include "core/wire/fields.h"
#include "core/wire/messages.h"

namespace vineyard::wire {
namespace {

void ReadState(Fields* fields, OwnerState* state) {
  uint64_t number = 0;
  fields->Uint("state", &number, static_cast<uint64_t>(OwnerState::kLost));
  *state = static_cast<OwnerState>(number);
}

void PackPosition(const LogPosition& position, Packer* packer) {
  packer->Uint(position.generation).Uint(position.entries);
}

void ReadPosition(Fields* fields, LogPosition* position) {
  fields->Uint("generation", &position->generation).Uint("entries", &position->entries);
}

}  // namespace

// ---- find ----

void Find::Encode(std::string* out) const {
  Packer(out).Array(5).Uint(id).String(name).Bool(labels).Uint(timeout_ms).Bool(latest);
}

Result<Find> Find::Decode(const Value& body) {
  Find find;
  Fields fields("find", body);
  fields.Uint("id", &find.id).Text("name", &find.name).Bool("labels", &find.labels);
  fields.Uint("timeout", &find.timeout_ms).Bool("latest", &find.latest);
  return Finish(fields, std::move(find));
}

namespace {

// [instance, state, since, host, stale since, nodes, labels]; a node is [id, record] or [id, kind, size].
void PackRemote(const RemoteObject& remote, Packer* packer) {
  packer->Array(7).Uint(remote.instance).Uint(static_cast<uint64_t>(remote.owner));
  packer->Uint(remote.since_ms).String(remote.host).Uint(remote.stale_since_ms);
  packer->Array(remote.nodes.size());
  for (const RemoteNode& node : remote.nodes) {
    if (IsBlobId(node.id)) {
      packer->Array(3).Uint(node.id).Uint(static_cast<uint64_t>(node.kind)).Uint(node.value_size);
    } else {
      packer->Array(2).Uint(node.id).Bytes(node.record);
    }
  }
  packer->Map(remote.labels.size());
  for (const auto& [key, value] : remote.labels) packer->String(key).String(value);
}

Result<RemoteNode> ReadNode(const Value& value) {
  RemoteNode node;
  Fields fields("remote node", value);
  fields.Uint("id", &node.id);
  if (!IsBlobId(node.id)) {
    fields.Bytes("record", &node.record);
  } else {
    uint64_t kind = 0;
    fields.Uint("kind", &kind, static_cast<uint64_t>(BlobKind::kByteArray));
    fields.Uint("size", &node.value_size, INT64_MAX);
    if (kind < static_cast<uint64_t>(BlobKind::kBuffer)) {
      fields.Fail(Bad("remote node", "kind", "that of a blob"));
    }
    node.kind = static_cast<BlobKind>(kind);
  }
  return Finish(fields, std::move(node));
}

Result<RemoteObject> ReadRemote(const Value& value) {
  RemoteObject remote;
  Fields fields("remote object", value);
  fields.Uint("instance", &remote.instance, kMaxInstance);
  ReadState(&fields, &remote.owner);
  fields.Uint("since", &remote.since_ms).Text("host", &remote.host);
  fields.Uint("stale since", &remote.stale_since_ms);
  const Value* nodes = fields.List("nodes");
  for (uint64_t i = 0; nodes != nullptr && i < nodes->size; ++i) {
    ASSIGN_OR_RETURN(RemoteNode node, ReadNode(nodes->as.items[i]));
    remote.nodes.push_back(node);
  }
  const Value* labels = fields.Map("labels");
  for (uint64_t i = 0; labels != nullptr && i < labels->size; ++i) {
    const Value* pair = labels->as.items + 2 * i;
    if (!pair[1].is(ValueType::kString)) return Bad("remote object", "labels", "text");
    remote.labels.emplace_back(pair[0].text(), pair[1].text());
  }
  if (remote.nodes.empty()) fields.Fail(Bad("remote object", "nodes", "one or more"));
  return Finish(fields, std::move(remote));
}

}  // namespace

void FindAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, kind == Kind::kRemote ? 2 : kind == Kind::kSlot ? 4 : 3);
  packer.Uint(static_cast<uint64_t>(kind));
  switch (kind) {
    case Kind::kSlot:
      packer.Uint(slot).Uint(word).Uint(audience);
      break;
    case Kind::kRemote:
      PackRemote(remote, &packer);
      break;
    case Kind::kName:
      packer.Uint(name.id).Uint(name.revision);
      break;
  }
}

Result<FindAnswer> FindAnswer::Decode(const Answer& answer) {
  FindAnswer found;
  Fields fields("find", answer);
  uint64_t kind = 0;
  fields.Uint("kind", &kind, static_cast<uint64_t>(Kind::kName));
  found.kind = static_cast<Kind>(kind);
  switch (found.kind) {
    case Kind::kSlot:
      fields.Uint("slot", &found.slot, UINT32_MAX - 1).Uint("word", &found.word);
      if (fields.HasMore()) {
        uint64_t audience = 0;
        fields.Uint("audience", &audience, UINT16_MAX);
        found.audience = static_cast<uint16_t>(audience);
      }
      break;
    case Kind::kRemote: {
      const Value* remote = fields.List("remote");
      if (remote == nullptr) break;
      ASSIGN_OR_RETURN(found.remote, ReadRemote(*remote));
      break;
    }
    case Kind::kName:
      fields.Uint("name's object", &found.name.id).Uint("revision", &found.name.revision);
      break;
  }
  return Finish(fields, std::move(found));
}

// ---- instances ----

void InstancesAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 1);
  packer.Array(instances.size());
  for (const Item& item : instances) {
    packer.Array(9).Uint(item.number).Uint(static_cast<uint64_t>(item.state)).Uint(item.since_ms);
    packer.Uint(item.memory_limit).Uint(item.epoch).Uint(item.uid);
    packer.String(item.host).String(item.socket).String(item.endpoint);
  }
}

Result<InstancesAnswer> InstancesAnswer::Decode(const Answer& answer) {
  InstancesAnswer list;
  Fields fields("instances", answer);
  const Value* instances = fields.List("instances");
  for (uint64_t i = 0; instances != nullptr && i < instances->size; ++i) {
    Item item;
    std::string_view host, socket, endpoint;
    Fields of("instances", instances->as.items[i]);
    of.Uint("number", &item.number, kMaxInstance);
    ReadState(&of, &item.state);
    of.Uint("since", &item.since_ms).Uint("memory limit", &item.memory_limit);
    of.Uint("epoch", &item.epoch).Uint("uid", &item.uid);
    of.Text("host", &host).Text("socket", &socket).Text("endpoint", &endpoint);
    if (!of.status().ok()) return of.status();
    item.host = host;
    item.socket = socket;
    item.endpoint = endpoint;
    list.instances.push_back(std::move(item));
  }
  return Finish(fields, std::move(list));
}

void ForgetInstance::Encode(std::string* out) const { Packer(out).Array(1).Uint(number); }

Result<ForgetInstance> ForgetInstance::Decode(const Value& body) {
  ForgetInstance forget;
  Fields fields("forget instance", body);
  fields.Uint("number", &forget.number, kMaxInstance);
  return Finish(fields, std::move(forget));
}

// ---- the log ----

void Sync::Encode(std::string* out) const {
  Packer packer(out);
  packer.Array(3).Uint(static_cast<uint64_t>(kind));
  PackPosition(at_least, &packer);
}

Result<Sync> Sync::Decode(const Value& body) {
  Sync sync;
  uint64_t kind = 0;
  Fields fields("sync", body);
  fields.Uint("kind", &kind, static_cast<uint64_t>(Kind::kAtLeast));
  ReadPosition(&fields, &sync.at_least);
  sync.kind = static_cast<Kind>(kind);
  return Finish(fields, std::move(sync));
}

void SyncAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 2);
  PackPosition(position, &packer);
}

Result<SyncAnswer> SyncAnswer::Decode(const Answer& answer) {
  SyncAnswer sync;
  Fields fields("sync", answer);
  ReadPosition(&fields, &sync.position);
  return Finish(fields, std::move(sync));
}

void Watch::Encode(std::string* out) const {
  Packer packer(out);
  packer.Array(4);
  PackPosition(after, &packer);
  packer.Uint(timeout_ms).Uint(limit);
}

Result<Watch> Watch::Decode(const Value& body) {
  Watch watch;
  Fields fields("watch", body);
  ReadPosition(&fields, &watch.after);
  fields.Uint("timeout", &watch.timeout_ms).Uint("limit", &watch.limit, kMaxPage);
  if (watch.limit == 0) fields.Fail(Invalid("watch: at most 0 events are wanted"));
  return Finish(fields, std::move(watch));
}

void WatchAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 3);
  PackPosition(position, &packer);
  packer.Array(events.size());
  for (const Event& event : events) {
    packer.Array(4).Uint(static_cast<uint64_t>(event.kind)).Uint(event.id);
    packer.Uint(event.instance).String(event.name);
  }
}

Result<WatchAnswer> WatchAnswer::Decode(const Answer& answer) {
  WatchAnswer watch;
  Fields fields("watch", answer);
  ReadPosition(&fields, &watch.position);
  const Value* events = fields.List("events");
  for (uint64_t i = 0; events != nullptr && i < events->size; ++i) {
    Event event;
    uint64_t kind = 0;
    std::string_view name;
    Fields of("watch", events->as.items[i]);
    of.Uint("kind", &kind, UINT8_MAX).Uint("id", &event.id);
    of.Uint("instance", &event.instance, kMaxInstance).Text("name", &name);
    if (!of.status().ok()) return of.status();
    event.kind = static_cast<EventKind>(kind);
    event.name = name;
    watch.events.push_back(std::move(event));
  }
  return Finish(fields, std::move(watch));
}

}  // namespace vineyard::wire

#include "core/client/remote.h"

#include <ctime>

#include "core/object/ids.h"

namespace vineyard::client {
namespace {

// "2024-05-01 12:00:00 UTC"
std::string PrintTime(uint64_t unix_ms) {
  auto seconds = static_cast<time_t>(unix_ms / 1000);
  tm parts{};
  char text[64];
  if (gmtime_r(&seconds, &parts) == nullptr) return Format("second %llu", unix_ms / 1000ULL);
  text[strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)] = '\0';
  return text;
}

}  // namespace

Result<RemoteTreePtr> RemoteTree::Make(ObjectId id, const wire::RemoteObject& object) {
  if (object.nodes.empty() || object.nodes[0].id != id) {
    return Protocol("find: the daemon answered for another object than " + PrintId(id));
  }
  std::shared_ptr<RemoteTree> tree(new RemoteTree);
  tree->instance_ = object.instance;
  tree->since_ms_ = object.since_ms;
  tree->stale_since_ms_ = object.stale_since_ms;
  tree->owner_ = object.owner;
  tree->host_ = object.host;
  uint64_t size = 0;
  for (const wire::RemoteNode& node : object.nodes) size += node.record.size();
  tree->records_.reserve(size);
  tree->nodes_.reserve(object.nodes.size());
  for (wire::RemoteNode node : object.nodes) {
    uint64_t offset = tree->records_.size();
    tree->records_.append(node.record);
    node.record = {tree->records_.data() + offset, node.record.size()};
    tree->places_.try_emplace(node.id, tree->nodes_.size());
    tree->nodes_.push_back(node);
  }
  return RemoteTreePtr(std::move(tree));
}

const wire::RemoteNode* RemoteTree::Find(ObjectId id) const {
  auto place = places_.find(id);
  return place == places_.end() ? nullptr : &nodes_[place->second];
}

Status RemoteTree::NoPayload(ObjectId id) const {
  std::string object = (IsBlobId(id) ? "blob " : "object ") + PrintId(id);
  std::string where = Format("instance %llu", static_cast<unsigned long long>(instance_));
  if (!host_.empty()) where += " on host " + host_;
  if (owner_ == wire::OwnerState::kLost) {
    return {Code::kLost,
            object + ": its payload is lost: " + where + " is gone since " + PrintTime(since_ms_) +
                "; start its vineyardd if its memory is still there, else put it again"};
  }
  return {Code::kRemote, object + ": its payload is in the memory of " + where +
                             "; read it through the vineyardd there"};
}

}  // namespace vineyard::client

// This file is the only place that keeps what a daemon said of objects of other instances: metadata,
// copied once, shared by the object that was asked for and the members below it.
// Thread-safe after it is made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/wire/messages.h"

namespace vineyard::client {

class RemoteTree {
 public:
  // kProtocol: it is not about `id`.
  static Result<std::shared_ptr<const RemoteTree>> Make(ObjectId id,
                                                        const wire::RemoteObject& object);

  uint64_t instance() const { return instance_; }
  wire::OwnerState owner() const { return owner_; }
  uint64_t since_ms() const { return since_ms_; }
  const std::string& host() const { return host_; }
  uint64_t stale_since_ms() const { return stale_since_ms_; }
  const std::vector<wire::RemoteNode>& nodes() const { return nodes_; }
  // Null: it is no object of this tree.
  const wire::RemoteNode* Find(ObjectId id) const;
  // Why the payload of `id` can not be had here: kRemote, or kLost when its instance is gone.
  Status NoPayload(ObjectId id) const;

 private:
  RemoteTree() = default;

  uint64_t instance_ = 0, since_ms_ = 0, stale_since_ms_ = 0;
  wire::OwnerState owner_ = wire::OwnerState::kAlive;
  std::string host_;
  std::string records_;                  // of all nodes, which point into it
  std::vector<wire::RemoteNode> nodes_;  // the object that was asked for first
  std::unordered_map<ObjectId, uint64_t> places_;
};

using RemoteTreePtr = std::shared_ptr<const RemoteTree>;

}  // namespace vineyard::client

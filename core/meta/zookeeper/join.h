// This file is the only place that makes an instance part of a cluster: the layout when there is none, a number,
// an epoch and its fence.
#pragma once

#include <functional>
#include <string>

#include "core/meta/model.h"
#include "core/meta/zookeeper/connection.h"
#include "core/meta/zookeeper/guard.h"
#include "core/meta/zookeeper/schema.h"

namespace vineyard::meta::zookeeper {

struct Joined {
  std::string cluster;
  Instance self;      // with its number and epoch
  std::string fence;  // path
};

// One attempt on one connection: waits for it, retries what others' changes refuse, and ends with the connection.
class Join {
 public:
  using Done = std::function<void(Result<Joined>)>;
  // `self`: number 0 takes any that is free. A number in a cluster other than `cluster` is taken only if it is
  // free, or was left there by a daemon of the same host and socket, else another is. With an epoch it was part of the cluster in this life: kConflict when another daemon
  // has taken its place since.
  Join(Connection* connection, const Paths* paths, Instance self, std::string cluster, Done done);

 private:
  void ReadFormat();
  void CheckOwner(std::vector<std::string> paths);
  void MakePrefix(size_t from);
  void MakeLayout();
  void ReadPlace();
  void ReadFences(int32_t version);
  void ReadLog(int32_t version, bool has_old_fence);
  void TakeEpoch(int32_t version, bool has_old_fence, const LogState& log, int32_t log_version);
  void ReplaceLost(LogState log, int32_t version);
  void CheckFence();
  void Retry(const vineyard::Status& why, void (Join::*step)());
  void End(Result<Joined> result);
  Deadline Soon() const { return Deadline::After(10000); }
  template <typename Value>
  bool Failed(const Result<Value>& result) {
    if (result.ok()) return false;
    End(result.status());
    return true;
  }

  // Likewise of the node's body.
  template <typename Value>
  bool IsDamaged(const Result<Value>& body, const std::string& path) {
    if (body.ok()) return false;
    End(vineyard::Status(body.status().code(), path + ": " + body.status().text()));
    return true;
  }

  Connection* const connection_;
  const Paths* const paths_;
  const std::string known_cluster_;
  Joined joined_;
  uint64_t old_epoch_ = 0;
  const bool had_number_;
  const bool was_member_;  // in this life
  bool may_change_number_;
  int attempts_ = 0;
  int half_made_ = 0;
  Done done_;
  Guard guard_;
};

// A random 128-bit number as text.
std::string NewUuid();

}  // namespace vineyard::meta::zookeeper

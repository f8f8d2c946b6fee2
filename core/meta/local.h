// This file is the only place that keeps metadata without a cluster: one instance, in this process. What is
// persisted here is known to nobody else; after a restart the daemon publishes it again.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>

#include "core/meta/service.h"

namespace vineyard::meta {

class LocalService : public Service {
 public:
  LocalService(Instance self, Post post);
  ~LocalService() override;

  const Catalog& catalog() const override { return catalog_; }
  Revision applied() const override { return applied_; }
  Health health() const override;
  const Instance& self() const override { return self_; }
  void Commit(const Request& request, Change change, const Deadline& deadline,
              Committed done) override;
  void Sync(const Deadline& deadline, Synced done) override;
  void WaitFor(Revision revision, const Deadline& deadline, Synced done) override;
  void Tick(int64_t now_ns) override;
  void Stop() override;

 private:
  struct Waiting {
    Revision revision;
    Deadline deadline;
    Synced done;
  };
  struct HashOfRequest {
    size_t operator()(const RequestId& id) const {
      return id.session * 0x9e3779b97f4a7c15u ^ id.number;
    }
  };
  Result<Outcome> Apply(const Request& request, const Change& change);
  void Remember(const RequestId& request, const Outcome& outcome);

  const Instance self_;
  const Post post_;
  Catalog catalog_;
  Revision applied_;
  Revision forgotten_;  // answers of changes up to here are gone
  std::deque<RequestId> order_;
  std::unordered_map<RequestId, Outcome, HashOfRequest> answers_;
  std::vector<Waiting> waiting_;
  bool stopped_ = false;
};

}  // namespace vineyard::meta

// This file is the only place that decides what a change means to the cluster: which of it the store does
// alone, and which the metadata service has to allow first.
//
// What is not persisted is the store's, and never waits. What is persisted is the cluster's: it is changed
// there, and the store follows (daemon/mirror.h) before the change is answered.
//
// Invariants:
//  1. Every change is answered once: by what its call returns, or by `done` later.
//  2. An object is on its way into the cluster at most once (under_way_), held meanwhile.
//  3. A put that reaches other instances is seen by nobody before the cluster knows it, and leaves
//     nothing behind when the cluster will not.
// Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/clock.h"
#include "core/meta/service.h"
#include "core/shm/state_file.h"
#include "core/store/store.h"
#include "core/wire/messages.h"
#include "daemon/mirror.h"
#include "daemon/trees.h"

namespace vineyard::daemon {

// A change, and who asks.
struct Call {
  store::Request request;
  bool repeated = false;  // it was sent before
  bool synced = false;    // the catalog is not older than the request
  Deadline deadline = Deadline::Never();
};

// Why a change was not looked at. Of a repeat: whoever got it first may have done it.
Status NotAsked(const Status& why, bool is_repeat);

// How far a call came.
struct Step {
  enum class Kind {
    kDone,   // `result`
    kSync,   // again, with `synced`, behind a barrier
    kPark,   // again, when something under way has ended
    kLater,  // `done` is called
  };
  Kind kind = Kind::kDone;
  Result<store::Mutation> result = store::Mutation{};

  Step(Result<store::Mutation> done) : result(std::move(done)) {}  // NOLINT(google-explicit-*)
  Step(Status error) : result(std::move(error)) {}                 // NOLINT(google-explicit-*)
  Step(Kind other) : kind(other) {}                                // NOLINT(google-explicit-*)
};

class Cluster {
 public:
  using Done = std::function<void(Result<store::Mutation>)>;

  Cluster(store::Store* store, meta::Service* service, shm::StateFile* state);
  ~Cluster();

  Step Put(const Call& call, const Tree& tree, Done done);
  Step Persist(const Call& call, const std::vector<ObjectId>& ids, Done done);
  Step Delete(const Call& call, const wire::Delete& message, Done done);
  Step PutName(const Call& call, const wire::PutName& message, Done done);
  Step DropName(const Call& call, const wire::DropName& message, Done done);
  Step SetLabels(const Call& call, const wire::SetLabels& message, Done done);
  Step Clear(const Call& call, Done done);
  Step ForgetInstance(const Call& call, uint64_t number, Done done);

  // The service serves: the cluster of before, or another, which knows nothing of this instance's objects.
  void OnServing(bool is_new_cluster);
  void OnEvent(const meta::Event& event);
  // After this the catalog shows all that was committed anywhere before the call.
  void Sync(const Deadline& deadline, meta::Service::Synced done);
  // Calls `again` when something that was under way has ended, or the deadline has passed.
  void Park(const Deadline& deadline, std::function<void()> again) {
    parked_.push_back({deadline, std::move(again)});
  }
  // Changes that were sent and are not answered.
  size_t under_way() const { return seen_.size(); }
  void Tick();

 private:
  struct Job;  // a persist, in steps
  using JobPtr = std::shared_ptr<Job>;

  std::optional<ObjectId> HomeOf(ObjectId id) const { return service_->catalog().HomeOf(id); }
  bool IsClusters(ObjectId id) const;
  std::optional<uint64_t> BytesOf(ObjectId id) const;
  // A name of this host alone.
  std::optional<store::NameItem> HostName(std::string_view name) const;
  std::string Unknown(ObjectId id) const;
  Status CheckDelete(const std::vector<ObjectId>& homes, const std::vector<ObjectId>& locals,
                     const wire::Delete& message) const;
  void Unpark();

  // ---- persist.cc ----
  Step PutGlobal(const Call& call, const Tree& tree, const store::Foreign& foreign, Done done);
  // A put that is repeated and has its object, but maybe not its name.
  Step NameAgain(const Call& call, const store::Mutation& put, const Tree& tree, Done done);
  void Run(const JobPtr& job);
  void CommitNext(const JobPtr& job);
  void LetGo(const JobPtr& job);
  void Finish(const JobPtr& job);
  void PromoteNames(const JobPtr& job);
  void NamePut(const JobPtr& job);
  void End(const JobPtr& job);
  void Fail(const JobPtr& job, const Status& why);
  void Reconcile();
  void PublishAgain();
  void GiveBack(ObjectId home, const Status& why);
  void PublishSome(const std::shared_ptr<std::vector<ObjectId>>& homes);
  void PublishForest(const std::shared_ptr<std::vector<ObjectId>>& homes,
                     const std::shared_ptr<Forest>& forest, size_t next);
  void PublishNames(const std::shared_ptr<std::vector<store::NameItem>>& names);

  // Sends a change; when the cluster took it, `answer` says what is answered, and stored for repeats.
  using Answer = std::function<Result<store::Mutation>(const meta::Outcome&)>;
  // `with_mirror`: a change of the store that comes of it may store the answer, too.
  void Commit(const Call& call, meta::Change change, Answer answer, Done done,
              bool with_mirror = true);
  // Of the daemon's own.
  void CommitOwn(meta::Change change, const Deadline& deadline, meta::Service::Committed done,
                 const meta::Request& request = {});
  meta::Request RequestOf(const Call& call) const;
  std::list<meta::Revision>::iterator BeginChange();
  void EndChange(std::list<meta::Revision>::iterator place);
  void NoteSeen();

  store::Store* const store_;
  meta::Service* const service_;
  shm::StateFile* const state_;
  Mirror mirror_;
  std::unordered_set<ObjectId> under_way_;  // nodes that are being persisted
  std::unordered_set<ObjectId> pending_;    // nodes of puts that reach other instances
  // Roots of such puts of the daemon before this one, which the cluster does not know.
  std::unordered_set<ObjectId> dropped_;
  size_t most_trees_ = SIZE_MAX;  // to be published again by one change
  struct Parked {
    Deadline deadline;
    std::function<void()> again;
  };
  std::vector<Parked> parked_;
  std::list<meta::Revision> seen_;  // when changes under way were sent, the oldest first
  const meta::Revision before_;     // what the daemon before this one had noted
  int64_t repeats_until_ns_;        // requests to the daemons before this one may come again
  meta::Revision noted_;
  bool publishing_ = false;      // changes of what is persisted wait until it is
  bool unpark_ = false;          // with the next tick
  bool publish_again_ = false;   // it failed
  bool reconcile_ = false;       // the outcome of a put is not known
  std::shared_ptr<bool> alive_;  // false once this is gone: for what the service calls later
};

}  // namespace vineyard::daemon

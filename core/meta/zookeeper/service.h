// This file is the only place that knows the life of an instance in a cluster: connect, join, load, follow and
// write; after an expired session the same with a new epoch.
//
// Thread-confined to the owner's loop, but for what the Connection does.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/meta/service.h"
#include "core/meta/zookeeper/connection.h"
#include "core/meta/zookeeper/follower.h"
#include "core/meta/zookeeper/guard.h"
#include "core/meta/zookeeper/housekeeper.h"
#include "core/meta/zookeeper/join.h"
#include "core/meta/zookeeper/loader.h"
#include "core/meta/zookeeper/writer.h"

namespace vineyard::meta::zookeeper {

struct ServiceOptions {
  Options connection;
  std::string prefix = "/vineyard";
  // number 0: any; else with the cluster in which it was taken.
  Instance self;
  std::string cluster;
  // What an earlier daemon of this number had read of the log before its oldest change that it did not answer;
  // {}: nothing is to be looked for.
  Revision seen;
  LogLimits log;
};

class ZookeeperService : public Service {
 public:
  // Called once: when the catalog is the cluster's, or why it can not be (kVersion, kPermission, kInvalid). Until then,
  // and while the cluster is away, it goes on trying.
  using Ready = std::function<void(vineyard::Status)>;
  // Set by the owner; called when another daemon has taken this instance's place: this one has to end.
  std::function<void(vineyard::Status)> on_replaced;
  // Set by the owner; called when the catalog is that of another cluster than before, which knows nothing of
  // this instance's objects: its data was wiped. Comes in front of the reset.
  std::function<void()> on_new_cluster;
  ZookeeperService(ServiceOptions options, Post post, Ready ready);
  ~ZookeeperService() override;

  const Catalog& catalog() const override { return catalog_; }
  Revision applied() const override { return follower_.applied(); }
  Health health() const override;
  const Instance& self() const override { return self_; }
  const std::string& cluster() const { return cluster_; }
  void Commit(const Request& request, Change change, const Deadline& deadline,
              Committed done) override;
  void Sync(const Deadline& deadline, Synced done) override;
  void WaitFor(Revision revision, const Deadline& deadline, Synced done) override;
  void Tick(int64_t now_ns) override;
  void Stop() override;
  std::unique_lock<std::mutex> HoldThreads() override { return Connection::HoldThreads(); }

 private:
  // `is_own`: this service's, that wants to know when what it loaded is as of now.
  struct Barrier {
    Deadline deadline;
    Synced done;
    bool is_own = false;
  };
  struct Waiting {
    Revision revision;
    Deadline deadline;
    Synced done;
    bool is_own = false;
    Code late = Code::kTimeout;
  };
  struct Suspect {
    uint64_t epoch = 0;
    int32_t version = 0;  // of its place, when its grace began
    int64_t until_ns = 0;
  };

  void Connect();
  void OnState(State state);
  void JoinCluster();
  void OnJoined(Result<Joined> joined);
  void Load();
  void Serve(Revision from);
  void ShowLoaded();
  void Restart(const vineyard::Status& why);
  void AddBarrier(Barrier barrier);
  void SendBarriers();
  void TakeBackBarriers();
  void Await(Waiting wait);
  bool IsReached(const Waiting& wait) const;
  void OnApplied(const Entry& entry);
  void OnChange(const Event& event);
  void WakeWaiting();
  void LookAtFences();
  void CheckOwnFence();
  void OnFences(const Children& children);
  void Suspend(uint64_t number);
  void Leave();
  void Bury(uint64_t number, const Suspect& suspect);
  void OnReadOnly(vineyard::Status why);
  void Answer(Synced done, vineyard::Status status);

  const ServiceOptions options_;
  const Post post_;
  Ready ready_;
  const Paths paths_;
  Instance self_;
  std::string cluster_;
  Catalog catalog_;
  // What is loaded, apart until it is as of now: older entries are applied to it once more, and a name that was dropped
  // since comes back on the way. Who read before would see it go back.
  struct Loading {
    Catalog catalog;
    Revision from;                                    // where the log was taken up
    std::vector<std::pair<Revision, Entry>> answers;  // that this instance gave, behind it
  };
  std::unique_ptr<Loading> loading_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Join> join_;
  std::unique_ptr<Loader> loader_;
  Follower follower_;
  Housekeeper housekeeper_;
  Writer writer_;
  std::string fence_;
  Guard guard_, epoch_guard_;

  enum class Phase { kConnecting, kJoining, kLoading, kCatchingUp, kServing, kStopped };
  Phase phase_ = Phase::kConnecting;
  bool loaded_ = false;          // and the owner was told
  bool is_new_cluster_ = false;  // and nobody was told
  Revision seen_;                // to be followed from; {}: from the head
  // No daemon of this number has written to this cluster before: there is nothing to be looked for.
  bool is_first_life_ = options_.seen == Revision{};
  vineyard::Status read_only_;  // ok: it is not
  int64_t stale_since_ms_ = 0;
  int64_t suspended_ns_ = 0;  // since when, if it is
  int64_t retry_ns_ = 0;      // when to connect again
  // Between two attempts to join.
  static constexpr int64_t kFirstPauseMs = 100, kLongestPauseMs = 3200;
  int64_t pause_ms_ = kFirstPauseMs;
  vineyard::Status last_error_;

  std::vector<Barrier> barriers_;         // not sent yet
  std::list<std::vector<Barrier>> sent_;  // together; what is late is answered and taken out
  Guard sent_guard_;
  bool barrier_posted_ = false;
  std::vector<Waiting> waiting_;
  std::map<uint64_t, Suspect> suspects_;
  bool fences_watched_ = false;
  bool look_again_ = false;   // at them, though they are
  int64_t next_look_ns_ = 0;  // no sooner
};

}  // namespace vineyard::meta::zookeeper

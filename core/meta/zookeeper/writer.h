// This file is the only place that writes to the cluster: it turns changes into multis, a few under way at a
// time, and finds out what became of each.
//
// A multi checks this instance's fence and the version of /log, does what its changes need, and adds one entry
// to the log. So it is in the log, or nothing of it was done. A change that was refused is looked at again
// behind a barrier before it is answered; one whose outcome is unknown is looked for in the log behind a
// barrier before it is sent again.
//
// Invariants:
//  1. Every change is answered once.
//  2. Two changes that touch the same are not under way together.
//  3. A change is sent again only when the log up to a barrier does not hold it.
//  4. Changes that touch the same are done in the order in which they came.
// A delete that is too much for one multi is done in parts, each with an entry of its own; the last one answers.
// Thread-confined.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/meta/service.h"
#include "core/meta/zookeeper/connection.h"
#include "core/meta/zookeeper/follower.h"
#include "core/meta/zookeeper/guard.h"
#include "core/meta/zookeeper/plan.h"

namespace vineyard::meta::zookeeper {

class Writer {
 public:
  struct Owner {
    // A barrier, and then the catalog at least as far.
    std::function<void(const Deadline&, Service::Synced)> sync;
    // This instance's fence is gone: it has to take a new epoch.
    std::function<void()> on_fenced;
    // This entry of this generation was written.
    std::function<void(uint64_t generation, uint64_t entry)> on_written;
    Post post;
    // Its number: who asks again asks the same instance, so that others' answers need not be known.
    std::function<uint64_t()> self;
  };

  Writer(const Catalog* catalog, Follower* follower, const Paths* paths, Owner owner);

  void Commit(const Request& request, Change change, const Deadline& deadline,
              Service::Committed done);
  // An epoch begins, or its link is back: changes are sent on this connection under this fence.
  void Start(Connection* connection, std::string fence);
  // It ended, or its link did: nothing is sent until Start().
  void Stop();
  // Everything is answered: with this, or that it is unknown.
  void Fail(const vineyard::Status& status);

  // The catalog shows this entry, of this place in the log.
  void OnApplied(Revision revision, const Entry& entry);
  // The catalog was loaded anew: what the log says in front of this is not known here. {}: this instance had
  // written nothing before.
  void OnLoaded(Revision from);
  // What was written and is not applied may be lost with the cluster in which it was.
  void OnOtherCluster();
  // Deadlines.
  void Tick(int64_t now_ns);

 private:
  struct Pending {
    RequestId id;
    Change change;
    Deadline deadline;
    std::vector<Service::Committed> done;
    // Queued: waits for its turn. Busy: a barrier, reads. Planned: waits for a multi. Sent: in one.
    // Written: in the log, not yet in the catalog.
    enum class State { kQueued, kBusy, kPlanned, kSent, kWritten } state = State::kQueued;
    bool holds = false;       // what it touches
    bool needs_sync = false;  // before it is looked at
    bool synced = false;      // what is known is not older than a refusal
    bool maybe_done = false;  // look for it in the log
    bool finished = false;
    int attempts = 0;
    bool alone = false;     // in its multi
    bool saw_gone = false;  // what it deletes was not there
    bool is_begun = false;  // some parts of it are done
    uint64_t value = 0;     // by those
    Revision since = {};    // it is in the log from here on, if at all
    Revision written = {};  // the entry in which it is
    Touched touched = {};
    Known known = {};
    int32_t log_version = -1;  // under which it was looked at
    size_t reads = 0;          // under way
    uint64_t round = 0;        // of reads: late answers of an earlier one are dropped
    vineyard::Status read_error = {};
    Plan plan = {};
    std::list<std::shared_ptr<Pending>>::iterator place = {};
  };
  using PendingPtr = std::shared_ptr<Pending>;
  struct Batch {
    std::vector<PendingPtr> changes;
    std::vector<size_t> ends;  // the op behind each
    Entry entry;
    uint64_t generation = 0;
  };
  struct HashOfRequest {
    size_t operator()(const RequestId& id) const {
      return id.session * 0x9e3779b97f4a7c15u ^ id.number;
    }
  };
  struct Answered {
    RequestId request;
    Revision revision;
  };

  void PumpLater();
  void Pump();
  void Begin(const PendingPtr& pending);
  void TakeUp(Pending& pending);
  void Look(const PendingPtr& pending);
  void Read(const PendingPtr& pending);
  void ReadName(const PendingPtr& pending, const std::string& name);
  template <typename Value, typename Keep>
  auto Keeping(const PendingPtr& pending, Keep keep);
  void OnRead(const PendingPtr& pending, const vineyard::Status& status);
  void MakePlan(const PendingPtr& pending);
  void Refuse(const PendingPtr& pending, vineyard::Status why);
  void Sync(const PendingPtr& pending);
  void SendSome();
  void Send(Batch batch);
  void OnMulti(Batch& batch, const MultiResult& result);
  void Requeue(const PendingPtr& pending);
  void Finish(const PendingPtr& pending, Result<Outcome> outcome);
  static bool IsUnderWay(const Pending& pending);
  void OnPart(const Answer& answer, const PendingPtr& pending);
  bool Hold(Pending& pending);
  void Release(Pending& pending);

  const Catalog* const catalog_;
  Follower* const follower_;
  const Paths* const paths_;
  const Owner owner_;
  Connection* connection_ = nullptr;
  std::string fence_;
  Guard guard_;
  Guard session_guard_;  // what was asked on a connection that is over

  std::list<PendingPtr> pending_;  // in the order in which they came
  std::unordered_map<RequestId, PendingPtr, HashOfRequest> by_request_;
  std::deque<PendingPtr> planned_;
  std::unordered_map<uint64_t, int> held_;  // by so many who share it; -1: by one alone
  size_t in_flight_ = 0;
  bool pump_posted_ = false;
  uint64_t own_session_ = 0, own_number_ = 0;  // for changes that no client asked for

  std::unordered_map<RequestId, Outcome, HashOfRequest> answers_;
  std::deque<Answered> answered_;
  // What was done of changes that were begun, and not finished that one knows.
  std::unordered_map<RequestId, uint64_t, HashOfRequest> begun_;
  Revision known_from_;  // answers are known from here on
};

}  // namespace vineyard::meta::zookeeper

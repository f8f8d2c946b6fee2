// This file is the only place that reads the change log: it applies every entry to a catalog once, in order,
// and knows how far that is.
//
// Entries have consecutive names, so the next one is known before it is there: an exists-watch on it tells
// when to read on, and a watch on /log tells of a new generation. While this instance writes, where its own
// entries come to lie tells the same, and no watch is set. Two things can make the next name wrong,
// and are looked for once a second: a stranger's node under the generation, which takes a number, and a log
// that was trimmed while this follower was away.
//
// Invariants:
//  1. Everything in front of applied() is in the catalog, nothing behind it.
//  2. A generation is left only when a read sent after its successor was known found it ended.
// Thread-confined.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/meta/catalog.h"
#include "core/meta/model.h"
#include "core/meta/zookeeper/connection.h"
#include "core/meta/zookeeper/guard.h"
#include "core/meta/zookeeper/schema.h"

namespace vineyard::meta::zookeeper {

class Follower {
 public:
  struct Owner {
    // After an entry is applied.
    std::function<void(const Entry& entry)> on_applied;
    // The place was trimmed away: load everything again.
    std::function<void()> on_compacted;
    // What changed is not known: this build does not understand it (kVersion), or may not read it (kPermission).
    std::function<void(vineyard::Status)> on_read_only;
    // The generation that is written is not there: somebody removed it.
    std::function<void()> on_lost;
  };

  Follower(const Paths* paths, Owner owner);

  // Follows from here on, on this connection; what was under way on another one is forgotten.
  void Start(Connection* connection, Revision from, Catalog* catalog);
  // What is applied from now on goes to this one, which has all in front of applied().
  void MoveTo(Catalog* catalog) { catalog_ = catalog; }
  // Only what reads ahead of Start() need: nothing is known, of whichever cluster.
  void Reset(Connection* connection);
  void Stop();

  Revision applied() const { return {generation_, next_}; }
  // As far as known: what the next change is written under, and the version that it checks.
  const LogState& log() const { return log_; }
  int32_t log_version() const { return log_version_; }
  // Reads /log again, then calls back.
  void RefreshLog(std::function<void(vineyard::Status)> done);
  // How many entries there were at the time of the call, in which generation.
  void ReadHead(const Deadline& deadline, std::function<void(Result<Revision>)> done);

  // An entry of this instance's own, so that it needs not be read; `trees`: the bytes of created and labelled ones.
  void Offer(uint64_t generation, uint64_t index, Entry entry,
             std::unordered_map<ObjectId, std::string> trees);

  // A change of this instance's own is on its way: what comes next is probably its entry, which is offered, so that
  // nothing is asked until it is. Each Expect() has one Expected(), behind the offer or when there is none.
  void Expect() { ++expected_; }
  void Expected();

  // Every 100 ms.
  void Tick(int64_t now_ns);

 private:
  // One entry from the time it is asked for until it is applied.
  struct Slot {
    enum class State { kAsked, kMissing, kReading, kReady } state = State::kAsked;
    bool asked_late = false;  // after a newer generation was known
    Entry entry;
    uint64_t unread = 0;  // trees under way
    std::unordered_map<ObjectId, std::string> trees;
  };

  Deadline Soon() const { return Deadline::After(10000); }
  void ReadOn();
  void OnCame(uint64_t index);
  void Idle();
  void WatchSoon();
  void Ask(uint64_t index);
  void OnEntry(uint64_t index, Result<Node> node);
  void ReadTrees(uint64_t index);
  void Settle(bool is_own = false);
  void Apply(Slot& slot);
  void AtEnd();
  void Watch(uint64_t index);
  void OnLog(Result<Node> node);
  void NextGeneration();
  void CheckHead();
  void SkipTo(uint64_t head);

  const Paths* const paths_;
  const Owner owner_;
  Catalog* catalog_ = nullptr;
  Connection* connection_ = nullptr;
  Guard guard_;

  LogState log_;
  int32_t log_version_ = -1;
  uint64_t generation_ = 0, next_ = 0;
  std::map<uint64_t, Slot> slots_;  // from next_ on
  uint64_t window_ = 1;             // entries asked for at once
  uint64_t there_ = 0;              // entries that are known to be there
  bool watching_ = false;           // an entry behind those, or one that was offered since
  uint64_t watch_ = 0;              // number of that watch
  bool log_watched_ = false;
  size_t expected_ = 0;     // offers
  int64_t offered_ns_ = 0;  // when the newest came
  bool waking_ = false;     // to look whether it is quiet
  bool following_ = false;  // Start() came
  bool leaving_ = false;    // this generation
  uint64_t behind_ = 0;     // checks in a row that found entries but not the next one
  int64_t next_check_ns_ = 0;
};

}  // namespace vineyard::meta::zookeeper

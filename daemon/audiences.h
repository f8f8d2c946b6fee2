// This file is the only place that knows which audiences there are: it makes their stores, adopts and ends them,
// and says whose memory is charged to whom.
//
// Invariants:
//  1. Number 1 is the daemon's own user's: it alone takes part in the cluster, and never ends.
//  2. A number, once given, is no other audience's as long as this memory lives.
//  3. An audience ends when it has neither an object nor a session.
// Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/store/budget.h"
#include "core/wire/messages.h"
#include "daemon/access.h"
#include "daemon/audience.h"
#include "daemon/options.h"

namespace vineyard::daemon {

class Audiences {
 public:
  static constexpr uint16_t kOwn = 1;

  // `budget`: of all of them.
  Audiences(const Options* options, shm::StateFile* state, store::Budget* budget,
            Audience::Hooks hooks);
  ~Audiences();

  // The daemon's own, which is opened before all others.
  Audience* AddOwn(store::Store* store, meta::Service* service);
  // Those that another daemon left.
  void Adopt();
  // Null: there is none.
  Audience* Find(uint16_t number) const;
  // Where this user puts what is shared so; it is made when it is not there. kPermission: a group that it is not
  // in; kLimit.
  Result<Audience*> Of(const Peer& peer, wire::Share share, uint32_t gid);
  // That this user may read, in the order of their numbers, but for `but`.
  std::vector<Audience*> VisibleTo(const Peer& peer, const Audience* but) const;
  template <typename Each>
  void ForEach(Each each) const {
    for (const auto& [number, entry] : entries_) each(*entry.audience);
  }
  size_t size() const { return entries_.size(); }
  // Bytes that the stores of a user but the daemon's take.
  uint64_t TakenBy(uint32_t uid) const {
    auto found = budgets_.find(uid);
    return found == budgets_.end() ? 0 : found->second->taken();
  }
  // Ends those that nobody needs, and charges deleted bytes to whoever keeps them. To be called every second or so.
  // `on_end`: before one is gone.
  void Tick(const std::function<void(const Audience&)>& on_end);
  // The memory ends with the daemon.
  void End();
  const store::Budget& budget() const { return *budget_; }

 private:
  struct Entry {
    // Of all but the daemon's own. They are used by the audience, and so outlive it.
    std::unique_ptr<shm::StateFile> state;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<meta::Service> service;
    std::unique_ptr<Audience> audience;
  };
  Result<Audience*> Make(const shm::AudienceId& id);
  Status Open(uint16_t number, Entry entry);
  void Close(Entry* entry);
  store::Budget* BudgetOf(uint32_t uid);
  uint64_t NewInstance() const;

  const Options* const options_;
  shm::StateFile* const state_;
  store::Budget* const budget_;
  const Audience::Hooks hooks_;
  std::map<uint32_t, std::unique_ptr<store::Budget>> budgets_;  // of users but the daemon's
  std::map<uint16_t, Entry> entries_;
};

// Of the daemon's own store.
store::Options StoreOptions(const Options& options, store::Budget* budget);
// Whose it is.
shm::AudienceId OwnAudience(const Options& options);

}  // namespace vineyard::daemon

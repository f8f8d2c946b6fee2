#include "daemon/audiences.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/meta/local.h"

namespace vineyard::daemon {
namespace {

// Ids of other stores are never those of a cluster: their counters are in the upper half.
constexpr uint64_t kFirstId = (uint64_t{1} << 39) + 1;
// Each takes some descriptors and megabytes.
constexpr size_t kMaxAudiences = 4096, kMaxOfOneUser = 16;
constexpr uint64_t kTables = 8 * kMiB;  // and room for the first objects

unsigned long long InMiB(uint64_t bytes) { return bytes / kMiB; }

shm::AudienceKind KindOf(wire::Share share) {
  switch (share) {
    case wire::Share::kGid:
      return shm::AudienceKind::kGid;
    case wire::Share::kAll:
      return shm::AudienceKind::kAll;
    default:
      return shm::AudienceKind::kUid;
  }
}

}  // namespace

store::Options StoreOptions(const Options& options, store::Budget* budget) {
  store::Options made;
  made.size_bytes = options.size_bytes;
  made.budget = budget;
  made.is_shared = options.share != wire::Share::kUid;
  made.prefault_bytes = options.prefault_bytes;
  made.eviction = options.eviction;
  made.checksum_limit = options.checksum_limit;
  made.spill_path = options.spill_path;
  auto share = [&options](double rate) {
    return static_cast<uint64_t>(static_cast<double>(options.size_bytes) * rate);
  };
  made.spill_upper_bytes = share(options.spill_upper_rate);
  made.spill_lower_bytes = share(options.spill_lower_rate);
  return made;
}

shm::AudienceId OwnAudience(const Options& options) {
  shm::AudienceId id;
  id.kind = KindOf(options.share);
  id.uid = geteuid();
  id.gid = id.kind == shm::AudienceKind::kGid ? getegid() : 0;
  return id;
}

Audiences::Audiences(const Options* options, shm::StateFile* state, store::Budget* budget,
                     Audience::Hooks hooks)
    : options_(options), state_(state), budget_(budget), hooks_(std::move(hooks)) {
  budget_->reclaim = [this](uint64_t bytes, const void* asks) {
    bool any = false;
    ForEach([&](Audience& audience) {
      if (audience.store != asks) any = audience.store->MakeRoom(bytes) || any;
    });
    return any;
  };
}

Audiences::~Audiences() {
  budget_->reclaim = nullptr;
  for (auto& [number, entry] : entries_) entry.audience.reset();
}

Audience* Audiences::AddOwn(store::Store* store, meta::Service* service) {
  Entry& entry = entries_[kOwn];
  entry.audience = std::make_unique<Audience>(kOwn, state_->header().audience,
                                              Audience::Parts{state_, store, service}, hooks_);
  return entry.audience.get();
}

Audience* Audiences::Find(uint16_t number) const {
  auto found = entries_.find(number);
  return found == entries_.end() ? nullptr : found->second.audience.get();
}

std::vector<Audience*> Audiences::VisibleTo(const Peer& peer, const Audience* but) const {
  std::vector<Audience*> visible;
  ForEach([&](Audience& audience) {
    if (&audience != but && MayRead(peer, audience.id)) visible.push_back(&audience);
  });
  return visible;
}

// ---- making ------------------------------------------------------------------------------------

store::Budget* Audiences::BudgetOf(uint32_t uid) {
  if (uid == geteuid()) return budget_;
  std::unique_ptr<store::Budget>& budget = budgets_[uid];
  if (budget == nullptr) {
    budget = std::make_unique<store::Budget>(Format("uid %u", uid), options_->quota_bytes, budget_);
  }
  return budget.get();
}

uint64_t Audiences::NewInstance() const {
  for (;;) {
    uint64_t number = 1 + shm::RandomNumber() % shm::kMaxInstance;
    bool taken = false;
    ForEach([&](Audience& audience) {
      taken = taken || audience.store->instance() == number;
      taken = taken || audience.service->catalog().instances().count(number) != 0;
    });
    if (!taken) return number;
  }
}

Result<Audience*> Audiences::Of(const Peer& peer, wire::Share share, uint32_t gid) {
  if (share == wire::Share::kDefault) {
    share = options_->share;
    gid = peer.gid;
  }
  shm::AudienceId id;
  id.kind = KindOf(share);
  id.uid = UserOf(peer);
  if (id.kind == shm::AudienceKind::kGid) {
    id.gid = gid;
    if (!IsInGroup(peer, gid) && !(IsDaemonsUser(peer) && id == state_->header().audience)) {
      return Status(Code::kPermission, Format("share: uid %u is not in group %u", peer.uid, gid));
    }
  }
  size_t of_user = 0;
  Audience* found = nullptr;
  ForEach([&](Audience& audience) {
    if (audience.id == id) found = &audience;
    of_user += audience.id.uid == id.uid ? 1 : 0;
  });
  if (found != nullptr) return found;
  if (entries_.size() >= kMaxAudiences || of_user >= kMaxOfOneUser) {
    return Limit(
        Format("share: there are %zu audiences, %zu of them of uid %u; at most %zu and "
               "%zu are possible: delete what is shared with one of them",
               entries_.size(), of_user, id.uid, kMaxAudiences, kMaxOfOneUser));
  }
  // Whoever has many uids takes no more of them than there is.
  store::Budget* budget = BudgetOf(id.uid);
  if (!budget->is_whole() && budget->free() < kTables) {
    return Status(Code::kOutOfMemory,
                  Format("no memory for what is put for %s: of %llu MiB %llu are taken, of the "
                         "whole daemon %llu of %llu",
                         PrintAudience(id).c_str(), InMiB(budget->limit()), InMiB(budget->taken()),
                         InMiB(budget_->taken()), InMiB(budget_->limit())));
  }
  return Make(id);
}

Result<Audience*> Audiences::Make(const shm::AudienceId& id) {
  // Numbers of those that have ended come again after all others.
  uint64_t number = state_->header().next_audience;
  for (;; ++number) {
    if (number > UINT16_MAX) number = kOwn + 1;
    if (Find(static_cast<uint16_t>(number)) == nullptr) break;
  }
  Entry entry;
  ASSIGN_OR_RETURN(entry.state, shm::StateFile::Create(NewInstance()));
  entry.state->header().audience = id;
  entry.state->header().counters.next_id = kFirstId;
  state_->header().next_audience = number + 1;
  int fd = entry.state->fd();
  Status opened = Open(static_cast<uint16_t>(number), std::move(entry));
  if (!opened.ok()) return opened;
  // From here on a successor has it, too. Until then nobody has been handed anything of it.
  Status listed = state_->List(shm::Role::kStore, fd, number);
  auto made = entries_.find(static_cast<uint16_t>(number));
  if (!listed.ok()) {
    Close(&made->second);
    entries_.erase(made);
    return listed;
  }
  Log(LogLevel::kInfo, "audience %u: for %s", static_cast<unsigned>(number),
      PrintAudience(id).c_str());
  made->second.audience->growth.Check();
  return made->second.audience.get();
}

void Audiences::Close(Entry* entry) {
  entry->audience.reset();
  entry->store.reset();
  if (hooks_.on_state_end) hooks_.on_state_end(entry->state.get());
  entry->state->CloseListed();
}

Status Audiences::Open(uint16_t number, Entry entry) {
  shm::AudienceId id = entry.state->header().audience;
  store::Options options = StoreOptions(*options_, BudgetOf(id.uid));
  options.is_shared = id.kind != shm::AudienceKind::kUid;
  options.prefault_bytes = 0;
  if (id.uid != geteuid()) {
    options.size_bytes = std::min(options_->size_bytes, options_->quota_bytes);
    // A quota is of memory: nobody fills the disk.
    if (options.eviction == store::Eviction::kSpill) options.eviction = store::Eviction::kNone;
  }
  // First: what is listed there is kept.
  if (hooks_.on_state) hooks_.on_state(entry.state.get());
  Result<std::unique_ptr<store::Store>> store = store::Store::Open(entry.state.get(), options);
  if (!store.ok()) {
    Close(&entry);
    return store.status();
  }
  entry.store = std::move(store).value();
  meta::Instance self;
  self.number = entry.store->instance();
  self.socket = options_->socket;
  self.memory_limit = options.size_bytes;
  self.uid = id.uid;
  entry.service = std::make_unique<meta::LocalService>(
      self,
      [loop = hooks_.loop](std::function<void()> task) { asio::post(*loop, std::move(task)); });
  entry.audience = std::make_unique<Audience>(
      number, id, Audience::Parts{entry.state.get(), entry.store.get(), entry.service.get()},
      hooks_);
  Audience* audience = entry.audience.get();
  entries_.emplace(number, std::move(entry));
  audience->events.Begin();
  audience->cluster.OnServing(/*is_new_cluster=*/true);
  for (uint64_t session : audience->store->Sessions()) audience->liveness.Watch(session);
  return OkStatus();
}

void Audiences::Adopt() {
  for (const shm::StateFile::Listed& listed : state_->Descriptors()) {
    if (listed.role != shm::Role::kStore) continue;
    Status opened = [&]() -> Status {
      if (listed.number <= kOwn || listed.number > UINT16_MAX ||
          Find(static_cast<uint16_t>(listed.number)) != nullptr) {
        return Corrupt("its number can not be right");
      }
      Entry entry;
      ASSIGN_OR_RETURN(entry.state, shm::StateFile::Adopt(Fd(listed.fd)));
      return Open(static_cast<uint16_t>(listed.number), std::move(entry));
    }();
    uint64_t& next = state_->header().next_audience;
    next = std::max(next, std::min<uint64_t>(listed.number, UINT16_MAX) + 1);
    if (opened.ok()) {
      Find(static_cast<uint16_t>(listed.number))->growth.Check();
      continue;
    }
    // The others' are none the worse for it.
    Log(LogLevel::kError, "audience %llu is left out: %s",
        static_cast<unsigned long long>(listed.number), opened.ToString().c_str());
    state_->Unlist(shm::Role::kStore, listed.number);
  }
}

// ---- time --------------------------------------------------------------------------------------

void Audiences::Tick(const std::function<void(const Audience&)>& on_end) {
  std::map<uint32_t, uint64_t> pinned;
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto& [number, entry] = *at;
    Audience& audience = *entry.audience;
    if (number != kOwn && audience.store->IsUnused() && !audience.growth.is_busy() &&
        !audience.spiller.is_busy() && audience.cluster.under_way() == 0) {
      on_end(audience);
      Log(LogLevel::kInfo, "audience %u: it ends, nothing is there", static_cast<unsigned>(number));
      audience.store->End();
      // The list first: what is in no list is closed by a successor.
      state_->Unlist(shm::Role::kStore, number);
      audience.service->Stop();
      entry.store->RemoveSpillFiles();
      Close(&entry);
      at = entries_.erase(at);
      continue;
    }
    if (audience.id.kind != shm::AudienceKind::kUid) {
      audience.store->AddDeletedBytes(audience.id.uid, &pinned);
    }
    ++at;
  }
  for (auto& [uid, budget] : budgets_) {
    auto found = pinned.find(uid);
    budget->set_pinned(found == pinned.end() ? 0 : found->second);
  }
}

void Audiences::End() {
  for (auto& [number, entry] : entries_) {
    entry.audience->store->End();
    entry.audience->growth.Stop();
    entry.audience->spiller.Stop();
    entry.audience->store->RemoveSpillFiles();
  }
}

}  // namespace vineyard::daemon

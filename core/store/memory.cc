// Memory: extents for payloads and records, growth, what to say, and who has it, when there is no more.
#include <fcntl.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {
namespace {

using shm::Extents;
using shm::SegmentUse;
using shm::SlotState;
using ull = unsigned long long;

std::string InMiB(uint64_t bytes) { return Format("%.1f MiB", static_cast<double>(bytes) / kMiB); }

}  // namespace

Store::Impl::~Impl() {
  DropPlan();
  Give(small_.total() + large_.total() + tables_);
  // The descriptors belong to whoever is listed in `state`.
  for (Pool* pool : {&small_, &large_}) {
    for (auto& [number, entry] : pool->segments()) (void)entry.segment.ReleaseFd();
  }
}

uint64_t Store::Impl::ExtentSize(const shm::SlotFields& fields) {
  bool has_none = fields.location == shm::kNoLocation || (fields.flags & shm::kInFile) != 0;
  return has_none ? 0 : Extents::RoundedSize(fields.skip + fields.size);
}

Pool& Store::Impl::PoolOf(uint64_t location) {
  return large_.Find(shm::SegmentOf(location)) != nullptr ? large_ : small_;
}

const Pool::Entry* Store::Impl::FindSegment(uint32_t number) const {
  const Pool::Entry* entry = small_.Find(number);
  return entry != nullptr ? entry : large_.Find(number);
}

char* Store::Impl::At(uint64_t location) const {
  const Pool::Entry* entry = FindSegment(shm::SegmentOf(location));
  return entry == nullptr ? nullptr : entry->segment.data() + shm::OffsetOf(location);
}

std::string_view Store::Impl::StoredBytes(const shm::SlotFields& fields) const {
  if (ExtentSize(fields) == 0) return {};
  const char* extent = At(fields.location);
  CHECK(extent != nullptr);
  return {extent + fields.skip, fields.size};
}

void Store::Impl::Free(const shm::SlotFields& fields) {
  if ((fields.flags & shm::kInFile) != 0) {
    EraseSpilled(fields);
  } else if (fields.location != shm::kNoLocation) {
    Pool& pool = PoolOf(fields.location);
    pool.Free(fields.location, ExtentSize(fields));
    uint32_t number = shm::SegmentOf(fields.location);
    const Pool::Entry* entry = pool.Find(number);
    // What others have read nobody writes again.
    if (entry->segment.use() == SegmentUse::kSole && entry->used == 0) Retire(&pool, number);
  }
}

uint64_t Store::Impl::Room() const {
  uint64_t used = small_.total() + large_.total();
  uint64_t own = used < options_.size_bytes ? options_.size_bytes - used : 0;
  return options_.budget == nullptr ? own : std::min(own, options_.budget->free());
}

void Store::Impl::DropPlan() {
  growth_.reset();
  Give(planned_);
  planned_ = 0;
}

Status Store::Impl::TakeTables(uint64_t growth) {
  if (options_.budget == nullptr || options_.budget->is_whole()) return OkStatus();
  uint64_t now = slots_->file_size() + directory_->cells() * sizeof(shm::Cell);
  Take(now - tables_);
  tables_ = now;
  return growth <= options_.budget->free() ? OkStatus() : OutOfMemory("tables", growth);
}

bool Store::Impl::PlanGrowth(SegmentUse use, uint64_t size) {
  bool leasable = use != SegmentUse::kDaemon, is_sole = use == SegmentUse::kSole;
  if (growth_) {
    uint64_t planned = growth_->size - shm::kSegmentHeaderSize;
    return growth_->use == use &&
           (is_sole ? planned == RoundUp(size, shm::kPageSize) : planned >= size);
  }
  // Steps start small, so that a daemon starts fast, and double, so that segments stay few.
  if (next_counters_.next_segment > shm::kMaxSegmentNumber) return false;
  uint64_t first = leasable ? std::clamp(options_.size_bytes / 4, kMiB, 64 * kMiB)
                            : std::clamp(options_.size_bytes / 16, 256 * kKiB, 8 * kMiB);
  uint64_t most = leasable ? kGiB : 256 * kMiB;
  uint64_t step = std::clamp(leasable ? large_.total() : small_.total(), first, most);
  // Lease memory leaves room for the records that go with it.
  uint64_t budget = Room();
  if (leasable) {
    uint64_t floor = std::clamp(options_.size_bytes / 64, 256 * kKiB, 64 * kMiB);
    uint64_t kept = floor > small_.total() ? floor - small_.total() : 0;
    budget = budget > kept ? budget - kept : 0;
  }
  uint64_t needed = RoundUp(size, shm::kPageSize);
  // A step that is not a multiple of what is asked for would leave a piece that the next one does not
  // fit into.
  if (size >= shm::kHugePage && size < step) step -= step % RoundUp(size, shm::kHugePage);
  if (is_sole) step = 0;
  budget = std::min(budget, shm::kMaxExtent);
  // What the host did not have for somebody's large put it may have for a small one.
  if (growth_failed_) budget = std::min(budget, growth_failed_size_ / 2);
  uint64_t planned = RoundDown(std::min(std::max(needed, step), budget), shm::kPageSize);
  if (planned < std::max(needed, shm::kPageSize)) return false;
  growth_ =
      GrowthPlan{state_->header().instance, static_cast<uint32_t>(next_counters_.next_segment),
                 planned + shm::kSegmentHeaderSize, use};
  planned_ = planned;
  Take(planned);
  return true;
}

void Store::Impl::Retire(Pool* pool, uint32_t number) {
  shm::Segment segment = pool->Remove(number);
  // Clients may have it mapped for a while: the pages go now. Forgotten first, which closes the listed
  // descriptor: a successor must not adopt a segment with holes.
  Fd still_open(fcntl(segment.fd().get(), F_DUPFD_CLOEXEC, 0));
  uint64_t file_size = segment.size();
  (void)segment.ReleaseFd();
  state_->Forget(shm::Role::kSegment, number);
  Give(segment.data_size());
  if (still_open.valid()) shm::PunchRange(still_open, 0, file_size);
  PublishOldestSegment();
}

void Store::Impl::PublishOldestSegment() {
  if (segments_left_out_) return;
  uint64_t oldest = next_counters_.next_segment;
  for (const Pool* each : {&small_, &large_}) {
    if (!each->segments().empty()) {
      oldest = std::min<uint64_t>(oldest, each->segments().begin()->first);
    }
  }
  // release: clients unmap what lies below it; nothing there is in use any more.
  slots_->superblock().oldest_segment.store(oldest, std::memory_order_release);
  shm::CrashPoint();
}

bool Store::Impl::RetireFreeSegments(uint64_t bytes) {
  uint64_t retired = 0;
  for (Pool* pool : {&large_, &small_}) {
    for (auto at = pool->segments().begin(); at != pool->segments().end() && retired < bytes;) {
      auto [number, size] = std::pair(at->first, at->second.data_size());
      bool is_free = at->second.used == 0;
      ++at;
      if (!is_free) continue;
      Retire(pool, number);
      retired += size;
    }
  }
  return retired > 0;
}

// Warm pages are kept for who comes next, but not for ever. What is kept in any case: as much as is
// prepared before anybody asks.
void Store::Impl::RetireIdleSegments() {
  constexpr uint32_t kIdleTenths = 600;
  for (Pool* pool : {&large_, &small_}) {
    uint64_t kept = pool == &large_ ? options_.prefault_bytes : 2 * LowWater();
    for (auto at = pool->segments().begin(); at != pool->segments().end();) {
      Pool::Entry& entry = at->second;
      uint32_t number = at->first;
      ++at;
      if (entry.used > 0 || entry.allocations != entry.seen_allocations) {
        entry.seen_allocations = entry.allocations;
        entry.idle_since = coarse_clock_;
      } else if (coarse_clock_ - entry.idle_since >= kIdleTenths &&
                 pool->extents().free() >= kept + entry.data_size()) {
        Retire(pool, number);
      }
    }
  }
}

uint64_t Store::Impl::Trim() {
  uint64_t before = small_.total() + large_.total();
  FreeDeferred(UINT64_MAX, UINT64_MAX);
  RetireFreeSegments(UINT64_MAX);
  return before - small_.total() - large_.total();
}

std::optional<uint64_t> Store::Impl::AllocateHere(SegmentUse use, uint64_t size) {
  if (use == SegmentUse::kSole) return large_.AllocateSole(size);
  return (use == SegmentUse::kDaemon ? small_ : large_).Allocate(size);
}

Status Store::Impl::OverQuota(std::string_view what) const {
  const Budget& budget = *options_.budget;
  return {Code::kOutOfMemory,
          Format("%.*s: %s uses %s of its quota of %s, and keeps %s of what others have deleted; "
                 "release what is read, or delete objects",
                 static_cast<int>(what.size()), what.data(), budget.of().c_str(),
                 InMiB(budget.taken()).c_str(), InMiB(budget.limit()).c_str(),
                 InMiB(budget.pinned()).c_str())};
}

Result<uint64_t> Store::Impl::Allocate(SegmentUse use, uint64_t size, uint64_t hint,
                                       std::string_view what) {
  // A client of this user holds what others have deleted.
  if (options_.budget != nullptr && options_.budget->is_exceeded()) return OverQuota(what);
  if (use == SegmentUse::kSole) hint = 0;
  if (auto location = AllocateHere(use, size)) return *location;
  FreeDeferred(UINT64_MAX, UINT64_MAX);
  if (auto location = AllocateHere(use, size)) return *location;
  const Status being_prepared(Code::kOutOfMemory, "memory is being prepared");
  if (PlanGrowth(use, std::max(size, hint)) || PlanGrowth(use, size)) return being_prepared;
  if (growth_) return being_prepared;  // for the other pool: once it is there, ask again
  if (options_.budget != nullptr && options_.budget->Reclaim(size, store_) &&
      PlanGrowth(use, size)) {
    return being_prepared;
  }
  for (bool evicted = false;; evicted = true) {
    // A segment of the other kind, or several small ones, may stand in the way of one that fits.
    bool retired = RetireFreeSegments(size);
    if (retired) growth_failed_.reset();  // the host has so much more now
    if ((retired || evicted) && PlanGrowth(use, size)) return being_prepared;
    if (options_.eviction == Eviction::kSpill && StartSpill(size)) {
      return Status(Code::kOutOfMemory, "payloads are being spilled");
    }
    if (options_.eviction != Eviction::kDrop || !Evict(size)) break;
    if (auto location = AllocateHere(use, size)) return *location;
  }
  if (growth_failed_) {
    return Status(growth_failed_->code(), std::string(what) + ": " + growth_failed_->text());
  }
  return OutOfMemory(what, size);
}

void Store::Impl::AddDeletedBytes(uint32_t owner, std::map<uint32_t, uint64_t>* bytes) const {
  constexpr size_t kMostLooks = 1'000'000;  // each takes some nanoseconds
  size_t looks = 0;
  uint64_t all = small_.extents().allocated() + large_.extents().allocated();
  std::map<uint32_t, uint64_t> kept;
  std::vector<uint32_t>
      users;  // that keep the slot: each is charged once, with however many sessions
  for (uint32_t slot : held_) {
    if (looks > kMostLooks) break;
    users.clear();
    for (const auto& [id, session] : sessions_) {
      uint32_t uid = session->cell->uid;
      if (uid == owner || std::find(users.begin(), users.end(), uid) != users.end()) continue;
      ++looks;
      if (session->Pins(slot)) users.push_back(uid);
    }
    if (users.empty()) continue;
    shm::SlotFields fields = slots_->Read(slot).fields;
    uint64_t size = ExtentSize(fields);
    if (fields.kind == shm::SlotKind::kObject) {
      Result<uint64_t> below = ReadNbytes(StoredBytes(fields));
      // What a tree names several times was counted as often: its owner could make that up.
      if (below.ok()) size += std::min(*below, all);
    }
    for (uint32_t uid : users) kept[uid] = std::min(kept[uid] + size, all);
  }
  for (const auto& [uid, size] : kept) (*bytes)[uid] += size;
}

Store::Impl::Held Store::Impl::HeldBytes() const {
  constexpr uint64_t kUnknown = UINT64_MAX;
  Held held;
  uint64_t used = small_.extents().allocated() + large_.extents().allocated();
  auto size_of = [this](uint32_t slot) -> uint64_t {
    shm::SlotImage image = slots_->Read(slot);
    if (image.state() != SlotState::kSealed && image.state() != SlotState::kDeleting) return 0;
    uint64_t bytes = ExtentSize(image.fields);
    if (image.fields.kind != shm::SlotKind::kObject) return bytes;
    Result<uint64_t> below = ReadNbytes(StoredBytes(image.fields));
    return below.ok() ? bytes + std::min(*below, UINT64_MAX / 4) : bytes;
  };
  auto add = [](uint64_t* sum, uint64_t bytes) { *sum += std::min(bytes, UINT64_MAX / 2 - *sum); };
  std::unordered_map<uint64_t, uint64_t> by_session;
  std::vector<uint64_t> sizes(shm::kPinPieceSlots, kUnknown);
  for (uint64_t piece = 0; piece * shm::kPinPieceSlots < slots_->capacity(); ++piece) {
    // Table by table, so that each is read from one end to the other; what is pinned is looked at once,
    // however many pin it.
    bool any = false;
    for (const auto& [id, session] : sessions_) {
      if (!session->Granted(piece)) continue;
      for (uint64_t i = 0; i < shm::kPinPieceSlots; ++i) {
        auto slot = static_cast<uint32_t>(piece * shm::kPinPieceSlots + i);
        if (!session->Pins(slot)) continue;
        any = true;
        if (sizes[i] == kUnknown) add(&held.bytes, sizes[i] = size_of(slot));
        add(&by_session[id], sizes[i]);
      }
    }
    if (any) std::fill(sizes.begin(), sizes.end(), kUnknown);
  }
  // What several held trees share was counted for each.
  held.bytes = std::min(held.bytes, used);
  for (const auto& [id, slot] : leases_) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    add(&by_session[fields.owner], ExtentSize(fields));
  }
  for (auto [id, bytes] : by_session) {
    auto session = sessions_.find(id);
    if (session == sessions_.end() || bytes == 0) continue;
    const shm::SessionCell& cell = *session->second->cell;
    held.holders.push_back({cell.pid, cell.uid, std::min(bytes, used)});
  }
  return held;
}

std::string Store::Impl::DescribeHolders(std::vector<Holder> holders) {
  constexpr size_t kNamed = 3;
  size_t named = std::min(kNamed, holders.size());
  std::partial_sort(holders.begin(), holders.begin() + static_cast<ptrdiff_t>(named), holders.end(),
                    [](const Holder& a, const Holder& b) {
                      return a.bytes != b.bytes ? a.bytes > b.bytes : a.pid < b.pid;
                    });
  std::string text;
  for (size_t i = 0; i < named; ++i) {
    text += Format("%spid %u (uid %u) holds %s", i == 0 ? "" : ", ", holders[i].pid, holders[i].uid,
                   InMiB(holders[i].bytes).c_str());
  }
  if (holders.size() > named) text += Format(", %zu more hold less", holders.size() - named);
  return text;
}

Status Store::Impl::OutOfMemory(std::string_view what, uint64_t size) const {
  const Budget* budget = options_.budget;
  // What this user keeps may be little of it, but is what it can give back without deleting anything.
  if (budget != nullptr && !budget->is_whole() && budget->pinned() > 0 &&
      size > budget->limit() - budget->charged() && size <= options_.size_bytes) {
    return OverQuota(what);
  }
  uint64_t used = small_.extents().allocated() + large_.extents().allocated();
  std::string text(what);
  text += ": no memory for " + std::to_string(size) + " bytes: " + InMiB(used) + " of " +
          InMiB(options_.size_bytes) + " are used by " +
          std::to_string(statistics_.objects + statistics_.blobs) + " objects and " +
          std::to_string(leases_.size()) + " unsealed blobs";
  if (budget != nullptr && !budget->is_whole() && size > budget->limit()) {
    text += "; it is larger than all that " + budget->of() + " may use: have --quota raised";
  } else if (size > options_.size_bytes) {
    text += "; it is larger than the whole store: start vineyardd with a larger --size";
  } else if (budget != nullptr && !budget->is_whole() &&
             size > budget->limit() - std::min(budget->limit(), budget->taken())) {
    text += "; " + budget->of() + " uses " + InMiB(budget->taken()) + " of its quota of " +
            InMiB(budget->limit()) + ": delete objects, or have --quota raised";
  } else {
    Held held = HeldBytes();
    text += ", " + InMiB(held.bytes) + " are held by readers, largest free piece " +
            InMiB(std::max(large_.extents().largest_free(), small_.extents().largest_free()));
    if (!held.holders.empty()) text += "; " + DescribeHolders(std::move(held.holders));
    text += "; delete objects, or start vineyardd with a larger --size";
    if (options_.eviction == Eviction::kNone) text += " or --evict drop";
    if (options_.eviction == Eviction::kSpill) {
      text += spill_failed_ ? "; nothing more was spilled: " + spill_failed_->text()
                            : "; all that is not in use is spilled";
    }
  }
  return {Code::kOutOfMemory, text};
}

Status Store::Impl::AddSegment(shm::Segment segment) {
  CHECK(growth_ && growth_->number == segment.number());
  DropPlan();
  // The number first: it is never given to another segment, whatever happens next.
  next_counters_.next_segment = uint64_t{segment.number()} + 1;
  Batch nothing(slots_.get());
  RETURN_IF_ERROR(Commit(nothing, Request{}, nullptr));
  Pool& pool = segment.leasable() ? large_ : small_;
  uint32_t number = segment.number();
  int fd = segment.fd().get();
  uint64_t size = segment.size();
  uint32_t flags = segment.leasable() ? shm::kLeasableSegment : 0;
  if (segment.use() == SegmentUse::kSole) flags |= shm::kSoleSegment;
  Take(segment.data_size());
  pool.Add(std::move(segment));
  Status listed = state_->List(shm::Role::kSegment, fd, number, size, flags);
  if (!listed.ok()) {
    Give(pool.Remove(number).data_size());  // and closes it
    return listed;
  }
  Log(LogLevel::kDebug, "segment %u of %llu bytes added", number, static_cast<ull>(size));
  return OkStatus();
}

Statistics Store::Impl::Stats() const {
  Statistics stats = statistics_;
  stats.names = names_.size();
  stats.leases = leases_.size();
  stats.deferred = deferred_.size() + held_.size();
  stats.memory_limit = options_.size_bytes;
  stats.memory_allocated = small_.total() + large_.total();
  stats.memory_used = small_.extents().allocated() + large_.extents().allocated();
  stats.memory_pinned = HeldBytes().bytes;
  stats.metadata_bytes =
      slots_->file_size() + directory_->cells() * sizeof(shm::Cell) + state_->allocated_bytes();
  for (const auto& [id, session] : sessions_) {
    for (uint64_t piece = 0; piece * shm::kPinPieceSlots < slots_->capacity(); ++piece) {
      if (session->Granted(piece))
        stats.metadata_bytes += shm::kPinPieceSlots * sizeof(shm::PinCell);
    }
  }
  for (const Pool* pool : {&small_, &large_}) {
    stats.segments += pool->segments().size();
    for (const auto& [number, entry] : pool->segments()) {
      stats.memory_huge_pages += entry.segment.huge_page_bytes();
    }
  }
  for (const auto& [file, blobs] : spill_files_) stats.spilled_blobs += blobs;
  stats.sessions = sessions_.size();
  stats.slots = slots_->capacity();
  stats.revision = next_counters_.revision;
  return stats;
}

}  // namespace vineyard::store

// Opening: new memory, or what another daemon left. Adoption believes words, ids, sizes, locations,
// links and flags of slots whose checksums are right, and derives everything else from them.
#include <algorithm>
#include <bit>
#include <unordered_set>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {
namespace {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

// One bit for each 64 bytes of a segment: marks what is used, so that overlaps show and gaps are
// the free extents.
class UsedMap {
 public:
  explicit UsedMap(uint64_t data_size) : bits_((data_size / kPayloadAlignment + 63) / 64) {
    units_ = data_size / kPayloadAlignment;
  }
  // False: part of the range is outside, or used already; nothing is marked then.
  bool Mark(uint64_t first, uint64_t count) {
    if (count > units_ || first > units_ - count) return false;
    for (uint64_t i = first; i < first + count;) {
      uint64_t run = std::min(first + count - i, 64 - i % 64);
      if ((bits_[i / 64] & Mask(i % 64, run)) != 0) return false;
      i += run;
    }
    for (uint64_t i = first; i < first + count;) {
      uint64_t run = std::min(first + count - i, 64 - i % 64);
      bits_[i / 64] |= Mask(i % 64, run);
      i += run;
    }
    return true;
  }
  template <typename OnGap>
  void Gaps(OnGap on_gap) const {
    uint64_t i = 0;
    while (i < units_) {
      i = Next(i, /*used=*/false);
      uint64_t end = Next(i, /*used=*/true);
      if (end > i) on_gap(i, end - i);
      i = end;
    }
  }

 private:
  static uint64_t Mask(uint64_t at, uint64_t run) {
    return (run == 64 ? ~uint64_t{0} : (uint64_t{1} << run) - 1) << at;
  }
  // The first unit from i on that is (not) used, or the end.
  uint64_t Next(uint64_t i, bool used) const {
    for (; i < units_; i = (i / 64 + 1) * 64) {
      uint64_t word = used ? bits_[i / 64] : ~bits_[i / 64];
      word &= ~uint64_t{0} << (i % 64);
      if (word != 0) {
        return std::min(units_, i / 64 * 64 + static_cast<uint64_t>(std::countr_zero(word)));
      }
    }
    return units_;
  }
  std::vector<uint64_t> bits_;
  uint64_t units_;
};

}  // namespace

Status Store::Impl::Open() {
  ASSIGN_OR_RETURN(slots_, shm::SlotTable::Open(state_));
  ASSIGN_OR_RETURN(directory_, shm::Directory::Open(state_));
  state_->Redo(slots_->data());
  next_counters_ = state_->header().counters;
  ++state_->header().epoch;
  // relaxed: tells waits and people that another daemon serves; nothing is ordered by it.
  slots_->superblock().epoch.store(state_->header().epoch, std::memory_order_relaxed);
  sealed_at_.resize(slots_->capacity());
  int64_t tenths = (MonotonicNs() / 1'000'000 - state_->header().first_start_ms) / 100;
  coarse_clock_ = static_cast<uint32_t>(std::max<int64_t>(tenths, 0));
  slots_->superblock().coarse_clock.store(coarse_clock_, std::memory_order_relaxed);
  RETURN_IF_ERROR(AdoptSessions());
  RETURN_IF_ERROR(AdoptSegments());
  RETURN_IF_ERROR(AdoptSlots());
  types_ready_ = statistics_.adopted == 0;
  if (small_.total() == 0) PlanGrowth(/*leasable=*/false, 0);
  return OkStatus();
}

Status Store::Impl::AdoptSessions() {
  for (uint32_t i = 0; i < state_->sessions_end(); ++i) {
    shm::SessionCell& cell = state_->session(i);
    uint64_t id = cell.id.load(std::memory_order_acquire);
    if (id == 0) continue;
    auto listed = state_->Lookup(shm::Role::kPins, id);
    auto session = std::make_unique<Session>();
    session->cell = &cell;
    if (!listed) {
      cell.id.store(0, std::memory_order_release);
      continue;
    }
    session->pins_fd = Fd(listed->fd);
    ASSIGN_OR_RETURN(session->pins,
                     shm::Mapping::Map(session->pins_fd, shm::kMaxPinFile, /*writable=*/false));
    sessions_.emplace(id, std::move(session));
  }
  // Tables whose session was never completed, or was taken back half way.
  for (const auto& listed : state_->Descriptors()) {
    if (listed.role == shm::Role::kPins && sessions_.count(listed.number) == 0) {
      state_->Forget(shm::Role::kPins, listed.number);
    }
  }
  return OkStatus();
}

Status Store::Impl::AdoptSegments() {
  for (const auto& listed : state_->Descriptors()) {
    if (listed.role != shm::Role::kSegment) continue;
    bool leasable = (listed.flags & 1) != 0;
    ASSIGN_OR_RETURN(
        shm::Segment segment,
        shm::Segment::Adopt(Fd(listed.fd), state_->header().instance,
                            static_cast<uint32_t>(listed.number), listed.size, leasable));
    next_counters_.next_segment = std::max(next_counters_.next_segment, listed.number + 1);
    (leasable ? large_ : small_).AddUsed(std::move(segment));
  }
  return OkStatus();
}

void Store::Impl::Quarantine(uint32_t slot, const char* why) {
  SlotImage image = slots_->Read(slot);
  Log(LogLevel::kError, "slot %u (object %s) is quarantined: %s", slot,
      PrintId(image.fields.id).c_str(), why);
  slots_->StoreWord(slot, shm::MakeWord(shm::GenerationOf(image.word), SlotState::kQuarantine));
  ++statistics_.quarantined;
}

Status Store::Impl::AdoptSlots() {
  std::unordered_map<uint32_t, UsedMap> used;
  for (Pool* pool : {&small_, &large_}) {
    for (const auto& [number, entry] : pool->segments()) used.emplace(number, entry.data_size());
  }
  std::vector<uint32_t> expired, indexed;
  for (uint64_t i = slots_->capacity(); i-- > 0;) {
    uint32_t slot = static_cast<uint32_t>(i);
    SlotImage image = slots_->Read(slot);
    SlotState state = image.state();
    if (state == SlotState::kEmpty) {
      free_slots_.push_back(slot);
      continue;
    }
    if (state == SlotState::kQuarantine) {
      ++statistics_.quarantined;
      continue;
    }
    if (!image.HeaderIsGood() || state > SlotState::kEvicting ||
        image.fields.kind == SlotKind::kNone || image.fields.kind > SlotKind::kLabels) {
      Quarantine(slot, "its header does not pass its checks");
      continue;
    }
    if (image.fields.location != shm::kNoLocation) {
      auto map = used.find(shm::SegmentOf(image.fields.location));
      uint64_t offset = shm::OffsetOf(image.fields.location);
      if (map == used.end() || !map->second.Mark(offset / kPayloadAlignment,
                                                 ExtentSize(image.fields) / kPayloadAlignment)) {
        Quarantine(slot, "its extent is not in a segment, or overlaps another's");
        continue;
      }
    }
    sealed_at_[slot] = coarse_clock_;
    if (state == SlotState::kCreated) {
      leases_.emplace(image.fields.id, slot);
      if (sessions_.count(image.fields.owner) == 0) expired.push_back(slot);
      continue;
    }
    // An eviction was under way: it did not happen.
    if (state == SlotState::kEvicting) {
      slots_->StoreWord(slot, shm::MakeWord(shm::GenerationOf(image.word), SlotState::kSealed));
    }
    indexed.push_back(slot);
  }
  for (Pool* pool : {&small_, &large_}) {
    for (const auto& [number, entry] : pool->segments()) {
      uint64_t first = entry.first();
      used.at(number).Gaps([&](uint64_t unit, uint64_t count) {
        pool->Free(first + unit, count * kPayloadAlignment);
      });
    }
  }
  RETURN_IF_ERROR(directory_->BeginTable(indexed.size() + 1, slots_->superblock()));
  for (uint32_t slot : indexed) {
    SlotImage image = slots_->Read(slot);
    directory_->Insert(HashOf(image.fields), slot);
    if (image.state() == SlotState::kDeleting) {
      deferred_.push_back(slot);
      continue;
    }
    switch (image.fields.kind) {
      case SlotKind::kName: {
        auto record = DecodeName(StoredBytes(image.fields));
        CHECK(record.ok());
        names_[std::string(record->name)] = slot;
        names_of_.emplace(record->id, slot);
        break;
      }
      case SlotKind::kLabels:
        labels_[image.fields.id] = slot;
        break;
      case SlotKind::kObject:
        ++statistics_.objects;
        break;
      default:
        ++statistics_.blobs;
        break;
    }
    ++statistics_.adopted;
  }
  directory_->Publish(&slots_->superblock());
  for (uint32_t slot : expired) DropLeaseSlot(slot);
  return OkStatus();
}

}  // namespace vineyard::store

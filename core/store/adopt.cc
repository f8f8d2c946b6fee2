// Opening: new memory, or what another daemon left. Adoption believes words, ids, sizes, locations,
// links and flags of slots whose checksums are right, and derives everything else from them.
#include <algorithm>
#include <bit>
#include <unordered_map>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

// What is used of every segment, so that overlaps show and gaps are the free extents: one bit for each
// 64 bytes.
class UsedMaps {
 public:
  void Add(uint32_t segment, uint64_t data_size) {
    uint64_t units = data_size / kPayloadAlignment;
    maps_[segment] = Map{std::vector<uint64_t>((units + 63) / 64), units};
  }

  // False: part of the extent is outside, or used already; nothing is marked then.
  bool Mark(uint64_t location, uint64_t size) {
    uint32_t segment = shm::SegmentOf(location);
    if (last_ == nullptr || segment != last_segment_) {  // neighbours lie in one segment
      auto found = maps_.find(segment);
      if (found == maps_.end()) return false;
      last_ = &found->second;
      last_segment_ = segment;
    }
    return last_->Mark(shm::OffsetOf(location) / kPayloadAlignment, size / kPayloadAlignment);
  }

  // on_gap(offset, size), in bytes.
  template <typename OnGap>
  void Gaps(uint32_t segment, OnGap on_gap) const {
    const Map& map = maps_.at(segment);
    for (uint64_t i = 0; i < map.units;) {
      i = map.Next(i, /*used=*/false);
      uint64_t end = map.Next(i, /*used=*/true);
      if (end > i) on_gap(i * kPayloadAlignment, (end - i) * kPayloadAlignment);
      i = end;
    }
  }

 private:
  struct Map {
    std::vector<uint64_t> bits;
    uint64_t units = 0;

    bool Mark(uint64_t first, uint64_t count) {
      if (count > units || first > units - count) return false;
      for (uint64_t i = first; i < first + count;) {
        uint64_t run = std::min(first + count - i, 64 - i % 64);
        if ((bits[i / 64] & Mask(i % 64, run)) != 0) return false;
        i += run;
      }
      for (uint64_t i = first; i < first + count;) {
        uint64_t run = std::min(first + count - i, 64 - i % 64);
        bits[i / 64] |= Mask(i % 64, run);
        i += run;
      }
      return true;
    }
    // The first unit from i on that is (not) used, or the end.
    uint64_t Next(uint64_t i, bool used) const {
      for (; i < units; i = (i / 64 + 1) * 64) {
        uint64_t word = used ? bits[i / 64] : ~bits[i / 64];
        word &= ~uint64_t{0} << (i % 64);
        if (word != 0) {
          return std::min(units, i / 64 * 64 + static_cast<uint64_t>(std::countr_zero(word)));
        }
      }
      return units;
    }
  };
  static uint64_t Mask(uint64_t at, uint64_t run) {
    return (run == 64 ? ~uint64_t{0} : (uint64_t{1} << run) - 1) << at;
  }

  std::unordered_map<uint32_t, Map> maps_;
  Map* last_ = nullptr;
  uint32_t last_segment_ = 0;
};

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

bool Store::Impl::AdoptSlot(uint32_t slot, const SlotImage& image, UsedMaps* used) {
  const shm::SlotFields& fields = image.fields;
  if (!image.HeaderIsGood() || image.state() > SlotState::kEvicting ||
      fields.kind == SlotKind::kNone || fields.kind > SlotKind::kLabels) {
    Quarantine(slot, "its header does not pass its checks");
    return false;
  }
  if (fields.location != shm::kNoLocation && !used->Mark(fields.location, ExtentSize(fields))) {
    Quarantine(slot, "its extent is not in a segment, or overlaps another's");
    return false;
  }
  sealed_at_[slot] = coarse_clock_;
  if (image.state() == SlotState::kCreated) {
    leases_.emplace(fields.id, slot);
    return false;
  }
  if (image.state() == SlotState::kDeleting) {
    deferred_.push_back(slot);
    return true;
  }
  // An eviction was under way: it did not happen.
  if (image.state() == SlotState::kEvicting) {
    slots_->StoreWord(slot, shm::MakeWord(shm::GenerationOf(image.word), SlotState::kSealed));
  }
  switch (fields.kind) {
    case SlotKind::kName: {
      auto record = DecodeName(StoredBytes(fields));
      if (!record.ok()) {
        Quarantine(slot, "its record is not that of a name");
        return false;
      }
      names_[std::string(record->name)] = slot;
      names_of_[record->id].insert(slot);
      break;
    }
    case SlotKind::kLabels:
      labels_[fields.id] = slot;
      break;
    case SlotKind::kObject:
      ++statistics_.objects;
      break;
    default:
      ++statistics_.blobs;
      break;
  }
  ++statistics_.adopted;
  return true;
}

// One pass over the slots: what they say goes into the books and the directory at once.
Status Store::Impl::AdoptSlots() {
  UsedMaps used;
  for (const Pool* pool : {&small_, &large_}) {
    for (const auto& [number, entry] : pool->segments()) used.Add(number, entry.data_size());
  }
  // How many there are shows at the end; the table that the last daemon had is a good guess.
  uint64_t cells =
      shm::DirectoryCells(slots_->superblock().directory.load(std::memory_order_relaxed));
  uint64_t guess = cells <= shm::kMaxDirectoryCells ? cells / 2 : 0;
  RETURN_IF_ERROR(directory_->BeginTable(guess, slots_->superblock()));
  shm::DirectoryFiller filler(directory_.get());
  for (uint64_t i = slots_->capacity(); i-- > 0;) {
    uint32_t slot = static_cast<uint32_t>(i);
    SlotImage image = slots_->Read(slot);
    if (image.state() == SlotState::kEmpty) {
      free_slots_.push_back(slot);
    } else if (image.state() == SlotState::kQuarantine) {
      ++statistics_.quarantined;
    } else if (AdoptSlot(slot, image, &used)) {
      filler.Add(HashOf(image.fields), slot);
    }
  }
  for (Pool* pool : {&small_, &large_}) {
    for (const auto& [number, entry] : pool->segments()) {
      uint64_t first = entry.first();
      used.Gaps(number, [&](uint64_t offset, uint64_t size) {
        pool->Free(first + offset / kPayloadAlignment, size);
      });
    }
  }
  uint64_t entries = filler.Finish();
  if (filler.overfull() || entries < directory_->cells() / 16) {
    RETURN_IF_ERROR(GrowDirectory(entries + 1));
  } else {
    directory_->Publish(&slots_->superblock());
  }
  std::vector<uint32_t> expired;
  for (const auto& [id, slot] : leases_) {
    if (sessions_.count(slots_->Read(slot).fields.owner) == 0) expired.push_back(slot);
  }
  for (uint32_t slot : expired) DropLeaseSlot(slot);
  return OkStatus();
}

}  // namespace vineyard::store

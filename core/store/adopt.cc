// Opening: new memory, or what another daemon left. Adoption believes words, ids, sizes, locations,
// links and flags of slots whose checksums are right, and derives everything else from them.
//
// Where memory is damaged: what no daemon could have written is quarantined (slots) or left out (segments,
// sessions, lines of a commit), and logged; then links are counted again (repair.cc). Without the headers
// of its files, or without index or directory, a store does not open.
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
  void Add(uint32_t segment, uint64_t data_size, bool leasable) {
    uint64_t units = data_size / kPayloadAlignment;
    maps_[segment] = Map{std::vector<uint64_t>((units + 63) / 64), units, leasable};
  }

  // False: part of the extent is outside, or used already, or it is a record where clients can write;
  // nothing is marked then.
  bool Mark(uint64_t location, uint64_t size, bool record) {
    Map* map = Find(shm::SegmentOf(location));
    if (map == nullptr || (record && map->leasable)) return false;
    return map->Mark(shm::OffsetOf(location) / kPayloadAlignment, size / kPayloadAlignment);
  }
  // Marks what nobody else uses of an extent that may overlap others'. Returns bytes.
  uint64_t MarkRest(uint64_t location, uint64_t size) {
    Map* map = Find(shm::SegmentOf(location));
    uint64_t first = shm::OffsetOf(location) / kPayloadAlignment, count = size / kPayloadAlignment;
    if (map == nullptr || count > map->units || first > map->units - count) return 0;
    uint64_t marked = 0;
    for (uint64_t i = first; i < first + count; ++i) {
      if (map->Mark(i, 1)) marked += kPayloadAlignment;
    }
    return marked;
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
    bool leasable = false;

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

  Map* Find(uint32_t segment) {
    if (last_ == nullptr || segment != last_segment_) {  // neighbours lie in one segment
      auto found = maps_.find(segment);
      if (found == maps_.end()) return nullptr;
      last_ = &found->second;
      last_segment_ = segment;
    }
    return last_;
  }

  std::unordered_map<uint32_t, Map> maps_;
  Map* last_ = nullptr;
  uint32_t last_segment_ = 0;
};

Status Store::Impl::Open() {
  // New ones would be made beside those that readers have.
  if (state_->header().epoch > 0 &&
      (!state_->Lookup(shm::Role::kIndex) || !state_->Lookup(shm::Role::kDirectory))) {
    return Corrupt("state: it lists no index or no directory");
  }
  ASSIGN_OR_RETURN(slots_, shm::SlotTable::Open(state_));
  ASSIGN_OR_RETURN(directory_, shm::Directory::Open(state_));
  uint64_t left_out = state_->Redo(slots_->data(), slots_->file_size());
  if (left_out > 0) {
    Log(LogLevel::kError, "the last commit: %llu of its lines are damaged and left out",
        static_cast<unsigned long long>(left_out));
  }
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
  RETURN_IF_ERROR(OpenSpillFolder());
  types_ready_ = false;
  RETURN_IF_ERROR(AdoptSlots());
  AdoptSpilled();
  types_ready_ = statistics_.adopted == 0;
  (void)TakeTables(0);  // they are there
  if (small_.total() == 0) PlanGrowth(shm::SegmentUse::kDaemon, 0);
  return OkStatus();
}

namespace {
// Whether a descriptor is that of a pin table: to map or to close another would do harm.
bool IsPinTable(int number) {
  Fd fd(number);
  Result<uint64_t> size = shm::FileSize(fd);
  (void)fd.Release();
  return size.ok() && *size == shm::kMaxPinFile;
}
}  // namespace

Status Store::Impl::AdoptSessions() {
  for (uint32_t i = 0; i < state_->sessions_end(); ++i) {
    shm::SessionCell& cell = state_->session(i);
    uint64_t id = cell.id.load(std::memory_order_acquire);
    if (id == 0) continue;
    auto listed = state_->Lookup(shm::Role::kPins, id);
    if (!listed || !IsPinTable(listed->fd) || sessions_.count(id) != 0) {
      if (listed) Log(LogLevel::kError, "session in cell %u: it is damaged and forgotten", i);
      cell.id.store(0, std::memory_order_release);
      shm::CrashPoint();
      continue;
    }
    auto session = std::make_unique<Session>();
    session->cell = &cell;
    session->pins_fd = Fd(listed->fd);
    ASSIGN_OR_RETURN(session->pins,
                     shm::Mapping::Map(session->pins_fd, shm::kMaxPinFile, /*writable=*/false));
    sessions_.emplace(id, std::move(session));
  }
  // Tables whose session was never completed, or was taken back half way.
  for (const auto& listed : state_->Descriptors()) {
    if (listed.role != shm::Role::kPins || sessions_.count(listed.number) != 0) continue;
    if (IsPinTable(listed.fd)) {
      state_->Forget(shm::Role::kPins, listed.number);
    } else {
      state_->Unlist(shm::Role::kPins, listed.number);
    }
  }
  return OkStatus();
}

Status Store::Impl::AdoptSegments() {
  uint64_t& next = next_counters_.next_segment;
  if (next > shm::kMaxSegmentNumber + 1) next = 0;  // no daemon counted as far
  for (const auto& listed : state_->Descriptors()) {
    if (listed.role != shm::Role::kSegment) continue;
    bool leasable = (listed.flags & shm::kLeasableSegment) != 0;
    auto use = !leasable                                 ? shm::SegmentUse::kDaemon
               : (listed.flags & shm::kSoleSegment) != 0 ? shm::SegmentUse::kSole
                                                         : shm::SegmentUse::kLeases;
    auto number = static_cast<uint32_t>(listed.number);
    if (number == 0 || listed.number > shm::kMaxSegmentNumber || small_.Find(number) != nullptr ||
        large_.Find(number) != nullptr) {
      Log(LogLevel::kError, "segment %llu is left out: its number is damaged",
          static_cast<unsigned long long>(listed.number));
      segments_left_out_ = true;
      continue;
    }
    next = std::max(next, listed.number + 1);
    Fd fd(listed.fd);
    auto segment = shm::Segment::Adopt(&fd, state_->header().instance, number, listed.size, use);
    if (!segment.ok()) {
      (void)fd.Release();  // it stays listed
      Code code = segment.status().code();
      if (code != Code::kCorrupt && code != Code::kVersion) return segment.status();
      Log(LogLevel::kError, "segment %u is left out: %s", number, segment.status().text().c_str());
      segments_left_out_ = true;
      continue;
    }
    Take(segment->data_size());
    (leasable ? large_ : small_).AddUsed(std::move(segment).value());
  }
  next = std::max<uint64_t>(next, 1);
  PublishOldestSegment();  // the last daemon may have died before it did, and clients believe it
  return OkStatus();
}

void Store::Impl::Quarantine(uint32_t slot, const char* why) {
  SlotImage image = slots_->Read(slot);
  Log(LogLevel::kError, "slot %u (object %s) is quarantined: %s", slot,
      PrintId(image.fields.id).c_str(), why);
  slots_->StoreWord(slot, shm::MakeWord(shm::GenerationOf(image.word), SlotState::kQuarantine));
  ++statistics_.quarantined;
}

namespace {

// Whether the stored form is one that a put makes: what a client computes from it stays inside.
bool WindowIsGood(const shm::SlotFields& fields) {
  if (!shm::IsBlobKind(fields.kind)) return fields.skip == 0 && fields.before == 0;
  auto kind = static_cast<BlobKind>(fields.kind);
  uint64_t around = fields.before + EnvelopeOf(kind, 0).after;
  if (fields.size < around) return false;
  Envelope envelope = EnvelopeOf(kind, fields.size - around);
  return envelope.before == fields.before && envelope.skip() == fields.skip;
}

// What tells that no daemon wrote the slot like this; null: nothing does.
const char* DoubtOf(const SlotImage& image) {
  const shm::SlotFields& fields = image.fields;
  if (!image.HeaderIsGood()) return "its header does not pass its checks";
  if (image.state() > SlotState::kSpilled) return "its state is unknown";
  if (fields.kind == SlotKind::kNone || fields.kind > SlotKind::kLabels) {
    return "its kind is unknown";
  }
  if (image.state() == SlotState::kCreated && !shm::IsBlobKind(fields.kind)) {
    return "a lease is of a blob";
  }
  if (fields.kind <= SlotKind::kObject && IsBlobId(fields.id) != shm::IsBlobKind(fields.kind)) {
    return "its id is not of its kind";
  }
  bool in_file = (fields.flags & shm::kInFile) != 0;
  bool spilled_blob =
      image.state() == SlotState::kSpilled && shm::IsBlobKind(fields.kind) && fields.size > 0;
  if (image.state() != SlotState::kDeleting && in_file != spilled_blob) {
    return "its state is not that of its location";
  }
  if (image.state() == SlotState::kSpilled && fields.kind > SlotKind::kObject) {
    return "only objects are spilled";
  }
  // Not larger than a segment: what is computed from the size does not overflow.
  if (fields.size > shm::kMaxSegment ||
      (fields.location == shm::kNoLocation) != (fields.size == 0) || !WindowIsGood(fields)) {
    return "its size can not be right";
  }
  return nullptr;
}

}  // namespace

bool Store::Impl::AdoptSlot(uint32_t slot, const SlotImage& image, UsedMaps* used) {
  const shm::SlotFields& fields = image.fields;
  bool record = !shm::IsBlobKind(fields.kind);
  const char* doubt = DoubtOf(image);
  bool in_file = (fields.flags & shm::kInFile) != 0;
  if (doubt == nullptr && fields.location != shm::kNoLocation && !in_file &&
      !used->Mark(fields.location, ExtentSize(fields), record)) {
    doubt = "its extent is not in a segment for it, or overlaps another's";
  }
  if (doubt != nullptr) {
    Quarantine(slot, doubt);
    return false;
  }
  // From here on its extent is marked.
  auto quarantine = [&](const char* why) {
    Quarantine(slot, why);
    quarantined_bytes_ += ExtentSize(fields);
    return false;
  };
  if (record && fields.payload_checksum != 0 &&
      fields.payload_checksum != ChecksumOf(StoredBytes(fields))) {
    return quarantine("its record does not have its checksum");
  }
  bool linkable = image.state() != SlotState::kCreated && image.state() != SlotState::kDeleting &&
                  fields.kind <= SlotKind::kObject;
  if (!linkable && fields.links != 0) links_doubted_ = true;
  if (fields.kind <= SlotKind::kObject &&
      fields.id >> 40 == MakeId(!record, state_->header().instance, 0) >> 40) {
    next_counters_.next_id = std::max(next_counters_.next_id, CounterOf(fields.id) + 1);
    next_counters_.next_id = std::min(next_counters_.next_id, kMaxCounter);
  }
  sealed_at_[slot] = coarse_clock_;
  if (in_file) {
    ++spill_files_[shm::SegmentOf(fields.location)];
    statistics_.spilled_bytes += fields.size;
  }
  if (image.state() == SlotState::kSpilled && fields.kind == SlotKind::kObject) {
    spilled_objects_.insert(slot);
  }
  if (image.state() == SlotState::kCreated) {
    if (!leases_.emplace(fields.id, slot).second) quarantine("another lease has its id");
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
      auto name = DecodeName(StoredBytes(fields));
      if (!name.ok() || shm::HashName(name->name.data(), name->name.size()) != fields.id) {
        return quarantine("its record is not that of a name");
      }
      if (!names_.emplace(name->name, slot).second) return quarantine("another slot has its name");
      names_of_[name->id].insert(slot);
      break;
    }
    case SlotKind::kLabels:
      if (!labels_.emplace(fields.id, slot).second)
        return quarantine("another slot has its labels");
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

void Store::Impl::SettleTwins(const shm::DirectoryFiller& filler) {
  bool doubles = false;
  for (const auto& [hash, slot] : filler.twins()) {
    SlotImage image = slots_->Read(slot);
    // A name, or labels, and their successor have one key. Objects have not.
    if (image.fields.kind > SlotKind::kObject || !FindSlot(image.fields.id)) {
      directory_->Insert(hash, slot);
      continue;
    }
    Unbook(image);
    Quarantine(slot, "another slot has its id");
    quarantined_bytes_ += ExtentSize(image.fields);
    doubles = true;
  }
  if (doubles) ForgetUndeferred();
}

// One pass over the slots: what they say goes into the books and the directory at once.
Status Store::Impl::AdoptSlots() {
  UsedMaps used;
  for (const Pool* pool : {&small_, &large_}) {
    for (const auto& [number, entry] : pool->segments()) {
      used.Add(number, entry.data_size(), entry.segment.leasable());
    }
  }
  uint64_t next_id = next_counters_.next_id;
  if (next_id == 0 || next_id > kMaxCounter) next_counters_.next_id = 1;  // nobody counted as far
  // How many there are shows at the end; the table that the last daemon had is a good guess.
  uint64_t guess = directory_->CellsInUse(slots_->superblock()) / 2;
  RETURN_IF_ERROR(directory_->BeginTable(guess, slots_->superblock()));
  shm::DirectoryFiller filler(directory_.get());
  std::vector<uint32_t> damaged;
  for (uint64_t i = slots_->capacity(); i-- > 0;) {
    uint32_t slot = static_cast<uint32_t>(i);
    SlotImage image = slots_->Read(slot);
    if (image.state() == SlotState::kEmpty) {
      free_slots_.push_back(slot);
    } else if (image.state() == SlotState::kQuarantine) {
      ++statistics_.quarantined;
      damaged.push_back(slot);
    } else if (AdoptSlot(slot, image, &used)) {
      filler.Add(HashOf(image.fields), slot);
    } else if (shm::StateOf(slots_->word(slot)) == SlotState::kQuarantine) {
      damaged.push_back(slot);
    }
  }
  // Somebody may still read what was quarantined: its memory is not given out. After the others, so
  // that a wrong size takes nothing from them.
  for (uint32_t slot : damaged) {
    SlotImage image = slots_->Read(slot);
    if (!image.LocationIsGood() || image.fields.size > shm::kMaxSegment) continue;
    quarantined_bytes_ += used.MarkRest(image.fields.location, ExtentSize(image.fields));
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
  if (!filler.overfull()) SettleTwins(filler);
  if (filler.overfull() || entries < directory_->cells() / 16) {
    RETURN_IF_ERROR(GrowDirectory(entries + 1));
  } else {
    directory_->Publish(&slots_->superblock());
  }
  std::vector<uint32_t> expired;
  for (auto lease = leases_.begin(); lease != leases_.end();) {
    auto [id, slot] = *lease;
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (FindSlot(id)) {
      Quarantine(slot, "another slot has its id");
      quarantined_bytes_ += ExtentSize(fields);
      lease = leases_.erase(lease);
      continue;
    }
    if (sessions_.count(fields.owner) == 0) expired.push_back(slot);
    ++lease;
  }
  for (uint32_t slot : expired) DropLeaseSlot(slot);
  if (statistics_.quarantined > 0 || links_doubted_) RETURN_IF_ERROR(Repair());
  return OkStatus();
}

}  // namespace vineyard::store

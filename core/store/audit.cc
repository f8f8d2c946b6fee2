// Audit: the equations of store_impl.h, run over books and memory. Slow: it reads every slot and record.
#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {
namespace {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

using Count = unsigned long long;

class Auditor {
 public:
  // `books_only`: not what is no fault of the books: a session whose process is gone and nobody has noticed
  // yet, a member that damage took away from its parents.
  Auditor(const Store::Impl& store, bool books_only) : store_(store), books_only_(books_only) {}
  Findings Run();

 private:
  __attribute__((format(printf, 2, 3))) void Problem(const char* format, ...) {
    if (++findings_.count > kMaxProblems) return;
    va_list arguments;
    va_start(arguments, format);
    char text[512];
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    findings_.problems.emplace_back(text);
  }
  // An equation between two numbers.
  void Equal(const char* what, uint64_t found, const char* than, uint64_t expected) {
    if (found != expected) {
      Problem("%s: %llu, %s: %llu", what, Count{found}, than, Count{expected});
    }
  }

  void Slot(uint32_t slot, const SlotImage& image);
  bool Extent(uint32_t slot, const shm::SlotFields& fields);
  void Record(uint32_t slot, SlotState state, const shm::SlotFields& fields);
  void Memory();
  void Links();
  void Books();
  void Sessions();

  const Store::Impl& store_;
  const bool books_only_;
  Findings findings_;
  struct Used {
    uint64_t location, units;
    uint32_t slot;
  };
  std::vector<uint32_t> links_;  // of each slot, as records say
  std::vector<Used> extents_;
  uint64_t empty_ = 0, indexed_ = 0, deleting_ = 0, created_ = 0, quarantined_ = 0;
  uint64_t objects_ = 0, blobs_ = 0, names_ = 0, records_checked_ = 0;
  uint64_t spilled_ = 0, spilled_objects_ = 0;
  std::unordered_map<uint32_t, uint64_t> in_files_;       // spilled blobs in each file
  std::unordered_map<uint32_t, uint32_t> spilled_links_;  // of each slot, from spilled parents
};

// Invariant 1, as far as one slot tells. Whether it has bytes.
bool Auditor::Extent(uint32_t slot, const shm::SlotFields& fields) {
  std::string id = PrintId(fields.id);
  if ((fields.flags & shm::kInFile) != 0) {
    ++in_files_[shm::SegmentOf(fields.location)];
    return false;
  }
  if (fields.location == shm::kNoLocation) {
    if (fields.size != 0) Problem("slot %u (%s): bytes that lie nowhere", slot, id.c_str());
    return false;
  }
  uint64_t size = Store::Impl::ExtentSize(fields);
  const Pool::Entry* segment = store_.FindSegment(shm::SegmentOf(fields.location));
  if (segment == nullptr || size > segment->data_size() ||
      shm::OffsetOf(fields.location) > segment->data_size() - size) {
    Problem("slot %u (%s): its extent is in no segment", slot, id.c_str());
    return false;
  }
  extents_.push_back({fields.location, size / kPayloadAlignment, slot});
  return true;
}

void Auditor::Record(uint32_t slot, SlotState state, const shm::SlotFields& fields) {
  std::string id = PrintId(fields.id);
  std::string_view bytes = store_.StoredBytes(fields);
  ++records_checked_;
  if (fields.payload_checksum != 0 && fields.payload_checksum != ChecksumOf(bytes)) {
    Problem("slot %u (%s): its record does not have its checksum", slot, id.c_str());
    return;
  }
  if (fields.kind != SlotKind::kObject) return;
  auto record = DecodeRecord(bytes);
  if (!record.ok()) {
    Problem("slot %u (%s): its record: %s", slot, id.c_str(), record.status().text().c_str());
  } else if (record->id != fields.id) {
    Problem("slot %u (%s): its record is that of %s", slot, id.c_str(),
            PrintId(record->id).c_str());
  } else {
    for (const Member& member : record->members) {
      if (auto child = store_.FindSlot(member.id)) {
        ++links_[*child];
        if (state == SlotState::kSpilled) ++spilled_links_[*child];
        if (state == SlotState::kSealed && !books_only_ &&
            shm::StateOf(store_.slots_->word(*child)) == SlotState::kSpilled) {
          Problem("slot %u (%s): its member %s is spilled, and it is not", slot, id.c_str(),
                  PrintId(member.id).c_str());
        }
      } else if (!books_only_ && InstanceOf(member.id) == store_.state_->header().instance) {
        Problem("slot %u (%s): its member %s is not there", slot, id.c_str(),
                PrintId(member.id).c_str());
      }
    }
  }
}

void Auditor::Slot(uint32_t slot, const SlotImage& image) {
  const shm::SlotFields& fields = image.fields;
  SlotState state = image.state();
  if (state == SlotState::kEmpty) {
    ++empty_;
    return;
  }
  if (state == SlotState::kQuarantine) {
    ++quarantined_;
    return;
  }
  std::string id = PrintId(fields.id);
  if (state > SlotState::kDeleting && state != SlotState::kSpilled) {
    Problem("slot %u (%s): its state is %u", slot, id.c_str(), static_cast<unsigned>(state));
    return;
  }
  if (!image.HeaderIsGood()) {
    Problem("slot %u (%s): its header does not have its checksum", slot, id.c_str());
    return;
  }
  bool has_bytes = Extent(slot, fields);
  if (fields.kind <= SlotKind::kObject) {
    auto other = store_.FindSlot(fields.id);  // leases are not found
    if (other && *other != slot)
      Problem("slots %u and %u have one id: %s", slot, *other, id.c_str());
  }
  if (state == SlotState::kCreated) {  // invariant 5
    ++created_;
    if (store_.leases_.count(fields.id) == 0 || store_.sessions_.count(fields.owner) == 0) {
      Problem("slot %u (%s): a lease of no session", slot, id.c_str());
    }
    return;
  }
  uint32_t found = 0;
  bool is_found = store_.directory_->Find(
      Store::Impl::HashOf(fields), [&](uint32_t candidate) { return candidate == slot; }, &found);
  if (!is_found)
    Problem("slot %u (%s): the directory does not lead to it", slot, id.c_str());  // invariant 3
  ++indexed_;
  if (state == SlotState::kDeleting) {  // invariant 4
    ++deleting_;
    if (fields.links != 0) Problem("slot %u (%s): deleted, and linked", slot, id.c_str());
  } else if (fields.kind <= SlotKind::kObject) {
    ++(fields.kind == SlotKind::kObject ? objects_ : blobs_);
    if (state == SlotState::kSpilled) ++spilled_;
    if (state == SlotState::kSpilled && fields.kind == SlotKind::kObject) ++spilled_objects_;
  } else if (fields.kind == SlotKind::kName) {
    ++names_;
  }
  if (has_bytes && !shm::IsBlobKind(fields.kind)) Record(slot, state, fields);
}

// Invariant 1: no overlap, and used + free = total, to the byte.
void Auditor::Memory() {
  std::sort(extents_.begin(), extents_.end(),
            [](const Used& a, const Used& b) { return a.location < b.location; });
  uint64_t end = 0, allocated = 0;
  uint32_t last = 0;
  for (const Used& extent : extents_) {
    if (extent.location < end) {
      Problem("slots %u and %u: their extents overlap", last, extent.slot);
    }
    if (extent.location + extent.units >= end) last = extent.slot;
    end = std::max(end, extent.location + extent.units);
    allocated += extent.units * kPayloadAlignment;
  }
  uint64_t total = 0, free = 0;
  for (const Pool* pool : {&store_.small_, &store_.large_}) {
    std::string problem = pool->extents().Problem();
    if (!problem.empty()) Problem("free extents: %s", problem.c_str());
    uint64_t sizes = 0;
    for (const auto& [number, entry] : pool->segments()) sizes += entry.data_size();
    Equal("bytes of segments", sizes, "booked", pool->extents().total());
    total += pool->extents().total();
    free += pool->extents().free();
  }
  Equal("bytes of extents, of what is quarantined and of what is being loaded",
        allocated + store_.quarantined_bytes_ + store_.loading_bytes_, "allocated", total - free);
  findings_.numbers.insert(findings_.numbers.end(),
                           {{"memory_bytes", total},
                            {"memory_used_bytes", allocated},
                            {"memory_free_bytes", free},
                            {"memory_quarantined_bytes", store_.quarantined_bytes_}});
}

// Invariant 2.
void Auditor::Links() {
  for (uint64_t i = 0; i < store_.slots_->capacity(); ++i) {
    SlotImage image = store_.slots_->Read(static_cast<uint32_t>(i));
    SlotState state = image.state();
    if (state == SlotState::kEmpty || state == SlotState::kQuarantine) continue;
    if (image.fields.kind > SlotKind::kObject || image.fields.links == links_[i]) continue;
    Problem("slot %llu (%s): %u links, and %u records name it", Count{i},
            PrintId(image.fields.id).c_str(), image.fields.links, links_[i]);
  }
}

void Auditor::Books() {
  Equal("empty slots", empty_, "booked", store_.free_slots_.size());
  Equal("slots to be found", indexed_, "entries of the directory", store_.directory_->entries());
  Equal("deleted slots", deleting_, "booked", store_.deferred_.size() + store_.held_.size());
  Equal("leases", created_, "booked", store_.leases_.size());
  uint64_t names_of_objects = 0;
  for (const auto& [id, slots] : store_.names_of_) {
    if (slots.empty()) Problem("%s: booked as named, without a name", PrintId(id).c_str());
    names_of_objects += slots.size();
  }
  Equal("names", names_, "booked", store_.names_.size());
  Equal("names of objects", names_of_objects, "names", store_.names_.size());
  Equal("objects", objects_, "booked", store_.statistics_.objects);
  Equal("blobs", blobs_, "booked", store_.statistics_.blobs);
  Equal("spilled objects that are no blobs", spilled_objects_, "booked",
        store_.spilled_objects_.size());
  if (in_files_ != store_.spill_files_)
    Problem("spill files: other blobs are booked than lie there");
  if (spilled_links_ != store_.spilled_links_)
    Problem("links from spilled objects: other ones are booked");
}

// No pin, lease or table of a session that is gone.
void Auditor::Sessions() {
  uint64_t cells = 0, tables = 0;
  for (uint32_t i = 0; i < store_.state_->sessions_end(); ++i) {
    // relaxed: only this thread writes it.
    uint64_t id = store_.state_->session(i).id.load(std::memory_order_relaxed);
    if (id == 0) continue;
    ++cells;
    if (store_.sessions_.count(id) == 0) Problem("session in cell %u: not booked", i);
  }
  for (const auto& listed : store_.state_->Descriptors()) {
    if (listed.role == shm::Role::kPins) ++tables;
  }
  for (const auto& [id, session] : store_.sessions_) {
    if (!books_only_ && shm::IsUnlocked(session->pins_fd)) {
      Problem("session %016llx: nobody holds its pins any more, and it is not ended", Count{id});
    }
  }
  Equal("cells of sessions", cells, "sessions", store_.sessions_.size());
  Equal("pin tables", tables, "sessions", store_.sessions_.size());
}

Findings Auditor::Run() {
  links_.resize(store_.slots_->capacity());
  for (uint64_t i = 0; i < store_.slots_->capacity(); ++i) {
    auto slot = static_cast<uint32_t>(i);
    Slot(slot, store_.slots_->Read(slot));
  }
  findings_.numbers = {{"slots", store_.slots_->capacity()},
                       {"objects", objects_},
                       {"blobs", blobs_},
                       {"names", names_},
                       {"records", records_checked_},
                       {"leases", created_},
                       {"deleted", deleting_},
                       {"spilled", spilled_},
                       {"quarantined", quarantined_},
                       {"sessions", store_.sessions_.size()}};
  Memory();
  Links();
  Books();
  Sessions();
  return std::move(findings_);
}

}  // namespace

Findings Store::Impl::Audit() const { return Auditor(*this, /*books_only=*/false).Run(); }

void Store::Impl::CheckInvariants() const {
  Findings findings = Auditor(*this, /*books_only=*/true).Run();
  for (const std::string& problem : findings.problems) {
    Log(LogLevel::kError, "audit: %s", problem.c_str());
  }
  CHECK(findings.count == 0);
}

}  // namespace vineyard::store

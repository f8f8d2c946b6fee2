// CheckInvariants: the equations of store_impl.h, run over books and memory.
#include "core/base/check.h"

#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

void Store::Impl::CheckInvariants() const {
  small_.extents().CheckInvariants();
  large_.extents().CheckInvariants();
  std::unordered_map<ObjectId, uint32_t> links;
  std::map<uint64_t, uint64_t> extents;  // location -> units
  uint64_t empty = 0, indexed = 0, deleting = 0, created = 0, objects = 0, blobs = 0, names = 0;
  for (uint64_t i = 0; i < slots_->capacity(); ++i) {
    uint32_t slot = static_cast<uint32_t>(i);
    SlotImage image = slots_->Read(slot);
    const shm::SlotFields& fields = image.fields;
    SlotState state = image.state();
    if (state == SlotState::kEmpty) ++empty;
    if (state == SlotState::kEmpty || state == SlotState::kQuarantine) continue;
    CHECK(state == SlotState::kCreated || state == SlotState::kSealed ||
          state == SlotState::kDeleting);
    CHECK(image.HeaderIsGood());
    if (fields.location != shm::kNoLocation) {
      CHECK(At(fields.location) != nullptr);
      CHECK(extents.emplace(fields.location, ExtentSize(fields) / kPayloadAlignment).second);
    } else {
      CHECK(fields.size == 0);
    }
    if (state == SlotState::kCreated) {  // 5
      ++created;
      CHECK(leases_.count(fields.id) == 1 && sessions_.count(fields.owner) == 1);
      continue;
    }
    uint32_t found = 0;
    bool is_found = directory_->Find(
        HashOf(fields), [&](uint32_t candidate) { return candidate == slot; }, &found);
    CHECK(is_found);  // 3
    ++indexed;
    if (state == SlotState::kDeleting) {  // 4
      ++deleting;
      CHECK(fields.links == 0);
    } else if (fields.kind <= SlotKind::kObject) {
      ++(fields.kind == SlotKind::kObject ? objects : blobs);
    } else if (fields.kind == SlotKind::kName) {
      ++names;
    }
    if (fields.kind == SlotKind::kObject) {
      auto record = DecodeRecord(StoredBytes(fields));
      CHECK(record.ok() && record->id == fields.id);
      for (const Member& member : record->members) ++links[member.id];
    }
  }
  // 1
  uint64_t end = 0, allocated = 0;
  for (const auto& [location, units] : extents) {
    CHECK(location >= end);
    end = location + units;
    allocated += units * kPayloadAlignment;
  }
  CHECK(allocated + quarantined_bytes_ ==
        small_.extents().allocated() + large_.extents().allocated());
  for (const Pool* pool : {&small_, &large_}) {
    uint64_t total = 0;
    for (const auto& [number, entry] : pool->segments()) total += entry.data_size();
    CHECK(total == pool->extents().total());
  }
  // 2
  for (uint64_t i = 0; i < slots_->capacity(); ++i) {
    SlotImage image = slots_->Read(static_cast<uint32_t>(i));
    if (image.state() == SlotState::kEmpty || image.state() == SlotState::kQuarantine ||
        image.fields.kind > SlotKind::kObject) {
      continue;
    }
    auto found = links.find(image.fields.id);
    CHECK(image.fields.links == (found == links.end() ? 0 : found->second));
  }
  CHECK(empty == free_slots_.size());
  CHECK(indexed == directory_->entries());
  CHECK(deleting == deferred_.size() + held_.size());
  CHECK(created == leases_.size());
  uint64_t names_of_objects = 0;
  for (const auto& [id, slots] : names_of_) {
    CHECK(!slots.empty());
    names_of_objects += slots.size();
  }
  CHECK(names == names_.size() && names == names_of_objects);
  CHECK(objects == statistics_.objects && blobs == statistics_.blobs);
}

}  // namespace vineyard::store

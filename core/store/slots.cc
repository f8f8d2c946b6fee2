// Slots and the directory: taking and giving back, finding by id.
#include "core/base/check.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotKind;
using shm::SlotState;

uint64_t Store::Impl::HashOf(const shm::SlotFields& fields) {
  switch (fields.kind) {
    case SlotKind::kName:
      return shm::HashNameKey(fields.id);
    case SlotKind::kLabels:
      return shm::HashLabels(fields.id);
    default:
      return shm::HashObject(fields.id);
  }
}

uint64_t Store::Impl::HashOfSlot(uint32_t slot) const { return HashOf(slots_->Read(slot).fields); }

// What is booked of an object takes some hundred bytes of the heap, which no budget holds.
Status Store::Impl::CheckHeap(uint64_t slots) {
  constexpr uint64_t kLook = 1024, kBytes = 512;  // slots; of one
  unchecked_slots_ += slots;
  if (unchecked_slots_ < kLook) return OkStatus();
  // Tables of the heap double at once.
  uint64_t bytes = unchecked_slots_ * kBytes + directory_->entries() * 32;
  Status room = shm::CheckHeapRoom(bytes);
  if (!room.ok() && coarse_clock_ != heap_trimmed_at_) {
    heap_trimmed_at_ = coarse_clock_;
    FreeDeferred(UINT64_MAX, UINT64_MAX);
    RetireFreeSegments(UINT64_MAX);
    shm::TrimHeap();
    room = shm::CheckHeapRoom(bytes);
  }
  if (room.ok()) {
    unchecked_slots_ = 0;
    return OkStatus();
  }
  unchecked_slots_ = kLook;  // the next one looks again
  // Who goes leaves room for who comes.
  if (options_.eviction == Eviction::kDrop && slots < kLook && Evict(1)) return OkStatus();
  return {room.code(), "the daemon's books of another object: " + room.text()};
}

Status Store::Impl::ReserveSlots(uint64_t count) {
  RETURN_IF_ERROR(CheckHeap(count));
  while (free_slots_.size() < count) {
    uint64_t first = slots_->capacity();
    RETURN_IF_ERROR(TakeTables(shm::kSlotStep * sizeof(shm::Slot)));
    RETURN_IF_ERROR(slots_->Grow());
    free_slots_.reserve(free_slots_.size() + shm::kSlotStep);
    for (uint64_t slot = slots_->capacity(); slot > first; --slot) {
      free_slots_.push_back(static_cast<uint32_t>(slot - 1));
    }
    sealed_at_.resize(slots_->capacity());
  }
  if (directory_->NeedsGrowth(count)) {
    RETURN_IF_ERROR(TakeTables(2 * directory_->cells() * sizeof(shm::Cell)));
    RETURN_IF_ERROR(GrowDirectory(directory_->entries() + count));
  }
  return OkStatus();
}

Status Store::Impl::GrowDirectory(uint64_t entries) {
  RETURN_IF_ERROR(directory_->BeginTable(entries, slots_->superblock()));
  shm::DirectoryFiller filler(directory_.get());
  for (uint64_t slot = 0; slot < slots_->capacity(); ++slot) {
    shm::SlotImage image = slots_->Read(static_cast<uint32_t>(slot));
    SlotState state = image.state();
    if (state == SlotState::kEmpty || state == SlotState::kCreated ||
        state == SlotState::kQuarantine) {
      continue;
    }
    filler.Add(HashOf(image.fields), static_cast<uint32_t>(slot));
  }
  filler.Finish();
  CHECK(!filler.overfull());
  SettleTwins(filler);
  directory_->Publish(&slots_->superblock());
  return OkStatus();
}

uint32_t Store::Impl::TakeSlot() {
  CHECK(!free_slots_.empty());
  uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

std::optional<uint32_t> Store::Impl::FindSlot(ObjectId id) const {
  uint32_t slot = 0;
  bool found = directory_->Find(
      shm::HashObject(id),
      [&](uint32_t candidate) {
        shm::SlotImage image = slots_->Read(candidate);
        return image.fields.id == id && image.fields.kind <= SlotKind::kObject &&
               image.state() != SlotState::kEmpty && image.state() != SlotState::kCreated;
      },
      &slot);
  return found ? std::optional<uint32_t>(slot) : std::nullopt;
}

std::optional<uint32_t> Store::Impl::FindPresent(ObjectId id) const {
  auto slot = FindSlot(id);
  if (slot && !IsPresent(slots_->word(*slot))) return std::nullopt;
  return slot;
}

Status Store::Impl::NoSuchObject(ObjectId id) const {
  auto lease = leases_.find(id);
  if (lease != leases_.end()) {
    return NotFound("object " + PrintId(id) +
                    ": it is being written and not sealed yet; wait for it");
  }
  // One whose kind is damaged looks like something else's.
  uint32_t slot = 0;
  bool damaged = directory_->Find(
      shm::HashObject(id),
      [&](uint32_t candidate) {
        shm::SlotImage image = slots_->Read(candidate);
        return image.fields.id == id && image.state() == SlotState::kSealed &&
               !image.HeaderIsGood();
      },
      &slot);
  if (damaged) {
    return Corrupt("object " + PrintId(id) + ": its slot is damaged; run vineyardd --fsck");
  }
  uint64_t maker = InstanceOf(id);
  if (maker != 0 && maker != state_->header().instance) {
    return NotFound(
        "object " + PrintId(id) + ": it was made by instance " + std::to_string(maker) +
        ", not by this one, and is not persisted, or deleted; check the id: what an earlier "
        "daemon had is gone with it, what another host has is persisted there, and what another "
        "user of this daemon put is seen by whom it is shared with");
  }
  return NotFound("object " + PrintId(id) +
                  ": there is none (any more); check the id, or put it again");
}

}  // namespace vineyard::store

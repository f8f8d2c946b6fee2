// What damaged memory got wrong, put right as far as records tell: links, members of objects that are
// gone, names and labels of nothing. Slow: it reads every record.
#include <algorithm>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

void Store::Impl::Unbook(const SlotImage& image) {
  types_ready_ = false;
  if (image.state() == SlotState::kDeleting) return;  // ForgetUndeferred
  --(image.fields.kind == SlotKind::kObject ? statistics_.objects : statistics_.blobs);
}

void Store::Impl::ForgetUndeferred() {
  for (std::vector<uint32_t>* slots : {&deferred_, &held_}) {
    std::erase_if(*slots, [this](uint32_t slot) {
      return shm::StateOf(slots_->word(slot)) != SlotState::kDeleting;
    });
  }
}

Status Store::Impl::Repair() {
  Log(LogLevel::kWarning, "memory was damaged: links are counted again");
  links_doubted_ = false;
  types_ready_ = false;
  auto in_use = [](const SlotImage& image) {
    return image.state() != SlotState::kEmpty && image.state() != SlotState::kQuarantine;
  };
  std::vector<uint32_t> links(slots_->capacity());
  for (uint64_t i = 0; i < slots_->capacity(); ++i) {
    auto slot = static_cast<uint32_t>(i);
    SlotImage image = slots_->Read(slot);
    // A lease is of a blob: what follows is SEALED or DELETING.
    if (!in_use(image) || image.fields.kind != SlotKind::kObject) continue;
    auto record = DecodeRecord(StoredBytes(image.fields));
    if (record.ok() && record->id == image.fields.id) {
      for (const Member& member : record->members) {
        if (auto child = FindSlot(member.id)) ++links[*child];
      }
      continue;
    }
    Unbook(image);
    spilled_objects_.erase(slot);
    lingering_.erase(slot);
    CHECK(directory_->Erase(HashOf(image.fields), slot,
                            [this](uint32_t other) { return HashOfSlot(other); }));
    Quarantine(slot, "its record is another's");
    quarantined_bytes_ += ExtentSize(image.fields);
  }
  ForgetUndeferred();

  for (uint64_t i = 0; i < slots_->capacity();) {
    Batch batch(slots_.get());
    for (; i < slots_->capacity() && batch.size() < 64; ++i) {
      auto slot = static_cast<uint32_t>(i);
      SlotImage image = slots_->Read(slot);
      if (!in_use(image)) continue;
      if (image.fields.links != links[i]) batch.Edit(slot).fields.links = links[i];
      bool sealed = IsPresent(image.word);
      if (image.fields.kind > SlotKind::kObject) {
        bool name = image.fields.kind == SlotKind::kName;
        if (sealed && !FindPresent(name ? ReadName(slot).id : image.fields.id))
          Doom(batch, slot, 0);
        continue;
      }
      bool released = (image.fields.flags & shm::kReleased) != 0;
      if (sealed && links[i] == 0 && released) Doom(batch, slot, 0);
      if (image.state() != SlotState::kDeleting || links[i] == 0) continue;
      // Deleted too early: it stays for as long as it is linked.
      SlotImage& again = batch.Edit(slot);
      bool in_file = (again.fields.flags & shm::kInFile) != 0;
      again.word = shm::MakeWord(shm::GenerationOf(again.word),
                                 in_file ? SlotState::kSpilled : SlotState::kSealed);
      again.fields.flags |= shm::kReleased;
      lingering_.erase(slot);
      ++(again.fields.kind == SlotKind::kObject ? statistics_.objects : statistics_.blobs);
    }
    if (batch.size() == 0) continue;
    RETURN_IF_ERROR(Commit(batch, Request{}, nullptr));
    BookDoomed(batch.doomed);
  }
  ForgetUndeferred();
  spilled_links_.clear();
  for (uint32_t slot : spilled_objects_) CountSpilledLinks(slot, 1);
  FreeDeferred(UINT64_MAX, UINT64_MAX);
  return OkStatus();
}

}  // namespace vineyard::store

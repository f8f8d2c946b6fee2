#include "core/client/reader.h"

#include "core/object/record.h"

namespace vineyard::client {

Found AcceptName::operator()(const SlotContents& slot) const {
  if (slot.id != hash || slot.kind() != shm::SlotKind::kName) return Found::kMiss;
  const char* record = session->At(slot.location, slot.skip(), slot.size);
  if (record == nullptr) return Found::kUnmapped;
  // Another name may have the same hash.
  Result<NameRecord> decoded = DecodeName({record, slot.size});
  return decoded.ok() && decoded->name == name ? Found::kYes : Found::kMiss;
}

Found FindName(Session* session, std::string_view name, SlotContents* out) {
  uint64_t hash = shm::HashName(name.data(), name.size());
  return FindAndPin(session, shm::HashNameKey(hash), out, AcceptName{session, name, hash});
}

Found FindLabels(Session* session, ObjectId id, SlotContents* out) {
  return FindAndPin(session, shm::HashLabels(id), out, [id](const SlotContents& slot) {
    return slot.id == id && slot.kind() == shm::SlotKind::kLabels ? Found::kYes : Found::kMiss;
  });
}

Found ReadHeld(const Session& session, uint64_t slot, ObjectId id, SlotContents* out) {
  if (slot >= session.superblock().capacity.load(std::memory_order_acquire)) return Found::kMiss;
  const shm::Slot& entry = session.slot(slot);
  // acquire: the fields are at least as new as the word; they stay, because the object does.
  uint64_t word = entry.word.load(std::memory_order_acquire);
  shm::SlotState state = shm::StateOf(word);
  if (state != shm::SlotState::kSealed && state != shm::SlotState::kEvicting &&
      state != shm::SlotState::kDeleting) {
    return Found::kMiss;
  }
  // An id is never used twice, so a slot in one of these states with this id is this object.
  *out = ReadSlot(entry, slot, word);
  return out->id == id && IsObjectKind(out->kind()) ? Found::kYes : Found::kMiss;
}

Found FindHeld(const Session& session, ObjectId id, SlotContents* out) {
  return ProbeTables(session, shm::HashObject(id),
                     [&](uint64_t slot) { return ReadHeld(session, slot, id, out); });
}

}  // namespace vineyard::client

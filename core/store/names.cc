// Names and labels: small records in slots of their own, so that readers find them without a
// message and they survive the daemon like everything else. Each change is a new slot and the old
// one's end, in one commit.
#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

NameRecord Store::Impl::ReadName(uint32_t slot) const {
  auto record = DecodeName(StoredBytes(slots_->Read(slot).fields));
  CHECK(record.ok());  // the daemon wrote it, and adoption decoded it
  return *record;
}

Status Store::Impl::CheckName(std::string_view name, bool replace, uint64_t expect) const {
  RETURN_IF_ERROR(CheckText("name", name, kMaxName));
  auto found = names_.find(name);
  std::string quoted = "name '" + std::string(name) + "'";
  if (expect != UINT64_MAX) {
    uint64_t revision = found == names_.end() ? 0 : ReadName(found->second).revision;
    if (revision == expect) return OkStatus();
    if (found == names_.end())
      return {Code::kConflict, quoted + ": no object has it, expected was revision " +
                                   std::to_string(expect) + "; ask for the name again"};
    return {Code::kConflict, quoted + ": object " + PrintId(ReadName(found->second).id) +
                                 " has it since revision " + std::to_string(revision) +
                                 ", expected was " + std::to_string(expect) +
                                 "; ask for the name again"};
  }
  if (found != names_.end() && !replace) {
    return {Code::kExists, quoted + ": object " + PrintId(ReadName(found->second).id) +
                               " has it; drop it first, or replace it"};
  }
  return OkStatus();
}

Result<Store::Impl::Side> Store::Impl::MakeSide(Batch& batch, SlotKind kind, uint64_t key,
                                                std::string_view record, uint64_t owner) {
  RETURN_IF_ERROR(ReserveSlots(1));
  Side side;
  side.image.fields.id = key;
  side.image.fields.size = record.size();
  side.image.fields.kind = kind;
  side.image.fields.owner = owner;
  ASSIGN_OR_RETURN(side.image.fields.location,
                   Allocate(shm::SegmentUse::kDaemon, record.size(), 0, "put"));
  std::memcpy(At(side.image.fields.location), record.data(), record.size());
  side.image.fields.payload_checksum = ChecksumOf(record);
  side.slot = TakeSlot();
  SlotImage& image = batch.Edit(side.slot);
  side.image.word = shm::MakeWord(shm::GenerationOf(image.word), SlotState::kSealed);
  side.image.Seal();
  image = side.image;
  return side;
}

Result<Store::Impl::Side> Store::Impl::MakeName(Batch& batch, std::string_view name, ObjectId id,
                                                uint64_t owner) {
  while (true) {
    uint64_t revision = next_revision();
    ASSIGN_OR_RETURN(Side side,
                     MakeSide(batch, SlotKind::kName, shm::HashName(name.data(), name.size()),
                              EncodeName({name, id, revision}), owner));
    if (next_revision() == revision) return side;
    // Making room was a change of its own. There is room now.
    Discard(side);
    batch = Batch(slots_.get());
  }
}

void Store::Impl::Discard(const Side& side) {
  Free(side.image.fields);
  ReturnSlot(side.slot);
}

void Store::Impl::Publish(const Side& side) {
  directory_->Insert(HashOf(side.image.fields), side.slot);
}

void Store::Impl::RememberName(const Side& side, std::string name, ObjectId id) {
  Publish(side);
  names_of_[id].insert(side.slot);
  auto at = names_.insert_or_assign(std::move(name), side.slot).first;
  if (store_->on_named) store_->on_named(at->first);
}

void Store::Impl::ForgetName(uint32_t slot) {
  NameRecord record = ReadName(slot);
  auto found = names_.find(record.name);
  if (found != names_.end() && found->second == slot) names_.erase(found);
  auto slots = names_of_.find(record.id);
  slots->second.erase(slot);
  if (slots->second.empty()) names_of_.erase(slots);
}

Result<Mutation> Store::Impl::PutName(Request request, std::string_view name, ObjectId id,
                                      bool replace, uint64_t expect) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  RETURN_IF_ERROR(CheckName(name, replace, expect));
  auto target = FindPresent(id);
  if (!target) return NoSuchObject(id);
  store_->Hold(*target);  // making room must not take it away
  Batch batch(slots_.get());
  auto side = MakeName(batch, name, id, request.session);
  store_->Unhold(*target);
  if (!side.ok()) return side.status();
  auto old = names_.find(name);
  if (old != names_.end()) Doom(batch, old->second, 0);
  Mutation reply{id, 0, 0};
  // To delete the object, its names have to go in the same commit.
  auto names = names_of_.find(id);
  uint64_t count = names == names_of_.end() ? 0 : names->second.size();
  Status applied = Commit(batch, request, &reply, 2 * (count + 4));
  if (!applied.ok()) {
    Discard(*side);
    return applied;
  }
  RememberName(*side, std::string(name), id);
  AfterDoom(batch.doomed);
  return reply;
}

Result<Mutation> Store::Impl::DropName(Request request, std::string_view name, uint64_t expect) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  RETURN_IF_ERROR(CheckName(name, /*replace=*/true, expect));
  auto found = names_.find(name);
  if (found == names_.end()) {
    return NotFound("name '" + std::string(name) + "': no object has it; there is nothing to drop");
  }
  Mutation reply{ReadName(found->second).id, 0, 0};
  Batch batch(slots_.get());
  Doom(batch, found->second, 0);
  RETURN_IF_ERROR(Commit(batch, request, &reply));
  AfterDoom(batch.doomed);
  return reply;
}

Result<Mutation> Store::Impl::SetLabels(Request request, ObjectId id, const LabelChanges& changes) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  auto target = FindPresent(id);
  if (!target) return NoSuchObject(id);
  Labels labels;
  auto old = labels_.find(id);
  if (old != labels_.end()) {
    ASSIGN_OR_RETURN(labels, DecodeLabels(StoredBytes(slots_->Read(old->second).fields)));
  }
  RETURN_IF_ERROR(ChangeLabels(changes, &labels));
  return ReplaceLabels(request, id, labels);
}

Result<Mutation> Store::Impl::ReplaceLabels(Request request, ObjectId id, const Labels& labels) {
  auto target = FindPresent(id);
  if (!target) return NoSuchObject(id);
  auto old = labels_.find(id);
  store_->Hold(*target);
  Batch batch(slots_.get());
  std::optional<Result<Side>> side;
  if (!labels.empty()) {
    side = MakeSide(batch, SlotKind::kLabels, id, EncodeLabels(labels), request.session);
  }
  store_->Unhold(*target);
  if (side && !side->ok()) return side->status();
  if (old != labels_.end()) Doom(batch, old->second, 0);
  Mutation reply{id, 1, 0};
  Status applied = Commit(batch, request, &reply);
  if (!applied.ok()) {
    if (side) Discard(**side);
    return applied;
  }
  if (side) {
    Publish(**side);
    labels_[id] = (*side)->slot;
  } else {
    labels_.erase(id);
  }
  AfterDoom(batch.doomed);
  return reply;
}

}  // namespace vineyard::store

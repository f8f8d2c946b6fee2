// What a store has to know of the cluster: which objects it knows, and its names and labels of those,
// mirrored so that readers find them in memory. When that is so is decided elsewhere (daemon/cluster.h).
#include <algorithm>
#include <unordered_set>

#include "core/base/check.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotImage;
using shm::SlotKind;

Result<std::optional<Mutation>> Store::Repeated(Request request) const {
  return impl_->Repeated(request);
}

Result<Mutation> Store::Answer(Request request, Mutation reply) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, impl_->Repeated(request));
  if (repeated) return *repeated;
  Batch batch(impl_->slots_.get());
  RETURN_IF_ERROR(impl_->Commit(batch, request, &reply));
  return reply;
}

// ---- reading -------------------------------------------------------------------------------------

std::optional<Facts> Store::Look(ObjectId id) const {
  auto slot = impl_->FindPresent(id);
  if (!slot) return std::nullopt;
  shm::SlotFields fields = impl_->slots_->Read(*slot).fields;
  Facts facts;
  facts.id = id;
  facts.slot = *slot;
  facts.flags = fields.flags;
  if (shm::IsBlobKind(fields.kind)) {
    facts.kind = static_cast<BlobKind>(fields.kind);
    uint64_t after = facts.kind == BlobKind::kBuffer ? 0 : 2;
    facts.value_size = fields.size - fields.before - after;
  } else {
    facts.record = impl_->StoredBytes(fields);
  }
  return facts;
}

Labels Store::LabelsOf(ObjectId id) const {
  auto found = impl_->labels_.find(id);
  if (found == impl_->labels_.end()) return {};
  auto labels = DecodeLabels(impl_->StoredBytes(impl_->slots_->Read(found->second).fields));
  return labels.ok() ? std::move(labels).value() : Labels();
}

NameItem Store::Impl::DescribeName(uint32_t slot) const {
  NameRecord record = ReadName(slot);
  bool is_clusters = (slots_->Read(slot).fields.flags & shm::kPersisted) != 0;
  return {std::string(record.name), record.id, record.revision, is_clusters};
}

std::vector<NameItem> Store::NamesOf(ObjectId id) const {
  std::vector<NameItem> names;
  auto slots = impl_->names_of_.find(id);
  if (slots == impl_->names_of_.end()) return names;
  for (uint32_t slot : slots->second) names.push_back(impl_->DescribeName(slot));
  return names;
}

Result<NameItem> Store::ReadName(std::string_view name) const {
  ASSIGN_OR_RETURN(Found found, FindName(name));
  return impl_->DescribeName(found.slot);
}

std::vector<ObjectId> Store::WithFlags(uint8_t flags) const {
  std::vector<ObjectId> ids;
  for (uint64_t i = 0; i < impl_->slots_->capacity(); ++i) {
    auto slot = static_cast<uint32_t>(i);
    if (!Impl::IsPresent(impl_->slots_->word(slot))) continue;
    shm::SlotFields fields = impl_->slots_->Read(slot).fields;
    if (fields.kind <= SlotKind::kObject && (fields.flags & flags) != 0) ids.push_back(fields.id);
  }
  return ids;
}

Status Store::CheckDeletable(const std::vector<ObjectId>& ids) const {
  for (ObjectId id : ids) RETURN_IF_ERROR(impl_->FindDeletable(id).status());
  return OkStatus();
}

Status Store::CheckUnlinked(const std::vector<ObjectId>& ids,
                            const std::vector<ObjectId>& parents) const {
  std::unordered_map<ObjectId, uint32_t> inner;
  for (ObjectId id : ids) inner.emplace(id, 0);
  for (ObjectId parent : parents) {
    auto slot = impl_->FindPresent(parent);
    if (!slot || IsBlobId(parent)) continue;
    auto record = DecodeRecord(impl_->StoredBytes(impl_->slots_->Read(*slot).fields));
    if (!record.ok()) continue;
    for (const Member& member : record->members) {
      auto found = inner.find(member.id);
      if (found != inner.end()) ++found->second;
    }
  }
  for (const auto& [parent, members] : impl_->lingering_) {
    for (ObjectId member : members) {
      auto found = inner.find(member);
      if (found != inner.end()) ++found->second;
    }
  }
  for (ObjectId id : ids) {
    auto slot = impl_->FindPresent(id);
    if (!slot || impl_->slots_->Read(*slot).fields.links <= inner.at(id)) continue;
    return {Code::kInUse, "delete of object " + PrintId(id) + ": " + impl_->FindReferrer(id) +
                              " links to it; delete that first, or force it"};
  }
  return OkStatus();
}

// ---- marks ---------------------------------------------------------------------------------------

Result<Mutation> Store::PutPending(Request request, const Tree& tree, const Foreign& foreign) {
  return impl_->PutPending(request, tree, foreign);
}

Status Store::DropPending(Request request, const std::vector<ObjectId>& nodes) {
  Batch batch(impl_->slots_.get());
  for (ObjectId id : nodes) {
    auto slot = impl_->FindPresent(id);
    if (!slot) continue;
    SlotImage& image = batch.Edit(*slot);
    image.fields.flags |= shm::kReleased;  // those below others of them go with these
    if (image.fields.links == 0) impl_->Doom(batch, *slot, 0);
  }
  Mutation reply;  // that it is none
  RETURN_IF_ERROR(impl_->Commit(batch, request, &reply));
  impl_->AfterDoom(batch.doomed);
  return OkStatus();
}

Status Store::MarkPersisted(const std::vector<ObjectId>& homes,
                            const std::vector<ObjectId>& nodes) {
  Batch batch(impl_->slots_.get());
  for (ObjectId id : nodes) {
    auto slot = impl_->FindPresent(id);
    if (!slot) continue;
    uint8_t& flags = batch.Edit(*slot).fields.flags;
    flags = static_cast<uint8_t>((flags | shm::kPersisted) & ~shm::kPending);
  }
  for (ObjectId id : homes) {
    auto slot = impl_->FindPresent(id);
    if (slot) batch.Edit(*slot).fields.flags |= shm::kHome;
  }
  if (batch.size() == 0) return OkStatus();
  return impl_->Commit(batch, Request{}, nullptr);
}

Status Store::Unmark(const std::vector<ObjectId>& nodes) {
  Batch batch(impl_->slots_.get());
  for (ObjectId id : nodes) {
    auto slot = impl_->FindSlot(id);
    if (!slot) continue;
    uint8_t& flags = batch.Edit(*slot).fields.flags;
    flags = static_cast<uint8_t>(flags & ~(shm::kPersisted | shm::kHome));
  }
  if (batch.size() == 0) return OkStatus();
  return impl_->Commit(batch, Request{}, nullptr);
}

void Store::SetStaleSince(int64_t unix_ms) {
  // relaxed: for people and for answers that say so; nothing is ordered by it.
  impl_->slots_->superblock().stale_since_ms.store(static_cast<uint64_t>(unix_ms),
                                                   std::memory_order_relaxed);
}

// ---- names and labels ----------------------------------------------------------------------------

Result<Mutation> Store::Impl::MirrorName(Request request, std::string_view name, ObjectId id,
                                         uint64_t revision) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  auto target = FindPresent(id);
  if (!target) return NoSuchObject(id);
  store_->Hold(*target);  // making room must not take it away
  Batch batch(slots_.get());
  auto side = MakeSide(batch, SlotKind::kName, shm::HashName(name.data(), name.size()),
                       EncodeName({name, id, revision}), request.session);
  store_->Unhold(*target);
  if (!side.ok()) return side.status();
  side->image.fields.flags |= shm::kPersisted;
  batch.Edit(side->slot).fields.flags |= shm::kPersisted;
  auto old = names_.find(name);
  if (old != names_.end()) Doom(batch, old->second, 0);
  Mutation reply{id, 0, revision};
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

Result<Mutation> Store::MirrorName(Request request, std::string_view name, ObjectId id,
                                   uint64_t revision) {
  Result<Mutation> done = impl_->MirrorName(request, name, id, revision);
  // Nothing is better than what was: who misses it here asks.
  if (!done.ok() && impl_->names_.find(name) != impl_->names_.end()) {
    (void)impl_->DropName(Request{}, name, UINT64_MAX);
  }
  return done;
}

Result<Mutation> Store::MirrorDrop(Request request, std::string_view name) {
  return impl_->DropName(request, name, UINT64_MAX);
}

Result<Mutation> Store::MirrorLabels(Request request, ObjectId id, const Labels& labels) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, impl_->Repeated(request));
  if (repeated) return *repeated;
  return impl_->ReplaceLabels(request, id, labels);
}

}  // namespace vineyard::store

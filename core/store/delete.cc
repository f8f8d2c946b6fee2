// Delete, the freeing of what nobody holds any more, and eviction.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;

void Store::Impl::DoomAttached(Batch& batch, ObjectId id) {
  auto names = names_of_.find(id);
  if (names != names_of_.end()) {
    for (uint32_t name : names->second) Doom(batch, name, 0);
  }
  auto labels = labels_.find(id);
  if (labels != labels_.end()) Doom(batch, labels->second, 0);
}

void Store::Impl::Doom(Batch& batch, uint32_t slot, uint8_t flags) {
  SlotImage& image = batch.Edit(slot);
  image.word = shm::MakeWord(shm::GenerationOf(image.word), SlotState::kDeleting);
  image.fields.flags |= flags;
  batch.doomed.push_back(slot);
  if (image.fields.kind <= SlotKind::kObject) DoomAttached(batch, image.fields.id);
}

void Store::Impl::BookDoomed(const std::vector<uint32_t>& doomed) {
  std::map<std::string, uint64_t> gone;  // how many of each type
  for (uint32_t slot : doomed) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    switch (fields.kind) {
      case SlotKind::kName:
        ForgetName(slot);
        break;
      case SlotKind::kLabels: {
        auto labels = labels_.find(fields.id);  // may be their successor already
        if (labels != labels_.end() && labels->second == slot) labels_.erase(labels);
        break;
      }
      case SlotKind::kObject:
        ForgetSpilledObject(slot);
        --statistics_.objects;
        break;
      default:
        --statistics_.blobs;
        break;
    }
    if (fields.kind <= SlotKind::kObject && types_ready_) ++gone[TypeOf(fields)];
    deferred_.push_back(slot);
  }
  for (const auto& [type, count] : gone) {
    types_.Remove(type, count, [this](ObjectId id) { return FindPresent(id).has_value(); });
  }
}

void Store::Impl::AfterDoom(const std::vector<uint32_t>& doomed) {
  if (doomed.empty()) return;
  BookDoomed(doomed);
  FreeDeferred(1000, 64);
}

void Store::Impl::FreeDeferred(uint64_t frees, uint64_t looks) {
  // What readers held at the last look, in turns: their pins may be gone. A member that is freed with one
  // of them lands in deferred_.
  for (looks = std::min<uint64_t>(looks, held_.size()); looks > 0 && frees > 0 && !held_.empty();
       --looks) {
    next_held_ %= held_.size();
    uint32_t slot = held_[next_held_];
    if (Pinned(slot) || !FreeSlot(slot)) {
      ++next_held_;
      continue;
    }
    held_[next_held_] = held_.back();
    held_.pop_back();
    --frees;
  }
  // Freeing dooms members, which are appended while this goes on.
  while (!deferred_.empty() && frees > 0) {
    uint32_t slot = deferred_.back();
    deferred_.pop_back();
    if (!Pinned(slot) && FreeSlot(slot)) {
      --frees;
      continue;
    }
    held_.push_back(slot);
    Linger(slot);
  }
}

void Store::Impl::Linger(uint32_t slot) {
  if (lingering_.count(slot) != 0) return;
  shm::SlotFields fields = slots_->Read(slot).fields;
  if (fields.kind != SlotKind::kObject) return;
  std::vector<ObjectId>& members = lingering_[slot];
  auto record = DecodeRecord(StoredBytes(fields));
  if (!record.ok()) return;
  for (const Member& member : record->members) members.push_back(member.id);
}

bool Store::Impl::FreeSlot(uint32_t slot) {
  Batch batch(slots_.get());
  SlotImage& image = batch.Edit(slot);
  shm::SlotFields fields = image.fields;
  image.word = shm::MakeWord(shm::GenerationOf(image.word) + 1, SlotState::kEmpty);
  if (fields.kind == SlotKind::kObject) {
    auto record = DecodeRecord(StoredBytes(fields));
    if (!record.ok()) {
      Log(LogLevel::kError, "object %s: its members are not known: %s", PrintId(fields.id).c_str(),
          record.status().text().c_str());
      links_doubted_ = true;
    } else {
      for (const Member& member : record->members) {
        auto found = FindSlot(member.id);
        if (!found) continue;  // of another instance, or the empty blob
        SlotImage& child = batch.Edit(*found);
        if (child.fields.links == 0) {  // damaged memory said less than there were
          links_doubted_ = true;
          continue;
        }
        --child.fields.links;
        // What the cluster knows goes when the cluster is told so.
        if ((fields.flags & shm::kDeep) != 0 && (child.fields.flags & shm::kPersisted) == 0) {
          child.fields.flags |= shm::kReleased | shm::kDeep;
        }
        if (child.fields.links == 0 && (child.fields.flags & shm::kReleased) != 0) {
          Doom(batch, *found, 0);
        }
      }
    }
  }
  // Room for these lines was reserved when the object was put, except for names that members were given
  // since. Where the host has none now, the slot waits.
  if (!Commit(batch, Request{}, nullptr).ok()) return false;
  lingering_.erase(slot);
  CHECK(directory_->Erase(HashOf(fields), slot,
                          [this](uint32_t other) { return HashOfSlot(other); }));
  Free(fields);
  ReturnSlot(slot);
  // Freed by whoever frees deferred_: here it would recurse as deep as the tree is.
  BookDoomed(batch.doomed);
  return true;
}

std::string Store::Impl::FindReferrer(ObjectId id) const {
  // Only to say something useful in an error: the newest objects, as far as so many bytes of records
  // reach.
  uint64_t bytes = 0;
  for (uint64_t slot = slots_->capacity(); slot-- > 0 && bytes < kMiB;) {
    SlotImage image = slots_->Read(static_cast<uint32_t>(slot));
    if (image.fields.kind != SlotKind::kObject || !IsPresent(image.word)) continue;
    bytes += image.fields.size;
    auto record = DecodeRecord(StoredBytes(image.fields));
    if (!record.ok()) continue;
    for (const Member& member : record->members) {
      if (member.id == id) {
        return "object " + PrintId(image.fields.id) + " (" + std::string(record->type_name) +
               ", member '" + std::string(member.name) + "')";
      }
    }
  }
  return "another object";
}

Result<uint32_t> Store::Impl::FindDeletable(ObjectId id) const {
  if (id == kEmptyBlobId) return Invalid("delete of the empty blob: it always exists");
  if (leases_.count(id) != 0) {
    return Status(Code::kInUse, "delete of blob " + PrintId(id) + ": it is being written");
  }
  auto slot = FindPresent(id);
  if (!slot) return NoSuchObject(id);
  return *slot;
}

Result<Mutation> Store::Impl::Delete(Request request, const std::vector<ObjectId>& ids, bool force,
                                     bool deep) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  std::unordered_set<ObjectId> wanted;
  std::vector<std::pair<ObjectId, uint32_t>> found;
  std::unordered_map<ObjectId, uint32_t> inner_links;  // from parents that go, too
  for (ObjectId id : ids) {
    if (!wanted.insert(id).second) continue;
    ASSIGN_OR_RETURN(uint32_t slot, FindDeletable(id));
    found.emplace_back(id, slot);
  }
  for (auto [id, slot] : found) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (force || found.size() == 1 || fields.kind != SlotKind::kObject) continue;
    auto record = DecodeRecord(StoredBytes(fields));
    if (!record.ok()) continue;
    for (const Member& member : record->members) ++inner_links[member.id];
  }
  // Nor from parents that are gone and only kept by readers.
  if (!force && !lingering_.empty()) {
    for (const auto& [parent, members] : lingering_) {
      for (ObjectId member : members) {
        if (wanted.count(member) != 0) ++inner_links[member];
      }
    }
  }
  Batch batch(slots_.get());
  uint8_t flags = deep ? shm::kDeep : 0;
  for (auto [id, slot] : found) {
    SlotImage& image = batch.Edit(slot);
    if (image.fields.links == 0) {
      Doom(batch, slot, flags);
      continue;
    }
    auto inner = inner_links.find(id);
    uint64_t inside = inner == inner_links.end() ? 0 : inner->second;
    if (image.fields.links > inside && !force) {
      return Status(Code::kInUse, "delete of object " + PrintId(id) + ": " + FindReferrer(id) +
                                      " links to it; delete that first, or force it");
    }
    // Findable as long as it is linked; it goes with its last link.
    image.fields.flags |= shm::kReleased | flags;
  }
  Mutation reply{kInvalidId, found.size(), 0};
  RETURN_IF_ERROR(Commit(batch, request, &reply));
  statistics_.deletes += found.size();
  AfterDoom(batch.doomed);
  return reply;
}

// Roots, in steps that a commit has room for; their members go with them.
Status Store::Impl::ClearRoots() {
  uint64_t slot = 0;
  while (slot < slots_->capacity()) {
    Batch batch(slots_.get());
    for (; slot < slots_->capacity() && batch.size() < 64; ++slot) {
      SlotImage image = slots_->Read(static_cast<uint32_t>(slot));
      if (!IsPresent(image.word) || image.fields.kind > SlotKind::kObject ||
          image.fields.links != 0) {
        continue;
      }
      Doom(batch, static_cast<uint32_t>(slot), shm::kDeep);
    }
    if (batch.size() == 0) continue;
    RETURN_IF_ERROR(Commit(batch, Request{}, nullptr));
    AfterDoom(batch.doomed);
  }
  return OkStatus();
}

Result<Mutation> Store::Impl::Clear(Request request) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  Mutation reply{kInvalidId, statistics_.objects + statistics_.blobs, 0};
  RETURN_IF_ERROR(ClearRoots());
  // Nothing is below something that waits for its pins: what is left has links too many.
  bool left = deferred_.empty() && held_.empty() && statistics_.objects + statistics_.blobs > 0;
  if (links_doubted_ || left) {
    RETURN_IF_ERROR(Repair());
    RETURN_IF_ERROR(ClearRoots());
  }
  Batch last(slots_.get());
  RETURN_IF_ERROR(Commit(last, request, &reply));
  statistics_.deletes += reply.value;
  return reply;
}

bool Store::Impl::TreeIsIdle(uint32_t root) const {
  std::vector<uint32_t> stack{root};
  std::unordered_set<uint32_t> seen;
  while (!stack.empty()) {
    uint32_t slot = stack.back();
    stack.pop_back();
    if (!seen.insert(slot).second) continue;
    if (Pinned(slot)) return false;
    shm::SlotFields fields = slots_->Read(slot).fields;
    if ((fields.flags & shm::kPersisted) != 0) return false;
    if (fields.kind != SlotKind::kObject) continue;
    auto record = DecodeRecord(StoredBytes(fields));
    if (!record.ok()) return false;
    for (const Member& member : record->members) {
      if (auto child = FindSlot(member.id)) stack.push_back(*child);
    }
  }
  return true;
}

bool Store::Impl::EvictTree(uint32_t root) {
  SlotImage image = slots_->Read(root);
  // D1: new gets miss from here on; then D2, the pins of root and members. A reader that came first
  // keeps it: the state goes back, with the same generation, and the reader never notices.
  slots_->StoreWord(root, shm::MakeWord(shm::GenerationOf(image.word), SlotState::kEvicting));
  if (!TreeIsIdle(root)) {
    slots_->StoreWord(root, image.word);
    return false;
  }
  Batch batch(slots_.get());
  Doom(batch, root, shm::kDeep);
  if (!Commit(batch, Request{}, nullptr).ok()) {
    slots_->StoreWord(root, image.word);
    return false;
  }
  ++statistics_.evictions;
  AfterDoom(batch.doomed);
  FreeDeferred(UINT64_MAX, /*looks=*/0);  // all of the tree
  return true;
}

void Store::Impl::ForEachVictim(const std::function<bool(uint32_t)>& each) {
  auto is_victim = [this](uint32_t slot) {
    if (shm::StateOf(slots_->word(slot)) != SlotState::kSealed) return false;
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (fields.kind > SlotKind::kObject) return false;
    if (fields.links == 0) return true;
    auto spilled = spilled_links_.find(slot);
    return spilled != spilled_links_.end() && fields.links <= spilled->second;
  };
  for (bool is_new = false; !is_new;) {
    is_new = victims_.empty();
    if (is_new) {
      for (uint64_t i = 0; i < slots_->capacity(); ++i) {
        uint32_t slot = static_cast<uint32_t>(i);
        if (is_victim(slot)) victims_.emplace_back(LastUsed(slot), slot);
      }
      std::sort(victims_.begin(), victims_.end(), [this](const auto& a, const auto& b) {
        // Of one tick, the one made first.
        if (a.first != b.first) return a.first > b.first;
        return CounterOf(slots_->Read(a.second).fields.id) >
               CounterOf(slots_->Read(b.second).fields.id);
      });
    }
    while (!victims_.empty()) {
      auto [last_used, slot] = victims_.back();
      victims_.pop_back();
      // The list may be old: still a victim that was not used since.
      if (is_victim(slot) && LastUsed(slot) == last_used && !each(slot)) return;
    }
  }
}

bool Store::Impl::Evict(uint64_t bytes) {
  auto used = [this] { return small_.extents().allocated() + large_.extents().allocated(); };
  uint64_t before = used();
  ForEachVictim([&](uint32_t slot) {
    EvictTree(slot);
    return before - used() < bytes;
  });
  return used() != before;
}

}  // namespace vineyard::store

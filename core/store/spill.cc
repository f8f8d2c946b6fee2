// Spilling: payloads of trees that nobody uses go to files, and come back when somebody asks. Records stay
// in memory. What is done with files is done by jobs (spill_file.h), which another thread runs; here is
// what comes before and after them; which trees go is evict.cc's.
//
//   SEALED (g) --write job--> EVICTING (g) --pins counted, commit--> SPILLED (g + 1)
//   SPILLED (g) --read job, commit--> SEALED (g + 1)
//
// tests/models: spill.pml for one object, tree.pml for sets of them.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {
namespace {

using shm::SlotImage;
using shm::SlotState;
using ull = unsigned long long;

}  // namespace

// ---- adoption --------------------------------------------------------------------------------------

Status Store::Impl::OpenSpillFolder() {
  if (auto listed = state_->Lookup(shm::Role::kSpillFolder)) {
    spill_folder_ = listed->fd;
  } else if (options_.eviction == Eviction::kSpill) {
    ASSIGN_OR_RETURN(Fd folder, MakeSpillFolder(options_.spill_path));
    RETURN_IF_ERROR(state_->List(shm::Role::kSpillFolder, folder.get()));
    spill_folder_ = folder.Release();
  }
  return OkStatus();
}

void Store::Impl::AdoptSpilled() {
  spilled_links_.clear();
  for (uint32_t slot : spilled_objects_) CountSpilledLinks(slot, 1);
  if (spill_folder_ < 0) return;
  std::unordered_set<uint32_t> found;
  Status scanned = ScanSpillFolder(spill_folder_, [&](uint32_t file, uint64_t) {
    next_spill_file_ = std::max(next_spill_file_, file + 1);
    found.insert(file);
    // Written for a commit that never came, or not removed in time.
    if (spill_files_.count(file) == 0) RemoveSpillFile(file);
  });
  if (!scanned.ok()) {
    Log(LogLevel::kError, "the folder of spilled payloads: %s", scanned.ToString().c_str());
  }
  for (const auto& [file, blobs] : spill_files_) {
    next_spill_file_ = std::max(next_spill_file_, file + 1);
    if (found.count(file) != 0) continue;
    Log(LogLevel::kError, "spill file %u is gone, and %llu payloads with it", file,
        static_cast<ull>(blobs));
  }
}

// ---- books -----------------------------------------------------------------------------------------

// A parent that is spilled does not keep its members from being spilled.
void Store::Impl::CountSpilledLinks(uint32_t object, int step) {
  auto record = DecodeRecord(StoredBytes(slots_->Read(object).fields));
  if (!record.ok()) return;
  for (const Member& member : record->members) {
    auto child = FindSlot(member.id);
    if (!child) continue;
    uint32_t& links = spilled_links_[*child];
    links = static_cast<uint32_t>(std::max<int64_t>(int64_t{links} + step, 0));
    if (links == 0) spilled_links_.erase(*child);
  }
}

void Store::Impl::ForgetSpilledObject(uint32_t slot) {
  if (spilled_objects_.erase(slot) != 0) CountSpilledLinks(slot, -1);
}

void Store::Impl::RemoveSpillFile(uint32_t file) {
  SpillJob job;
  job.kind = SpillJob::Kind::kRemove;
  job.folder = spill_folder_;
  job.file = file;
  spill_jobs_.push_back(std::move(job));
}

void Store::Impl::EraseSpilled(const shm::SlotFields& fields) {
  uint32_t file = shm::SegmentOf(fields.location);
  statistics_.spilled_bytes -= fields.size;
  auto found = spill_files_.find(file);
  if (found == spill_files_.end() || --found->second == 0) {
    spill_files_.erase(file);
    return RemoveSpillFile(file);
  }
  SpillJob job;
  job.kind = SpillJob::Kind::kErase;
  job.folder = spill_folder_;
  job.file = file;
  SpillItem& item = job.items.emplace_back();
  item.file = file;
  item.offset = shm::OffsetOf(fields.location);
  item.size = ValueSize(fields);
  if (item.size >= 2 * shm::kPageSize) spill_jobs_.push_back(std::move(job));
}

// ---- to a file -------------------------------------------------------------------------------------

// What of the tree may go now: SEALED, and every parent spilled or among them. Parents come first.
std::vector<uint32_t> Store::Impl::Spillable(uint32_t root) const {
  std::vector<uint32_t> order{root};
  std::unordered_map<uint32_t, uint32_t> inner{{root, 0}};  // links from the tree
  auto members_of = [this](uint32_t slot, auto each) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (fields.kind != shm::SlotKind::kObject) return;
    auto record = DecodeRecord(StoredBytes(fields));
    if (!record.ok()) return;
    for (const Member& member : record->members) {
      auto child = FindSlot(member.id);
      if (child && shm::StateOf(slots_->word(*child)) == SlotState::kSealed) each(*child);
    }
  };
  for (size_t i = 0; i < order.size(); ++i) {
    members_of(order[i], [&](uint32_t child) {
      if (inner[child]++ == 0) order.push_back(child);
    });
  }
  // Whoever stays keeps what is below it. Members are found after one of their parents, not after all:
  // until nothing changes.
  std::vector<uint32_t> staying;
  auto look = [&](uint32_t slot) {
    auto found = inner.find(slot);
    if (found == inner.end()) return;
    shm::SlotFields fields = slots_->Read(slot).fields;
    auto spilled = spilled_links_.find(slot);
    uint32_t free_links = found->second + (spilled == spilled_links_.end() ? 0 : spilled->second);
    bool may_go = (fields.flags & shm::kPending) == 0 && unspillable_.count(fields.id) == 0;
    if (fields.links <= free_links && may_go) return;
    inner.erase(found);
    staying.push_back(slot);
  };
  for (uint32_t slot : order) look(slot);
  for (size_t i = 0; i < staying.size(); ++i) {
    members_of(staying[i], [&](uint32_t child) {
      auto found = inner.find(child);
      if (found == inner.end()) return;
      --found->second;
      look(child);
    });
  }
  std::erase_if(order, [&](uint32_t slot) { return inner.count(slot) == 0; });
  return order;
}

void Store::Impl::OnWritten(SpillJob job) {
  spill_writing_ = false;
  std::unordered_map<uint32_t, const SpillItem*> written;
  for (const SpillItem& item : job.items) {
    store_->Unhold(item.slot);
    if (item.status.ok()) {
      written.emplace(item.slot, &item);
    } else {
      Log(LogLevel::kError, "%s", item.status.text().c_str());
      unspillable_.insert(item.id);
    }
  }
  if (!job.status.ok()) {
    Log(LogLevel::kWarning, "nothing is spilled: %s", job.status.text().c_str());
    spill_failed_ = job.status;
    spill_failed_at_ = coarse_clock_;
    return;
  }
  spill_failed_.reset();
  for (uint32_t root : job.roots) {
    shm::SlotFields fields = slots_->Read(root).fields;
    bool is_there = shm::StateOf(slots_->word(root)) == SlotState::kSealed;
    if (is_there && fields.kind <= shm::SlotKind::kObject) SpillTree(root, written);
  }
  if (spill_files_.count(job.file) == 0) RemoveSpillFile(job.file);
}

void Store::Impl::SpillTree(uint32_t root,
                            const std::unordered_map<uint32_t, const SpillItem*>& written) {
  std::vector<uint32_t> set;
  for (uint32_t slot : Spillable(root)) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    bool has_payload = shm::IsBlobKind(fields.kind) && fields.size > 0;
    auto item = written.find(slot);
    // The slot may be another's by now; an id is never used twice.
    bool is_written = item != written.end() && item->second->id == fields.id;
    if (!has_payload || is_written) set.push_back(slot);
  }
  if (set.empty() || set.front() != root) return;
  // D1: new gets miss from here on; then D2, all pins. A reader that came first keeps the tree: the words
  // go back, with the same generation, and the reader never notices.
  for (uint32_t slot : set) {
    slots_->StoreWord(slot,
                      shm::MakeWord(shm::GenerationOf(slots_->word(slot)), SlotState::kEvicting));
  }
  auto restore = [&] {
    for (uint32_t slot : set) {
      slots_->StoreWord(slot,
                        shm::MakeWord(shm::GenerationOf(slots_->word(slot)), SlotState::kSealed));
    }
  };
  if (std::any_of(set.begin(), set.end(), [this](uint32_t slot) { return Pinned(slot); })) {
    return restore();
  }
  Batch batch(slots_.get());
  std::vector<shm::SlotFields> freed;
  for (uint32_t slot : set) {
    SlotImage& image = batch.Edit(slot);
    image.word = shm::MakeWord(shm::GenerationOf(image.word) + 1, SlotState::kSpilled);
    if (!shm::IsBlobKind(image.fields.kind) || image.fields.size == 0) continue;
    const SpillItem& item = *written.at(slot);
    freed.push_back(image.fields);
    image.fields.location = shm::MakeLocation(item.file, item.offset);
    image.fields.payload_checksum = item.checksum;
    image.fields.flags |= shm::kInFile;
    image.Seal();
  }
  if (!Commit(batch, Request{}, nullptr).ok()) return restore();
  for (const shm::SlotFields& fields : freed) {
    Free(fields);
    statistics_.spilled_bytes += fields.size;
  }
  for (uint32_t slot : set) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (fields.kind == shm::SlotKind::kObject) {
      spilled_objects_.insert(slot);
      CountSpilledLinks(slot, 1);
    } else if (fields.size > 0) {
      ++spill_files_[shm::SegmentOf(fields.location)];
    }
  }
  ++statistics_.evictions;
}

void Store::Impl::SpillDown() {
  if (options_.eviction != Eviction::kSpill) return;
  uint64_t used = small_.extents().allocated() + large_.extents().allocated();
  if (used > options_.spill_upper_bytes) spilling_down_ = true;
  if (used <= options_.spill_lower_bytes) spilling_down_ = false;
  if (!spilling_down_ || spill_writing_) return;
  if (!StartSpill(used - options_.spill_lower_bytes)) spilling_down_ = false;  // all else is in use
}

// ---- and back --------------------------------------------------------------------------------------

Status Store::Impl::Load(uint32_t root) {
  const Status being_loaded(Code::kOutOfMemory, "it is being loaded");
  if (auto failed = load_failures_.find(root); failed != load_failures_.end()) {
    Status status = failed->second.second;
    bool is_same = failed->second.first == slots_->word(root);
    load_failures_.erase(failed);
    if (is_same) return status;  // and whoever asks next tries again
  }
  if (loading_.count(root) != 0) return being_loaded;
  std::vector<uint32_t> tree = SpilledBelow(root);
  for (uint32_t slot : tree) {
    if (loading_.count(slot) != 0) return being_loaded;  // as a part of another tree
  }
  SpillJob job;
  job.kind = SpillJob::Kind::kRead;
  job.folder = spill_folder_;
  job.root = root;
  std::vector<std::pair<uint32_t, shm::SlotFields>> placed;
  uint64_t total = 0;
  for (uint32_t slot : tree) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if ((fields.flags & shm::kInFile) != 0)
      total += shm::Extents::RoundedSize(fields.skip + fields.size);
  }
  auto give_back = [&] {
    for (const auto& [slot, fields] : placed) Free(fields);
  };
  for (uint32_t slot : tree) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if ((fields.flags & shm::kInFile) == 0) continue;
    SpillItem& item = job.items.emplace_back();
    item.slot = slot;
    item.id = fields.id;
    item.file = shm::SegmentOf(fields.location);
    item.offset = shm::OffsetOf(fields.location);
    item.size = ValueSize(fields);
    item.checksum = fields.payload_checksum;
    uint64_t size = fields.skip + fields.size;
    // Where a put would have placed it, but for what only the daemon may write.
    bool leased = item.size > kMaxInlinePayload && !options_.is_shared;
    Result<uint64_t> location =
        Allocate(leased ? shm::SegmentUse::kLeases : shm::SegmentUse::kDaemon, size, total,
                 "load of object " + PrintId(fields.id));
    if (!location.ok()) {
      give_back();
      return location.status();
    }
    total -= std::min(total, shm::Extents::RoundedSize(size));
    fields.location = *location;
    fields.flags &= static_cast<uint8_t>(~shm::kInFile);
    placed.emplace_back(slot, fields);
    char* stored = At(fields.location) + fields.skip;
    WriteEnvelope(static_cast<BlobKind>(fields.kind), item.size, stored);
    item.value = stored + fields.before;
  }
  std::sort(job.items.begin(), job.items.end(), [](const SpillItem& a, const SpillItem& b) {
    return std::pair(a.file, a.offset) < std::pair(b.file, b.offset);
  });
  Loading& loading = loadings_[root];
  loading.placed = std::move(placed);
  loading.held = SealedMembers(tree);
  for (uint32_t slot : loading.held) store_->Hold(slot);
  for (const auto& [slot, fields] : loading.placed) loading_bytes_ += ExtentSize(fields);
  for (uint32_t slot : tree) {
    loading.tree.emplace_back(slot, slots_->word(slot));
    loading_.insert(slot);
  }
  load_jobs_.push_back(std::move(job));
  return being_loaded;
}

// It and what is spilled below it, members before their parents.
std::vector<uint32_t> Store::Impl::SpilledBelow(uint32_t root) const {
  std::vector<uint32_t> order, stack{root};
  std::unordered_set<uint32_t> entered, done;
  while (!stack.empty()) {
    uint32_t slot = stack.back();
    if (!entered.insert(slot).second) {
      stack.pop_back();
      if (done.insert(slot).second) order.push_back(slot);
      continue;
    }
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (fields.kind != shm::SlotKind::kObject) continue;
    auto record = DecodeRecord(StoredBytes(fields));
    if (!record.ok()) continue;
    for (const Member& member : record->members) {
      auto child = FindSlot(member.id);
      // What is SEALED has nothing spilled below it.
      if (child && entered.count(*child) == 0 &&
          shm::StateOf(slots_->word(*child)) == SlotState::kSpilled) {
        stack.push_back(*child);
      }
    }
  }
  return order;
}

std::vector<uint32_t> Store::Impl::SealedMembers(const std::vector<uint32_t>& objects) const {
  std::vector<uint32_t> members;
  for (uint32_t slot : objects) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (fields.kind != shm::SlotKind::kObject) continue;
    auto record = DecodeRecord(StoredBytes(fields));
    if (!record.ok()) continue;
    for (const Member& member : record->members) {
      auto child = FindSlot(member.id);
      if (child && shm::StateOf(slots_->word(*child)) == SlotState::kSealed)
        members.push_back(*child);
    }
  }
  return members;
}

void Store::Impl::OnRead(SpillJob job) {
  auto found = loadings_.find(job.root);
  CHECK(found != loadings_.end());
  Loading loading = std::move(found->second);
  loadings_.erase(found);
  for (uint32_t slot : loading.held) store_->Unhold(slot);
  bool is_there = true;  // nobody deleted it meanwhile
  for (auto [slot, word] : loading.tree) {
    loading_.erase(slot);
    is_there = is_there && slots_->word(slot) == word;
  }
  for (const auto& [slot, fields] : loading.placed) loading_bytes_ -= ExtentSize(fields);
  Status status;
  // Of what was deleted meanwhile a part of the file, or all of it, may have gone first.
  for (const SpillItem& item : job.items) {
    if (item.status.ok() || !is_there) continue;
    Log(LogLevel::kError, "%s", item.status.text().c_str());
    if (status.ok()) status = item.status;
  }
  std::vector<shm::SlotFields> in_file;
  if (is_there && status.ok()) {
    std::unordered_map<uint32_t, const shm::SlotFields*> placed;
    for (const auto& [slot, fields] : loading.placed) placed.emplace(slot, &fields);
    Batch batch(slots_.get());
    for (auto [slot, word] : loading.tree) {
      SlotImage& image = batch.Edit(slot);
      image.word = shm::MakeWord(shm::GenerationOf(image.word) + 1, SlotState::kSealed);
      auto place = placed.find(slot);
      if (place == placed.end()) continue;
      in_file.push_back(image.fields);
      image.fields.location = place->second->location;
      image.fields.flags &= static_cast<uint8_t>(~shm::kInFile);
      image.Seal();
    }
    status = Commit(batch, Request{}, nullptr);
  }
  if (!is_there || !status.ok()) {
    for (const auto& [slot, fields] : loading.placed) Free(fields);
    if (is_there) load_failures_[job.root] = {slots_->word(job.root), status};
    return;
  }
  for (auto [slot, word] : loading.tree) {
    sealed_at_[slot] = coarse_clock_;
    ForgetSpilledObject(slot);
  }
  for (const shm::SlotFields& fields : in_file) EraseSpilled(fields);
  ++statistics_.loads;
}

// ---- jobs ------------------------------------------------------------------------------------------

std::optional<SpillJob> Store::NextSpillJob(bool load) {
  std::deque<SpillJob>& jobs = load ? impl_->load_jobs_ : impl_->spill_jobs_;
  if (jobs.empty()) return std::nullopt;
  SpillJob job = std::move(jobs.front());
  jobs.pop_front();
  return job;
}

void Store::SpillJobDone(SpillJob job) {
  switch (job.kind) {
    case SpillJob::Kind::kWrite:
      return impl_->OnWritten(std::move(job));
    case SpillJob::Kind::kRead:
      return impl_->OnRead(std::move(job));
    default:
      return;
  }
}

void Store::RemoveSpillFiles() {
  if (impl_->spill_folder_ >= 0) RemoveSpillFolder(impl_->spill_folder_);
}

bool Store::IsSpilling() const { return impl_->spill_writing_ || !impl_->loadings_.empty(); }

}  // namespace vineyard::store

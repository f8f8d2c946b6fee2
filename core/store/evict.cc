// Which trees go to files next: those that nobody has used for the longest time, when there is no room, and the
// one that somebody asks for by hand.
#include <algorithm>

#include "core/base/bytes.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotState;

namespace {

// Of one write job: what is freed at once at its end.
constexpr uint64_t kMaxWriteBytes = 256 * kMiB;
constexpr size_t kMaxWriteItems = 10'000;
// After a write that failed.
constexpr uint32_t kRetryTenths = 20;

}  // namespace

void Store::Impl::PlanTree(uint32_t root, WritePlan* plan) const {
  std::vector<uint32_t> tree = Spillable(root);
  if (std::any_of(tree.begin(), tree.end(), [this](uint32_t slot) { return Pinned(slot); })) return;
  uint64_t before = plan->bytes;
  for (uint32_t slot : tree) {
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (!shm::IsBlobKind(fields.kind) || fields.size == 0 || !plan->taken.insert(slot).second)
      continue;
    SpillItem& item = plan->job.items.emplace_back();
    item.slot = slot;
    item.id = fields.id;
    item.value = At(fields.location) + fields.skip + fields.before;
    item.size = ValueSize(fields);
    item.checksum = fields.payload_checksum;
    item.offset = plan->end;
    // Large ones give whole pages back to the disk when they go.
    plan->end = RoundUp(plan->end + item.size,
                        item.size < 16 * shm::kPageSize ? kPayloadAlignment : shm::kPageSize);
    plan->bytes += ExtentSize(fields);
  }
  // A tree without payload has nothing to give.
  if (plan->bytes > before) plan->job.roots.push_back(root);
}

bool Store::Impl::BeginWrite(WritePlan plan) {
  if (plan.job.roots.empty() || plan.end > kMaxSpillFile) return false;
  plan.job.kind = SpillJob::Kind::kWrite;
  plan.job.folder = spill_folder_;
  plan.job.file = next_spill_file_++;
  for (SpillItem& item : plan.job.items) {
    item.file = plan.job.file;
    store_->Hold(item.slot);  // until it is written
  }
  spill_writing_ = true;
  spill_jobs_.push_back(std::move(plan.job));
  return true;
}

bool Store::Impl::SpillFailedLately() const {
  return spill_failed_ && coarse_clock_ - spill_failed_at_ < kRetryTenths;
}

bool Store::Impl::StartSpill(uint64_t bytes) {
  if (spill_folder_ < 0) return false;
  if (spill_writing_) return true;
  if (SpillFailedLately()) return false;
  WritePlan plan;
  ForEachVictim([&](uint32_t slot) {
    PlanTree(slot, &plan);
    return plan.bytes < std::min(bytes, kMaxWriteBytes) && plan.job.items.size() < kMaxWriteItems;
  });
  return BeginWrite(std::move(plan));
}

// ---- by hand ---------------------------------------------------------------------------------------

std::string Store::Impl::WhoPins(uint32_t slot) const {
  for (const auto& [id, session] : sessions_) {
    if (session->Pins(slot))
      return Format("pid %u (uid %u) has pinned it", session->cell->pid, session->cell->uid);
  }
  return "somebody is about to read it";
}

// Whether it may leave its place in memory; what is below it is looked at, too.
Status Store::Impl::CheckEvictable(uint32_t root) const {
  shm::SlotFields fields = slots_->Read(root).fields;
  std::string of = "evict of object " + PrintId(fields.id) + ": ";
  if ((fields.flags & shm::kPending) != 0) {
    return {Code::kInUse, of + "it is being put and not complete yet"};
  }
  std::vector<uint32_t> tree = Spillable(root);
  if (tree.empty() || tree.front() != root) {
    if (unspillable_.count(fields.id) != 0) return Corrupt(of + "its payload is damaged");
    return {Code::kInUse, of + FindReferrer(fields.id) + " links to it; evict that"};
  }
  for (uint32_t slot : tree) {
    if (!Pinned(slot)) continue;
    ObjectId pinned = slots_->Read(slot).fields.id;
    std::string which = slot == root ? "" : "of its member " + PrintId(pinned) + ": ";
    return {Code::kInUse, of + which + WhoPins(slot) + "; it is in use"};
  }
  return OkStatus();
}

Status Store::Impl::EvictByHand(ObjectId id) {
  if (options_.eviction != Eviction::kSpill || spill_folder_ < 0) {
    return {Code::kUnsupported,
            "evict: this daemon spills nothing; start vineyardd with --evict spill --spill-path "
            "FOLDER"};
  }
  if (id == kEmptyBlobId) return OkStatus();
  auto root = FindPresent(id);
  if (!root) return NoSuchObject(id);
  const Status under_way(Code::kOutOfMemory, "payloads are being spilled");
  // What is being written is held: who holds what is known when that is done.
  if (spill_writing_) return under_way;
  WritePlan plan;
  if (shm::StateOf(slots_->word(*root)) == SlotState::kSealed) {
    RETURN_IF_ERROR(CheckEvictable(*root));
    PlanTree(*root, &plan);
  } else {
    // It is in a file. What was loaded of it by itself goes back.
    for (uint32_t member : SealedMembers(SpilledBelow(*root))) {
      std::vector<uint32_t> tree = Spillable(member);
      bool is_damaged = unspillable_.count(slots_->Read(member).fields.id) != 0;
      bool may_go = !tree.empty() && tree.front() == member;
      if (!may_go && !is_damaged) continue;  // others in memory link to it
      RETURN_IF_ERROR(CheckEvictable(member));
      PlanTree(member, &plan);
    }
  }
  if (plan.job.roots.empty()) return OkStatus();  // nothing of it is in memory, but metadata
  std::string of = "evict of object " + PrintId(id) + ": ";
  if (SpillFailedLately()) return {spill_failed_->code(), of + spill_failed_->text()};
  if (!BeginWrite(std::move(plan))) return Limit(of + "it is larger than a file can be");
  return under_way;
}

Status Store::Evict(ObjectId id) { return impl_->EvictByHand(id); }

}  // namespace vineyard::store

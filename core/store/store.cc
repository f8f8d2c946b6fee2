#include "core/store/store.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SegmentUse;

static_assert(shm::kMaxInstance == kMaxInstance);
static_assert(static_cast<uint8_t>(shm::SlotKind::kBuffer) ==
              static_cast<uint8_t>(BlobKind::kBuffer));
static_assert(static_cast<uint8_t>(shm::SlotKind::kByteArray) ==
              static_cast<uint8_t>(BlobKind::kByteArray));

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(shm::StateFile* state, const Options& options) {
  std::unique_ptr<Store> store(new Store(nullptr));
  store->impl_ = std::make_unique<Impl>(store.get(), state, options);
  RETURN_IF_ERROR(store->impl_->Open());
  return store;
}

Result<SessionFiles> Store::OpenSession(const SessionInfo& info) {
  return impl_->OpenSession(info);
}
bool Store::ResumeSession(const SessionInfo& info) { return impl_->ResumeSession(info); }
bool Store::SessionAlive(uint64_t session) const { return impl_->SessionAlive(session); }
void Store::EndSession(uint64_t session) { impl_->EndSession(session); }
std::vector<uint64_t> Store::Sessions() const {
  std::vector<uint64_t> ids;
  for (const auto& [id, session] : impl_->sessions_) ids.push_back(id);
  return ids;
}
size_t Store::SessionsOf(uint32_t uid) const {
  return static_cast<size_t>(
      std::count_if(impl_->sessions_.begin(), impl_->sessions_.end(),
                    [uid](const auto& entry) { return entry.second->cell->uid == uid; }));
}
bool Store::HasSession(uint64_t session) const { return impl_->sessions_.count(session) != 0; }

Status Store::Grant(uint64_t session, uint64_t piece) { return impl_->Grant(session, piece); }

Result<Fd> Store::OpenSegment(uint64_t session, uint32_t number, bool writable,
                              uint64_t* size_bytes, bool* is_sole) {
  const Pool::Entry* entry = impl_->large_.Find(number);
  if (entry == nullptr) entry = impl_->small_.Find(number);
  if (entry == nullptr) return NotFound(Format("segment %u: there is no such segment", number));
  bool is_sole_segment = entry->segment.use() == SegmentUse::kSole;
  // Pages that a reader keeps, in a pipe say, would keep its writer from having it sealed.
  if (is_sole_segment && !shm::IsSealedAgainstWrites(entry->segment.fd()) &&
      !impl_->HasLease(session, number)) {
    return NotFound(Format("segment %u: another session writes it", number));
  }
  if (writable && !impl_->HasLease(session, number)) {
    return Status(
        Code::kPermission,
        Format("segment %u: this session has no lease in it and may only read it; create a "
               "blob first",
               number));
  }
  *size_bytes = entry->segment.size();
  if (is_sole != nullptr) *is_sole = is_sole_segment;
  return shm::Reopen(entry->segment.fd(), writable);
}

Result<Mutation> Store::Put(Request request, const Tree& tree) { return impl_->Put(request, tree); }
Result<Mutation> Store::Lease(Request request, BlobKind kind, uint64_t value_size) {
  return impl_->Lease(request, kind, value_size);
}
Result<Mutation> Store::DropLease(Request request, ObjectId id) {
  return impl_->DropLease(request, id);
}
Result<Mutation> Store::Delete(Request request, const std::vector<ObjectId>& ids, bool force,
                               bool deep) {
  return impl_->Delete(request, ids, force, deep);
}
Result<Mutation> Store::PutName(Request request, std::string_view name, ObjectId id, bool replace,
                                uint64_t expect) {
  return impl_->PutName(request, name, id, replace, expect);
}
Result<Mutation> Store::DropName(Request request, std::string_view name, uint64_t expect) {
  return impl_->DropName(request, name, expect);
}
Result<Mutation> Store::SetLabels(
    Request request, ObjectId id,
    const std::vector<std::pair<std::string_view, std::string_view>>& labels) {
  return impl_->SetLabels(request, id, labels);
}
Result<Mutation> Store::Clear(Request request) { return impl_->Clear(request); }

Result<Found> Store::Find(ObjectId id) {
  auto slot = impl_->FindPresent(id);
  if (!slot) return impl_->NoSuchObject(id);
  if (shm::StateOf(impl_->slots_->word(*slot)) == shm::SlotState::kSpilled)
    return impl_->Load(*slot);
  return Found{*slot, impl_->slots_->word(*slot)};
}

Result<Found> Store::FindName(std::string_view name) const {
  auto found = impl_->names_.find(name);
  if (found == impl_->names_.end()) {
    bool is_id = ParseId(name).ok();
    return NotFound(
        "name '" + std::string(name) + "': no object has it; " +
        (is_id ? "it is an id: get the object by that" : "give it to one, or wait for it"));
  }
  return Found{found->second, impl_->slots_->word(found->second)};
}

Result<Found> Store::FindLabels(ObjectId id) const {
  if (!impl_->FindPresent(id)) return impl_->NoSuchObject(id);
  auto found = impl_->labels_.find(id);
  if (found == impl_->labels_.end()) {
    return NotFound("labels of object " + PrintId(id) + ": it has none");
  }
  return Found{found->second, impl_->slots_->word(found->second)};
}

void Store::Hold(uint32_t slot) { ++impl_->holds_[slot]; }
void Store::Unhold(uint32_t slot) {
  auto found = impl_->holds_.find(slot);
  CHECK(found != impl_->holds_.end());
  if (--found->second == 0) impl_->holds_.erase(found);
}

Result<Page> Store::List(std::string_view type_glob, std::string_view after, uint64_t limit) {
  return impl_->List(type_glob, after, limit);
}
TypePage Store::ListTypes(std::string_view after) { return impl_->ListTypes(after); }
NamePage Store::ListNames(std::string_view glob, std::string_view after, uint64_t limit) const {
  return impl_->ListNames(glob, after, limit);
}

bool Store::IsUnused() const {
  return impl_->sessions_.empty() && impl_->free_slots_.size() == impl_->slots_->capacity() &&
         impl_->holds_.empty();
}

void Store::AddDeletedBytes(uint32_t owner, std::map<uint32_t, uint64_t>* bytes) const {
  impl_->AddDeletedBytes(owner, bytes);
}

void Store::End() {
  // release: nothing is behind it; a table without a place is a miss (core/client/reader.h).
  impl_->slots_->superblock().directory.store(0, std::memory_order_release);
}

Statistics Store::Stats() const { return impl_->Stats(); }
uint64_t Store::adopted() const { return impl_->statistics_.adopted; }
uint64_t Store::instance() const { return impl_->state_->header().instance; }
uint64_t Store::epoch() const { return impl_->state_->header().epoch; }

std::optional<GrowthPlan> Store::GrowthWanted() const { return impl_->growth_; }
Result<shm::Segment> Store::PrepareSegment(const GrowthPlan& plan) {
  return shm::Segment::Create(plan.instance, plan.number, plan.size, plan.use);
}
Status Store::AddSegment(shm::Segment segment) { return impl_->AddSegment(std::move(segment)); }
void Store::GrowthFailed(const Status& status) {
  // Without a plan it was not the size.
  impl_->growth_failed_size_ = impl_->growth_ ? impl_->growth_->size : 0;
  impl_->DropPlan();
  impl_->growth_failed_ = status;
  impl_->growth_failed_at_ = impl_->coarse_clock_;
}
uint64_t Store::Trim() { return impl_->Trim(); }
bool Store::MakeRoom(uint64_t bytes) { return impl_->RetireFreeSegments(bytes); }

void Store::Tick(int64_t now_ms) {
  int64_t tenths = (now_ms - impl_->state_->header().first_start_ms) / 100;
  impl_->coarse_clock_ = static_cast<uint32_t>(std::max<int64_t>(tenths, 0));
  // relaxed: a time stamp, nothing is ordered by it.
  impl_->slots_->superblock().coarse_clock.store(impl_->coarse_clock_, std::memory_order_relaxed);
  impl_->FreeDeferred(10'000, 1000);
  impl_->SpillDown();
  if (impl_->links_doubted_ && !impl_->Repair().ok()) {
    Log(LogLevel::kError, "links are not counted again: the host has no memory");
  }
  // Not at once: preparing memory that is not there costs the whole host.
  constexpr uint32_t kRetryTenths = 20;
  if (impl_->coarse_clock_ - impl_->growth_failed_at_ >= kRetryTenths)
    impl_->growth_failed_.reset();
  if (impl_->growth_ || impl_->growth_failed_) return;
  impl_->RetireIdleSegments();
  if (impl_->small_.extents().free() < impl_->LowWater()) impl_->PlanGrowth(SegmentUse::kDaemon, 0);
  if (!impl_->growth_ && !impl_->options_.is_shared &&
      impl_->large_.extents().free() < impl_->options_.prefault_bytes) {
    impl_->PlanGrowth(SegmentUse::kLeases, 0);
  }
}

Status Store::Repair() { return impl_->Repair(); }
bool Store::has_deferred() const { return !impl_->deferred_.empty() || !impl_->held_.empty(); }
Findings Store::Audit() const { return impl_->Audit(); }
void Store::CheckInvariants() const { impl_->CheckInvariants(); }

}  // namespace vineyard::store

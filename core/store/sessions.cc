// Sessions: their pin tables, who is alive, what comes back when they are not.
#include <algorithm>

#include "core/base/log.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::PinCell;

bool Session::Granted(uint64_t piece) const {
  // relaxed: only this thread sets the bits.
  return (cell->granted[piece / 64].load(std::memory_order_relaxed) >> (piece % 64) & 1) != 0;
}

bool Session::Pins(uint32_t slot) const {
  if (!Granted(slot / shm::kPinPieceSlots)) return false;
  const auto* cells = reinterpret_cast<const PinCell*>(pins.data());
  // D2. seq_cst: either this load sees the reader's increment (R1), or the reader's second look at
  // the word (R2) sees the store that came before this (D1). tests/models/pin.pml.
  return cells[slot].count.load(std::memory_order_seq_cst) != 0;
}

uint32_t Session::LastUsed(uint32_t slot) const {
  if (!Granted(slot / shm::kPinPieceSlots)) return 0;
  const auto* cells = reinterpret_cast<const PinCell*>(pins.data());
  return cells[slot].last_used.load(std::memory_order_relaxed);  // a hint for eviction
}

bool Store::Impl::Pinned(uint32_t slot) const {
  if (!holds_.empty() && holds_.count(slot) != 0) return true;
  for (const auto& [id, session] : sessions_) {
    if (session->Pins(slot)) return true;
  }
  return false;
}

uint32_t Store::Impl::LastUsed(uint32_t slot) const {
  uint32_t last = slot < sealed_at_.size() ? sealed_at_[slot] : 0;
  for (const auto& [id, session] : sessions_) last = std::max(last, session->LastUsed(slot));
  // A client writes its own stamps: one from the future counts as now.
  return std::min(last, coarse_clock_);
}

Result<SessionFiles> Store::Impl::OpenSession(const SessionInfo& info) {
  if (info.id == 0) return Invalid("session: its id is 0");
  if (sessions_.count(info.id) != 0) {
    return Status(Code::kExists, "session: another living one has this id");
  }
  SessionFiles files;
  ASSIGN_OR_RETURN(files.index, shm::Reopen(slots_->fd(), /*writable=*/false));
  ASSIGN_OR_RETURN(files.directory, shm::Reopen(directory_->fd(), /*writable=*/false));
  auto session = std::make_unique<Session>();
  ASSIGN_OR_RETURN(Fd pins, shm::CreateMemory("vineyard.pins", shm::kMaxPinFile));
  RETURN_IF_ERROR(shm::AddSeals(pins, shm::Seals::kClientWritten));
  ASSIGN_OR_RETURN(session->pins, shm::Mapping::Map(pins, shm::kMaxPinFile, /*writable=*/false));
  // The client's open file description holds the lock for as long as it is open or mapped anywhere.
  ASSIGN_OR_RETURN(files.pins, shm::Reopen(pins, /*writable=*/true));
  RETURN_IF_ERROR(shm::TryLock(files.pins));
  session->cell = state_->AllocateSession();
  if (session->cell == nullptr && sessions_.size() < shm::kMaxSessions) {
    return Status(Code::kHostMemory, "session: the host has no memory for another");
  }
  if (session->cell == nullptr) {
    return Limit(Format("%zu sessions are open: no more can be", sessions_.size()));
  }
  session->pins_fd = std::move(pins);
  Status listed = state_->List(shm::Role::kPins, session->pins_fd.get(), info.id);
  if (!listed.ok()) {
    session->pins_fd.Reset();
    return listed;
  }
  shm::SessionCell& cell = *session->cell;
  cell.token[0] = info.token[0];
  cell.token[1] = info.token[1];
  cell.uid = info.uid;
  cell.pid = info.pid;
  for (auto& word : cell.granted) word.store(0, std::memory_order_relaxed);
  for (shm::Reply& reply : cell.replies) reply = shm::Reply{};
  // release: the cell counts once it is complete.
  shm::CrashPoint();
  cell.id.store(info.id, std::memory_order_release);
  shm::CrashPoint();
  sessions_.emplace(info.id, std::move(session));
  return files;
}

bool Store::Impl::ResumeSession(const SessionInfo& info) {
  auto found = sessions_.find(info.id);
  if (found == sessions_.end()) return false;
  const shm::SessionCell& cell = *found->second->cell;
  return cell.token[0] == info.token[0] && cell.token[1] == info.token[1] && cell.uid == info.uid;
}

bool Store::Impl::SessionAlive(uint64_t session) const {
  auto found = sessions_.find(session);
  return found != sessions_.end() && !shm::IsUnlocked(found->second->pins_fd);
}

bool Store::Impl::HasLease(uint64_t session, uint32_t segment) const {
  return std::any_of(leases_.begin(), leases_.end(), [&](const auto& lease) {
    shm::SlotFields fields = slots_->Read(lease.second).fields;
    return fields.owner == session && shm::SegmentOf(fields.location) == segment;
  });
}

void Store::Impl::EndSession(uint64_t id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  std::vector<uint32_t> leased;
  for (const auto& [lease, slot] : leases_) {
    if (slots_->Read(slot).fields.owner == id) leased.push_back(slot);
  }
  for (uint32_t slot : leased) DropLeaseSlot(slot);
  // The cell first: what is not in a cell is forgotten by a successor.
  found->second->cell->id.store(0, std::memory_order_release);
  shm::CrashPoint();
  sessions_.erase(found);
  state_->Forget(shm::Role::kPins, id);
  FreeDeferred(10'000, 100'000);  // the rest with the next ticks
}

Status Store::Impl::Grant(uint64_t id, uint64_t piece) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return Internal("grant: the session is not known");
  if (piece >= shm::kMaxPinPieces || piece * shm::kPinPieceSlots >= slots_->capacity()) {
    return Invalid(Format("grant of piece %llu: there are no such slots",
                          static_cast<unsigned long long>(piece)));
  }
  Session& session = *found->second;
  if (session.Granted(piece)) return OkStatus();
  constexpr uint64_t kPieceSize = shm::kPinPieceSlots * sizeof(PinCell);
  RETURN_IF_ERROR(shm::AllocateRange(session.pins_fd, piece * kPieceSize, kPieceSize));
  session.cell->granted[piece / 64].fetch_or(uint64_t{1} << (piece % 64),
                                             std::memory_order_release);
  shm::CrashPoint();
  return OkStatus();
}

}  // namespace vineyard::store

// Commits: how a batch, the counters and the reply to a request become one change.
#include <cstddef>
#include <cstring>

#include "core/base/check.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::CommitLine;
using shm::Reply;

Result<std::optional<Mutation>> Store::Impl::Repeated(const Request& request) const {
  if (request.number == 0) return std::optional<Mutation>();
  auto session = sessions_.find(request.session);
  if (session == sessions_.end()) {
    return Status(Code::kUnavailable, "session: the daemon does not know it (any more)");
  }
  const Reply& reply = session->second->cell->replies[request.number % shm::kReplies];
  if (reply.number == request.number) {
    return std::optional<Mutation>(Mutation{reply.id, reply.value, reply.revision});
  }
  if (reply.number > request.number) {
    return Protocol(Format("request %llu: it is below the window, %llu was answered",
                           static_cast<unsigned long long>(request.number),
                           static_cast<unsigned long long>(reply.number)));
  }
  return std::optional<Mutation>();
}

Status Store::Impl::Commit(Batch& batch, const Request& request, Mutation* reply,
                           uint64_t reserve) {
  RETURN_IF_ERROR(state_->ReserveCommit(std::max<uint64_t>(batch.size() + 2, reserve)));
  std::vector<CommitLine> lines;
  lines.reserve(batch.size() + 2);
  batch.AppendLines(&lines);

  shm::Counters next = next_counters_;
  next.revision = next_revision();
  CommitLine& counters_line = lines.emplace_back();
  counters_line.target = static_cast<uint32_t>(shm::Target::kState);
  counters_line.offset = shm::kCountersOffset;
  std::memcpy(counters_line.words, &next, sizeof next);

  if (reply != nullptr) {
    if (reply->revision == 0) reply->revision = next.revision;
    // Where the session has ended meanwhile nobody asks again.
    auto session = sessions_.find(request.session);
    if (request.number != 0 && session != sessions_.end()) {
      shm::SessionCell* cell = session->second->cell;
      Reply stored{};
      stored.number = request.number;
      stored.id = reply->id;
      stored.value = reply->value;
      stored.revision = reply->revision;
      CommitLine& line = lines.emplace_back();
      line.target = static_cast<uint32_t>(shm::Target::kState);
      line.offset =
          shm::kSessionsOffset + uint64_t{state_->session_index(*cell)} * sizeof(shm::SessionCell) +
          offsetof(shm::SessionCell, replies) + request.number % shm::kReplies * sizeof(Reply);
      std::memcpy(line.words, &stored, sizeof stored);
    }
  }
  state_->Apply(lines, slots_->data());
  next_counters_ = next;
  // relaxed: for people and for waits that re-read; objects are published by their words.
  slots_->superblock().revision.store(next.revision, std::memory_order_relaxed);
  return OkStatus();
}

}  // namespace vineyard::store

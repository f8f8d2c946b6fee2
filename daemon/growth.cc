#include "daemon/growth.h"

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/wire/messages.h"
#include "daemon/size.h"

namespace vineyard::daemon {
namespace {

// Of one client; the request that passes it is kept as well.
constexpr uint64_t kMaxPostponedBytes = 64 * kMiB;
// What fails again and again is a warning no more often.
constexpr int64_t kQuietNs = 60'000'000'000;

}  // namespace

void Growth::Postpone(Postponed request) {
  Count(request);
  postponed_.push_back(std::move(request));
}

void Growth::Count(const Postponed& request) {
  uint64_t& bytes = bytes_[request.session.get()];
  bytes += sizeof request + request.body.size();
  if (bytes > kMaxPostponedBytes) request.session->Pause();
}

void Growth::Check() {
  if (busy_) return;
  std::optional<store::GrowthPlan> plan = store_->GrowthWanted();
  if (!plan) return;
  busy_ = true;
  helper_.Do([this, plan = *plan] {
    auto segment = std::make_shared<Result<shm::Segment>>(store::Store::PrepareSegment(plan));
    asio::post(*loop_, [this, segment] { OnPrepared(std::move(*segment)); });
  });
}

void Growth::OnPrepared(Result<shm::Segment> segment) {
  busy_ = false;
  Status added = segment.status();
  if (segment.ok()) {
    Log(LogLevel::kDebug, "segment %u of %s is ready", segment->number(),
        PrintSize(segment->size()).c_str());
    added = store_->AddSegment(std::move(segment).value());
  }
  if (!added.ok()) {
    // Less and less is tried, and again after a while.
    bool is_news = warned_ns_ == 0 || MonotonicNs() - warned_ns_ >= kQuietNs;
    if (is_news) {
      warned_ns_ = MonotonicNs();
      Log(LogLevel::kWarning, "no more memory: %s", added.ToString().c_str());
    }
    store_->GrowthFailed(added);
  }
  Retry();
  Check();
}

void Growth::Retry() {
  std::deque<Postponed> waiting;
  waiting.swap(postponed_);
  bytes_.clear();
  std::vector<std::shared_ptr<Session>> sessions;
  for (const Postponed& request : waiting) {
    if (request.session->paused()) sessions.push_back(request.session);
  }
  std::deque<Postponed> left;
  bool in_order = true;  // no change may pass one that waits for more memory
  for (Postponed& request : waiting) {
    bool changes = wire::IsMutating(static_cast<wire::MessageType>(request.request.type));
    if ((in_order || !changes) && again_(request)) continue;
    if (changes) in_order = false;
    left.push_back(std::move(request));
  }
  // What is left goes before requests that were postponed meanwhile.
  postponed_.insert(postponed_.begin(), std::make_move_iterator(left.begin()),
                    std::make_move_iterator(left.end()));
  bytes_.clear();
  for (const Postponed& request : postponed_) Count(request);
  for (const std::shared_ptr<Session>& session : sessions) {
    auto left = bytes_.find(session.get());
    if (left == bytes_.end() || left->second <= kMaxPostponedBytes) session->Resume();
  }
}

void Growth::Drop(const Session& session) {
  postponed_.erase(std::remove_if(postponed_.begin(), postponed_.end(),
                                  [&session](const Postponed& request) {
                                    return request.session.get() == &session;
                                  }),
                   postponed_.end());
  bytes_.erase(&session);
}

}  // namespace vineyard::daemon

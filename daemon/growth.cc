#include "daemon/growth.h"

#include <sys/prctl.h>

#include <algorithm>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "daemon/size.h"

namespace vineyard::daemon {
namespace {

// Of one client; the request that passes it is kept as well.
constexpr uint64_t kMaxPostponedBytes = 64 * kMiB;

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
  {
    std::lock_guard lock(mutex_);
    plan_ = plan;
  }
  changed_.notify_one();
  if (!helper_.joinable()) helper_ = std::thread([this] { RunHelper(); });
}

void Growth::RunHelper() {
  prctl(PR_SET_NAME, "growth");
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || plan_.has_value(); });
    if (stopping_) return;
    store::GrowthPlan plan = *plan_;
    plan_.reset();
    lock.unlock();
    Result<shm::Segment> segment = store::Store::PrepareSegment(plan);
    asio::post(*loop_,
               [this, segment = std::move(segment)]() mutable { OnPrepared(std::move(segment)); });
    lock.lock();
  }
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
    Log(LogLevel::kWarning, "no more memory: %s", added.ToString().c_str());
    store_->GrowthFailed(added);
  }
  RetryAll();
  Check();
}

void Growth::RetryAll() {
  std::deque<Postponed> waiting;
  waiting.swap(postponed_);
  bytes_.clear();
  std::vector<std::shared_ptr<Session>> sessions;
  for (const Postponed& request : waiting) {
    if (request.session->paused()) sessions.push_back(request.session);
  }
  while (!waiting.empty() && retry_(waiting.front())) waiting.pop_front();
  // What is left goes before requests that were postponed meanwhile.
  postponed_.insert(postponed_.begin(), std::make_move_iterator(waiting.begin()),
                    std::make_move_iterator(waiting.end()));
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

void Growth::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (helper_.joinable()) helper_.join();
}

}  // namespace vineyard::daemon

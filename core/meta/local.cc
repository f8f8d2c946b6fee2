#include "core/meta/local.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/meta/effects.h"

namespace vineyard::meta {
namespace {

// Answers that are remembered for whoever asks again.
constexpr size_t kAnswers = 65536;

Status Stopped() { return {Code::kUnavailable, "metadata: this daemon is stopping"}; }

}  // namespace

LocalService::LocalService(Instance self, Post post)
    : self_(std::move(self)), post_(std::move(post)), applied_{1, 0}, forgotten_{1, 0} {
  CHECK(catalog_.Apply(InstanceChanged{self_}).ok());
  catalog_.on_event = [this](const Event& event) {
    if (on_event) on_event(event);
  };
}

LocalService::~LocalService() { Stop(); }

Health LocalService::health() const { return {0, false, "local: this host only"}; }

void LocalService::Commit(const Request& request, Change change, const Deadline& /*deadline*/,
                          Committed done) {
  Result<Outcome> outcome = stopped_ ? Stopped() : Apply(request, change);
  post_([done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
}

Result<Outcome> LocalService::Apply(const Request& request, const Change& change) {
  auto answered = answers_.find(request.id);
  if (request.id.number != 0 && answered != answers_.end()) return answered->second;
  if (request.repeated && request.seen < forgotten_) {
    return Status(Code::kUnknown,
                  "metadata: the request is older than what is remembered of the log");
  }
  RETURN_IF_ERROR(catalog_.Check(change));
  ASSIGN_OR_RETURN(Effects made, EffectsOf(change, catalog_, applied_.entries + 1));
  catalog_.SetRevision({applied_.generation, applied_.entries + 1});
  for (const Effect& effect : made.effects) RETURN_IF_ERROR(catalog_.Apply(effect));
  ++applied_.entries;
  made.outcome.revision = applied_;
  if (request.id.number != 0) Remember(request.id, made.outcome);
  auto reached = std::partition(waiting_.begin(), waiting_.end(),
                                [&](const Waiting& wait) { return wait.revision > applied_; });
  for (auto wait = reached; wait != waiting_.end(); ++wait) {
    post_([done = std::move(wait->done)] { done(OkStatus()); });
  }
  waiting_.erase(reached, waiting_.end());
  return made.outcome;
}

void LocalService::Remember(const RequestId& request, const Outcome& outcome) {
  answers_[request] = outcome;
  order_.push_back(request);
  if (order_.size() <= kAnswers) return;
  auto oldest = answers_.find(order_.front());
  forgotten_ = oldest->second.revision;
  answers_.erase(oldest);
  order_.pop_front();
}

void LocalService::Sync(const Deadline& /*deadline*/, Synced done) {
  post_([done = std::move(done), status = stopped_ ? Stopped() : OkStatus()] { done(status); });
}

void LocalService::WaitFor(Revision revision, const Deadline& deadline, Synced done) {
  if (!stopped_ && revision > applied_ && revision.generation == applied_.generation) {
    waiting_.push_back({revision, deadline, std::move(done)});
    return;
  }
  Status status;
  if (stopped_) {
    status = Stopped();
  } else if (revision > applied_) {
    status = NotFound(Format("revision %llu.%llu: it is of another log",
                             static_cast<unsigned long long>(revision.generation),
                             static_cast<unsigned long long>(revision.entries)));
  }
  post_([done = std::move(done), status = std::move(status)] { done(status); });
}

void LocalService::Tick(int64_t now_ns) {
  std::erase_if(waiting_, [&](Waiting& wait) {
    if (wait.deadline.at_ns() > now_ns) return false;
    post_([done = std::move(wait.done)] {
      done({Code::kTimeout, "metadata: the revision was not reached before the deadline"});
    });
    return true;
  });
}

void LocalService::Stop() {
  stopped_ = true;
  for (Waiting& wait : waiting_) {
    post_([done = std::move(wait.done)] { done(Stopped()); });
  }
  waiting_.clear();
}

}  // namespace vineyard::meta

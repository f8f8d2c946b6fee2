#include "daemon/events.h"

#include <algorithm>
#include <utility>

namespace vineyard::daemon {
namespace {

constexpr size_t kPast = 65'536;
constexpr size_t kWatchesOfSession = 64;

wire::EventKind KindOf(meta::Event::Kind kind) {
  using Kind = meta::Event::Kind;
  switch (kind) {
    case Kind::kCreated:
      return wire::EventKind::kCreated;
    case Kind::kDeleted:
      return wire::EventKind::kDeleted;
    case Kind::kNamed:
      return wire::EventKind::kNamed;
    case Kind::kDropped:
      return wire::EventKind::kDropped;
    case Kind::kJoined:
      return wire::EventKind::kJoined;
    case Kind::kLost:
      return wire::EventKind::kLost;
    case Kind::kForgotten:
      return wire::EventKind::kForgotten;
    case Kind::kLabelled:
      return wire::EventKind::kLabelled;
    case Kind::kReset:
      break;
  }
  return wire::EventKind::kCompacted;
}

wire::LogPosition PositionOf(meta::Revision revision) {
  return {revision.generation, revision.entries};
}

}  // namespace

void Events::Begin() {
  came_ = true;
  past_.clear();
  from_ = service_->applied();
}

void Events::Add(const meta::Event& event) {
  if (event.kind == meta::Event::Kind::kReset) return Begin();
  came_ = true;
  past_.push_back({event.revision, {KindOf(event.kind), event.id, event.instance, event.name}});
  if (past_.size() <= kPast) return;
  from_ = past_.front().revision;
  while (!past_.empty() && past_.front().revision == from_) past_.pop_front();
}

// What is to be told behind a place, if anything is.
std::optional<wire::WatchAnswer> Events::Behind(meta::Revision after, uint64_t limit) const {
  wire::WatchAnswer answer;
  meta::Revision now = service_->applied();
  if (after < from_) {
    answer.events.push_back({wire::EventKind::kCompacted, kInvalidId, 0, {}});
    answer.position = PositionOf(now);
    return answer;
  }
  auto at = std::upper_bound(
      past_.begin(), past_.end(), after,
      [](const meta::Revision& revision, const Past& past) { return revision < past.revision; });
  if (at == past_.end()) return std::nullopt;
  meta::Revision last;
  for (; at != past_.end(); ++at) {
    if (answer.events.size() >= limit && at->revision != last) break;
    last = at->revision;
    answer.events.push_back(at->event);
  }
  answer.position = PositionOf(at == past_.end() ? now : last);
  return answer;
}

void Events::Watch(const std::shared_ptr<Session>& session, const wire::FrameHeader& request,
                   const wire::Watch& watch) {
  size_t of_session = 0;
  for (const Waiting& waiting : waiting_) of_session += waiting.session == session ? 1 : 0;
  if (of_session >= kWatchesOfSession) {
    return session->Answer(
        request, wire::EncodeError(
                     Limit(Format("watch: this client watches %zu times already", of_session))));
  }
  Waiting waiting{
      session,
      request,
      {watch.after.generation, watch.after.entries},
      watch.limit,
      Deadline::After(static_cast<int64_t>(std::min<uint64_t>(watch.timeout_ms, INT64_MAX)))
          .at_ns()};
  if (waiting.after == meta::Revision{}) waiting.after = service_->applied();
  std::optional<wire::WatchAnswer> answer = Behind(waiting.after, waiting.limit);
  if (Status hearing = CheckHearing(); !answer && !hearing.ok()) {
    return session->Answer(request, wire::EncodeError(hearing));
  }
  if (!answer && watch.timeout_ms == 0) {
    answer.emplace();
    answer->position = PositionOf(service_->applied());
  }
  if (!answer) {
    waiting_.push_back(std::move(waiting));
    return;
  }
  std::string body;
  answer->Encode(&body);
  session->Answer(request, std::move(body));
}

void Events::Wake() {
  if (!std::exchange(came_, false)) return;
  std::list<Waiting> waiting;
  waiting.swap(waiting_);
  for (Waiting& one : waiting) {
    std::optional<wire::WatchAnswer> answer = Behind(one.after, one.limit);
    if (!answer) {
      waiting_.push_back(std::move(one));
      continue;
    }
    std::string body;
    answer->Encode(&body);
    one.session->Answer(one.request, std::move(body));
  }
}

Status Events::CheckHearing() const {
  meta::Health health = service_->health();
  if (health.stale_since_ms == 0) return OkStatus();
  return {Code::kUnavailable, "watch: the daemon hears of no changes: " + health.text};
}

void Events::Tick(int64_t now_ns) {
  Wake();
  if (Status hearing = CheckHearing(); !hearing.ok()) FailAll(hearing);
  std::list<Waiting> late;
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    auto next = std::next(one);
    if (one->until_ns <= now_ns) late.splice(late.end(), waiting_, one);
    one = next;
  }
  for (Waiting& one : late) {
    wire::WatchAnswer answer;
    // A place that this daemon does not reach is one of another log.
    if (one.after > service_->applied()) {
      answer.events.push_back({wire::EventKind::kCompacted, kInvalidId, 0, {}});
    }
    answer.position = PositionOf(service_->applied());
    std::string body;
    answer.Encode(&body);
    one.session->Answer(one.request, std::move(body));
  }
}

void Events::Drop(const Session& session) {
  waiting_.remove_if([&](const Waiting& one) { return one.session.get() == &session; });
}

void Events::FailAll(const Status& error) {
  std::list<Waiting> waiting;
  waiting.swap(waiting_);
  for (Waiting& one : waiting) one.session->Answer(one.request, wire::EncodeError(error));
}

}  // namespace vineyard::daemon

#include "daemon/waiters.h"

#include <algorithm>
#include <chrono>

#include "core/wire/messages.h"

namespace vineyard::daemon {
namespace {

constexpr size_t kMaxOfSession = 4096;

std::string KeyOf(ObjectId id) { return PrintId(id); }
std::string KeyOf(std::string_view name) { return "n" + std::string(name); }

}  // namespace

Status Waiters::Add(Wait wait) {
  size_t& of_session = by_session_[wait.session.get()];
  if (of_session >= kMaxOfSession) {
    return Limit(Format("wait: this client waits %zu times already", of_session));
  }
  ++of_session;
  std::string key = wait.name.empty() ? KeyOf(wait.id) : KeyOf(wait.name);
  auto entry = waits_.insert(waits_.end(), {std::move(wait), {}, {}});
  entry->by_key = by_key_.emplace(std::move(key), entry);
  entry->by_deadline = by_deadline_.emplace(entry->wait.deadline_ns, entry);
  Arm();
  return OkStatus();
}

void Waiters::Sealed(ObjectId id) {
  if (!waits_.empty()) Note(KeyOf(id));
}

void Waiters::Named(std::string_view name) {
  if (!waits_.empty()) Note(KeyOf(name));
}

void Waiters::Note(std::string key) {
  if (by_key_.find(key) != by_key_.end()) came_.push_back(std::move(key));
}

void Waiters::NoteAll() {
  for (auto key = by_key_.begin(); key != by_key_.end(); key = by_key_.upper_bound(key->first)) {
    came_.push_back(key->first);
  }
}

void Waiters::Wake() {
  while (!came_.empty()) {
    std::vector<std::string> came;
    came.swap(came_);
    for (const std::string& key : came) {
      // All are taken out first: answering may close a session, and that drops waits.
      std::vector<Wait> waits;
      for (auto at = by_key_.find(key); at != by_key_.end(); at = by_key_.find(key)) {
        waits.push_back(at->second->wait);
        Erase(at->second);
      }
      for (Wait& wait : waits) {
        if (wait.session->closed() || try_answer_(wait)) continue;
        Status again = Add(wait);  // gone already: it waits on
        if (!again.ok()) wait.session->Answer(wait.request, wire::EncodeError(again));
      }
    }
  }
}

Waiters::Entries::iterator Waiters::Erase(Entries::iterator entry) {
  by_key_.erase(entry->by_key);
  by_deadline_.erase(entry->by_deadline);
  auto of_session = by_session_.find(entry->wait.session.get());
  if (--of_session->second == 0) by_session_.erase(of_session);
  return waits_.erase(entry);
}

void Waiters::Drop(const Session& session) {
  if (by_session_.count(&session) == 0) return;
  for (auto entry = waits_.begin(); entry != waits_.end();) {
    entry = entry->wait.session.get() == &session ? Erase(entry) : std::next(entry);
  }
  Arm();
}

void Waiters::FailAll(const Status& error) {
  while (!waits_.empty()) {
    Wait wait = waits_.front().wait;
    Erase(waits_.begin());
    wait.session->Answer(wait.request, wire::EncodeError(error));
  }
  Arm();
}

void Waiters::Expire() {
  int64_t now_ns = MonotonicNs();
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now_ns) {
    Entries::iterator entry = by_deadline_.begin()->second;
    Wait wait = entry->wait;
    Erase(entry);
    std::string what =
        wait.name.empty() ? "object " + PrintId(wait.id) : "name '" + wait.name + "'";
    Status late(Code::kTimeout, Format("wait for %s: not there within %llu ms", what.c_str(),
                                       static_cast<unsigned long long>(wait.timeout_ms)));
    wait.session->Answer(wait.request, wire::EncodeError(late));
  }
  Arm();
}

void Waiters::Arm() {
  int64_t earliest = by_deadline_.empty() ? 0 : by_deadline_.begin()->first;
  if (earliest == armed_ns_) return;
  armed_ns_ = earliest;
  if (earliest == 0 || earliest == INT64_MAX) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(asio::steady_timer::time_point(std::chrono::nanoseconds(earliest)));
  timer_.async_wait([this](const ErrorCode& error) {
    if (error) return;
    armed_ns_ = 0;
    Expire();
  });
}

}  // namespace vineyard::daemon

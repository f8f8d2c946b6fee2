#include "daemon/liveness.h"

#include <algorithm>
#include <chrono>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace vineyard::daemon {
namespace {
// A dying process closes its socket a moment before its pin table.
constexpr int64_t kFirstPauseNs = 1'000'000;
constexpr int64_t kLongestPauseNs = 1'000'000'000;
}  // namespace

void Liveness::Watch(uint64_t session) {
  if (stopped_) return;
  watched_[session] = {MonotonicNs(), kFirstPauseNs};
  ProbeDue();
}

void Liveness::ProbeDue() {
  int64_t now_ns = MonotonicNs();
  for (auto at = watched_.begin(); at != watched_.end();) {
    Probe& probe = at->second;
    if (probe.next_ns > now_ns) {
      ++at;
    } else if (store_->SessionAlive(at->first)) {
      probe.next_ns = now_ns + probe.pause_ns;
      probe.pause_ns = std::min(2 * probe.pause_ns, kLongestPauseNs);
      ++at;
    } else {
      Log(LogLevel::kDebug, "session %016llx ended", static_cast<unsigned long long>(at->first));
      store_->EndSession(at->first);
      at = watched_.erase(at);
    }
  }
  Arm();
}

void Liveness::Arm() {
  if (watched_.empty() || stopped_) {
    timer_.cancel();
    return;
  }
  auto earliest = std::min_element(
      watched_.begin(), watched_.end(),
      [](const auto& a, const auto& b) { return a.second.next_ns < b.second.next_ns; });
  timer_.expires_at(
      asio::steady_timer::time_point(std::chrono::nanoseconds(earliest->second.next_ns)));
  timer_.async_wait([this](const ErrorCode& error) {
    if (!error) ProbeDue();
  });
}

void Liveness::Stop() {
  stopped_ = true;
  watched_.clear();
  timer_.cancel();
}

}  // namespace vineyard::daemon

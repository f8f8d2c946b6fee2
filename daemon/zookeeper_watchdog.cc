#include "daemon/zookeeper_watchdog.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "core/base/log.h"

namespace vineyard::daemon {
namespace {

constexpr int64_t kMsNs = 1'000'000;
constexpr int64_t kAwayNs = 1000 * kMsNs;
constexpr int64_t kFirstPauseNs = 1000 * kMsNs, kLongestPauseNs = 30'000 * kMsNs;
constexpr int64_t kReviveMs = 30'000;

}  // namespace

ZookeeperWatchdog::ZookeeperWatchdog(const MetaOptions& options)
    : options_(options), zookeeper_(options, [this](int64_t pause_ms) {
        std::unique_lock lock(mutex_);
        return !wake_.wait_for(lock, std::chrono::milliseconds(pause_ms),
                               [this] { return stopping_; });
      }) {}

void ZookeeperWatchdog::Tick(int64_t now_ns, bool is_reachable) {
  if (!options_.shares_server || stopped_) return;
  if (is_reachable) {
    away_since_ns_ = 0;
    return;
  }
  if (away_since_ns_ == 0) {
    away_since_ns_ = now_ns;
    next_look_ns_ = now_ns + kAwayNs;
    pause_ns_ = kFirstPauseNs;
  }
  // Acquire: what the thread did with zookeeper_ is done.
  if (now_ns < next_look_ns_ || busy_.load(std::memory_order_acquire)) return;
  next_look_ns_ = now_ns + pause_ns_;
  pause_ns_ = std::min(2 * pause_ns_, kLongestPauseNs);
  if (thread_.joinable()) thread_.join();
  busy_.store(true, std::memory_order_relaxed);  // the thread begins after it
  try {
    thread_ = std::thread([this] {
      Look();
      busy_.store(false, std::memory_order_release);
    });
  } catch (const std::system_error& error) {  // no more threads: later
    busy_.store(false, std::memory_order_relaxed);
    Log(LogLevel::kWarning, "metadata: look after the ZooKeeper: %s", error.what());
  }
}

void ZookeeperWatchdog::Look() {
  Result<bool> revived = zookeeper_.Revive(options_.auth, kReviveMs);
  if (!revived.ok() && revived.status().code() != Code::kInterrupted) {
    Log(LogLevel::kError, "metadata: %s", revived.status().ToString().c_str());
  }
}

void ZookeeperWatchdog::Stop() {
  stopped_ = true;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace vineyard::daemon

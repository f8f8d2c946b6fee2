// Metadata services in one process, and the loop that they call back on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "core/base/clock.h"
#include "core/meta/service.h"

namespace vineyard::meta {

class Loop {
 public:
  Post post() {
    return [this](std::function<void()> what) {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(what));
      changed_.notify_one();
    };
  }
  // Runs what is posted until the condition holds; false after `seconds`. `tick` runs every 10 ms.
  template <typename Condition>
  bool RunUntil(Condition holds, const std::function<void()>& tick = {}, int seconds = 20) {
    int64_t end = MonotonicNs() + seconds * int64_t{1'000'000'000};
    while (!holds()) {
      if (MonotonicNs() > end) return false;
      if (tick) tick();
      RunSome();
    }
    return true;
  }

 private:
  void RunSome() {
    std::deque<std::function<void()>> ready;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(10), [this] { return !queue_.empty(); });
      ready.swap(queue_);
    }
    for (auto& what : ready) what();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
};

// A cluster of one kind; ends with it. Instance numbers are the test's.
class Cluster {
 public:
  virtual ~Cluster() = default;
  virtual std::unique_ptr<Service> Join(uint64_t instance, Loop* loop) = 0;
};
using MakeCluster = std::unique_ptr<Cluster> (*)();

}  // namespace vineyard::meta

// The thread of a test as a loop: runs what other threads post to it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "tests/support/process.h"

namespace vineyard::testing {

class Loop {
 public:
  // Called every few milliseconds while the loop runs.
  std::function<void()> tick;

  void Post(std::function<void()> what) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(what));
    changed_.notify_one();
  }
  // Fails the test after kPatience.
  template <typename Condition>
  void RunUntil(Condition condition) {
    auto until = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) {
        ADD_FAILURE() << "it did not happen";
        return;
      }
      RunSome();
    }
  }
  // Whatever has been posted.
  void RunPosted() {
    while (RunOne(std::chrono::milliseconds(0))) {
    }
  }

 private:
  void RunSome() {
    RunOne(std::chrono::milliseconds(5));
    if (tick) tick();
  }
  bool RunOne(std::chrono::milliseconds wait) {
    std::function<void()> what;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, wait, [this] { return !queue_.empty(); })) return false;
      what = std::move(queue_.front());
      queue_.pop_front();
    }
    what();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
};

}  // namespace vineyard::testing

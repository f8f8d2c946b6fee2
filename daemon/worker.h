// One thread that does one task after the other. It is started with the first.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace vineyard::daemon {

class Worker {
 public:
  // `name`: of the thread, for people; at most 15 characters.
  explicit Worker(std::string name) : name_(std::move(name)) {}
  ~Worker() { Stop(); }

  void Do(std::function<void()> task);
  // Waits for the end of the task under way; those that wait are dropped, and so is what comes later.
  void Stop();

 private:
  void Run();

  const std::string name_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
};

}  // namespace vineyard::daemon

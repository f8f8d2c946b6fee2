// A service manager that keeps descriptors for its service, as systemd's descriptor store does, and starts the
// service again with them: messages are taken in the order in which they come, descriptors of one open file are
// kept once, and there is a most.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "tests/support/process.h"

namespace vineyard::testing {

class ServiceManager {
 public:
  // Listens at this path.
  explicit ServiceManager(const std::string& path, size_t most = 4096);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // What vineyardd is started with: the descriptors that are kept now.
  Vineyardd::Bare Start(const std::vector<std::string>& arguments);

  // Returns once all that has been sent until now is taken.
  void Settle();
  // Takes nothing until it is told to.
  void Hang();
  void GoOn();

  // Of all that is kept.
  std::multiset<std::string> names();
  // Of those that begin so.
  std::vector<std::string> NamesOf(const std::string& prefix);
  // Lets go of a descriptor, as by a defect.
  void Lose(const std::string& name);
  size_t refused();  // since there were too many already
  // Files (inodes) behind what is kept, but for those whose names begin so.
  std::set<uint64_t> FilesBut(const std::string& prefix);

 private:
  void Serve();
  void Take();
  void Keep(const std::string& name, Fd fd);

  const std::string path_;
  const size_t most_;
  Fd socket_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, Fd>> kept_;
  size_t refused_ = 0;
  uint64_t asked_ = 0, settled_ = 0;
  bool hangs_ = false, stopping_ = false;
};

}  // namespace vineyard::testing

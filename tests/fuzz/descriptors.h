// A store leaves its memory's descriptors open, for the daemon that comes next. Here none comes.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "core/base/check.h"

namespace vineyard {

// Closes, at its end, whatever was not open at its beginning.
class Descriptors {
 public:
  Descriptors() : before_(Open()) {}
  ~Descriptors() {
    for (int fd : Open()) {
      if (before_.count(fd) == 0) close(fd);
    }
  }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

 private:
  static std::set<int> Open() {
    std::set<int> open;
    DIR* folder = opendir("/proc/self/fd");
    CHECK(folder != nullptr);
    while (const dirent* entry = readdir(folder)) {
      int fd = std::atoi(entry->d_name);  // "." and ".." give 0
      if (fd > 2 && fd != dirfd(folder)) open.insert(fd);
    }
    closedir(folder);
    return open;
  }

  const std::set<int> before_;
};

}  // namespace vineyard

// Bytes that are damaged in the memory of a running daemon, and what vineyardd --fsck says of it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "tests/support/process.h"

namespace vineyard::testing {

struct Fscked {
  int status;
  std::string text;
};

inline Fscked Fsck(const std::string& socket, Vineyardd::Bare bare = {}) {
  bare.arguments = {"--fsck", socket};
  Vineyardd fsck(bare);
  int status = fsck.WaitForEnd();
  return {status, fsck.log()};
}

// The segment that this process has mapped at `data`: where in the file that is, and which file.
struct Place {
  uint64_t inode = 0, offset = 0;
};
inline Place PlaceOf(const void* data) {
  auto address = reinterpret_cast<uintptr_t>(data);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long long begin = 0, end = 0, offset = 0, inode = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx %*s %llx %*s %llu", &begin, &end, &offset, &inode) <
        4) {
      continue;
    }
    if (begin <= address && address < end) return {inode, address - begin + offset};
  }
  return {};
}

// Flips bits of what lies there, through the daemon's own descriptor, as no client could of another user's memory.
inline void FlipBit(pid_t daemon, const Place& place, char bits = 1) {
  ASSERT_NE(place.inode, 0u);
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(daemon) + "/fd")) {
    struct stat about {};
    if (stat(entry.path().c_str(), &about) != 0 || about.st_ino != place.inode) continue;
    Fd fd(open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(fd.valid());
    auto at = static_cast<off_t>(place.offset);
    char byte = 0;
    ASSERT_EQ(pread(fd.get(), &byte, 1, at), 1);
    byte = static_cast<char>(byte ^ bits);
    ASSERT_EQ(pwrite(fd.get(), &byte, 1, at), 1);
    return;
  }
  FAIL() << "the daemon has no such file";
}
inline void FlipBit(pid_t daemon, const void* data, char bits = 1) {
  FlipBit(daemon, PlaceOf(data), bits);
}

}  // namespace vineyard::testing

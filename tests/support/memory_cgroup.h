// A memory cgroup of a test's own, below that of the test's process, where this machine lets it make one.
#pragma once

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

namespace vineyard::testing {

class MemoryCgroup {
 public:
  // Null: it can not be made; `why` says the reason.
  static std::unique_ptr<MemoryCgroup> Make(uint64_t limit_bytes, std::string* why) {
    Place place;
    if (!Find(&place, why)) return nullptr;
    std::string folder = place.folder + "/vineyard-test-" + std::to_string(getpid());
    if (mkdir(folder.c_str(), 0755) != 0) {
      *why = "mkdir " + folder + ": " + std::strerror(errno);
      return nullptr;
    }
    std::unique_ptr<MemoryCgroup> made(new MemoryCgroup(folder, place.is_newer));
    std::string limit = folder + (place.is_newer ? "/memory.max" : "/memory.limit_in_bytes");
    if (!Write(limit, std::to_string(limit_bytes))) {
      *why = limit + " can not be written";
      return nullptr;
    }
    // What is swapped is not charged.
    Write(folder + "/memory.swap.max", "0");
    return made;
  }
  // All that was in it has ended.
  ~MemoryCgroup() {
    for (int i = 0; i < 1000 && rmdir(folder_.c_str()) != 0 && errno == EBUSY; ++i) {
      poll(nullptr, 0, 10);
    }
  }
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;

  // This process, and its children from now on.
  bool Enter() const { return Write(folder_ + "/cgroup.procs", "0"); }
  // Processes in it that the kernel has killed for their memory.
  uint64_t Kills() const {
    std::ifstream file(folder_ + (is_newer_ ? "/memory.events" : "/memory.oom_control"));
    std::string name;
    uint64_t number = 0;
    while (file >> name >> number) {
      if (name == "oom_kill") return number;
    }
    return UINT64_MAX;
  }
  const std::string& folder() const { return folder_; }

 private:
  struct Place {
    std::string folder;
    bool is_newer = false;
  };
  MemoryCgroup(std::string folder, bool is_newer)
      : folder_(std::move(folder)), is_newer_(is_newer) {}

  static bool Write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
  }
  static bool Has(const std::string& list, const std::string& word) {
    std::istringstream words(list);
    std::string each;
    while (std::getline(words, each, ',')) {
      if (each == word) return true;
    }
    return false;
  }
  // The cgroup of this process in the tree of memory.
  static bool Find(Place* place, std::string* why) {
    *why = "this process is in no memory cgroup";
    std::ifstream own("/proc/self/cgroup");
    std::string line;
    while (std::getline(own, line)) {
      size_t first = line.find(':'), second = line.find(':', first + 1);
      if (second == std::string::npos) continue;
      std::string controllers = line.substr(first + 1, second - first - 1);
      std::string path = line.substr(second + 1);
      if (path == "/") path.clear();
      if (Has(controllers, "memory")) {
        *place = {"/sys/fs/cgroup/memory" + path, false};
        return true;
      }
      if (!controllers.empty()) continue;
      // Children have what their parent hands down, which it may not while processes are in it.
      std::string folder = "/sys/fs/cgroup" + path, handed;
      std::ifstream file(folder + "/cgroup.subtree_control");
      while (file >> handed) {
        if (handed != "memory") continue;
        *place = {folder, true};
        return true;
      }
      *why = folder + "/cgroup.subtree_control does not hand the memory controller down";
    }
    return false;
  }

  const std::string folder_;
  const bool is_newer_;
};

}  // namespace vineyard::testing

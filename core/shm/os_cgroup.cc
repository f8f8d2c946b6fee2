// The tightest memory limit from this process's cgroup up to the root, of either version of cgroups.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <vector>

#include "core/shm/os.h"

namespace vineyard::shm {
namespace {

// A tree of cgroups with limits of memory, and where this process is in it.
struct Place {
  std::string folder;  // where the tree, or a part of it, is mounted
  std::string path;    // from there; empty: the folder itself
  const char* limit;   // the name of the file
};

struct Mount {
  std::string point;
  std::string top;  // the cgroup that is mounted there
  bool is_newer = false;
};

std::vector<std::string> LinesOf(const std::string& path) {
  std::vector<std::string> lines;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return lines;
  char text[4096];
  while (std::fgets(text, sizeof text, file) != nullptr) {
    lines.emplace_back(text);
    while (!lines.back().empty() && lines.back().back() == '\n') lines.back().pop_back();
  }
  std::fclose(file);
  return lines;
}

bool HasMemory(const std::string& controllers) {
  return ("," + controllers + ",").find(",memory,") != std::string::npos;
}

// id parent device top point options [more] - type source options
std::vector<Mount> Mounts(const std::string& root) {
  std::vector<Mount> mounts;
  for (const std::string& line : LinesOf(root + "/proc/self/mountinfo")) {
    size_t dash = line.find(" - cgroup");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), behind(line.substr(dash + 3));
    std::string word, type, source, options;
    Mount mount;
    before >> word >> word >> word >> mount.top >> mount.point;
    behind >> type >> source >> options;
    mount.is_newer = type == "cgroup2";
    if (mount.top == "/") mount.top.clear();
    if (mount.is_newer || HasMemory(options)) mounts.push_back(std::move(mount));
  }
  return mounts;
}

// A line of /proc/self/cgroup is hierarchy:controllers:path; version 2 has no controllers there. In a
// container the path may be the host's, of which only the end is mounted.
std::vector<Place> Places(const std::string& root) {
  std::vector<Place> places;
  std::vector<Mount> mounts = Mounts(root);
  for (const std::string& line : LinesOf(root + "/proc/self/cgroup")) {
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    bool is_newer = controllers.empty();
    if (!is_newer && !HasMemory(controllers)) continue;
    Place place{root + (is_newer ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"),
                line.substr(second + 1), is_newer ? "/memory.max" : "/memory.limit_in_bytes"};
    for (const Mount& mount : mounts) {
      bool is_above = (place.path + "/").rfind(mount.top + "/", 0) == 0;
      if (mount.is_newer != is_newer || !is_above) continue;
      place.folder = root + mount.point;
      place.path.erase(0, mount.top.size());
      break;
    }
    places.push_back(std::move(place));
  }
  return places;
}

// False: there is no number in it ("max"), or no file.
bool ReadNumber(const std::string& path, uint64_t* out) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  unsigned long long number = 0;
  bool found = std::fscanf(file, "%llu", &number) == 1;
  std::fclose(file);
  *out = number;
  return found;
}

}  // namespace

MemoryBound FindMemoryBound(const std::string& root) {
  MemoryBound bound;
  bound.bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t number = 0;
  for (Place& place : Places(root)) {
    while (true) {
      std::string file = place.folder + place.path + place.limit;
      if (ReadNumber(file, &number) && number < bound.bytes) bound = {number, file};
      size_t slash = place.path.rfind('/');
      if (slash == std::string::npos) break;
      place.path.resize(slash);
    }
  }
  return bound;
}

}  // namespace vineyard::shm

// What memory cgroups allow this process: limits, and what is left of them, from its own up to the root, of either
// version of cgroups.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/shm/os.h"

namespace vineyard::shm {
namespace {

// A tree of cgroups with limits of memory, and where this process is in it.
struct Place {
  std::string folder;  // where the tree, or a part of it, is mounted
  std::string path;    // from there; empty: the folder itself
  bool is_newer = false;
};

// Names of files, and of numbers in memory.stat.
struct Names {
  const char *limit, *usage, *inactive, *active;
};
constexpr Names kOlder = {"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file",
                          "total_active_file"};
constexpr Names kNewer = {"/memory.max", "/memory.current", "inactive_file", "active_file"};

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
                line.substr(second + 1), is_newer};
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

// A number of a file of lines like "inactive_file 4096".
uint64_t ReadStat(const std::string& path, const std::string& name) {
  for (const std::string& line : LinesOf(path)) {
    if (line.size() <= name.size() || line[name.size()] != ' ' || line.rfind(name, 0) != 0)
      continue;
    return std::strtoull(line.c_str() + name.size(), nullptr, 10);
  }
  return 0;
}

uint64_t MachineBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// A cgroup that has a limit, less than the machine has.
struct Level {
  std::string folder;
  const Names* names;
  uint64_t limit;
};

std::vector<Level> FindLimits(const std::string& root) {
  std::vector<Level> levels;
  uint64_t machine = MachineBytes(), limit = 0;
  for (Place& place : Places(root)) {
    const Names& names = place.is_newer ? kNewer : kOlder;
    while (true) {
      std::string folder = place.folder + place.path;
      if (ReadNumber(folder + names.limit, &limit) && limit < machine) {
        levels.push_back({folder, &names, limit});
      }
      size_t slash = place.path.rfind('/');
      if (slash == std::string::npos) break;
      place.path.resize(slash);
    }
  }
  return levels;
}

// Of the files' pages that are charged the kernel gives back those that nobody has used for a while, and of the others
// some: it may have to read a program's again.
MemoryRoom RoomIn(const std::vector<Level>& levels) {
  MemoryRoom room;
  for (const Level& level : levels) {
    const Names& names = *level.names;
    uint64_t limit = 0, used = 0;
    if (!ReadNumber(level.folder + names.limit, &limit)) continue;  // it was taken away
    if (!ReadNumber(level.folder + names.usage, &used)) continue;
    std::string stat = level.folder + "/memory.stat";
    uint64_t files = ReadStat(stat, names.inactive) + ReadStat(stat, names.active) / 2;
    used -= std::min(used, files);
    uint64_t left = limit > used ? limit - used : 0;
    if (left >= room.bytes) continue;
    room = {left, std::clamp(limit / 16, 8 * kMiB, 256 * kMiB), level.folder + names.limit};
  }
  return room;
}

}  // namespace

MemoryBound FindMemoryBound(const std::string& root) {
  MemoryBound bound{MachineBytes(), ""};
  for (const Level& level : FindLimits(root)) {
    if (level.limit < bound.bytes) bound = {level.limit, level.folder + level.names->limit};
  }
  return bound;
}

MemoryRoom FindMemoryRoom(const std::string& root) { return RoomIn(FindLimits(root)); }

MemoryRoom LookForRoom() {
  // Most have no limit, and shall not read a dozen files for each allocation.
  constexpr int64_t kLookNs = 10'000'000'000;
  static std::mutex mutex;
  static std::vector<Level> limits;
  static int64_t looked_ns = 0;
  std::lock_guard lock(mutex);
  int64_t now_ns = MonotonicNs();
  if (looked_ns == 0 || now_ns - looked_ns >= kLookNs) {
    limits = FindLimits("");
    looked_ns = now_ns;
  }
  return RoomIn(limits);
}

}  // namespace vineyard::shm

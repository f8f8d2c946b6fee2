#include "daemon/doctor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>

#include "core/base/bytes.h"
#include "core/shm/os.h"
#include "daemon/doctor_metadata.h"
#include "daemon/endpoint.h"
#include "daemon/host.h"
#include "daemon/size.h"

namespace vineyard::daemon {
namespace {

using Weight = Finding::Weight;

// Beside the objects: index, directory and pin tables of a store with some million objects, and the daemon.
constexpr uint64_t kOwnNeed = 256 * kMiB;
constexpr rlim_t kGoodDescriptors = 1024;
constexpr uint64_t kHugePage = 2 * kMiB;

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "MemAvailable": bytes.
std::map<std::string, uint64_t> MemoryInfo(const std::string& root) {
  std::map<std::string, uint64_t> info;
  std::ifstream file(root + "/proc/meminfo");
  std::string name, unit;
  uint64_t kib = 0;
  while (file >> name >> kib && std::getline(file, unit)) {
    name.pop_back();  // a colon
    info[name] = kib * kKiB;
  }
  return info;
}

// ---- kernel --------------------------------------------------------------------------------------

Status TryMemory() {
  ASSIGN_OR_RETURN(Fd memory, shm::CreateMemory("vineyard.doctor", kHugePage));
  RETURN_IF_ERROR(shm::AllocateRange(memory, 0, kHugePage));
  RETURN_IF_ERROR(shm::AddSeals(memory, shm::Seals::kClientWritten));
  return shm::Reopen(memory, /*writable=*/false).status();  // by /proc
}

Finding Kernel() {
  utsname name{};
  uname(&name);
  Finding found{Weight::kFine, "kernel", std::string(name.sysname) + " " + name.release};
  Status memory = TryMemory();
  Fd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  int error_number = errno;
  if (!memory.ok()) {
    found.weight = Weight::kProblem;
    found.text += ": shared memory can not be made: " + memory.text() +
                  "; memfd_create, its seals and a mounted /proc are needed";
  } else if (!self.valid()) {
    found.weight = Weight::kProblem;
    found.text += ": " + ErrnoStatus("pidfd_open", error_number).text() +
                  "; Linux 5.3 or later is needed, and a sandbox that allows it";
  }
  return found;
}

Finding HugePages(const std::string& root) {
  Finding found{Weight::kHint, "huge pages", ""};
  std::string setting = ReadLine(root + "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
  uint64_t given = 0, size = 4 * kHugePage;
  Result<Fd> memory = shm::CreateMemory("vineyard.doctor", size);
  if (memory.ok()) {
    Result<shm::Mapping> mapping = shm::Mapping::Map(*memory, size, /*writable=*/true);
    if (mapping.ok()) {
      shm::AdviseHugePages(mapping->data(), size);
      if (shm::Populate(mapping->data(), size).ok()) {
        given = shm::HugePageBytes(mapping->data(), size);
      }
    }
  }
  if (given > 0) return {Weight::kFine, found.what, "the kernel gives them (" + setting + ")"};
  found.text =
      "the kernel gives none: first writes take longer; as root: echo advise > "
      "/sys/kernel/mm/transparent_hugepage/shmem_enabled (it is: " +
      (setting.empty() ? "not there" : setting) + ")";
  return found;
}

// ---- memory --------------------------------------------------------------------------------------

Finding Memory(const Options& options, const std::string& root) {
  Finding found{Weight::kFine, "memory", ""};
  shm::MemoryBound bound = shm::FindMemoryBound(root);
  uint64_t size = options.size_bytes, need = size + kOwnNeed;
  bool has_server = options.meta.kind == MetaKind::kAuto;
  if (has_server) need += options.meta.heap_bytes;
  std::string whose = bound.file.empty()
                          ? "this machine has " + PrintSize(bound.bytes)
                          : "the cgroup allows " + PrintSize(bound.bytes) + " (" + bound.file + ")";
  found.text = whose + ", --size is " + PrintSize(size);
  if (size > bound.bytes) {
    found.weight = Weight::kProblem;
    found.text += ": no daemon starts so; choose less, or raise the limit";
  } else if (need > bound.bytes) {
    // Whoever touches the last page first is killed, and it need not be the daemon.
    found.weight = Weight::kProblem;
    found.text +=
        ": a full store would leave " + PrintSize(bound.bytes - size) +
        " for everything else in there" +
        (has_server ? ", with a ZooKeeper of " + PrintSize(options.meta.heap_bytes) : "") +
        ", and the kernel would kill somebody; choose at most " +
        PrintSize(bound.bytes - std::min(bound.bytes, need - size));
  }
  return found;
}

Finding FreeMemory(const Options& options, const std::string& root) {
  uint64_t available = MemoryInfo(root)["MemAvailable"];
  Finding found{Weight::kFine, "free memory", PrintSize(available) + " are free now"};
  if (available == 0) found.text = "the kernel does not say";
  if (available > 0 && available < options.size_bytes) {
    found.weight = Weight::kHint;
    found.text +=
        ", less than --size: others have the rest; when they keep it, puts fail before the "
        "store is full";
  }
  return found;
}

Finding Overcommit(const Options& options, const std::string& root) {
  Finding found{Weight::kFine, "overcommit", ""};
  std::string mode = ReadLine(root + "/proc/sys/vm/overcommit_memory");
  found.text = "vm.overcommit_memory is " + (mode.empty() ? "not there" : mode);
  if (mode != "2") return found;
  std::map<std::string, uint64_t> info = MemoryInfo(root);
  uint64_t limit = info["CommitLimit"], used = std::min(info["Committed_AS"], limit);
  found.text += ": " + PrintSize(limit - used) + " can still be promised";
  if (limit - used < options.size_bytes) {
    found.weight = Weight::kProblem;
    found.text +=
        ", less than --size: puts would fail before the store is full; raise vm.overcommit_ratio "
        "or "
        "set vm.overcommit_memory=0";
  }
  return found;
}

// ---- limits and socket ---------------------------------------------------------------------------

Finding Descriptors() {
  Status prepared = PrepareHost();  // raises the soft limit
  if (!prepared.ok()) return {Weight::kProblem, "user and descriptors", prepared.text()};
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  Finding found{Weight::kFine, "descriptors",
                Format("at most %llu: room for about %llu clients",
                       static_cast<unsigned long long>(limit.rlim_max),
                       static_cast<unsigned long long>((limit.rlim_max - 40) / 2))};
  if (limit.rlim_max < kGoodDescriptors) {
    found.weight = Weight::kHint;
    found.text +=
        "; raise it with LimitNOFILE= of the unit, --ulimit nofile= of the container, or "
        "ulimit -Hn";
  }
  return found;
}

Finding Socket(const Options& options) {
  Finding found{Weight::kFine, "socket", options.socket};
  Status checked = CheckEndpoint(options.socket);
  if (checked.ok()) return found;
  bool in_use = checked.code() == Code::kInUse;
  found.weight = in_use ? Weight::kHint : Weight::kProblem;
  found.text = checked.text();
  return found;
}

Finding SpillPath(const Options& options) {
  Finding found{Weight::kProblem, "spill path", options.spill_path};
  struct statfs disk {};
  if (statfs(options.spill_path.c_str(), &disk) != 0) {
    found.text +=
        ": " + std::string(std::strerror(errno)) + "; make the folder, or name another one";
  } else if (access(options.spill_path.c_str(), R_OK | W_OK | X_OK) != 0) {
    found.text += ": " + std::string(std::strerror(errno)) +
                  "; the daemon's user must be able to write there";
  } else if (disk.f_type == TMPFS_MAGIC || disk.f_type == RAMFS_MAGIC) {
    found.text += ": it is memory, and what is spilled there frees none; name a folder on a disk";
  } else {
    uint64_t free_bytes = disk.f_bavail * static_cast<uint64_t>(disk.f_bsize);
    found.weight = free_bytes < options.size_bytes ? Weight::kHint : Weight::kFine;
    found.text += ": " + PrintSize(RoundDown(free_bytes, kMiB)) + " are free";
    if (found.weight == Weight::kHint)
      found.text += ", less than --size: when it is full, puts fail";
  }
  return found;
}

}  // namespace

std::vector<Finding> Examine(const Options& options, const std::string& root) {
  std::vector<Finding> findings = {
      Kernel(),        Memory(options, root), FreeMemory(options, root), Overcommit(options, root),
      HugePages(root), Descriptors(),         Socket(options),
  };
  if (options.eviction == store::Eviction::kSpill) findings.push_back(SpillPath(options));
  for (Finding& found : ExamineMetadata(options.meta)) findings.push_back(std::move(found));
  return findings;
}

int Doctor(const Options& options, std::FILE* out) {
  constexpr const char* kNames[] = {"fine", "hint", "problem"};
  bool is_fine = true;
  for (const Finding& found : Examine(options)) {
    is_fine = is_fine && found.weight != Weight::kProblem;
    std::fprintf(out, "%-8s %-12s %s\n", kNames[static_cast<size_t>(found.weight)],
                 found.what.c_str(), found.text.c_str());
  }
  for (const std::string& warning : options.warnings) {
    std::fprintf(out, "%-8s %-12s %s\n", kNames[1], "options", warning.c_str());
  }
  return is_fine && std::fflush(out) == 0 ? 0 : 1;
}

}  // namespace vineyard::daemon

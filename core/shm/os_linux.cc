#include <fcntl.h>
#include <malloc.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/base/bytes.h"
#include "core/shm/os.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace vineyard::shm {
namespace {

constexpr uint64_t kHuge = 2 * kMiB, kSmall = 4 * kKiB;  // pages
constexpr uint64_t kLooks = 64 * kKiB;                   // a piece of a pin table
// What is left of a cgroup's reserve: by payloads all; by what each object takes of the heap a half, of which a
// successor needs some; by tables a quarter.
constexpr uint64_t kAll = 1, kHalf = 2, kQuarter = 4;
// And of what the process's own limits allow: for requests that are being read.
constexpr uint64_t kProcessReserve = 4 * kMiB;

Status MapError(uint64_t size) {
  return ErrnoStatus(Format("map %llu bytes", static_cast<unsigned long long>(size)), errno);
}

Status CheckShortage() {
  if (shortage_hook == nullptr || !shortage_hook()) [[likely]]
    return OkStatus();
  return {Code::kHostMemory, "the host has none left (a test says so)"};
}

// Held while so many bytes are allocated, so that two threads are not given the same room.
class Room {
 public:
  explicit Room(uint64_t bytes) : bytes_(bytes) {
    allocating.fetch_add(bytes_, std::memory_order_relaxed);  // a sum, nothing is ordered by it
  }
  ~Room() { allocating.fetch_sub(bytes_, std::memory_order_relaxed); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  // kHostMemory: a cgroup has none, with such a part of its reserve left.
  Status Check(uint64_t kept_part) const {
    RETURN_IF_ERROR(CheckShortage());
    return bytes_ < kLooks ? OkStatus() : CheckLeft(kept_part);
  }
  Status CheckLeft(uint64_t kept_part) const {
    MemoryRoom room = LookForRoom();
    if (room.file.empty()) return OkStatus();
    uint64_t kept = room.reserve / kept_part;
    uint64_t left = room.bytes > kept ? room.bytes - kept : 0;
    if (allocating.load(std::memory_order_relaxed) <= left) return OkStatus();
    using ull = unsigned long long;
    return {Code::kHostMemory,
            Format("the memory cgroup has room for %llu KiB more, and %llu KiB are asked for: "
                   "raise %s, or end others in it",
                   ull{left / kKiB}, ull{bytes_ / kKiB}, room.file.c_str())};
  }

 private:
  static std::atomic<uint64_t> allocating;
  const uint64_t bytes_;
};
std::atomic<uint64_t> Room::allocating{0};

std::string SelfFdPath(int fd) { return Format("/proc/self/fd/%d", fd); }

}  // namespace

void (*crash_hook)() = nullptr;
bool (*shortage_hook)() = nullptr;

Result<Fd> CreateMemory(const std::string& name, uint64_t size) {
  RETURN_IF_ERROR(CheckShortage());
  Fd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoStatus("memfd_create " + name, errno);
  // The mode of a new memfd is 0777: another user could reopen a read-only descriptor for writing.
  if (fchmod(fd.get(), 0600) != 0) return ErrnoStatus("fchmod " + name, errno);
  RETURN_IF_ERROR(Resize(fd, size));
  return fd;
}

Status AddSeals(const Fd& fd, Seals seals) {
  int flags = F_SEAL_SHRINK | (seals == Seals::kUntilWritten ? 0 : F_SEAL_SEAL) |
              (seals == Seals::kDaemonOnly ? 0 : F_SEAL_GROW);
  if (fcntl(fd.get(), F_ADD_SEALS, flags) != 0) return ErrnoStatus("seal a memfd", errno);
  return OkStatus();
}

bool IsSealedAgainstWrites(const Fd& fd) {
  int seals = fcntl(fd.get(), F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_WRITE) != 0;
}

Status SealWrites(const Fd& fd) {
  if (IsSealedAgainstWrites(fd)) return OkStatus();
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0) return OkStatus();
  if (errno == EBUSY) return {Code::kInUse, "somebody has it mapped for writing"};
  return ErrnoStatus("seal a memfd", errno);
}

namespace {
Status AllocateChecked(const Fd& fd, uint64_t offset, uint64_t size) {
  while (fallocate(fd.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    return ErrnoStatus(Format("allocate %llu bytes", static_cast<unsigned long long>(size)), errno);
  }
  return OkStatus();
}
}  // namespace

Status AllocateRange(const Fd& fd, uint64_t offset, uint64_t size) {
  Room room(size);
  RETURN_IF_ERROR(room.Check(kQuarter));
  return AllocateChecked(fd, offset, size);
}

Status Resize(const Fd& fd, uint64_t size) {
  RETURN_IF_ERROR(CheckShortage());
  if (ftruncate(fd.get(), static_cast<off_t>(size)) == 0) return OkStatus();
  int error_number = errno;
  std::string what = Format("resize a memfd to %llu bytes", static_cast<unsigned long long>(size));
  if (error_number == EFBIG) {
    return {Code::kHostMemory, what + ": the limit of file sizes is lower; raise it (ulimit -f)"};
  }
  return ErrnoStatus(what, error_number);
}

Result<uint64_t> FileSize(const Fd& fd) {
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus("fstat", errno);
  return static_cast<uint64_t>(info.st_size);
}

bool NeverShrinks(const Fd& fd) {
  int seals = fcntl(fd.get(), F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

void PunchRange(const Fd& fd, uint64_t offset, uint64_t size) {
  // Best effort: what is not given back stays usable.
  (void)!fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(size));
}

Result<Fd> Reopen(const Fd& fd, bool writable) {
  RETURN_IF_ERROR(CheckShortage());
  Fd again(open(SelfFdPath(fd.get()).c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  if (!again.valid()) return ErrnoStatus("reopen " + SelfFdPath(fd.get()), errno);
  return again;
}

Status TryLock(const Fd& fd) {
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return OkStatus();
  if (errno == EWOULDBLOCK) return {Code::kUnavailable, "flock: held by another"};
  return ErrnoStatus("flock", errno);
}

bool IsUnlocked(const Fd& fd) {
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;
  flock(fd.get(), LOCK_UN);
  return true;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    Reset();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Result<Mapping> Mapping::Map(const Fd& fd, uint64_t size, bool writable) {
  RETURN_IF_ERROR(CheckShortage());
  // Aligned, so that huge pages of the file can be huge pages of the map: a larger range is reserved, the
  // file is put over its aligned part, the rest is given back.
  uint64_t alignment = size >= kHuge ? kHuge : 0;
  void* reserved = mmap(nullptr, size + alignment, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MapError(size);
  char* first = static_cast<char*>(reserved);
  char* data = first;
  if (alignment != 0) {
    data = reinterpret_cast<char*>(RoundUp(reinterpret_cast<uintptr_t>(first), alignment));
    uint64_t tail = RoundUp(size, kSmall);
    if (data != first) munmap(first, static_cast<size_t>(data - first));
    char* end = first + RoundUp(size + alignment, kSmall);
    if (data + tail != end) munmap(data + tail, static_cast<size_t>(end - data) - tail);
  }
  if (mmap(data, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
           MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd.get(), 0) == MAP_FAILED) {
    Status failed = MapError(size);
    munmap(data, size);
    return failed;
  }
  Mapping mapping;
  mapping.data_ = data;
  mapping.size_ = size;
  return mapping;
}

void Mapping::Reset() {
  if (data_ != nullptr) munmap(std::exchange(data_, nullptr), std::exchange(size_, 0));
}

void Mapping::DontFork() { madvise(data_, size_, MADV_DONTFORK); }

bool Mapping::Detach() {
  // Made elsewhere and then moved: where there is no memory for it, MAP_FIXED would fail with a hole left.
  void* made = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) return false;
  madvise(made, size_, MADV_DONTFORK);
  if (mremap(made, size_, size_, MREMAP_MAYMOVE | MREMAP_FIXED, data_) == MAP_FAILED) {
    munmap(made, size_);
    return false;
  }
  return true;
}

bool AdviseHugePages(char* data, uint64_t size) { return madvise(data, size, MADV_HUGEPAGE) == 0; }

namespace {

// Free already, though the process has it.
uint64_t FreeHeapBytes() {
#if __GLIBC_PREREQ(2, 33)
  return mallinfo2().fordblks;
#else
  return 0;
#endif
}

// By the limits of this process itself, of addresses and of data.
Status CheckProcessLimits(uint64_t bytes) {
  rlimit addresses{}, data{};
  getrlimit(RLIMIT_AS, &addresses);
  getrlimit(RLIMIT_DATA, &data);
  if (addresses.rlim_cur == RLIM_INFINITY && data.rlim_cur == RLIM_INFINITY) return OkStatus();
  unsigned long long pages = 0, data_pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return OkStatus();
  int found = std::fscanf(file, "%llu %*u %*u %*u %*u %llu", &pages, &data_pages);
  std::fclose(file);
  uint64_t free_bytes = FreeHeapBytes();
  auto check = [&](const rlimit& limit, uint64_t used, const char* option) -> Status {
    if (limit.rlim_cur == RLIM_INFINITY || found != 2) return OkStatus();
    uint64_t kept = used + kProcessReserve;
    uint64_t left = free_bytes + (limit.rlim_cur > kept ? limit.rlim_cur - kept : 0);
    if (bytes <= left) return OkStatus();
    return {Code::kHostMemory,
            Format("the daemon's own limit (ulimit %s) has room for %llu KiB more, and %llu KiB "
                   "are asked for: raise it",
                   option, static_cast<unsigned long long>(left / kKiB),
                   static_cast<unsigned long long>(bytes / kKiB))};
  };
  RETURN_IF_ERROR(check(addresses, pages * kSmall, "-v"));
  return check(data, data_pages * kSmall, "-d");
}

}  // namespace

Status CheckHeapRoom(uint64_t bytes) {
  RETURN_IF_ERROR(CheckProcessLimits(bytes));
  return Room(bytes).CheckLeft(kHalf);
}

void TrimHeap() { malloc_trim(0); }

namespace {
// Where the kernel does not give huge pages by itself it may when asked: one page of each range is
// touched, then the kernel makes each range one huge page. Where that works it takes a third of the
// time of touching every page; where it does not, nothing is lost.
void CollapseIntoHugePages(char* data, uint64_t size) {
  if (size == 0 || reinterpret_cast<uintptr_t>(data) % kHuge != 0) return;
  for (uint64_t at = 0; at < size; at += kHuge) {
    if (madvise(data + at, kSmall, MADV_POPULATE_WRITE) != 0) return;
  }
  (void)!madvise(data, size, MADV_COLLAPSE);
}
}  // namespace

Status AllocateMapped(const Fd& fd, char* data, uint64_t offset, uint64_t size) {
  Room room(size);
  RETURN_IF_ERROR(room.Check(kQuarter));
  uint64_t first = RoundDown(offset, kHuge), end = RoundDown(offset + size, kHuge);
  if (first < end) CollapseIntoHugePages(data + first, end - first);
  return AllocateChecked(fd, offset, size);  // what is left, and the error when there is no memory
}

Status Populate(char* data, uint64_t size) {
  Room room(size);
  RETURN_IF_ERROR(room.Check(kAll));
  constexpr uint64_t kStep = 64 * kMiB;  // so that a signal or a shutdown is never far away
  for (uint64_t done = 0; done < size;) {
    uint64_t step = std::min(kStep, size - done);
    CollapseIntoHugePages(data + done, RoundDown(step, kHuge));
    if (madvise(data + done, step, MADV_POPULATE_WRITE) == 0) {
      done += step;
    } else if (errno == EINVAL) {
      return {Code::kUnsupported, "the kernel has no MADV_POPULATE_WRITE (Linux 5.14)"};
    } else if (errno != EINTR && errno != EAGAIN) {
      // EFAULT and EHWPOISON stand for the SIGBUS that touching would have raised.
      return {Code::kHostMemory, Format("the host has no memory for %llu bytes more",
                                        static_cast<unsigned long long>(size - done))};
    }
  }
  return OkStatus();
}

uint64_t HugePageBytes(char* data, uint64_t size) {
  // Only what is mapped is reported, and after an adoption nothing is.
  for (uint64_t at = 0; at < size; at += kHuge) {
    (void)!madvise(data + at, kSmall, MADV_POPULATE_READ);
  }
  std::FILE* file = std::fopen("/proc/self/smaps", "re");
  if (file == nullptr) return 0;
  char line[512];
  bool inside = false;
  unsigned long long start, kib, bytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    unsigned long long end;
    if (std::sscanf(line, "%llx-%llx ", &start, &end) == 2) {
      inside = start == reinterpret_cast<uintptr_t>(data);
    } else if (inside && std::sscanf(line, "ShmemPmdMapped: %llu kB", &kib) == 1) {
      bytes += kib * 1024;
    }
  }
  std::fclose(file);
  return bytes;
}

uint64_t RandomNumber() {
  uint64_t number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

}  // namespace vineyard::shm

// This file is the only place where core asks the kernel for memory. One implementation per system
// (os_linux.cc, os_cgroup.cc); no #ifdef elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/fd.h"
#include "core/base/result.h"

namespace vineyard::shm {

// Seals of a memfd (fcntl F_ADD_SEALS), by who may write it.
enum class Seals {
  kDaemonOnly,     // SHRINK | SEAL: grows, never shrinks under a reader
  kClientWritten,  // SHRINK | GROW | SEAL
  kUntilWritten,   // SHRINK | GROW; SealWrites() adds WRITE | SEAL
};

// A memfd: close-on-exec, mode 0600, `size` bytes long but not allocated, no seals yet.
Result<Fd> CreateMemory(const std::string& name, uint64_t size);
Status AddSeals(const Fd& fd, Seals seals);
// From now on nobody writes the file. kInUse: somebody has it mapped for writing. Twice is once.
Status SealWrites(const Fd& fd);
bool IsSealedAgainstWrites(const Fd& fd);
// Allocates pages, so that touching them can not fail. kHostMemory when there are none.
Status AllocateRange(const Fd& fd, uint64_t offset, uint64_t size);
// The same for a file that is mapped for writing, from its start, at `data`: in huge pages, where the
// kernel gives them and the range ends one.
Status AllocateMapped(const Fd& fd, char* data, uint64_t offset, uint64_t size);
Status Resize(const Fd& fd, uint64_t size);
Result<uint64_t> FileSize(const Fd& fd);
// Whether it is a memfd that is sealed against shrinking: what is read of it can not end in SIGBUS.
bool NeverShrinks(const Fd& fd);
// Gives the pages back; the range reads as zeros. Best effort.
void PunchRange(const Fd& fd, uint64_t offset, uint64_t size);

// A fresh open file description of the same file (through /proc/self/fd).
Result<Fd> Reopen(const Fd& fd, bool writable);
// flock(LOCK_EX | LOCK_NB): kUnavailable when another open file description holds it.
Status TryLock(const Fd& fd);
// Whether nobody holds the lock; takes and drops it.
bool IsUnlocked(const Fd& fd);

// A mapping of a file, unmapped at the end.
class Mapping {
 public:
  Mapping() = default;
  ~Mapping() { Reset(); }
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // Shared, from offset 0. The size may exceed the file's; what lies beyond may not be touched.
  static Result<Mapping> Map(const Fd& fd, uint64_t size, bool writable);
  char* data() const { return data_; }
  uint64_t size() const { return size_; }
  void Reset();
  // Children do not inherit it.
  void DontFork();
  // Puts memory of this process in the file's place, at the same address: zeros, and only what is
  // touched takes memory. Whoever writes there meanwhile writes to one or the other. For children as
  // DontFork(). False: it can not, and nothing has changed.
  bool Detach();

 private:
  char* data_ = nullptr;
  uint64_t size_ = 0;
};

// Asks for huge pages behind a mapping. False: the kernel does not give them.
bool AdviseHugePages(char* data, uint64_t size);
// Touches every page for writing, in steps; an error instead of SIGBUS when memory runs out.
Status Populate(char* data, uint64_t size);
// Bytes of the mapping that huge pages back, as the kernel reports (/proc/self/smaps). The mapping's
// pages must be allocated.
uint64_t HugePageBytes(char* data, uint64_t size);

// What the machine has, or less where a cgroup, this process's or one above it, says so. `root`: in front of
// /proc and /sys, for tests.
struct MemoryBound {
  uint64_t bytes = 0;
  std::string file;  // which holds the cgroup's limit; empty: it is the machine's
};
MemoryBound FindMemoryBound(const std::string& root = "");
// How much more this process can be given before the kernel kills somebody in its cgroup or one above: at such a limit
// it fails no request for memory, as it does where the machine has none, so who asks looks before. Swap is not counted.
struct MemoryRoom {
  uint64_t bytes = UINT64_MAX;
  uint64_t reserve =
      0;  // of them: not for payloads, but for what grows with them, and for others in the cgroup
  std::string file;  // which holds the limit; empty: there is none
  uint64_t for_payloads() const { return bytes > reserve ? bytes - reserve : 0; }
};
MemoryRoom FindMemoryRoom(const std::string& root = "");
// The same, but notices some seconds late that there is a limit where there was none. Any thread.
MemoryRoom LookForRoom();
// Before so many bytes of the heap are taken for good. kHostMemory.
Status CheckHeapRoom(uint64_t bytes);
// Gives free memory of the heap back to the kernel. Slow.
void TrimHeap();
inline uint64_t MemoryLimit(const std::string& root = "") { return FindMemoryBound(root).bytes; }

// Stands behind every store that another process, or a successor, can see. Tests set the hook, to end
// the daemon there and look at what is left; else it is a load and a branch never taken.
extern void (*crash_hook)();
inline void CrashPoint() {
  if (crash_hook != nullptr) [[unlikely]]
    crash_hook();
}

// Asked in front of every call here that takes memory, addresses or descriptors of the host: true, and it fails
// as on a host that has none left. Tests set it; else it is a load and a branch never taken.
extern bool (*shortage_hook)();

uint64_t RandomNumber();  // 64 bits of getrandom(2)

// crc32c (Castagnoli), in hardware where there is.
uint32_t Crc32c(const void* data, uint64_t size, uint32_t crc = 0);
// The same without the hardware: tests compare the two.
uint32_t Crc32cByTable(const void* data, uint64_t size, uint32_t crc = 0);

}  // namespace vineyard::shm

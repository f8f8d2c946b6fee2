// The board: what the processes of one soak share, and what outlives each of them: counters, and a
// ledger that says of every object whether it has to be there. board.py and Board.java have the
// same numbers.
//
// An entry of the ledger is written by its worker only (by the audit while all workers stand
// still), and before the request: so whoever sees "live", is told "not found" and sees "live" again
// has found a loss.
#ifndef TESTS_STRESS_BOARD_H_
#define TESTS_STRESS_BOARD_H_

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace vineyard::soak {

constexpr uint64_t kEntries = 96;  // of one worker

enum Command : uint64_t { kRun, kPause, kStop };
enum State : uint64_t {
  kFree,
  kPutting,   // may be there
  kLive,      // must be there
  kDeleting,  // may be there still
};

// `key`: (worker << 40) + sequence. `link`: 0; kCounterLink: it may have the name that counts; else
// the object that it leads to, or while it is put (Python) the blob that is to be a part of it.
struct Entry {
  std::atomic<uint64_t> state, id, key, link;
};
constexpr uint64_t kCounterLink = 1;

struct Page {
  // Answers to kPause: the head's `pause`. Not reset by a new process.
  std::atomic<uint64_t> paused, sequence;
  std::atomic<uint64_t> calls, gets, bytes, puts, deletes, misses, full, timeouts, unavailable,
      unknown, died_twice, conflicts, counted, maybe_counted, labels, waits, kept, errors, evicted,
      slowest_ms, persisted;
  std::atomic<uint64_t> thaws;         // the one who stops processes: odd while this one is stopped
  std::atomic<uint64_t> thawed_reads;  // of what it held all the while
  std::atomic<uint64_t> reserved[7];
  Entry entries[kEntries];
};
static_assert(sizeof(Page) == 32 * 8 + kEntries * 32);

struct Board {
  // `strangers`: from this worker on they are another user's.
  std::atomic<uint64_t> command, pause, workers, persists, evicts, deadline_ms, strangers,
      reserved[9];
  Page pages[1];  // `workers` of them
};

inline Board* OpenBoard(const char* path) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  off_t size = lseek(fd, 0, SEEK_END);
  void* memory =
      mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || memory == MAP_FAILED) {
    std::perror(path);
    std::exit(2);
  }
  close(fd);
  return static_cast<Board*>(memory);
}

}  // namespace vineyard::soak

#endif  // TESTS_STRESS_BOARD_H_

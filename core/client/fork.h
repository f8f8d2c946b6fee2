// This file is the only place that knows that this process may fork, and that other threads may be
// anywhere when it does.
//
// Fork epoch: a number of the process, even while nobody forks, odd from the prepare handler until the
// fork is done, two greater after each fork, in parent and child alike. A pin remembers the (even)
// epoch at which it was taken, its stamp. A release may take effect at once only when its stamp is the
// epoch itself: then no child exists that was forked since.
//
// Invariants:
//  1. The epoch lies in a page that the kernel wipes in a child, so that a fork that ran no handlers
//     shows: the epoch reads 0 there.
//  2. A child holds the write end of the pipe that was made for it, until it dies or execs; so do its
//     own children. The read end is at its end when all of them are gone.
//  3. Everything that must be whole in a child is changed under ProcessMutex(), which the prepare
//     handler takes; nothing waits for a daemon while holding it.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

namespace vineyard::client {

inline constexpr uint32_t kForkedUnseen = 0;

extern std::atomic<uint32_t>* fork_epoch;  // never null

// relaxed: whoever may release in both processes orders its release after the fork by means of its own.
inline uint32_t ForkEpoch() { return fork_epoch->load(std::memory_order_relaxed); }
inline uint32_t StampOf(uint32_t epoch) { return epoch & ~1u; }

// Installs the handlers; once, later calls do nothing.
void WatchForks();

std::mutex& ProcessMutex();

// The stamp is of a time before this process was forked off: what it stamps belongs to an ancestor.
bool IsInherited(uint32_t stamp);
// Children that may still live hold what has this stamp or a lower one; 0: nothing. One system call, and
// one more for each child that is found gone.
// REQUIRES: ProcessMutex() is held.
uint32_t HeldByChildren();

// Told in a child, before anything else runs there.
class ForkListener {
 public:
  virtual void AfterForkInChild() = 0;

 protected:
  ~ForkListener() = default;
};
// REQUIRES: ProcessMutex() is held, for both.
void AddForkListener(ForkListener* listener);
void RemoveForkListener(ForkListener* listener);

}  // namespace vineyard::client

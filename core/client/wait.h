// This file is the only place where a thread of a client sleeps: until an event of another thread, or
// until a socket is ready, in both cases no longer than a deadline.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/base/clock.h"
#include "core/base/status.h"

namespace vineyard::client {

// How a caller wants to wait.
struct Patience {
  Deadline deadline = Deadline::Never();
  int64_t timeout_ms = -1;  // what it was made from, for the text of an error; < 0: nobody knows
  // A signal ends the wait. Not for what changes something: there it would hide whether it did.
  bool signal_ends = false;
  // Asked after a signal and at least every 100 ms: false ends the wait.
  int32_t (*keep_waiting)() = nullptr;

  // Time that went into work of the caller's own, since `began_ns`, is no waiting.
  void DiscountSince(int64_t began_ns) {
    if (!deadline.never()) deadline = Deadline::At(deadline.at_ns() + MonotonicNs() - began_ns);
  }
  // kInterrupted when the caller does not want to wait on. To be called without locks.
  Status Ask(bool signalled) const;
  int SliceMs() const;         // how long to sleep at a time
  std::string Within() const;  // " within 50 ms", the end of a sentence about a timeout
};

enum class Woken { kReady, kSlice, kSignal };

// Wakes one thread. Signals are counted, so that one that comes before the wait is not lost.
class Event {
 public:
  // acquire: what the setter did before Set() is visible.
  uint32_t count() const { return count_.load(std::memory_order_acquire); }
  void Set();
  // Until count() is another than `seen`. kSlice: patience.SliceMs() passed.
  Woken Wait(uint32_t seen, const Patience& patience);

 private:
  std::atomic<uint32_t> count_{0};
};

// Until the descriptor is ready for `events` (of poll) or its peer is gone.
Woken WaitForSocket(int fd, short events, const Patience& patience);

// Whether the calling thread lets calls wait for the daemon (vineyard_thread_set_waiting).
bool ThreadMayWait();
bool SetThreadMayWait(bool allowed);

}  // namespace vineyard::client

#include "core/client/wait.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

namespace vineyard::client {
namespace {

constexpr int kAskEveryMs = 100;
constexpr int kLongestSleepMs = 3600 * 1000;

thread_local bool may_wait = true;

}  // namespace

Status Patience::Ask(bool signalled) const {
  if (keep_waiting != nullptr) {
    if (keep_waiting() == 0) return {Code::kInterrupted, "the caller ended the wait"};
  } else if (signalled && signal_ends) {
    return {Code::kInterrupted, "a signal ended the wait"};
  }
  return OkStatus();
}

int Patience::SliceMs() const {
  return deadline.RemainingMs(keep_waiting != nullptr ? kAskEveryMs : kLongestSleepMs);
}

std::string Patience::Within() const {
  return timeout_ms < 0 ? "" : Format(" within %lld ms", static_cast<long long>(timeout_ms));
}

void Event::Set() {
  // release: see count().
  count_.fetch_add(1, std::memory_order_release);
  syscall(SYS_futex, &count_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

Woken Event::Wait(uint32_t seen, const Patience& patience) {
  int slice_ms = patience.SliceMs();
  timespec slice = {slice_ms / 1000, slice_ms % 1000 * 1'000'000L};
  if (count() != seen) return Woken::kReady;
  // A std::condition_variable would swallow signals.
  if (syscall(SYS_futex, &count_, FUTEX_WAIT_PRIVATE, seen, &slice, nullptr, 0) == 0) {
    return Woken::kReady;
  }
  if (errno == EINTR) return Woken::kSignal;
  return errno == ETIMEDOUT ? Woken::kSlice : Woken::kReady;
}

Woken WaitForSocket(int fd, short events, const Patience& patience) {
  pollfd entry = {fd, events, 0};
  int ready = poll(&entry, 1, patience.SliceMs());
  if (ready > 0) return Woken::kReady;
  if (ready < 0 && errno == EINTR) return Woken::kSignal;
  return Woken::kSlice;
}

bool ThreadMayWait() { return may_wait; }

bool SetThreadMayWait(bool allowed) {
  bool before = may_wait;
  may_wait = allowed;
  return before;
}

}  // namespace vineyard::client

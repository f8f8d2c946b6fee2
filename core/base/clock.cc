#include "core/base/clock.h"

#include <ctime>

namespace vineyard {

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

int64_t UnixMs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1'000} + now.tv_nsec / 1'000'000;
}

Deadline Deadline::After(int64_t timeout_ms) {
  if (timeout_ms < 0) return Never();
  constexpr int64_t kLongestMs = int64_t{1000} * 3600 * 24 * 365 * 100;
  if (timeout_ms > kLongestMs) return Never();
  return Deadline(MonotonicNs() + timeout_ms * 1'000'000);
}

int Deadline::RemainingMs(int limit_ms) const {
  int64_t left_ms = LeftMs();
  return left_ms < limit_ms ? static_cast<int>(left_ms) : limit_ms;
}

int64_t Deadline::LeftMs() const {
  if (never()) return INT64_MAX;
  int64_t left_ns = at_ns_ - MonotonicNs();
  return left_ns <= 0 ? 0 : (left_ns + 999'999) / 1'000'000;
}

}  // namespace vineyard

// This file is the only place that reads a clock. Deadlines are points of CLOCK_MONOTONIC, so that
// setting the time of day neither ends nor prolongs a wait.
#pragma once

#include <cstdint>

namespace vineyard {

// Nanoseconds of CLOCK_MONOTONIC. About 22 ns a call: not for the hot path.
int64_t MonotonicNs();
// Milliseconds of CLOCK_REALTIME since 1970: to be shown, never to be waited for.
int64_t UnixMs();

// A point in time until which a wait may last.
class Deadline {
 public:
  // timeout_ms < 0: never (only the caller's own options can ask for that).
  static Deadline After(int64_t timeout_ms);
  // Of MonotonicNs(); INT64_MAX: never.
  static Deadline At(int64_t at_ns) { return Deadline(at_ns); }
  static Deadline Never() { return Deadline(INT64_MAX); }

  bool passed() const { return at_ns_ != INT64_MAX && MonotonicNs() >= at_ns_; }
  bool never() const { return at_ns_ == INT64_MAX; }
  int64_t at_ns() const { return at_ns_; }
  // For poll(2): 0 when passed, rounded up so that poll never returns just before the deadline, at
  // most limit_ms; -1 never comes out.
  int RemainingMs(int limit_ms = 1000 * 3600) const;
  // All of it, rounded up; INT64_MAX: it never passes.
  int64_t LeftMs() const;

 private:
  explicit Deadline(int64_t at_ns) : at_ns_(at_ns) {}
  int64_t at_ns_;
};

}  // namespace vineyard

#include "core/base/clock.h"

#include <gtest/gtest.h>

namespace vineyard {
namespace {

TEST(Clock, NeverGoesBack) {
  int64_t last = MonotonicNs();
  for (int i = 0; i < 10000; ++i) {
    int64_t now = MonotonicNs();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Deadline, NegativeTimeoutNeverPasses) {
  Deadline deadline = Deadline::After(-1);
  EXPECT_TRUE(deadline.never());
  EXPECT_FALSE(deadline.passed());
  EXPECT_EQ(deadline.RemainingMs(17), 17);
}

TEST(Deadline, ZeroHasPassed) {
  Deadline deadline = Deadline::After(0);
  EXPECT_TRUE(deadline.passed());
  EXPECT_FALSE(deadline.never());
  EXPECT_EQ(deadline.RemainingMs(), 0);
}

TEST(Deadline, TimeoutOfCenturiesDoesNotOverflow) {
  for (int64_t timeout_ms : {INT64_MAX, INT64_MAX / 1000000, INT64_MAX / 1000000 + 1}) {
    EXPECT_FALSE(Deadline::After(timeout_ms).passed()) << timeout_ms;
    EXPECT_EQ(Deadline::After(timeout_ms).RemainingMs(5), 5) << timeout_ms;
  }
}

TEST(Deadline, LongestOneThatIsNotNeverIsAHundredYears) {
  constexpr int64_t kHundredYearsMs = int64_t{1000} * 3600 * 24 * 365 * 100;
  Deadline deadline = Deadline::After(kHundredYearsMs);
  EXPECT_FALSE(deadline.never());
  EXPECT_GT(deadline.at_ns(), MonotonicNs());
  EXPECT_TRUE(Deadline::After(kHundredYearsMs + 1).never());
}

TEST(Deadline, RemainingIsBelowTheLimitAndTheTimeout) {
  Deadline deadline = Deadline::After(60 * 1000);
  EXPECT_LE(deadline.RemainingMs(), 60 * 1000);
  EXPECT_EQ(deadline.RemainingMs(10), 10);
}

TEST(Deadline, RemainingIsRoundedUp) {
  // As long as it has not passed, poll must wait at least one millisecond.
  Deadline deadline = Deadline::After(3);
  while (true) {
    int remaining_ms = deadline.RemainingMs();
    if (remaining_ms == 0) break;
    ASSERT_GE(remaining_ms, 1);
  }
  EXPECT_TRUE(deadline.passed());
}

}  // namespace
}  // namespace vineyard

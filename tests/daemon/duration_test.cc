#include "daemon/duration.h"

#include <gtest/gtest.h>

namespace vineyard::daemon {
namespace {

TEST(Duration, UnitsAreWhatPeopleWrite) {
  EXPECT_EQ(*ParseDuration("10s"), 10'000);
  EXPECT_EQ(*ParseDuration("1.5 s"), 1500);
  EXPECT_EQ(*ParseDuration("500ms"), 500);
  EXPECT_EQ(*ParseDuration("2min"), 120'000);
  EXPECT_EQ(*ParseDuration("2m"), 120'000);
  EXPECT_EQ(*ParseDuration("1h"), 3'600'000);
}

TEST(Duration, EverythingElseIsRefused) {
  for (const char* text :
       {"", "10", "s", "-1s", "10 days", "1s ", "inf s", "nan", "0x1s", "1  s"}) {
    EXPECT_EQ(ParseDuration(text).status().code(), Code::kInvalid) << text;
  }
  EXPECT_EQ(ParseDuration("1e99s").status().code(), Code::kInvalid);
  EXPECT_EQ(ParseDuration(std::string(30, '9') + "s").status().code(), Code::kLimit);
}

TEST(Duration, IsPrintedWithOneDigitAtMost) {
  EXPECT_EQ(PrintDuration(999), "999 ms");
  EXPECT_EQ(PrintDuration(10'000), "10 s");
  EXPECT_EQ(PrintDuration(1540), "1.5 s");
}

}  // namespace
}  // namespace vineyard::daemon

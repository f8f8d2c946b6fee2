#include "core/base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vineyard {
namespace {

std::vector<std::pair<LogLevel, std::string>> lines;

class Log : public testing::Test {
 protected:
  Log() {
    lines.clear();
    SetLogSink([](LogLevel level, std::string_view line) { lines.emplace_back(level, line); });
  }
  ~Log() override { SetLogSink(nullptr); }
};

TEST_F(Log, LineReachesTheSinkWithItsLevel) {
  vineyard::Log(LogLevel::kWarning, "slot %d", 5);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].first, LogLevel::kWarning);
  EXPECT_EQ(lines[0].second, "slot 5");
}

TEST_F(Log, WithoutASinkNothingIsPrinted) {
  SetLogSink(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  vineyard::Log(LogLevel::kError, "x");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(lines.empty());
}

TEST_F(Log, LongLineIsCutAndNotOverrun) {
  std::string text(5000, 'x');
  for (int length : {1022, 1023, 1024, 5000}) {
    vineyard::Log(LogLevel::kInfo, "%.*s", length, text.c_str());
  }
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].second, std::string(1022, 'x'));
  for (int i = 1; i < 4; ++i) EXPECT_EQ(lines[i].second, std::string(1023, 'x'));
}

}  // namespace
}  // namespace vineyard

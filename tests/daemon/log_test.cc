#include "daemon/log.h"

#include <gtest/gtest.h>

namespace vineyard::daemon {
namespace {

TEST(LogFormat, IsTextOrJson) {
  for (LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    EXPECT_EQ(ParseLogFormat(LogFormatName(format)), format);
  }
  EXPECT_EQ(ParseLogFormat("JSON"), std::nullopt);
}

TEST(EscapeControls, OfWhatAClientOrAPathSaysATerminalShowsOneLine) {
  EXPECT_EQ(EscapeControls("größer \"€\" \\ 😀"), "größer \"€\" \\ 😀");
  EXPECT_EQ(EscapeControls("a\nb\x1b[31m\x7f"), "a\\nb\\x1b[31m\\x7f");
  EXPECT_EQ(EscapeControls("\xc2\x9b"
                           "31m \xc2\xa0"),
            "\\xc2\\x9b31m \xc2\xa0");
  EXPECT_EQ(EscapeControls("\xff\xe2\x82"), "\\xff\\xe2\\x82");
}

TEST(EscapeJson, LeavesWhatMayStandInAString) {
  EXPECT_EQ(EscapeJson(""), "");
  EXPECT_EQ(EscapeJson("socket /tmp/x: it's 5 % {full}"), "socket /tmp/x: it's 5 % {full}");
  EXPECT_EQ(EscapeJson("Käse 🧀 €"), "Käse 🧀 €");
}

TEST(EscapeJson, EscapesQuotesAndControls) {
  EXPECT_EQ(EscapeJson("a \"b\" \\c"), "a \\\"b\\\" \\\\c");
  EXPECT_EQ(EscapeJson(std::string_view("a\nb\t\0c\x7f", 7)), "a\\u000ab\\u0009\\u0000c\\u007f");
}

// A line that was cut in the middle of a character, or a path of another encoding.
TEST(EscapeJson, WhatIsNoUtf8BecomesAReplacement) {
  EXPECT_EQ(EscapeJson("a\xff\x80z"), "a\\ufffd\\ufffdz");
  EXPECT_EQ(EscapeJson("cut \xe2\x82"), "cut \\ufffd\\ufffd");
  EXPECT_EQ(EscapeJson("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd") << "half of a pair";
  EXPECT_EQ(EscapeJson("\xc0\xaf"), "\\ufffd\\ufffd") << "a long form";
}

}  // namespace
}  // namespace vineyard::daemon

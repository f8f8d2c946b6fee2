#include "daemon/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/process.h"

namespace vineyard::daemon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<KnownSetting> kKnown = {
    {"socket", SettingKind::kText},
    {"size", SettingKind::kSize},
    {"log-level", SettingKind::kText},
    {"meta-session-timeout", SettingKind::kTime},
    {"rpc", SettingKind::kAny, /*is_shown=*/false},
};

class ConfigFile : public ::testing::Test {
 protected:
  Result<std::vector<Setting>> Read(const std::string& text) {
    std::ofstream(path()) << text;
    return ReadConfigFile(path(), kKnown);
  }
  std::string path() const { return folder_ / "v.toml"; }
  // Without the path in front.
  std::string Error(const std::string& text) {
    Status status = Read(text).status();
    EXPECT_EQ(status.code(), Code::kInvalid) << status.ToString();
    std::string said(status.text());
    EXPECT_THAT(said, StartsWith(path() + " line "));
    return said.substr(std::min(said.size(), path().size() + 1));
  }

  testing::TempFolder folder_;
};

TEST_F(ConfigFile, SettingsComeInItsOrderWithTheirLines) {
  auto settings = Read(
      "# ours\n\nsocket = \"/tmp/a_b\"\nlog_level = 'debug'  # both names\n"
      "meta-session-timeout = \"3s\"\nrpc = false\n");
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  ASSERT_EQ(settings->size(), 4u);
  EXPECT_EQ((*settings)[0].name, "socket");
  EXPECT_EQ((*settings)[0].value, "/tmp/a_b");
  EXPECT_EQ((*settings)[0].where, path() + " line 3");
  EXPECT_EQ((*settings)[1].name, "log-level");
  EXPECT_EQ((*settings)[1].value, "debug");
  EXPECT_EQ((*settings)[3].value, "false");
  EXPECT_EQ((*settings)[3].where, path() + " line 6");
}

TEST_F(ConfigFile, ASizeIsATextOrANumber) {
  EXPECT_EQ(Read("size = \"4Gi\"")->front().value, "4Gi");
  EXPECT_EQ(Read("size = 1_048_576")->front().value, "1048576");
  EXPECT_EQ(Error("size = true"),
            "line 1: 'size': expected is a size: size = \"4Gi\", or a number of bytes without "
            "quotes; there is true or false");
  EXPECT_THAT(Error("size = 1.5"), HasSubstr("there is a number"));
}

TEST_F(ConfigFile, AValueOfAnotherTypeIsNamedWithWhatWasExpected) {
  EXPECT_EQ(Error("\nsocket = 5"),
            "line 2: 'socket': expected is a text in quotes: socket = \"...\"; there is a number");
  EXPECT_EQ(Error("meta-session-timeout = 10"),
            "line 1: 'meta-session-timeout': expected is a time: meta-session-timeout = \"10s\"; "
            "there is a number");
  EXPECT_THAT(Error("socket = [\"a\"]"), HasSubstr("there is a list"));
  EXPECT_THAT(Error("socket = 1979-05-27"), HasSubstr("there is a date"));
  EXPECT_EQ(Error("socket = \"\""),
            "line 1: 'socket': its value is empty; give one, or leave the line out");
}

TEST_F(ConfigFile, AnUnknownKeyIsNamedWithTheNearestOne) {
  EXPECT_EQ(Error("size = 1\n\nlog_levl = \"info\""),
            "line 3: 'log_levl': there is no such setting; did you mean log-level?");
  EXPECT_EQ(Error("colour = 1"), "line 1: 'colour': there is no such setting");
  EXPECT_EQ(Error("b = 1\na = 1"), "line 1: 'b': there is no such setting") << "the first line";
}

TEST_F(ConfigFile, SectionsAreRefused) {
  EXPECT_THAT(Error("size = 1\n[store]\nsocket = \"x\""),
              StartsWith("line 2: 'store': there are no sections"));
  EXPECT_THAT(Error("meta.heap = 1"), StartsWith("line 1: 'meta': there are no sections"));
  EXPECT_THAT(Error("[[socket]]\nx = 1"), HasSubstr("there is a section"));
}

TEST_F(ConfigFile, WhatIsSetTwiceIsAnError) {
  EXPECT_EQ(Error("log-level = \"info\"\nlog_level = \"debug\""),
            "line 2: 'log_level': it is set at " + path() + " line 1");
  EXPECT_THAT(Error("size = 1\nsize = 2"), StartsWith("line 2: it is no TOML"));
}

// As the file was written before it was TOML.
TEST_F(ConfigFile, TextWithoutQuotesIsAnErrorThatSaysSo) {
  EXPECT_THAT(Error("\nsize = 4Gi\n"), StartsWith("line 2: it is no TOML (texts have quotes: "));
  EXPECT_THAT(Error("evict = drop"), StartsWith("line 1: it is no TOML (texts have quotes: "));
  EXPECT_THAT(Error("size = i\n"),
              EndsWith("expected 'inf', saw 'i '"));  // one line, by options_fuzz
  for (const char* header : {"[=]", "[!section]", "[\x1f]", "[\n", "[[ #"}) {  // by options_fuzz
    EXPECT_THAT(Error(header), StartsWith("line 1: it is no TOML")) << header;
  }
}

// toml++ is undefined there: found by options_fuzz.
TEST_F(ConfigFile, CharactersBesideAsciisStandInQuotesAndComments) {
  for (const char* bare : {"é = 1", "size = é", "size = [1, ü", "[ж]", "size = 1 ж",
                           "\u00a0size = 1", "evict = \"\\é\"", "evict = \"\"\"\\é\"\"\""}) {
    EXPECT_THAT(Error("# ж 'é\" \n" + std::string(bare)),
                StartsWith("line 2: it is no TOML (texts have quotes: "))
        << bare;
  }
  EXPECT_THAT(Error("size = \xff"), StartsWith("line 1: it is no TOML"));
  EXPECT_THAT(Error("evict = \"\xff\""), StartsWith("line 1: it is no TOML"));
  auto settings = Read(
      "\ufeff# é 'é\n\"socket\" = \"/é\\\"\\\\é\"  # \"é\nlog-level = 'é\\'  # é\nrpc = \"é#\"\n");
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  EXPECT_EQ((*settings)[0].value, "/é\"\\é");
  EXPECT_EQ((*settings)[1].value, "é\\");
  EXPECT_EQ((*settings)[2].value, "é#");
}

TEST_F(ConfigFile, AFileThatCanNotBeReadIsNamed) {
  EXPECT_EQ(ReadConfigFile("/nowhere/v.toml", kKnown).status().text(),
            "--config /nowhere/v.toml: No such file or directory");
  EXPECT_THAT(ReadConfigFile(folder_.path(), kKnown).status().text(),
              StartsWith("--config " + folder_.path() + ": "));
  std::ofstream(path()) << std::string(2 << 20, '\n');
  EXPECT_THAT(ReadConfigFile(path(), kKnown).status().text(), HasSubstr("longer than 1 MiB"));
}

TEST_F(ConfigFile, QuotedTextIsReadAsItWas) {
  for (const std::string text : {"a b", "\"q\" \\n", "tab\t line\n bell\a", "Käse 🧀"}) {
    EXPECT_EQ(Read("socket = " + QuoteForConfigFile(text))->front().value, text);
  }
}

}  // namespace
}  // namespace vineyard::daemon

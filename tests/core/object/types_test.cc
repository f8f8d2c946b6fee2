#include "core/object/types.h"

#include <gtest/gtest.h>

#include <string>

namespace vineyard {
namespace {

TEST(Types, NumbersAreOnesOfTheLayout) {
  // Part of what lies in shared memory: a change here is another layout.
  const std::pair<std::string_view, int> expected[] = {
      {"vineyard::Blob", 1},     {"vineyard::Scalar", 2},       {"vineyard::String", 3},
      {"vineyard::Sequence", 4}, {"vineyard::Tuple", 5},        {"vineyard::Pair", 6},
      {"vineyard::List", 7},     {"vineyard::Dict", 8},         {"vineyard::Tensor", 9},
      {"vineyard::Array", 10},   {"vineyard::PickleBuffer", 11}};
  for (auto [name, number] : expected) {
    EXPECT_EQ(static_cast<int>(TypeNumberOf(name)), number) << name;
    EXPECT_EQ(TypeNameOf(static_cast<TypeNumber>(number)), name);
  }
}

TEST(Types, UnknownOnesHaveNoNumberAndNoName) {
  EXPECT_EQ(TypeNumberOf(""), TypeNumber::kOther);
  EXPECT_EQ(TypeNumberOf("vineyard::blob"), TypeNumber::kOther);
  EXPECT_EQ(TypeNumberOf("vineyard::Blob2"), TypeNumber::kOther);
  EXPECT_EQ(TypeNameOf(TypeNumber::kOther), "");
  EXPECT_EQ(TypeNameOf(static_cast<TypeNumber>(12)), "");
  EXPECT_EQ(TypeNameOf(static_cast<TypeNumber>(65535)), "");
}

TEST(Types, BasesAreThoseOfTheRegistry) {
  EXPECT_EQ(BaseTypeOf("vineyard::Pair"), "vineyard::Tuple");
  EXPECT_EQ(BaseTypeOf("vineyard::Tuple"), "vineyard::Sequence");
  EXPECT_EQ(BaseTypeOf("vineyard::List"), "vineyard::Sequence");
  EXPECT_EQ(BaseTypeOf("vineyard::Sequence"), "");
  EXPECT_EQ(BaseTypeOf("vineyard::Array"), "vineyard::Tensor");
  EXPECT_EQ(BaseTypeOf("vineyard::Tensor"), "");
  EXPECT_EQ(BaseTypeOf("vineyard::Blob"), "");
  EXPECT_EQ(BaseTypeOf("somebody's"), "");
}

TEST(Types, PatternMatchesATypeByItsBases) {
  EXPECT_TRUE(TypeMatches("vineyard::Array", "vineyard::Tensor*"));
  EXPECT_TRUE(TypeMatches("vineyard::Pair", "vineyard::Sequence"));
  EXPECT_TRUE(TypeMatches("vineyard::Pair", "vineyard::Pair"));
  EXPECT_TRUE(TypeMatches("vineyard::Tensor<int64>", "vineyard::Tensor"));
  EXPECT_TRUE(TypeMatches("vineyard::Array<a<b>>", "vineyard::Tensor"));
  EXPECT_TRUE(TypeMatches("a<b>", "a"));
  EXPECT_FALSE(TypeMatches("vineyard::Tensor", "vineyard::Tensor<int64>"));
  EXPECT_FALSE(TypeMatches("vineyard::Tensor", "vineyard::Array"));
  EXPECT_FALSE(TypeMatches("vineyard::List", "vineyard::Tuple"));
  EXPECT_TRUE(TypeMatches("somebody's", "some*"));
  EXPECT_FALSE(TypeMatches("", "*"));
}

struct Case {
  std::string_view glob, text;
  bool matches;
};
class Glob : public testing::TestWithParam<Case> {};

TEST_P(Glob, MatchesAsShellPatternsDo) {
  const Case& c = GetParam();
  EXPECT_EQ(GlobMatches(c.glob, c.text), c.matches) << c.glob << "  " << c.text;
}

constexpr Case kCases[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"*", "", true},
    {"*", "abc", true},
    {"**", "abc", true},
    {"?", "", false},
    {"?", "a", true},
    {"??", "a", false},
    {"a*c", "ac", true},
    {"a*c", "abbbc", true},
    {"a*c", "abbb", false},
    {"*a*b*", "xxaxxbxx", true},
    {"*a*b*", "xxbxxaxx", false},
    {"a*b?c", "aXbYbZc", true},
    {"*.*", "a/b.c", true},  // no special case for '/' and '.'
    {"*", ".hidden", true},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[!a-c]", "b", false},
    {"[!a-c]", "d", true},
    {"[^a-c]", "d", true},
    {"[c-a]", "b", false},
    {"[]]", "]", true},
    {"[]a]", "a", true},
    {"[!]]", "]", false},
    {"[!]]", "x", true},
    {"[a-]", "-", true},
    {"[a-]", "b", false},
    {"[-a]", "-", true},
    {"[!]", "!", false},  // never closed: '[' stands for itself
    {"[!]", "[!]", true},
    {"[", "[", true},
    {"[]", "[]", true},
    {"[abc", "[abc", true},
    {"[abc", "a", false},
    {"*[", "x[", true},
    {"[[]", "[", true},
    {"[*]", "*", true},
    {"[*]", "a", false},
    {"[\\]", "\\", true},  // no quoting inside brackets
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\?", "a", false},
    {"\\[a]", "[a]", true},
    {"\\[a]", "a", false},
    {"\\\\", "\\", true},
    {"\\a", "a", true},
    {"\\", "\\", true},  // at the end it stands for itself
    {"*\\", "a\\", true},
    {"[\x80-\xff]", "\xc3", true},  // bytes, not characters
    {"??", "\xc3\xa9", true},
    {"a?c", "a\nc", true},
};
INSTANTIATE_TEST_SUITE_P(Types, Glob, testing::ValuesIn(kCases));

TEST(GlobMatches, TextMayHoldNul) {
  EXPECT_TRUE(GlobMatches("a?b", std::string_view("a\0b", 3)));
  EXPECT_FALSE(GlobMatches("a", std::string_view("a\0b", 3)));
}

// Each of these takes hours where time is not the product of the two lengths.
TEST(GlobMatches, ManyStarsDoNotMultiply) {
  std::string glob, text(20000, 'a');
  for (int i = 0; i < 2000; ++i) glob += "*a";
  EXPECT_TRUE(GlobMatches(glob, text));
  EXPECT_FALSE(GlobMatches(glob + "b", text));
}

TEST(GlobMatches, LongTailAfterAStarIsTriedOncePerPosition) {
  EXPECT_FALSE(GlobMatches("*" + std::string(2000, 'a') + "b", std::string(20000, 'a')));
}

// Found by review: each '[' that is never closed looked through the whole rest of the pattern.
TEST(GlobMatches, BracketsThatAreNeverClosedAreNotSearchedTwice) {
  std::string brackets(8000, '[');
  EXPECT_TRUE(GlobMatches("*" + brackets, brackets + brackets));
  EXPECT_FALSE(GlobMatches("*" + brackets + "x", brackets + brackets));
}

TEST(CheckText, TakesWhatANameMayBe) {
  EXPECT_TRUE(CheckText("name", "a", 1024).ok());
  EXPECT_TRUE(CheckText("name", "\xc3\xa9 /\n\x7f", 1024).ok());
  EXPECT_TRUE(CheckText("name", std::string(1024, 'x'), 1024).ok());
}

TEST(CheckText, EmptyIsInvalid) { EXPECT_EQ(CheckText("name", "", 1024).code(), Code::kInvalid); }

TEST(CheckText, TooLongIsALimit) {
  EXPECT_EQ(CheckText("name", std::string(1025, 'x'), 1024).code(), Code::kLimit);
}

TEST(CheckText, NulIsInvalidWhereverItStands) {
  for (size_t at : {0, 1, 4}) {
    std::string text = "abcde";
    text[at] = '\0';
    EXPECT_EQ(CheckText("name", text, 1024).code(), Code::kInvalid) << at;
  }
}

TEST(CheckText, WhatIsNotUtf8IsInvalid) {
  EXPECT_EQ(CheckText("name", "a\xff", 1024).code(), Code::kInvalid);
}

TEST(CheckText, ErrorNamesWhatItIsAbout) {
  EXPECT_EQ(CheckText("type name", "", 1024).text(),
            "type name: it is empty; at least one character is expected");
}

}  // namespace
}  // namespace vineyard

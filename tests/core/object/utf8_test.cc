// IsUtf8 of core/object/pack.h.
#include <gtest/gtest.h>

#include <string>

#include "core/object/pack.h"

namespace vineyard {
namespace {

std::string Encode(uint32_t c) {
  auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | (c >> 6)), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | (c >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | (c >> 18)), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCodePointButSurrogatesIsText) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    ASSERT_EQ(IsUtf8(Encode(c)), c < 0xd800 || c > 0xdfff) << std::hex << c;
  }
}

TEST(Utf8, AboveTheLastCodePointIsNoText) {
  for (uint32_t c : {0x110000u, 0x13ffffu, 0x1fffffu}) EXPECT_FALSE(IsUtf8(Encode(c)));
  for (const char* text : {"\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(Utf8, OverlongFormsAreNoText) {
  for (const char* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
                           "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(Utf8, EveryPairOfBytesIsJudgedByItsLead) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string text = {static_cast<char>(first), static_cast<char>(second)};
      bool two_ascii = first < 0x80 && second < 0x80;
      bool one_of_two = first >= 0xc2 && first < 0xe0 && second >= 0x80 && second < 0xc0;
      ASSERT_EQ(IsUtf8(text), two_ascii || one_of_two) << first << " " << second;
    }
  }
}

TEST(Utf8, CutCharacterIsNoText) {
  std::string text = "\xf0\x9f\x98\x80";
  for (size_t size = 1; size < 4; ++size) EXPECT_FALSE(IsUtf8(text.substr(0, size))) << size;
  EXPECT_FALSE(IsUtf8("ab" + text.substr(0, 3)));
}

TEST(Utf8, EveryContinuationByteIsChecked) {
  std::string text = "\xf0\x9f\x98\x80";
  for (size_t at = 1; at < 4; ++at) {
    for (char c : {'\x7f', '\xc0', 'a'}) {
      std::string broken = text;
      broken[at] = c;
      EXPECT_FALSE(IsUtf8(broken)) << at;
    }
  }
}

TEST(Utf8, LoneContinuationByteIsNoText) {
  EXPECT_FALSE(IsUtf8("\x80"));
  EXPECT_FALSE(IsUtf8("a\xbf"));
}

TEST(Utf8, EmptyAndNulAreText) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace vineyard

#include "core/base/bytes.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace vineyard {
namespace {

TEST(Bytes, RoundUpGivesTheNextMultiple) {
  EXPECT_EQ(RoundUp(0, 64), 0u);
  EXPECT_EQ(RoundUp(1, 64), 64u);
  EXPECT_EQ(RoundUp(64, 64), 64u);
  EXPECT_EQ(RoundUp(65, 64), 128u);
  EXPECT_EQ(RoundUp(UINT64_MAX - 63, 64), UINT64_MAX - 63);
}

TEST(Bytes, RoundDownGivesTheMultipleBefore) {
  EXPECT_EQ(RoundDown(63, 64), 0u);
  EXPECT_EQ(RoundDown(64, 64), 64u);
  EXPECT_EQ(RoundDown(UINT64_MAX, 64), UINT64_MAX - 63);
}

TEST(Bytes, MixBitsIsTheFinalizerOfMurmurHash3) {
  EXPECT_EQ(MixBits(0), 0u);
  EXPECT_EQ(MixBits(1), 0xb456bcfc34c2cb2cu);
  EXPECT_EQ(MixBits(2), 0x3abf2a20650683e7u);
}

TEST(Bytes, EveryInputBitReachesManyOutputBits) {
  for (int bit = 0; bit < 64; ++bit) {
    int total = 0;
    for (uint64_t x = 1; x <= 100; ++x) {
      total += std::popcount(MixBits(x) ^ MixBits(x ^ (uint64_t{1} << bit)));
    }
    EXPECT_GT(total, 100 * 28) << bit;
    EXPECT_LT(total, 100 * 36) << bit;
  }
}

}  // namespace
}  // namespace vineyard

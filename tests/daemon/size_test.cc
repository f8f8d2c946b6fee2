#include "daemon/size.h"

#include <gtest/gtest.h>

#include "core/base/bytes.h"

namespace vineyard::daemon {
namespace {

uint64_t Parsed(std::string_view text) {
  Result<uint64_t> size = ParseSize(text);
  EXPECT_TRUE(size.ok()) << text;
  return size.ok() ? *size : 0;
}

TEST(Size, UnitsOfTwoKinds) {
  EXPECT_EQ(Parsed("1073741824"), kGiB);
  EXPECT_EQ(Parsed("512Mi"), 512 * kMiB);
  EXPECT_EQ(Parsed("4Gi"), 4 * kGiB);
  EXPECT_EQ(Parsed("4GiB"), 4 * kGiB);
  EXPECT_EQ(Parsed("4gib"), 4 * kGiB);
  EXPECT_EQ(Parsed("4GB"), 4'000'000'000u);
  EXPECT_EQ(Parsed("4G"), 4'000'000'000u);
  EXPECT_EQ(Parsed("1.5Ki"), 1536u);
  EXPECT_EQ(Parsed("64 KiB"), 64 * kKiB);
  EXPECT_EQ(Parsed("2Ti"), 2048 * kGiB);
  EXPECT_EQ(Parsed("100B"), 100u);
}

TEST(Size, WhatIsNoSizeIsRefused) {
  for (const char* text : {"", "Gi", "-1", "-1Gi", "+1", "4X", "4Gx", "4GiBs", "4iB", "nan", "inf",
                           "1e3", "0x10", "4 G i", " 4", "4,5Gi"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
  EXPECT_EQ(ParseSize("99999999999Ti").status().code(), Code::kLimit);
}

TEST(Size, IsPrintedForPeople) {
  EXPECT_EQ(PrintSize(0), "0 B");
  EXPECT_EQ(PrintSize(1023), "1023 B");
  EXPECT_EQ(PrintSize(4 * kGiB), "4 GiB");
  EXPECT_EQ(PrintSize(3 * kMiB / 2), "1.5 MiB");
}

}  // namespace
}  // namespace vineyard::daemon

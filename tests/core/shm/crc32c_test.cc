// Crc32c of core/shm/os.h.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "core/shm/os.h"

namespace vineyard::shm {
namespace {

// Bit by bit, as the polynomial says: what both ways of os_crc32c.cc have to give.
uint32_t BitByBit(const std::string& data, uint32_t crc = 0) {
  crc = ~crc;
  for (char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

uint32_t Crc(const std::string& data, uint32_t crc = 0) {
  return Crc32c(data.data(), data.size(), crc);
}

TEST(Crc32c, GivesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc(std::string(32, '\xff')), 0x62a8ab43u);
  std::string up, down;
  for (int i = 0; i < 32; ++i) {
    up += static_cast<char>(i);
    down += static_cast<char>(31 - i);
  }
  EXPECT_EQ(Crc(up), 0x46dd794eu);
  EXPECT_EQ(Crc(down), 0x113fdb5cu);
}

TEST(Crc32c, OfNothingIsZero) { EXPECT_EQ(Crc32c(nullptr, 0), 0u); }

TEST(Crc32c, BothWaysAgreeAtEveryLengthAndAlignment) {
  std::mt19937 random(1);
  std::string data;
  for (int i = 0; i < 300; ++i) data += static_cast<char>(random());
  for (size_t start = 0; start < 9; ++start) {
    for (size_t size = 0; size + start <= data.size(); ++size) {
      std::string part = data.substr(start, size);
      ASSERT_EQ(Crc32c(data.data() + start, size), BitByBit(part)) << start << " " << size;
      ASSERT_EQ(Crc32cByTable(data.data() + start, size), BitByBit(part)) << start << " " << size;
    }
  }
}

// Long ones are summed in three runs side by side.
TEST(Crc32c, BothWaysAgreeAroundEveryRun) {
  std::mt19937 random(2);
  std::string data;
  for (int i = 0; i < 4 * 3072; ++i) data += static_cast<char>(random());
  for (size_t runs = 1; runs <= 3; ++runs) {
    for (size_t size = runs * 3072 - 9; size <= runs * 3072 + 9; ++size) {
      for (uint32_t before : {0u, 0x12345678u}) {
        uint32_t wanted = BitByBit(data.substr(1, size), before);
        ASSERT_EQ(Crc32c(data.data() + 1, size, before), wanted) << size;
        ASSERT_EQ(Crc32cByTable(data.data() + 1, size, before), wanted) << size;
      }
    }
  }
}

TEST(Crc32c, GoesOnWhereItStopped) {
  std::string data = "a text that is read in two parts";
  for (size_t cut = 0; cut <= data.size(); ++cut) {
    EXPECT_EQ(Crc(data.substr(cut), Crc(data.substr(0, cut))), Crc(data)) << cut;
    EXPECT_EQ(Crc32cByTable(data.data() + cut, data.size() - cut, Crc(data.substr(0, cut))),
              Crc(data));
  }
}

}  // namespace
}  // namespace vineyard::shm

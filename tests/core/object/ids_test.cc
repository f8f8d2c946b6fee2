#include "core/object/ids.h"

#include <gtest/gtest.h>

namespace vineyard {
namespace {

TEST(Ids, ComeBackAsTheyWerePrinted) {
  for (ObjectId id : {ObjectId{1}, kEmptyBlobId, MakeId(false, 1, 1), MakeId(true, 1, 1),
                      MakeId(true, kMaxInstance, kMaxCounter), ObjectId{0x123456789abcdef0}}) {
    auto parsed = ParseId(PrintId(id));
    ASSERT_TRUE(parsed.ok()) << PrintId(id);
    EXPECT_EQ(*parsed, id);
  }
}

TEST(Ids, ArePrintedWithSixteenLowerCaseDigits) {
  EXPECT_EQ(PrintId(0), "o0000000000000000");
  EXPECT_EQ(PrintId(0xabcdef), "o0000000000abcdef");
  EXPECT_EQ(PrintId(UINT64_MAX), "offffffffffffffff");
}

TEST(Ids, PartsDoNotOverlap) {
  EXPECT_EQ(MakeId(true, kMaxInstance, kMaxCounter), UINT64_MAX);
  EXPECT_EQ(MakeId(true, 0, 0), uint64_t{1} << 63);
  EXPECT_EQ(MakeId(false, 1, 0), uint64_t{1} << 40);
  EXPECT_EQ(CounterOf(MakeId(true, kMaxInstance, 77)), 77u);
  EXPECT_TRUE(IsBlobId(MakeId(true, 1, 1)));
  EXPECT_FALSE(IsBlobId(MakeId(false, kMaxInstance, kMaxCounter)));
}

TEST(Ids, EmptyBlobIsNotTheInvalidId) {
  EXPECT_NE(kEmptyBlobId, kInvalidId);
  EXPECT_TRUE(IsBlobId(kEmptyBlobId));
  EXPECT_TRUE(ParseId(PrintId(kEmptyBlobId)).ok());
}

class NoId : public testing::TestWithParam<std::string_view> {};

TEST_P(NoId, IsRefused) {
  auto parsed = ParseId(GetParam());
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), Code::kInvalid);
}

using namespace std::string_view_literals;  // texts with NUL
INSTANTIATE_TEST_SUITE_P(
    Ids, NoId,
    testing::Values(""sv, "o"sv, "o000000000000001"sv, "o00000000000000001"sv, "0000000000000001"sv,
                    "00000000000000001"sv, "O0000000000000001"sv, "o000000000000000A"sv,
                    "o000000000000000F"sv, "o000000000000000g"sv, "o-000000000000001"sv,
                    "o+000000000000001"sv, "o0x00000000000001"sv, "o000000000000 001"sv,
                    " o000000000000001"sv, "o0000000000000001 "sv, "o0000000000000001\n"sv,
                    "o000000000000000\0"sv, "o0000000000000001\0"sv, "o000000000000000\xff"sv,
                    "o000000000000000/"sv, "o000000000000000:"sv, "o000000000000000`"sv));

TEST(Ids, InvalidIdIsRefusedThoughItIsPrinted) {
  EXPECT_EQ(ParseId(PrintId(kInvalidId)).status().code(), Code::kInvalid);
}

TEST(Ids, ErrorOfALongTextIsShort) {
  EXPECT_LT(ParseId(std::string(1 << 20, 'o')).status().text().size(), 200u);
}

}  // namespace
}  // namespace vineyard

#include "core/object/value.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace vineyard {
namespace {

TEST(Value, DefaultIsNull) {
  EXPECT_TRUE(Value().is(ValueType::kNull));
  EXPECT_EQ(Value().size, 0u);
}

TEST(Value, EveryMakerSetsTypeAndContent) {
  EXPECT_EQ(Value::Bool(true).as.boolean, 1);
  EXPECT_EQ(Value::Bool(false).as.boolean, 0);
  EXPECT_EQ(Value::Int64(INT64_MIN).as.int64, INT64_MIN);
  EXPECT_EQ(Value::Uint64(UINT64_MAX).as.uint64, UINT64_MAX);
  EXPECT_EQ(Value::Float64(-0.5).as.float64, -0.5);
  EXPECT_EQ(Value::String({"a\0b", 3}).text(), std::string_view("a\0b", 3));
  EXPECT_EQ(Value::Bytes("\xff").text(), "\xff");
  EXPECT_TRUE(Value::String("x").is(ValueType::kString));
  EXPECT_TRUE(Value::Bytes("x").is(ValueType::kBytes));
  EXPECT_TRUE(Value::Bytes("x").is_text());
  EXPECT_FALSE(Value::Int64(1).is_text());
}

TEST(Value, IntegerOfEitherSignednessIsReadWhenItFits) {
  uint64_t u = 0;
  int64_t i = 0;
  EXPECT_TRUE(Value::Int64(5).GetUint64(&u) && u == 5);
  EXPECT_TRUE(Value::Uint64(UINT64_MAX).GetUint64(&u) && u == UINT64_MAX);
  EXPECT_TRUE(Value::Uint64(INT64_MAX).GetInt64(&i) && i == INT64_MAX);
  EXPECT_TRUE(Value::Int64(INT64_MIN).GetInt64(&i) && i == INT64_MIN);
}

TEST(Value, IntegerThatDoesNotFitIsRefused) {
  uint64_t u = 7;
  int64_t i = 7;
  EXPECT_FALSE(Value::Int64(-1).GetUint64(&u));
  EXPECT_FALSE(Value::Uint64(uint64_t{INT64_MAX} + 1).GetInt64(&i));
  EXPECT_EQ(u, 7u);
  EXPECT_EQ(i, 7);
}

TEST(Value, OtherTypesAreNoIntegers) {
  uint64_t u = 0;
  int64_t i = 0;
  for (const Value& value :
       {Value::Null(), Value::Bool(true), Value::Float64(1), Value::String("1"), Value::Bytes("1"),
        Value::List(nullptr, 0), Value::Map(nullptr, 0)}) {
    EXPECT_FALSE(value.GetUint64(&u)) << static_cast<int>(value.type);
    EXPECT_FALSE(value.GetInt64(&i)) << static_cast<int>(value.type);
  }
}

TEST(Value, FindGivesTheFirstPairWithTheKey) {
  Value items[] = {Value::String("a"), Value::Int64(1),    Value::String("b"),
                   Value::Int64(2),    Value::String("a"), Value::Int64(3)};
  Value map = Value::Map(items, 3);
  EXPECT_EQ(map.Find("a"), &items[1]);
  EXPECT_EQ(map.Find("b"), &items[3]);
  EXPECT_EQ(map.Find("c"), nullptr);
  EXPECT_EQ(map.Find(""), nullptr);
  EXPECT_EQ(Value::Map(nullptr, 0).Find("a"), nullptr);
}

TEST(Arena, PiecesAreDefaultAndDoNotOverlap) {
  Arena arena;
  std::vector<std::pair<Value*, uint64_t>> pieces;
  for (uint64_t count = 1; count < 3000; count += 1 + count / 3) {
    Value* values = arena.New(count);
    for (uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(values[i].is(ValueType::kNull)) << count;
      values[i] = Value::Uint64(count);
    }
    pieces.emplace_back(values, count);
  }
  for (auto [values, count] : pieces) {
    for (uint64_t i = 0; i < count; ++i) ASSERT_EQ(values[i].as.uint64, count);
  }
}

TEST(Arena, TakesLittleMoreThanWhatWasAskedFor) {
  // The pattern that is worst for blocks which double: each piece just does not fit.
  for (uint64_t most : {10, 700, 1024, 1025, 5000, 100000}) {
    Arena arena;
    uint64_t asked = 0;
    for (uint64_t i = 0; asked < 300000; ++i) {
      uint64_t count = 1 + i * 7919 % most;
      arena.New(count);
      asked += count;
    }
    EXPECT_GE(arena.capacity(), asked);
    EXPECT_LE(arena.capacity(), asked + asked / 3 + 2 * 4096) << most;
  }
}

TEST(Arena, ValuesStayWhereTheyAreWhenItMoves) {
  Arena first;
  Value* value = first.New(1);
  *value = Value::Int64(7);
  Arena second = std::move(first);
  EXPECT_EQ(value->as.int64, 7);
  EXPECT_NE(second.New(1), value);
}

// Found by review: a moved arena kept its room and lost its blocks.
TEST(Arena, MovedOneCanBeUsedAgain) {
  Arena first;
  first.New(1);
  Arena second = std::move(first);
  Value* value = first.New(1);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(value->is(ValueType::kNull));
  second = std::move(first);
  EXPECT_TRUE(first.New(2)->is(ValueType::kNull));  // NOLINT(bugprone-use-after-move)
}

}  // namespace
}  // namespace vineyard

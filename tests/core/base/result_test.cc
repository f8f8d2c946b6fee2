#include "core/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace vineyard {
namespace {

TEST(Result, OfAValueIsOk) {
  Result<int> result = 0;
  EXPECT_TRUE(result.ok());
  EXPECT_TRUE(result.status().ok());
  EXPECT_EQ(*result, 0);
}

TEST(Result, OfAStatusHasNoValue) {
  Result<int> result = NotFound("x");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kNotFound);
}

TEST(ResultDeathTest, OkWithoutAValueIsADefect) {
  EXPECT_DEATH((void)Result<int>{OkStatus()}, "check failed");
}

TEST(Result, GivesAValueThatOnlyMoves) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 7);
}

Result<int> Half(int number) {
  if (number % 2 != 0) return Invalid("odd");
  return number / 2;
}

Result<std::string> TwoHalves(int a, int b) {
  ASSIGN_OR_RETURN(int first, Half(a));
  int second = 0;
  ASSIGN_OR_RETURN(second, Half(b));
  return std::to_string(first) + "," + std::to_string(second);
}

TEST(AssignOrReturn, DeclaresAndAssigns) { EXPECT_EQ(*TwoHalves(4, 6), "2,3"); }

TEST(AssignOrReturn, TheFirstErrorIsTheAnswer) {
  EXPECT_EQ(TwoHalves(1, 2).status().text(), "odd");
  EXPECT_EQ(TwoHalves(2, 1).status().text(), "odd");
}

}  // namespace
}  // namespace vineyard

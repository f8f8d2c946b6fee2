#include "core/meta/catalog.h"

#include <gtest/gtest.h>

#include "tests/core/meta/trees.h"

namespace vineyard::meta {
namespace {

TEST(Catalog, WhatIsReadAgainIsNoChange) {
  Catalog catalog;
  std::vector<Event> told;
  catalog.on_event = [&](const Event& event) { told.push_back(event); };
  for (int times = 0; times < 3; ++times) {
    ASSERT_TRUE(catalog.Apply(TreeCreated{ArrayTree(7, 1)}).ok());
  }
  EXPECT_EQ(told.size(), 1u);
}

// Only somebody else's hands do that.
TEST(Catalog, ATreeThatIsWrittenAnewWithLessLosesTheNamesOfTheRest) {
  Catalog catalog;
  ASSERT_TRUE(catalog.Apply(TreeCreated{ArrayTree(7, 1)}).ok());
  ObjectId part = MakeId(true, 7, 2);
  ASSERT_EQ(catalog.HomeOf(part), MakeId(false, 7, 1));
  ASSERT_TRUE(catalog.Apply(NamePut{"n", {part, 1}}).ok());
  ASSERT_TRUE(catalog.Apply(NamePut{"m", {MakeId(false, 7, 1), 2}}).ok());
  TreeMaker less(7);
  less.Object(MakeId(false, 7, 1), "vineyard::Array", {});
  ASSERT_TRUE(catalog.Apply(TreeLabelled{less.Bytes()}).ok());
  EXPECT_FALSE(catalog.FindName("n"));
  EXPECT_TRUE(catalog.FindName("m"));
  ASSERT_TRUE(catalog.Apply(TreeDeleted{MakeId(false, 7, 1)}).ok());
  EXPECT_EQ(catalog.names(), 0u);
}

}  // namespace
}  // namespace vineyard::meta

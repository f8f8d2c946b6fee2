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

}  // namespace
}  // namespace vineyard::meta

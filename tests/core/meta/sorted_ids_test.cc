#include "core/meta/sorted_ids.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace vineyard::meta {
namespace {

std::vector<ObjectId> After(const SortedIds& ids, ObjectId after, size_t limit = SIZE_MAX) {
  std::vector<ObjectId> visited;
  ids.VisitAfter(after, [&](ObjectId id) {
    visited.push_back(id);
    return visited.size() < limit;
  });
  return visited;
}

TEST(SortedIds, AreInOrderWhateverCameAndWent) {
  std::mt19937_64 random(7);
  SortedIds ids;
  std::set<ObjectId> model;
  EXPECT_TRUE(After(ids, 0).empty());
  for (int phase = 0; phase < 8; ++phase) {
    for (int step = 0; step < 5000; ++step) {
      ObjectId id = 1 + random() % 20'000;
      if (model.contains(id) == (phase % 2 == 0)) continue;  // grows and shrinks in turn
      if (model.insert(id).second) {
        ids.Insert(id);
      } else {
        model.erase(id);
        ids.Erase(id);
      }
    }
    ObjectId from = random() % 20'000;
    EXPECT_EQ(After(ids, 0), std::vector<ObjectId>(model.begin(), model.end()));
    EXPECT_EQ(After(ids, from), std::vector<ObjectId>(model.upper_bound(from), model.end()));
  }
  for (ObjectId id : model) ids.Erase(id);
  EXPECT_TRUE(After(ids, 0).empty());
}

TEST(SortedIds, WhatGrowsAtItsEndIsInOrderToo) {
  SortedIds ids;
  std::vector<ObjectId> all;
  // Two instances that take turns.
  for (ObjectId i = 1; i <= 5000; ++i) {
    ids.Insert(i);
    ids.Insert(1'000'000 + i);
    all.push_back(i);
  }
  for (ObjectId i = 1; i <= 5000; ++i) all.push_back(1'000'000 + i);
  EXPECT_EQ(After(ids, 0), all);
  EXPECT_EQ(After(ids, 5000, 2), (std::vector<ObjectId>{1'000'001, 1'000'002}));
}

}  // namespace
}  // namespace vineyard::meta

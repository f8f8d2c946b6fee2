#include "core/meta/places.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace vineyard::meta {
namespace {

TEST(Places, EveryObjectIsFoundWhateverElseCameAndWent) {
  std::mt19937_64 random(7);
  Places places;
  std::map<ObjectId, uint32_t> model;
  EXPECT_EQ(places.Find(1), nullptr);
  for (uint32_t step = 0; step < 200'000; ++step) {
    // Few enough that most are there sometimes; consecutive, as those of an instance are.
    ObjectId id = MakeId(false, 1 + random() % 3, 1 + random() % 2000);
    bool grows = (step / 20'000) % 2 == 0;
    if (auto known = model.find(id); known == model.end()) {
      ASSERT_EQ(places.Find(id), nullptr);
      if (!grows && random() % 4 != 0) continue;
      places.Insert(id, {step, static_cast<uint16_t>(step)});
      model.emplace(id, step);
    } else {
      ASSERT_NE(places.Find(id), nullptr);
      ASSERT_EQ(places.Find(id)->tree, known->second);
      ASSERT_EQ(places.Find(id)->type, static_cast<uint16_t>(known->second));
      if (grows && random() % 4 != 0) continue;
      places.Erase(id);
      model.erase(known);
    }
    ASSERT_EQ(places.size(), model.size());
  }
  EXPECT_FALSE(model.empty());
  for (const auto& [id, tree] : model) {
    ASSERT_TRUE(places.contains(id));
    places.Erase(id);
  }
  EXPECT_EQ(places.size(), 0u);
}

TEST(Places, NoIdIsNowhere) {
  Places places;
  places.Insert(1, {0, 0});
  EXPECT_FALSE(places.contains(kInvalidId));
}

}  // namespace
}  // namespace vineyard::meta

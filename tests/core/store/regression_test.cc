// One test for each defect that was found, named after it.
#include <algorithm>

#include "core/base/bytes.h"
#include "core/store/store_impl.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

class RegressionTest : public StoreTest {
 protected:
  std::vector<ObjectId> List(const std::string& type) {
    auto page = store_->List(type, "", 10'000);
    EXPECT_TRUE(page.ok());
    return page.ok() ? page->ids() : std::vector<ObjectId>();
  }
};

// The index by type was cleaned in the middle of a change that took many: the rest of it was counted as
// dead a second time, and the living of the type vanished from lists.
TEST_F(RegressionTest, WhatSurvivesADeleteOfManyStaysInLists) {
  std::vector<ObjectId> ids, deleted;
  for (int i = 0; i < 130; ++i) ids.push_back(PutObject("t", {}));
  ASSERT_EQ(List("t").size(), 130u);
  deleted.assign(ids.begin() + 1, ids.end() - 1);
  ASSERT_TRUE(store_->Delete({}, deleted, /*force=*/false, /*deep=*/true).ok());
  EXPECT_THAT(List("t"), ::testing::ElementsAre(ids.front(), ids.back()));
  ASSERT_TRUE(store_->Delete({}, {ids.front()}, false, true).ok());
  EXPECT_THAT(List("t"), ::testing::ElementsAre(ids.back()));
}

TEST_F(RegressionTest, WhatSurvivesTheEndOfALongListStaysInLists) {
  std::vector<ObjectId> members;
  for (int i = 0; i < 200; ++i) members.push_back(PutObject("t", {}));
  ObjectId kept = PutObject("t", {});
  ObjectId root = PutObject("list", members);
  ASSERT_EQ(List("t").size(), 201u);
  ASSERT_TRUE(store_->Delete({}, {root}, false, true).ok());
  for (int i = 0; i < 100 && store_->has_deferred(); ++i) store_->Tick(0);
  EXPECT_THAT(List("t"), ::testing::ElementsAre(kept));
}

// A blob that was shrunk to nothing kept the location of its lease, whose memory was free: another object
// or a retired segment could be there, and the next daemon quarantined it.
TEST_F(RegressionTest, ABlobShrunkToNothingHasNoLocation) {
  FakeClient client(store_.get(), 1);
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 4 * kMiB); });
  ASSERT_TRUE(lease.ok());
  TreeMaker maker;
  maker.Object("t", {maker.Leased(lease->id, 0)});
  ObjectId root = Put(maker, {1, 0});
  store_->Trim();
  Restart();
  EXPECT_EQ(store_->Stats().quarantined, 0u);
  EXPECT_TRUE(Exists(root));
  EXPECT_TRUE(Exists(lease->id));
}

// A member that readers held as part of a tree that was deleted counted each of the many ids once more.
TEST_F(RegressionTest, ManyMembersOfADeletedTreeThatIsHeldCanBeDeleted) {
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> members;
  for (int i = 0; i < 1000; ++i) members.push_back(PutBlob("x"));
  members.push_back(members.front());  // linked twice
  ObjectId root = PutObject("t", members);
  uint32_t slot = SlotOf(root);
  client.Pin(slot);
  ASSERT_TRUE(store_->Delete({}, {root}, false, /*deep=*/false).ok());
  members.pop_back();
  EXPECT_TRUE(store_->Delete({}, members, false, true).ok());
  client.Unpin(slot);
  for (int i = 0; i < 100 && store_->has_deferred(); ++i) store_->Tick(0);
  EXPECT_FALSE(Exists(members.front()));
  EXPECT_FALSE(store_->has_deferred());
}

// Every change and every tick looked at all objects that were deleted and held. In turns now: all of them
// come back, each change pays for some.
TEST_F(RegressionTest, ManyDeletedObjectsThatWereHeldComeBackInTurns) {
  FakeClient client(store_.get(), 1);
  constexpr int kMany = 3000;
  std::vector<ObjectId> ids;
  std::vector<uint32_t> slots;
  for (int i = 0; i < kMany; ++i) {
    ids.push_back(PutBlob("x"));
    slots.push_back(SlotOf(ids.back()));
    client.Pin(slots.back());
  }
  ASSERT_TRUE(store_->Delete({}, ids, false, true).ok());
  EXPECT_EQ(store_->Stats().deferred, static_cast<uint64_t>(kMany));
  // Every second one is let go.
  for (int i = 0; i < kMany; i += 2) client.Unpin(slots[i]);
  for (int i = 0; i < 4; ++i) store_->Tick(0);
  EXPECT_EQ(store_->Stats().deferred, static_cast<uint64_t>(kMany / 2));
  store_->CheckInvariants();
  // One delete more frees what it took, whatever else is held.
  ObjectId other = PutBlob("y");
  uint32_t other_slot = SlotOf(other);
  ASSERT_TRUE(store_->Delete({}, {other}, false, true).ok());
  EXPECT_EQ(store_->Stats().deferred, static_cast<uint64_t>(kMany / 2));
  EXPECT_EQ(SlotOf(PutBlob("z")), other_slot);
  for (int i = 1; i < kMany; i += 2) client.Unpin(slots[i]);
  for (int i = 0; i < 4; ++i) store_->Tick(0);
  EXPECT_FALSE(store_->has_deferred());
}

// Making room for a name's record is a change of its own. The name said the revision before it.
TEST_F(RegressionTest, ANameHasTheRevisionThatItsPutAnswered) {
  store_.reset();
  options_.size_bytes = 4 * kMiB;
  options_.eviction = Eviction::kDrop;
  Start();
  ObjectId target = PutBlob("target");
  FakeClient client(store_.get(), 1);
  client.Pin(SlotOf(target));
  // Full, also of pieces as small as the record of a name.
  for (uint64_t size : {1024, 64}) {
    for (uint64_t before = store_->Stats().evictions; store_->Stats().evictions == before;) {
      TreeMaker maker;
      maker.Blob(std::string(size, 'x'));
      ASSERT_TRUE(TryPut(maker.tree()).ok());
    }
  }
  bool made_room = false;
  uint64_t revision = UINT64_MAX, evictions = store_->Stats().evictions;
  for (int i = 0; i < 2000 && !made_room; ++i) {
    std::string name = "name " + std::to_string(i / 2);
    auto put = Retry([&] { return store_->PutName({1, 0}, name, target, i % 2 == 1, revision); });
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    made_room = store_->Stats().evictions > evictions;
    auto items = store_->ListNames(name, "", 1).names;
    ASSERT_EQ(items.size(), 1u);
    EXPECT_EQ(items[0].revision, put->revision);
    revision = i % 2 == 0 ? put->revision : UINT64_MAX;
  }
  EXPECT_TRUE(made_room);
  client.Unpin(SlotOf(target));
}

// A segment could not be made, and the objects that --evict drop is for stayed.
TEST_F(RegressionTest, WhereGrowthFailsEvictionMakesRoom) {
  store_.reset();
  options_.eviction = Eviction::kDrop;
  Start();
  FakeClient client(store_.get(), 1);
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 8 * kMiB); });
  ASSERT_TRUE(lease.ok());
  TreeMaker maker;
  maker.Leased(lease->id, 8 * kMiB);
  ObjectId old = Put(maker, {1, 0});
  auto next = [&]() -> Result<Mutation> {
    while (true) {
      auto result = store_->Lease({1, 0}, BlobKind::kBuffer, 8 * kMiB);
      if (result.ok() || !store_->GrowthWanted()) return result;
      store_->GrowthFailed({Code::kHostMemory, "the host has no memory"});
    }
  };
  Result<Mutation> last = next();
  for (int i = 0; i < 10 && last.ok() && Exists(old); ++i) last = next();
  EXPECT_TRUE(last.ok()) << last.status().ToString();
  EXPECT_FALSE(Exists(old));
  // And what can not be evicted ends in the reason.
  for (int i = 0; i < 10 && last.ok(); ++i) last = next();
  EXPECT_EQ(last.status().code(), Code::kHostMemory);
}

// One object with many names: forgetting each looked at all of them.
TEST_F(RegressionTest, AnObjectWithManyNamesIsDeletedWithAllOfThem) {
  ObjectId id = PutBlob("x");
  for (int i = 0; i < 2000; ++i) {
    std::string name = "n" + std::to_string(i);
    ASSERT_TRUE(Retry([&] { return store_->PutName({}, name, id, false, UINT64_MAX); }).ok());
  }
  EXPECT_EQ(store_->ListNames("n19*", "", 5000).names.size(), 111u);
  EXPECT_EQ(store_->ListNames("n19*", "n199", 5000).names.size(), 10u);
  EXPECT_EQ(store_->ListNames("[n]19?", "", 5000).names.size(), 10u);
  store_->CheckInvariants();
  ASSERT_TRUE(store_->Delete({}, {id}, false, true).ok());
  for (int i = 0; i < 100 && store_->has_deferred(); ++i) store_->Tick(0);
  EXPECT_EQ(store_->Stats().names, 0u);
  EXPECT_EQ(Used(), 0u);
}

}  // namespace
}  // namespace vineyard::store

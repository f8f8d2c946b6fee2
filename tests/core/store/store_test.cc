#include "core/store/store.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "core/shm/slot_table.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(StoreTest, ABlobIsFoundByItsIdAndItsBytesAreWhereItsSlotSays) {
  ObjectId id = PutBlob("Hello, World!", BlobKind::kBytes);
  EXPECT_TRUE(IsBlobId(id));
  auto found = store_->Find(id);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(shm::StateOf(found->word), shm::SlotState::kSealed);
}

TEST_F(StoreTest, AMissNamesTheObject) {
  auto found = store_->Find(MakeId(true, store_->instance(), 77));
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().code(), Code::kNotFound);
  EXPECT_THAT(found.status().text(), HasSubstr(PrintId(MakeId(true, store_->instance(), 77))));
}

TEST_F(StoreTest, ATreeIsStoredWhole) {
  TreeMaker maker;
  uint64_t a = maker.Blob("a"), b = maker.Blob("b");
  uint64_t pair = maker.Object("vineyard::Pair", {a, b});
  maker.Object("vineyard::List", {pair, pair, a});
  ObjectId root = Put(maker);
  ASSERT_NE(root, kInvalidId);
  uint64_t counter = CounterOf(root);
  for (uint64_t back = 1; back <= 3; ++back) {
    bool blob = back >= 2;
    EXPECT_TRUE(Exists(MakeId(blob, store_->instance(), counter - back)));
  }
  store_->CheckInvariants();
}

TEST_F(StoreTest, ATreeWithAMissingMemberStoresNothing) {
  uint64_t used = Used();
  TreeMaker maker;
  uint64_t a = maker.Blob("a");
  maker.Object("vineyard::Pair", {a}, {MakeId(false, store_->instance(), 999)});
  auto result = TryPut(maker.tree());
  EXPECT_EQ(result.status().code(), Code::kNotFound);
  EXPECT_THAT(result.status().text(), HasSubstr("'m1' of vineyard::Pair"));
  EXPECT_EQ(Used(), used);
  EXPECT_EQ(store_->Stats().blobs, 0u);
}

TEST_F(StoreTest, TreesThatCanNotBeRightAreRefused) {
  {
    Tree empty;
    EXPECT_EQ(TryPut(empty).status().code(), Code::kInvalid);
  }
  {
    TreeMaker forward;
    forward.Object("t", {1});
    forward.Blob("x");
    EXPECT_EQ(TryPut(forward.tree()).status().code(), Code::kInvalid);
  }
  {
    TreeMaker orphan;
    orphan.Blob("x");
    orphan.Blob("y");
    EXPECT_EQ(TryPut(orphan.tree()).status().code(), Code::kInvalid);
  }
  {
    TreeMaker no_type;
    no_type.Object("", {});
    EXPECT_EQ(TryPut(no_type.tree()).status().code(), Code::kInvalid);
  }
  {
    TreeMaker bad_fields;
    bad_fields.Object("t", {});
    bad_fields.tree().nodes[0].fields = "\xc1";
    EXPECT_EQ(TryPut(bad_fields.tree()).status().code(), Code::kInvalid);
  }
  {
    TreeMaker large;
    large.Blob(std::string(kMaxInlinePayload + 1, 'x'));
    EXPECT_EQ(TryPut(large.tree()).status().code(), Code::kLimit);
  }
  {
    TreeMaker deep;
    uint64_t below = deep.Blob("x");
    for (uint32_t i = 0; i < kMaxDepth + 1; ++i) below = deep.Object("t", {below});
    EXPECT_EQ(TryPut(deep.tree()).status().code(), Code::kLimit);
  }
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, ADeletedObjectIsGoneAndItsMemoryIsBack) {
  ObjectId id = PutBlob(std::string(5000, 'x'));
  auto deleted = store_->Delete({}, {id}, false, true);
  ASSERT_TRUE(deleted.ok());
  EXPECT_FALSE(Exists(id));
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, ADeletedObjectKeepsItsBytesWhileItIsPinned) {
  FakeClient client(store_.get(), 1);
  ObjectId id = PutBlob(std::string(5000, 'x'));
  uint32_t slot = SlotOf(id);
  client.Pin(slot);
  ASSERT_TRUE(store_->Delete({}, {id}, false, true).ok());
  EXPECT_FALSE(Exists(id));
  EXPECT_GE(Used(), 5000u);
  EXPECT_TRUE(store_->has_deferred());
  client.Unpin(slot);
  store_->Tick(0);
  EXPECT_EQ(Used(), 0u);
  EXPECT_FALSE(store_->has_deferred());
}

TEST_F(StoreTest, APinnedRootKeepsItsWholeTree) {
  FakeClient client(store_.get(), 1);
  TreeMaker maker;
  maker.Object("outer", {maker.Object("inner", {maker.Blob("leaf")})});
  ObjectId root = Put(maker);
  uint32_t slot = SlotOf(root);
  client.Pin(slot);
  uint64_t used = Used();
  ASSERT_TRUE(store_->Delete({}, {root}, false, /*deep=*/true).ok());
  store_->Tick(0);
  EXPECT_EQ(Used(), used);
  client.Unpin(slot);
  store_->Tick(0);
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, AShallowDeleteLeavesMembers) {
  ObjectId blob = PutBlob("leaf");
  ObjectId root = PutObject("t", {blob});
  ASSERT_TRUE(store_->Delete({}, {root}, false, /*deep=*/false).ok());
  EXPECT_FALSE(Exists(root));
  EXPECT_TRUE(Exists(blob));
}

TEST_F(StoreTest, ADeepDeleteSparesWhatAnotherParentHolds) {
  ObjectId blob = PutBlob("leaf");
  ObjectId first = PutObject("t", {blob}), second = PutObject("t", {blob, blob});
  ASSERT_TRUE(store_->Delete({}, {first}, false, true).ok());
  EXPECT_TRUE(Exists(blob));
  ASSERT_TRUE(store_->Delete({}, {second}, false, false).ok());
  EXPECT_FALSE(Exists(blob)) << "it was released by the deep delete: its last link has gone";
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, ALinkedObjectIsNotDeletedUnlessForced) {
  ObjectId blob = PutBlob("leaf");
  ObjectId root = PutObject("my::Type", {blob});
  auto refused = store_->Delete({}, {blob}, false, true);
  EXPECT_EQ(refused.status().code(), Code::kInUse);
  EXPECT_THAT(refused.status().text(), HasSubstr(PrintId(root)));
  EXPECT_THAT(refused.status().text(), HasSubstr("my::Type"));
  ASSERT_TRUE(store_->Delete({}, {blob}, true, true).ok());
  EXPECT_TRUE(Exists(blob)) << "found as long as it is linked";
  ASSERT_TRUE(store_->Delete({}, {root}, false, false).ok());
  EXPECT_FALSE(Exists(blob));
}

TEST_F(StoreTest, AParentAndItsMemberAreDeletedTogetherInAnyOrder) {
  ObjectId blob = PutBlob("leaf");
  ObjectId root = PutObject("t", {blob});
  ASSERT_TRUE(store_->Delete({}, {blob, root}, false, false).ok());
  EXPECT_FALSE(Exists(root));
  EXPECT_FALSE(Exists(blob));
}

TEST_F(StoreTest, AMemberOfADeletedButPinnedParentCanBeDeleted) {
  FakeClient client(store_.get(), 1);
  ObjectId blob = PutBlob("leaf");
  ObjectId root = PutObject("t", {blob});
  uint32_t slot = SlotOf(root);
  client.Pin(slot);
  ASSERT_TRUE(store_->Delete({}, {root}, false, false).ok());
  auto deleted = store_->Delete({}, {blob}, false, false);
  EXPECT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_TRUE(Exists(blob)) << "the reader of the root may still look it up";
  client.Unpin(slot);
  store_->Tick(0);
  EXPECT_FALSE(Exists(blob));
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, ADeleteOfManyIsAllOrNothing) {
  ObjectId blob = PutBlob("x");
  auto result = store_->Delete({}, {blob, MakeId(false, store_->instance(), 555)}, false, true);
  EXPECT_EQ(result.status().code(), Code::kNotFound);
  EXPECT_TRUE(Exists(blob));
}

TEST_F(StoreTest, ALongListIsDeletedWithItsMembers) {
  TreeMaker maker;
  std::vector<uint64_t> members;
  for (int i = 0; i < 20'000; ++i) members.push_back(maker.Blob("x"));
  maker.Object("vineyard::List", members);
  ObjectId root = Put(maker);
  ASSERT_TRUE(store_->Delete({}, {root}, false, true).ok());
  for (int i = 0; i < 100 && store_->has_deferred(); ++i) store_->Tick(0);
  EXPECT_EQ(Used(), 0u);
}

// ---- requests ----

TEST_F(StoreTest, ARepeatedRequestIsAnsweredAndNotApplied) {
  FakeClient client(store_.get(), 9);
  TreeMaker maker;
  maker.Blob("x");
  ObjectId first = Put(maker, {9, 1});
  EXPECT_EQ(Put(maker, {9, 1}), first);
  EXPECT_EQ(store_->Stats().blobs, 1u);
  EXPECT_NE(Put(maker, {9, 2}), first);
}

TEST_F(StoreTest, ARepeatedRequestIsAnsweredByTheNextDaemonToo) {
  FakeClient client(store_.get(), 9);
  TreeMaker maker;
  maker.Blob("x");
  ObjectId first = Put(maker, {9, 1});
  Restart();
  EXPECT_TRUE(store_->ResumeSession({9, {9, 9}, 1000, 1}));
  EXPECT_EQ(Put(maker, {9, 1}), first);
  EXPECT_EQ(store_->Stats().blobs, 1u);
}

TEST_F(StoreTest, ARequestBelowTheWindowIsRefused) {
  FakeClient client(store_.get(), 9);
  TreeMaker maker;
  maker.Blob("x");
  Put(maker, {9, 65});
  EXPECT_EQ(TryPut(maker.tree(), {9, 1}).status().code(), Code::kProtocol);
}

TEST_F(StoreTest, AnIdIsNeverUsedTwice) {
  std::set<ObjectId> seen;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 10; ++i) {
      ObjectId id = PutBlob("x");
      EXPECT_TRUE(seen.insert(id).second);
      ASSERT_TRUE(store_->Delete({}, {id}, false, true).ok());
    }
    Restart();
  }
}

// ---- leases ----

TEST_F(StoreTest, ALeaseIsInvisibleUntilItIsSealed) {
  FakeClient client(store_.get(), 4);
  auto lease = Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 300'000); });
  ASSERT_TRUE(lease.ok()) << lease.status().ToString();
  EXPECT_FALSE(Exists(lease->id));
  EXPECT_THAT(store_->Find(lease->id).status().text(), HasSubstr("being written"));
  TreeMaker maker;
  maker.Leased(lease->id, 300'000);
  EXPECT_EQ(Put(maker, {4, 2}), lease->id);
  EXPECT_TRUE(Exists(lease->id));
}

TEST_F(StoreTest, WhatALeaseDoesNotUseGoesBack) {
  FakeClient client(store_.get(), 4);
  auto lease = Retry([&] { return store_->Lease({4, 1}, BlobKind::kBytes, 3'000'000); });
  ASSERT_TRUE(lease.ok());
  TreeMaker maker;
  maker.Leased(lease->id, 100, BlobKind::kBytes);
  Put(maker, {4, 2});
  EXPECT_LE(Used(), 256u);
  store_->CheckInvariants();
}

TEST_F(StoreTest, OnlyItsSessionSealsALease) {
  FakeClient owner(store_.get(), 4), other(store_.get(), 5);
  auto lease = Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 1000); });
  ASSERT_TRUE(lease.ok());
  TreeMaker maker;
  maker.Leased(lease->id, 1000);
  EXPECT_EQ(TryPut(maker.tree(), {5, 1}).status().code(), Code::kPermission);
  EXPECT_EQ(store_->DropLease({5, 2}, lease->id).status().code(), Code::kPermission);
  EXPECT_TRUE(store_->DropLease({4, 2}, lease->id).ok());
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, LeasesOfADeadSessionComeBack) {
  FakeClient client(store_.get(), 4);
  ASSERT_TRUE(Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 1'000'000); }).ok());
  EXPECT_TRUE(store_->SessionAlive(4));
  client.Die();
  EXPECT_FALSE(store_->SessionAlive(4));
  store_->EndSession(4);
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, PinsOfADeadSessionAreForgotten) {
  FakeClient client(store_.get(), 4);
  ObjectId id = PutBlob("x");
  client.Pin(SlotOf(id));
  ASSERT_TRUE(store_->Delete({}, {id}, false, true).ok());
  EXPECT_GT(Used(), 0u);
  client.Die();
  store_->EndSession(4);
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, ALeaseSurvivesTheDaemonWhileItsSessionLives) {
  FakeClient client(store_.get(), 4);
  auto lease = Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 200'000); });
  ASSERT_TRUE(lease.ok());
  Restart();
  // Nobody else is given that memory.
  for (int i = 0; i < 20; ++i) {
    auto other = Retry([&] { return store_->Lease({}, BlobKind::kBuffer, 100'000); });
    ASSERT_TRUE(other.ok());
    EXPECT_FALSE(other->value >= lease->value && other->value < lease->value + 200'000 / 64);
    ASSERT_TRUE(store_->DropLease({}, other->id).ok());
  }
  TreeMaker maker;
  maker.Leased(lease->id, 200'000);
  EXPECT_EQ(Put(maker, {4, 2}), lease->id);
}

// ---- restart ----

TEST_F(StoreTest, EverythingSealedIsThereAfterARestart) {
  FakeClient client(store_.get(), 4);
  ObjectId blob = PutBlob("leaf", BlobKind::kBytes);
  ObjectId root = PutObject("vineyard::List", {blob});
  ASSERT_TRUE(store_->PutName({}, "the name", root, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->SetLabels({}, root, {{"colour", "red"}}).ok());
  uint64_t used = Used();
  Restart();
  EXPECT_TRUE(Exists(blob));
  EXPECT_TRUE(Exists(root));
  EXPECT_TRUE(store_->FindName("the name").ok());
  EXPECT_TRUE(store_->FindLabels(root).ok());
  EXPECT_EQ(Used(), used);
  auto page = store_->List("vineyard::Sequence", "", 10);
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->ids(), ElementsAre(root));
}

TEST_F(StoreTest, APinnedDeletedObjectIsKeptByTheNextDaemon) {
  FakeClient client(store_.get(), 4);
  ObjectId id = PutBlob(std::string(1000, 'x'));
  uint32_t slot = SlotOf(id);
  client.Pin(slot);
  ASSERT_TRUE(store_->Delete({}, {id}, false, true).ok());
  Restart();
  client.Reconnect(store_.get());
  EXPECT_FALSE(Exists(id));
  EXPECT_GE(Used(), 1000u);
  client.Unpin(slot);
  store_->Tick(0);
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, ADamagedSlotIsQuarantinedAndTheRestIsServed) {
  ObjectId good = PutBlob("good"), bad = PutBlob("bad");
  uint32_t slot = SlotOf(bad);
  store_.reset();
  {
    auto table = shm::SlotTable::Open(state_.get());
    ASSERT_TRUE(table.ok());
    auto* words = reinterpret_cast<uint64_t*>((*table)->data() + shm::kSlotsOffset + slot * 64u);
    words[3] ^= 0xff00;  // its size
  }
  Start();
  EXPECT_TRUE(Exists(good));
  EXPECT_FALSE(Exists(bad));
  EXPECT_EQ(store_->Stats().quarantined, 1u);
}

TEST_F(StoreTest, FieldsThatAreNotUtf8AreRefused) {
  TreeMaker maker;
  maker.Object("t", {});
  std::string fields;
  Packer(&fields).Map(1).String("text_").String("\xff\xfe");
  maker.tree().nodes[0].fields = fields;
  EXPECT_EQ(TryPut(maker.tree()).status().code(), Code::kInvalid);
}

// ---- at random, against a plain model ----

TEST_F(StoreTest, RandomOperationsKeepTheInvariants) {
  std::mt19937 random(20260101);
  auto client = std::make_unique<FakeClient>(store_.get(), 1);
  struct Known {
    ObjectId id;
    std::vector<ObjectId> members;
  };
  std::vector<Known> known;
  std::vector<uint32_t> pins;
  auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
  for (int step = 0; step < 4000; ++step) {
    switch (random() % 9) {
      case 0:
      case 1: {
        ObjectId id =
            PutBlob(std::string(random() % 3000, 'x'), static_cast<BlobKind>(1 + random() % 3));
        known.push_back({id, {}});
        break;
      }
      case 2:
      case 3: {
        std::vector<ObjectId> members;
        for (size_t i = 0; i < random() % 4 && !known.empty(); ++i) {
          ObjectId id = known[pick(known.size())].id;
          if (Exists(id)) members.push_back(id);
        }
        TreeMaker maker;
        maker.Object("t", {maker.Blob("inner")}, members);
        known.push_back({Put(maker), members});
        break;
      }
      case 4:
      case 5:
        if (!known.empty()) {
          ObjectId id = known[pick(known.size())].id;
          (void)store_->Delete({}, {id}, random() % 3 == 0, random() % 2 == 0).ok();
        }
        break;
      case 6:
        if (!known.empty()) {
          ObjectId id = known[pick(known.size())].id;
          auto found = store_->Find(id);
          if (found.ok()) {
            client->Pin(found->slot);
            pins.push_back(found->slot);
          }
        }
        break;
      case 7:
        if (!pins.empty()) {
          size_t at = pick(pins.size());
          client->Unpin(pins[at]);
          pins.erase(pins.begin() + static_cast<ptrdiff_t>(at));
          store_->Tick(0);
        }
        break;
      case 8:
        if (!known.empty()) {
          std::string name = "name" + std::to_string(random() % 20);
          (void)store_->PutName({}, name, known[pick(known.size())].id, true, UINT64_MAX).ok();
        }
        break;
    }
    if (step % 200 == 0) store_->CheckInvariants();
    if (step % 1000 == 999) {
      Restart();
      client->Reconnect(store_.get());
    }
    // A tree that is found is whole.
    for (int i = 0; i < 3 && !known.empty(); ++i) {
      const Known& one = known[pick(known.size())];
      if (!Exists(one.id)) continue;
      for (ObjectId member : one.members) ASSERT_TRUE(Exists(member));
    }
  }
  for (uint32_t slot : pins) client->Unpin(slot);
  ASSERT_TRUE(store_->Clear({}).ok());
  for (int i = 0; i < 100 && store_->has_deferred(); ++i) store_->Tick(0);
  EXPECT_EQ(Used(), 0u);
}

}  // namespace
}  // namespace vineyard::store

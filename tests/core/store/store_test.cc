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
  EXPECT_THAT(page->ids, ElementsAre(root));
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

// ---- names and labels ----

TEST_F(StoreTest, ANameIsGivenOnceUnlessReplaced) {
  ObjectId a = PutBlob("a"), b = PutBlob("b");
  auto first = store_->PutName({}, "n", a, false, UINT64_MAX);
  ASSERT_TRUE(first.ok());
  auto second = store_->PutName({}, "n", b, false, UINT64_MAX);
  EXPECT_EQ(second.status().code(), Code::kExists);
  EXPECT_THAT(second.status().text(), HasSubstr(PrintId(a)));
  auto replaced = store_->PutName({}, "n", b, true, UINT64_MAX);
  ASSERT_TRUE(replaced.ok());
  EXPECT_GT(replaced->revision, first->revision);
  bool more = false;
  auto names = store_->ListNames("*", "", 10, &more);
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].id, b);
  EXPECT_EQ(names[0].revision, replaced->revision);
}

TEST_F(StoreTest, CompareAndSetOfANameNeedsTheRevision) {
  ObjectId a = PutBlob("a"), b = PutBlob("b");
  auto first = store_->PutName({}, "n", a, false, 0);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(store_->PutName({}, "n", b, false, 0).status().code(), Code::kConflict);
  auto second = store_->PutName({}, "n", b, false, first->revision);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(store_->PutName({}, "n", a, false, first->revision).status().code(), Code::kConflict);
  EXPECT_EQ(store_->DropName({}, "n", first->revision).status().code(), Code::kConflict);
  EXPECT_TRUE(store_->DropName({}, "n", second->revision).ok());
  EXPECT_FALSE(store_->FindName("n").ok());
}

TEST_F(StoreTest, ANameGoesWithItsObject) {
  ObjectId a = PutBlob("a");
  ASSERT_TRUE(store_->PutName({}, "x", a, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->PutName({}, "y", a, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", "v"}}).ok());
  ASSERT_TRUE(store_->Delete({}, {a}, false, true).ok());
  EXPECT_FALSE(store_->FindName("x").ok());
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, APutWithATakenNameStoresNothing) {
  TreeMaker first;
  first.Blob("a");
  first.Name("n");
  ObjectId a = Put(first);
  TreeMaker second;
  second.Blob("b");
  second.Name("n");
  EXPECT_EQ(TryPut(second.tree()).status().code(), Code::kExists);
  EXPECT_EQ(store_->Stats().blobs, 1u);
  second.Name("n", /*replace=*/true);
  ObjectId b = Put(second);
  EXPECT_NE(a, b);
  bool more = false;
  EXPECT_EQ(store_->ListNames("n", "", 10, &more)[0].id, b);
}

TEST_F(StoreTest, NamesThatCanNotBeAreRefused) {
  ObjectId a = PutBlob("a");
  EXPECT_EQ(store_->PutName({}, "", a, false, UINT64_MAX).status().code(), Code::kInvalid);
  EXPECT_EQ(store_->PutName({}, std::string(1025, 'n'), a, false, UINT64_MAX).status().code(),
            Code::kLimit);
  EXPECT_EQ(store_->PutName({}, "\xff", a, false, UINT64_MAX).status().code(), Code::kInvalid);
}

TEST_F(StoreTest, LabelsAreSetReplacedAndRemoved) {
  ObjectId a = PutBlob("a");
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", "v"}, {"l", "w"}}).ok());
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", "v2"}}).ok());
  store_->CheckInvariants();
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", ""}, {"l", ""}}).ok());
  EXPECT_EQ(store_->FindLabels(a).status().code(), Code::kNotFound);
}

// ---- lists ----

TEST_F(StoreTest, ListsMatchBasesAndComeInPages) {
  std::vector<ObjectId> arrays;
  for (int i = 0; i < 25; ++i) arrays.push_back(PutObject("vineyard::Array", {}));
  ObjectId tensor = PutObject("vineyard::Tensor", {});
  PutObject("other", {});
  std::vector<ObjectId> seen;
  std::string cursor;
  do {
    auto page = store_->List("vineyard::Tensor", cursor, 10);
    ASSERT_TRUE(page.ok());
    EXPECT_LE(page->ids.size(), 10u);
    seen.insert(seen.end(), page->ids.begin(), page->ids.end());
    cursor = page->cursor;
  } while (!cursor.empty());
  arrays.push_back(tensor);
  EXPECT_EQ(seen, arrays);
}

TEST_F(StoreTest, APageGoesOnWhereTheLastEndedThoughItsLastObjectIsGone) {
  std::vector<ObjectId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(PutObject("t", {}));
  auto first = store_->List("t", "", 3);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(store_->Delete({}, {ids[2]}, false, true).ok());
  auto second = store_->List("t", first->cursor, 3);
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(second->ids, ElementsAre(ids[3], ids[4], ids[5]));
}

// ---- memory ----

TEST_F(StoreTest, AFullStoreSaysWhatUsesIt) {
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> ids;
  Result<Mutation> last = Mutation{};
  while (true) {
    last = Retry([&] { return store_->Lease({}, BlobKind::kBuffer, 4 * kMiB); });
    if (!last.ok()) break;
    TreeMaker maker;
    maker.Leased(last->id, 4 * kMiB);
    ids.push_back(Put(maker));
  }
  EXPECT_EQ(last.status().code(), Code::kOutOfMemory);
  EXPECT_THAT(last.status().text(), HasSubstr("64.0 MiB"));
  EXPECT_GE(ids.size(), 12u);
  // What is deleted serves again.
  ASSERT_TRUE(store_->Delete({}, {ids[3]}, false, true).ok());
  EXPECT_TRUE(Retry([&] { return store_->Lease({}, BlobKind::kBuffer, 4 * kMiB); }).ok());
  store_.reset();
  Start();
}

TEST_F(StoreTest, LargerThanTheStoreIsRefusedAtOnce) {
  auto lease = store_->Lease({}, BlobKind::kBuffer, 65 * kMiB);
  EXPECT_EQ(lease.status().code(), Code::kOutOfMemory);
  EXPECT_THAT(lease.status().text(), HasSubstr("--size"));
  EXPECT_FALSE(store_->GrowthWanted());
}

TEST_F(StoreTest, FreeSegmentsOfTheWrongSizeGiveWay) {
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> leases;
  for (int i = 0; i < 5; ++i) {
    auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 10 * kMiB); });
    ASSERT_TRUE(lease.ok());
    leases.push_back(lease->id);
  }
  for (ObjectId id : leases) ASSERT_TRUE(store_->DropLease({1, 0}, id).ok());
  auto large = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 50 * kMiB); });
  EXPECT_TRUE(large.ok()) << large.status().ToString();
}

TEST_F(StoreTest, TrimGivesFreeSegmentsBack) {
  FakeClient client(store_.get(), 1);
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 10 * kMiB); });
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(store_->DropLease({1, 0}, lease->id).ok());
  EXPECT_GE(store_->Trim(), 10 * kMiB);
  EXPECT_LT(store_->Stats().memory_allocated, 10 * kMiB);
}

class EvictingStoreTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    store_.reset();
    options_.eviction = Eviction::kDrop;
    Start();
  }
  ObjectId PutLarge(uint64_t size) {
    auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, size); });
    EXPECT_TRUE(lease.ok()) << lease.status().ToString();
    if (!lease.ok()) return kInvalidId;
    TreeMaker maker;
    maker.Object("t", {maker.Leased(lease->id, size)});
    return Put(maker, {1, 0});
  }
};

TEST_F(EvictingStoreTest, TheLeastRecentlyUsedTreeThatNobodyPinsGoesFirst) {
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> roots;
  store_->Tick(state_->header().first_start_ms + 1000);
  for (int i = 0; i < 5; ++i) roots.push_back(PutLarge(kMiB));
  store_->Tick(state_->header().first_start_ms + 5000);
  client.Pin(SlotOf(roots[0]));
  client.Touch(SlotOf(roots[1]), 40);
  while (store_->Stats().evictions == 0) PutLarge(kMiB);
  EXPECT_TRUE(Exists(roots[0])) << "pinned";
  EXPECT_TRUE(Exists(roots[1])) << "used later";
  EXPECT_FALSE(Exists(roots[2]));
  EXPECT_TRUE(Exists(roots[3]));
  store_->CheckInvariants();
  client.Unpin(SlotOf(roots[0]));
}

TEST_F(EvictingStoreTest, ATreeWithAPinnedMemberStays) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(30 * kMiB);
  ObjectId member = MakeId(true, store_->instance(), CounterOf(root));
  for (uint64_t back = 1; !Exists(member) && back < 5; ++back) {
    member = MakeId(true, store_->instance(), CounterOf(root) - back);
  }
  ASSERT_TRUE(Exists(member));
  client.Pin(SlotOf(member));
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 40 * kMiB); });
  EXPECT_EQ(lease.status().code(), Code::kOutOfMemory);
  EXPECT_TRUE(Exists(root));
  client.Unpin(SlotOf(member));
}

TEST_F(EvictingStoreTest, WhatAPutLinksToIsNotEvictedForIt) {
  FakeClient client(store_.get(), 1);
  ObjectId member = PutLarge(40 * kMiB);
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 15 * kMiB); });
  ASSERT_TRUE(lease.ok());
  TreeMaker maker;
  maker.Object("t", {maker.Leased(lease->id, 15 * kMiB)}, {member});
  EXPECT_NE(Put(maker, {1, 0}), kInvalidId);
  EXPECT_TRUE(Exists(member));
}

// ---- growth of the index ----

TEST_F(StoreTest, TheIndexGrowsWhileObjectsStayWhereTheyAre) {
  ObjectId first = PutBlob("first");
  uint32_t slot = SlotOf(first);
  TreeMaker many;
  std::vector<uint64_t> members;
  for (uint64_t i = 0; i < shm::kSlotStep + 10; ++i) members.push_back(many.Blob("x"));
  many.Object("t", members);
  ObjectId root = Put(many);
  EXPECT_EQ(SlotOf(first), slot);
  EXPECT_GE(store_->Stats().slots, 2 * shm::kSlotStep);
  Restart();
  EXPECT_TRUE(Exists(root));
  ASSERT_TRUE(store_->Clear({}).ok());
  for (int i = 0; i < 100 && store_->has_deferred(); ++i) store_->Tick(0);
  EXPECT_EQ(Used(), 0u);
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

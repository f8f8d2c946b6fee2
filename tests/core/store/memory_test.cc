// A full store, growth, eviction.
#include <cstdio>
#include <fstream>
#include <string>

#include "core/shm/slot_table.h"
#include "core/store/store.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using ::testing::HasSubstr;

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

TEST_F(StoreTest, AFullStoreSaysHowManyObjectsWhatReadersHoldAndWhatToDo) {
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> ids;
  Result<Mutation> last = Mutation{};
  while (true) {
    last = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 4 * kMiB); });
    if (!last.ok()) break;
    if (ids.size() == 3) break;  // this one stays a lease
    TreeMaker maker;
    maker.Leased(last->id, 4 * kMiB);
    ids.push_back(Put(maker, {1, 0}));
  }
  client.Pin(SlotOf(ids[0]));
  // One that is deleted and still read counts as well.
  client.Pin(SlotOf(ids[1]));
  ASSERT_TRUE(store_->Delete({}, {ids[1]}, false, false).ok());
  auto full = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 60 * kMiB); });
  ASSERT_EQ(full.status().code(), Code::kOutOfMemory);
  EXPECT_THAT(full.status().text(), HasSubstr("no memory for 62914560 bytes"));
  EXPECT_THAT(full.status().text(), HasSubstr("16.0 MiB of 64.0 MiB are used by 2 objects"));
  EXPECT_THAT(full.status().text(), HasSubstr("and 1 unsealed blobs"));
  EXPECT_THAT(full.status().text(), HasSubstr("8.0 MiB are held by readers"));
  EXPECT_THAT(full.status().text(), HasSubstr("--evict drop"));
  client.Unpin(SlotOf(ids[0]));
  client.Die();
  store_->EndSession(1);
}

// ---- warm memory ----

TEST_F(StoreTest, MemoryIsPreparedBeforeAnybodyAsks) {
  store_.reset();
  options_.prefault_bytes = 20 * kMiB;
  Start();
  int64_t now = state_->header().first_start_ms;
  for (int i = 0; i < 30; ++i) {
    store_->Tick(now += 100);
    Grow();
  }
  EXPECT_GE(store_->Stats().memory_allocated, 20 * kMiB);
  FakeClient client(store_.get(), 1);
  EXPECT_TRUE(store_->Lease({1, 0}, BlobKind::kBuffer, 10 * kMiB).ok()) << "without growing";
  // What was taken is made up for.
  for (int i = 0; i < 30; ++i) {
    store_->Tick(now += 100);
    Grow();
  }
  EXPECT_GE(store_->Stats().memory_allocated, 30 * kMiB);
  EXPECT_FALSE(store_->GrowthWanted());
}

TEST_F(StoreTest, NoMoreIsPreparedThanTheStoreMayHave) {
  store_.reset();
  options_.prefault_bytes = kGiB;
  Start();
  for (int i = 0; i < 100; ++i) {
    store_->Tick(0);
    Grow();
  }
  EXPECT_GE(store_->Stats().memory_allocated, 60 * kMiB);
  EXPECT_LE(store_->Stats().memory_allocated, 64 * kMiB);
}

TEST_F(StoreTest, TheMemoryFreedLastIsGivenOutFirst) {
  FakeClient client(store_.get(), 1);
  // Of the pool that sessions write, then of the daemon's own.
  std::vector<Mutation> leases;
  for (int i = 0; i < 7; ++i) {
    auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 100'000); });
    ASSERT_TRUE(lease.ok());
    leases.push_back(*lease);
  }
  for (int i : {3, 1, 5}) ASSERT_TRUE(store_->DropLease({1, 0}, leases[i].id).ok());
  for (int i : {5, 1, 3}) {
    auto lease = store_->Lease({1, 0}, BlobKind::kBuffer, 100'000);
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(lease->value, leases[i].value) << i;
  }
  auto location = [this](ObjectId id) {
    auto table = shm::SlotTable::Open(state_.get());
    return (*table)->Read(SlotOf(id)).fields.location;
  };
  std::vector<std::pair<ObjectId, uint64_t>> blobs;
  for (int i = 0; i < 7; ++i) {
    ObjectId id = PutBlob(std::string(1000, 'x'));
    blobs.emplace_back(id, location(id));
  }
  for (int i : {3, 1, 5}) ASSERT_TRUE(store_->Delete({}, {blobs[i].first}, false, false).ok());
  for (int i : {5, 1, 3}) {
    EXPECT_EQ(location(PutBlob(std::string(1000, 'y'))), blobs[i].second) << i;
  }
}

// As the kernel says it: a second look at the same pages.
uint64_t HugeBytesOfSegments() {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  uint64_t bytes = 0;
  while (std::getline(smaps, line)) {
    unsigned long long kib = 0;
    if (line.find("-") != std::string::npos && line.find(" rw-s ") != std::string::npos) {
      inside = line.find("vineyard.segment") != std::string::npos;
    } else if (inside && std::sscanf(line.c_str(), "ShmemPmdMapped: %llu kB", &kib) == 1) {
      bytes += kib * kKiB;
    }
  }
  return bytes;
}

TEST_F(StoreTest, HugePagesAreCounted) {
  FakeClient client(store_.get(), 1);
  ASSERT_TRUE(Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 16 * kMiB); }).ok());
  uint64_t huge = HugeBytesOfSegments();
  EXPECT_EQ(store_->Stats().memory_huge_pages, huge);
  if (huge == 0) GTEST_SKIP() << "the kernel gives no huge pages";
  EXPECT_LE(huge, store_->Stats().memory_allocated);
}

TEST_F(StoreTest, LargerThanTheStoreIsRefusedAtOnce) {
  auto lease = store_->Lease({}, BlobKind::kBuffer, 65 * kMiB);
  EXPECT_EQ(lease.status().code(), Code::kOutOfMemory);
  EXPECT_THAT(lease.status().text(), HasSubstr("--size"));
  EXPECT_FALSE(store_->GrowthWanted());
}

// Nothing of it is ever allocated: only plans are looked at.
TEST_F(StoreTest, NoPlanIsLargerThanTheLargestSegment) {
  store_.reset();
  options_.size_bytes = 4 * shm::kMaxSegment;
  Start();
  FakeClient client(store_.get(), 1);
  const uint64_t most = shm::kMaxSegment - shm::kSegmentHeaderSize;
  auto lease = store_->Lease({1, 0}, BlobKind::kBuffer, most + 1);
  EXPECT_EQ(lease.status().code(), Code::kLimit) << lease.status().ToString();
  EXPECT_THAT(lease.status().text(), HasSubstr(std::to_string(most)));
  EXPECT_FALSE(store_->GrowthWanted());
  // The envelope of bytes counts, too.
  EXPECT_EQ(store_->Lease({1, 0}, BlobKind::kBytes, most - 10).status().code(), Code::kLimit);
  EXPECT_EQ(store_->Lease({1, 0}, BlobKind::kBuffer, most).status().code(), Code::kOutOfMemory);
  ASSERT_TRUE(store_->GrowthWanted());
  EXPECT_EQ(store_->GrowthWanted()->size, shm::kMaxSegment);
}

TEST_F(StoreTest, GrowthThatFailedIsTriedWithLessAndSmallPutsGoOn) {
  const Status kFailure(Code::kHostMemory, "the host has no memory for that");
  store_.reset();
  options_.size_bytes = 4 * kGiB;
  Start();
  FakeClient client(store_.get(), 1);
  // What the daemon does, on a host that makes no segment above `host`.
  auto lease = [&](uint64_t size, uint64_t host) {
    while (true) {
      auto lease = store_->Lease({1, 0}, BlobKind::kBuffer, size);
      auto plan = store_->GrowthWanted();
      if (lease.ok() || !plan) return lease;
      plan->size > host ? store_->GrowthFailed(kFailure) : (void)Grow();
    }
  };
  auto failed = lease(3 * kGiB, 20 * kMiB);
  EXPECT_EQ(failed.status().code(), Code::kHostMemory);
  EXPECT_THAT(failed.status().text(), HasSubstr("create of a blob: the host has no memory"));
  EXPECT_NE(PutBlob("small"), kInvalidId) << "at once";
  EXPECT_TRUE(lease(kMiB, 20 * kMiB).ok()) << "a step of 64 MiB is not there, half of it neither";
  EXPECT_LE(store_->Stats().memory_allocated, 32 * kMiB);
  EXPECT_EQ(lease(30 * kMiB, 20 * kMiB).status().code(), Code::kHostMemory);
  // Later it is asked for anew.
  store_->Tick(state_->header().first_start_ms + 10'000);
  EXPECT_TRUE(lease(30 * kMiB, 100 * kMiB).ok());
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

TEST_F(StoreTest, AHeldTreeCountsAsHeldMemory) {
  FakeClient client(store_.get(), 1);
  TreeMaker maker;
  maker.Object("t", {maker.Blob(std::string(60'000, 'x')), maker.Blob(std::string(50'000, 'y'))});
  ObjectId root = Put(maker);
  EXPECT_EQ(store_->Stats().memory_pinned, 0u);
  client.Pin(SlotOf(root));
  uint64_t pinned = store_->Stats().memory_pinned;
  EXPECT_GE(pinned, 110'000u);
  EXPECT_LE(pinned, store_->Stats().memory_used);
  // Its members as well: no more than there is.
  ObjectId another = PutObject("t", {root});
  client.Pin(SlotOf(another));
  EXPECT_LE(store_->Stats().memory_pinned, store_->Stats().memory_used);
  client.Unpin(SlotOf(root));
  client.Unpin(SlotOf(another));
  EXPECT_EQ(store_->Stats().memory_pinned, 0u);
}

// ---- memory that is not used for long ----

TEST_F(StoreTest, MemoryThatStaysFreeGoesBackToTheHost) {
  const int64_t start = state_->header().first_start_ms;
  auto lease = Retry([&] { return store_->Lease({}, BlobKind::kBuffer, 8 * kMiB); });
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(store_->DropLease({}, lease->id).ok());
  uint64_t allocated = store_->Stats().memory_allocated;
  ASSERT_GE(allocated, 8 * kMiB);
  store_->Tick(start + 1'000);
  store_->Tick(start + 60'000);
  EXPECT_EQ(store_->Stats().memory_allocated, allocated);
  // Used again: the time begins again, also when it is free at every look.
  lease = Retry([&] { return store_->Lease({}, BlobKind::kBuffer, 8 * kMiB); });
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(store_->DropLease({}, lease->id).ok());
  store_->Tick(start + 62'000);
  store_->Tick(start + 121'000);
  EXPECT_EQ(store_->Stats().memory_allocated, allocated);
  store_->Tick(start + 123'000);
  EXPECT_LE(store_->Stats().memory_allocated, allocated - 8 * kMiB);
  // Small payloads still find room, and what is in use stays.
  ObjectId id = PutBlob("x");
  store_->Tick(start + 300'000);
  EXPECT_TRUE(Exists(id));
}

// Every free segment went at the first tick of a daemon that followed another.
TEST_F(StoreTest, FreeMemoryOfTheLastDaemonIsKeptForAMinuteToo) {
  const int64_t start = state_->header().first_start_ms;
  auto lease = Retry([&] { return store_->Lease({}, BlobKind::kBuffer, 8 * kMiB); });
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(store_->DropLease({}, lease->id).ok());
  uint64_t allocated = store_->Stats().memory_allocated;
  Restart();
  store_->Tick(start + 500'000);
  EXPECT_GE(store_->Stats().memory_allocated, allocated);
  store_->Tick(start + 561'000);
  EXPECT_LT(store_->Stats().memory_allocated, allocated);
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

}  // namespace
}  // namespace vineyard::store

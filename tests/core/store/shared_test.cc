// Stores of audiences: what a session wrote for others nobody writes again, and several stores have one budget.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <cstring>

#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSize = 3 * kMiB + 100;

class SharedStore : public StoreTest {
 protected:
  SharedStore() {
    options_.is_shared = true;
    options_.budget = &budget_;
  }
  void SetUp() override {
    StoreTest::SetUp();
    client_ = std::make_unique<FakeClient>(store_.get(), 7);
  }
  void TearDown() override {
    client_.reset();
    StoreTest::TearDown();
    EXPECT_EQ(budget_.taken(), 0u);
  }
  Mutation Lease(uint64_t size = kSize) {
    auto lease = Retry([&] { return store_->Lease({7, ++number_}, BlobKind::kBuffer, size); });
    EXPECT_TRUE(lease.ok()) << lease.status().ToString();
    return lease.ok() ? *lease : Mutation{};
  }
  Fd Open(const Mutation& lease, bool writable, bool* is_sole = nullptr) {
    uint64_t size = 0;
    auto fd = store_->OpenSegment(7, shm::SegmentOf(lease.value), writable, &size, is_sole);
    EXPECT_TRUE(fd.ok()) << fd.status().ToString();
    return fd.ok() ? std::move(*fd) : Fd();
  }
  Result<Mutation> Seal(const Mutation& lease) {
    TreeMaker maker;
    maker.Leased(lease.id, kSize);
    return TryPut(maker.tree(), {7, ++number_});
  }

  Budget budget_{"these", 64 * kMiB};
  std::unique_ptr<FakeClient> client_;
  uint64_t number_ = 0;
};

TEST_F(SharedStore, WhatIsSealedNobodyHasMappedForWritingNorCanWrite) {
  Mutation lease = Lease();
  bool is_sole = false;
  Fd fd = Open(lease, /*writable=*/true, &is_sole);
  EXPECT_TRUE(is_sole);
  auto* bytes =
      static_cast<char*>(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(bytes, MAP_FAILED);
  std::memset(bytes, 'a', kSize);
  Result<Mutation> refused = Seal(lease);
  EXPECT_EQ(refused.status().code(), Code::kInUse);
  EXPECT_THAT(refused.status().text(), HasSubstr("somebody has it mapped for writing"));
  EXPECT_FALSE(Exists(lease.id));

  munmap(bytes, kSize);
  ASSERT_TRUE(Seal(lease).ok());
  EXPECT_TRUE(Exists(lease.id));
  EXPECT_NE(fcntl(fd.get(), F_GET_SEALS) & F_SEAL_WRITE, 0);
  EXPECT_LT(pwrite(fd.get(), "x", 1, 0), 0);
  EXPECT_EQ(mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), MAP_FAILED);
  EXPECT_NE(fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
  Fd again = Open(lease, /*writable=*/false);
  char read = 0;
  EXPECT_EQ(pread(again.get(), &read, 1, kSize / 2), 1);
  EXPECT_EQ(read, 'a');
}

TEST_F(SharedStore, EachLeaseHasASegmentThatComesBackWithIt) {
  uint64_t segments = store_->Stats().segments, taken = budget_.taken();
  Mutation first = Lease(), second = Lease(), small = Lease(100);
  EXPECT_NE(shm::SegmentOf(first.value), shm::SegmentOf(second.value));
  EXPECT_NE(shm::SegmentOf(first.value), shm::SegmentOf(small.value));
  EXPECT_EQ(store_->Stats().segments, segments + 3);
  ASSERT_TRUE(Seal(first).ok());
  ASSERT_TRUE(store_->Delete({}, {first.id}, false, true).ok());
  ASSERT_TRUE(store_->DropLease({7, ++number_}, second.id).ok());
  ASSERT_TRUE(store_->DropLease({7, ++number_}, small.id).ok());
  store_->Tick(0);
  EXPECT_EQ(store_->Stats().segments, segments);
  EXPECT_EQ(budget_.taken(), taken);
}

TEST_F(SharedStore, ANewDaemonAdoptsWhatIsSealedAndWhatIsBeingWritten) {
  Mutation sealed = Lease(), open = Lease();
  Fd fd = Open(open, /*writable=*/true);
  ASSERT_TRUE(Seal(sealed).ok());
  Restart();
  client_->Reconnect(store_.get());
  EXPECT_TRUE(Exists(sealed.id));
  EXPECT_EQ(budget_.taken(), store_->Stats().memory_allocated);
  EXPECT_EQ(pwrite(fd.get(), "x", 1, 0), 1);
  ASSERT_TRUE(Seal(open).ok());
  EXPECT_LT(pwrite(fd.get(), "y", 1, 0), 0);
}

// ---- budgets ---------------------------------------------------------------------------------------

class Budgets : public StoreTest {
 protected:
  Budgets() { options_.budget = &whole_; }
  void SetUp() override {
    StoreTest::SetUp();
    auto state = shm::StateFile::Create();
    ASSERT_TRUE(state.ok());
    other_state_ = std::move(*state);
    Options options = options_;
    options.budget = &ann_;
    options.is_shared = true;
    options.eviction = eviction_;
    auto opened = Store::Open(other_state_.get(), options);
    ASSERT_TRUE(opened.ok());
    other_ = std::move(*opened);
    std::swap(store_, other_);
    while (Grow()) {
    }
    std::swap(store_, other_);
    whole_.reclaim = [this](uint64_t bytes, const void* asks) {
      return asks == other_.get() ? store_->MakeRoom(bytes) : other_->MakeRoom(bytes);
    };
  }
  void TearDown() override {
    other_.reset();
    other_state_->CloseListed();
    StoreTest::TearDown();
    EXPECT_EQ(whole_.taken(), 0u);
    EXPECT_EQ(ann_.taken(), 0u);
  }
  // Blobs of 64 KiB that fit.
  std::vector<ObjectId> Fill(Status* why) {
    std::vector<ObjectId> ids;
    for (;;) {
      TreeMaker maker;
      maker.Blob(std::string(64 * kKiB, 'x'));
      Result<Mutation> put = TryPut(maker.tree());
      if (!put.ok()) {
        *why = put.status();
        return ids;
      }
      ids.push_back(put->id);
    }
  }

  Budget whole_{"this host", 64 * kMiB};
  Budget ann_{"uid 1001", 20 * kMiB, &whole_};
  Eviction eviction_ = Eviction::kNone;
  std::unique_ptr<shm::StateFile> other_state_;
  std::unique_ptr<Store> other_;
};

TEST_F(Budgets, AQuotaIsFilledAndNotPassedAndItsErrorNamesTheUser) {
  std::swap(store_, other_);
  Status why;
  std::vector<ObjectId> ids = Fill(&why);
  // Of 20 MiB, index and directory are some.
  EXPECT_GT(ids.size(), 14 * kMiB / (64 * kKiB));
  EXPECT_LE(ann_.taken(), ann_.limit());
  EXPECT_EQ(why.code(), Code::kOutOfMemory);
  EXPECT_THAT(why.text(), HasSubstr("uid 1001 uses "));
  EXPECT_THAT(why.text(), HasSubstr("of its quota of 20.0 MiB"));
  ASSERT_TRUE(store_->Delete({}, {ids[0]}, false, true).ok());
  EXPECT_EQ(Fill(&why).size(), 1u) << "one went, one comes";
  FakeClient client(store_.get(), 7);
  Status large = store_->Lease({7, 1}, BlobKind::kBytes, 30 * kMiB).status();
  EXPECT_THAT(large.text(), HasSubstr("it is larger than all that uid 1001 may use: have --quota"));
  std::swap(store_, other_);
  EXPECT_NE(PutBlob("another user's"), kInvalidId);
}

TEST_F(Budgets, FreeMemoryOfOneStoreIsGivenToAnother) {
  Status why;
  std::vector<ObjectId> ids = Fill(&why);
  EXPECT_GT(ids.size(), 700u);
  std::swap(store_, other_);
  std::vector<ObjectId> before = Fill(&why);
  EXPECT_THAT(why.text(), ::testing::Not(HasSubstr("uid 1001 uses")));
  ASSERT_TRUE(other_->Delete({}, ids, false, true).ok());
  EXPECT_GT(Fill(&why).size(), 100u);
  std::swap(store_, other_);
}

TEST_F(Budgets, WhoKeepsWhatOthersDeletedPaysForIt) {
  ann_.set_pinned(15 * kMiB);
  std::swap(store_, other_);
  Status why;
  EXPECT_LT(Fill(&why).size(), 5 * kMiB / (64 * kKiB) + 1);
  EXPECT_THAT(why.text(), HasSubstr("keeps 15.0 MiB of what others have deleted"));
  ann_.set_pinned(30 * kMiB);
  TreeMaker maker;
  maker.Blob("x");
  why = TryPut(maker.tree()).status();
  EXPECT_EQ(why.code(), Code::kOutOfMemory);
  EXPECT_THAT(why.text(), HasSubstr("keeps 30.0 MiB of what others have deleted"));
  ann_.set_pinned(0);
  EXPECT_NE(Put(maker), kInvalidId);
  std::swap(store_, other_);
}

}  // namespace
}  // namespace vineyard::store

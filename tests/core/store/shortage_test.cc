// A host that has no memory, addresses or descriptors left, at every single call that asks for some: whoever asked
// fails with that, once, and everybody else and the books are as they were.
#include <functional>

#include "tests/core/store/spill_fixture.h"

namespace vineyard::store {
namespace {

int calls_left, calls_seen;

class Shortage : public SpillTest {
 protected:
  void TearDown() override {
    shm::shortage_hook = nullptr;
    SpillTest::TearDown();
  }
  // What the daemon does of its own: growing, which may fail, and jobs.
  template <typename Call>
  Status Try(Call call) {
    while (true) {
      Status status = call();
      if (status.ok()) return status;
      if (auto plan = store_->GrowthWanted()) {
        auto segment = Store::PrepareSegment(*plan);
        Status added = segment.ok() ? store_->AddSegment(std::move(*segment)) : segment.status();
        if (!added.ok()) store_->GrowthFailed(added);
      } else if (!RunJob()) {
        return status;
      }
    }
  }
  // `make` sets the scene in a new store, which `operation` meets when call number n of the host fails. It
  // fails with that or gets along without; the next try, with a host as it should be, succeeds.
  void AtEveryCall(const std::function<std::function<Status()>()>& make, int at_least) {
    int n = 1;
    for (;; ++n) {
      SCOPED_TRACE("call " + std::to_string(n));
      TearDown();
      SetUp();
      std::function<Status()> operation = make();
      calls_left = n;
      calls_seen = 0;
      shm::shortage_hook = [] { return ++calls_seen == calls_left; };
      Status status = Try(operation);
      shm::shortage_hook = nullptr;
      if (calls_seen < n) {
        EXPECT_TRUE(status.ok()) << status.ToString();
        break;
      }
      if (!status.ok()) {
        ASSERT_EQ(status.code(), Code::kHostMemory) << status.ToString();
        ASSERT_FALSE(status.text().empty());
      }
      store_->CheckInvariants();
      ASSERT_EQ(store_->Audit().problems, std::vector<std::string>());
      store_->Tick(state_->header().first_start_ms + 10'000);  // growth is tried anew
      if (!status.ok()) {
        status = Try(operation);
        ASSERT_TRUE(status.ok()) << status.ToString();
      }
      Restart();
    }
    EXPECT_GT(n, at_least) << "or nothing was tried";
  }
};

TEST_F(Shortage, OfASession) {
  AtEveryCall(
      [this]() -> std::function<Status()> {
        return [this] {
          EXPECT_EQ(store_->Sessions().size(), 0u) << "of one that failed nothing is left";
          return store_->OpenSession({9, {9, 9}, 1000, 1}).status();
        };
      },
      5);
}

TEST_F(Shortage, OfAPinTable) {
  std::unique_ptr<FakeClient> client;
  AtEveryCall(
      [&, this]() -> std::function<Status()> {
        client = std::make_unique<FakeClient>(store_.get(), 1);
        return [this] { return store_->Grant(1, 0); };
      },
      1);
}

TEST_F(Shortage, OfADescriptorForASession) {
  AtEveryCall(
      [this]() -> std::function<Status()> {
        auto client = std::make_shared<FakeClient>(store_.get(), 1);
        auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, kMiB); });
        EXPECT_TRUE(lease.ok());
        uint32_t segment = shm::SegmentOf(lease->value);
        return [this, client, segment] {
          uint64_t size = 0;
          return store_->OpenSegment(1, segment, /*writable=*/true, &size).status();
        };
      },
      1);
}

TEST_F(Shortage, OfASegmentForALargePut) {
  AtEveryCall(
      [this]() -> std::function<Status()> {
        auto client = std::make_shared<FakeClient>(store_.get(), 1);
        return [this, client] {
          return store_->Lease({1, 0}, BlobKind::kBuffer, 30 * kMiB).status();
        };
      },
      3);
}

TEST_F(Shortage, OfASegmentForSmallPuts) {
  AtEveryCall(
      [this]() -> std::function<Status()> {
        auto maker = std::make_shared<TreeMaker>();
        for (int i = 0; i < 100; ++i) maker->Blob(std::string(60'000, 'x'));
        std::vector<uint64_t> all;
        for (uint64_t i = 0; i < 100; ++i) all.push_back(i);
        maker->Object("t", all);
        maker->Name("name");
        return [this, maker] { return store_->Put({}, maker->tree()).status(); };
      },
      3);
}

// More slots than there are: the index, the directory and the area of commits grow.
TEST_F(Shortage, OfSlotsForATree) {
  AtEveryCall(
      [this]() -> std::function<Status()> {
        auto maker = std::make_shared<TreeMaker>();
        std::vector<uint64_t> all;
        for (uint64_t i = 0; i < shm::kSlotStep; ++i) all.push_back(maker->Blob("x"));
        maker->Object("t", all);
        return [this, maker] { return store_->Put({}, maker->tree()).status(); };
      },
      3);
}

TEST_F(Shortage, OfMemoryToLoadInto) {
  AtEveryCall(
      [this]() -> std::function<Status()> {
        auto client = std::make_shared<FakeClient>(store_.get(), 1);
        ObjectId root = PutLarge(30 * kMiB, 'l');
        EXPECT_TRUE(Try([&] { return store_->Evict(root); }).ok());
        store_->Trim();
        return [this, client, root] { return store_->Find(root).status(); };
      },
      3);
}

}  // namespace
}  // namespace vineyard::store

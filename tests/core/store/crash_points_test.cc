// Ends the daemon after every single store into shared memory, for every operation, and looks at what
// its successor finds: books in order, the operation done or not done, and done exactly once when the
// client repeats its request.
//
// The end is an exception thrown by shm::crash_hook: nothing between the store and the test writes into
// shared memory on the way out, and the heap is dropped with the store, as by a SIGKILL.
#include <functional>

#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

struct Crash {};
int64_t points_left;
int64_t points_seen;

void CountDown() {
  ++points_seen;
  if (--points_left == 0) throw Crash{};
}

class CrashPoints : public StoreTest {
 protected:
  // `prepare` sets the scene; `operation` is what dies, and is then repeated with the same request
  // number; `verify` runs after the repeat has succeeded.
  struct Scenario {
    std::function<void()> prepare;
    std::function<Result<Mutation>()> operation;
    std::function<void(const Mutation&)> verify;
  };

  void Enumerate(const std::function<Scenario()>& make) {
    int64_t point = 0;
    while (true) {
      ++point;
      TearDown();
      SetUp();
      client_ = std::make_unique<FakeClient>(store_.get(), 7);
      Scenario scenario = make();
      scenario.prepare();
      while (Grow()) {
      }
      points_left = point;
      points_seen = 0;
      shm::crash_hook = CountDown;
      bool crashed = false;
      try {
        Result<Mutation> result = Retry(scenario.operation);
        shm::crash_hook = nullptr;
        ASSERT_TRUE(result.ok()) << result.status().ToString();
      } catch (const Crash&) {
        shm::crash_hook = nullptr;
        crashed = true;
      }
      if (!crashed) break;
      SCOPED_TRACE("crash point " + std::to_string(point));
      Restart();  // checks the invariants
      client_->Reconnect(store_.get());
      Result<Mutation> repeated = Retry(scenario.operation);
      ASSERT_TRUE(repeated.ok()) << repeated.status().ToString();
      store_->CheckInvariants();
      scenario.verify(*repeated);
      if (HasFatalFailure()) return;
    }
    // The loop ends when the operation has fewer points than were asked for.
    EXPECT_GT(point, 3) << "the operation stores nothing: what is tested here?";
    client_.reset();
  }
  void EndDeadSessions() {
    for (uint64_t id : store_->Sessions()) {
      if (!store_->SessionAlive(id)) store_->EndSession(id);
    }
  }
  void TearDown() override {
    client_.reset();
    StoreTest::TearDown();
  }

  std::unique_ptr<FakeClient> client_;
  TreeMaker maker_;
  std::vector<ObjectId> ids_;
};

TEST_F(CrashPoints, PutOfATreeWithANameThatIsTaken) {
  Enumerate([this] {
    maker_ = TreeMaker();
    ids_.clear();
    return Scenario{[this] {
                      ids_.push_back(PutBlob("old"));
                      ASSERT_TRUE(store_->PutName({}, "n", ids_[0], false, UINT64_MAX).ok());
                      uint64_t leaf = maker_.Blob("leaf", BlobKind::kBytes);
                      maker_.Object("outer", {maker_.Object("inner", {leaf}), leaf}, {ids_[0]});
                      maker_.Name("n", /*replace=*/true);
                    },
                    [this] {
                      return store_->Put({7, 1}, maker_.tree());
                    },
                    [this](const Mutation& reply) {
                      EXPECT_TRUE(Exists(reply.id));
                      EXPECT_EQ(store_->Stats().objects, 2u) << "applied once";
                      EXPECT_EQ(store_->Stats().blobs, 2u);
                      EXPECT_EQ(store_->ListNames("n", "", 1).names[0].id, reply.id);
                    }};
  });
}

TEST_F(CrashPoints, LeaseAndSeal) {
  Enumerate([this] {
    return Scenario{
        [] {},
        [this]() -> Result<Mutation> {
          ASSIGN_OR_RETURN(Mutation lease, store_->Lease({7, 1}, BlobKind::kBytes, 100'000));
          TreeMaker maker;
          maker.Object("t", {maker.Leased(lease.id, 70'000, BlobKind::kBytes)});
          return store_->Put({7, 2}, maker.tree());
        },
        [this](const Mutation& reply) {
          EXPECT_TRUE(Exists(reply.id));
          EXPECT_EQ(store_->Stats().blobs, 1u);
          EXPECT_EQ(store_->Stats().leases, 0u);
        }};
  });
}

TEST_F(CrashPoints, DropOfALease) {
  Enumerate([this] {
    ids_.clear();
    return Scenario{
        [this] {
          auto lease = Retry([this] { return store_->Lease({7, 1}, BlobKind::kBuffer, 100'000); });
          ids_.push_back(lease->id);
        },
        [this] {
          return store_->DropLease({7, 2}, ids_[0]);
        },
        [this](const Mutation&) { EXPECT_EQ(Used(), 0u); }};
  });
}

TEST_F(CrashPoints, DeepDeleteOfATreeWithNamesAndLabels) {
  Enumerate([this] {
    maker_ = TreeMaker();
    ids_.clear();
    return Scenario{[this] {
                      uint64_t leaf = maker_.Blob("leaf");
                      maker_.Object("outer", {maker_.Object("inner", {leaf}), leaf});
                      ids_.push_back(Put(maker_));
                      ASSERT_TRUE(store_->PutName({}, "n", ids_[0], false, UINT64_MAX).ok());
                      ASSERT_TRUE(store_->SetLabels({}, ids_[0], {{"k", "v"}}).ok());
                    },
                    [this] {
                      return store_->Delete({7, 1}, {ids_[0]}, false, true);
                    },
                    [this](const Mutation&) {
                      store_->Tick(0);
                      EXPECT_EQ(Used(), 0u);
                      EXPECT_FALSE(store_->FindName("n").ok());
                    }};
  });
}

TEST_F(CrashPoints, LabelsAndNames) {
  Enumerate([this] {
    ids_.clear();
    return Scenario{
        [this] {
          ids_.push_back(PutBlob("x"));
          ASSERT_TRUE(store_->SetLabels({}, ids_[0], {{"k", "v"}}).ok());
        },
        [this]() -> Result<Mutation> {
          RETURN_IF_ERROR(store_->SetLabels({7, 1}, ids_[0], {{"k", "w"}}).status());
          RETURN_IF_ERROR(store_->PutName({7, 2}, "a", ids_[0], false, UINT64_MAX).status());
          RETURN_IF_ERROR(store_->Persist({7, 3}, {ids_[0]}).status());
          return store_->DropName({7, 4}, "a", UINT64_MAX);
        },
        [this](const Mutation&) {
          EXPECT_TRUE(Exists(ids_[0]));
          EXPECT_TRUE(store_->FindLabels(ids_[0]).ok());
          EXPECT_FALSE(store_->FindName("a").ok());
        }};
  });
}

TEST_F(CrashPoints, SessionsComeAndGo) {
  Enumerate([this] {
    ids_.clear();
    return Scenario{
        [this] { ids_.push_back(PutBlob("x")); },
        [this]() -> Result<Mutation> {
          EndDeadSessions();
          constexpr uint64_t id = 100;
          {
            ASSIGN_OR_RETURN(SessionFiles files, store_->OpenSession({id, {1, 2}, 1000, 1}));
            RETURN_IF_ERROR(store_->Grant(id, 0));
            RETURN_IF_ERROR(store_->Lease({id, 1}, BlobKind::kBuffer, 1000).status());
          }
          store_->EndSession(id);
          return Mutation{};
        },
        [this](const Mutation&) {
          EndDeadSessions();
          EXPECT_TRUE(Exists(ids_[0]));
          EXPECT_EQ(store_->Stats().leases, 0u);
          EXPECT_EQ(store_->Stats().sessions, 1u);
        }};
  });
}

TEST_F(CrashPoints, Eviction) {
  options_.eviction = Eviction::kDrop;
  Enumerate([this] {
    ids_.clear();
    return Scenario{[this] {
                      for (int i = 0; i < 3; ++i) {
                        TreeMaker maker;
                        maker.Object("t", {maker.Blob(std::string(1000, 'x')), maker.Blob("y")});
                        ids_.push_back(Put(maker));
                      }
                    },
                    [this]() -> Result<Mutation> {
                      // Larger than what is free: everything that nobody pins has to go.
                      while (true) {
                        auto lease = store_->Lease({}, BlobKind::kBuffer, 60 * kMiB);
                        if (lease.ok()) {
                          TreeMaker maker;
                          maker.Leased(lease->id, 60 * kMiB);
                          auto put = store_->Put({}, maker.tree());
                          if (put.ok()) return store_->Delete({}, {put->id}, false, true);
                          return put;
                        }
                        if (!Grow()) return lease;
                      }
                    },
                    [](const Mutation&) {}};
  });
}

}  // namespace
}  // namespace vineyard::store

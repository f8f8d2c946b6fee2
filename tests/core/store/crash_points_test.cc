// Ends the daemon after every single store into shared memory, for every operation, and looks at what
// its successor finds: books in order, the operation done or not done, and done exactly once when the
// client repeats its request.
//
// The end is an exception thrown by shm::crash_hook: nothing between the store and the test writes into
// shared memory on the way out, and the heap is dropped with the store, as by a SIGKILL.
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "tests/core/store/store_fixture.h"
#include "tests/support/process.h"

namespace vineyard::store {
namespace {

namespace fs = std::filesystem;
using testing::TempFolder;

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
      if (!looks_at_(point)) continue;
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
      store_.reset();
      forget_();
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
  // Whether it ends at the given point.
  static bool Dies(int64_t point, const std::function<void()>& operation) {
    points_left = point;
    shm::crash_hook = CountDown;
    bool died = false;
    try {
      operation();
    } catch (const Crash&) {
      died = true;
    }
    shm::crash_hook = nullptr;
    return died;
  }
  uint64_t OldestSegment() {
    auto index = shm::Mapping::Map(Fd(dup(state_->Lookup(shm::Role::kIndex)->fd)), shm::kPageSize,
                                   /*writable=*/false);
    return reinterpret_cast<shm::Superblock*>(index->data())->oldest_segment;
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

  // Which points an Enumerate tries: all.
  std::function<bool(int64_t)> looks_at_ = [](int64_t) { return true; };
  // What else ends with a daemon.
  std::function<void()> forget_ = [] {};
  std::unique_ptr<FakeClient> client_;
  std::unique_ptr<TreeMaker> full_;
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

// In the store of an audience that others belong to.
class CrashPointsOfShared : public CrashPoints {
 protected:
  CrashPointsOfShared() {
    options_.is_shared = true;
    options_.budget = &budget_;
    forget_ = [this] { budget_.Give(budget_.taken()); };
  }
  // Of segments alone: a lease that was dropped gives its segment back.
  void ExpectLeased(uint64_t bytes) {
    uint64_t allocated = store_->Stats().memory_allocated;
    EXPECT_EQ(budget_.taken(), allocated);
    store_->Trim();
    uint64_t small = store_->Stats().memory_allocated - bytes;
    EXPECT_EQ(budget_.taken(), small + bytes);
    EXPECT_LT(small, 5 * kMiB);
  }

  Budget budget_{"these", 64 * kMiB};
};

TEST_F(CrashPointsOfShared, LeaseSealAndDelete) {
  Enumerate([this] {
    return Scenario{
        [] {},
        [this]() -> Result<Mutation> {
          ASSIGN_OR_RETURN(Mutation lease, store_->Lease({7, 1}, BlobKind::kBytes, 10 * kMiB));
          TreeMaker maker;
          maker.Object("t", {maker.Leased(lease.id, 9 * kMiB, BlobKind::kBytes)});
          ASSIGN_OR_RETURN(Mutation put, store_->Put({7, 2}, maker.tree()));
          ASSIGN_OR_RETURN(Mutation dropped, store_->Lease({7, 3}, BlobKind::kBytes, 5 * kMiB));
          RETURN_IF_ERROR(store_->DropLease({7, 4}, dropped.id).status());
          RETURN_IF_ERROR(store_->Delete({7, 5}, {put.id}, false, true).status());
          store_->Tick(0);
          return put;
        },
        [this](const Mutation& reply) {
          EXPECT_FALSE(Exists(reply.id));
          EXPECT_EQ(Used(), 0u);
          ExpectLeased(0);
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
          RETURN_IF_ERROR(store_->MarkPersisted({ids_[0]}, {ids_[0]}));
          RETURN_IF_ERROR(store_->Answer({7, 3}, {}).status());
          return store_->DropName({7, 4}, "a", UINT64_MAX);
        },
        [this](const Mutation&) {
          EXPECT_TRUE(Exists(ids_[0]));
          EXPECT_TRUE(store_->FindLabels(ids_[0]).ok());
          EXPECT_FALSE(store_->FindName("a").ok());
        }};
  });
}

// Three trees, two of which share a member, go to files and one of them comes back.
TEST_F(CrashPoints, SpillAndLoad) {
  TempFolder folder;
  options_.eviction = Eviction::kSpill;
  options_.spill_path = folder.path();
  Enumerate([this] {
    ids_.clear();
    return Scenario{
        [this] {
          ObjectId shared = PutBlob(std::string(5000, 's'));
          for (int i = 0; i < 3; ++i) {
            TreeMaker maker;
            maker.Object("t", {maker.Blob(std::string(1000, 'x')), maker.Blob("y")},
                         i > 0 ? std::vector<ObjectId>{shared} : std::vector<ObjectId>());
            ids_.push_back(Put(maker));
          }
        },
        [this]() -> Result<Mutation> {
          // More than there can be: everything that nobody pins has to go first.
          while (store_->Stats().spilled_blobs < 7) {
            auto lease = store_->Lease({}, BlobKind::kBuffer, 62 * kMiB);
            EXPECT_FALSE(lease.ok());
            if (!Grow()) return lease;
          }
          while (true) {
            auto found = store_->Find(ids_[1]);
            if (found.ok()) return Mutation{};
            if (!Grow()) return found.status();
          }
        },
        [this](const Mutation&) {
          for (ObjectId id : ids_) EXPECT_TRUE(store_->Look(id));
          EXPECT_EQ(store_->Stats().spilled_blobs, 4u);
          EXPECT_TRUE(store_->Clear({}).ok());
          while (Grow()) {
          }
          EXPECT_EQ(Used(), 0u);
          for (const auto& entry : fs::recursive_directory_iterator(options_.spill_path)) {
            EXPECT_FALSE(entry.is_regular_file()) << entry.path();
          }
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

TEST_F(CrashPoints, Clear) {
  looks_at_ = [](int64_t point) { return point < 30 || point % 7 == 0; };
  Enumerate([this] {
    ids_.clear();
    return Scenario{[this] {
                      // More roots than one commit takes, one of them with members and a name.
                      for (int i = 0; i < 70; ++i) ids_.push_back(PutBlob("x"));
                      TreeMaker maker;
                      maker.Object("t", {maker.Blob("y")}, {ids_[0]});
                      maker.Name("n");
                      Put(maker);
                    },
                    [this] {
                      return store_->Clear({7, 1});
                    },
                    [this](const Mutation&) {
                      store_->Tick(0);
                      EXPECT_EQ(Used(), 0u);
                      EXPECT_FALSE(store_->FindName("n").ok());
                    }};
  });
}

TEST_F(CrashPoints, Trim) {
  Enumerate([this] {
    ids_.clear();
    return Scenario{[this] {
                      ids_.push_back(PutBlob("x"));
                      auto lease = [this] {
                        return store_->Lease({7, 0}, BlobKind::kBuffer, 10 * kMiB);
                      };
                      auto first = Retry(lease);
                      auto second = Retry(lease);
                      ASSERT_TRUE(store_->DropLease({7, 0}, first->id).ok());
                      ASSERT_TRUE(store_->DropLease({7, 0}, second->id).ok());
                    },
                    [this]() -> Result<Mutation> {
                      store_->Trim();
                      return Mutation{};
                    },
                    [this](const Mutation&) {
                      EXPECT_EQ(store_->Stats().segments, 1u) << "that of the blob";
                      EXPECT_TRUE(Exists(ids_[0]));
                      EXPECT_EQ(OldestSegment(), 1u);
                    }};
  });
}

TEST_F(CrashPoints, TickThatFreesWhatPinsLetGo) {
  Enumerate([this] {
    ids_.clear();
    return Scenario{[this] {
                      for (int i = 0; i < 3; ++i) {
                        TreeMaker maker;
                        maker.Object("t", {maker.Blob("x"), maker.Blob("y")});
                        ids_.push_back(Put(maker));
                      }
                      std::vector<uint32_t> slots;
                      for (ObjectId id : ids_) slots.push_back(SlotOf(id));
                      for (uint32_t slot : slots) client_->Pin(slot);
                      ASSERT_TRUE(store_->Delete({}, ids_, false, true).ok());
                      EXPECT_TRUE(store_->has_deferred());
                      for (uint32_t slot : slots) client_->Unpin(slot);
                    },
                    [this]() -> Result<Mutation> {
                      store_->Tick(0);
                      return Mutation{};
                    },
                    [this](const Mutation&) {
                      EXPECT_EQ(Used(), 0u);
                      EXPECT_FALSE(store_->has_deferred());
                    }};
  });
}

TEST_F(CrashPoints, GrowthOfIndexAndDirectory) {
  // Most of its points are cells of the new directory, one like the other: it is enough to look at the
  // first ones, some in the middle and some of the last.
  looks_at_ = [](int64_t point) {
    return point < 8 || point % 30'011 == 0 || (point > 65'536 && point % 5 == 0);
  };
  Enumerate([this] {
    ids_.clear();
    return Scenario{[this] {
                      if (full_ == nullptr) full_ = std::make_unique<TreeMaker>();
                      if (full_->tree().nodes.empty()) {
                        std::vector<uint64_t> members;
                        for (uint64_t i = 0; i + 3 < shm::kSlotStep; ++i) {
                          members.push_back(full_->Blob("x"));
                        }
                        full_->Object("t", members);
                      }
                      ids_.push_back(Put(*full_));
                      ids_.push_back(PutBlob("last but one"));
                    },
                    [this]() -> Result<Mutation> {
                      TreeMaker maker;
                      maker.Object("t", {maker.Blob("y")}, {ids_[0]});
                      return store_->Put({7, 1}, maker.tree());
                    },
                    [this](const Mutation& reply) {
                      EXPECT_EQ(store_->Stats().slots, 2 * shm::kSlotStep);
                      EXPECT_TRUE(Exists(reply.id));
                      EXPECT_TRUE(Exists(ids_[0]));
                      EXPECT_TRUE(Exists(ids_[1]));
                    }};
  });
}

// A daemon dies at any store of a put, a delete or an eviction, its successor at any store of its
// adoption; the third finds everything in order.
TEST_F(CrashPoints, Adoption) {
  options_.eviction = Eviction::kDrop;
  int64_t first = 0, adoptions = 0;
  // Every point of the first, a third of those of the second, in turns.
  for (bool died = true; died;) {
    ++first;
    for (int64_t second = 1 + first % 3;; second += 3) {
      TearDown();
      SetUp();
      client_ = std::make_unique<FakeClient>(store_.get(), 7);
      ObjectId old = PutBlob("old");
      ASSERT_TRUE(Retry([&] { return store_->Lease({7, 0}, BlobKind::kBuffer, 1000); }).ok());
      {
        // Its lease and its pin table go with it.
        FakeClient dead(store_.get(), 8);
        ASSERT_TRUE(Retry([&] { return store_->Lease({8, 0}, BlobKind::kBuffer, 1000); }).ok());
        client_->Pin(SlotOf(old));
      }
      while (Grow()) {
      }
      TreeMaker maker;
      maker.Object("t", {maker.Blob("leaf")}, {old});
      maker.Name("n");
      auto operation = [&]() -> Result<Mutation> {
        ASSIGN_OR_RETURN(Mutation put, store_->Put({7, 1}, maker.tree()));
        store_->EndSession(8);
        // No room for it: what can go is evicted.
        (void)store_->Lease({7, 0}, BlobKind::kBuffer, 63 * kMiB).ok();
        return store_->Delete({7, 2}, {put.id}, false, /*deep=*/false);
      };
      died = Dies(first, [&] { (void)Retry(operation).ok(); });
      store_.reset();
      bool adopted = !Dies(second, [&] {
        auto store = Store::Open(state_.get(), options_);
        ASSERT_TRUE(store.ok());
      });
      ++adoptions;
      SCOPED_TRACE("crash points " + std::to_string(first) + " and " + std::to_string(second));
      Restart();  // checks the invariants
      client_->Reconnect(store_.get());
      EndDeadSessions();
      EXPECT_EQ(store_->Stats().quarantined, 0u);
      EXPECT_TRUE(Exists(old));
      EXPECT_EQ(store_->Sessions(), std::vector<uint64_t>{7});
      EXPECT_GE(store_->Stats().leases, 1u);
      store_->CheckInvariants();
      if (HasFatalFailure() || adopted) break;
    }
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(adoptions, 2 * first) << "adoption stores nothing: what is tested here?";
}

}  // namespace
}  // namespace vineyard::store

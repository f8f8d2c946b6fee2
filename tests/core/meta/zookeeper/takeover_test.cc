// A daemon that is killed with changes under way, and the next one of its instance: what was asked is done once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

class TakeoverTest : public ClusterTest {
 protected:
  // 7 watches; 8 is reached through a link that can be cut.
  void SetUp() override {
    ClusterTest::SetUp();
    Join(7);
    cluster_.servers_ = proxy_.address();
    Join(8);
    cluster_.servers_ = SharedServer().address();
    PersistArray(8, 1);
    PersistArray(8, 3);
    ASSERT_TRUE(Commit(8, PutName{"old", Id(8, 1)}).ok());
    ASSERT_TRUE(Sync(7).ok());
  }
  ServiceOptions OptionsOfNext(Revision seen) {
    ServiceOptions options = cluster_.OptionsOf(8);
    options.cluster = on(7).cluster();
    options.seen = seen;
    return options;
  }
  using Then = testing::TcpProxy::Then;
  // Of all that is asked for it, the multi that does it.
  static bool IsChange(std::string_view request) {
    constexpr std::string_view kMulti("\0\0\0\x0e", 4);
    return request.substr(4, 4) == kMulti && request.find("/e-") != request.npos;
  }
  // Sends a change whose answer gets lost, lets the next daemon take over, and asks that one.
  Result<Outcome> CommittedByTheDead(const Change& change,
                                     const std::function<bool()>& is_visible) {
    Request request{{77, ++number_}, false, on(8).applied()};
    proxy_.Watch([](std::string_view request) {
      return IsChange(request) ? Then::kPassAndDropReplies : Then::kPass;
    });
    auto lost = Begin(&on(8), change, request);
    loop_.RunUntil(is_visible);
    EXPECT_FALSE(lost->has_value());
    dead_.push_back(std::move(services_[8]));  // as killed: it says nothing more
    TakeOver(8, OptionsOfNext(request.seen));
    request.repeated = true;
    return Commit(8, change, request);
  }

  testing::TcpProxy proxy_{SharedServer().port()};
  uint64_t number_ = 0;
  std::vector<std::unique_ptr<ZookeeperService>> dead_;
};

TEST_F(TakeoverTest, APersistIsAnsweredAsItWas) {
  auto answer = CommittedByTheDead(Persist{{ArrayTree(8, 5)}},
                                   [&] { return on(7).catalog().HomeOf(Id(8, 5)).has_value(); });
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->id, Id(8, 5));
  EXPECT_EQ(answer->value, 2u);
  EXPECT_EQ(Commit(8, Persist{{ArrayTree(8, 5)}}).status().code(), Code::kExists);
}

TEST_F(TakeoverTest, ADeleteIsAnsweredAsItWas) {
  auto answer = CommittedByTheDead(Delete{{Id(8, 1)}},
                                   [&] { return !on(7).catalog().HomeOf(Id(8, 1)).has_value(); });
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->value, 2u);
  EXPECT_EQ(Commit(8, Delete{{Id(8, 1)}}).status().code(), Code::kNotFound);
}

TEST_F(TakeoverTest, ANameIsPutOnceAlsoWhenItWasMovedSince) {
  auto answer = CommittedByTheDead(PutName{"new", Id(8, 1)},
                                   [&] { return on(7).catalog().FindName("new").has_value(); });
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->value, on(8).catalog().FindName("new")->revision);
  EXPECT_EQ(answer->id, Id(8, 1));
  ASSERT_TRUE(Commit(7, PutName{"new", Id(8, 3), /*replace=*/true}).ok());
  auto repeated = Commit(8, PutName{"new", Id(8, 1)}, {{77, number_}, true, answer->revision});
  ASSERT_TRUE(repeated.ok()) << repeated.status().ToString();
  EXPECT_EQ(repeated->value, answer->value);
  ASSERT_TRUE(Sync(8).ok());
  EXPECT_EQ(on(8).catalog().FindName("new")->id, Id(8, 3)) << "it was not put again";
}

TEST_F(TakeoverTest, ANameIsDroppedOnce) {
  auto answer = CommittedByTheDead(DropName{"old"},
                                   [&] { return !on(7).catalog().FindName("old").has_value(); });
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->id, Id(8, 1));
  EXPECT_EQ(Commit(8, DropName{"old"}).status().code(), Code::kNotFound);
}

TEST_F(TakeoverTest, WhatTheDeadHadOnItsWayIsFencedAndDoneByTheNext) {
  Request request{{77, 1}, false, on(8).applied()};
  proxy_.Freeze();
  auto lost = Begin(&on(8), PutName{"late", Id(8, 1)}, request);
  loop_.RunUntil([&, until = MonotonicNs() + 50'000'000] { return MonotonicNs() > until; });
  Revision seen = request.seen;
  dead_.push_back(std::move(services_[8]));
  TakeOver(8, OptionsOfNext(seen));
  request.repeated = true;
  auto answer = Commit(8, PutName{"late", Id(8, 1)}, request);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  proxy_.Forward();  // it arrives now, from a session that still lives
  PersistArray(7, 1);
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(on(7).catalog().FindName("late")->revision, answer->value);
}

TEST_F(TakeoverTest, WhoAsksIsAnsweredBehindWhatTheDaemonItselfIsTold) {
  dead_.push_back(std::move(services_[8]));
  ASSERT_TRUE(Commit(7, PutName{"n", Id(8, 1)}).ok());
  // The shared memory of its instance shows what the dead one knew until the daemon is told.
  std::vector<std::string> told;
  Keep(8, cluster_.Begin(OptionsOfNext({}), &loop_, [&](const vineyard::Status& status) {
    EXPECT_TRUE(status.ok()) << status.ToString();
    told.emplace_back("ready");
  }));
  on(8).Sync(Soon(), [&](const vineyard::Status& status) {
    EXPECT_TRUE(status.ok()) << status.ToString();
    told.emplace_back("synced");
  });
  loop_.RunUntil([&] { return told.size() == 2; });
  EXPECT_THAT(told, ::testing::ElementsAre("ready", "synced"));
}

TEST_F(TakeoverTest, OfWhatWasTrimmedNothingIsGuessed) {
  Revision seen = on(8).applied();
  dead_.push_back(std::move(services_[8]));
  cluster_.log_.entries = 20;
  cluster_.log_.keep_seconds = 0;
  Join(9);
  uint64_t trees = PersistUntilTrimmed(9, 1, seen.generation);
  TakeOver(8, OptionsOfNext(seen));
  EXPECT_EQ(on(8).catalog().trees(), 2 + trees);
  auto answer = Commit(8, PutName{"n", Id(8, 1)}, {{5, 1}, /*repeated=*/true, seen});
  EXPECT_EQ(answer.status().code(), Code::kUnknown);
  EXPECT_FALSE(on(8).catalog().FindName("n").has_value());
  EXPECT_TRUE(Commit(8, PutName{"n", Id(8, 1)}).ok());
}

TEST_F(TakeoverTest, WhatTheDeadDidIsFoundAlsoWhenTheFirstCatchUpWasCutOff) {
  Request request{{77, 1}, false, on(8).applied()};
  ASSERT_TRUE(Commit(8, PutName{"n", Id(8, 1)}, request).ok());
  for (uint64_t i = 0; i < 20; ++i) PersistArray(8, 101 + 2 * i);
  dead_.push_back(std::move(services_[8]));
  testing::TcpProxy proxy(SharedServer().port());
  proxy.Delay(100);
  ServiceOptions options = OptionsOfNext(request.seen);
  options.connection.servers = proxy.address();
  std::optional<vineyard::Status> ready;
  Keep(8, cluster_.Begin(options, &loop_,
                         [&](vineyard::Status status) { ready = std::move(status); }));
  loop_.RunUntil([&] { return on(8).applied() != Revision{}; });  // loaded, and not caught up
  EXPECT_FALSE(ready.has_value());
  uint64_t epoch = on(8).self().epoch;
  proxy.Refuse();
  loop_.RunUntil([&, until = MonotonicNs() + 3'000'000'000] { return MonotonicNs() > until; });
  proxy.Forward();
  loop_.RunUntil([&] { return ready.has_value(); });
  EXPECT_GT(on(8).self().epoch, epoch) << "its session was over";
  request.repeated = true;
  auto answer = Commit(8, PutName{"n", Id(8, 1)}, request);
  EXPECT_TRUE(answer.ok()) << answer.status().ToString();
}

// It reads the log from where the dead one had been: what was a name there may have been dropped or moved since.
TEST_F(TakeoverTest, WhatIsReadDoesNotGoBackWhileTheLogIsReadOnceMore) {
  Revision seen = on(8).applied();
  dead_.push_back(std::move(services_[8]));
  for (int i = 0; i < 20; ++i) {
    std::string name = "n" + std::to_string(i);
    ASSERT_TRUE(Commit(7, PutName{name, Id(8, 1)}).ok());
    ASSERT_TRUE(Commit(7, DropName{name}).ok());
  }
  std::optional<vineyard::Status> ready;
  Keep(8, cluster_.Begin(OptionsOfNext(seen), &loop_,
                         [&](vineyard::Status status) { ready = std::move(status); }));
  std::set<std::string> came_back;
  bool caught_up = false;  // at least once it was looked at in between
  loop_.RunUntil([&] {
    caught_up = caught_up || (!ready && seen < on(8).applied());
    for (const auto& [name, known] : on(8).catalog().ListNames("n*", "", 100).names) {
      came_back.insert(name);
    }
    return ready.has_value();
  });
  ASSERT_TRUE(ready->ok()) << ready->ToString();
  EXPECT_TRUE(caught_up);
  EXPECT_THAT(came_back, ::testing::IsEmpty());
}

// Nobody hears that a change was done who could not read it yet.
TEST_F(TakeoverTest, WhoAsksAgainIsAnsweredWhenTheCatalogShowsIt) {
  Request request{{77, 1}, false, on(8).applied()};
  ASSERT_TRUE(Commit(8, PutName{"n", Id(8, 1)}, request).ok());
  for (uint64_t i = 0; i < 20; ++i) PersistArray(8, 101 + 2 * i);
  dead_.push_back(std::move(services_[8]));
  Keep(8, cluster_.Begin(OptionsOfNext(request.seen), &loop_, [](const vineyard::Status&) {}));
  request.repeated = true;
  std::optional<bool> was_there;
  on(8).Commit(request, PutName{"n", Id(8, 1)}, Soon(), [&](const Result<Outcome>& done) {
    EXPECT_TRUE(done.ok()) << done.status().ToString();
    was_there = on(8).catalog().FindName("n").has_value();
  });
  loop_.RunUntil([&] { return was_there.has_value(); });
  EXPECT_TRUE(*was_there);
}

TEST_F(TakeoverTest, AFirstDaemonKnowsThatNothingWasSentBefore) {
  auto answer = Commit(7, PutName{"n", Id(8, 1)}, {{5, 1}, /*repeated=*/true, {}});
  EXPECT_TRUE(answer.ok()) << answer.status().ToString();
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

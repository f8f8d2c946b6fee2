// Changes that are interrupted in front of each of their requests and behind it, and a log that rotates under them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

using Then = testing::TcpProxy::Then;

class StepsTest : public ClusterTest {
 protected:
  enum class Trouble { kCut, kServerDies };

  // 7 watches; 8 changes things over a link that can be cut.
  void SetUp() override {
    ClusterTest::SetUp();
    cluster_.servers_ = server_.address();
    Join(7);
    cluster_.servers_ = proxy_.address();
    Join(8);
    PersistArray(8, 1);
    ASSERT_TRUE(Commit(8, PutName{"n", Id(8, 1)}).ok());
  }

  // Asks for it; after so many requests the link ends, with or without the last of them. Nothing: it took fewer.
  std::optional<Result<Outcome>> CommitOver(int requests, Then then, Trouble trouble,
                                            const Change& change) {
    auto is_healthy = [this] { return on(8).health().stale_since_ms == 0; };
    loop_.RunUntil(is_healthy);
    EXPECT_TRUE(Sync(8).ok());
    std::atomic<int> seen = 0;
    std::atomic<bool> ended = false;
    proxy_.Watch([&](std::string_view request) {
      bool is_ping = request.substr(4, 4) == std::string_view("\0\0\0\x0b", 4);
      if (ended || is_ping || ++seen != requests) return Then::kPass;
      ended = true;
      return then;
    });
    auto answer = Begin(&on(8), change, {{77, ++number_}, false, on(8).applied()}, 60'000);
    loop_.RunUntil([&] { return ended || answer->has_value(); });
    proxy_.Watch({});
    if (ended) {
      if (trouble == Trouble::kServerDies) server_.Restart();
      proxy_.Forward();
    }
    loop_.RunUntil([&] { return answer->has_value(); });
    loop_.RunUntil(is_healthy);
    if (!ended) return std::nullopt;
    EXPECT_TRUE(*answer && (*answer)->ok())
        << "behind " << requests << " requests: " << (*answer)->status().ToString();
    EXPECT_TRUE(Sync(7).ok());
    return *answer;
  }

  // One of each kind, with the link ended behind each request.
  void DoAll(Then then, Trouble trouble) {
    int steps = 0;
    for (int n = 1;; ++n, ++steps) {
      auto done = CommitOver(n, then, trouble, Persist{{ArrayTree(8, counter_)}});
      if (HasFailure()) return;
      EXPECT_EQ(on(8).catalog().HomeOf(Id(8, counter_)), Id(8, counter_));
      if (!done) break;
      EXPECT_EQ((*done)->value, 2u);
      EXPECT_EQ(on(7).catalog().TreeOf(Id(8, counter_)), ArrayTree(8, counter_));
      counter_ += 2;
    }
    for (int n = 1;; ++n, ++steps) {
      uint64_t before = on(8).catalog().FindName("n")->revision;
      PutName put{"n", n % 2 == 0 ? Id(8, 1) : Id(8, counter_), /*replace=*/true};
      auto done = CommitOver(n, then, trouble, put);
      if (HasFailure()) return;
      EXPECT_EQ(on(8).catalog().FindName("n"), (Name{put.id, before + 1})) << "once";
      if (!done) break;
      EXPECT_EQ((*done)->value, before + 1);
      EXPECT_EQ(on(7).catalog().FindName("n"), (Name{put.id, before + 1}));
    }
    ASSERT_TRUE(Commit(8, PutName{"n", Id(8, 1), /*replace=*/true}).ok());
    for (int n = 1;; ++n, ++steps) {
      auto done = CommitOver(n, then, trouble, Delete{{Id(8, counter_)}});
      if (HasFailure()) return;
      EXPECT_EQ(on(8).catalog().HomeOf(Id(8, counter_)), std::nullopt);
      if (!done) break;
      EXPECT_EQ((*done)->value, 2u);
      EXPECT_EQ(on(7).catalog().HomeOf(Id(8, counter_)), std::nullopt);
      PersistArray(8, counter_ += 2);
    }
    EXPECT_GE(steps, 4) << "each has a multi, and a name is read before it is written";
    on(7).Stop();
    on(8).Stop();
  }

  testing::ZooKeeperServer server_;
  testing::TcpProxy proxy_{server_.port()};
  uint64_t number_ = 0, counter_ = 3;
};

TEST_F(StepsTest, WhatIsCutInFrontOfAnyRequestIsDoneOnce) { DoAll(Then::kRefuse, Trouble::kCut); }

TEST_F(StepsTest, WhatIsCutBehindAnyRequestIsDoneOnce) {
  DoAll(Then::kPassAndRefuse, Trouble::kCut);
}

TEST_F(StepsTest, WhenTheServerDiesBehindAnyRequestItIsDoneOnce) {
  DoAll(Then::kPassAndRefuse, Trouble::kServerDies);
}

// ---- rotation ------------------------------------------------------------------------------------

TEST_F(ClusterTest, WhatIsWrittenWhileTheLogRotatesIsToldToAllOnceAndInOneOrder) {
  cluster_.log_.entries = 20;
  for (uint64_t number : {7, 8, 9}) Join(number);
  uint64_t first = on(9).applied().generation;
  constexpr uint64_t kTrees = 600;
  uint64_t answered = 0, next = 0;
  std::function<void(uint64_t)> one = [&](uint64_t number) {
    if (next == kTrees) return;
    on(number).Commit({}, Persist{{ArrayTree(number, 1 + 2 * next++)}}, Soon(60'000),
                      [&, number](const Result<Outcome>& outcome) {
                        EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
                        ++answered;
                        one(number);
                      });
  };
  for (uint64_t number : {7, 8, 7, 8, 7, 8}) one(number);
  loop_.RunUntil([&] { return answered == kTrees; });
  std::map<uint64_t, std::vector<std::pair<Revision, ObjectId>>> told;
  for (uint64_t number : {7, 8, 9}) {
    ASSERT_TRUE(Sync(number).ok());
    EXPECT_EQ(on(number).catalog().trees(), kTrees);
    for (const Event& event : events_[number]) {
      EXPECT_NE(event.kind, Event::Kind::kReset);
      if (event.id != kInvalidId) told[number].emplace_back(event.revision, event.id);
    }
    EXPECT_EQ(told[number].size(), kTrees) << "each once";
  }
  EXPECT_GE(on(9).applied().generation, first + 5) << "it did rotate";
  EXPECT_EQ(told[7], told[9]);
  EXPECT_EQ(told[8], told[9]);
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

// Several instances of one cluster, and what becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/meta/is_complete.h"
#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

TEST_F(ClusterTest, WhatOnePersistsAnotherSees) {
  Join(7);
  PersistArray(7, 1);
  Join(8);
  EXPECT_EQ(on(8).catalog().HomeOf(Id(7, 1)), Id(7, 1)) << "from before it joined";
  auto done = Commit(7, Persist{{ArrayTree(7, 3)}});
  ASSERT_TRUE(done.ok());
  std::optional<vineyard::Status> reached;
  on(8).WaitFor(done->revision, Soon(), [&](vineyard::Status status) { reached = status; });
  loop_.RunUntil([&] { return reached.has_value(); });
  EXPECT_EQ(on(8).catalog().OwnerOf(Id(7, 3)), 7u);
  PersistArray(8, 1);
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(on(7).catalog().TreeOf(Id(8, 1)), ArrayTree(8, 1));
  EXPECT_EQ(on(7).catalog().instances().size(), 2u);
}

TEST_F(ClusterTest, ATreeLinksToAnothersWhichThenStays) {
  Join(7);
  Join(8);
  PersistArray(8, 1);
  TreeMaker pair(7);
  pair.Object(Id(7, 1), "vineyard::Pair", {{"second_", Id(8, 1)}}).LinkTo(Id(8, 1), {Id(8, 1)});
  ASSERT_TRUE(Sync(7).ok());
  ASSERT_TRUE(Commit(7, Persist{{pair.Bytes()}}).ok());
  auto refused = Commit(8, Delete{{Id(8, 1)}});
  EXPECT_EQ(refused.status().code(), Code::kInUse);
  EXPECT_THAT(refused.status().text(), HasSubstr(PrintId(Id(7, 1))));
  ASSERT_TRUE(Commit(8, Delete{{Id(7, 1)}}).ok()) << "from any instance";
  EXPECT_TRUE(Commit(7, Delete{{Id(8, 1)}}).ok());
  ASSERT_TRUE(Sync(8).ok());
  EXPECT_EQ(on(8).catalog().objects(), 0u);
}

TEST_F(ClusterTest, OfTwoWhoWantANameOneHasItAndTheOtherLearnsWho) {
  Join(7);
  Join(8);
  PersistArray(7, 1);
  PersistArray(8, 1);
  ASSERT_TRUE(Sync(7).ok());
  for (int round = 0; round < 20; ++round) {
    std::string name = "n" + std::to_string(round);
    std::map<uint64_t, Result<Outcome>> answers;
    for (uint64_t number : {7, 8}) {
      on(number).Commit({}, PutName{name, Id(number, 1)}, Soon(),
                        [&, number](Result<Outcome> outcome) { answers.emplace(number, outcome); });
    }
    loop_.RunUntil([&] { return answers.size() == 2; });
    ASSERT_EQ(answers.at(7).ok() + answers.at(8).ok(), 1);
    uint64_t winner = answers.at(7).ok() ? 7 : 8, loser = 15 - winner;
    EXPECT_EQ(answers.at(loser).status().code(), Code::kExists);
    EXPECT_THAT(answers.at(loser).status().text(), HasSubstr(PrintId(Id(winner, 1))));
  }
}

TEST_F(ClusterTest, ManyChangesAtOnceAreAllApplied) {
  Join(7);
  Join(8);
  int answered = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    for (uint64_t number : {7, 8}) {
      on(number).Commit({}, Persist{{ArrayTree(number, 1 + 2 * i)}}, Soon(),
                        [&](Result<Outcome> outcome) {
                          EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
                          ++answered;
                        });
    }
  }
  loop_.RunUntil([&] { return answered == 1000; });
  ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
  EXPECT_EQ(on(7).catalog().objects(), 2000u);
  EXPECT_EQ(on(8).catalog().objects(), 2000u);
}

TEST_F(ClusterTest, WhoEndsIsLostAndCanBeForgotten) {
  Join(7);
  Join(8);
  PersistArray(8, 1);
  services_[8]->Stop();
  int64_t ended_ms = UnixMs();
  loop_.RunUntil([&] { return on(7).catalog().instances().at(8).lost; });
  EXPECT_LE(on(7).catalog().instances().at(8).since_ms, ended_ms) << "it said so itself";
  EXPECT_EQ(on(7).catalog().HomeOf(Id(8, 1)), Id(8, 1)) << "its metadata stays";
  EXPECT_FALSE(IsComplete(on(7).catalog(), Id(8, 1)));
  ASSERT_TRUE(Commit(7, ForgetInstance{8}).ok());
  EXPECT_EQ(on(7).catalog().instances().size(), 1u);
  EXPECT_EQ(on(7).catalog().objects(), 0u);
}

TEST_F(ClusterTest, WhoIsLostWhileItsOnlyNeighbourIsCutOffIsFoundLostLater) {
  testing::TcpProxy proxy_of_7(SharedServer().port()), proxy_of_8(SharedServer().port());
  ServiceOptions options = cluster_.OptionsOf(7);
  options.connection.servers = proxy_of_7.address();
  options.connection.session_timeout_ms = 5000;  // which is also the grace
  TakeOver(7, options);
  cluster_.servers_ = proxy_of_8.address();
  Join(8);
  ASSERT_TRUE(Sync(7).ok());
  bool is_gone = false;
  auto stranger = Connection::Open(
      {SharedServer().address(), 2000},
      [this](std::function<void()> what) { loop_.Post(std::move(what)); }, [](State) {});
  ASSERT_TRUE(stranger.ok());
  (*stranger)->Get(
      Paths(cluster_.prefix()).Fence(8, 1), Soon(), [](const Result<Node>&) {},
      [&](WatchEvent event) { is_gone = event == WatchEvent::kDeleted; });
  ASSERT_TRUE(Sync(7).ok());
  proxy_of_8.Refuse();
  loop_.RunUntil([&] { return is_gone; });
  auto wait = [&](int64_t ms) {
    loop_.RunUntil([until = MonotonicNs() + ms * 1'000'000] { return MonotonicNs() > until; });
  };
  wait(4000);
  proxy_of_7.Refuse();  // when the grace ends
  wait(2500);
  proxy_of_7.Forward();
  loop_.RunUntil([&] { return on(7).catalog().instances().at(8).lost; });
  EXPECT_EQ(on(7).self().epoch, 1u) << "its own session lived on";
}

TEST_F(ClusterTest, ANextDaemonOfAnInstanceTakesItsPlace) {
  Join(7);
  Join(8);
  PersistArray(8, 1);
  auto old = std::move(services_[8]);
  std::optional<vineyard::Status> replaced;
  old->on_replaced = [&](vineyard::Status status) { replaced = std::move(status); };
  ServiceOptions options = cluster_.OptionsOf(8);
  options.cluster = old->cluster();
  TakeOver(8, options);
  EXPECT_EQ(on(8).self().number, 8u);
  EXPECT_EQ(on(8).self().epoch, 2u);
  // The old one is fenced: what it still sends is not applied.
  std::optional<Result<Outcome>> late;
  old->Commit({}, Persist{{ArrayTree(8, 3)}}, Soon(2000),
              [&](Result<Outcome> outcome) { late = outcome; });
  auto tick = loop_.tick;
  loop_.tick = [&] {
    tick();
    old->Tick(MonotonicNs());
  };
  loop_.RunUntil([&] { return late.has_value() && replaced.has_value(); });
  EXPECT_EQ(late->status().code(), Code::kUnavailable);
  loop_.tick = tick;
  old.reset();
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(on(7).catalog().objects(), 2u);
  EXPECT_FALSE(on(7).catalog().instances().at(8).lost);
}

TEST_F(ClusterTest, ANumberThatIsTakenInAnotherClusterIsExchanged) {
  Join(7);
  ServiceOptions options = cluster_.OptionsOf(7);
  options.cluster = "of yesterday";
  TakeOver(8, options);
  EXPECT_NE(on(8).self().number, 7u);
  EXPECT_NE(on(8).self().number, 0u);
}

TEST_F(ClusterTest, TheLogRotatesAndIsTrimmedUnderLoad) {
  cluster_.log_.entries = 20;
  cluster_.log_.keep_seconds = 0;
  Join(7);
  Join(8);
  uint64_t first = on(8).applied().generation;
  for (uint64_t i = 0; i < 150; ++i) {
    ASSERT_TRUE(Commit(7 + i % 2, Persist{{ArrayTree(7 + i % 2, 1 + 2 * i)}}).ok());
  }
  ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
  EXPECT_EQ(on(7).catalog().objects(), 300u);
  EXPECT_EQ(on(8).catalog().objects(), 300u);
  EXPECT_GT(on(8).applied().generation, first + 3);
  Join(9);  // reads a cluster whose log began somewhere
  EXPECT_EQ(on(9).catalog().objects(), 300u);
}

TEST_F(ClusterTest, WhatWasCutOffBeforeItsReplyIsAppliedOnce) {
  testing::TcpProxy proxy(SharedServer().port());
  Join(7);
  cluster_.servers_ = proxy.address();
  Join(8);
  PersistArray(8, 1);
  for (int round = 0; round < 3; ++round) {
    proxy.Delay(300);
    std::string name = "n" + std::to_string(round);
    std::optional<Result<Outcome>> answer;
    on(8).Commit({{5, 1u + round}, false, {}}, PutName{name, Id(8, 1)}, Soon(),
                 [&](Result<Outcome> outcome) { answer = outcome; });
    // It arrives: another sees it while its client has no answer.
    loop_.RunUntil([&] { return on(7).catalog().FindName(name).has_value(); });
    EXPECT_FALSE(answer.has_value());
    proxy.Disconnect();
    proxy.Forward();
    loop_.RunUntil([&] { return answer.has_value(); });
    ASSERT_TRUE(answer->ok()) << answer->status().ToString();
    EXPECT_EQ((*answer)->value, on(7).catalog().FindName(name)->revision);
  }
}

TEST_F(ClusterTest, CutOffForLongerThanTheSessionItComesBackWithANewEpoch) {
  testing::TcpProxy proxy(SharedServer().port());
  Join(7);
  cluster_.servers_ = proxy.address();
  Join(8);
  PersistArray(8, 1);
  proxy.Refuse();
  loop_.RunUntil([&] { return on(7).catalog().instances().at(8).lost; });
  loop_.RunUntil([&] { return on(8).health().stale_since_ms != 0; });
  EXPECT_EQ(on(8).catalog().HomeOf(Id(8, 1)), Id(8, 1)) << "what is known is served";
  EXPECT_EQ(Commit(8, Persist{{ArrayTree(8, 3)}}, {}, 500).status().code(), Code::kUnavailable);
  PersistArray(7, 1);
  proxy.Forward();
  loop_.RunUntil([&] { return on(8).health().stale_since_ms == 0; });
  EXPECT_EQ(on(8).self().epoch, 2u);
  EXPECT_EQ(on(8).catalog().HomeOf(Id(7, 1)), Id(7, 1));
  PersistArray(8, 5);
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_FALSE(on(7).catalog().instances().at(8).lost);
  EXPECT_EQ(on(7).catalog().HomeOf(Id(8, 3)), std::nullopt) << "what was unavailable was not done";
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

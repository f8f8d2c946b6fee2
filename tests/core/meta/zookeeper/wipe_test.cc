// A server that lost its data while daemons live: they join what comes after it and publish what is theirs again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/core/meta/is_complete.h"
#include "tests/core/meta/zookeeper/cluster_fixture.h"

namespace vineyard::meta::zookeeper {
namespace {

class WipeTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    cluster_.servers_ = server_.address();
  }
  // Joins a cluster whose data may go, and notes each time that it did.
  void JoinWiped(uint64_t number) {
    Join(number);
    on(number).on_new_cluster = [this, number] { ++new_clusters_[number]; };
  }
  static std::string Linking(uint64_t number, uint64_t counter, ObjectId home) {
    TreeMaker tuple(number);
    tuple.Object(Id(number, counter), "vineyard::Tuple", {{"a", home}}).LinkTo(home, {home});
    return tuple.Bytes();
  }

  // What `zkCli deleteall` removes, children first.
  void ListAll(Connection* connection, const std::string& path, std::vector<Op>* ops) {
    std::optional<Result<Children>> children;
    connection->GetChildren(path, Soon(),
                            [&](Result<Children> listed) { children = std::move(listed); });
    loop_.RunUntil([&] { return children.has_value(); });
    ASSERT_TRUE(children && children->ok());
    for (const std::string& name : (*children)->names) {
      ListAll(connection, path + "/" + name, ops);
    }
    ops->push_back(Op::Remove(path));
  }

  testing::ZooKeeperServer server_;
  std::map<uint64_t, int> new_clusters_;
};

TEST_F(WipeTest, EverybodyPublishesAgainAndAllSeeTheSame) {
  JoinWiped(7);
  JoinWiped(8);
  PersistArray(7, 1);
  PersistArray(8, 1);
  ASSERT_TRUE(Sync(7).ok());
  ASSERT_TRUE(Commit(7, Persist{{Linking(7, 3, Id(8, 1))}}).ok());
  ASSERT_TRUE(Commit(7, PutName{"n", Id(7, 1)}).ok());
  ASSERT_TRUE(Commit(8, PutName{"m", Id(8, 1)}).ok());
  std::string before = on(7).cluster();
  server_.Wipe();
  loop_.RunUntil([&] { return new_clusters_[7] == 1 && new_clusters_[8] == 1; });
  EXPECT_NE(on(7).cluster(), before);
  EXPECT_EQ(on(7).cluster(), on(8).cluster());
  EXPECT_EQ(on(7).self().number, 7u) << "a number that is free is kept";
  EXPECT_EQ(on(8).self().number, 8u);
  for (uint64_t number : {7, 8}) {
    EXPECT_EQ(events_[number].back().kind, Event::Kind::kReset);
    EXPECT_EQ(on(number).catalog().objects(), 0u);
  }
  // Who links may be the first.
  ASSERT_TRUE(Commit(7, Persist{{ArrayTree(7, 1), Linking(7, 3, Id(8, 1))}, /*again=*/true}).ok());
  EXPECT_FALSE(IsComplete(on(7).catalog(), Id(7, 3)));
  ASSERT_TRUE(Commit(8, Persist{{ArrayTree(8, 1)}, /*again=*/true}).ok());
  ASSERT_TRUE(Commit(7, PutName{"n", Id(7, 1)}).ok());
  ASSERT_TRUE(Commit(8, PutName{"m", Id(8, 1)}).ok());
  ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
  for (uint64_t number : {7, 8}) {
    const Catalog& catalog = on(number).catalog();
    EXPECT_EQ(catalog.objects(), 5u);
    EXPECT_TRUE(IsComplete(catalog, Id(7, 3)));
    EXPECT_EQ(catalog.FindName("n")->id, Id(7, 1));
    EXPECT_EQ(catalog.FindName("m")->id, Id(8, 1));
    EXPECT_EQ(catalog.instances().size(), 2u);
  }
  EXPECT_EQ(Commit(8, Delete{{Id(8, 1)}}).status().code(), Code::kInUse);
  EXPECT_EQ(new_clusters_[7], 1);
  PersistArray(7, 5);
}

TEST_F(WipeTest, WhatWasPublishedAgainInAnyOrderIsLinkedOnceAndCanBeDeleted) {
  JoinWiped(7);
  JoinWiped(8);
  for (int round = 1; round <= 2; ++round) {
    bool is_home_first = round == 1;
    server_.Wipe();
    loop_.RunUntil([&] { return new_clusters_[7] == round && new_clusters_[8] == round; });
    auto publish = [&](uint64_t number) {
      std::string tree = number == 8 ? ArrayTree(8, 1) : Linking(7, 3, Id(8, 1));
      ASSERT_TRUE(Commit(number, Persist{{tree}, /*again=*/true}).ok());
      ASSERT_TRUE(Sync(15 - number).ok());
    };
    publish(is_home_first ? 8 : 7);
    publish(is_home_first ? 7 : 8);
    for (uint64_t number : {7, 8}) {
      EXPECT_TRUE(IsComplete(on(number).catalog(), Id(7, 3)));
      EXPECT_EQ(Commit(number, Delete{{Id(8, 1)}}).status().code(), Code::kInUse);
    }
    ASSERT_TRUE(Commit(8, Delete{{Id(7, 3)}}).ok());
    ASSERT_TRUE(Commit(7, Delete{{Id(8, 1)}}).ok()) << "nothing is left under it";
    ASSERT_TRUE(Sync(8).ok());
    EXPECT_EQ(on(7).catalog().objects() + on(8).catalog().objects(), 0u);
    Join(9);
    EXPECT_EQ(on(9).catalog().objects(), 0u);
    on(9).Stop();
    services_.erase(9);
  }
}

TEST_F(WipeTest, WhoDoesNothingNoticesThatAllWasDeletedUnderItsSession) {
  JoinWiped(7);
  PersistArray(7, 1);
  auto stranger = Connection::Open(
      {server_.address(), 2000},
      [this](std::function<void()> what) { loop_.Post(std::move(what)); }, [](State) {});
  ASSERT_TRUE(stranger.ok());
  std::vector<Op> ops;
  ListAll(stranger->get(), cluster_.prefix(), &ops);
  std::optional<vineyard::Status> wiped;
  (*stranger)->Multi(std::move(ops), Soon(), [&](const MultiResult& done) { wiped = done.status; });
  loop_.RunUntil([&] { return wiped.has_value(); });
  ASSERT_TRUE(wiped && wiped->ok()) << wiped->ToString();
  loop_.RunUntil([&] { return new_clusters_[7] == 1; });
  ASSERT_TRUE(Commit(7, Persist{{ArrayTree(7, 1)}, /*again=*/true}).ok());
}

TEST_F(WipeTest, WhatWasOnItsWayIntoTheLostClusterIsNotGuessed) {
  JoinWiped(7);
  PersistArray(7, 1);
  Request request{{5, 1}, false, on(7).applied()};
  ASSERT_TRUE(Commit(7, PutName{"n", Id(7, 1)}, request).ok());
  server_.Wipe();
  loop_.RunUntil([&] { return new_clusters_[7] == 1; });
  request.repeated = true;
  auto repeated = Commit(7, PutName{"n", Id(7, 1)}, request);
  EXPECT_EQ(repeated.status().code(), Code::kUnknown) << repeated.status().ToString();
}

TEST_F(WipeTest, ANumberThatAnotherTookIsGivenUp) {
  JoinWiped(7);
  JoinWiped(8);
  auto sleeper = std::move(services_[8]);  // it does not turn its loop
  server_.Wipe();
  loop_.RunUntil([&] { return new_clusters_[7] == 1; });
  Join(8);  // a stranger who chose the same
  services_[9] = std::move(sleeper);
  loop_.RunUntil([&] { return new_clusters_[8] == 1; });
  std::set<uint64_t> numbers = {on(7).self().number, on(8).self().number, on(9).self().number};
  EXPECT_EQ(numbers.size(), 3u);
  EXPECT_EQ(on(8).self().number, 8u);
  PersistArray(8, 1);
  ASSERT_TRUE(Commit(9, Persist{{ArrayTree(on(9).self().number, 1)}}).ok());
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(on(7).catalog().objects(), 4u);
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

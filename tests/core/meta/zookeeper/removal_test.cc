// Deletes that are more than one multi takes, and trees under which something else lies than the catalog says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/meta/is_complete.h"
#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

class RemovalTest : public ClusterTest {
 protected:
  // Commits all of them at once.
  void CommitAll(uint64_t number, std::vector<Change> changes) {
    size_t answered = 0;
    for (Change& change : changes) {
      on(number).Commit({}, std::move(change), Soon(), [&](const Result<Outcome>& outcome) {
        EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
        ++answered;
      });
    }
    loop_.RunUntil([&] { return answered == changes.size(); });
  }
  void NameIt(uint64_t number, ObjectId id, int names) {
    std::vector<Change> changes;
    for (int i = 0; i < names; ++i) changes.push_back(PutName{"name/" + std::to_string(i), id});
    CommitAll(number, std::move(changes));
  }
  void LinkTo(uint64_t number, ObjectId home, uint64_t from, uint64_t to) {
    std::vector<Change> changes;
    for (uint64_t i = from; i < to; ++i) {
      TreeMaker tuple(number);
      tuple.Object(Id(number, i), "vineyard::Tuple", {{"a", home}}).LinkTo(home, {home});
      changes.push_back(Persist{{tuple.Bytes()}});
    }
    CommitAll(number, std::move(changes));
  }
};

TEST_F(RemovalTest, ATreeWithThousandsOfNamesGoesWithThem) {
  Join(7);
  Join(8);
  PersistArray(7, 1);
  NameIt(7, Id(7, 1), 2000);
  ASSERT_TRUE(Sync(8).ok());
  EXPECT_EQ(on(8).catalog().names(), 2000u);
  auto done = Commit(8, Delete{{Id(7, 1)}});
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->value, 2u);
  ASSERT_TRUE(Sync(7).ok());
  for (uint64_t number : {7, 8}) {
    EXPECT_EQ(on(number).catalog().names(), 0u);
    EXPECT_EQ(on(number).catalog().objects(), 0u);
  }
  PersistArray(7, 3);
  EXPECT_TRUE(Commit(7, PutName{"name/0", Id(7, 3)}).ok());
}

TEST_F(RemovalTest, ATreeToWhichThousandsLinkGoesByForceOnly) {
  Join(7);
  PersistArray(7, 1);
  LinkTo(7, Id(7, 1), 100, 2300);
  EXPECT_EQ(Commit(7, Delete{{Id(7, 1)}}).status().code(), Code::kInUse);
  EXPECT_EQ(on(7).catalog().objects(), 2202u);
  auto done = Commit(7, Delete{{Id(7, 1)}, /*force=*/true});
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(on(7).catalog().objects(), 2200u);
  EXPECT_FALSE(IsComplete(on(7).catalog(), Id(7, 100)));
  Join(8);
  EXPECT_EQ(on(8).catalog().objects(), 2200u);
}

TEST_F(RemovalTest, ThousandsOfTreesThatLinkToEachOtherGoAtOnce) {
  Join(7);
  PersistArray(7, 1);
  LinkTo(7, Id(7, 1), 100, 2300);
  auto done = Commit(7, Delete{on(7).catalog().TreesOf(7), false});
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->value, 2202u);
  EXPECT_EQ(on(7).catalog().objects(), 0u);
}

TEST_F(RemovalTest, AnInstanceIsForgottenWithThousandsOfTrees) {
  Join(7);
  Join(8);
  std::vector<Change> changes;
  for (uint64_t i = 0; i < 3000; ++i) changes.push_back(Persist{{ArrayTree(8, 1 + 2 * i)}});
  CommitAll(8, std::move(changes));
  ASSERT_TRUE(Commit(8, PutName{"n", Id(8, 1)}).ok());
  on(8).Stop();
  loop_.RunUntil([&] { return on(7).catalog().instances().at(8).lost; });
  auto done = Commit(7, ForgetInstance{8});
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->value, 6000u);
  EXPECT_EQ(on(7).catalog().objects(), 0u);
  EXPECT_EQ(on(7).catalog().instances().size(), 1u);
  Join(9);
  EXPECT_EQ(on(9).catalog().objects(), 0u);
  EXPECT_EQ(on(9).catalog().names(), 0u);
}

TEST_F(RemovalTest, WhatWasBegunBeforeADaemonWasKilledIsFinishedByTheNext) {
  testing::TcpProxy proxy(SharedServer().port());
  Join(7);
  cluster_.servers_ = proxy.address();
  Join(8);
  cluster_.servers_ = SharedServer().address();
  PersistArray(8, 1);
  PersistArray(8, 3);
  NameIt(8, Id(8, 3), 1500);
  ASSERT_TRUE(Sync(7).ok());
  Request request{{77, 1}, false, on(8).applied()};
  auto lost = Begin(&on(8), Delete{{Id(8, 1), Id(8, 3)}}, request);
  proxy.Delay(100);  // so that it can be cut between two parts
  loop_.RunUntil([&] { return !on(7).catalog().HomeOf(Id(8, 1)); });
  proxy.Freeze();
  EXPECT_FALSE(lost->has_value());
  EXPECT_GT(on(7).catalog().names(), 0u);
  auto dead = std::move(services_[8]);
  ServiceOptions options = cluster_.OptionsOf(8);
  options.cluster = dead->cluster();
  options.seen = request.seen;
  TakeOver(8, options);
  request.repeated = true;
  auto done = Commit(8, Delete{{Id(8, 1), Id(8, 3)}}, request);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->value, 4u) << "with what the dead deleted";
  EXPECT_EQ(on(8).catalog().objects(), 0u);
  EXPECT_EQ(on(8).catalog().names(), 0u);
  auto again = Commit(8, Delete{{Id(8, 1), Id(8, 3)}}, request);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->value, 4u);
}

TEST_F(RemovalTest, WhatWasPublishedAgainWithoutALinkCanBeDeleted) {
  Join(7);
  auto linking = [](uint64_t counter) {
    TreeMaker tuple(7);
    tuple.Object(Id(7, counter), "vineyard::Tuple", {{"a", Id(7, 1)}}).LinkTo(Id(7, 1), {Id(7, 1)});
    return tuple.Bytes();
  };
  ASSERT_TRUE(Commit(7, Persist{{linking(9)}, /*again=*/true}).ok());
  PersistArray(7, 1);
  EXPECT_EQ(Commit(7, Delete{{Id(7, 1)}}).status().code(), Code::kInUse);
  ASSERT_TRUE(Commit(7, Delete{{Id(7, 9)}}).ok());
  EXPECT_TRUE(Commit(7, Delete{{Id(7, 1)}}).ok());
}

TEST_F(RemovalTest, AStrangersNodeUnderATreeGoesWithIt) {
  Join(7);
  PersistArray(7, 1);
  Paths paths(cluster_.prefix());
  std::optional<vineyard::Status> made;
  auto connection = Connection::Open(
      {SharedServer().address(), 2000},
      [this](std::function<void()> what) { loop_.Post(std::move(what)); }, [](State) {});
  ASSERT_TRUE(connection.ok());
  (*connection)
      ->Multi({Op::Create(paths.Tree(Id(7, 1)) + "/stranger"),
               Op::Create(paths.LinkOf(Id(7, 1), Id(7, 99)))},
              Soon(), [&](const MultiResult& result) { made = result.status; });
  loop_.RunUntil([&] { return made.has_value(); });
  ASSERT_TRUE(made->ok()) << made->ToString();
  auto done = Commit(7, Delete{{Id(7, 1)}});
  EXPECT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(on(7).catalog().objects(), 0u);
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

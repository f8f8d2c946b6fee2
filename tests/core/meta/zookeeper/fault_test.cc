// What others leave in the tree of nodes, what a later build writes, and servers and daemons that stand still.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>

#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/child.h"

namespace vineyard::meta::zookeeper {
namespace {

using ::testing::HasSubstr;

class FaultTest : public ClusterTest {
 protected:
  // Somebody else's hands in the cluster.
  vineyard::Status Meddle(std::vector<Op> ops, const std::string& user = "") {
    if (!user.empty() && user_ == nullptr) {
      auto opened = Connection::Open(
          {cluster_.servers_, 2000, user},
          [this](std::function<void()> what) { loop_.Post(std::move(what)); }, [](State) {});
      EXPECT_TRUE(opened.ok());
      user_ = std::move(*opened);
    }
    Connection& hands = user.empty() ? Stranger() : *user_;
    std::optional<vineyard::Status> made;
    hands.Multi(std::move(ops), Soon(), [&](const MultiResult& done) { made = done.status; });
    loop_.RunUntil([&] { return made.has_value(); });
    return made ? *made : Internal("no answer");
  }
  void Run(int ms) {
    loop_.RunUntil(
        [until = MonotonicNs() + int64_t{ms} * 1'000'000] { return MonotonicNs() > until; });
  }
  std::unique_ptr<Connection> user_;
};

// ---- strangers -----------------------------------------------------------------------------------

TEST_F(FaultTest, AStrangersNodeInTheLogTakesANumberAndIsSteppedOver) {
  Join(7);
  Join(8);
  PersistArray(7, 1);
  uint64_t generation = on(7).applied().generation;
  ASSERT_TRUE(Meddle({Op::Create(paths_.Generation(generation) + "/stranger")}).ok());
  ASSERT_TRUE(
      Meddle({Op::Create(paths_.Generation(generation) + "/x-", "", Op::kSequential)}).ok());
  PersistArray(7, 3);
  PersistArray(8, 1);
  ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
  EXPECT_EQ(on(7).catalog().objects(), 6u);
  EXPECT_EQ(on(8).catalog().objects(), 6u);
  Join(9);
  EXPECT_EQ(on(9).catalog().objects(), 6u);
}

TEST_F(FaultTest, StrangersNodesElsewhereAreLeftOut) {
  Join(7);
  PersistArray(7, 1);
  ASSERT_TRUE(
      Meddle({Op::Create(paths_.prefix() + "/stranger"), Op::Create(paths_.Objects() + "/stranger"),
              Op::Create(paths_.ObjectBucket(0) + "/stranger", "x"),
              Op::Create(paths_.ObjectBucket(1) + "/" + PrintId(Id(7, 99)), "\x01garbage"),
              Op::Create(paths_.NameBucket(2) + "/stranger", "x"),
              Op::Create(paths_.Places() + "/stranger", "x"),
              Op::Create(paths_.Fences() + "/stranger")})
          .ok());
  Join(8);
  EXPECT_EQ(on(8).catalog().objects(), 2u);
  EXPECT_EQ(on(8).catalog().names(), 0u);
  EXPECT_EQ(on(8).catalog().instances().size(), 2u);
}

TEST_F(FaultTest, ATreeThatIsDamagedIsLeftOutAndTheRestIsServed) {
  Join(7);
  PersistArray(7, 1);
  PersistArray(7, 3);
  ASSERT_TRUE(Commit(7, PutName{"n", Id(7, 1)}).ok());
  ASSERT_TRUE(Meddle({Op::Set(paths_.Tree(Id(7, 1)), "\x01garbage")}).ok());
  Join(8);
  EXPECT_EQ(on(8).catalog().objects(), 2u);
  EXPECT_EQ(on(8).catalog().FindName("n"), std::nullopt) << "a name refers to what is there";
  EXPECT_TRUE(on(8).catalog().IsUnreadable(Id(7, 1)));
  PersistArray(8, 1);
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(on(7).catalog().objects(), 6u);
}

TEST_F(FaultTest, WhatItMayNotReadMakesItReadOnlyAndIsLeftOut) {
  Join(7);
  PersistArray(7, 1);
  Entry entry;
  entry.traces.push_back({Trace::Kind::kTreeCreated, true, Id(9, 1), {}, 0});
  std::string log = paths_.NewEntry(on(7).applied().generation);
  // As by a daemon that alone was given --meta-auth.
  ASSERT_TRUE(Meddle({Op::Create(paths_.Tree(Id(9, 1)), ArrayTree(9, 1)),
                      Op::Create(log, Encode(entry), Op::kSequential)},
                     "some:body")
                  .ok());
  ASSERT_TRUE(Sync(7).ok()) << "it reads on";
  EXPECT_TRUE(on(7).health().read_only);
  auto refused = Commit(7, Persist{{ArrayTree(7, 3)}});
  EXPECT_EQ(refused.status().code(), Code::kPermission);
  EXPECT_THAT(refused.status().text(), HasSubstr("--meta-auth"));
  Join(8);  // and who reads all of it
  EXPECT_TRUE(on(8).health().read_only);
  EXPECT_EQ(on(8).catalog().objects(), 2u);
}

// Once it joined, and what it wrote was its own alone: the others could not read on.
TEST_F(FaultTest, WhoGivesASecretDoesNotJoinWhatAnyoneMayChange) {
  Join(7);
  auto join = [&](const std::string& prefix) {
    ServiceOptions options = cluster_.OptionsOf(8);
    options.connection.digest_auth = "some:body";
    options.prefix = prefix;
    std::optional<vineyard::Status> ready;
    auto service =
        cluster_.Begin(options, &loop_, [&](vineyard::Status status) { ready = status; });
    loop_.RunUntil([&] { return ready.has_value(); });
    return *ready;
  };
  vineyard::Status refused = join(cluster_.prefix());
  EXPECT_EQ(refused.code(), Code::kPermission) << refused.ToString();
  EXPECT_THAT(refused.text(), HasSubstr(paths_.Format() + ": anyone may change it"));
  std::string made = cluster_.prefix() + "-open";  // by hand, before the cluster
  ASSERT_TRUE(Meddle({Op::Create(made)}).ok());
  EXPECT_THAT(join(made).text(), HasSubstr(made + ": anyone may change it"));
  EXPECT_TRUE(join(cluster_.prefix() + "-closed").ok());
  EXPECT_TRUE(join(cluster_.prefix() + "-closed").ok());
}

TEST_F(FaultTest, ThePathMayBeAsLongAsIsAllowed) {
  ServiceOptions options = cluster_.OptionsOf(7);
  options.prefix += "/";
  options.prefix += std::string(1024 - options.prefix.size(), 'p');
  ASSERT_TRUE(Paths::CheckPrefix(options.prefix).ok());
  ASSERT_FALSE(Paths::CheckPrefix(options.prefix + "p").ok());
  TakeOver(7, options);
  PersistArray(7, 1);
}

TEST_F(FaultTest, ATreeThatItMayNotReadMakesItReadOnly) {
  Join(7);
  Entry entry;
  entry.traces.push_back({Trace::Kind::kTreeCreated, true, Id(9, 1), {}, 0});
  std::string log = paths_.NewEntry(on(7).applied().generation);
  ASSERT_TRUE(Meddle({Op::Create(paths_.Tree(Id(9, 1)), ArrayTree(9, 1))}, "some:body").ok());
  ASSERT_TRUE(Meddle({Op::Create(log, Encode(entry), Op::kSequential)}).ok());
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_TRUE(on(7).health().read_only);
}

TEST_F(FaultTest, ALogInWhichItMayNotWriteRefusesAChangeAtOnce) {
  Join(7);
  PersistArray(7, 1);
  uint64_t next = on(7).applied().generation + 1;
  ASSERT_TRUE(Meddle({Op::Create(paths_.Generation(next)),
                      Op::Set(paths_.Log(), Encode(LogState{next, next - 1}))},
                     "some:body")
                  .ok());
  auto refused = Commit(7, Persist{{ArrayTree(7, 3)}});
  EXPECT_EQ(refused.status().code(), Code::kPermission) << refused.status().ToString();
  EXPECT_THAT(refused.status().text(), HasSubstr(paths_.NewEntry(next)));
}

TEST_F(FaultTest, ATreeOfFullLengthFitsIntoAMultiThatHasLongPaths) {
  ServiceOptions options = cluster_.OptionsOf(7);
  options.prefix += "/" + std::string(600, 'p');
  TakeOver(7, options);
  std::map<Code, int> answers;
  for (uint64_t i = 0; i < 40; ++i) {  // around the limit
    size_t size = kMaxTree - 7500 + 190 * i;
    std::string fields = "\x81\xa1k\xdb";  // {"k": a text of four bytes of length}
    for (int shift = 24; shift >= 0; shift -= 8) fields += static_cast<char>(size >> shift);
    std::string record =
        EncodeRecord(Id(7, 1 + i), "vineyard::Long", 8, 7, {}, fields + std::string(size, 'x'));
    Tree tree;
    tree.owner = 7;
    tree.nodes.emplace_back();
    tree.nodes[0].id = Id(7, 1 + i);
    tree.nodes[0].record = record;
    auto bytes = EncodeTree(tree);
    if (!bytes.ok()) break;  // too long for a tree
    ++answers[Commit(7, Persist{{*bytes}}).status().code()];
  }
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_GT(answers[Code::kOk], 30);
}

// ---- later builds --------------------------------------------------------------------------------

// ---- what somebody removed -----------------------------------------------------------------------

// Once every change waited for its deadline, and status said that all is well.
TEST_F(FaultTest, ALogThatSomebodyRemovedIsBegunAnew) {
  Join(7);
  Join(8);
  PersistArray(7, 1);
  ASSERT_TRUE(Sync(8).ok());
  auto remove = [&] {
    Revision last = on(7).applied();
    std::vector<Op> ops;
    for (uint64_t i = 0; i < last.entries; ++i) {
      ops.push_back(Op::Remove(paths_.Entry(last.generation, i)));
    }
    ops.push_back(Op::Remove(paths_.Generation(last.generation)));
    ASSERT_TRUE(Meddle(std::move(ops)).ok());
  };
  remove();
  PersistArray(7, 3);
  ASSERT_TRUE(Sync(8).ok() && Sync(7).ok());
  for (uint64_t number : {7, 8}) EXPECT_EQ(on(number).catalog().trees(), 2u);
  ASSERT_TRUE(Commit(8, Delete{{Id(7, 1)}}).ok());
  ASSERT_TRUE(Sync(7).ok());
  // With nobody there, by the one who comes; which may look at its place twice.
  remove();
  services_.clear();
  ServiceOptions options = cluster_.OptionsOf(7);
  TakeOver(7, options);
  EXPECT_EQ(on(7).catalog().trees(), 1u);
  PersistArray(7, 5);
}

// Once it could not be deleted, and was listed for ever.
TEST_F(FaultTest, ATreeThatSomebodyRemovedCanBeDeleted) {
  Join(7);
  Join(8);
  PersistArray(7, 1);
  PersistArray(7, 3);
  ASSERT_TRUE(Commit(7, PutName{"n", Id(7, 1)}).ok());
  ASSERT_TRUE(Sync(8).ok());
  ASSERT_TRUE(
      Meddle({Op::Remove(paths_.NameOf(Id(7, 1), "n")), Op::Remove(paths_.Tree(Id(7, 1)))}).ok());
  auto deleted = Commit(8, Delete{{Id(7, 1)}});
  ASSERT_TRUE(deleted.ok()) << deleted.status().ToString();
  EXPECT_EQ(Commit(8, Delete{{Id(7, 1)}}).status().code(), Code::kNotFound);
  ASSERT_TRUE(Sync(7).ok());
  for (uint64_t number : {7, 8}) {
    EXPECT_EQ(on(number).catalog().trees(), 1u);
    EXPECT_FALSE(on(number).catalog().FindName("n"));
  }
  EXPECT_TRUE(Commit(7, PutName{"n", Id(7, 3)}).ok());
}

TEST_F(FaultTest, AFolderThatSomebodyRemovedIsMadeAgainByTheNextWhoReadsAll) {
  Join(7);
  std::vector<Op> ops;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    ops.push_back(Op::Remove(paths_.NameBucket(bucket)));
  }
  ops.push_back(Op::Remove(paths_.Names()));
  ops.push_back(Op::Remove(paths_.ObjectBucket(0)));
  ASSERT_TRUE(Meddle(std::move(ops)).ok());
  Join(8);
  EXPECT_TRUE(HasNode(paths_.ObjectBucket(0)));
  PersistArray(7, 1);
  ASSERT_TRUE(Commit(7, PutName{"n", Id(7, 1)}).ok());
}

TEST_F(FaultTest, WhatIsMissingOrDamagedInFrontOfTheJoinIsNamed) {
  Join(7);
  auto why = [&](const std::string& text) {
    bool is_ready = false;
    auto service = cluster_.Begin(cluster_.OptionsOf(8), &loop_,
                                  [&](const vineyard::Status&) { is_ready = true; });
    loop_.RunUntil([&] {
      service->Tick(MonotonicNs());
      return is_ready || service->health().text.find(text) != std::string::npos;
    });
    return service->health().text;
  };
  ASSERT_TRUE(Meddle({Op::Set(paths_.Format(), "\x01nonsense")}).ok());
  EXPECT_THAT(why(paths_.Format() + ": "), HasSubstr(paths_.Format() + ": "));
  ASSERT_TRUE(Meddle({Op::Remove(paths_.Format())}).ok());
  EXPECT_THAT(why("missing"), HasSubstr(paths_.Format() + " is missing"));
}

TEST_F(FaultTest, AChangeThatNeedsWhatItMayNotReadIsRefusedAtOnce) {
  Join(7);
  PersistArray(7, 1);
  ASSERT_TRUE(Meddle({Op::Remove(paths_.Tree(Id(7, 1)))}).ok());
  ASSERT_TRUE(Meddle({Op::Create(paths_.Tree(Id(7, 1)), ArrayTree(7, 1))}, "some:body").ok());
  auto refused = Commit(7, SetLabels{Id(7, 1), {{"k", "v"}}});
  EXPECT_EQ(refused.status().code(), Code::kPermission) << refused.status().ToString();
}

TEST_F(FaultTest, AClusterOfALaterLayoutIsNotJoined) {
  Join(7);
  ClusterFormat later;
  later.layout = kLayout + 1;
  later.cluster = on(7).cluster();
  ASSERT_TRUE(Meddle({Op::Set(paths_.Format(), Encode(later))}).ok());
  std::optional<vineyard::Status> ready;
  auto service = cluster_.Begin(cluster_.OptionsOf(8), &loop_,
                                [&](vineyard::Status status) { ready = std::move(status); });
  loop_.RunUntil([&] { return ready.has_value(); });
  EXPECT_EQ(ready->code(), Code::kVersion);
  EXPECT_THAT(ready->text(), HasSubstr("layout 2"));
}

TEST_F(FaultTest, WhoMeetsAnEntryThatMustBeUnderstoodReadsOn) {
  Join(7);
  PersistArray(7, 1);
  Entry entry;
  entry.traces.push_back({Trace::Kind::kOther, /*must_understand=*/false, 0, {}, 0});
  std::string log = paths_.NewEntry(on(7).applied().generation);
  ASSERT_TRUE(Meddle({Op::Create(log, Encode(entry), Op::kSequential)}).ok());
  PersistArray(7, 3);
  EXPECT_FALSE(on(7).health().read_only) << "what need not be understood";
  entry.traces[0].must_understand = true;
  ASSERT_TRUE(Meddle({Op::Create(log, Encode(entry), Op::kSequential)}).ok());
  loop_.RunUntil([&] { return on(7).health().read_only; });
  auto refused = Commit(7, Persist{{ArrayTree(7, 5)}});
  EXPECT_EQ(refused.status().code(), Code::kVersion);
  EXPECT_EQ(on(7).catalog().objects(), 4u) << "what is known is served";
  EXPECT_TRUE(Sync(7).ok());
}

// ---- races ---------------------------------------------------------------------------------------

TEST_F(FaultTest, ADeleteThatRacesWithALinkOrANameLeavesNothingDangling) {
  Join(7);
  Join(8);
  for (uint64_t round = 0; round < 20; ++round) {
    uint64_t counter = 1 + 10 * round;
    PersistArray(8, counter);
    ASSERT_TRUE(Sync(7).ok());
    ObjectId home = Id(8, counter);
    TreeMaker parent(7);
    parent.Object(Id(7, counter), "vineyard::Tuple", {{"a", home}}).LinkTo(home, {home});
    std::string name = "n" + std::to_string(round);
    auto removed = Begin(&on(8), Delete{{home}});
    auto linked = Begin(&on(7), Persist{{parent.Bytes()}});
    auto named = Begin(&on(7), PutName{name, home});
    loop_.RunUntil(
        [&] { return removed->has_value() && linked->has_value() && named->has_value(); });
    ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
    for (uint64_t number : {7, 8}) {
      const Catalog& catalog = on(number).catalog();
      bool is_there = catalog.HomeOf(home).has_value();
      EXPECT_EQ(is_there, !(*removed)->ok());
      EXPECT_EQ(catalog.HomeOf(Id(7, counter)).has_value(), (*linked)->ok());
      EXPECT_TRUE(!(*linked)->ok() || is_there) << "a parent without its member";
      EXPECT_TRUE(!catalog.FindName(name) || is_there) << "a name of nothing";
    }
    EXPECT_NE((*removed)->ok(), (*linked)->ok());
  }
}

// ---- standing still ------------------------------------------------------------------------------

TEST_F(FaultTest, AServerThatStandsStillForLongerThanASessionIsWaitedFor) {
  testing::ZooKeeperServer server;
  cluster_.servers_ = server.address();
  Join(7);
  Join(8);
  PersistArray(7, 1);
  ASSERT_TRUE(Sync(8).ok());
  server.Stop();
  loop_.RunUntil([&] { return on(7).health().stale_since_ms != 0; });
  auto late = Begin(&on(7), Persist{{ArrayTree(7, 3)}}, {{5, 1}, false, {}}, 1000);
  loop_.RunUntil([&] { return late->has_value(); });
  EXPECT_TRUE((*late)->ok() == false);
  Run(3000);
  EXPECT_EQ(on(8).catalog().objects(), 2u) << "what is known is served";
  server.Continue();
  loop_.RunUntil(
      [&] { return on(7).health().stale_since_ms == 0 && on(8).health().stale_since_ms == 0; });
  PersistArray(8, 1);
  ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
  EXPECT_EQ(on(7).catalog().objects(), on(8).catalog().objects());
  EXPECT_FALSE(on(7).catalog().instances().at(8).lost);
  EXPECT_FALSE(on(8).catalog().instances().at(7).lost);
  on(7).Stop();
  on(8).Stop();
}

// A daemon that does nothing but persist; it says what became of each.
int PersistALot(const RealCluster& cluster, uint64_t number, uint64_t trees, testing::Talk& talk) {
  testing::Loop loop;
  std::optional<vineyard::Status> ready;
  RealCluster mine = cluster;
  auto service = mine.Begin(mine.OptionsOf(number), &loop,
                            [&](vineyard::Status status) { ready = std::move(status); });
  loop.tick = [&] { service->Tick(MonotonicNs()); };
  loop.RunUntil([&] { return ready.has_value(); });
  for (uint64_t i = 0; i < trees; ++i) {
    std::optional<Code> answer;
    service->Commit({}, Persist{{ArrayTree(number, 1 + 2 * i)}}, Deadline::After(60'000),
                    [&](const Result<Outcome>& outcome) { answer = outcome.status().code(); });
    loop.RunUntil([&] { return answer.has_value(); });
    talk.Say(answer == Code::kOk ? 'y' : answer == Code::kUnknown ? '?' : 'n');
  }
  service->Stop();
  return 0;
}

TEST_F(FaultTest, ADaemonThatStoodStillForLongerThanItsSessionIsFencedAndComesBack) {
  // Threads of other tests are at their end before it forks: a sanitizer loses its way in a child of many threads.
  EXPECT_TRUE(Connection::JoinClosed(Deadline::After(100'000)));
  Run(200);
  constexpr uint64_t kTrees = 400;
  testing::Child child([&](testing::Talk& talk) { return PersistALot(cluster_, 8, kTrees, talk); });
  Join(7);
  loop_.RunUntil([&] { return on(7).catalog().trees() > 20; });
  kill(child.pid(), SIGSTOP);
  loop_.RunUntil([&] { return on(7).catalog().instances().at(8).lost; });
  PersistArray(7, 1);
  kill(child.pid(), SIGCONT);
  std::map<char, uint64_t> answers;
  for (uint64_t i = 0; i < kTrees; ++i) ++answers[child.Hear()];
  EXPECT_EQ(answers['n'] + answers['\0'], 0u);
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(on(7).catalog().instances().at(8).epoch, 2u);
  uint64_t trees = on(7).catalog().TreesOf(8).size();
  EXPECT_GE(trees, answers['y']);
  EXPECT_LE(trees, answers['y'] + answers['?']);
}

TEST_F(FaultTest, AnEnsembleThatLosesItsLeaderUnderLoadLosesNothing) {
  testing::ZooKeeperEnsemble ensemble;
  cluster_.servers_ = ensemble.address();
  Join(7);
  Join(8);
  constexpr uint64_t kTrees = 300;
  uint64_t answered = 0, applied = 0, unknown = 0, next = 0;
  std::function<void(uint64_t)> one = [&](uint64_t number) {
    if (next == kTrees) return;
    uint64_t counter = 1 + 2 * next++;
    on(number).Commit({{number, counter}, false, {}}, Persist{{ArrayTree(number, counter)}},
                      Soon(60'000), [&, number](const Result<Outcome>& outcome) {
                        ++answered;
                        applied += outcome.ok() ? 1 : 0;
                        if (!outcome.ok()) {
                          EXPECT_EQ(outcome.status().code(), Code::kUnknown)
                              << outcome.status().ToString();
                          ++unknown;
                        }
                        one(number);
                      });
  };
  for (uint64_t number : {7, 8, 7, 8}) one(number);
  loop_.RunUntil([&] { return answered > kTrees / 3; });
  ensemble.server(ensemble.Leader()).Kill();
  loop_.RunUntil([&] { return answered == kTrees; });
  loop_.RunUntil(
      [&] { return on(7).health().stale_since_ms == 0 && on(8).health().stale_since_ms == 0; });
  ASSERT_TRUE(Sync(7).ok() && Sync(8).ok());
  for (uint64_t number : {7, 8}) {
    EXPECT_GE(on(number).catalog().trees(), applied);
    EXPECT_LE(on(number).catalog().trees(), applied + unknown);
  }
  EXPECT_EQ(on(7).catalog().trees(), on(8).catalog().trees());
  on(7).Stop();
  on(8).Stop();
}

// ---- much ----------------------------------------------------------------------------------------

TEST_F(FaultTest, ThirtyThousandNamesAreFollowedListedAndJoined) {
  Join(7);
  Join(8);
  PersistArray(7, 1);
  constexpr uint64_t kNames = 30'000;
  uint64_t answered = 0, next = 0;
  std::function<void()> one = [&] {
    if (next == kNames) return;
    std::string name = "name/" + std::to_string(next++);
    on(7).Commit({}, PutName{name, Id(7, 1)}, Soon(100'000), [&](const Result<Outcome>& outcome) {
      EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
      ++answered;
      one();
    });
  };
  for (int i = 0; i < 500; ++i) one();
  loop_.RunUntil([&] { return answered == kNames; });
  ASSERT_TRUE(Sync(8).ok());
  Join(9);
  for (uint64_t number : {7, 8, 9}) EXPECT_EQ(on(number).catalog().names(), kNames);
  auto page = on(9).catalog().ListNames("name/1234*", "", 100);
  EXPECT_EQ(page.names.size(), 11u);
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

// Who waits for the cluster, or for a place of its log, is answered once, whatever happens meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

class BarrierTest : public ClusterTest {
 protected:
  using Answers = std::vector<vineyard::Status>;
  std::shared_ptr<Answers> BeginSync(uint64_t number, const Deadline& deadline) {
    auto answers = std::make_shared<Answers>();
    on(number).Sync(deadline, [answers](vineyard::Status status) { answers->push_back(status); });
    return answers;
  }
  // 8 is reached through a link that can be cut; logs are short.
  void JoinBoth() {
    cluster_.log_.entries = 20;
    cluster_.log_.all_entries = 60;
    Join(7);
    ServiceOptions options = cluster_.OptionsOf(8);
    options.connection.servers = proxy_.address();
    options.connection.session_timeout_ms = 10'000;  // it outlives a link that stands still
    TakeOver(8, options);
    PersistArray(8, 1);
  }
  // So many that what 8 has read to is trimmed.
  Revision TrimAwayFrom8() {
    Revision last;
    for (uint64_t i = 0; i < 150; ++i) {
      auto done = Commit(7, Persist{{ArrayTree(7, 1 + 2 * i)}});
      EXPECT_TRUE(done.ok()) << done.status().ToString();
      if (done.ok()) last = done->revision;
    }
    return last;
  }
  bool WasReset(uint64_t number) {
    for (const Event& event : events_[number]) {
      if (event.kind == Event::Kind::kReset) return true;
    }
    return false;
  }

  testing::TcpProxy proxy_{SharedServer().port()};
};

TEST_F(BarrierTest, ABarrierThatFindsTheLogTrimmedIsAnsweredOnce) {
  JoinBoth();
  proxy_.Freeze();
  auto answers = BeginSync(8, Deadline::Never());
  TrimAwayFrom8();
  proxy_.Forward();
  loop_.RunUntil([&] { return WasReset(8); });
  loop_.RunUntil([&] { return !answers->empty(); });
  ASSERT_EQ(answers->size(), 1u);
  EXPECT_TRUE(answers->front().ok()) << answers->front().ToString();
  EXPECT_EQ(on(8).catalog().objects(), 302u);
  ASSERT_TRUE(Sync(8).ok());
  EXPECT_EQ(answers->size(), 1u);
}

TEST_F(BarrierTest, WhoWaitsForAPlaceThatIsLoadedIsWoken) {
  JoinBoth();
  proxy_.Freeze();
  Revision last = TrimAwayFrom8();
  Answers answers;
  on(8).WaitFor(last, Deadline::Never(),
                [&](vineyard::Status status) { answers.push_back(status); });
  proxy_.Forward();
  loop_.RunUntil([&] { return WasReset(8); });
  loop_.RunUntil([&] { return !answers.empty(); });  // though nobody writes
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers.front().ok()) << answers.front().ToString();
  EXPECT_GE(on(8).applied(), last);
}

TEST_F(BarrierTest, ABarrierUnderWayIsAnsweredWhenTheDaemonStops) {
  JoinBoth();
  proxy_.Freeze();
  auto answers = BeginSync(8, Deadline::Never());
  loop_.RunPosted();  // it is sent
  on(8).Stop();
  loop_.RunUntil([&] { return !answers->empty(); });
  ASSERT_EQ(answers->size(), 1u);
  EXPECT_EQ(answers->front().code(), Code::kUnavailable);
  proxy_.Forward();
  loop_.RunPosted();
  EXPECT_EQ(answers->size(), 1u);
}

TEST_F(BarrierTest, TheDeadlineOfABarrierUnderWayPasses) {
  testing::ZooKeeperServer server;
  ServiceOptions options = cluster_.OptionsOf(7);
  options.connection.servers = server.address();
  options.connection.session_timeout_ms = 10'000;
  TakeOver(7, options);
  server.Stop();
  auto answers = BeginSync(7, Soon(200));
  loop_.RunUntil([&] { return !answers->empty(); });
  ASSERT_EQ(answers->size(), 1u);
  EXPECT_EQ(answers->front().code(), Code::kUnavailable);
  EXPECT_EQ(on(7).health().stale_since_ms, 0) << "not only when the link is given up";
  server.Continue();
  ASSERT_TRUE(Sync(7).ok());
  EXPECT_EQ(answers->size(), 1u);
  on(7).Stop();
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

// What is told of changes when the log could not be followed all the time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/meta/zookeeper/cluster_fixture.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

using ::testing::ElementsAre;

class EventsTest : public ClusterTest {
 protected:
  // What came, without what daemons do.
  std::vector<std::pair<Event::Kind, ObjectId>> Seen(uint64_t number) {
    std::vector<std::pair<Event::Kind, ObjectId>> seen;
    for (const Event& event : events_[number]) {
      if (event.id != kInvalidId || event.kind == Event::Kind::kReset)
        seen.emplace_back(event.kind, event.id);
    }
    return seen;
  }
  using Kind = Event::Kind;
};

TEST_F(EventsTest, WhoWasCutOffIsToldInOrderWhatHappenedMeanwhile) {
  testing::TcpProxy proxy(SharedServer().port());
  Join(7);
  cluster_.servers_ = proxy.address();
  Join(8);
  proxy.Refuse();
  loop_.RunUntil([&] { return on(7).catalog().instances().at(8).lost; });
  std::vector<Revision> revisions;
  revisions.push_back(Commit(7, Persist{{ArrayTree(7, 1)}})->revision);
  revisions.push_back(Commit(7, PutName{"n", Id(7, 1)})->revision);
  revisions.push_back(Commit(7, SetLabels{Id(7, 1), {{"k", "v"}}})->revision);
  proxy.Forward();
  loop_.RunUntil([&] { return on(8).health().stale_since_ms == 0; });
  EXPECT_EQ(on(8).self().epoch, 2u) << "with a new session";
  EXPECT_THAT(Seen(8),
              ElementsAre(std::pair(Kind::kCreated, Id(7, 1)), std::pair(Kind::kNamed, Id(7, 1)),
                          std::pair(Kind::kLabelled, Id(7, 1))));
  std::vector<Revision> told;
  for (const Event& event : events_[8]) {
    if (event.id != kInvalidId) told.push_back(event.revision);
  }
  EXPECT_EQ(told, revisions);
}

TEST_F(EventsTest, WhoseLogWasTrimmedIsToldThatSomethingIsMissing) {
  cluster_.log_.entries = 20;
  cluster_.log_.keep_seconds = 0;
  testing::TcpProxy proxy(SharedServer().port());
  Join(7);
  cluster_.servers_ = proxy.address();
  Join(8);
  PersistArray(8, 1);
  proxy.Freeze();
  uint64_t trees = PersistUntilTrimmed(7, 1, on(8).applied().generation);
  ASSERT_TRUE(Commit(7, Delete{{Id(7, 1)}}).ok());
  proxy.Forward();
  loop_.RunUntil([&] { return !events_[8].empty() && events_[8].back().kind == Kind::kReset; });
  EXPECT_EQ(events_[8].back().revision, on(8).applied());
  EXPECT_EQ(on(8).catalog().objects(), 2 * trees);
  events_[8].clear();
  PersistArray(8, 3);
  EXPECT_THAT(Seen(8), ElementsAre(std::pair(Kind::kCreated, Id(8, 3)))) << "what follows";
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

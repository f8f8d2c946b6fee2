// vineyard::Watch, positions and instances, on a cluster of one.
#include <poll.h>

#include <optional>
#include <utility>
#include <vector>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

using namespace std::chrono_literals;
using vineyard::EventKind;
using vineyard::testing::kPatience;

class HppWatch : public WithClient {
 protected:
  vineyard::ObjectId Persisted() {
    vineyard::PutOptions options;
    options.persist = true;
    return client_.put(vineyard::MetaBuilder("test::Thing"), options);
  }
  // As a loop would: asks only when the descriptor is readable.
  static std::optional<vineyard::WatchEvent> Poll(vineyard::Watch& watch) {
    for (;;) {
      if (auto event = watch.next(vineyard::kNoWait)) return event;
      pollfd ready = {watch.fd(), POLLIN, 0};
      if (poll(&ready, 1, std::chrono::milliseconds(kPatience).count()) != 1) return std::nullopt;
    }
  }
};

TEST_F(HppWatch, EventsArriveThroughItsDescriptor) {
  vineyard::Watch watch = client_.watch();
  EXPECT_GE(watch.fd(), 0);
  EXPECT_FALSE(watch.next(vineyard::kNoWait).has_value());
  vineyard::ObjectId id = Persisted();
  client_.put_name("ñame", id);
  client_.set_label(id, "key", "value");
  client_.drop_name("ñame");
  client_.remove(id);
  std::vector<EventKind> expected = {EventKind::kCreated, EventKind::kNamed, EventKind::kLabelled,
                                     EventKind::kDropped, EventKind::kDeleted};
  for (EventKind kind : expected) {
    std::optional<vineyard::WatchEvent> event = Poll(watch);
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->kind, kind);
    EXPECT_EQ(event->id, id);
    bool named = kind == EventKind::kNamed || kind == EventKind::kDropped;
    EXPECT_EQ(event->name, named ? "ñame" : "");
    if (kind != EventKind::kCreated) continue;
    EXPECT_EQ(event->instance, client_.instance());
  }
}

TEST_F(HppWatch, ALaterWatchTakesUpWhereOneWas) {
  vineyard::Watch watch = client_.watch();
  Persisted();
  ASSERT_TRUE(watch.next(kPatience).has_value());
  vineyard::Position position = watch.position();
  watch = vineyard::Watch();
  vineyard::ObjectId later = Persisted();
  watch = client_.watch(position);
  std::optional<vineyard::WatchEvent> event = watch.next(kPatience);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, EventKind::kCreated);
  EXPECT_EQ(event->id, later);
}

TEST_F(HppWatch, BelongsToItsClient) {
  vineyard::Watch watch = client_.watch(), empty;
  client_.close();
  EXPECT_ERROR(watch.next(vineyard::kNoWait), InvalidError);
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.fd(), -1);
  EXPECT_ERROR(empty.next(), InvalidError);
  EXPECT_ERROR(empty.position(), InvalidError);
}

TEST_F(HppWatch, PositionsAreOrderedAndWaitedFor) {
  vineyard::Position before = client_.revision();
  Persisted();
  vineyard::Position after = client_.revision();
  EXPECT_LT(before, after);
  EXPECT_NE(before, after);
  vineyard::Client other = vineyard::Client::connect(socket_);
  other.wait_revision(after, kPatience);
  EXPECT_GE(other.revision(), after);
  EXPECT_GE(other.sync(), after);
  vineyard::Position never = {after.generation, after.entries + 1000};
  EXPECT_ERROR(other.wait_revision(never, 1ms), TimeoutError);
  EXPECT_LT((vineyard::Position{1, 9}), (vineyard::Position{2, 0}));
  EXPECT_LE((vineyard::Position{1, 9}), (vineyard::Position{1, 9}));
  EXPECT_GT((vineyard::Position{1, 9}), (vineyard::Position{1, 8}));
}

TEST_F(HppWatch, InstancesAreARange) {
  int count = 0;
  vineyard::InstanceList instances = client_.instances();
  for (const vineyard::Instance& instance : instances) {
    EXPECT_EQ(instance.number, client_.instance());
    EXPECT_EQ(instance.state, vineyard::InstanceState::kAlive);
    EXPECT_EQ(instance.memory_limit, 64u << 20);
    EXPECT_EQ(instance.socket, socket_);
    EXPECT_FALSE(instance.host.empty());
    ++count;
  }
  EXPECT_EQ(count, 1);
  EXPECT_ERROR(instances.at(1), NotFoundError);
  EXPECT_ERROR(client_.forget_instance(client_.instance()), InUseError);
  EXPECT_ERROR(client_.forget_instance(77), NotFoundError);
}

}  // namespace
}  // namespace vineyard_hpp

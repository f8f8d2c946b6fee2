// Daemons that are cut off from the server, and not from their clients.
#include <csignal>
#include <future>
#include <thread>

#include "tests/cluster/fixture.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

class CutTest : public ::testing::Test {
 protected:
  using Then = TcpProxy::Then;
  // The multi of a change.
  static bool IsChange(std::string_view request) {
    constexpr std::string_view kMulti("\0\0\0\x0e", 4);
    return request.substr(4, 4) == kMulti && request.find("/e-") != request.npos;
  }

  TempFolder folder_;
  ZooKeeperServer server_;
  Side a_{folder_ / "a", server_.port()}, b_{folder_ / "b", server_.port()};
  vineyard_client* const a = a_.member.client;
  vineyard_client* const b = b_.member.client;
};

TEST_F(CutTest, WhatTheDeadDaemonMayHaveDoneIsUnknownWhileNobodyCanBeAsked) {
  vineyard_id id = Persisted(b, "x");
  ASSERT_OK(vineyard_name_put(b, "n", id, nullptr, nullptr));
  Sync(a);
  vineyard_client* hasty = a_.member.Another(3000);
  a_.proxy.Watch([](std::string_view request) {
    return IsChange(request) ? Then::kPassAndDropReplies : Then::kPass;
  });
  auto dropped =
      std::async(std::launch::async, [hasty] { return vineyard_name_drop(hasty, "n", nullptr); });
  vineyard_watch* watch = nullptr;
  vineyard_position start{0, 1};
  ASSERT_OK(vineyard_watch_open(b, &start, &watch));
  vineyard_event event = VINEYARD_EVENT_INIT;
  do {
    ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  } while (event.kind != VINEYARD_EVENT_DROPPED);
  vineyard_watch_release(watch);
  a_.proxy.Refuse();
  kill(a_.member.daemon->daemon(), SIGKILL);
  EXPECT_EQ(NameOf(dropped.get()), "outcome unknown");
  a_.proxy.Watch({});
  a_.proxy.Forward();
  ASSERT_TRUE(a_.member.daemon->WaitUntilReady());
  EXPECT_EQ(Named(a, "n"), VINEYARD_ID_INVALID);
  vineyard_client_release(hasty);
}

// Once the second looked into the log behind what the first had seen, and did it again: "exists".
TEST_F(CutTest, WhatADaemonDidIsKnownToTheSecondBehindIt) {
  vineyard_id id = Persisted(a, "x");
  RawClient raw(folder_ / "a");
  ASSERT_TRUE(raw.Hello(77).ok());
  a_.proxy.Watch([](std::string_view request) {
    return IsChange(request) ? Then::kPassAndDropReplies : Then::kPass;
  });
  wire::PutName put{"n", id, /*replace=*/false, /*expect=*/0};
  std::string body;
  put.Encode(&body);
  ASSERT_TRUE(raw.SendFrame(wire::MessageType::kPutName, body, 1));
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (Named(b, "n") != id) ASSERT_LT(std::chrono::steady_clock::now(), end);
  a_.proxy.Refuse();
  kill(a_.member.daemon->daemon(), SIGKILL);
  a_.proxy.Watch({});
  a_.proxy.Forward();
  ASSERT_TRUE(a_.member.daemon->WaitUntilReady());
  EXPECT_EQ(Named(a, "n"), id);  // which this one has seen, and noted
  Persisted(a, "y");
  kill(a_.member.daemon->daemon(), SIGKILL);
  ASSERT_TRUE(a_.member.daemon->WaitUntilReady());
  RawClient again(folder_ / "a");
  auto welcome = again.Hello(77);
  ASSERT_TRUE(welcome.ok() && welcome->resumed);
  auto answer = again.Call(wire::MessageType::kPutName, put, 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->id, id);
}

TEST_F(CutTest, WhatADeadDaemonHasInItsSocketIsFencedAndDoneByTheNext) {
  vineyard_id id = Persisted(a, "x");
  std::promise<void> stuck;
  a_.proxy.Watch([&, is_first = true](std::string_view request) mutable {
    if (!is_first || !IsChange(request)) return Then::kPass;
    is_first = false;
    stuck.set_value();
    return Then::kFreeze;
  });
  constexpr int kPuts = 8;
  std::vector<std::thread> putting;
  uint64_t answered[kPuts] = {};
  for (int i = 0; i < kPuts; ++i) {
    putting.emplace_back([this, i, id, &answered] {
      std::string name = "n" + std::to_string(i);
      EXPECT_OK(vineyard_name_put(a, name.c_str(), id, nullptr, &answered[i]));
    });
  }
  stuck.get_future().wait();
  kill(a_.member.daemon->daemon(), SIGKILL);
  for (std::thread& thread : putting) thread.join();
  a_.proxy.Watch({});
  a_.proxy.Forward();  // and now it arrives
  vineyard_id later = Persisted(a, "later");
  Sync(b);
  EXPECT_EQ(Exists(b, later), 1);
  for (int i = 0; i < kPuts; ++i) {
    std::string name = "n" + std::to_string(i);
    vineyard_name_get_options latest = VINEYARD_NAME_GET_OPTIONS_INIT;
    latest.latest = 1;
    vineyard_id named = VINEYARD_ID_INVALID;
    uint64_t revision = 0;
    EXPECT_OK(vineyard_name_get_with(b, name.c_str(), &latest, &named, &revision));
    EXPECT_EQ(named, id);
    EXPECT_EQ(revision, answered[i]) << "once";
  }
}

// What a client of a daemon without a server can do, and what not; it puts one object.
void UseAlone(const Side& side, vineyard_id other, vineyard_id named, vineyard_id kept,
              vineyard_id* made) {
  vineyard_client* client = side.member.client;
  vineyard_client* hasty = side.member.Another(1000);
  *made = Put(client, "made meanwhile");
  EXPECT_EQ(Get(client, *made), "made meanwhile");
  uint64_t stale = 0;  // once it notices
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (stale == 0 && std::chrono::steady_clock::now() < end) {
    vineyard_object* object = nullptr;
    ASSERT_OK(vineyard_object_get(client, other, &object));
    stale = vineyard_object_stale_since_ms(object);
    vineyard_object_release(object);
    poll(nullptr, 0, 5);
  }
  EXPECT_GT(stale, 0u);
  vineyard_id known = VINEYARD_ID_INVALID;
  EXPECT_OK(vineyard_name_get(client, "n", 0, &known, nullptr));
  EXPECT_EQ(known, named);
  vineyard_name_get_options latest = VINEYARD_NAME_GET_OPTIONS_INIT;
  latest.latest = 1;
  EXPECT_EQ(NameOf(vineyard_name_get_with(hasty, "n", &latest, &known, nullptr)), "unavailable");
  EXPECT_EQ(NameOf(vineyard_name_get(hasty, "none", 0, &known, nullptr)), "unavailable");
  EXPECT_EQ(NameOf(Persist(hasty, *made)), "unavailable");
  EXPECT_EQ(NameOf(vineyard_name_put(hasty, "m", named, nullptr, nullptr)), "unavailable");
  EXPECT_EQ(NameOf(vineyard_name_drop(hasty, "n", nullptr)), "unavailable");
  EXPECT_EQ(NameOf(Delete(hasty, kept)), "unavailable");
  vineyard_client_release(hasty);
}

TEST_F(CutTest, BothServeWhatTheyKnowAndAgreeAfterwards) {
  vineyard_id x = Persisted(a, "x"), y = Persisted(b, "y"), kept = Persisted(a, "kept");
  ASSERT_OK(vineyard_name_put(a, "n", x, nullptr, nullptr));
  for (vineyard_client* client : {a, b}) Sync(client);
  for (Side* side : {&a_, &b_}) side->proxy.Refuse();
  vineyard_id by_a = VINEYARD_ID_INVALID, by_b = VINEYARD_ID_INVALID;
  std::thread at_b([&] { UseAlone(b_, x, x, kept, &by_b); });
  UseAlone(a_, y, x, kept, &by_a);
  at_b.join();
  for (Side* side : {&a_, &b_}) side->proxy.Forward();
  for (vineyard_client* client : {a, b}) {
    EXPECT_TRUE(WaitForNumber(client, "meta_stale_since_ms", 0));
    EXPECT_EQ(Named(client, "n"), x) << "what was unavailable was not done";
    EXPECT_EQ(Named(client, "m"), VINEYARD_ID_INVALID);
    EXPECT_EQ(Exists(client, kept), 1);
    EXPECT_EQ(Exists(client, client == a ? by_b : by_a), 0);
  }
  ASSERT_OK(Persist(a, by_a));
  ASSERT_OK(Persist(b, by_b));
  ASSERT_OK(Delete(b, kept));
  for (vineyard_client* client : {a, b}) {
    Sync(client);
    EXPECT_EQ(Exists(client, by_a) + Exists(client, by_b), 2);
    EXPECT_EQ(Exists(client, kept), 0);
  }
}

}  // namespace
}  // namespace vineyard::testing

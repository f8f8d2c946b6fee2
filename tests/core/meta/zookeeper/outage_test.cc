// Links that are cut, sessions that end, servers that are killed: every request is answered once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/meta/zookeeper/connection.h"
#include "tests/core/meta/zookeeper/with_zookeeper.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TcpProxy;

// ---- links and sessions that end ---------------------------------------------------------------

TEST_F(ZooKeeper, AWriteWhoseAnswerIsLostIsUnknown) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  Client& other = Connect(server.address());
  int64_t session = client->session_id();
  proxy.DropReplies();
  std::vector<MultiResult> results;
  std::vector<Status> reads;
  client->Multi({Op::Create("/a")}, Deadline::Never(),
                [&](MultiResult r) { results.push_back(std::move(r)); });
  client->Get("/", Deadline::Never(), [&](const Result<Node>& r) { reads.push_back(r.status()); });
  AwaitNode(other, "/a");
  EXPECT_TRUE(results.empty());
  proxy.Refuse();
  proxy.Forward();
  loop.RunUntil([&] { return !results.empty() && !reads.empty(); });
  EXPECT_EQ(results[0].status.code(), Code::kUnknown) << results[0].status.ToString();
  EXPECT_EQ(results[0].failed, kNoOp);
  EXPECT_EQ(results[0].status.text(), "zookeeper " + proxy.address() +
                                          ": create /a: the connection was lost, it may have been "
                                          "done");
  EXPECT_EQ(reads[0].code(), Code::kUnavailable);
  Await(client, State::kConnected);
  EXPECT_EQ(client->session_id(), session);
  EXPECT_TRUE(Exists(client, "/a").ok());
  client->Close();
  EXPECT_EQ(results.size(), 1u);
  EXPECT_EQ(reads.size(), 1u);
}

TEST_F(ZooKeeper, DeadlinesAnswerAndWhatComesBehindThemIsDropped) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  proxy.Freeze();
  std::vector<Status> writes, reads;
  std::vector<WatchEvent> events;
  client->Multi({Op::Create("/a")}, Deadline::After(50),
                [&](const MultiResult& r) { writes.push_back(r.status); });
  client->Exists(
      "/a", Deadline::After(50), [&](const Result<Stat>& r) { reads.push_back(r.status()); },
      Into(&events));
  loop.RunUntil([&] { return !writes.empty() && !reads.empty(); });
  EXPECT_EQ(writes[0].code(), Code::kUnknown) << writes[0].ToString();
  EXPECT_EQ(reads[0].code(), Code::kTimeout) << reads[0].ToString();
  proxy.Forward();
  EXPECT_TRUE(Exists(client, "/a").ok());
  Multi(client, {Op::Set("/a", "fires what watches it")});
  EXPECT_TRUE(Get(client, "/a").ok());
  client->Close();
  EXPECT_EQ(writes.size(), 1u);
  EXPECT_EQ(reads.size(), 1u);
  EXPECT_THAT(events, ElementsAre());
}

TEST_F(ZooKeeper, WhatIsAskedWithoutALinkWaitsForOne) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  proxy.Refuse();
  Await(client, State::kSuspended);
  std::vector<Status> late, in_time;
  client->Multi({Op::Create("/late")}, Deadline::After(50),
                [&](const MultiResult& r) { late.push_back(r.status); });
  client->Multi({Op::Create("/in"), Op::Create("/in/time")}, Deadline::Never(),
                [&](const MultiResult& r) { in_time.push_back(r.status); });
  client->Multi({Op::Check("/in/time")}, Deadline::Never(),
                [&](const MultiResult& r) { in_time.push_back(r.status); });
  loop.RunUntil([&] { return !late.empty(); });
  EXPECT_EQ(late[0].code(), Code::kUnavailable) << late[0].ToString();
  EXPECT_THAT(late[0].text(),
              HasSubstr("create /late: no answer within the time allowed, not sent"));
  EXPECT_THAT(in_time, ElementsAre());
  proxy.Forward();
  loop.RunUntil([&] { return in_time.size() == 2; });
  EXPECT_TRUE(in_time[0].ok()) << in_time[0].ToString();
  EXPECT_TRUE(in_time[1].ok()) << in_time[1].ToString();
  EXPECT_EQ(Exists(client, "/late").status().code(), Code::kNotFound);
}

TEST_F(ZooKeeper, AnExpiredSessionAnswersEverythingAndEnds) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address(), kShortMs);
  Client& other = Connect(server.address());
  Multi(client, {Op::Create("/e", "", Op::kEphemeral)});
  std::vector<WatchEvent> lost, gone;
  Watch(client, "/a", &lost);
  Watch(other, "/e", &gone);
  proxy.Freeze();
  std::vector<Code> sent, held;
  client->Multi({Op::Create("/a")}, Deadline::Never(),
                [&](const MultiResult& r) { sent.push_back(r.status.code()); });
  Await(client, State::kSuspended);
  loop.RunUntil([&] { return !sent.empty(); });
  client->Multi({Op::Create("/b")}, Deadline::Never(),
                [&](const MultiResult& r) { held.push_back(r.status.code()); });
  client->Get("/", Deadline::Never(),
              [&](const Result<Node>& r) { held.push_back(r.status().code()); });
  loop.RunUntil([&] { return !gone.empty(); });  // the server has ended the session
  EXPECT_THAT(lost, ElementsAre());
  proxy.Disconnect();  // the create must not come through after all
  proxy.Forward();
  Await(client, State::kExpired);
  EXPECT_THAT(client.states, ElementsAre(State::kConnected, State::kSuspended, State::kExpired));
  EXPECT_THAT(sent, ElementsAre(Code::kUnknown));
  EXPECT_THAT(held, ElementsAre(Code::kUnavailable, Code::kUnavailable));
  EXPECT_THAT(lost, ElementsAre(WatchEvent::kLost));
  EXPECT_EQ(Get(client, "/").status().code(), Code::kUnavailable);
  EXPECT_EQ(Multi(client, {Op::Create("/c")}).status.code(), Code::kUnavailable);
  EXPECT_EQ(Exists(other, "/b").status().code(), Code::kNotFound);
}

TEST_F(ZooKeeper, AServerThatStandsStillSuspends) {
  Client& client = Connect(server.address(), kShortMs);
  server.Stop();
  Await(client, State::kSuspended);
  server.Continue();
  // Which of the two depends on what the server looks at first.
  loop.RunUntil(
      [&] { return client.state() == State::kConnected || client.state() == State::kExpired; });
}

TEST_F(ZooKeeper, ASessionSurvivesARestartOfTheServer) {
  Client& client = Connect(server.address());
  int64_t session = client->session_id();
  Multi(client, {Op::Create("/a", "", Op::kEphemeral)});
  std::vector<WatchEvent> events;
  EXPECT_TRUE(Get(client, "/a", Into(&events)).ok());
  server.Kill();
  Await(client, State::kSuspended);
  server.Restart();
  Await(client, State::kConnected);
  EXPECT_EQ(client->session_id(), session);
  EXPECT_EQ(Owner(client, "/a"), session);
  EXPECT_THAT(events, ElementsAre());
  Multi(client, {Op::Set("/a", "x")});
  loop.RunUntil([&] { return !events.empty(); });
  EXPECT_THAT(events, ElementsAre(WatchEvent::kChanged));
}

TEST_F(ZooKeeper, AServerThatIsNotThereYetIsWaitedFor) {
  server.Kill();
  Client& client = Open(server.address());
  std::vector<Status> made, late;
  client->Multi({Op::Create("/a")}, Deadline::Never(),
                [&](const MultiResult& r) { made.push_back(r.status); });
  client->Get("/a", Deadline::After(300),
              [&](const Result<Node>& r) { late.push_back(r.status()); });
  loop.RunUntil([&] { return !late.empty(); });
  EXPECT_EQ(late[0].code(), Code::kUnavailable);
  EXPECT_EQ(client.state(), State::kConnecting);
  EXPECT_EQ(client->session_id(), 0);
  server.Restart();
  loop.RunUntil([&] { return !made.empty(); });
  EXPECT_TRUE(made[0].ok()) << made[0].ToString();
  EXPECT_THAT(client.states, ElementsAre(State::kConnected));
}

// The library forgets a user that it is told of between two attempts to connect.
TEST_F(ZooKeeper, AUserIsKnownAlsoToAServerThatWasNotThere) {
  server.Kill();
  Client& client = Open(server.address(), kLongMs, "vineyard:secret");
  std::vector<Status> late;
  client->Get("/", Deadline::After(300),
              [&](const Result<Node>& r) { late.push_back(r.status()); });
  loop.RunUntil([&] { return !late.empty(); });
  server.Restart();
  Await(client, State::kConnected);
  EXPECT_TRUE(Multi(client, {Op::Create("/a", "x")}).status.ok());
  server.Kill();
  Await(client, State::kSuspended);
  server.Restart();  // and is told again
  EXPECT_EQ(Data(client, "/a"), "x");
  Client& stranger = Connect(server.address());
  EXPECT_EQ(Get(stranger, "/a").status().code(), Code::kPermission);
}

TEST_F(ZooKeeper, AnIdleLinkIsTried) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address(), kShortMs);
  EXPECT_EQ(client->session_timeout_ms(), kShortMs);
  int64_t before = MonotonicNs();
  loop.RunUntil([&] { return client->link_good_ns() > before; });
  proxy.Freeze();
  Await(client, State::kSuspended);
  // Of what was asked before the link froze.
  EXPECT_LT(client->link_good_ns(), MonotonicNs() - int64_t{kShortMs} * 1'000'000 / 2);
}

TEST_F(ZooKeeper, ASlowLinkIsNoLostOne) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  proxy.Delay(100);
  std::vector<Status> made;
  for (int i = 0; i < 10; ++i) {
    client->Multi({Op::Create("/a-", "", Op::kSequential)}, Deadline::Never(),
                  [&](const MultiResult& r) { made.push_back(r.status); });
  }
  int64_t asked = MonotonicNs();
  loop.RunUntil([&] { return made.size() == 10; });
  EXPECT_GE(MonotonicNs() - asked, 200'000'000);
  for (const Status& status : made) EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_THAT(client.states, ElementsAre(State::kConnected));
}

TEST_F(ZooKeeper, ASessionMovesToAnotherServerOfItsEnsemble) {
  testing::ZooKeeperEnsemble ensemble;
  Client& client = Connect(ensemble.address());
  int64_t session = client->session_id();
  EXPECT_TRUE(Multi(client, {Op::Create("/a", "", Op::kEphemeral)}).status.ok());
  ensemble.server(ensemble.Leader()).Kill();
  ensemble.Leader();  // there is one again
  // Its link may have been to a follower, which drops it, too.
  std::optional<Status> written;
  while (!written.has_value() || written->code() == Code::kUnknown) {
    written = Multi(client, {Op::Set("/a", "x")}).status;
  }
  EXPECT_TRUE(written->ok()) << written->ToString();
  EXPECT_EQ(client->session_id(), session);
  EXPECT_EQ(Owner(client, "/a"), session);
}

// ---- closing -----------------------------------------------------------------------------------

TEST_F(ZooKeeper, CloseAnswersEveryRequestOnce) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  std::vector<WatchEvent> events;
  Watch(client, "/w", &events);
  proxy.Freeze();
  constexpr int kMany = 100;
  std::vector<int> answers(3 * kMany);
  std::vector<Code> reads, writes, refused;
  for (int i = 0; i < kMany; ++i) {
    client->Multi({Op::Create("/a-", std::string(1000, 'x'), Op::kSequential)}, Deadline::Never(),
                  [&, i](const MultiResult& r) {
                    ++answers[3 * i];
                    writes.push_back(r.status.code());
                  });
    client->Get(
        "/", Deadline::Never(),
        [&, i](const Result<Node>& r) {
          ++answers[3 * i + 1];
          reads.push_back(r.status().code());
        },
        Into(&events));
    client->Get("no path", Deadline::Never(), [&, i](const Result<Node>& r) {
      ++answers[3 * i + 2];
      refused.push_back(r.status().code());
    });
  }
  client->Close();
  EXPECT_THAT(answers, Each(1));
  EXPECT_THAT(writes, Each(Code::kUnknown));
  EXPECT_THAT(reads, Each(Code::kUnavailable));
  EXPECT_THAT(refused, Each(Code::kInvalid));
  EXPECT_THAT(events, ElementsAre(WatchEvent::kLost));  // the one that had been set
  EXPECT_EQ(client.state(), State::kClosed);
  proxy.Forward();
  EXPECT_EQ(Get(client, "/").status().code(), Code::kUnavailable);
  client.connection = nullptr;
  EXPECT_TRUE(Connection::JoinClosed(Deadline::After(100'000)));
  loop.RunPosted();
  EXPECT_THAT(answers, Each(1));
  EXPECT_THAT(client.states, ElementsAre(State::kConnected));
}

TEST_F(ZooKeeper, AClosedConnectionPostsNoMore) {
  auto posts = std::make_shared<int>(0);
  for (int i = 0; i < 10; ++i) {
    auto opened = Connection::Open({server.address(), kLongMs},
                                   [this, posts](std::function<void()> what) {
                                     ++*posts;
                                     loop.Post(std::move(what));
                                   },
                                   {});
    ASSERT_TRUE(opened.ok());
    int answers = 0;
    for (int j = 0; j < i; ++j) {
      (*opened)->Get("/", Deadline::Never(), [&](const Result<Node>&) { ++answers; });
    }
    if (i % 2 == 0) loop.RunUntil([&] { return (*opened)->state() == State::kConnected; });
    *opened = nullptr;
    EXPECT_EQ(answers, i);
    *posts = -1000;  // a data race, too, if it were called
  }
  EXPECT_TRUE(Connection::JoinClosed(Deadline::After(100'000)));
  loop.RunPosted();
  EXPECT_EQ(*posts, -1000);
}

TEST_F(ZooKeeper, CallbacksMayEndTheConnection) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  proxy.Freeze();
  int answers = 0, again = 0;
  for (int i = 0; i < 3; ++i) {
    client->Get("/", Deadline::After(10), [&](const Result<Node>&) {
      ++answers;
      if (answers != 1) return;
      for (int j = 0; j < 3; ++j) {
        client->Multi({Op::Check("/")}, Deadline::Never(), [&](const MultiResult& r) {
          ++again;
          EXPECT_EQ(r.status.code(), Code::kUnknown);
        });
      }
      client.connection = nullptr;
    });
  }
  loop.RunUntil([&] { return answers == 3; });
  EXPECT_EQ(again, 3);
}

TEST_F(ZooKeeper, AskingAgainFromTheEndIsAnsweredAtTheEnd) {
  Client& client = Connect(server.address());
  int answers = 0;
  std::function<void(const Result<Node>&)> again = [&](const Result<Node>& r) {
    EXPECT_FALSE(r.ok());
    if (++answers < 3 && client.connection != nullptr) {
      client->Get("/", Deadline::Never(), again);
    }
  };
  server.Stop();
  client->Get("/", Deadline::Never(), again);
  client->Close();
  EXPECT_EQ(answers, 1);
  loop.RunUntil([&] { return answers == 3; });
  server.Continue();
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

// What a real ZooKeeper answers to what it is asked.
#include "core/meta/zookeeper/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/meta/zookeeper/with_zookeeper.h"
#include "tests/support/tcp_proxy.h"

namespace vineyard::meta::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TcpProxy;

// ---- what is asked -----------------------------------------------------------------------------

TEST_F(ZooKeeper, WhatIsCreatedIsThere) {
  Client& client = Connect(server.address());
  MultiResult created =
      Multi(client, {Op::Create("/a"), Op::Create("/a/b", std::string("\0x", 2))});
  ASSERT_TRUE(created.status.ok()) << created.status.ToString();
  ASSERT_EQ(created.ops.size(), 2u);
  EXPECT_EQ(created.ops.at(1).created_path, "/a/b");
  Result<Node> node = Get(client, "/a/b");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->data, std::string("\0x", 2));
  EXPECT_EQ(node->stat.version, 0);
  EXPECT_EQ(node->stat.czxid, node->stat.mzxid);
  EXPECT_EQ(Data(client, "/a"), "");
  Result<Children> children = List(client, "/a");
  ASSERT_TRUE(children.ok());
  EXPECT_THAT(children->names, ElementsAre("b"));
  EXPECT_EQ(children->stat.num_children, 1);
  EXPECT_EQ(children->stat.cversion, 1);
}

TEST_F(ZooKeeper, SetTellsTheNewVersion) {
  Client& client = Connect(server.address());
  Multi(client, {Op::Create("/a", "old")});
  MultiResult set = Multi(client, {Op::Set("/a", "new", 0), Op::Set("/a", "newer", 1)});
  ASSERT_TRUE(set.status.ok()) << set.status.ToString();
  EXPECT_EQ(set.ops.at(0).stat.version, 1);
  EXPECT_EQ(set.ops.at(1).stat.version, 2);
  EXPECT_EQ(Data(client, "/a"), "newer");
  EXPECT_TRUE(Multi(client, {Op::Check("/a", 2), Op::Remove("/a", 2)}).status.ok());
  EXPECT_EQ(Exists(client, "/a").status().code(), Code::kNotFound);
}

TEST_F(ZooKeeper, ARefusedMultiNamesItsOpAndChangesNothing) {
  Client& client = Connect(server.address());
  Multi(client, {Op::Create("/a"), Op::Create("/a/b")});
  struct Case {
    Op op;
    Code code;
    const char* text;
  };
  for (const Case& c : {Case{Op::Check("/a", 7), Code::kConflict, "check /a: the node has another"},
                        Case{Op::Set("/a", "", 7), Code::kConflict, "set /a: "},
                        Case{Op::Create("/a"), Code::kExists, "create /a: the node exists"},
                        Case{Op::Create("/no/b"), Code::kNotFound, "create /no/b: no such node"},
                        Case{Op::Remove("/a"), Code::kInUse, "remove /a: the node has children"}}) {
    MultiResult refused = Multi(client, {Op::Create("/x"), c.op, Op::Create("/y")});
    EXPECT_EQ(refused.status.code(), c.code) << refused.status.ToString();
    EXPECT_EQ(refused.failed, 1u);
    EXPECT_THAT(refused.status.text(), HasSubstr(c.text));
    EXPECT_THAT(refused.status.text(), HasSubstr("zookeeper " + server.address()));
    EXPECT_EQ(Multi(client, {c.op}).failed, 0u);
  }
  EXPECT_EQ(Exists(client, "/x").status().code(), Code::kNotFound);
}

TEST_F(ZooKeeper, AFailedCreateTakesNoNumber) {
  Client& client = Connect(server.address());
  Multi(client, {Op::Create("/log")});
  auto append = [&](Op more) {
    return Multi(client, {Op::Create("/log/e-", "", Op::kSequential), std::move(more)});
  };
  EXPECT_EQ(append(Op::Check("/log")).ops.at(0).created_path, "/log/e-0000000000");
  EXPECT_EQ(append(Op::Check("/log", 7)).failed, 1u);
  EXPECT_EQ(append(Op::Check("/log")).ops.at(0).created_path, "/log/e-0000000001");
}

TEST_F(ZooKeeper, EphemeralNodesGoWithTheirSession) {
  Client& client = Connect(server.address());
  Client& other = Connect(server.address());
  MultiResult made = Multi(client, {Op::Create("/e", "", Op::kEphemeral)});
  ASSERT_TRUE(made.status.ok());
  std::vector<WatchEvent> events;
  Result<Node> node = Get(other, "/e", Into(&events));
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->stat.ephemeral_owner, client->session_id());
  EXPECT_EQ(Multi(client, {Op::Create("/e/x")}).status.code(), Code::kInvalid);
  client->Close();
  loop.RunUntil([&] { return !events.empty(); });
  EXPECT_THAT(events, ElementsAre(WatchEvent::kDeleted));
}

TEST_F(ZooKeeper, WhatBelongsToAUserIsKeptFromOthers) {
  Client& owner = Connect(server.address(), kLongMs, "vineyard:secret");
  Client& stranger = Connect(server.address());
  ASSERT_TRUE(Multi(owner, {Op::Create("/mine", "x")}).status.ok());
  EXPECT_EQ(Data(owner, "/mine"), "x");
  Status refused = Get(stranger, "/mine").status();
  EXPECT_EQ(refused.code(), Code::kPermission) << refused.ToString();
  EXPECT_EQ(Multi(stranger, {Op::Check("/"), Op::Create("/mine/x")}).failed, 1u);
}

// ---- what is refused before it is sent ---------------------------------------------------------

TEST_F(ZooKeeper, TooLargeAMultiIsRefusedWithItsSize) {
  Client& client = Connect(server.address());
  std::string most(kRequestLimit - SizeOf(Op::Create("/a")), 'x');
  MultiResult refused = Multi(client, {Op::Create("/a", most + "x")});
  EXPECT_EQ(refused.status.code(), Code::kLimit);
  EXPECT_THAT(refused.status.text(), HasSubstr(std::to_string(kRequestLimit + 1) + " bytes"));
  EXPECT_TRUE(Multi(client, {Op::Create("/a", most)}).status.ok());
  EXPECT_EQ(Data(client, "/a"), most);
  // As many as can be: what goes around each counts.
  std::vector<Op> many(kRequestLimit / SizeOf(Op::Check("/")), Op::Check("/"));
  EXPECT_TRUE(Multi(client, many).status.ok());
  many.push_back(Op::Check("/"));
  EXPECT_EQ(Multi(client, many).status.code(), Code::kLimit);
  EXPECT_THAT(client.states, ElementsAre(State::kConnected));
}

TEST_F(ZooKeeper, PathsAreCheckedBeforeTheyAreSent) {
  Client& client = Connect(server.address());
  for (std::string path : {"", "a", "/a/", "//a", "/a/./b", "/..", "/\xc3\xa4", "/a\n"}) {
    EXPECT_EQ(Get(client, path).status().code(), Code::kInvalid) << path;
    EXPECT_EQ(Multi(client, {Op::Create(path)}).status.code(), Code::kInvalid) << path;
  }
  EXPECT_EQ(Get(client, std::string("/a\0b", 4)).status().code(), Code::kInvalid);
  EXPECT_EQ(Multi(client, {}).status.code(), Code::kInvalid);
}

TEST_F(ZooKeeper, OptionsThatCanNotBeRightAreRefused) {
  auto post = [](const std::function<void()>&) {};
  for (const char* servers : {"", "127.0.0.1:2181/chroot", "127.0.0.1:2181 "}) {
    EXPECT_EQ(Connection::Open({servers, 1000}, post, {}).status().code(), Code::kInvalid);
  }
  EXPECT_EQ(Connection::Open({"127.0.0.1:2181", 0}, post, {}).status().code(), Code::kInvalid);
}

// ---- watches -----------------------------------------------------------------------------------

TEST_F(ZooKeeper, WatchesAreCalledOnce) {
  Client& client = Connect(server.address());
  Client& other = Connect(server.address());
  std::vector<WatchEvent> created, changed, children, deleted;
  EXPECT_EQ(Exists(client, "/a", Into(&created)).status().code(), Code::kNotFound);
  Multi(other, {Op::Create("/a")});
  loop.RunUntil([&] { return !created.empty(); });
  EXPECT_TRUE(Get(client, "/a", Into(&changed)).ok());
  EXPECT_TRUE(List(client, "/a", Into(&children)).ok());
  Multi(other, {Op::Set("/a", "1"), Op::Create("/a/b")});
  loop.RunUntil([&] { return !changed.empty() && !children.empty(); });
  EXPECT_TRUE(Get(client, "/a/b", Into(&deleted)).ok());
  Multi(other, {Op::Set("/a", "2"), Op::Remove("/a/b"), Op::Create("/a/c")});
  loop.RunUntil([&] { return !deleted.empty(); });
  client->Close();
  EXPECT_THAT(created, ElementsAre(WatchEvent::kCreated));
  EXPECT_THAT(changed, ElementsAre(WatchEvent::kChanged));
  EXPECT_THAT(children, ElementsAre(WatchEvent::kChildren));
  EXPECT_THAT(deleted, ElementsAre(WatchEvent::kDeleted));
}

// Once they were kept until the node went: a million entries of a log are as many watches, and the packet that sets
// them anew behind a lost link is too large for the server.
TEST_F(ZooKeeper, WhoLooksForWhatIsThereLeavesNoWatch) {
  Client& client = Connect(server.address());
  std::vector<WatchEvent> there, awaited;
  ASSERT_TRUE(Multi(client, {Op::Create("/a")}).status.ok());
  EXPECT_EQ(Exists(client, "/b", Into(&awaited)).status().code(), Code::kNotFound);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Exists(client, "/a", Into(&there)).ok());
  ASSERT_TRUE(Get(client, "/").ok());  // behind what took them back
  EXPECT_EQ(server.Watches(), 1);
  Multi(client, {Op::Create("/b"), Op::Set("/a", "x")});
  loop.RunUntil([&] { return !awaited.empty(); });
  EXPECT_EQ(server.Watches(), 0);
  client->Close();
  EXPECT_THAT(awaited, ElementsAre(WatchEvent::kCreated));
  EXPECT_THAT(there, ElementsAre());
}

TEST_F(ZooKeeper, AReadThatFailsSetsNoWatch) {
  Client& client = Connect(server.address());
  std::vector<WatchEvent> events;
  EXPECT_EQ(Get(client, "/a", Into(&events)).status().code(), Code::kNotFound);
  EXPECT_EQ(List(client, "/a", Into(&events)).status().code(), Code::kNotFound);
  EXPECT_EQ(Get(client, "a", Into(&events)).status().code(), Code::kInvalid);
  Multi(client, {Op::Create("/a"), Op::Create("/a/b")});
  client->Close();
  EXPECT_THAT(events, ElementsAre());
}

TEST_F(ZooKeeper, WatchesSurviveTheLink) {
  TcpProxy proxy(server.port());
  Client& client = Connect(proxy.address());
  Client& other = Connect(server.address());
  std::vector<WatchEvent> events;
  Watch(client, "/a", &events);
  proxy.Refuse();
  Await(client, State::kSuspended);
  Multi(other, {Op::Create("/a")});
  EXPECT_THAT(events, ElementsAre());
  proxy.Forward();
  loop.RunUntil([&] { return !events.empty(); });
  EXPECT_THAT(events, ElementsAre(WatchEvent::kCreated));
  EXPECT_THAT(client.states, ElementsAre(State::kConnected, State::kSuspended, State::kConnected));
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

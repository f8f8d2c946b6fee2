// The deaths of daemon and keeper, one at a time: nothing is lost, nobody hangs, nothing stays
// behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using wire::MessageType;

class Deaths : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(daemon_.WaitUntilReady());
    client_ = std::make_unique<RawClient>(socket_);
    ASSERT_TRUE(client_->Hello(1).ok());
    auto put = client_->PutBytes("before", 1).As<wire::MutationAnswer>();
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    before_ = put->id;
  }

  // After any death: the session goes on, the object is there, changes work, a repeat is a repeat.
  void ExpectAllIsWell(uint64_t number) {
    EXPECT_TRUE(client_->Ended());
    auto client = std::make_unique<RawClient>(socket_);
    ASSERT_TRUE(client->connected());
    auto welcome = client->Hello(1);
    ASSERT_TRUE(welcome.ok()) << welcome.status().ToString();
    EXPECT_TRUE(welcome->resumed);
    EXPECT_TRUE(client->files.empty());
    EXPECT_TRUE(client->Find(before_).status().ok());
    auto repeated = client->PutBytes("before", 1).As<wire::MutationAnswer>();
    ASSERT_TRUE(repeated.ok()) << repeated.status().ToString();
    EXPECT_EQ(repeated->id, before_);
    auto put = client->PutBytes("after", number).As<wire::MutationAnswer>();
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_GT(put->id, before_);
    EXPECT_EQ(client->Number("blobs"), number);
    client->files = std::move(client_->files);  // they keep the session alive
    client_ = std::move(client);
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_};
  std::unique_ptr<RawClient> client_;
  ObjectId before_ = kInvalidId;
};

TEST_F(Deaths, OfTheDaemon) {
  for (uint64_t number = 2; number < 5; ++number) {
    pid_t dead = daemon_.daemon();
    kill(dead, SIGKILL);
    ASSERT_TRUE(daemon_.WaitUntilReady());
    EXPECT_NE(daemon_.daemon(), dead);
    EXPECT_EQ(daemon_.keeper(), daemon_.first());
    ExpectAllIsWell(number);
  }
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(Deaths, OfTheDaemonByItsOwnFault) {
  kill(daemon_.daemon(), SIGABRT);
  EXPECT_THAT(daemon_.WaitForLine("the daemon died"), HasSubstr("signal 6"));
  ASSERT_TRUE(daemon_.WaitUntilReady());
  ExpectAllIsWell(2);
}

TEST_F(Deaths, OfTheKeeper) {
  pid_t survivor = daemon_.daemon();
  kill(daemon_.keeper(), SIGKILL);
  ASSERT_TRUE(daemon_.WaitUntilReady());
  EXPECT_EQ(daemon_.WaitForFirst(), -SIGKILL);
  EXPECT_EQ(daemon_.keeper(), survivor);  // the daemon became it, with its pid
  EXPECT_NE(daemon_.daemon(), survivor);
  ExpectAllIsWell(2);
  std::set<uint64_t> memory = daemon_.MemoryFiles();
  EXPECT_EQ(InUse(memory), memory);
  EXPECT_EQ(daemon_.Terminate(), -SIGKILL);  // of the first one
  client_.reset();
  EXPECT_THAT(InUse(memory), ::testing::IsEmpty());
  EXPECT_FALSE(IsRunning(daemon_.keeper()));
  EXPECT_FALSE(IsRunning(daemon_.daemon()));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(Deaths, OfKeeperAndDaemonInTurn) {
  uint64_t number = 2;
  for (int round = 0; round < 3; ++round) {
    kill(daemon_.keeper(), SIGKILL);
    ASSERT_TRUE(daemon_.WaitUntilReady());
    ExpectAllIsWell(number++);
    kill(daemon_.daemon(), SIGKILL);
    ASSERT_TRUE(daemon_.WaitUntilReady());
    ExpectAllIsWell(number++);
  }
  daemon_.Terminate();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(Deaths, AStoppedKeeperIsNotDead) {
  kill(daemon_.keeper(), SIGSTOP);
  EXPECT_TRUE(client_->PutBytes("x", 2).status().ok());
  kill(daemon_.keeper(), SIGCONT);
  EXPECT_EQ(daemon_.Terminate(), 0);
}

TEST_F(Deaths, QuickDeathsMakeTheKeeperWaitAndSaySo) {
  std::string line;
  for (int i = 0; i < 4; ++i) {
    kill(daemon_.daemon(), SIGKILL);
    EXPECT_THAT(daemon_.WaitForLine("the daemon died"), HasSubstr("adopts its memory"));
    ASSERT_TRUE(daemon_.WaitUntilReady());
  }
  kill(daemon_.daemon(), SIGKILL);
  EXPECT_THAT(daemon_.WaitForLine("the daemon died"),
              HasSubstr("5 quick deaths in a row: the next one starts in 200 ms"));
  ASSERT_TRUE(daemon_.WaitUntilReady());
  kill(daemon_.daemon(), SIGKILL);
  EXPECT_THAT(daemon_.WaitForLine("the daemon died"), HasSubstr("the next one starts in 400 ms"));
  // A signal ends the wait.
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(Deaths, OfAClientWithTheDaemon) {
  // The client dies while there is no daemon: the next one finds out.
  RawClient other(socket_);
  ASSERT_TRUE(other.Hello(2).ok());
  wire::Lease lease{BlobKind::kBuffer, 1 << 20};
  ASSERT_TRUE(other.Call(MessageType::kLease, lease, 1).status().ok());
  kill(daemon_.daemon(), SIGKILL);
  other.files.clear();
  other.Close();
  ASSERT_TRUE(daemon_.WaitUntilReady());
  ExpectAllIsWell(2);
  while (client_->Number("sessions") != 1) {
  }
  EXPECT_EQ(client_->Number("leases"), 0u);
}

TEST_F(Deaths, ALeaseSurvivesTheDaemon) {
  wire::Lease lease{BlobKind::kBuffer, 1 << 20};
  auto leased = client_->Call(MessageType::kLease, lease, 2).As<wire::LeaseAnswer>();
  ASSERT_TRUE(leased.ok());
  kill(daemon_.daemon(), SIGKILL);
  ASSERT_TRUE(daemon_.WaitUntilReady());
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  auto repeated = client.Call(MessageType::kLease, lease, 2).As<wire::LeaseAnswer>();
  ASSERT_TRUE(repeated.ok()) << repeated.status().ToString();
  EXPECT_EQ(repeated->id, leased->id);
  EXPECT_EQ(repeated->location, leased->location);
  Tree tree;
  TreeNode node;
  node.type = TreeNode::Type::kLeasedBlob;
  node.lease = leased->id;
  node.value_size = 1 << 20;
  tree.nodes.push_back(node);
  std::string body;
  wire::EncodeTree(tree, &body);
  EXPECT_TRUE(client.CallRaw(MessageType::kPut, body, 3).status().ok());
  EXPECT_TRUE(client.Find(leased->id).status().ok());
}

TEST_F(Deaths, SeveralInARow) {
  for (int i = 0; i < 3; ++i) {
    kill(daemon_.daemon(), SIGKILL);
    daemon_.WaitForLine("adopts its memory");
    ASSERT_TRUE(daemon_.WaitUntilReady());
  }
  ExpectAllIsWell(2);
}

TEST(Upgrade, AReplacedProgramOnDiskChangesNothingForTheOneThatRuns) {
  TempFolder folder;
  std::filesystem::copy_file(std::getenv("VINEYARDD"), folder / "program");
  Vineyardd::Bare bare{Vineyardd::Defaults(folder / "v.sock")};
  bare.program = folder / "program";
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  std::filesystem::remove(folder / "program");
  std::ofstream(folder / "program") << "something else";
  for (int round = 0; round < 2; ++round) {
    pid_t survivor = daemon.daemon();
    kill(daemon.keeper(), SIGKILL);
    ASSERT_TRUE(daemon.WaitUntilReady());
    EXPECT_EQ(daemon.keeper(), survivor);
  }
  RawClient client(folder / "v.sock");
  EXPECT_TRUE(client.Hello(1).ok());
}

}  // namespace
}  // namespace vineyard::testing

// Very many at once: connections, waiters for one name, and clients among them that do not read. All are
// answered, and nobody waits for those who do not take their answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <memory>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using wire::MessageType;

constexpr uint64_t kLongWait = 3600 * 1000;

bool MayOpen(rlim_t descriptors) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  return limit.rlim_max >= descriptors && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

class Crowd : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(daemon_.WaitUntilReady());
    putter_ = std::make_unique<RawClient>(socket_);
    ASSERT_TRUE(putter_->Hello(1).ok());
    auto put = putter_->PutBytes("x", 1).As<wire::MutationAnswer>();
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    id_ = put->id;
  }
  // A session of its own, alive as long as its pin table is held.
  std::unique_ptr<RawClient> Join() {
    auto client = std::make_unique<RawClient>(socket_);
    Result<wire::Welcome> welcome = client->Hello(++sessions_);
    EXPECT_TRUE(welcome.ok()) << sessions_ << ": " << welcome.status().ToString();
    if (welcome.ok()) client->files.erase(client->files.begin(), client->files.begin() + 2);
    return client;
  }
  static void Wait(RawClient& client, int times) {
    wire::Find find;
    find.name = "later";
    find.timeout_ms = kLongWait;
    std::string body;
    find.Encode(&body);
    for (int i = 0; i < times; ++i) ASSERT_TRUE(client.SendFrame(MessageType::kWait, body));
  }
  void AwaitWaits(uint64_t count) {
    while (putter_->Number("waits") != count) {
    }
  }
  void GiveName(uint64_t number) {
    wire::PutName message{"later", id_};
    EXPECT_TRUE(putter_->Call(MessageType::kPutName, message, number).status().ok());
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_};
  std::unique_ptr<RawClient> putter_;
  ObjectId id_ = kInvalidId;
  uint64_t sessions_ = 1;
};

TEST_F(Crowd, OfTwoThousandConnectionsEachIsServed) {
  constexpr size_t kClients = 2000;
  if (!MayOpen(3 * kClients)) GTEST_SKIP() << "descriptors are limited to fewer";
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(Join());
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(putter_->Number("connections"), kClients + 1);
  // All ask before anybody is heard.
  std::string body = PutOfBytes("from one of many");
  for (auto& client : clients) ASSERT_TRUE(client->SendFrame(MessageType::kPut, body, 1));
  for (auto& client : clients) ASSERT_TRUE(client->Receive().status().ok());
  EXPECT_EQ(putter_->Number("blobs"), kClients + 1);
  clients.clear();
  while (putter_->Number("sessions") != 1) {
  }
  EXPECT_EQ(putter_->Number("blobs"), kClients + 1);
}

TEST_F(Crowd, OfTenThousandWaitersForOneNameEachIsAnswered) {
  constexpr int kClients = 40, kWaits = 250;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(Join());
    Wait(*clients.back(), kWaits);
  }
  AwaitWaits(kClients * kWaits);
  EXPECT_TRUE(putter_->Find(id_).status().ok()) << "others are served";
  GiveName(2);
  EXPECT_EQ(putter_->Number("waits"), 0u);
  for (auto& client : clients) {
    for (int i = 0; i < kWaits; ++i) {
      auto found = client->Receive().As<wire::FindAnswer>();
      ASSERT_TRUE(found.ok()) << found.status().ToString();
    }
  }
}

TEST_F(Crowd, OneClientWaitsFourThousandTimesAndIsToldThatMoreIsTooMuch) {
  constexpr int kMost = 4096;
  std::unique_ptr<RawClient> client = Join();
  Wait(*client, kMost);
  AwaitWaits(kMost);
  Wait(*client, 1);
  Status refused = client->Receive().status();
  EXPECT_EQ(refused.code(), Code::kLimit);
  EXPECT_THAT(refused.text(), HasSubstr("waits 4096 times already"));
  GiveName(2);
  for (int i = 0; i < kMost; ++i) ASSERT_TRUE(client->Receive().status().ok()) << i;
  EXPECT_EQ(putter_->Number("waits"), 0u);
}

// Their answers do not fit into their sockets: they lie in the daemon until they are read, or the client is dropped.
TEST_F(Crowd, WaitersThatDoNotReadHoldNobodyUp) {
  constexpr int kClients = 5, kWaits = 2000;
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < kClients; ++i) {
    silent.push_back(Join());
    Wait(*silent.back(), kWaits);
  }
  std::unique_ptr<RawClient> reader = Join();
  Wait(*reader, 1);
  AwaitWaits(kClients * kWaits + 1);
  GiveName(2);
  EXPECT_TRUE(reader->Receive().status().ok());
  EXPECT_TRUE(reader->PutBytes("y", 1).status().ok());
  silent.erase(silent.begin());  // dies with its answers unread
  EXPECT_TRUE(reader->PutBytes("z", 2).status().ok());
  for (auto& client : silent) {  // who reads late has lost nothing
    for (int i = 0; i < kWaits; ++i) ASSERT_TRUE(client->Receive().status().ok()) << i;
  }
}

TEST_F(Crowd, TenThousandWaitersAreToldThatTheDaemonStops) {
  // So few a client that their answers fit into its socket: the daemon waits 5 s for them to be taken.
  constexpr int kClients = 100, kWaits = 100;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(Join());
    Wait(*clients.back(), kWaits);
  }
  AwaitWaits(kClients * kWaits);
  kill(daemon_.keeper(), SIGTERM);
  for (auto& client : clients) {
    for (int i = 0; i < kWaits; ++i) {
      ASSERT_EQ(client->Receive().status().code(), Code::kUnavailable) << i;
    }
    EXPECT_TRUE(client->Ended());
  }
  putter_->Close();
  EXPECT_EQ(daemon_.WaitForEnd(), 0);
}

}  // namespace
}  // namespace vineyard::testing

// Exceptions in the middle of a request: the C interface turns them into a status, and the program goes
// on with the same client.
#include <gtest/gtest.h>

#include <atomic>
#include <new>

#include "core/base/bytes.h"
#include "core/client/client.h"
#include "tests/core/client/fake_daemon.h"
#include "tests/core/client/no_memory.h"

namespace vineyard::client {
namespace {

using wire::MessageType;

std::atomic<bool> throws{false};

int32_t MayThrow() {
  if (throws.exchange(false)) throw std::bad_alloc();
  return 1;
}

FakeMemory& TheMemory() {
  static FakeMemory memory;
  return memory;
}

TEST(Exceptions, WhileConnectingLeaveTheConnectionUsable) {
  auto serve = [](FakeConnection& c) {
    c.Welcome(&TheMemory(), /*resumed=*/false);
    ServeNothing(c);
  };
  FakeDaemon daemon({serve, serve});
  int sessions = 0;
  Connection connection(
      {daemon.path(), ""},
      [&](const wire::Welcome&, const std::vector<Fd>&) -> Status {
        if (++sessions == 1) throw std::bad_alloc();
        return OkStatus();
      },
      [](ObjectId, uint16_t) {});
  Patience patience;
  EXPECT_THROW((void)connection.Connect(patience), std::bad_alloc);
  patience.deadline = Deadline::After(30'000);
  Status status = connection.Connect(patience);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(sessions, 2);
  connection.Close();
}

TEST(Exceptions, WhileReceivingLeaveTheConnectionUsable) {
  Fake fake({{false,
              [](FakeConnection& c) {
                FakeRequest request = c.ReceiveType(MessageType::kListTypes);
                c.Send(request.header, std::string(8 * kMiB, 'x'));
                ServeNothing(c);
              }},
             {true, [](FakeConnection& c) {
                c.AnswerMutation(c.ReceiveType(MessageType::kClear), 0, 5);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  {
    NoMemoryAbove limit(kMiB);
    EXPECT_THROW((void)client->ListTypes(), std::bad_alloc);
  }
  Result<uint64_t> cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 5u);
}

TEST(Exceptions, WhileSendingLeaveTheConnectionUsable) {
  std::atomic<bool> over{false};
  Fake fake({{false,
              [&](FakeConnection&) {
                while (!over) std::this_thread::yield();  // reads nothing
              }},
             {true, [](FakeConnection& c) {
                c.AnswerMutation(c.ReceiveType(MessageType::kClear), 0, 5);
                ServeNothing(c);
              }}});
  throws = false;
  Connected client(fake.daemon.path(), 30'000, MayThrow);
  throws = true;
  wire::Delete message;
  message.ids.assign(kMiB, UINT64_MAX);  // more than the socket takes
  Request request(MessageType::kDelete, message);
  Reply reply;
  EXPECT_THROW((void)client->Call(&request, client->PatienceOf(), &reply), std::bad_alloc);
  over = true;
  Result<uint64_t> cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 5u);
}

TEST(Exceptions, WhileWaitingGiveTheRequestUp) {
  std::atomic<bool> over{false};
  Fake fake({{false, [&](FakeConnection& c) {
                FakeRequest first = c.ReceiveType(MessageType::kClear);
                while (!over) std::this_thread::yield();
                c.AnswerMutation(first, 0, 4);  // to nobody
                for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                  if (r.type() == MessageType::kClear) c.AnswerMutation(r, 0, r.header.number);
                }
              }}});
  throws = false;
  Connected client(fake.daemon.path(), 30'000, MayThrow);
  throws = true;
  EXPECT_THROW((void)client->Clear(), std::bad_alloc);
  over = true;
  // Past the window: the number of the first counts as answered.
  for (uint64_t i = 2; i < 2 + 2 * wire::kRequestWindow; ++i) {
    Result<uint64_t> cleared = client->Clear();
    ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
    ASSERT_EQ(*cleared, i);
  }
}

}  // namespace
}  // namespace vineyard::client

// What a caller is told of a change whose answer it did not get, and what becomes of leases then.
#include <gtest/gtest.h>

#include <atomic>

#include "core/client/client.h"
#include "core/object/pack.h"
#include "tests/core/client/fake_daemon.h"

namespace vineyard::client {
namespace {

using wire::MessageType;

constexpr ObjectId kId = 42;

Status Ask(Connected& client, MessageType type, int64_t timeout_ms) {
  Request request = Request::WithoutBody(type);
  Reply reply;
  return client->Call(&request, client->PatienceOf(timeout_ms), &reply);
}

Status AskForLease(Connected& client, int64_t timeout_ms) {
  Request request(MessageType::kLease, wire::Lease{});
  Reply reply;
  return client->Call(&request, client->PatienceOf(timeout_ms), &reply);
}

void AnswerLease(FakeConnection& connection, const FakeRequest& request, ObjectId id) {
  std::string body;
  wire::LeaseAnswer{id, 64}.Encode(&body);
  connection.Send(request.header, body);
}

ObjectId Dropped(const FakeRequest& request) {
  Arena arena;
  return wire::DropLease::Decode(*Unpack(request.body, &arena))->id;
}

TEST(Outcome, AChangeThatIsNotAnsweredInTimeIsUnknown) {
  Fake fake({{false, ServeNothing}});
  Connected client(fake.daemon.path());
  Status status = Ask(client, MessageType::kClear, 50);
  EXPECT_EQ(status.code(), Code::kUnknown);
  EXPECT_NE(status.text().find(fake.daemon.path()), std::string::npos) << status.text();
}

TEST(Outcome, AQuestionThatIsNotAnsweredInTimeTimesOut) {
  Fake fake({{false, ServeNothing}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(Ask(client, MessageType::kListTypes, 50).code(), Code::kTimeout);
}

std::atomic<bool> end_waits{false};

TEST(Outcome, AChangeThatItsCallerEndsAfterItWasSentIsUnknown) {
  end_waits = false;
  Fake fake({{false, [](FakeConnection& c) {
                c.ReceiveType(MessageType::kClear);
                end_waits = true;
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path(), 30'000, [] { return end_waits ? 0 : 1; });
  EXPECT_EQ(client->Clear().status().code(), Code::kUnknown);
}

TEST(Outcome, AChangeThatWasNotSentTimesOut) {
  std::atomic<uint64_t> changes{0};
  {
    Fake fake({{false, [&](FakeConnection& c) {
                  for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                    if (r.type() == MessageType::kClear) ++changes;
                  }
                }}});
    Connected client(fake.daemon.path());
    for (uint64_t i = 0; i <= wire::kRequestWindow; ++i) {
      Status status = Ask(client, MessageType::kClear, 1);
      EXPECT_EQ(status.code(), i < wire::kRequestWindow ? Code::kUnknown : Code::kTimeout) << i;
    }
  }
  EXPECT_EQ(changes, wire::kRequestWindow);
}

TEST(Outcome, ALeaseThatWasGivenUpIsAskedForAgainAfterTheConnectionBroke) {
  std::atomic<bool> given_up{false};
  std::atomic<uint64_t> first{0}, second{0};
  std::atomic<ObjectId> dropped{0};
  Fake fake({{false,
              [&](FakeConnection& c) {
                first = c.ReceiveType(MessageType::kLease).header.number;
                while (!given_up) std::this_thread::yield();
                c.Close();
              }},
             {true, [&](FakeConnection& c) {
                for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                  if (r.type() == MessageType::kLease) {
                    second = r.header.number;
                    AnswerLease(c, r, kId);
                    continue;
                  }
                  if (r.type() == MessageType::kDropLease) dropped = Dropped(r);
                  if (r.type() != MessageType::kGoodbye) c.AnswerMutation(r, 0, 1);
                }
              }}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(AskForLease(client, 50).code(), Code::kUnknown);
  given_up = true;
  // The first says that the connection is broken, one of the next that the lease has come.
  for (int i = 0; i < 100 && dropped == 0; ++i) EXPECT_TRUE(client->Clear().ok());
  EXPECT_EQ(dropped, kId);
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(second, 1u);
}

TEST(Outcome, ALeaseThatWasGivenUpIsSentTwiceAtMost) {
  std::atomic<int> given_up{0}, leases{0};
  auto die = [&](int round) {
    return [&, round](FakeConnection& c) {
      c.ReceiveType(MessageType::kLease);
      ++leases;
      while (given_up < round) std::this_thread::yield();
      c.Close();
    };
  };
  {
    Fake fake({{false, die(1)}, {true, die(1)}, {true, [&](FakeConnection& c) {
                                                   for (FakeRequest r = c.Receive(); !r.ended;
                                                        r = c.Receive()) {
                                                     if (r.type() == MessageType::kLease) ++leases;
                                                     if (r.type() == MessageType::kListTypes) {
                                                       std::string body;
                                                       wire::ListTypesAnswer{}.Encode(&body);
                                                       c.Send(r.header, body);
                                                     }
                                                   }
                                                 }}});
    Connected client(fake.daemon.path());
    EXPECT_EQ(AskForLease(client, 50).code(), Code::kUnknown);
    given_up = 1;
    while (!client->ListTypes().ok()) {  // two daemons die under the first
    }
  }
  EXPECT_EQ(leases, 2);
}

TEST(Outcome, ADropThatWasNotAnsweredIsSaidAgain) {
  std::atomic<int> drops{0};
  Fake fake({{false, [&](FakeConnection& c) {
                FakeRequest first = c.ReceiveType(MessageType::kDropLease);
                EXPECT_EQ(Dropped(first), kId);
                ++drops;
                for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                  if (r.type() == MessageType::kDropLease && Dropped(r) == kId) ++drops;
                  if (r.type() != MessageType::kGoodbye) c.AnswerMutation(r, 0, 1);
                }
              }}});
  Connected client(fake.daemon.path(), /*timeout_ms=*/1000);
  EXPECT_EQ(client->DropLease(kId, 0, client->PatienceOf()).code(), Code::kUnknown);
  while (!client->Clear().ok()) {
  }
  EXPECT_GE(drops, 2);
}

}  // namespace
}  // namespace vineyard::client

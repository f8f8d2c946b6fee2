// What the daemon makes of clients that break the protocol. Whatever one of them does, those before
// and after it are served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <memory>

#include "core/object/pack.h"
#include "core/shm/layout.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using wire::MessageType;

class ProtocolErrors : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(daemon_.WaitUntilReady());
    bystander_ = std::make_unique<RawClient>(socket_);
    ASSERT_TRUE(bystander_->Hello(1000).ok());
  }
  void TearDown() override {
    EXPECT_TRUE(bystander_->CallRaw(MessageType::kStatus).status().ok());
    RawClient next(socket_);
    EXPECT_TRUE(next.Hello(999).ok());
    EXPECT_EQ(daemon_.Terminate(), 0);
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_};
  std::unique_ptr<RawClient> bystander_;
};

std::string Bytes(const wire::FrameHeader& header) {
  return std::string(reinterpret_cast<const char*>(&header), sizeof header);
}

TEST_F(ProtocolErrors, FrameOfFourGigabytesIsRefusedUnread) {
  RawClient client(socket_);
  client.Send(Bytes(wire::MakeHeader(1, UINT32_MAX, 7, 0)));
  Received answer = client.Receive();
  EXPECT_EQ(answer.status().code(), Code::kLimit);
  EXPECT_EQ(answer.header.correlation, 7u);
  EXPECT_TRUE(client.Ended());
}

TEST_F(ProtocolErrors, GarbageIsAnsweredAndClosed) {
  for (std::string garbage : {std::string("GET / HTTP/1.1\r\nHost: vineyard\r\n\r\n"),
                              std::string("x"), std::string(100, '\0')}) {
    RawClient client(socket_);
    client.Send(garbage);
    EXPECT_EQ(client.Receive().status().code(), Code::kProtocol);
    EXPECT_TRUE(client.Ended());
  }
}

TEST_F(ProtocolErrors, AnotherProtocolVersionIsNamed) {
  RawClient client(socket_);
  wire::FrameHeader header = wire::MakeHeader(1, 0, 5, 0);
  header.version = 200;
  client.Send(Bytes(header));
  Received answer = client.Receive();
  EXPECT_EQ(answer.status().code(), Code::kVersion);
  EXPECT_THAT(answer.status().text(), HasSubstr("200"));
  EXPECT_EQ(answer.header.correlation, 5u);
  EXPECT_TRUE(client.Ended());
}

TEST_F(ProtocolErrors, AnotherMemoryLayoutIsNamed) {
  RawClient client(socket_);
  wire::Hello hello;
  hello.layout = shm::kLayoutVersion + 1;
  hello.session = 1;
  EXPECT_EQ(client.Call(MessageType::kHello, hello).status().code(), Code::kVersion);
  EXPECT_TRUE(client.Ended());
}

TEST_F(ProtocolErrors, RequestBeforeHelloIsRefused) {
  RawClient client(socket_);
  EXPECT_EQ(client.CallRaw(MessageType::kStatus).status().code(), Code::kProtocol);
  EXPECT_TRUE(client.Ended());
}

TEST_F(ProtocolErrors, SecondHelloIsRefused) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  EXPECT_EQ(client.Hello(1).status().code(), Code::kProtocol);
  EXPECT_TRUE(client.Ended());
}

TEST_F(ProtocolErrors, BodyThatIsNoMessageIsRefused) {
  for (std::string_view body : {"\xc1", "\x90\x90", "\xdd\xff\xff\xff\xff", "", "\x81\x01\x02"}) {
    RawClient client(socket_);
    ASSERT_TRUE(client.Hello(1).ok());
    EXPECT_EQ(client.CallRaw(MessageType::kStatus, body).status().code(), Code::kProtocol);
    EXPECT_TRUE(client.Ended());
  }
}

// Each takes 24 times as much memory as it takes of the message.
TEST_F(ProtocolErrors, TooManyValuesAreAnsweredAndTheConnectionGoesOn) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  std::string body;
  Packer(&body).Array(wire::kMaxValues + 1);
  body.append(wire::kMaxValues + 1, '\xc0');
  Received answer = client.CallRaw(MessageType::kList, body);
  EXPECT_EQ(answer.status().code(), Code::kLimit);
  EXPECT_TRUE(client.CallRaw(MessageType::kStatus).status().ok());
}

TEST_F(ProtocolErrors, WrongItemIsNamedAndClosed) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  std::string body;
  Packer(&body).Array(1).String("seven");
  Status status = client.CallRaw(MessageType::kGrant, body).status();
  EXPECT_EQ(status.text(), "grant: piece: expected an unsigned integer");
  EXPECT_TRUE(client.Ended());
}

TEST_F(ProtocolErrors, UnknownRequestIsAnsweredAndTheConnectionGoesOn) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  EXPECT_EQ(client.CallRaw(static_cast<MessageType>(77)).status().code(), Code::kUnsupported);
  EXPECT_TRUE(client.CallRaw(MessageType::kStatus).status().ok());
}

TEST_F(ProtocolErrors, ChangeWithoutNumberIsAnsweredAndTheConnectionGoesOn) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  EXPECT_EQ(client.PutBytes("x", 0).status().code(), Code::kInvalid);
  EXPECT_TRUE(client.PutBytes("x", 1).status().ok());
}

TEST_F(ProtocolErrors, AbsurdRequestsAreAnswered) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  EXPECT_FALSE(
      client.Call(MessageType::kSegment, wire::SegmentRequest{UINT32_MAX, true}).status().ok());
  EXPECT_FALSE(client.Call(MessageType::kGrant, wire::Grant{UINT64_MAX}).status().ok());
  EXPECT_FALSE(client.Find(kInvalidId).status().ok());
  EXPECT_FALSE(client.Find(UINT64_MAX).status().ok());
  uint64_t number = 0;
  for (uint64_t size : {uint64_t{1} << 40, uint64_t{INT64_MAX}, UINT64_MAX, UINT64_MAX - 100}) {
    wire::Lease lease{BlobKind::kByteArray, size};
    EXPECT_FALSE(client.Call(MessageType::kLease, lease, ++number).status().ok()) << size;
  }
  EXPECT_FALSE(client.Call(MessageType::kDropLease, wire::DropLease{5}, ++number).status().ok());
  EXPECT_FALSE(client.Call(MessageType::kPutName, wire::PutName{"", 5}, ++number).status().ok());
  EXPECT_FALSE(client.Call(MessageType::kDropName, wire::DropName{"n"}, ++number).status().ok());
  EXPECT_TRUE(client.PutBytes("still here", ++number).status().ok());
}

TEST_F(ProtocolErrors, WhoSaysNothingOrHalfAFrameIsToldAndClosed) {
  RawClient silent(socket_), half(socket_), half_hello(socket_);
  ASSERT_TRUE(half.Hello(1).ok());
  half.Send(Bytes(wire::MakeHeader(static_cast<uint16_t>(MessageType::kPut), 100, 1, 1)));
  half_hello.Send("VY");
  for (RawClient* client : {&silent, &half, &half_hello}) {
    EXPECT_EQ(client->Receive().status().code(), Code::kTimeout);
    EXPECT_TRUE(client->Ended());
  }
}

TEST_F(ProtocolErrors, WhoNeverReadsIsClosed) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  // So that an answer is long: 200 names of a kilobyte.
  auto put = client.PutBytes("x", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok());
  for (uint64_t number = 2; number < 202; ++number) {
    std::string name = std::to_string(number) + std::string(1000, 'n');
    wire::PutName message{name, put->id};
    ASSERT_TRUE(client.Call(MessageType::kPutName, message, number).status().ok());
  }
  std::string body;
  wire::ListNames{"*", "", wire::kMaxPage}.Encode(&body);
  while (client.SendFrame(MessageType::kListNames, body)) {
  }
  EXPECT_NE(daemon_.WaitForLine("does not read its answers"), "");
}

// It was taken for one that never reads.
TEST_F(ProtocolErrors, WhoAsksMuchAndReadsLaterGetsEveryAnswer) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  auto put = client.PutBytes("x", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok());
  for (uint64_t number = 2; number < 1002; ++number) {
    std::string name = std::to_string(number) + std::string(1000, 'n');
    wire::PutName message{name, put->id};
    ASSERT_TRUE(client.Call(MessageType::kPutName, message, number).status().ok());
  }
  std::string body;
  wire::ListNames{"*", "", wire::kMaxPage}.Encode(&body);
  constexpr int kMany = 60;  // of a megabyte each
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(client.SendFrame(MessageType::kListNames, body));
  for (int i = 0; i < kMany; ++i) {
    auto names = client.Receive().As<wire::ListNamesAnswer>();
    ASSERT_TRUE(names.ok()) << names.status().ToString();
    EXPECT_EQ(names->names.size(), 1000u);
  }
}

// What waits takes the daemon's memory.
TEST_F(ProtocolErrors, WhoAsksMuchThatWaitsIsNotListenedToUntilSomeIsAnswered) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  auto now = client.Call(MessageType::kSync, wire::Sync{}).As<wire::SyncAnswer>();
  ASSERT_TRUE(now.ok());
  wire::Sync sync;
  sync.kind = wire::Sync::Kind::kAtLeast;
  sync.at_least = {now->position.generation, now->position.entries + 1};  // nobody persists
  std::string body;
  sync.Encode(&body);
  wire::FrameHeader header = wire::MakeHeader(static_cast<uint16_t>(MessageType::kSync),
                                              static_cast<uint32_t>(body.size()), 1, 0);
  header.patience = 40;  // tenths of a second
  std::string frame = Bytes(header) + body;
  // A hundred at once, so that only the last can be sent in part.
  constexpr int kTogether = 100, kMost = 100'000;
  std::string frames;
  for (int i = 0; i < kTogether; ++i) frames += frame;
  int sent = 0;
  pollfd room = {client.fd(), POLLOUT, 0};
  while (sent < kMost && poll(&room, 1, 1000) > 0) {
    ssize_t bytes = send(client.fd(), frames.data(), frames.size(), MSG_DONTWAIT);
    if (bytes < 0) break;
    sent += kTogether;
    std::string_view rest = std::string_view(frames).substr(static_cast<size_t>(bytes));
    if (rest.empty()) continue;
    EXPECT_TRUE(client.Send(rest));  // once there is room
    break;
  }
  EXPECT_LT(sent, kMost);
  EXPECT_GE(sent, 10'000);
  for (int i = 0; i < sent; ++i) {
    ASSERT_EQ(client.Receive().status().code(), Code::kTimeout) << i << " of " << sent;
  }
  EXPECT_TRUE(client.CallRaw(MessageType::kStatus).status().ok());
}

TEST_F(ProtocolErrors, TheLastFrameMayBeCutOff) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  client.Send(Bytes(wire::MakeHeader(static_cast<uint16_t>(MessageType::kPut), 100, 1, 1)));
  client.Close();
}

}  // namespace
}  // namespace vineyard::testing

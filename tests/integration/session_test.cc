// Sessions over the raw protocol: what a client is handed, repeats, reconnects, waits, the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <barrier>
#include <memory>
#include <thread>

#include "core/shm/layout.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using wire::MessageType;

class Sessions : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(daemon_.WaitUntilReady()); }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_};
};

// Maps a file that was handed out; null when that is not allowed.
char* Map(const Fd& fd, size_t size, int protection) {
  void* at = mmap(nullptr, size, protection, MAP_SHARED, fd.get(), 0);
  return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

wire::Find ByName(std::string_view name, uint64_t timeout_ms) {
  wire::Find find;
  find.name = name;
  find.timeout_ms = timeout_ms;
  return find;
}

TEST_F(Sessions, WhatWasPutIsInSharedMemory) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  ASSERT_EQ(client.files.size(), 3u);
  auto put = client.PutBytes("Hello, World!", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok()) << put.status().ToString();
  auto found = client.Find(put->id).As<wire::FindAnswer>();
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(shm::StateOf(found->word), shm::SlotState::kSealed);

  char* index = Map(client.files[0], 1 << 20, PROT_READ);
  ASSERT_NE(index, nullptr);
  auto* slot = reinterpret_cast<shm::Slot*>(index + shm::kSlotsOffset) + found->slot;
  EXPECT_EQ(slot->word.load(), found->word);
  EXPECT_EQ(slot->fields[0].load(), put->id);
  uint64_t location = slot->fields[1].load();
  Received segment =
      client.Call(MessageType::kSegment, wire::SegmentRequest{shm::SegmentOf(location), false});
  auto size = segment.As<wire::SegmentAnswer>();
  ASSERT_TRUE(size.ok()) << size.status().ToString();
  ASSERT_EQ(segment.descriptors.size(), 1u);
  char* payload = Map(segment.descriptors[0], size->size, PROT_READ);
  ASSERT_NE(payload, nullptr);
  EXPECT_EQ(std::string_view(payload + shm::OffsetOf(location), 13), "Hello, World!");
  munmap(payload, size->size);
  munmap(index, 1 << 20);
}

TEST_F(Sessions, RepeatedPutMakesOneObject) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  auto first = client.PutBytes("once", 1).As<wire::MutationAnswer>();
  auto again = client.PutBytes("once", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->id, again->id);

  // And after its reply was lost with the connection.
  std::string body;
  RawClient second(socket_);
  auto welcome = second.Hello(1);
  ASSERT_TRUE(welcome.ok()) << welcome.status().ToString();
  EXPECT_TRUE(welcome->resumed);
  EXPECT_TRUE(second.files.empty());
  auto third = second.PutBytes("once", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->id, first->id);
  EXPECT_EQ(second.Number("blobs"), 1u);
}

TEST_F(Sessions, NewerConnectionReplacesTheOlder) {
  RawClient older(socket_), newer(socket_);
  ASSERT_TRUE(older.Hello(1).ok());
  ASSERT_TRUE(newer.Hello(1).ok());
  EXPECT_TRUE(older.Ended());
  EXPECT_TRUE(newer.CallRaw(MessageType::kStatus).status().ok());
}

TEST_F(Sessions, AnotherTokenDoesNotGetTheSession) {
  RawClient owner(socket_), thief(socket_);
  ASSERT_TRUE(owner.Hello(1).ok());
  wire::Hello hello;
  hello.layout = shm::kLayoutVersion;
  hello.incompatible = shm::kKnownIncompatible;
  hello.session = 1;
  hello.token[0] = 666;
  EXPECT_EQ(thief.Call(MessageType::kHello, hello).status().code(), Code::kExists);
  EXPECT_TRUE(owner.CallRaw(MessageType::kStatus).status().ok());
}

TEST_F(Sessions, HelloWhoseDescriptorsWereLostBeginsAgain) {
  RawClient client(socket_);
  wire::Hello hello;
  hello.layout = shm::kLayoutVersion;
  hello.incompatible = shm::kKnownIncompatible;
  hello.session = 1;
  hello.token[0] = 3;
  hello.token[1] = 5;
  std::string body;
  hello.Encode(&body);
  client.SendFrame(MessageType::kHello, body);
  char header[sizeof(wire::FrameHeader)];
  // Read without room for descriptors: the kernel drops them.
  ASSERT_EQ(recv(client.fd(), header, sizeof header, MSG_WAITALL),
            static_cast<ssize_t>(sizeof header));
  RawClient again(socket_);
  auto welcome = again.Hello(1);
  ASSERT_TRUE(welcome.ok()) << welcome.status().ToString();
  EXPECT_FALSE(welcome->resumed);
  EXPECT_EQ(again.files.size(), 3u);
}

TEST_F(Sessions, SessionLivesAsLongAsItsPinTableIsHeld) {
  RawClient observer(socket_);
  ASSERT_TRUE(observer.Hello(9).ok());
  std::vector<Fd> files;
  {
    RawClient client(socket_);
    ASSERT_TRUE(client.Hello(1).ok());
    files = std::move(client.files);
  }
  {
    // Whenever the daemon probes, it is still there.
    RawClient back(socket_);
    auto welcome = back.Hello(1);
    ASSERT_TRUE(welcome.ok());
    EXPECT_TRUE(welcome->resumed);
  }
  EXPECT_EQ(observer.Number("sessions"), 2u);
  files.clear();
  while (observer.Number("sessions") != 1) {
  }
}

TEST_F(Sessions, GoodbyeEndsTheSession) {
  RawClient observer(socket_), client(socket_);
  ASSERT_TRUE(observer.Hello(9).ok());
  ASSERT_TRUE(client.Hello(1).ok());
  EXPECT_TRUE(client.CallRaw(MessageType::kGoodbye).status().ok());
  EXPECT_TRUE(client.Ended());
  client.files.clear();
  while (observer.Number("sessions") != 1) {
  }
}

TEST_F(Sessions, LeasesOfADeadClientComeBack) {
  RawClient observer(socket_);
  ASSERT_TRUE(observer.Hello(9).ok());
  {
    RawClient client(socket_);
    ASSERT_TRUE(client.Hello(1).ok());
    wire::Lease lease{BlobKind::kBuffer, 1 << 20};
    auto leased = client.Call(MessageType::kLease, lease, 1).As<wire::LeaseAnswer>();
    ASSERT_TRUE(leased.ok()) << leased.status().ToString();
    EXPECT_EQ(observer.Number("leases"), 1u);
  }
  while (observer.Number("leases") != 0) {
  }
}

TEST_F(Sessions, TwoHundredClientsAtOnce) {
  constexpr int kClients = 200;
  std::vector<std::unique_ptr<RawClient>> clients(kClients);
  std::vector<std::thread> threads;
  std::vector<int> done(kClients, 0);
  std::barrier together(kClients);
  for (size_t i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      together.arrive_and_wait();
      clients[i] = std::make_unique<RawClient>(socket_);
      RawClient& client = *clients[i];
      if (!client.Hello(i + 1).ok()) return;
      auto put = client.PutBytes("from " + std::to_string(i), 1).As<wire::MutationAnswer>();
      if (put.ok() && client.Find(put->id).status().ok()) done[i] = 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(done, ::testing::Each(1));
  EXPECT_EQ(clients[0]->Number("sessions"), 200u);
  EXPECT_EQ(clients[0]->Number("blobs"), 200u);
}

TEST_F(Sessions, WaitForANameEndsWhenItComes) {
  RawClient waiting(socket_), putting(socket_);
  ASSERT_TRUE(waiting.Hello(1).ok());
  ASSERT_TRUE(putting.Hello(2).ok());
  std::string body;
  ByName("later", 3600 * 1000).Encode(&body);
  waiting.SendFrame(MessageType::kWait, body);
  while (putting.Number("waits") != 1) {
  }
  auto put = putting.PutBytes("x", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok());
  EXPECT_TRUE(
      putting.Call(MessageType::kPutName, wire::PutName{"later", put->id}, 2).status().ok());
  EXPECT_TRUE(waiting.Receive().status().ok());
  EXPECT_EQ(putting.Number("waits"), 0u);
  // What is there already needs no wait.
  EXPECT_TRUE(waiting.Call(MessageType::kWait, ByName("later", 0)).status().ok());
}

TEST_F(Sessions, WaitForAnObjectEndsWhenItIsSealed) {
  RawClient waiting(socket_), putting(socket_);
  ASSERT_TRUE(waiting.Hello(1).ok());
  ASSERT_TRUE(putting.Hello(2).ok());
  auto first = putting.PutBytes("x", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(first.ok());
  wire::Find find;
  find.id = first->id + 1;  // the next one
  find.timeout_ms = 3600 * 1000;
  std::string body;
  find.Encode(&body);
  waiting.SendFrame(MessageType::kWait, body);
  while (putting.Number("waits") != 1) {
  }
  auto second = putting.PutBytes("y", 2).As<wire::MutationAnswer>();
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->id, find.id);
  EXPECT_TRUE(waiting.Receive().status().ok());
}

TEST_F(Sessions, WaitEndsAtItsDeadline) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  Status status = client.Call(MessageType::kWait, ByName("never", 20)).status();
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.text(), HasSubstr("'never'"));
}

TEST_F(Sessions, WaitForWhatCanNeverComeIsRefused) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  wire::Find nothing;
  nothing.timeout_ms = 3600 * 1000;
  EXPECT_EQ(client.Call(MessageType::kWait, nothing).status().code(), Code::kInvalid);
  std::string name(2000, 'n');
  EXPECT_EQ(client.Call(MessageType::kWait, ByName(name, 3600 * 1000)).status().code(),
            Code::kLimit);
}

TEST_F(Sessions, WaitsAreAnsweredWhenTheDaemonStops) {
  RawClient client(socket_), observer(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  ASSERT_TRUE(observer.Hello(2).ok());
  std::string body;
  ByName("never", 3600 * 1000).Encode(&body);
  client.SendFrame(MessageType::kWait, body);
  while (observer.Number("waits") != 1) {
  }
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_EQ(client.Receive().status().code(), Code::kUnavailable);
  EXPECT_TRUE(client.Ended());
}

// What came in before the signal is answered, and answers that nobody has read yet are sent to the end.
TEST_F(Sessions, ChangesUnderWayAndHalfSentAnswersAreFinishedWhenTheDaemonStops) {
  RawClient writer(socket_), reader(socket_), observer(socket_);
  ASSERT_TRUE(writer.Hello(1).ok());
  ASSERT_TRUE(reader.Hello(2).ok());
  ASSERT_TRUE(observer.Hello(3).ok());
  auto put = reader.PutBytes("x", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok());
  constexpr size_t kNames = 100, kLists = 40;
  for (uint64_t number = 2; number < 2 + kNames; ++number) {
    std::string name = std::to_string(number) + std::string(1000, 'n');
    wire::PutName message{name, put->id};
    ASSERT_TRUE(reader.Call(MessageType::kPutName, message, number).status().ok());
  }
  // Four megabytes that are not read: more than a socket holds.
  std::string list, wait, lease;
  wire::ListNames{"*", "", wire::kMaxPage}.Encode(&list);
  ByName("never", 3600 * 1000).Encode(&wait);
  for (size_t i = 0; i < kLists; ++i) reader.SendFrame(MessageType::kListNames, list);
  reader.SendFrame(MessageType::kWait, wait);
  // Memory that has to be made first.
  wire::Lease{BlobKind::kBuffer, uint64_t{50} << 20}.Encode(&lease);
  writer.SendFrame(MessageType::kLease, lease, 1);
  writer.SendFrame(MessageType::kWait, wait);
  while (observer.Number("waits") != 2) {  // then everything before has been taken up
  }
  kill(daemon_.keeper(), SIGTERM);
  // The wait is told first when the memory is not there yet.
  Code codes[] = {writer.Receive().status().code(), writer.Receive().status().code()};
  EXPECT_THAT(codes, ::testing::UnorderedElementsAre(Code::kOk, Code::kUnavailable));
  for (size_t i = 0; i < kLists; ++i) {
    auto names = reader.Receive().As<wire::ListNamesAnswer>();
    ASSERT_TRUE(names.ok()) << i << ": " << names.status().ToString();
    EXPECT_EQ(names->names.size(), kNames);
  }
  EXPECT_EQ(reader.Receive().status().code(), Code::kUnavailable);
  EXPECT_TRUE(reader.Ended());
  EXPECT_EQ(daemon_.WaitForEnd(), 0);
}

TEST_F(Sessions, WaitsOfADeadClientAreForgotten) {
  RawClient observer(socket_);
  ASSERT_TRUE(observer.Hello(2).ok());
  {
    RawClient client(socket_);
    ASSERT_TRUE(client.Hello(1).ok());
    std::string body;
    ByName("never", 3600 * 1000).Encode(&body);
    client.SendFrame(MessageType::kWait, body);
    while (observer.Number("waits") != 1) {
    }
  }
  while (observer.Number("waits") != 0) {
  }
}

TEST_F(Sessions, FullMemoryIsAClearErrorAndPassesWithADelete) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  std::string payload(60000, 'x');
  std::vector<ObjectId> ids;
  Status status;
  uint64_t number = 0;
  while (status.ok()) {
    auto put = client.PutBytes(payload, ++number).As<wire::MutationAnswer>();
    status = put.status();
    if (put.ok()) ids.push_back(put->id);
  }
  EXPECT_EQ(status.code(), Code::kOutOfMemory) << status.ToString();
  EXPECT_GT(ids.size() * payload.size(), size_t{48} << 20);
  wire::Delete remove;
  remove.ids = {ids.begin(), ids.begin() + 10};
  EXPECT_TRUE(client.Call(MessageType::kDelete, remove, ++number).status().ok());
  EXPECT_TRUE(client.PutBytes(payload, ++number).status().ok());
}

TEST_F(Sessions, PipelinedRequestsAreAllAnswered) {
  RawClient client(socket_);
  ASSERT_TRUE(client.Hello(1).ok());
  std::string body = PutOfBytes(std::string(50000, 'p'));
  // More than the first segment holds: some wait for memory.
  std::thread sender([&] {
    for (uint64_t number = 1; number <= 600; ++number) {
      client.SendFrame(MessageType::kPut, body, number);
    }
  });
  int answered = 0;
  for (int i = 0; i < 600; ++i) answered += client.Receive().status().ok() ? 1 : 0;
  sender.join();
  EXPECT_EQ(answered, 600);
}

}  // namespace
}  // namespace vineyard::testing

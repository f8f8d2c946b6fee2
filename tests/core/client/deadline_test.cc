// One call of a program has one deadline, however many requests it is made of.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "core/client/client.h"
#include "core/client/tree_put.h"
#include "tests/core/client/fake_daemon.h"

namespace vineyard::client {
namespace {

using testing::FakeConnection;
using wire::MessageType;

constexpr ObjectId kLease = 43;
constexpr uint64_t kBig = 1 << 20;

std::atomic<int> asked{0};  // every 100 ms of a wait

int32_t Count() {
  ++asked;
  return 1;
}

// Until the client has waited for two tenths of a second at least.
void LetWait() {
  for (int until = asked + 3; asked < until;) std::this_thread::yield();
}

Fd BigSegment() {
  Result<Fd> fd = shm::CreateMemory("segment", kBig);
  EXPECT_TRUE(fd.ok() && shm::AddSeals(*fd, shm::Seals::kClientWritten).ok());
  return std::move(fd).value();
}

// Answers as a daemon does that takes its time; `patience`: what each request says of its sender's.
class SlowDaemon {
 public:
  explicit SlowDaemon(MessageType never = MessageType::kGoodbye) : never_(never) {}

  void Serve(FakeConnection& c) {
    for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
      if (r.type() == MessageType::kGoodbye) continue;
      types.push_back(r.type());
      patience.push_back(r.header.patience);
      ++count;
      if (r.type() == never_) continue;
      if (never_ == MessageType::kGoodbye) LetWait();
      std::string body;
      switch (r.type()) {
        case MessageType::kLease:
          wire::LeaseAnswer{kLease, shm::MakeLocation(1, 4096)}.Encode(&body);
          c.Send(r.header, body);
          break;
        case MessageType::kSegment:
          wire::SegmentAnswer{kBig}.Encode(&body);
          c.Send(r.header, body, {big_.get()});
          break;
        case MessageType::kGrant:
          c.AnswerEmpty(r);
          break;
        default:
          c.AnswerMutation(r, 42);
      }
    }
  }

  std::atomic<size_t> count{0};
  // To be read when there is no client any more.
  std::vector<MessageType> types;
  std::vector<uint16_t> patience;

 private:
  const MessageType never_;
  Fd big_ = BigSegment();
};

void ExpectOneDeadline(const SlowDaemon& daemon, const std::vector<MessageType>& types) {
  EXPECT_EQ(daemon.types, types);
  for (size_t i = 1; i < daemon.patience.size(); ++i) {
    EXPECT_LT(daemon.patience[i], daemon.patience[i - 1]) << "request " << i;
  }
}

Status PutLarge(Client* client, bool persist) {
  auto builder = MetaBuilder::Create("t::Large");
  EXPECT_TRUE(builder.ok());
  std::string bytes(300'000, 'x');
  EXPECT_TRUE(
      (*builder)->AddBytes("payload", {bytes.data(), bytes.size(), BlobKind::kBuffer}).ok());
  PutOptions options;
  options.persist = persist;
  ObjectId id = kInvalidId;
  return PutTree(client->shared_from_this(), *builder, options, &id);
}

TEST(OneDeadline, OfAPutThatTakesALeaseAndIsPersisted) {
  SlowDaemon daemon;
  {
    Fake fake({{false, [&](FakeConnection& c) { daemon.Serve(c); }}});
    Connected client(fake.daemon.path(), 30'000, Count);
    Status put = PutLarge(client.operator->(), /*persist=*/true);
    EXPECT_TRUE(put.ok()) << put.ToString();
  }
  ExpectOneDeadline(daemon, {MessageType::kLease, MessageType::kSegment, MessageType::kPut,
                             MessageType::kPersist});
}

TEST(OneDeadline, OfAGetThatHasToMapMemory) {
  SlowDaemon daemon;
  {
    Fake fake({{false, [&](FakeConnection& c) { daemon.Serve(c); }}});
    fake.memory.AddObject(0, 12, std::string(100, 'v'));
    Connected client(fake.daemon.path(), 30'000, Count);
    Result<View*> got = client->GetView(12);
    ASSERT_TRUE(got.ok()) << got.status().ToString();
    ReleaseView(*got);
  }
  ExpectOneDeadline(daemon, {MessageType::kGrant, MessageType::kSegment});
}

// The lease is dropped, too, but who waited in vain for the put does not wait for that as well.
TEST(OneDeadline, IsNotFollowedByAWaitForWhatIsTidiedUp) {
  SlowDaemon daemon(MessageType::kPut);
  {
    Fake fake({{false, [&](FakeConnection& c) { daemon.Serve(c); }}});
    Connected client(fake.daemon.path(), 300);
    EXPECT_EQ(PutLarge(client.operator->(), /*persist=*/false).code(), Code::kUnknown);
    EXPECT_EQ(daemon.count, 3u);
    EXPECT_TRUE(client->Clear().ok());
  }
  EXPECT_EQ(daemon.types,
            (std::vector<MessageType>{MessageType::kLease, MessageType::kSegment, MessageType::kPut,
                                      MessageType::kDropLease, MessageType::kClear}));
}

}  // namespace
}  // namespace vineyard::client

// Following changes with a daemon that says what the test says.
#include "core/client/watch.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/object/pack.h"
#include "tests/core/client/fake_daemon.h"
#include "tests/support/child.h"

namespace vineyard::client {
namespace {

using wire::EventKind;
using wire::MessageType;

wire::WatchAnswer::Event Created(ObjectId id) { return {EventKind::kCreated, id, 9, ""}; }

wire::Watch Question(const FakeRequest& request) {
  Arena arena;
  EXPECT_EQ(request.type(), MessageType::kWatch);
  EXPECT_EQ(request.header.number, 0u);
  Result<wire::Watch> watch = wire::Watch::Decode(*Unpack(request.body, &arena));
  EXPECT_TRUE(watch.ok());
  return watch.ok() ? *watch : wire::Watch{};
}

void Tell(FakeConnection& c, const FakeRequest& request,
          std::vector<wire::WatchAnswer::Event> events, wire::LogPosition position) {
  wire::WatchAnswer answer;
  answer.events = std::move(events);
  answer.position = position;
  c.Answer(request, answer);
}

// The first connection is the client's, and ends once it has said hello: watches have their own.
using Script = std::function<void(FakeConnection&)>;
std::vector<std::pair<bool, Script>> Scripts(
    std::vector<Script> watches, Script first = [](FakeConnection&) {}) {
  std::vector<std::pair<bool, Script>> scripts = {{false, std::move(first)}};
  for (Script& script : watches) scripts.emplace_back(false, std::move(script));
  return scripts;
}

std::unique_ptr<Watch> Open(Connected& client, wire::LogPosition after = {1, 10}) {
  Result<std::unique_ptr<Watch>> watch = Watch::Open(client->shared_from_this(), after);
  EXPECT_TRUE(watch.ok()) << watch.status().ToString();
  return watch.ok() ? std::move(watch).value() : nullptr;
}

ObjectId NextId(Watch& watch, int64_t timeout_ms = 20'000) {
  Result<const Watch::Event*> event = watch.Next(timeout_ms);
  EXPECT_TRUE(event.ok()) << event.status().ToString();
  return event.ok() ? (*event)->id : kInvalidId;
}

bool IsReadable(const Watch& watch, int timeout_ms) {
  pollfd entry = {watch.fd(), POLLIN, 0};
  return poll(&entry, 1, timeout_ms) == 1;
}

TEST(Watching, HandsOutEventsInTheirOrder) {
  Fake fake(Scripts({[](FakeConnection& c) {
    FakeRequest first = c.Receive();
    wire::Watch question = Question(first);
    EXPECT_EQ(question.after.generation, 1u);
    EXPECT_EQ(question.after.entries, 10u);
    EXPECT_GT(question.timeout_ms, 0u);
    EXPECT_GT(question.limit, 0u);
    Tell(c, first, {Created(1), {EventKind::kNamed, 2, 0, "blue"}}, {1, 12});
    FakeRequest second = c.Receive();
    EXPECT_EQ(Question(second).after.entries, 12u);
    Tell(c, second, {}, {1, 13});  // in between something happened that is no event
    FakeRequest third = c.Receive();
    EXPECT_EQ(Question(third).after.entries, 13u);
    Tell(c, third, {Created(3)}, {1, 14});
    ServeNothing(c);
  }}));
  Connected client(fake.daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  EXPECT_EQ(watch->position().entries, 10u);
  EXPECT_EQ(NextId(*watch), 1u);
  EXPECT_EQ(watch->position().entries, 10u) << "not all of what came with it was handed out";
  Result<const Watch::Event*> event = watch->Next(20'000);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ((*event)->kind, EventKind::kNamed);
  EXPECT_EQ((*event)->name, "blue");
  EXPECT_EQ(watch->position().entries, 12u);
  EXPECT_EQ(NextId(*watch), 3u);
  EXPECT_EQ(watch->position().entries, 14u);
  EXPECT_EQ(watch->position().generation, 1u);
}

TEST(Watching, ADescriptorSaysThatThereIsAnEvent) {
  std::atomic<bool> is_asked{false}, may_tell{false};
  Fake fake(Scripts({[&](FakeConnection& c) {
    FakeRequest first = c.Receive();
    is_asked = true;
    may_tell.wait(false);
    Tell(c, first, {Created(1)}, {1, 11});
    ServeNothing(c);
  }}));
  Connected client(fake.daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  while (!is_asked) EXPECT_EQ(watch->Next(10).status().code(), Code::kTimeout);
  EXPECT_FALSE(IsReadable(*watch, 0));
  may_tell = true;
  may_tell.notify_all();
  int fd = watch->fd();
  ObjectId id = kInvalidId;
  while (id == kInvalidId) {  // an answer may come in pieces
    ASSERT_TRUE(IsReadable(*watch, 20'000));
    Result<const Watch::Event*> event = watch->Next(0);
    if (event.ok()) id = (*event)->id;
  }
  EXPECT_EQ(id, 1u);
  EXPECT_EQ(watch->Next(0).status().code(), Code::kTimeout);
  EXPECT_FALSE(IsReadable(*watch, 0));
  EXPECT_EQ(watch->fd(), fd);
}

TEST(Watching, GoesOnWhereItWasWhenTheDaemonCameBack) {
  Fake fake(Scripts({[](FakeConnection& c) {
                       Tell(c, c.Receive(), {Created(1)}, {1, 11});
                       c.Receive();  // the next question is never answered
                     },
                     [](FakeConnection& c) {
                       FakeRequest again = c.Receive();
                       EXPECT_EQ(Question(again).after.entries, 11u);
                       Tell(c, again, {{EventKind::kCompacted, 0, 0, ""}}, {2, 0});
                       ServeNothing(c);
                     }}));
  Connected client(fake.daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  int fd = watch->fd();
  EXPECT_EQ(NextId(*watch), 1u);
  // As a program would that waits for many descriptors.
  Result<const Watch::Event*> event = watch->Next(0);
  while (!event.ok() && IsReadable(*watch, 20'000)) event = watch->Next(0);
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_EQ((*event)->kind, EventKind::kCompacted);
  EXPECT_EQ(watch->position().generation, 2u);
  EXPECT_EQ(watch->fd(), fd);
}

TEST(Watching, FromNowOnIsFromWhatIsKnownWhenItIsOpened) {
  Fake fake(Scripts({[](FakeConnection& c) {
                      FakeRequest first = c.Receive();
                      EXPECT_EQ(Question(first).after.generation, 5u);
                      EXPECT_EQ(Question(first).after.entries, 55u);
                      Tell(c, first, {Created(1)}, {5, 56});
                      ServeNothing(c);
                    }},
                    [](FakeConnection& c) {
                      c.Answer(c.ReceiveType(MessageType::kSync), wire::SyncAnswer{{5, 55}});
                    }));
  Connected client(fake.daemon.path());
  auto watch = Open(client, {0, 0});
  ASSERT_NE(watch, nullptr);
  EXPECT_EQ(watch->position().entries, 55u);
  EXPECT_EQ(NextId(*watch), 1u);
}

TEST(Watching, ARefusalIsToldAndTheNextCallAsksAgain) {
  Fake fake(Scripts({[](FakeConnection& c) {
    c.Send(c.Receive().header, wire::EncodeError({Code::kUnsupported, "no log here"}));
    c.Send(c.Receive().header, wire::EncodeError({Code::kUnavailable, "no metadata service"}));
    FakeRequest third = c.Receive();
    EXPECT_EQ(Question(third).after.entries, 10u);
    Tell(c, third, {Created(1)}, {1, 11});
    ServeNothing(c);
  }}));
  Connected client(fake.daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  Status refused = watch->Next(20'000).status();
  EXPECT_EQ(refused.code(), Code::kUnsupported);
  EXPECT_EQ(refused.text(), "no log here");
  EXPECT_EQ(NextId(*watch), 1u) << "an outage is waited out";
}

TEST(Watching, WithoutADaemonIsUnavailableAndGoesOn) {
  auto fake = std::make_unique<Fake>(Scripts({}));
  Connected client(fake->daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  fake.reset();
  Status status = watch->Next(300).status();
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.ToString();
  EXPECT_TRUE(IsReadable(*watch, 20'000)) << "so that it is tried again";
}

TEST(Watching, AThreadThatDoesNotWaitIsToldThatItWouldHaveTo) {
  auto fake = std::make_unique<Fake>(Scripts({}));
  Connected client(fake->daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  fake.reset();
  SetThreadMayWait(false);
  Status status = watch->Next(20'000).status();
  SetThreadMayWait(true);
  EXPECT_EQ(status.code(), Code::kTimeout) << status.ToString();
}

TEST(Watching, AnAnswerThatIsNoneCutsItOff) {
  Fake fake(Scripts({[](FakeConnection& c) {
                       FakeRequest first = c.Receive();
                       ++first.header.correlation;
                       Tell(c, first, {Created(7)}, {1, 11});
                       ServeNothing(c);
                     },
                     [](FakeConnection& c) {
                       Tell(c, c.Receive(), {Created(1)}, {1, 11});
                       ServeNothing(c);
                     }}));
  Connected client(fake.daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  EXPECT_EQ(watch->Next(20'000).status().code(), Code::kProtocol);
  EXPECT_EQ(NextId(*watch), 1u);
}

TEST(Watching, EndsWithItsClient) {
  Fake fake(Scripts({ServeNothing}));
  auto client = std::make_unique<Connected>(fake.daemon.path());
  auto watch = Open(*client);
  ASSERT_NE(watch, nullptr);
  client.reset();
  EXPECT_EQ(watch->Next(20'000).status().code(), Code::kInvalid);
}

TEST(Watching, BelongsToTheProcessThatOpenedIt) {
  Fake fake(Scripts({[](FakeConnection& c) {
    Tell(c, c.Receive(), {Created(1)}, {1, 11});
    ServeNothing(c);
  }}));
  Connected client(fake.daemon.path());
  auto watch = Open(client);
  ASSERT_NE(watch, nullptr);
  testing::Child child([&](testing::Talk&) {
    CHILD_CHECK(watch->Next(20'000).status().code() == Code::kForked);
    watch.reset();
    return 0;
  });
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(NextId(*watch), 1u);
}

}  // namespace
}  // namespace vineyard::client

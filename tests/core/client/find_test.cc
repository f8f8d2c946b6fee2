// Lookups that need the daemon.
#include <gtest/gtest.h>

#include <atomic>

#include "core/client/client.h"
#include "core/object/pack.h"
#include "core/object/record.h"
#include "tests/core/client/fake_daemon.h"

namespace vineyard::client {
namespace {

using wire::MessageType;

TEST(Find, ANameIsWaitedForAsLongAsItsCallerSays) {
  constexpr int64_t kDayMs = int64_t{1000} * 3600 * 24;
  std::atomic<uint64_t> asked{0};
  Fake fake({{false, [&](FakeConnection& c) {
                for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                  if (r.type() == MessageType::kWait) {
                    Arena arena;
                    asked = wire::Find::Decode(*Unpack(r.body, &arena))->timeout_ms;
                    c.Send(r.header, wire::EncodeError({Code::kTimeout, "late"}));
                  } else if (r.type() == MessageType::kFind) {
                    c.Send(r.header, wire::EncodeError(NotFound("name")));
                  }
                }
              }}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(client->GetName("later", kDayMs).status().code(), Code::kTimeout);
  EXPECT_LE(asked, static_cast<uint64_t>(kDayMs));
  EXPECT_GT(asked, static_cast<uint64_t>(kDayMs / 2));
}

// A name whose record lies in a segment that is not mapped yet; what happens to it when it is asked for
// is the test's.
struct NameInSegment2 {
  explicit NameInSegment2(FakeMemory* memory) : memory(memory) {
    memory->SetSlot(3, hash, shm::SlotKind::kName, EncodeName({"moves", 12, 1}));
    first = memory->slot(3).fields[1].load();
    memory->slot(3).fields[1].store(shm::MakeLocation(2, 64));
    memory->AddCell(shm::HashNameKey(hash), 3);
  }
  FakeMemory* memory;
  uint64_t hash = shm::HashName("moves", 5), first = 0;
};

void ServeFinds(FakeConnection& c, NameInSegment2& name,
                const std::function<void()>& on_segment_2) {
  for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
    if (r.type() == MessageType::kGrant) {
      c.AnswerEmpty(r);
    } else if (r.type() == MessageType::kFind) {
      c.Send(r.header, wire::EncodeError(NotFound("name 'moves': there is no such name")));
    } else if (r.type() == MessageType::kSegment) {
      Arena arena;
      if (wire::SegmentRequest::Decode(*Unpack(r.body, &arena))->number == 2) {
        on_segment_2();
        c.Send(r.header, wire::EncodeError(NotFound("segment 2: there is no such segment")));
      } else {
        std::string body;
        wire::SegmentAnswer{FakeMemory::kSegmentSize}.Encode(&body);
        c.Send(r.header, body, {name.memory->segment_fd.get()});
      }
    }
  }
}

TEST(Find, ASegmentThatWentMeanwhileWithItsNameIsNoSuchName) {
  FakeMemory* memory = nullptr;
  std::unique_ptr<NameInSegment2> name;
  Fake fake({{false, [&](FakeConnection& c) {
                ServeFinds(c, *name, [&] {
                  memory->slot(3).word.store(shm::MakeWord(2, shm::SlotState::kEmpty));
                });
              }}});
  memory = &fake.memory;
  name = std::make_unique<NameInSegment2>(memory);
  Connected client(fake.daemon.path());
  Status status = client->GetName("moves", 0).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.text(), "name 'moves': there is no such name");
}

TEST(Find, ASegmentThatWentMeanwhileIsLookedForAgain) {
  FakeMemory* memory = nullptr;
  std::unique_ptr<NameInSegment2> name;
  Fake fake({{false, [&](FakeConnection& c) {
                ServeFinds(c, *name, [&] { memory->slot(3).fields[1].store(name->first); });
              }}});
  memory = &fake.memory;
  name = std::make_unique<NameInSegment2>(memory);
  Connected client(fake.daemon.path());
  Result<NamedObject> found = client->GetName("moves", 0);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->id, 12u);
}

}  // namespace
}  // namespace vineyard::client

// Memory that is damaged between two daemons: the next one leaves out what no daemon wrote, says so, serves
// the rest and keeps its books in order.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <functional>

#include "core/base/log.h"
#include "core/shm/slot_table.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using shm::SlotImage;
using shm::SlotKind;
using shm::SlotState;
using ::testing::HasSubstr;

std::string* logged = nullptr;

class DamageTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    logged = &log_;
    SetLogSink([](LogLevel level, std::string_view line) {
      if (level >= LogLevel::kWarning) logged->append(line).append("\n");
    });
  }
  void TearDown() override {
    SetLogSink(nullptr);
    StoreTest::TearDown();
  }

  // Ends the daemon, changes a slot behind its back, and gives it the checksums of what it says now.
  void Damage(uint32_t slot, const std::function<void(SlotImage&)>& change, bool seal = true) {
    store_.reset();
    auto table = shm::SlotTable::Open(state_.get());
    ASSERT_TRUE(table.ok());
    SlotImage image = (*table)->Read(slot);
    change(image);
    if (seal) image.Seal();
    shm::CommitLine line = image.Line(slot);
    std::memcpy((*table)->data() + line.offset, line.words, sizeof line.words);
  }
  SlotImage Read(uint32_t slot) {
    auto table = shm::SlotTable::Open(state_.get());
    EXPECT_TRUE(table.ok());
    return (*table)->Read(slot);
  }
  // Of what lies in a segment.
  void FlipBit(uint64_t location, uint64_t offset) {
    auto listed = state_->Lookup(shm::Role::kSegment, shm::SegmentOf(location));
    ASSERT_TRUE(listed);
    auto at = static_cast<off_t>(shm::OffsetOf(location) + offset);
    char byte = 0;
    ASSERT_EQ(pread(listed->fd, &byte, 1, at), 1);
    byte ^= 0x10;
    ASSERT_EQ(pwrite(listed->fd, &byte, 1, at), 1);
  }
  // As a new process does.
  Status Adopt() {
    store_.reset();
    Fd fd(state_->ReleaseFd());
    state_.reset();
    auto state = shm::StateFile::Adopt(std::move(fd));
    if (!state.ok()) {
      state_ = nullptr;
      return state.status();
    }
    state_ = std::move(*state);
    auto store = Store::Open(state_.get(), options_);
    if (!store.ok()) return store.status();
    store_ = std::move(*store);
    store_->CheckInvariants();
    return OkStatus();
  }
  void ExpectQuarantined(uint64_t count, const char* why) {
    ASSERT_TRUE(Adopt().ok());
    EXPECT_EQ(store_->Stats().quarantined, count);
    EXPECT_THAT(log_, HasSubstr(why));
    // Once and for all: the next daemon neither looks at it nor says it again.
    log_.clear();
    ASSERT_TRUE(Adopt().ok());
    EXPECT_EQ(store_->Stats().quarantined, count);
    EXPECT_EQ(log_.find(why), std::string::npos);
  }
  shm::DescriptorEntry& Entry(shm::Role role) {
    auto* entries = reinterpret_cast<shm::DescriptorEntry*>(
        reinterpret_cast<char*>(&state_->header()) + shm::kDescriptorsOffset);
    while (entries->role != static_cast<uint32_t>(role)) ++entries;
    return *entries;
  }

  std::string log_;
};

// ---- slots ----

TEST_F(DamageTest, OfASlotThatPassesNoCheckIsQuarantined) {
  const std::function<void(SlotImage&)> damages[] = {
      [](SlotImage& image) { image.fields.size ^= 0xff00; },
      [](SlotImage& image) { image.fields.location ^= 1; },
      [](SlotImage& image) { image.fields.type ^= 1; },
      [](SlotImage& image) { image.fields.kind = SlotKind::kObject; },
  };
  ObjectId good = PutBlob("good");
  uint64_t count = 0;
  for (const auto& damage : damages) {
    SCOPED_TRACE(count);
    ObjectId bad = PutBlob("bad");
    Damage(SlotOf(bad), damage, /*seal=*/false);
    ExpectQuarantined(++count, "its header does not pass its checks");
    EXPECT_FALSE(Exists(bad));
    EXPECT_TRUE(Exists(good));
  }
}

TEST_F(DamageTest, ThatPassesItsChecksIsQuarantinedWhenNoDaemonWritesSuchASlot) {
  struct Case {
    const char* why;
    std::function<void(SlotImage&)> damage;
  };
  auto state = [](SlotImage& image, int value) {
    image.word = shm::MakeWord(shm::GenerationOf(image.word), static_cast<SlotState>(value));
  };
  const Case cases[] = {
      {"state is not that of its location", [&](SlotImage& image) { state(image, 5); }},
      {"state is not that of its location",
       [](SlotImage& image) { image.fields.flags |= shm::kInFile; }},
      {"state is unknown", [&](SlotImage& image) { state(image, 7); }},
      {"kind is unknown", [](SlotImage& image) { image.fields.kind = SlotKind{0}; }},
      {"kind is unknown", [](SlotImage& image) { image.fields.kind = SlotKind{7}; }},
      {"kind is unknown", [](SlotImage& image) { image.fields.kind = SlotKind{255}; }},
      {"not of its kind", [](SlotImage& image) { image.fields.kind = SlotKind::kObject; }},
      {"not of its kind", [](SlotImage& image) { image.fields.id ^= uint64_t{1} << 63; }},
      {"size can not be right", [](SlotImage& image) { image.fields.size = UINT64_MAX - 10; }},
      {"size can not be right", [](SlotImage& image) { image.fields.size = 0; }},
      {"size can not be right", [](SlotImage& image) { image.fields.size = 14; }},  // < envelope
      {"size can not be right", [](SlotImage& image) { image.fields.location = 0; }},
      {"size can not be right", [](SlotImage& image) { ++image.fields.skip; }},
      {"size can not be right", [](SlotImage& image) { --image.fields.before; }},
      {"size can not be right", [](SlotImage& image) { image.fields.size = 64 * kGiB; }},
      {"its extent", [](SlotImage& image) { image.fields.location = UINT64_MAX; }},
      {"its extent",
       [](SlotImage& image) {  // of a segment that there is not
         image.fields.location = shm::MakeLocation(77, 64);
       }},
      {"its extent",
       [](SlotImage& image) {  // over the end, in units of 32 bits
         image.fields.location |= 0xffffffff;
       }},
      {"its record",
       [](SlotImage& image) {
         image.fields.kind = SlotKind::kName;
         image.fields.skip = image.fields.before = 0;
       }},
  };
  ObjectId good = PutBlob("good");
  uint64_t count = 0;
  for (const Case& one : cases) {
    SCOPED_TRACE(count);
    ObjectId bad = PutBlob("bad", BlobKind::kBytes);
    Damage(SlotOf(bad), one.damage);
    ExpectQuarantined(++count, one.why);
    EXPECT_FALSE(Exists(bad));
    EXPECT_TRUE(Exists(good));
  }
}

TEST_F(DamageTest, ExtentThatOverlapsAnotherIsQuarantined) {
  ObjectId a = PutBlob(std::string(640, 'a')), b = PutBlob(std::string(640, 'b'));
  uint32_t slot_a = SlotOf(a), slot_b = SlotOf(b);
  uint64_t location = 0;
  Damage(slot_a, [&](SlotImage& image) { location = image.fields.location; });
  Damage(slot_b, [&](SlotImage& image) { image.fields.location = location + 9; });
  ExpectQuarantined(1, "overlaps another's");
  EXPECT_NE(Exists(a), Exists(b)) << "one of them is right";
}

TEST_F(DamageTest, ARecordWhereClientsWriteIsQuarantined) {
  FakeClient client(store_.get(), 4);
  auto lease = Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 100'000); });
  ASSERT_TRUE(lease.ok());
  ASSERT_TRUE(store_->DropLease({4, 2}, lease->id).ok());
  ObjectId bad = PutObject("t", {});
  Damage(SlotOf(bad), [&](SlotImage& image) { image.fields.location = lease->value; });
  ExpectQuarantined(1, "its extent is not in a segment for it");
}

// One flipped bit anywhere in a record.
TEST_F(DamageTest, ARecordThatDoesNotHaveItsChecksumIsQuarantined) {
  ObjectId object = PutObject("t", {}), deleted = PutObject("t", {}), named = PutBlob("named");
  ObjectId parent = PutObject("t", {object});
  ASSERT_TRUE(store_->PutName({}, "n", named, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->SetLabels({}, named, {{"k", "v"}}).ok());
  uint32_t deleted_slot = SlotOf(deleted);
  store_->Hold(deleted_slot);
  ASSERT_TRUE(store_->Delete({}, {deleted}, false, false).ok());
  // What is deleted and held is freed by the next daemon, so its turn comes first.
  uint32_t slots[] = {deleted_slot, SlotOf(object), store_->FindName("n")->slot,
                      store_->FindLabels(named)->slot};
  uint64_t count = 0;
  for (uint32_t slot : slots) {
    SCOPED_TRACE(count);
    shm::SlotFields fields = Read(slot).fields;
    FlipBit(fields.location, fields.skip + fields.size / 2);
    ExpectQuarantined(++count, "its record does not have its checksum");
  }
  EXPECT_FALSE(Exists(object));
  EXPECT_FALSE(store_->FindName("n").ok());
  EXPECT_FALSE(store_->FindLabels(named).ok());
  EXPECT_TRUE(Exists(named));
  EXPECT_TRUE(Exists(parent));
}

// Reading every payload would make a start slow: an audit from outside looks at them.
TEST_F(DamageTest, APayloadIsNotLookedAt) {
  ObjectId blob = PutBlob("payload");
  shm::SlotFields fields = Read(SlotOf(blob)).fields;
  FlipBit(fields.location, fields.skip);
  ASSERT_TRUE(Adopt().ok());
  EXPECT_TRUE(Exists(blob));
  EXPECT_EQ(log_, "");
}

// Somebody may have it pinned, and go on reading.
TEST_F(DamageTest, MemoryOfWhatIsQuarantinedIsNotGivenOut) {
  ObjectId bad = PutBlob(std::string(6400, 'x'));
  uint64_t first = 0;
  Damage(
      SlotOf(bad),
      [&](SlotImage& image) {
        first = image.fields.location;
        image.fields.id ^= 1;
      },
      /*seal=*/false);
  for (int daemons = 0; daemons < 2; ++daemons) {
    ASSERT_TRUE(Adopt().ok());
    EXPECT_EQ(Used(), 6400u);
    while (store_->Stats().memory_allocated - Used() > kMiB / 2) {
      uint64_t at = Read(SlotOf(PutBlob(std::string(60'000, 'y')))).fields.location;
      ASSERT_TRUE(at + 60'000 / 64 < first || at >= first + 100);
    }
    ASSERT_TRUE(store_->Clear({}).ok());
    EXPECT_EQ(Used(), 6400u);
    EXPECT_EQ(store_->Trim(), 0u) << "its segment stays";
  }
}

TEST_F(DamageTest, OfTwoSlotsWithOneIdTheSecondIsQuarantined) {
  ObjectId a = PutBlob("a"), b = PutBlob("b"), object = PutObject("t", {});
  FakeClient client(store_.get(), 4);
  auto lease = Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 1000); });
  ASSERT_TRUE(lease.ok());
  uint32_t slot = SlotOf(b);
  ASSERT_TRUE(store_->Delete({}, {object}, false, false).ok());
  Damage(slot, [&](SlotImage& image) { image.fields.id = a; });
  ExpectQuarantined(1, "another slot has its id");
  EXPECT_TRUE(Exists(a));
  EXPECT_FALSE(Exists(b));
  EXPECT_EQ(store_->Stats().blobs, 1u);
  // A lease with the id of an object would be sealed beside it.
  uint32_t lease_slot = 0;
  while (Read(lease_slot).state() != SlotState::kCreated) ++lease_slot;
  Damage(lease_slot, [&](SlotImage& image) { image.fields.id = a; });
  ExpectQuarantined(2, "another slot has its id");
  EXPECT_EQ(store_->Stats().leases, 0u);
}

TEST_F(DamageTest, ThousandsOfSlotsWithOneIdAreNoWorkThatGrowsWithTheirSquare) {
  ObjectId first = PutBlob("x");
  TreeMaker many;
  std::vector<uint64_t> members;
  for (int i = 0; i < 60'000; ++i) members.push_back(many.Blob("x"));
  many.Object("t", members);
  Put(many);
  store_.reset();
  {
    auto table = shm::SlotTable::Open(state_.get());
    ASSERT_TRUE(table.ok());
    for (uint32_t slot = 0; slot < 60'000; ++slot) {
      SlotImage image = (*table)->Read(slot);
      if (image.fields.kind != SlotKind::kBuffer) continue;
      image.fields.id = first;
      image.Seal();
      shm::CommitLine line = image.Line(slot);
      std::memcpy((*table)->data() + line.offset, line.words, sizeof line.words);
    }
  }
  SetLogSink(nullptr);
  ASSERT_TRUE(Adopt().ok());
  EXPECT_GT(store_->Stats().quarantined, 59'000u);
  EXPECT_TRUE(Exists(first));
}

TEST_F(DamageTest, TwoSlotsOfOneNameOrOfTheLabelsOfOneObject) {
  ObjectId a = PutBlob("a"), b = PutBlob("b");
  for (ObjectId id : {a, b}) {
    ASSERT_TRUE(store_->PutName({}, "n", id, /*replace=*/true, UINT64_MAX).ok());
    ASSERT_TRUE(store_->SetLabels({}, id, {{"k", "v"}}).ok());
    uint32_t name = store_->FindName("n")->slot, labels = store_->FindLabels(id)->slot;
    if (id == a) {
      // The next ones take other slots and memory, and this name comes back to life.
      store_->Hold(name);
      continue;
    }
    uint32_t old = 0;
    while (Read(old).fields.kind != SlotKind::kName || old == name) ++old;
    Damage(old, [](SlotImage& image) { image.word ^= 1; });  // DELETING ^ 1 is SEALED
    ASSERT_EQ(Read(old).state(), SlotState::kSealed);
    Damage(labels, [&](SlotImage& image) { image.fields.id = a; });
  }
  ASSERT_TRUE(Adopt().ok());
  EXPECT_EQ(store_->Stats().quarantined, 2u);
  EXPECT_THAT(log_, HasSubstr("another slot has its name"));
  EXPECT_THAT(log_, HasSubstr("another slot has its labels"));
  EXPECT_TRUE(store_->FindName("n").ok());
  EXPECT_TRUE(store_->FindLabels(a).ok());
}

TEST_F(DamageTest, ATypeNumberThatNoTableHasIsReadFromTheRecord) {
  ObjectId id = PutObject("vineyard::List", {});
  for (uint16_t type : {uint16_t{12}, uint16_t{63}, uint16_t{64}, uint16_t{65535}}) {
    Damage(SlotOf(id), [&](SlotImage& image) { image.fields.type = type; });
    ASSERT_TRUE(Adopt().ok());
    auto page = store_->List("vineyard::List", "", 10);
    ASSERT_TRUE(page.ok());
    EXPECT_THAT(page->ids(), ::testing::ElementsAre(id));
  }
  EXPECT_TRUE(store_->Delete({}, {id}, false, false).ok());
}

// ---- links ----

TEST_F(DamageTest, LinksThatWereTooFewAreCountedAgainOnceItShows) {
  ObjectId leaf = PutBlob("leaf");
  ObjectId first = PutObject("t", {leaf, leaf}), second = PutObject("t", {leaf});
  Damage(SlotOf(leaf), [](SlotImage& image) { image.fields.links = 1; });
  Start();  // nothing shows
  ASSERT_TRUE(store_->Delete({}, {first}, false, /*deep=*/false).ok());
  store_->Tick(0);
  EXPECT_THAT(log_, HasSubstr("counted again"));
  store_->CheckInvariants();
  EXPECT_EQ(store_->Delete({}, {leaf}, false, false).status().code(), Code::kInUse);
  ASSERT_TRUE(store_->Delete({}, {second}, false, /*deep=*/true).ok());
  EXPECT_EQ(Used(), 0u);
}

TEST_F(DamageTest, ALeafThatWentTooEarlyStaysWhileItIsPinnedAndLinked) {
  FakeClient client(store_.get(), 4);
  ObjectId leaf = PutBlob("leaf");
  uint32_t slot = SlotOf(leaf);
  ObjectId root = PutObject("t", {leaf});
  Damage(slot, [](SlotImage& image) { image.fields.links = 0; });
  Start();
  client.Reconnect(store_.get());
  client.Pin(slot);
  ASSERT_TRUE(store_->Delete({}, {leaf}, false, false).ok())
      << "it looks as if nobody linked to it";
  ASSERT_TRUE(store_->Repair().ok());
  store_->CheckInvariants();
  EXPECT_TRUE(Exists(leaf));
  client.Unpin(slot);
  ASSERT_TRUE(store_->Delete({}, {root}, false, /*deep=*/false).ok());
  EXPECT_EQ(Used(), 0u) << "and goes with its last link";
}

TEST_F(DamageTest, ClearTakesWhatHasLinksTooMany) {
  ObjectId leaf = PutBlob("leaf");
  PutObject("t", {leaf});
  for (uint32_t wrong : {2u, UINT32_MAX}) {
    SCOPED_TRACE(wrong);
    Damage(SlotOf(leaf), [&](SlotImage& image) { image.fields.links = wrong; });
    Start();
    ASSERT_TRUE(store_->Clear({}).ok());
    EXPECT_EQ(Used(), 0u);
    leaf = PutBlob("leaf");
    PutObject("t", {leaf});
  }
}

TEST_F(DamageTest, LinksWhereNoneCanBeAreSeenAtOnce) {
  ObjectId blob = PutBlob("x");
  ASSERT_TRUE(store_->PutName({}, "n", blob, false, UINT64_MAX).ok());
  FakeClient client(store_.get(), 4);
  ASSERT_TRUE(Retry([&] { return store_->Lease({4, 1}, BlobKind::kBuffer, 1000); }).ok());
  uint32_t lease = 0;
  while (Read(lease).state() != SlotState::kCreated) ++lease;
  for (uint32_t slot : {store_->FindName("n")->slot, lease}) {
    log_.clear();
    Damage(slot, [](SlotImage& image) { image.fields.links = 5; });
    ASSERT_TRUE(Adopt().ok());
    EXPECT_THAT(log_, HasSubstr("counted again"));
    EXPECT_EQ(Read(slot).fields.links, 0u);
  }
}

TEST_F(DamageTest, WhatAQuarantinedParentHeldIsLetGo) {
  ObjectId leaf = PutBlob("leaf");
  ObjectId root = PutObject("t", {leaf});
  ASSERT_TRUE(store_->PutName({}, "n", root, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->SetLabels({}, root, {{"k", "v"}}).ok());
  Damage(
      SlotOf(root), [](SlotImage& image) { image.fields.size ^= 64; }, /*seal=*/false);
  ExpectQuarantined(1, "header");
  EXPECT_FALSE(store_->FindName("n").ok()) << "the name of nothing";
  EXPECT_EQ(store_->Stats().names, 0u);
  EXPECT_TRUE(Exists(leaf));
  EXPECT_TRUE(store_->Delete({}, {leaf}, false, false).ok()) << "nobody links to it";
}

TEST_F(DamageTest, AnObjectWithTheRecordOfAnotherIsQuarantinedWhenItIsRead) {
  ObjectId leaf = PutBlob("leaf");
  ObjectId a = PutObject("t", {leaf}), b = PutObject("t", {leaf});
  uint64_t location = 0;
  Damage(SlotOf(b), [&](SlotImage& image) {
    location = image.fields.location;
    image.word = shm::MakeWord(9, SlotState::kEmpty);
  });
  Start();
  Damage(SlotOf(a), [&](SlotImage& image) {
    image.fields.location = location;
    image.fields.payload_checksum = 0;
  });
  Start();
  ASSERT_TRUE(store_->Repair().ok());
  EXPECT_THAT(log_, HasSubstr("its record is another's"));
  EXPECT_FALSE(Exists(a));
  store_->CheckInvariants();
  EXPECT_TRUE(store_->Delete({}, {leaf}, false, false).ok());
}

// ---- the state file ----

TEST_F(DamageTest, CountersThatAreBehindDoNotMakeAnIdTwice) {
  ObjectId last = PutBlob("x");
  for (uint64_t wrong : {uint64_t{0}, uint64_t{1}, kMaxCounter + 2, UINT64_MAX}) {
    SCOPED_TRACE(wrong);
    store_.reset();
    state_->header().counters.next_id = wrong;
    ASSERT_TRUE(Adopt().ok());
    ObjectId next = PutBlob("x");
    EXPECT_GT(next, last);
    last = next;
  }
}

TEST_F(DamageTest, NumbersOfSegmentsAreNotUsedTwice) {
  PutBlob("x");
  for (uint64_t wrong : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, UINT64_MAX}) {
    SCOPED_TRACE(wrong);
    store_.reset();
    state_->header().counters.next_segment = wrong;
    ASSERT_TRUE(Adopt().ok());
    FakeClient client(store_.get(), 4);
    auto before = store_->Stats().segments;
    auto lease = Retry([&] { return store_->Lease({4, 0}, BlobKind::kBuffer, 3 * kMiB); });
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(store_->Stats().segments, before + 1);
    client.Die();
    store_->EndSession(4);
    EXPECT_GT(store_->Trim(), 0u);
  }
}

TEST_F(DamageTest, ASegmentThatIsNotWhatItShouldBeIsLeftOutWithItsObjects) {
  ObjectId bad = PutBlob("x");
  const std::function<void(shm::DescriptorEntry&)> damages[] = {
      [](shm::DescriptorEntry& entry) { entry.number = 0; },
      [](shm::DescriptorEntry& entry) { entry.number = uint64_t{1} << 32 | 1; },
      [](shm::DescriptorEntry& entry) { entry.size += shm::kPageSize; },
      [](shm::DescriptorEntry& entry) { entry.fd = 1 << 20; },
      // Of clients: then no record may be in it.
      [](shm::DescriptorEntry& entry) { entry.flags = 1; },
  };
  const shm::DescriptorEntry& entry = Entry(shm::Role::kSegment);
  uint64_t number = entry.number, size = entry.size;
  int fd = entry.fd;
  for (const auto& damage : damages) {
    SCOPED_TRACE(&damage - damages);
    ObjectId object = PutObject("t", {});
    uint32_t slot = SlotOf(object);
    store_.reset();
    damage(Entry(shm::Role::kSegment));  // the file is mapped anew by each daemon
    ASSERT_TRUE(Adopt().ok());
    EXPECT_FALSE(Exists(object));
    EXPECT_TRUE(fcntl(fd, F_GETFD) >= 0) << "its descriptor is nobody's to close";
    EXPECT_EQ(Read(slot).state(), SlotState::kQuarantine);
    // For the next round as it was.
    shm::DescriptorEntry& whole = Entry(shm::Role::kSegment);
    whole.number = number;
    whole.size = size;
    whole.fd = fd;
    whole.flags = 0;
    ASSERT_TRUE(Adopt().ok());
    Grow();
  }
  EXPECT_FALSE(Exists(bad));
}

TEST_F(DamageTest, WithoutIndexOrDirectoryNoneIsMadeBesideThoseOfReaders) {
  PutBlob("x");
  for (shm::Role role : {shm::Role::kIndex, shm::Role::kDirectory}) {
    store_.reset();
    shm::DescriptorEntry& entry = Entry(role);
    entry.role = 0;
    auto opened = Store::Open(state_.get(), options_);
    EXPECT_EQ(opened.status().code(), Code::kCorrupt);
    entry.role = static_cast<uint32_t>(role);
    Start();
  }
}

TEST_F(DamageTest, ASessionIsForgottenWhenItsCellOrItsTableIsDamaged) {
  FakeClient good(store_.get(), 4), twice(store_.get(), 5), other_file(store_.get(), 6);
  store_.reset();
  shm::SessionCell* cell = &state_->session(0);
  while (cell->id != 5) ++cell;
  cell->id = 4;
  int fd = -1;
  for (const auto& listed : state_->Descriptors()) {
    if (listed.role == shm::Role::kPins && listed.number == 6) fd = listed.fd;
  }
  auto* entry = &Entry(shm::Role::kState);
  while (entry->fd != fd) ++entry;
  entry->fd = open("/dev/null", O_RDONLY);
  ASSERT_TRUE(Adopt().ok());
  EXPECT_EQ(store_->Sessions(), std::vector<uint64_t>{4});
  EXPECT_TRUE(store_->SessionAlive(4));
  EXPECT_TRUE(fcntl(entry->fd, F_GETFD) >= 0) << "another's: not closed";
  good.Reconnect(store_.get());
  FakeClient next(store_.get(), 5);
  EXPECT_TRUE(store_->SessionAlive(5));
}

}  // namespace
}  // namespace vineyard::store

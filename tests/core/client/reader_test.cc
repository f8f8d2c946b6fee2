#include "core/client/reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/object/record.h"
#include "tests/core/client/fake_memory.h"

namespace vineyard::client {
namespace {

using shm::SlotKind;
using shm::SlotState;

constexpr uint64_t kId = (uint64_t{1} << 63) | 5;

class Reader : public ::testing::Test {
 protected:
  ~Reader() override { session_->Orphan(); }
  FakeMemory memory_;
  Session* session_ = OpenWhole(memory_);
  SlotContents slot_;
};

TEST_F(Reader, FindsASealedObjectAndPinsIt) {
  memory_.AddObject(3, kId, "bytes");
  memory_.superblock().coarse_clock.store(99);
  ASSERT_EQ(FindObject(session_, kId, &slot_), Found::kYes);
  EXPECT_EQ(slot_.slot, 3u);
  EXPECT_EQ(memory_.pins(3), 1u);
  EXPECT_EQ(session_->pin(3).last_used.load(), 99u);
  EXPECT_EQ(std::string_view(session_->At(slot_.location, slot_.skip(), slot_.size), slot_.size),
            "bytes");
  session_->Unpin(3);
  EXPECT_EQ(memory_.pins(3), 0u);
}

TEST_F(Reader, FindsBytesBeyondFourGibibytesOfASegment) {
  constexpr uint64_t kSize = 7 * kGiB, kOffset = 5 * kGiB + 64, kLength = kGiB + 64;
  // Sparse: two of its pages exist.
  Result<Fd> fd = shm::CreateMemory("large", kSize);
  ASSERT_TRUE(fd.ok()) << fd.status().ToString();
  ASSERT_EQ(pwrite(fd->get(), "first", 5, kOffset), 5);
  ASSERT_EQ(pwrite(fd->get(), "last", 4, kOffset + kLength - 4), 4);
  ASSERT_TRUE(shm::AddSeals(*fd, shm::Seals::kClientWritten).ok());
  ASSERT_TRUE(session_->AddSegment(2, *fd, kSize, /*writable=*/false).ok());
  memory_.AddObject(3, kId, "");
  memory_.slot(3).fields[1].store(shm::MakeLocation(2, kOffset));
  memory_.slot(3).fields[2].store(kLength);
  ASSERT_EQ(FindObject(session_, kId, &slot_), Found::kYes);
  EXPECT_EQ(slot_.size, kLength);
  const char* bytes = session_->At(slot_.location, slot_.skip(), slot_.size);
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(std::string_view(bytes, 5), "first");
  EXPECT_EQ(std::string_view(bytes + kLength - 4, 4), "last");
  EXPECT_EQ(session_->At(slot_.location, 0, kSize - kOffset + 1), nullptr);
  session_->Unpin(3);
}

TEST_F(Reader, FindsABlobOfMoreThanFourGibibytes) {
  constexpr uint64_t kSize = 5 * kGiB, kLength = kSize - 64;
  Result<Fd> fd = shm::CreateMemory("large", kSize);
  ASSERT_TRUE(fd.ok()) << fd.status().ToString();
  ASSERT_EQ(pwrite(fd->get(), "beyond", 6, 64 + (uint64_t{1} << 32)), 6);
  ASSERT_TRUE(shm::AddSeals(*fd, shm::Seals::kClientWritten).ok());
  ASSERT_TRUE(session_->AddSegment(2, *fd, kSize, /*writable=*/false).ok());
  memory_.AddObject(3, kId, "");
  memory_.slot(3).fields[1].store(shm::MakeLocation(2, 64));
  memory_.slot(3).fields[2].store(kLength);
  ASSERT_EQ(FindObject(session_, kId, &slot_), Found::kYes);
  const char* bytes = session_->At(slot_.location, slot_.skip(), slot_.size);
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(std::string_view(bytes + (uint64_t{1} << 32), 6), "beyond");
  session_->Unpin(3);
}

TEST_F(Reader, MissesWhatIsNotThere) { EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss); }

TEST_F(Reader, FindsOnlySealedObjects) {
  memory_.AddObject(3, kId, "bytes");
  for (SlotState state : {SlotState::kEmpty, SlotState::kCreated, SlotState::kDeleting,
                          SlotState::kEvicting, SlotState::kSpilled, SlotState::kQuarantine}) {
    memory_.slot(3).word.store(shm::MakeWord(1, state));
    EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
    EXPECT_EQ(memory_.pins(3), 0u);
  }
}

TEST_F(Reader, PassesASlotOfTheSameHashButAnotherId) {
  // A stale cell: the slot serves another object by now.
  memory_.SetSlot(3, kId + 1, SlotKind::kBuffer, "other");
  memory_.AddCell(shm::HashObject(kId), 3);
  memory_.AddObject(4, kId, "mine");
  ASSERT_EQ(FindObject(session_, kId, &slot_), Found::kYes);
  EXPECT_EQ(slot_.slot, 4u);
  EXPECT_EQ(memory_.pins(3), 0u);
  session_->Unpin(4);
}

TEST_F(Reader, LabelsOfAnObjectAreNotTheObject) {
  memory_.SetSlot(3, kId, SlotKind::kLabels, "labels");
  memory_.AddCell(shm::HashObject(kId), 3);
  EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
  EXPECT_EQ(memory_.pins(3), 0u);
}

TEST_F(Reader, IgnoresCellsBeyondTheCapacity) {
  memory_.AddCell(shm::HashObject(kId), static_cast<uint32_t>(FakeMemory::kSlots));
  EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
}

TEST_F(Reader, EndsInATableWithoutAnEmptyCell) {
  for (int i = 0; i < 1 << FakeMemory::kLog2Cells; ++i) {
    memory_.AddCell(shm::HashObject(kId), 3);
  }
  EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
}

TEST_F(Reader, RefusesATableThatLiesOutsideOfTheDirectory) {
  memory_.UseTable(shm::kMaxDirectoryFile, 4);
  EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
  memory_.UseTable(shm::kPageSize, 60);
  EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
  memory_.UseTable(0, 4);
  EXPECT_EQ(FindObject(session_, kId, &slot_), Found::kMiss);
}

TEST_F(Reader, ADirectoryThatWasReplacedIsReadAgain) {
  memory_.AddObject(3, kId, "bytes");
  // The first table is empty; the second, published while we look, is the one with the object.
  memory_.UseTable(2 * shm::kPageSize, FakeMemory::kLog2Cells);
  int looks = 0;
  Found found = ProbeTables(*session_, shm::HashObject(kId), [&](uint64_t) {
    ++looks;
    return Found::kYes;
  });
  EXPECT_EQ(found, Found::kMiss);
  memory_.UseTable(shm::kPageSize, FakeMemory::kLog2Cells);
  found = ProbeTables(*session_, shm::HashObject(kId), [&](uint64_t) {
    memory_.UseTable(2 * shm::kPageSize, FakeMemory::kLog2Cells);
    ++looks;
    return Found::kMiss;
  });
  EXPECT_EQ(found, Found::kMiss);
  EXPECT_EQ(looks, 1);
}

TEST_F(Reader, SaysWhichPieceOfThePinTableItNeeds) {
  FakeMemory memory;
  memory.AddObject(3, kId, "bytes");
  Session* session = *OpenSession(memory);
  ASSERT_EQ(FindObject(session, kId, &slot_), Found::kNotGranted);
  EXPECT_EQ(slot_.slot, 3u);
  EXPECT_EQ(memory.pins(3), 0u);
  session->Orphan();
}

TEST_F(Reader, ASlotWhoseWordChangesIsNotPinned) {
  memory_.AddObject(3, kId, "bytes");
  Found found = PinSlot(session_, 3, shm::MakeWord(9, SlotState::kSealed), &slot_,
                        [](const SlotContents&) { return Found::kYes; });
  EXPECT_EQ(found, Found::kMiss);
  EXPECT_EQ(memory_.pins(3), 0u);
}

TEST_F(Reader, TellsNamesOfOneHashApart) {
  uint64_t hash = shm::HashName("mine", 4);
  memory_.SetSlot(3, hash, SlotKind::kName, EncodeName({"other", 11, 1}));
  memory_.AddCell(shm::HashNameKey(hash), 3);
  memory_.SetSlot(4, hash, SlotKind::kName, EncodeName({"mine", 12, 1}));
  memory_.AddCell(shm::HashNameKey(hash), 4);
  ASSERT_EQ(FindName(session_, "mine", &slot_), Found::kYes);
  EXPECT_EQ(slot_.slot, 4u);
  EXPECT_EQ(memory_.pins(3), 0u);
  session_->Unpin(4);
}

TEST_F(Reader, AsksForTheSegmentOfANamesRecord) {
  uint64_t hash = shm::HashName("mine", 4);
  memory_.SetSlot(3, hash, SlotKind::kName, EncodeName({"mine", 12, 1}));
  memory_.slot(3).fields[1].store(shm::MakeLocation(2, 64));
  memory_.AddCell(shm::HashNameKey(hash), 3);
  ASSERT_EQ(FindName(session_, "mine", &slot_), Found::kUnmapped);
  EXPECT_EQ(shm::SegmentOf(slot_.location), 2u);
  EXPECT_EQ(memory_.pins(3), 0u);
}

TEST_F(Reader, LabelsAreFoundUnderTheirObject) {
  memory_.SetSlot(3, kId, SlotKind::kLabels, EncodeLabels({{"a", "b"}}));
  memory_.AddCell(shm::HashLabels(kId), 3);
  ASSERT_EQ(FindLabels(session_, kId, &slot_), Found::kYes);
  session_->Unpin(3);
}

TEST_F(Reader, AMemberIsFoundWhileItIsEvictedOrDeleted) {
  memory_.AddObject(3, kId, "bytes");
  for (SlotState state : {SlotState::kSealed, SlotState::kEvicting, SlotState::kDeleting}) {
    memory_.slot(3).word.store(shm::MakeWord(1, state));
    EXPECT_EQ(FindHeld(*session_, kId, &slot_), Found::kYes);
    EXPECT_EQ(memory_.pins(3), 0u);
  }
  memory_.slot(3).word.store(shm::MakeWord(1, SlotState::kEmpty));
  EXPECT_EQ(FindHeld(*session_, kId, &slot_), Found::kMiss);
}

}  // namespace
}  // namespace vineyard::client

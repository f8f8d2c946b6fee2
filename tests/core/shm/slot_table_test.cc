#include "core/shm/slot_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "state_fixture.h"

namespace vineyard::shm {
namespace {

class SlotTableTest : public WithState {
 protected:
  SlotTableTest() : table_(std::move(SlotTable::Open(state_.get())).value()) {}
  Status Reopen() {
    table_.reset();
    RETURN_IF_ERROR(Restart());
    auto opened = SlotTable::Open(state_.get());
    if (!opened.ok()) return opened.status();
    table_ = std::move(opened).value();
    return OkStatus();
  }
  std::unique_ptr<SlotTable> table_;
};

SlotImage Image(uint64_t id, uint64_t generation) {
  SlotImage image;
  image.word = MakeWord(generation, SlotState::kSealed);
  image.fields.id = id;
  image.fields.size = 28;
  image.fields.location = MakeLocation(3, 640);
  image.fields.skip = 51;
  image.fields.before = 13;
  image.fields.kind = SlotKind::kBytes;
  image.fields.type = 1;
  image.fields.owner = 99;
  image.fields.links = 4;
  image.Seal();
  return image;
}

TEST_F(SlotTableTest, NewOneIsEmptyAndSaysWhoseItIs) {
  EXPECT_EQ(table_->capacity(), kSlotStep);
  EXPECT_EQ(table_->superblock().instance, state_->header().instance);
  EXPECT_EQ(table_->superblock().cluster[1], state_->header().cluster[1]);
  EXPECT_EQ(table_->superblock().header.kind, FileKind::kIndex);
  for (uint32_t slot = 0; slot < kSlotStep; ++slot) ASSERT_EQ(table_->word(slot), 0u);
}

TEST_F(SlotTableTest, FileHasExactlyTheSizeOfItsSlots) {
  EXPECT_EQ(*FileSize(table_->fd()), table_->file_size());
  ASSERT_TRUE(table_->Grow().ok());
  EXPECT_EQ(table_->capacity(), 2 * kSlotStep);
  EXPECT_EQ(*FileSize(table_->fd()), table_->file_size());
}

TEST_F(SlotTableTest, NewSlotsAreAllocatedBeforeTheyArePublished) {
  ASSERT_TRUE(table_->Grow().ok());
  struct stat info;
  ASSERT_EQ(fstat(table_->fd().get(), &info), 0);
  EXPECT_GE(static_cast<uint64_t>(info.st_blocks) * 512, table_->file_size());
}

TEST_F(SlotTableTest, CommittedSlotReadsAsItWasWritten) {
  SlotImage image = Image(5, 7);
  state_->Apply({image.Line(9)}, table_->data());
  SlotImage read = table_->Read(9);
  EXPECT_EQ(read.word, image.word);
  EXPECT_EQ(std::memcmp(&read.fields, &image.fields, sizeof image.fields), 0);
  EXPECT_EQ(table_->word(8), 0u);
  EXPECT_EQ(table_->word(10), 0u);
}

TEST_F(SlotTableTest, LastSlotCanBeCommittedAfterGrowth) {
  ASSERT_TRUE(table_->Grow().ok());
  uint32_t last = static_cast<uint32_t>(table_->capacity() - 1);
  state_->Apply({Image(5, 7).Line(last)}, table_->data());
  EXPECT_EQ(table_->Read(last).fields.id, 5u);
}

TEST_F(SlotTableTest, StoredWordLeavesTheFieldsAlone) {
  state_->Apply({Image(5, 7).Line(9)}, table_->data());
  table_->StoreWord(9, MakeWord(7, SlotState::kEvicting));
  EXPECT_EQ(table_->Read(9).state(), SlotState::kEvicting);
  EXPECT_EQ(table_->Read(9).fields.id, 5u);
}

TEST_F(SlotTableTest, SurvivesWithSizeAndContent) {
  ASSERT_TRUE(table_->Grow().ok());
  state_->Apply({Image(5, 7).Line(kSlotStep)}, table_->data());
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(table_->capacity(), 2 * kSlotStep);
  EXPECT_EQ(table_->Read(kSlotStep).fields.id, 5u);
  ASSERT_TRUE(table_->Grow().ok());
  EXPECT_EQ(*FileSize(table_->fd()), table_->file_size());
}

TEST_F(SlotTableTest, GrowthThatDiedBeforeItWasPublishedIsDoneAgain) {
  ASSERT_TRUE(Resize(table_->fd(), table_->file_size() + kSlotStep * sizeof(Slot)).ok());
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(table_->capacity(), kSlotStep);
  ASSERT_TRUE(table_->Grow().ok());
  EXPECT_EQ(table_->capacity(), 2 * kSlotStep);
  EXPECT_EQ(*FileSize(table_->fd()), table_->file_size());
}

TEST_F(SlotTableTest, FullOneIsALimit) {
  table_->superblock().capacity = kMaxSlots;
  EXPECT_EQ(table_->Grow().code(), Code::kLimit);
}

TEST_F(SlotTableTest, ThatNamesMoreSlotsThanItHasIsCorrupt) {
  uint64_t capacity = table_->capacity();
  for (uint64_t wrong : {capacity + 1, kMaxSlots + 1, UINT64_MAX}) {
    table_->superblock().capacity = wrong;
    EXPECT_EQ(SlotTable::Open(state_.get()).status().code(), Code::kCorrupt) << wrong;
  }
  table_->superblock().capacity = capacity;
  EXPECT_TRUE(SlotTable::Open(state_.get()).ok());
}

TEST_F(SlotTableTest, ThatNamesLessSlotsThanItHasIsCorrupt) {
  ASSERT_TRUE(table_->Grow().ok());
  ASSERT_TRUE(table_->Grow().ok());
  for (uint64_t wrong : {uint64_t{0}, kSlotStep, 3 * kSlotStep - 1}) {
    table_->superblock().capacity = wrong;
    EXPECT_EQ(SlotTable::Open(state_.get()).status().code(), Code::kCorrupt) << wrong;
  }
  // As far as a growth that died before it was published; but then nothing is there yet.
  table_->superblock().capacity = 2 * kSlotStep;
  EXPECT_TRUE(SlotTable::Open(state_.get()).ok());
  state_->Apply({Image(5, 7).Line(3 * kSlotStep - 1)}, table_->data());
  EXPECT_EQ(SlotTable::Open(state_.get()).status().code(), Code::kCorrupt);
}

TEST_F(SlotTableTest, WithoutSlotsIsCorrupt) {
  table_->superblock().capacity = 0;
  EXPECT_EQ(SlotTable::Open(state_.get()).status().code(), Code::kCorrupt);
}

TEST_F(SlotTableTest, OfAnotherInstanceIsCorrupt) {
  table_->superblock().header.instance ^= 1;
  EXPECT_EQ(SlotTable::Open(state_.get()).status().code(), Code::kCorrupt);
}

TEST_F(SlotTableTest, OfAnotherVersionIsRefusedAndStaysOpen) {
  table_->superblock().header.layout_version = 2;
  EXPECT_EQ(SlotTable::Open(state_.get()).status().code(), Code::kVersion);
  EXPECT_TRUE(FileSize(table_->fd()).ok());
}

TEST_F(SlotTableTest, CanNotBeMadeSmaller) {
  EXPECT_EQ(Resize(table_->fd(), kPageSize).code(), Code::kPermission);
}

TEST(SlotImage, SealedHeaderIsGood) { EXPECT_TRUE(Image(5, 7).HeaderIsGood()); }

TEST(SlotImage, EveryByteThatStaysIsCovered) {
  // id, location, size, skip, before, kind, type and the two checksums.
  for (size_t at = 0; at < sizeof(SlotFields); ++at) {
    SlotImage image = Image(5, 7);
    reinterpret_cast<unsigned char*>(&image.fields)[at] ^= 1;
    bool changes_later = at == offsetof(SlotFields, flags) ||
                         (at >= offsetof(SlotFields, owner) && at < offsetof(SlotFields, type)) ||
                         at >= offsetof(SlotFields, payload_checksum);
    EXPECT_EQ(image.HeaderIsGood(), changes_later) << at;
  }
}

TEST(SlotImage, OfAnEmptySlotIsNotGood) { EXPECT_FALSE(SlotImage().HeaderIsGood()); }

}  // namespace
}  // namespace vineyard::shm

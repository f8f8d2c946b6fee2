#include "core/shm/layout.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>

namespace vineyard::shm {
namespace {

TEST(Layout, OffsetsAreThoseOfTheFormat) {
  EXPECT_EQ(offsetof(FileHeader, layout_version), 8u);
  EXPECT_EQ(offsetof(FileHeader, instance), 48u);
  EXPECT_EQ(offsetof(Slot, fields), 8u);
  EXPECT_EQ(offsetof(SlotFields, location), 8u);
  EXPECT_EQ(offsetof(SlotFields, size), 16u);
  EXPECT_EQ(offsetof(SlotFields, checksum), 24u);
  EXPECT_EQ(offsetof(SlotFields, kind), 30u);
  EXPECT_EQ(offsetof(SlotFields, owner), 32u);
  EXPECT_EQ(offsetof(SlotFields, links), 40u);
  EXPECT_EQ(offsetof(SlotFields, payload_checksum), 48u);
  EXPECT_EQ(offsetof(Superblock, capacity), 64u);
  EXPECT_EQ(offsetof(Superblock, epoch), 128u);
  EXPECT_EQ(offsetof(Superblock, coarse_clock), 192u);
}

TEST(Layout, WordHoldsGenerationAndState) {
  uint64_t most = (uint64_t{1} << 61) - 1;
  for (uint64_t generation : {uint64_t{0}, uint64_t{1}, most}) {
    uint64_t word = MakeWord(generation, SlotState::kQuarantine);
    EXPECT_EQ(GenerationOf(word), generation);
    EXPECT_EQ(StateOf(word), SlotState::kQuarantine);
  }
  EXPECT_EQ(MakeWord(0, SlotState::kEmpty), 0u);
}

TEST(Layout, LocationHoldsSegmentAndOffset) {
  uint64_t last = kMaxSegment - kPayloadAlignment;
  uint64_t location = MakeLocation(UINT32_MAX, last);
  EXPECT_EQ(SegmentOf(location), UINT32_MAX);
  EXPECT_EQ(OffsetOf(location), last);
  EXPECT_EQ(OffsetOf(MakeLocation(1, 64) + 1), 128u);
}

TEST(Layout, CellHoldsTagAndSlotAndIsNeverEmpty) {
  uint64_t cell = MakeCell(0, 0);
  EXPECT_NE(cell, 0u);
  EXPECT_EQ(SlotOf(cell), 0u);
  cell = MakeCell(UINT32_MAX, static_cast<uint32_t>(kMaxSlots - 1));
  EXPECT_EQ(TagOf(cell), UINT32_MAX);
  EXPECT_EQ(SlotOf(cell), kMaxSlots - 1);
}

TEST(Layout, DirectoryTableHoldsOffsetAndSize) {
  uint64_t offset = kMaxDirectoryFile - kMaxDirectoryCells * sizeof(Cell);
  uint64_t table = MakeDirectoryTable(offset, 27);
  EXPECT_EQ(DirectoryOffset(table), offset);
  EXPECT_EQ(DirectoryCells(table), kMaxDirectoryCells);
}

TEST(Layout, NamesOfEveryLengthHashApart) {
  std::set<uint64_t> hashes;
  std::string zeros(100, '\0');
  for (size_t size = 0; size <= zeros.size(); ++size) hashes.insert(HashName(zeros.data(), size));
  EXPECT_EQ(hashes.size(), zeros.size() + 1);
  EXPECT_EQ(hashes.count(0), 0u);
}

TEST(Layout, EveryByteOfANameCounts) {
  std::string name = "a name of thirty bytes and more";
  uint64_t hash = HashName(name.data(), name.size());
  for (size_t i = 0; i < name.size(); ++i) {
    std::string other = name;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_NE(HashName(other.data(), other.size()), hash) << i;
  }
}

TEST(Layout, HashOfANameIsPartOfTheFormat) {
  EXPECT_EQ(HashName(nullptr, 0), 0x7d6e4ac38b2b1be2u);
  EXPECT_EQ(HashName("name", 4), 0x4bf8712918538ed5u);
  EXPECT_EQ(HashName("a longer name", 13), 0xac78159a38c82053u);
}

TEST(Layout, OneIdAsObjectNameAndLabelsHasThreeKeys) {
  for (uint64_t id : {uint64_t{1}, uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_EQ((std::set<uint64_t>{HashObject(id), HashNameKey(id), HashLabels(id)}).size(), 3u);
  }
}

}  // namespace
}  // namespace vineyard::shm

#include "core/shm/directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/shm/slot_table.h"
#include "state_fixture.h"

namespace vineyard::shm {
namespace {

constexpr uint64_t kCells = 2 * kSlotStep;  // of the smallest table

class DirectoryTest : public WithState {
 protected:
  DirectoryTest()
      : slots_(std::move(SlotTable::Open(state_.get())).value()),
        directory_(std::move(Directory::Open(state_.get())).value()) {
    EXPECT_TRUE(directory_->BeginTable(0, superblock()).ok());
  }
  Superblock& superblock() { return slots_->superblock(); }

  void Insert(uint64_t hash, uint32_t slot) {
    hashes_[slot] = hash;
    directory_->Insert(hash, slot);
  }
  bool Erase(uint32_t slot) {
    return directory_->Erase(hashes_[slot], slot,
                             [&](uint32_t other) { return hashes_.at(other); });
  }
  bool Has(uint64_t hash, uint32_t slot) {
    uint32_t found = 0;
    return directory_->Find(
               hash, [&](uint32_t candidate) { return candidate == slot; }, &found) &&
           found == slot;
  }
  uint64_t allocated() {
    struct stat info;
    EXPECT_EQ(fstat(directory_->fd().get(), &info), 0);
    return static_cast<uint64_t>(info.st_blocks) * 512;
  }
  // What a reader finds: the published table, through a mapping of its own.
  std::set<uint32_t> Published() {
    uint64_t table = superblock().directory;
    auto mapping = Mapping::Map(directory_->fd(), directory_->file_size(), /*writable=*/false);
    EXPECT_TRUE(mapping.ok());
    const auto* cells = reinterpret_cast<const Cell*>(mapping->data() + DirectoryOffset(table));
    std::set<uint32_t> slots;
    for (uint64_t i = 0; i < DirectoryCells(table); ++i) {
      if (uint64_t cell = cells[i].load(); cell != 0) slots.insert(SlotOf(cell));
    }
    return slots;
  }

  std::unique_ptr<SlotTable> slots_;
  std::unique_ptr<Directory> directory_;
  std::unordered_map<uint32_t, uint64_t> hashes_;
};

TEST_F(DirectoryTest, FindsWhatWasInserted) {
  Insert(0x1234567800000005, 7);
  EXPECT_TRUE(Has(0x1234567800000005, 7));
  EXPECT_FALSE(Has(0x1234567800000005, 8));
  EXPECT_FALSE(Has(0x1234567900000005, 7));  // another tag
  EXPECT_FALSE(Has(0x1234567800000006, 7));  // another cell
  EXPECT_EQ(directory_->entries(), 1u);
}

TEST_F(DirectoryTest, EntriesOfOneHashAreTriedInTurn) {
  for (uint32_t slot : {3, 1, 2}) Insert(5, slot);
  std::vector<uint32_t> tried;
  uint32_t found = 0;
  EXPECT_FALSE(directory_->Find(
      5,
      [&](uint32_t slot) {
        tried.push_back(slot);
        return false;
      },
      &found));
  EXPECT_EQ(tried, (std::vector<uint32_t>{3, 1, 2}));
}

TEST_F(DirectoryTest, ErasedEntryIsGoneAndItsNeighboursStay) {
  for (uint32_t slot : {1, 2, 3}) Insert(5, slot);
  EXPECT_TRUE(Erase(2));
  EXPECT_TRUE(Has(5, 1));
  EXPECT_FALSE(Has(5, 2));
  EXPECT_TRUE(Has(5, 3));
  EXPECT_EQ(directory_->entries(), 2u);
  EXPECT_FALSE(Erase(2));
  EXPECT_EQ(directory_->entries(), 2u);
}

TEST_F(DirectoryTest, EraseMovesUpOnlyWhatItMay) {
  // Homes 5, 6, 5, 8: the third stands behind the second. Without the first, the third moves up to
  // its home and the one at 8 stays.
  Insert(5, 1);
  Insert(6, 2);
  Insert(5, 3);
  Insert(8, 4);
  EXPECT_TRUE(Erase(1));
  for (uint32_t slot : {2, 3, 4}) EXPECT_TRUE(Has(hashes_[slot], slot)) << slot;
  EXPECT_TRUE(Erase(2));
  for (uint32_t slot : {3, 4}) EXPECT_TRUE(Has(hashes_[slot], slot)) << slot;
}

TEST_F(DirectoryTest, ProbingWrapsAroundTheEnd) {
  for (uint32_t slot = 0; slot < 4; ++slot) Insert(kCells - 2, slot);
  Insert(0, 4);
  Insert(kCells - 1, 5);
  for (uint32_t slot = 0; slot < 6; ++slot) EXPECT_TRUE(Has(hashes_[slot], slot)) << slot;
  for (uint32_t gone = 0; gone < 6; ++gone) {
    EXPECT_TRUE(Erase(gone));
    for (uint32_t slot = gone + 1; slot < 6; ++slot) EXPECT_TRUE(Has(hashes_[slot], slot)) << slot;
  }
}

TEST_F(DirectoryTest, RandomStepsAgreeWithAMultimap) {
  for (uint64_t homes : {3, 40, 4000}) {  // the fewer, the more collisions
    std::mt19937_64 random(homes);
    std::unordered_multimap<uint64_t, uint32_t> model;
    ASSERT_TRUE(directory_->BeginTable(0, superblock()).ok());
    hashes_.clear();
    for (int step = 0; step < 20000; ++step) {
      uint32_t slot = static_cast<uint32_t>(random() % 300);
      auto known = hashes_.find(slot);
      if (known == hashes_.end()) {
        // Around the end of the table; few tags, so that they collide, too.
        uint64_t hash = (random() % 3) << 32 | (kCells - homes / 2 + random() % homes) % kCells;
        Insert(hash, slot);
        model.emplace(hash, slot);
      } else if (random() % 3 != 0) {
        uint64_t hash = known->second;
        ASSERT_TRUE(Erase(slot));
        auto [first, last] = model.equal_range(hash);
        while (first->second != slot) ASSERT_NE(++first, last);
        model.erase(first);
        hashes_.erase(slot);
        ASSERT_FALSE(Has(hash, slot));
      }
      ASSERT_EQ(directory_->entries(), model.size());
      if (step % 100 == 0) {
        for (auto [hash, present] : model) ASSERT_TRUE(Has(hash, present)) << step;
      }
    }
  }
}

TEST_F(DirectoryTest, IsNeverMoreThanHalfFull) {
  EXPECT_EQ(directory_->cells(), kCells);
  EXPECT_FALSE(directory_->NeedsGrowth(kCells / 2));
  EXPECT_TRUE(directory_->NeedsGrowth(kCells / 2 + 1));
  ASSERT_TRUE(directory_->BeginTable(kCells / 2 + 1, superblock()).ok());
  EXPECT_EQ(directory_->cells(), 2 * kCells);
  EXPECT_FALSE(directory_->NeedsGrowth(kCells / 2 + 1));
}

TEST_F(DirectoryTest, ReadersSeeATableOnceItIsPublished) {
  EXPECT_EQ(superblock().directory, 0u);
  Insert(5, 1);
  directory_->Publish(&superblock());
  EXPECT_EQ(Published(), (std::set<uint32_t>{1}));
  Insert(6, 2);
  EXPECT_EQ(Published(), (std::set<uint32_t>{1, 2}));
  // The next one is filled beside it.
  ASSERT_TRUE(directory_->BeginTable(kCells, superblock()).ok());
  Insert(7, 3);
  EXPECT_EQ(Published(), (std::set<uint32_t>{1, 2}));
  directory_->Publish(&superblock());
  EXPECT_EQ(Published(), (std::set<uint32_t>{3}));
}

TEST_F(DirectoryTest, OldTableGivesItsPagesBack) {
  directory_->Publish(&superblock());
  ASSERT_TRUE(directory_->BeginTable(kCells, superblock()).ok());
  directory_->Publish(&superblock());
  EXPECT_LE(allocated(), kPageSize + 2 * kCells * sizeof(Cell));
}

TEST_F(DirectoryTest, TablesNeverOverlapAndStayWithinThreeTimesTheLargest) {
  directory_->Publish(&superblock());
  std::mt19937 random(5);
  uint64_t largest = kCells;
  for (int i = 0; i < 60; ++i) {
    uint64_t old = superblock().directory;
    uint64_t cells = kCells << (random() % 4);  // larger, smaller or the same: restarts
    largest = std::max(largest, cells);
    ASSERT_TRUE(directory_->BeginTable(cells / 2, superblock()).ok());
    ASSERT_EQ(directory_->cells(), cells);
    directory_->Publish(&superblock());
    uint64_t table = superblock().directory;
    uint64_t start = DirectoryOffset(table), end = start + cells * sizeof(Cell);
    uint64_t old_start = DirectoryOffset(old);
    uint64_t old_end = old_start + DirectoryCells(old) * sizeof(Cell);
    ASSERT_TRUE(end <= old_start || old_end <= start);
    ASSERT_GE(start, kPageSize);
    ASSERT_LE(end, *FileSize(directory_->fd()));
    ASSERT_LE(directory_->file_size(), kPageSize + 3 * largest * sizeof(Cell));
  }
}

TEST_F(DirectoryTest, TableThatWasNotPublishedIsReplacedByTheNext) {
  directory_->Publish(&superblock());
  ASSERT_TRUE(directory_->BeginTable(kCells, superblock()).ok());
  Insert(5, 1);
  uint64_t size = directory_->file_size();
  ASSERT_TRUE(directory_->BeginTable(kCells, superblock()).ok());
  EXPECT_EQ(directory_->file_size(), size);
  EXPECT_EQ(directory_->entries(), 0u);
  EXPECT_FALSE(Has(5, 1));
}

TEST_F(DirectoryTest, LargerThanTheIndexIsALimit) {
  EXPECT_EQ(directory_->BeginTable(kMaxSlots + 1, superblock()).code(), Code::kLimit);
  EXPECT_EQ(directory_->cells(), kCells);
}

TEST_F(DirectoryTest, ThatIsAnothersOrNoneIsRefusedAndStaysOpen) {
  int fd = directory_->fd().get();
  directory_.reset();
  auto mapping = Mapping::Map(Fd(dup(fd)), kPageSize, /*writable=*/true);
  ASSERT_TRUE(mapping.ok());
  auto& header = *reinterpret_cast<FileHeader*>(mapping->data());
  const FileHeader good = header;
  auto refused = [&](Code code) {
    EXPECT_EQ(Directory::Open(state_.get()).status().code(), code);
    header = good;
  };
  header.magic[0] = 'v';
  refused(Code::kCorrupt);
  header.layout_version = 9;
  refused(Code::kVersion);
  header.kind = FileKind::kIndex;
  refused(Code::kCorrupt);
  header.instance ^= 1;
  refused(Code::kCorrupt);
  EXPECT_TRUE(Directory::Open(state_.get()).ok());
}

TEST_F(DirectoryTest, TableThatCanNotBeIsNoTable) {
  uint64_t size = directory_->file_size();
  const uint64_t wrong[] = {
      MakeDirectoryTable(0, 17),               // over the header
      MakeDirectoryTable(kPageSize, 18),       // longer than the file
      MakeDirectoryTable(2 * kPageSize, 17),   // ends behind it
      MakeDirectoryTable(kPageSize, 17) | 64,  // with a shift of 81
      UINT64_MAX,
      uint64_t{1} << 60 | 17,  // an offset that overflows
  };
  for (uint64_t table : wrong) {
    SCOPED_TRACE(table);
    superblock().directory = table;
    EXPECT_EQ(directory_->CellsInUse(superblock()), 0u);
    ASSERT_TRUE(directory_->BeginTable(0, superblock()).ok());
    hashes_.clear();
    Insert(5, 7);
    directory_->Publish(&superblock());
    EXPECT_EQ(Published(), std::set<uint32_t>{7}) << "and nothing of it was punched";
    EXPECT_EQ(directory_->file_size(), size);
  }
}

TEST_F(DirectoryTest, TableThatOverlapsAnotherIsNotPunched) {
  Insert(5, 7);
  directory_->Publish(&superblock());
  ASSERT_TRUE(directory_->BeginTable(kCells, superblock()).ok());  // twice as large, behind it
  hashes_.clear();
  for (uint32_t slot = 0; slot < 1000; ++slot) Insert(uint64_t{slot} << 20 | slot, slot);
  // A place that no table of this size has: the first page of the other.
  superblock().directory = MakeDirectoryTable(kPageSize + kCells * sizeof(Cell), 17);
  directory_->Publish(&superblock());
  EXPECT_EQ(Published().size(), 1000u);
}

TEST_F(DirectoryTest, WhatMeetsItsTagOnItsWayIsLeftToTheCaller) {
  Insert(0x12345678'00000005, 1);
  std::vector<Directory::Entry> twins;
  const Directory::Entry entries[] = {{0x12345678'00000005, 2},  // the same key
                                      {0x12345678'00000006, 3},  // the next cell, which is free
                                      {0x12345678'00000005, 4},
                                      {0x87654321'00000005, 5}};  // another tag: behind them
  directory_->InsertAll(entries, 4, &twins);
  ASSERT_EQ(twins.size(), 2u);
  EXPECT_EQ(twins[0].slot, 2u);
  EXPECT_EQ(twins[1].slot, 4u);
  EXPECT_EQ(directory_->entries(), 3u);
  EXPECT_TRUE(Has(0x12345678'00000006, 3));
  EXPECT_TRUE(Has(0x87654321'00000005, 5));
  EXPECT_FALSE(Has(0x12345678'00000005, 2));
}

TEST_F(DirectoryTest, SurvivesRestartsWithoutGrowing) {
  directory_->Publish(&superblock());
  for (int i = 0; i < 10; ++i) {
    directory_.reset();
    slots_.reset();
    ASSERT_TRUE(Restart().ok());
    slots_ = std::move(SlotTable::Open(state_.get())).value();
    auto opened = Directory::Open(state_.get());
    ASSERT_TRUE(opened.ok());
    directory_ = std::move(opened).value();
    ASSERT_TRUE(directory_->BeginTable(0, superblock()).ok());
    Insert(5, static_cast<uint32_t>(i));
    directory_->Publish(&superblock());
    EXPECT_EQ(Published(), (std::set<uint32_t>{static_cast<uint32_t>(i)}));
  }
  EXPECT_LE(directory_->file_size(), kPageSize + 2 * kCells * sizeof(Cell));
}

}  // namespace
}  // namespace vineyard::shm

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

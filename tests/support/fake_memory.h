// Shared memory as a daemon would lay it out, made by hand and edited by the test.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include "core/shm/file_header.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"

namespace vineyard::testing {

class FakeMemory {
 public:
  static constexpr uint64_t kInstance = 7, kSlots = 1024;
  static constexpr uint32_t kLog2Cells = 4;

  explicit FakeMemory(uint32_t log2_cells = kLog2Cells, uint64_t instance = kInstance)
      : instance_(instance) {
    index_fd = Make("index", shm::kSlotsOffset + kSlots * sizeof(shm::Slot), &index_);
    directory_fd = Make("directory", 4 * shm::kPageSize, &directory_);
    pins_fd = Make("pins", shm::kMaxPinFile, &pins_);
    segment_fd = Make("segment", kSegmentSize, &segment_);
    new (&superblock()) shm::Superblock{};
    superblock().header = shm::MakeFileHeader(shm::FileKind::kIndex, instance_);
    superblock().capacity.store(kSlots);
    new (directory_.data())
        shm::FileHeader(shm::MakeFileHeader(shm::FileKind::kDirectory, instance_));
    UseTable(shm::kPageSize, log2_cells);
  }

  uint64_t instance() const { return instance_; }
  shm::Superblock& superblock() { return *reinterpret_cast<shm::Superblock*>(index_.data()); }
  shm::Slot& slot(uint64_t i) {
    return reinterpret_cast<shm::Slot*>(index_.data() + shm::kSlotsOffset)[i];
  }
  shm::Cell* cells() {
    return reinterpret_cast<shm::Cell*>(directory_.data() +
                                        shm::DirectoryOffset(superblock().directory.load()));
  }
  uint32_t pins(uint64_t i) {
    return reinterpret_cast<shm::PinCell*>(pins_.data())[i].count.load();
  }
  char* segment() { return segment_.data(); }

  void UseTable(uint64_t offset, uint32_t log2_cells) {
    superblock().directory.store(shm::MakeDirectoryTable(offset, log2_cells));
  }
  void AddCell(uint64_t hash, uint32_t slot) {
    uint64_t mask = shm::DirectoryCells(superblock().directory.load()) - 1;
    uint64_t i = hash & mask;
    while (cells()[i].load() != 0) i = (i + 1) & mask;
    cells()[i].store(shm::MakeCell(static_cast<uint32_t>(hash >> 32), slot));
  }
  void SetSlot(uint32_t number, uint64_t id, shm::SlotKind kind, std::string_view bytes,
               uint64_t word = shm::MakeWord(1, shm::SlotState::kSealed)) {
    uint64_t offset = used_;
    used_ += (bytes.size() + 63) / 64 * 64;
    std::memcpy(segment() + offset, bytes.data(), bytes.size());
    shm::Slot& to = slot(number);
    to.fields[0].store(id);
    to.fields[1].store(shm::MakeLocation(1, offset));
    to.fields[2].store(bytes.size());
    to.fields[3].store(static_cast<uint64_t>(kind) << 48);
    to.word.store(word);
  }
  void AddObject(uint32_t number, uint64_t id, std::string_view bytes,
                 shm::SlotKind kind = shm::SlotKind::kBuffer) {
    SetSlot(number, id, kind, bytes);
    AddCell(shm::HashObject(id), number);
  }

  static constexpr uint64_t kSegmentSize = 1 << 16;
  Fd index_fd, directory_fd, pins_fd, segment_fd;

 private:
  static Fd Make(const char* name, uint64_t size, shm::Mapping* mapping) {
    Result<Fd> fd = shm::CreateMemory(name, size);
    EXPECT_TRUE(fd.ok()) << fd.status().ToString();
    Result<shm::Mapping> mapped = shm::Mapping::Map(*fd, size, /*writable=*/true);
    EXPECT_TRUE(mapped.ok()) << mapped.status().ToString();
    *mapping = std::move(mapped).value();
    EXPECT_TRUE(shm::AddSeals(*fd, shm::Seals::kClientWritten).ok());
    return std::move(fd).value();
  }

  const uint64_t instance_;
  shm::Mapping index_, directory_, pins_, segment_;
  uint64_t used_ = 64;
};

}  // namespace vineyard::testing

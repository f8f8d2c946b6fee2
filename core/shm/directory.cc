#include "core/shm/directory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/shm/file_header.h"

namespace vineyard::shm {

Result<std::unique_ptr<Directory>> Directory::Open(StateFile* state) {
  if (auto listed = state->Lookup(Role::kDirectory)) {
    Fd fd(listed->fd);
    auto mapping = Mapping::Map(fd, kMaxDirectoryFile, /*writable=*/true);
    if (!mapping.ok()) {
      (void)fd.Release();
      return mapping.status();
    }
    std::unique_ptr<Directory> directory(new Directory(std::move(fd), std::move(mapping).value()));
    ASSIGN_OR_RETURN(directory->file_size_, FileSize(directory->fd_));
    return directory;
  }
  ASSIGN_OR_RETURN(Fd fd, CreateMemory("vineyard.directory", kPageSize));
  RETURN_IF_ERROR(AllocateRange(fd, 0, kPageSize));
  ASSIGN_OR_RETURN(Mapping mapping, Mapping::Map(fd, kMaxDirectoryFile, /*writable=*/true));
  new (mapping.data()) FileHeader(MakeFileHeader(FileKind::kDirectory, state->header().instance));
  RETURN_IF_ERROR(AddSeals(fd, Seals::kDaemonOnly));
  std::unique_ptr<Directory> directory(new Directory(std::move(fd), std::move(mapping)));
  RETURN_IF_ERROR(state->List(Role::kDirectory, directory->fd_.get()));
  return directory;
}

Status Directory::BeginTable(uint64_t entries, const Superblock& superblock) {
  uint64_t in_use = superblock.directory.load(std::memory_order_relaxed);
  uint64_t cells = std::bit_ceil(std::max<uint64_t>(entries * 2, kSlotStep * 2));
  uint64_t bytes = cells * sizeof(Cell);
  if (cells > kMaxDirectoryCells) return Limit("the directory has reached its greatest size");
  // In front of the table in use when it fits there, else behind it.
  uint64_t offset = kPageSize;
  if (in_use != 0 && DirectoryOffset(in_use) < kPageSize + bytes) {
    offset = DirectoryOffset(in_use) + DirectoryCells(in_use) * sizeof(Cell);
  }
  if (offset + bytes > file_size_) {
    RETURN_IF_ERROR(Resize(fd_, offset + bytes));
    file_size_ = offset + bytes;
  }
  RETURN_IF_ERROR(AllocateMapped(fd_, mapping_.data(), offset, bytes));
  // A reader that still has the descriptor of an older table here reads zeros or cells of another
  // table: a miss, or a slot that does not match.
  table_ = reinterpret_cast<Cell*>(mapping_.data() + offset);
  for (uint64_t i = 0; i < cells; ++i) table_[i].store(0, std::memory_order_relaxed);
  mask_ = cells - 1;
  entries_ = 0;
  descriptor_ = MakeDirectoryTable(offset, static_cast<uint32_t>(std::countr_zero(cells)));
  return OkStatus();
}

void Directory::Publish(Superblock* superblock) {
  uint64_t old = superblock->directory.load(std::memory_order_relaxed);
  // release: a reader that sees the descriptor sees the cells.
  CrashPoint();
  superblock->directory.store(descriptor_, std::memory_order_release);
  CrashPoint();
  if (old != 0 && old != descriptor_) {
    PunchRange(fd_, DirectoryOffset(old), DirectoryCells(old) * sizeof(Cell));
  }
}

void Directory::InsertAll(const Entry* entries, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    __builtin_prefetch(&table_[entries[i].hash & mask_], /*for writing=*/1);
  }
  for (uint64_t i = 0; i < count; ++i) Insert(entries[i].hash, entries[i].slot);
}

void Directory::Insert(uint64_t hash, uint32_t slot) {
  CHECK(!NeedsGrowth(1));
  uint64_t i = hash & mask_;
  while (table_[i].load(std::memory_order_relaxed) != 0) i = (i + 1) & mask_;
  // release: who finds the cell sees the slot as it was sealed.
  table_[i].store(MakeCell(Tag(hash), slot), std::memory_order_release);
  CrashPoint();
  ++entries_;
}

}  // namespace vineyard::shm

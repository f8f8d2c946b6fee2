#include "core/shm/directory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/shm/file_header.h"

namespace vineyard::shm {

Result<std::unique_ptr<Directory>> Directory::Adopt(int fd, uint64_t instance) {
  // Whatever happens, its end leaves the descriptor open.
  std::unique_ptr<Directory> directory(new Directory(Fd(fd), Mapping()));
  ASSIGN_OR_RETURN(directory->file_size_, FileSize(directory->fd_));
  if (directory->file_size_ < kPageSize || directory->file_size_ > kMaxDirectoryFile) {
    return Corrupt("directory: its file has another size");
  }
  ASSIGN_OR_RETURN(directory->mapping_, Mapping::Map(directory->fd_, kMaxDirectoryFile, true));
  const auto& header = *reinterpret_cast<const FileHeader*>(directory->mapping_.data());
  RETURN_IF_ERROR(CheckFileHeader(header, FileKind::kDirectory, /*writer=*/true));
  if (header.instance != instance) return Corrupt("directory: it belongs to another instance");
  return directory;
}

Result<std::unique_ptr<Directory>> Directory::Open(StateFile* state) {
  if (auto listed = state->Lookup(Role::kDirectory)) {
    return Adopt(listed->fd, state->header().instance);
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
  uint64_t in_use = TableInUse(superblock);
  uint64_t cells = std::bit_ceil(std::max<uint64_t>(entries * 2, kSlotStep * 2));
  uint64_t bytes = cells * sizeof(Cell);
  if (cells > kMaxDirectoryCells) return Limit("the directory has reached its greatest size");
  // In front of the table in use when it fits there, else behind it.
  uint64_t offset = kPageSize;
  if (in_use != 0 && DirectoryOffset(in_use) < kPageSize + bytes) {
    offset = DirectoryOffset(in_use) + DirectoryCells(in_use) * sizeof(Cell);
    // Only behind a table that no daemon placed there: readers miss, and ask, until this one is filled.
    if (offset + bytes > kMaxDirectoryFile) offset = kPageSize;
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
  uint64_t old = TableInUse(*superblock);
  // release: a reader that sees the descriptor sees the cells.
  CrashPoint();
  superblock->directory.store(descriptor_, std::memory_order_release);
  CrashPoint();
  auto end = [](uint64_t table) {
    return DirectoryOffset(table) + DirectoryCells(table) * sizeof(Cell);
  };
  // A table that no daemon placed there may overlap this one.
  if (old != 0 &&
      (end(old) <= DirectoryOffset(descriptor_) || end(descriptor_) <= DirectoryOffset(old))) {
    PunchRange(fd_, DirectoryOffset(old), DirectoryCells(old) * sizeof(Cell));
  }
}

void Directory::InsertAll(const Entry* entries, uint64_t count, std::vector<Entry>* twins) {
  for (uint64_t i = 0; i < count; ++i) {
    __builtin_prefetch(&table_[entries[i].hash & mask_], /*for writing=*/1);
  }
  CHECK(!NeedsGrowth(count));
  for (const Entry* entry = entries; entry != entries + count; ++entry) {
    uint64_t i = entry->hash & mask_, cell = 0;
    uint32_t tag = Tag(entry->hash);
    while ((cell = table_[i].load(std::memory_order_relaxed)) != 0 && TagOf(cell) != tag) {
      i = (i + 1) & mask_;
    }
    if (cell != 0) [[unlikely]] {
      twins->push_back(*entry);
    } else {
      Put(i, *entry);
    }
  }
}

void Directory::Put(uint64_t at, const Entry& entry) {
  // release: who finds the cell sees the slot as it was sealed.
  table_[at].store(MakeCell(Tag(entry.hash), entry.slot), std::memory_order_release);
  CrashPoint();
  ++entries_;
}

void Directory::Insert(uint64_t hash, uint32_t slot) {
  CHECK(!NeedsGrowth(1));
  uint64_t i = hash & mask_;
  while (table_[i].load(std::memory_order_relaxed) != 0) i = (i + 1) & mask_;
  Put(i, {hash, slot});
}

}  // namespace vineyard::shm

// This file is the only place that writes the directory: the hash table from keys to slots that readers
// probe without asking anyone. It is derived from the slots, so it is no part of a commit; what a
// reader finds there is a hint that it checks against the slot. A stale or missing cell costs time (a
// question to the daemon), never correctness.
// Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"
#include "core/shm/state_file.h"

namespace vineyard::shm {

class Directory {
 public:
  // The file that `state` lists, or a new one, listed there; without a table. kVersion, kCorrupt.
  static Result<std::unique_ptr<Directory>> Open(StateFile* state);

  ~Directory() { (void)fd_.Release(); }  // it belongs to whoever is listed in `state`

  const Fd& fd() const { return fd_; }
  uint64_t file_size() const { return file_size_; }
  uint64_t entries() const { return entries_; }
  uint64_t cells() const { return mask_ + 1; }
  bool NeedsGrowth(uint64_t more) const { return (entries_ + more) * 2 > cells(); }
  // Of the table that readers use; 0: there is none, or what the superblock says can not be one.
  uint64_t CellsInUse(const Superblock& superblock) const {
    uint64_t table = TableInUse(superblock);
    return table == 0 ? 0 : DirectoryCells(table);
  }

  // Allocates a table for `entries` entries, empty and not published, beside the one that readers use.
  // Insert and Find go to the new one from here on; Publish makes readers use it, too, and gives the
  // old one's pages back. The caller inserts everything between the two.
  Status BeginTable(uint64_t entries, const Superblock& superblock);
  void Publish(Superblock* superblock);

  // REQUIRES: !NeedsGrowth(1).
  void Insert(uint64_t hash, uint32_t slot);
  // Many, so that their cells are on their way together.
  struct Entry {
    uint64_t hash;
    uint32_t slot;
  };
  // REQUIRES: !NeedsGrowth(count). Left out, and appended to `twins`, is what finds its tag in a cell on
  // its way: most likely another slot of the same key. The caller looks, and inserts it or does not.
  void InsertAll(const Entry* entries, uint64_t count, std::vector<Entry>* twins);
  // Takes the cell of this slot out. `hash_of` tells the hash of the slot in any other cell, for those
  // that have to move up. False: it was not there.
  template <typename HashOf>
  bool Erase(uint64_t hash, uint32_t slot, HashOf hash_of);
  // The first slot under this hash that `accept(slot)` takes; false: none.
  template <typename Accept>
  bool Find(uint64_t hash, Accept accept, uint32_t* slot) const;

 private:
  Directory(Fd fd, Mapping mapping) : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  static Result<std::unique_ptr<Directory>> Adopt(int fd, uint64_t instance);
  static uint32_t Tag(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  void Put(uint64_t at, const Entry& entry);
  uint64_t TableInUse(const Superblock& superblock) const {
    uint64_t table = superblock.directory.load(std::memory_order_relaxed);
    return IsDirectoryTable(table, file_size_) ? table : 0;
  }

  Fd fd_;
  Mapping mapping_;
  Cell* table_ = nullptr;
  uint64_t mask_ = 0, entries_ = 0, file_size_ = kPageSize;
  uint64_t descriptor_ = 0;  // DirectoryTable of table_
};

// Fills a table that was begun, with cells on their way together. What has no room is counted only.
class DirectoryFiller {
 public:
  explicit DirectoryFiller(Directory* directory) : directory_(directory) {}
  void Add(uint64_t hash, uint32_t slot) {
    pending_[filled_] = {hash, slot};
    if (++filled_ == kTogether) Flush();
  }
  // How many were added.
  uint64_t Finish() {
    Flush();
    return added_;
  }
  bool overfull() const { return overfull_; }
  // What was left out (Directory::InsertAll), for the caller to insert.
  const std::vector<Directory::Entry>& twins() const { return twins_; }

 private:
  static constexpr uint32_t kTogether = 32;
  void Flush() {
    overfull_ = overfull_ || directory_->NeedsGrowth(filled_ + twins_.size());
    if (!overfull_) directory_->InsertAll(pending_, filled_, &twins_);
    added_ += filled_;
    filled_ = 0;
  }
  Directory* directory_;
  Directory::Entry pending_[kTogether];
  std::vector<Directory::Entry> twins_;
  uint32_t filled_ = 0;
  uint64_t added_ = 0;
  bool overfull_ = false;
};

template <typename HashOf>
bool Directory::Erase(uint64_t hash, uint32_t slot, HashOf hash_of) {
  uint64_t wanted = MakeCell(Tag(hash), slot);
  uint64_t hole = hash & mask_;
  while (true) {
    uint64_t cell = table_[hole].load(std::memory_order_relaxed);
    if (cell == 0) return false;
    if (cell == wanted) break;
    hole = (hole + 1) & mask_;
  }
  // Backward shift: a later cell moves into the hole when its probe sequence passes the hole. A reader
  // racing this may miss an entry for a moment; it then asks the daemon.
  for (uint64_t next = (hole + 1) & mask_;; next = (next + 1) & mask_) {
    uint64_t cell = table_[next].load(std::memory_order_relaxed);
    if (cell == 0) break;
    uint64_t home = hash_of(SlotOf(cell)) & mask_;
    if (((next - home) & mask_) >= ((next - hole) & mask_)) {
      table_[hole].store(cell, std::memory_order_release);  // release: as in Insert
      CrashPoint();
      hole = next;
    }
  }
  table_[hole].store(0, std::memory_order_relaxed);  // nothing is published by an empty cell
  CrashPoint();
  --entries_;
  return true;
}

template <typename Accept>
bool Directory::Find(uint64_t hash, Accept accept, uint32_t* slot) const {
  for (uint64_t i = hash & mask_;; i = (i + 1) & mask_) {
    uint64_t cell = table_[i].load(std::memory_order_relaxed);  // this thread is the only writer
    if (cell == 0) return false;
    if (TagOf(cell) == Tag(hash) && accept(SlotOf(cell))) {
      *slot = SlotOf(cell);
      return true;
    }
  }
}

}  // namespace vineyard::shm

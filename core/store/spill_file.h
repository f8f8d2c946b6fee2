// This file is the only place that reads and writes files of spilled payloads. What a file holds is known
// from the slots alone; it has values one behind the other, and nothing else.
//
// The files of one store lie in a folder of its own, `store-XXXXXX` in the folder that the user names. The
// folder is locked (flock) by an open file description that `state` lists: as long as a keeper or a daemon
// has it, the folder is in use; a folder that nobody has locked is of a store that is gone, and is removed
// by the next one that is made beside it.
//
// Functions here wait for a disk: they are for helper threads, but for those that say otherwise. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/object/ids.h"

namespace vineyard::store {

// One payload on its way to or from a file.
struct SpillItem {
  uint32_t slot = 0;
  ObjectId id = kInvalidId;
  uint32_t file = 0;
  uint64_t offset = 0;    // in the file, a multiple of 64
  char* value = nullptr;  // in memory; kept there until the job is done
  uint64_t size = 0;      // of the value
  uint64_t checksum = 0;  // as in a slot; kWrite sets it where there is none
  Status status;          // of this item alone
};

// What a thread does for the store. It touches no memory but that of its items.
struct SpillJob {
  enum class Kind {
    kWrite,   // a new file of all items, complete on disk at the end
    kRead,    // items of any files
    kErase,   // items of one file: their pages go back to the disk
    kRemove,  // a whole file
  };
  Kind kind = Kind::kWrite;
  int folder = -1;
  uint32_t file = 0;  // kWrite, kErase, kRemove
  uint32_t root = 0;  // kRead: the slot of the tree that is loaded
  std::vector<SpillItem> items;
  std::vector<uint32_t> roots;  // kWrite: of the trees that go
  Status status;                // kWrite: of the file
};
void RunSpillJob(SpillJob* job);

// Greatest value of `offset`, so that it fits into a slot's location.
inline constexpr uint64_t kMaxSpillFile = uint64_t{1} << 37;

// A new, locked folder in `path`, which must exist. Removes folders of stores that are gone. For starts.
Result<Fd> MakeSpillFolder(const std::string& path);
// Number and size of every file in it. For starts.
Status ScanSpillFolder(int folder, const std::function<void(uint32_t file, uint64_t size)>& each);
// The end of it and of all files in it. For ends.
void RemoveSpillFolder(int folder);

}  // namespace vineyard::store

// This file is the only place that writes the index: superblock and slots. The daemon is the one writer;
// readers in other processes see every step, so a slot changes only by a line of a commit
// (state_file.h), and grows only by what is allocated already.
// Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"
#include "core/shm/state_file.h"

namespace vineyard::shm {

// A slot as values.
struct SlotImage {
  uint64_t word = 0;
  SlotFields fields;

  // relaxed: of a slot that this process alone writes, or pins.
  static SlotImage Of(const Slot& slot);
  SlotState state() const { return StateOf(word); }
  // Computes the two checksums of the fields.
  void Seal();
  // Whether both are right.
  bool HeaderIsGood() const;
  bool LocationIsGood() const;
  CommitLine Line(uint32_t slot) const;
};

class SlotTable {
 public:
  // The file that `state` lists, or a new one, listed there. kVersion, kCorrupt.
  static Result<std::unique_ptr<SlotTable>> Open(StateFile* state);

  ~SlotTable() { (void)fd_.Release(); }  // it belongs to whoever is listed in `state`

  const Fd& fd() const { return fd_; }
  char* data() const { return mapping_.data(); }
  Superblock& superblock() const { return *reinterpret_cast<Superblock*>(mapping_.data()); }
  uint64_t capacity() const { return superblock().capacity.load(std::memory_order_relaxed); }
  uint64_t file_size() const { return kSlotsOffset + capacity() * sizeof(Slot); }

  SlotImage Read(uint32_t slot) const { return SlotImage::Of(at(slot)); }
  uint64_t word(uint32_t slot) const { return at(slot).word.load(std::memory_order_relaxed); }
  // Outside of a commit, for the two changes that need none: an eviction that begins or is given up
  // (D1: seq_cst), and quarantine.
  void StoreWord(uint32_t slot, uint64_t word);

  // kSlotStep slots more. kLimit at kMaxSlots, kHostMemory.
  Status Grow();

 private:
  static Result<std::unique_ptr<SlotTable>> Adopt(int fd, uint64_t instance);
  SlotTable(Fd fd, Mapping mapping) : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  Slot& at(uint32_t slot) const {
    return reinterpret_cast<Slot*>(mapping_.data() + kSlotsOffset)[slot];
  }

  Fd fd_;
  Mapping mapping_;
};

}  // namespace vineyard::shm

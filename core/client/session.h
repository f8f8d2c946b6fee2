// This file is the only place that maps shared memory into a client: index, directory, pin table and
// segments of one session in one audience's store.
//
// Invariants:
//  1. While its client exists and while any of its pins is not zero, everything of a session stays
//     mapped. That a view lives is told by its pin alone: the hot path counts nothing else.
//  2. A Session object is never given back to malloc, only used again for another session: a release
//     may look at `orphan_` after its pin is gone.
//  3. Nobody pins once orphan_ is set (its client is released), so counters only fall from then on.
//  4. A segment below the superblock's oldest_segment is pinned by nobody and leased to nobody.
//  5. A segment of one payload goes with it: its slot's word says when. It is mapped for writing for its writer
//     alone, and not at the same time for reading.
//  6. What a writer has given out stays mapped for writing while the writer exists, but is the store's
//     memory only until DetachWriters(). Where that fails, writers keep the session as pins do.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/client/fork.h"
#include "core/object/ids.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"

namespace vineyard::client {

// A slot as it was.
struct SlotWord {
  uint64_t slot = 0;
  uint64_t word = 0;
};

// Whose store it is.
struct AudienceFacts {
  uint64_t instance = 0;   // of the store
  uint16_t number = 0;     // as the daemon calls it
  uint32_t uid = 0;        // the owner
  bool is_shared = false;  // others read there, too
};

class Session {
 public:
  // Maps the three files and checks their headers. kVersion, kCorrupt, kHostMemory. Given back with
  // Orphan().
  static Result<Session*> Open(const Fd& index, const Fd& directory, const Fd& pins,
                               const AudienceFacts& audience);
  // The client is released: the memory goes with the last view.
  void Orphan();

  // ---- the hot path: no lock, no system call ----
  const shm::Superblock& superblock() const { return *superblock_; }
  const shm::Slot& slot(uint64_t number) const { return slots_[number]; }
  shm::PinCell& pin(uint64_t number) const { return pins_[number]; }
  const char* directory() const { return directory_; }
  // relaxed: that the piece's memory exists was arranged by the kernel before the bit was set.
  bool IsGranted(uint64_t slot) const {
    uint64_t piece = slot / shm::kPinPieceSlots;
    return (granted_[piece / 64].load(std::memory_order_relaxed) >> (piece % 64) & 1) != 0;
  }
  // The first byte of `size` bytes from `skip` behind the start of an extent. Null: the segment is not
  // mapped, or too small.
  const char* At(uint64_t location, uint64_t skip, uint64_t size) const {
    uint32_t number = shm::SegmentOf(location);
    if (number >= kMaxSegments) [[unlikely]]
      return nullptr;
    // acquire, twice: the table and the map are seen as they were when they were published.
    const Leaf* leaf = leaves_[number / kLeafSize].load(std::memory_order_acquire);
    if (leaf == nullptr) [[unlikely]]
      return nullptr;
    const Segment* segment = leaf->segments[number % kLeafSize].load(std::memory_order_acquire);
    if (segment == nullptr) [[unlikely]]
      return nullptr;
    uint64_t from = shm::OffsetOf(location) + skip;
    if (size > segment->size || from > segment->size - size) [[unlikely]]
      return nullptr;
    return segment->readable.data() + from;
  }
  // Gives one pin on the slot back. REQUIRES: this process took it.
  void Unpin(uint64_t slot) {
    // seq_cst: release would do for the daemon, which frees what it sees unpinned; but Orphan() sets
    // orphan_ and then looks at the counters, so one of the two sees the other.
    pins_[slot].count.fetch_sub(1, std::memory_order_seq_cst);
    if (orphan_.load(std::memory_order_seq_cst)) [[unlikely]]
      FreeIfUnused();
  }

  // ---- rarely ----
  uint64_t instance() const { return audience_.instance; }
  const AudienceFacts& audience() const { return audience_; }
  bool is_inherited() const { return IsInherited(stamp_); }
  void SetGranted(uint64_t piece) {
    granted_[piece / 64].fetch_or(uint64_t{1} << (piece % 64), std::memory_order_relaxed);
  }
  bool HasSegment(uint32_t number, bool writable) const;
  // Maps a segment; `size` is what the daemon says, the file must agree.
  // `sole`: it goes with the payload of this slot; null: with the superblock's oldest_segment.
  Status AddSegment(uint32_t number, const Fd& fd, uint64_t size, bool writable,
                    const SlotWord* sole = nullptr);
  // The same as At() in the writable map, which stays while `memory` does. Null: there is none.
  using Memory = std::shared_ptr<shm::Mapping>;
  char* WritableAt(uint64_t location, uint64_t size, Memory* memory) const;
  // Maps a segment of one payload for its writer.
  Result<Memory> MapSole(uint32_t number, const Fd& fd, uint64_t size);
  // Keeps the segment mapped that holds `data`, whatever becomes of pins and session: its bytes may be
  // anybody's by then, but reading them is no fault. Null: no segment of this session holds it.
  std::shared_ptr<const void> HoldMapping(const void* data) const;
  // Unmaps segments that nobody uses any more (invariants 4 and 5), unless their mapping is held.
  void DropOldSegments();
  // Segments in which something is sealed and which are not mapped here, with a slot of each: what a pin keeps may
  // lie in any of them. None, while nothing is pinned. Looks at every slot.
  std::map<uint32_t, SlotWord> UnmappedSegments() const;
  // A writer has a lease of this session, or is gone.
  void AddWriter(ObjectId lease);
  void RemoveWriter(ObjectId lease);
  // From now on nobody writes into the store through this session: what writers have given out is
  // memory of this process. Answers their leases, which may be dropped, also of what is sealed or
  // dropped already; none where it can not be done.
  std::vector<ObjectId> DetachWriters();

  static constexpr uint32_t kLeafSize = 4096, kLeaves = 4096;
  static constexpr uint32_t kMaxSegments = kLeafSize * kLeaves;  // numbers are never reused

 private:
  struct Segment {
    uint32_t number = 0;
    uint64_t size = 0;
    shm::Mapping readable;
    Memory writable;  // MADV_DONTFORK; null: none. Guarded by ProcessMutex()
    SlotWord sole;    // with whose payload it goes; word 0: it does not
  };
  struct Leaf {
    std::atomic<Segment*> segments[kLeafSize] = {};
  };
  friend class Sessions;  // session.cc: all of this process

  Session() = default;
  Segment* Find(uint32_t number) const;
  std::atomic<Segment*>& Cell(uint32_t number);
  void FreeIfUnused();
  bool AnyPin() const;
  bool AnyPinLeft();
  void FreeMemory();
  static void Unmap(const std::shared_ptr<Segment>& segment);

  const shm::Superblock* superblock_ = nullptr;
  const shm::Slot* slots_ = nullptr;
  const char* directory_ = nullptr;
  shm::PinCell* pins_ = nullptr;
  std::atomic<bool> orphan_{false};
  std::atomic<uint64_t> granted_[shm::kMaxPinPieces / 64] = {};
  std::atomic<Leaf*> leaves_[kLeaves] = {};

  // Guarded by ProcessMutex().
  AudienceFacts audience_;
  uint32_t stamp_ = 0;
  std::vector<ObjectId> writers_;  // their leases
  bool detached_ = false;
  bool in_use_ = false;
  std::atomic<uint64_t> oldest_segment_{0};  // written under the lock
  uint64_t scanned_ = 0;  // of an orphan: slots below have no pin left (invariant 3)
  shm::Mapping index_map_, directory_map_, pins_map_;
  std::vector<std::shared_ptr<Segment>> segments_;  // shared with HoldMapping()
  std::atomic<uint64_t> sole_segments_{0};          // of them; written under the lock
  std::vector<std::weak_ptr<shm::Mapping>> sole_writables_;
};

// Whether the whole range lies in a segment that some session of this process maps.
bool IsSharedMemory(const void* data, uint64_t size);

}  // namespace vineyard::client

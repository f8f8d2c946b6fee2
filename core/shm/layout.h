// This file is the only place that defines the bytes of shared memory. docs/shared-memory-format.md
// is the same in prose. Everything is little-endian; every struct is a multiple of its alignment
// with its padding named. What two processes touch at once is a std::atomic of a lock-free size.
//
//   index      one per audience. superblock page, then slots. Written by the daemon, read by clients.
//   directory  one per audience. header page, then tables of cells, of which one is in use.
//   segment.N  payloads and records, then a header page.
//   pins.S     one per session and audience. 8 bytes a slot; no header, since its client may write it.
//   state      one per daemon, never handed out: commit area, sessions, descriptors (state_file.h).
#pragma once

#include <atomic>
#include <cstdint>

#include "core/base/bytes.h"

namespace vineyard::shm {

// ---- what every file except pins starts with, and segments end with ----

inline constexpr uint32_t kLayoutVersion = 1;
inline constexpr uint32_t kByteOrderMark = 0x01020304;
inline constexpr uint64_t kPageSize = 4096;  // of the format, not of the machine

enum class FileKind : uint32_t { kIndex = 1, kDirectory = 2, kSegment = 3, kState = 4 };

// Features of this build (features.cc). A reader refuses a file with an incompatible bit it does not
// know, a writer also one with an unknown compatible bit; client and daemon refuse each other unless
// they know the same incompatible ones.
extern const uint64_t kKnownIncompatible;
extern const uint64_t kKnownCompatible;

inline constexpr uint64_t kMaxInstance = (uint64_t{1} << 23) - 1;  // numbers of instances: from 1

struct FileHeader {
  char magic[8];  // "VINEYARD"
  uint32_t layout_version;
  uint32_t byte_order;
  uint64_t compatible;
  uint64_t incompatible;
  FileKind kind;
  uint32_t page_size;
  uint32_t slot_size;
  uint32_t header_size;
  uint64_t instance;  // number of the instance that made the file
  uint64_t number;    // segments: N; else 0
};
static_assert(sizeof(FileHeader) == 64);

// ---- slots ----

enum class SlotState : uint8_t {
  kEmpty = 0,
  kCreated = 1,     // a lease: memory that a session may write
  kSealed = 2,      // the only state in which a lookup finds it
  kDeleting = 3,    // deleted; freed when the last pin goes
  kEvicting = 4,    // for less than one turn of the daemon's loop
  kSpilled = 5,     // payload in a file, of an object that of a member
  kQuarantine = 6,  // damaged; never touched again
};

// word = generation:61 | state:3. The linearisation point of everything that happens to a slot.
constexpr uint64_t MakeWord(uint64_t generation, SlotState state) {
  return (generation << 3) | static_cast<uint64_t>(state);
}
constexpr SlotState StateOf(uint64_t word) { return static_cast<SlotState>(word & 7); }
constexpr uint64_t GenerationOf(uint64_t word) { return word >> 3; }

enum class SlotKind : uint8_t {
  kNone = 0,
  // 1 to 3 are blobs and equal BlobKind (core/object/envelope.h).
  kBuffer = 1,
  kBytes = 2,
  kByteArray = 3,
  kObject = 4,  // location and size are its record's (core/object/record.h)
  kName = 5,    // id is HashName(name); the record holds name, target and revision
  kLabels = 6,  // id is the labelled object's; the record holds the labels
};
constexpr bool IsBlobKind(SlotKind kind) {
  return kind >= SlotKind::kBuffer && kind <= SlotKind::kByteArray;
}

// Slot flags.
inline constexpr uint8_t kReleased = 1;   // delete when the last link goes
inline constexpr uint8_t kDeep = 2;       // and then release the members, too, the same way
inline constexpr uint8_t kPersisted = 4;  // known to the whole cluster; of a name: the cluster's
inline constexpr uint8_t kPending =
    8;  // put, and not yet known to the cluster, without which it can not be
inline constexpr uint8_t kRemote = 16;  // reaches objects of other instances
inline constexpr uint8_t kHome = 32;    // root of a tree of the cluster
// The location is in a spill file: its number takes the place of the segment's, and what lies there is the
// value alone. Of blobs that are SPILLED, or were when they became DELETING.
inline constexpr uint8_t kInFile = 64;

// payload_checksum: crc32c with a bit that says that there is one.
constexpr uint64_t MakeChecksum(uint32_t crc) { return uint64_t{1} << 32 | crc; }

// Location: segment:32 | offset / 64:32. The extent starts there; the stored form `skip` bytes
// later.
inline constexpr uint64_t kNoLocation = 0;  // nothing stored: size 0
constexpr uint64_t MakeLocation(uint32_t segment, uint64_t offset) {
  return (static_cast<uint64_t>(segment) << 32) | (offset / kPayloadAlignment);
}
constexpr uint32_t SegmentOf(uint64_t location) { return static_cast<uint32_t>(location >> 32); }
constexpr uint64_t OffsetOf(uint64_t location) {
  return (location & 0xffffffff) * kPayloadAlignment;
}

// What lies behind the word, as plain values: how the daemon thinks about a slot. The order of
// members is the order in the slot.
struct SlotFields {
  uint64_t id = 0;
  uint64_t location = kNoLocation;
  uint64_t size = 0;      // stored bytes (a blob's envelope included); for others, of the record
  uint32_t checksum = 0;  // crc32c of id, size, skip, before, kind, type
  uint8_t skip = 0;       // see Envelope::skip
  uint8_t before = 0;     // bytes of stored form in front of the value window
  SlotKind kind = SlotKind::kNone;
  uint8_t flags = 0;
  uint64_t owner = 0;           // id of the session that made it
  uint32_t links = 0;           // parents that are sealed, spilled or pinned; one per member entry
  uint16_t type = 0;            // TypeNumber
  uint16_t location_check = 0;  // of location; changes with it
  // Of a blob's value (its envelope follows from kind and size), of the record of what has one; 0: none.
  uint64_t payload_checksum = 0;
};
static_assert(sizeof(SlotFields) == 56);

// The same as words, so that a reader that races with the writer reads whole words and no data race
// exists: every access is atomic, relaxed; `word` orders them.
struct Slot {
  std::atomic<uint64_t> word;
  std::atomic<uint64_t> fields[7];
};
static_assert(sizeof(Slot) == 64 && std::atomic<uint64_t>::is_always_lock_free);

// Greatest number of slots an index can have: readers map this much and touch what is published.
inline constexpr uint64_t kMaxSlots = uint64_t{1} << 26;
// Slots by which the index grows. (Targets of the fuzzer have few: most of their time they look at all of them.)
#ifndef VINEYARD_SLOT_STEP
#define VINEYARD_SLOT_STEP 65536
#endif
inline constexpr uint64_t kSlotStep = VINEYARD_SLOT_STEP;

struct alignas(64) Superblock {
  FileHeader header;
  // Changes with growth only, so that readers share the line for ever.
  alignas(
      64) std::atomic<uint64_t> capacity;  // slots that exist; stored with release after fallocate
  std::atomic<uint64_t> directory;  // DirectoryTable of the table in use; 0: the store has ended
  uint64_t cluster[2];              // uuid
  uint64_t instance;
  uint64_t unused[3];
  // Changes with every daemon start and commit.
  alignas(64) std::atomic<uint64_t> epoch;  // of the daemon; greater after each start
  std::atomic<uint64_t> revision;           // of the last commit
  std::atomic<uint64_t> stale_since_ms;     // metadata of the cluster is stale since; 0: it is not
  std::atomic<uint64_t> oldest_segment;     // no segment below it is in use any more
  uint64_t unused2[4];
  // Written by a timer; the hot path stamps pins with it instead of asking a clock.
  alignas(64)
      std::atomic<uint32_t> coarse_clock;  // CoarseClock: tenths of a second since the first start
  uint32_t unused3[15];
};
static_assert(sizeof(Superblock) == 256);
inline constexpr uint64_t kSlotsOffset = kPageSize;
inline constexpr uint64_t kMaxIndexFile = kSlotsOffset + kMaxSlots * sizeof(Slot);

// ---- directory ----

// tag:32 | slot + 1:32; zero is empty. Linear probing, load at most one half.
using Cell = std::atomic<uint64_t>;
constexpr uint64_t MakeCell(uint32_t tag, uint32_t slot) {
  return (static_cast<uint64_t>(tag) << 32) | (uint64_t{slot} + 1);
}
constexpr uint32_t TagOf(uint64_t cell) { return static_cast<uint32_t>(cell >> 32); }
constexpr uint32_t SlotOf(uint64_t cell) { return static_cast<uint32_t>(cell) - 1; }

// Where the table in use lies: offset / 4096:56 | log2 of its number of cells:8.
constexpr uint64_t MakeDirectoryTable(uint64_t offset, uint32_t log2_cells) {
  return (offset / kPageSize) << 8 | log2_cells;
}
constexpr uint64_t DirectoryOffset(uint64_t table) { return (table >> 8) * kPageSize; }
constexpr uint64_t DirectoryCells(uint64_t table) { return uint64_t{1} << (table & 63); }
inline constexpr uint64_t kMaxDirectoryCells = 2 * kMaxSlots;
// Tables double, and a new one is placed in front of the old where it fits, else behind it: all of
// them together are less than three times the last.
inline constexpr uint64_t kMaxDirectoryFile = kPageSize + 3 * kMaxDirectoryCells * sizeof(Cell);
// Whether a directory file of this size can hold such a table.
constexpr bool IsDirectoryTable(uint64_t table, uint64_t file_size) {
  if (table >> 8 == 0 || table >> 8 > kMaxDirectoryFile / kPageSize) return false;
  if ((table & 0xff) > 63 || DirectoryCells(table) > kMaxDirectoryCells) return false;
  return DirectoryOffset(table) + DirectoryCells(table) * sizeof(Cell) <= file_size;
}

// A key of the directory. Probing starts at hash & (cells - 1); the tag is the upper half.
uint64_t HashObject(uint64_t id);
// Also the `id` of the slot of a name. Never 0.
uint64_t HashName(const char* name, uint64_t size);
uint64_t HashNameKey(uint64_t name_hash);
uint64_t HashLabels(uint64_t object_id);

// ---- pins ----

struct PinCell {
  std::atomic<uint32_t> count;      // pins this process holds on the slot
  std::atomic<uint32_t> last_used;  // coarse clock at the last pin: the daemon's LRU
};
static_assert(sizeof(PinCell) == 8);
inline constexpr uint64_t kPinPieceSlots = 8192;  // granted, allocated and charged together: 64 KiB
inline constexpr uint64_t kMaxPinPieces = kMaxSlots / kPinPieceSlots;
static_assert(kSlotStep % kPinPieceSlots == 0);  // a piece that is granted is there
inline constexpr uint64_t kMaxPinFile = kMaxSlots * sizeof(PinCell);

// ---- segments ----

// Payloads from offset 0; the header is in the last page, so that a payload of a round size, aligned
// to huge pages, needs no more than itself and that page.
inline constexpr uint64_t kSegmentHeaderSize = kPageSize;
// Numbers of segments: from 1, never reused. A client has a table of them.
inline constexpr uint64_t kMaxSegmentNumber = (uint64_t{1} << 24) - 1;
// Header included, so that the payloads of two segments never touch.
inline constexpr uint64_t kMaxSegment = (uint64_t{1} << 32) * kPayloadAlignment;
inline constexpr uint64_t kMaxExtent = kMaxSegment - kSegmentHeaderSize;
// Extents from this size on are aligned to it.
inline constexpr uint64_t kHugePage = uint64_t{2} << 20;

}  // namespace vineyard::shm

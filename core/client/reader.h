// This file is the only place that finds and pins objects in shared memory, without asking anyone.
//
// The pin protocol (docs/shared-memory-format.md; the order of its four seq_cst operations is proved by
// a model): the directory says where to look, the slot's word whether it is sealed; R1 adds a pin, R2 looks
// at the word again. Unchanged: the slot's bytes stay until the pin is given back. What the directory
// says is only a hint, so a cell that moves, a table that is replaced or punched under us makes a miss,
// and whoever misses asks the daemon.
// Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/client/session.h"
#include "core/object/ids.h"
#include "core/shm/layout.h"

namespace vineyard::client {

enum class Found {
  kYes,
  kMiss,        // not there, or too busy to say: ask the daemon
  kNotGranted,  // the piece of the pin table is not: ask for it (`slot` says where)
  kUnmapped,    // a record must be read to know, and its segment is not mapped (`location`)
};

// What a slot says, after its pin.
struct SlotContents {
  uint64_t slot = 0;
  uint64_t word = 0;
  uint64_t id = 0;
  uint64_t location = 0;
  uint64_t size = 0;
  uint64_t detail = 0;  // checksum:32 | skip:8 | before:8 | kind:8 | flags:8

  uint8_t skip() const { return static_cast<uint8_t>(detail >> 32); }
  uint8_t before() const { return static_cast<uint8_t>(detail >> 40); }
  shm::SlotKind kind() const { return static_cast<shm::SlotKind>(detail >> 48 & 0xff); }
  uint8_t flags() const { return static_cast<uint8_t>(detail >> 56); }
};

inline bool IsObjectKind(shm::SlotKind kind) {
  return kind >= shm::SlotKind::kBuffer && kind <= shm::SlotKind::kObject;
}

// relaxed: a pin (or a parent's pin) keeps the fields as they are, and the acquire load of the word in
// front of it makes them visible.
inline SlotContents ReadSlot(const shm::Slot& slot, uint64_t number, uint64_t word) {
  auto field = [&](int i) { return slot.fields[i].load(std::memory_order_relaxed); };
  return {number, word, field(0), field(1), field(2), field(3)};
}

// Pins `slot` if its word is still `word`, which is SEALED, and `accept(contents)` says kYes. Otherwise
// nothing is pinned.
template <typename Accept>
Found PinSlot(Session* session, uint64_t slot, uint64_t word, SlotContents* out, Accept accept) {
  if (!session->IsGranted(slot)) [[unlikely]] {
    out->slot = slot;
    return Found::kNotGranted;
  }
  shm::PinCell& pin = session->pin(slot);
  // R1, seq_cst: ordered before R2, as the daemon's D1 (word) is before its D2 (this counter), so that
  // not both can miss the other's store.
  pin.count.fetch_add(1, std::memory_order_seq_cst);
  const shm::Slot& entry = session->slot(slot);
  // R2, seq_cst: see R1.
  if (entry.word.load(std::memory_order_seq_cst) == word) [[likely]] {
    *out = ReadSlot(entry, slot, word);
    Found found = accept(*out);
    if (found == Found::kYes) [[likely]] {
      // relaxed: the daemon's LRU takes it as a hint.
      pin.last_used.store(session->superblock().coarse_clock.load(std::memory_order_relaxed),
                          std::memory_order_relaxed);
      return found;
    }
    pin.count.fetch_sub(1, std::memory_order_release);  // nothing was read under it that matters
    return found;
  }
  pin.count.fetch_sub(1, std::memory_order_release);  // likewise
  out->word = 0;
  return Found::kMiss;
}

// Calls visit(slot) for each slot that may hold the key, until it says something else than kMiss.
template <typename Visit>
Found Probe(const Session& session, uint64_t table, uint64_t hash, Visit visit) {
  uint64_t offset = shm::DirectoryOffset(table), cells = shm::DirectoryCells(table);
  if (cells > shm::kMaxDirectoryCells || offset < shm::kPageSize ||
      offset > shm::kMaxDirectoryFile - cells * sizeof(shm::Cell)) [[unlikely]] {
    return Found::kMiss;
  }
  const auto* cell = reinterpret_cast<const shm::Cell*>(session.directory() + offset);
  uint64_t mask = cells - 1;
  uint32_t tag = static_cast<uint32_t>(hash >> 32);
  // No table is full, but one that is shifted or punched meanwhile may look as if it never ended.
  for (uint64_t i = 0; i < cells; ++i) {
    // acquire: who sees the cell sees the slot as it was sealed, and the capacity that covers it.
    uint64_t value = cell[(hash + i) & mask].load(std::memory_order_acquire);
    if (value == 0) return Found::kMiss;
    if (shm::TagOf(value) != tag) continue;
    uint64_t slot = shm::SlotOf(value);
    // The pin's line comes on its way together with the slot's, not after it. No address is touched.
    __builtin_prefetch(&session.pin(slot), /*for writing=*/1);
    // acquire: slots below it have memory behind them.
    if (slot >= session.superblock().capacity.load(std::memory_order_acquire)) continue;
    Found found = visit(slot);
    if (found != Found::kMiss) return found;
  }
  return Found::kMiss;
}

// Probes the table in use, and once more if it was replaced meanwhile.
template <typename Visit>
Found ProbeTables(const Session& session, uint64_t hash, Visit visit) {
  for (bool again = false;; again = true) {
    // acquire: the cells of the table are as they were when it was published.
    uint64_t table = session.superblock().directory.load(std::memory_order_acquire);
    Found found = Probe(session, table, hash, visit);
    if (found != Found::kMiss) [[likely]]
      return found;
    bool same = session.superblock().directory.load(std::memory_order_acquire) == table;
    if (same || again) return found;
  }
}

// Finds a key and pins its slot.
template <typename Accept>
Found FindAndPin(Session* session, uint64_t hash, SlotContents* out, Accept accept) {
  return ProbeTables(*session, hash, [&](uint64_t slot) {
    // Four tries: a slot whose word changes that often is busy being something else.
    for (int i = 0; i < 4; ++i) {
      // acquire: the fields are at least as new as the word.
      uint64_t word = session->slot(slot).word.load(std::memory_order_acquire);
      if (shm::StateOf(word) != shm::SlotState::kSealed) return Found::kMiss;
      out->word = word;
      Found found = PinSlot(session, slot, word, out, accept);
      if (found != Found::kMiss || out->word == word) return found;  // yes, or another key's slot
    }
    return Found::kMiss;
  });
}

inline Found FindObject(Session* session, ObjectId id, SlotContents* out) {
  return FindAndPin(session, shm::HashObject(id), out, [id](const SlotContents& slot) {
    return slot.id == id && IsObjectKind(slot.kind()) ? Found::kYes : Found::kMiss;
  });
}

// Accepts the slot of the name, whose record must be mapped to know it.
struct AcceptName {
  const Session* session;
  std::string_view name;
  uint64_t hash;
  Found operator()(const SlotContents& slot) const;
};
Found FindName(Session* session, std::string_view name, SlotContents* out);
Found FindLabels(Session* session, ObjectId id, SlotContents* out);

// Finds an object that the caller's pin on a parent keeps, without a pin: SEALED, EVICTING and DELETING
// serve alike.
Found FindHeld(const Session& session, ObjectId id, SlotContents* out);
// The same, when the daemon has said which slot it is.
Found ReadHeld(const Session& session, uint64_t slot, ObjectId id, SlotContents* out);

}  // namespace vineyard::client

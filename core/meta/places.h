// This file is the only place that finds an object among all that a cluster knows: a hash table with open
// addressing of 16 bytes an entry, because there may be many millions.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/check.h"
#include "core/object/ids.h"

namespace vineyard::meta {

struct Place {
  uint32_t tree = 0;  // index
  uint16_t type = 0;  // number
};

class Places {
 public:
  // Null: it is not there. Valid until the next change.
  const Place* Find(ObjectId id) const {
    if (slots_.empty()) return nullptr;
    for (size_t at = StartOf(id);; at = Next(at)) {
      if (slots_[at].id == kInvalidId) return nullptr;  // also when that is looked for
      if (slots_[at].id == id) return &slots_[at].place;
    }
  }
  bool contains(ObjectId id) const { return Find(id) != nullptr; }
  size_t size() const { return size_; }

  // REQUIRES: it is not there.
  void Insert(ObjectId id, Place place) {
    if (5 * (size_ + 1) > 4 * slots_.size()) Grow();
    Put(id, place);
    ++size_;
  }

  // REQUIRES: it is there.
  void Erase(ObjectId id) {
    size_t hole = StartOf(id);
    while (slots_[hole].id != id) hole = Next(hole);
    // What was put behind it because of it moves up: no search may end at the hole too early.
    for (size_t at = Next(hole); slots_[at].id != kInvalidId; at = Next(at)) {
      size_t start = StartOf(slots_[at].id);
      bool stays = hole < at ? hole < start && start <= at : hole < start || start <= at;
      if (stays) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = {};
    --size_;
  }

 private:
  struct Slot {
    ObjectId id = kInvalidId;
    Place place;
  };

  // Ids of one instance are consecutive, so that multiplying spreads them. The upper half of the product counts.
  size_t StartOf(ObjectId id) const {
    uint64_t hash = (id * 0x9e3779b97f4a7c15u) >> 32;
    return static_cast<size_t>((hash * slots_.size()) >> 32);
  }
  size_t Next(size_t at) const { return at + 1 == slots_.size() ? 0 : at + 1; }

  void Put(ObjectId id, Place place) {
    size_t at = StartOf(id);
    while (slots_[at].id != kInvalidId) at = Next(at);
    slots_[at] = {id, place};
  }

  void Grow() {
    size_t size = 16 + slots_.size() + slots_.size() / 2;
    CHECK(size <= UINT32_MAX);
    std::vector<Slot> old(size);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id != kInvalidId) Put(slot.id, slot.place);
    }
  }

  std::vector<Slot> slots_;  // at most 4/5 of them are taken
  size_t size_ = 0;
};

}  // namespace vineyard::meta

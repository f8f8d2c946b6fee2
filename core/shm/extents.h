// This file is the only place that decides where in the segments something is stored. Books are kept
// here, in the daemon's heap, from nothing but (location, size): nothing of the allocator lies in shared
// memory, and a restarted daemon rebuilds it from the slot table.
//
// Invariants (CheckInvariants):
//  1. Free extents do not overlap and do not touch: neighbours are one.
//  2. by_size_ and by_location_ hold the same extents.
//  3. free + allocated = total.
// Thread-confined.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace vineyard::shm {

class Extents {
 public:
  // Sizes are rounded up to this, locations are multiples of it.
  static uint64_t RoundedSize(uint64_t size);

  // Memory to allocate from: [location, location + size) of one segment. Not adjacent to other ranges.
  void AddRange(uint64_t location, uint64_t size);
  // The same for a range that is wholly allocated: Free tells what is not.
  void AddUsedRange(uint64_t size) { total_ += size; }
  // REQUIRES: the range was added as one and is wholly free.
  void RemoveRange(uint64_t location, uint64_t size);

  // Of the smallest free extent that fits; among equals the one freed last, whose pages are still in
  // the caches. From 2 MiB on aligned to 2 MiB within the file, so that huge pages serve it, and then
  // of nearly the smallest that fits. No memory: none fits.
  // REQUIRES: size > 0.
  std::optional<uint64_t> Allocate(uint64_t size);
  // At the start of a free extent. REQUIRES: there is one, and it is as large.
  void AllocateAt(uint64_t location, uint64_t size);
  // REQUIRES: the range, or a larger one that it is part of, was allocated.
  void Free(uint64_t location, uint64_t size);

  uint64_t total() const { return total_; }
  uint64_t free() const { return free_; }
  uint64_t allocated() const { return total_ - free_; }
  uint64_t largest_free() const { return by_size_.empty() ? 0 : by_size_.rbegin()->size; }
  // Bytes in free extents that are smaller than `size`.
  uint64_t FreeBelow(uint64_t size) const;
  // What breaks an invariant, for people; empty: nothing does.
  std::string Problem() const;
  void CheckInvariants() const;

 private:
  struct BySize {
    uint64_t size, stamp, location;
    bool operator<(const BySize& other) const {
      if (size != other.size) return size < other.size;
      if (stamp != other.stamp) return stamp > other.stamp;
      return location < other.location;
    }
  };
  struct Extent {
    uint64_t size, stamp;
  };
  using ByLocation = std::map<uint64_t, Extent>;

  void Insert(uint64_t location, uint64_t size, uint64_t stamp);
  void Erase(ByLocation::iterator extent);
  static bool Fits(uint64_t location, uint64_t extent_size, uint64_t size, uint64_t* aligned);

  ByLocation by_location_;
  std::set<BySize> by_size_;
  uint64_t total_ = 0, free_ = 0, stamp_ = 0;
};

}  // namespace vineyard::shm

// This file is the only place that knows which segments a pool of memory has and what is used of
// each. A store has two pools: one that only the daemon writes (records, small payloads), one from
// which sessions lease.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/shm/extents.h"
#include "core/shm/layout.h"
#include "core/shm/segment.h"

namespace vineyard::store {

class Pool {
 public:
  struct Entry {
    shm::Segment segment;
    uint64_t used = 0;         // bytes of allocated extents
    uint64_t allocations = 0;  // so far
    // When it was last looked at (not yet): allocations, and coarse time since when they are so many.
    uint64_t seen_allocations = UINT64_MAX;
    uint32_t idle_since = 0;
    uint64_t first() const { return shm::MakeLocation(segment.number(), 0); }
    uint64_t data_size() const { return segment.data_size(); }
  };

  void Add(shm::Segment segment) {
    uint32_t number = segment.number();
    Entry& entry = segments_[number];
    entry.segment = std::move(segment);
    total_ += entry.data_size();
    extents_.AddRange(entry.first(), entry.data_size());
  }
  // The same with all of it in use; Free tells what is not. For adoption.
  void AddUsed(shm::Segment segment) {
    uint32_t number = segment.number();
    Entry& entry = segments_[number];
    entry.segment = std::move(segment);
    entry.used = entry.data_size();
    entry.allocations = 1;
    total_ += entry.data_size();
    extents_.AddUsedRange(entry.data_size());
  }
  // REQUIRES: nothing of it is used.
  shm::Segment Remove(uint32_t number) {
    auto found = segments_.find(number);
    extents_.RemoveRange(found->second.first(), found->second.data_size());
    total_ -= found->second.data_size();
    shm::Segment segment = std::move(found->second.segment);
    segments_.erase(found);
    return segment;
  }

  std::optional<uint64_t> Allocate(uint64_t size) {
    auto location = extents_.Allocate(size);
    if (!location) return location;
    Entry& entry = segments_[shm::SegmentOf(*location)];
    entry.used += shm::Extents::RoundedSize(size);
    ++entry.allocations;
    return location;
  }
  // Of a segment that was never used, of just this size: no other payload comes there.
  std::optional<uint64_t> AllocateSole(uint64_t size) {
    for (auto& [number, entry] : segments_) {
      if (entry.allocations != 0 || entry.data_size() != RoundUp(size, shm::kPageSize)) continue;
      extents_.AllocateAt(entry.first(), size);
      entry.used += shm::Extents::RoundedSize(size);
      ++entry.allocations;
      return entry.first();
    }
    return std::nullopt;
  }
  void Free(uint64_t location, uint64_t size) {
    if (size == 0) return;
    extents_.Free(location, size);
    segments_[shm::SegmentOf(location)].used -= shm::Extents::RoundedSize(size);
  }

  const Entry* Find(uint32_t number) const {
    auto found = segments_.find(number);
    return found == segments_.end() ? nullptr : &found->second;
  }
  const std::map<uint32_t, Entry>& segments() const { return segments_; }
  std::map<uint32_t, Entry>& segments() { return segments_; }
  const shm::Extents& extents() const { return extents_; }
  uint64_t total() const { return total_; }  // bytes, headers left out

 private:
  std::map<uint32_t, Entry> segments_;
  shm::Extents extents_;
  uint64_t total_ = 0;
};

}  // namespace vineyard::store

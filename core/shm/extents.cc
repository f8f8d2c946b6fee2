#include "core/shm/extents.h"

#include <iterator>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/shm/layout.h"

namespace vineyard::shm {
namespace {
// Within a segment a location counts units of 64 bytes.
uint64_t Units(uint64_t size) { return size / kPayloadAlignment; }
}  // namespace

uint64_t Extents::RoundedSize(uint64_t size) { return RoundUp(size, kPayloadAlignment); }

void Extents::Insert(uint64_t location, uint64_t size, uint64_t stamp) {
  by_location_.emplace(location, Extent{size, stamp});
  by_size_.insert({size, stamp, location});
}

void Extents::Erase(ByLocation::iterator extent) {
  by_size_.erase({extent->second.size, extent->second.stamp, extent->first});
  by_location_.erase(extent);
}

void Extents::AddRange(uint64_t location, uint64_t size) {
  total_ += size;
  free_ += size;
  Insert(location, size, ++stamp_);
}

void Extents::RemoveRange(uint64_t location, uint64_t size) {
  auto extent = by_location_.find(location);
  CHECK(extent != by_location_.end() && extent->second.size == size);
  Erase(extent);
  total_ -= size;
  free_ -= size;
}

bool Extents::Fits(uint64_t location, uint64_t extent_size, uint64_t size, uint64_t* aligned) {
  uint64_t alignment = size >= kHugePage ? kHugePage : kPayloadAlignment;
  uint64_t gap = RoundUp(OffsetOf(location), alignment) - OffsetOf(location);
  if (extent_size < gap || extent_size - gap < size) return false;
  *aligned = location + Units(gap);
  return true;
}

std::optional<uint64_t> Extents::Allocate(uint64_t size) {
  CHECK(size > 0);
  if (size > largest_free()) return std::nullopt;  // before rounding, which a huge size overflows
  size = RoundedSize(size);
  uint64_t aligned = 0;
  auto found = by_size_.lower_bound({size, UINT64_MAX, 0});
  // Only large extents can fail to fit for their alignment; what is a huge page larger always fits,
  // so after a few the search jumps there, and looks at them all only when there is no such one.
  for (int tries = 0; found != by_size_.end(); ++found) {
    if (Fits(found->location, found->size, size, &aligned)) break;
    if (++tries != 16) continue;
    auto large = by_size_.lower_bound({size + kHugePage, UINT64_MAX, 0});
    if (large == by_size_.end()) continue;
    found = large;
    CHECK(Fits(found->location, found->size, size, &aligned));
    break;
  }
  if (found == by_size_.end()) return std::nullopt;
  BySize whole = *found;
  Erase(by_location_.find(whole.location));
  uint64_t before = (aligned - whole.location) * kPayloadAlignment;
  uint64_t after = whole.size - before - size;
  if (before > 0) Insert(whole.location, before, whole.stamp);
  if (after > 0) Insert(aligned + Units(size), after, whole.stamp);
  free_ -= size;
  return aligned;
}

void Extents::AllocateAt(uint64_t location, uint64_t size) {
  size = RoundedSize(size);
  auto extent = by_location_.find(location);
  CHECK(extent != by_location_.end() && extent->second.size >= size);
  Extent whole = extent->second;
  Erase(extent);
  if (whole.size > size) Insert(location + Units(size), whole.size - size, whole.stamp);
  free_ -= size;
}

void Extents::Free(uint64_t location, uint64_t size) {
  size = RoundedSize(size);
  if (size == 0) return;
  free_ += size;
  CHECK(free_ <= total_);
  auto next = by_location_.lower_bound(location);
  CHECK(next == by_location_.end() || location + Units(size) <= next->first);
  if (next != by_location_.end() && location + Units(size) == next->first) {
    size += next->second.size;
    auto merged = next++;
    Erase(merged);
  }
  if (next != by_location_.begin()) {
    auto previous = std::prev(next);
    uint64_t end = previous->first + Units(previous->second.size);
    CHECK(end <= location);
    if (end == location) {
      location = previous->first;
      size += previous->second.size;
      Erase(previous);
    }
  }
  Insert(location, size, ++stamp_);
}

uint64_t Extents::FreeBelow(uint64_t size) const {
  uint64_t bytes = 0;
  for (const BySize& extent : by_size_) {
    if (extent.size >= size) break;
    bytes += extent.size;
  }
  return bytes;
}

std::string Extents::Problem() const {
  if (by_size_.size() != by_location_.size()) return "sizes and locations are not as many";
  uint64_t sum = 0, end = 0;
  for (const auto& [location, extent] : by_location_) {
    if (extent.size == 0 || extent.size % kPayloadAlignment != 0) return "one has an odd size";
    if (location <= end && end != 0) return "two overlap or touch";
    if (by_size_.count({extent.size, extent.stamp, location}) != 1) return "one has no size";
    end = location + Units(extent.size);
    sum += extent.size;
  }
  if (sum != free_ || free_ > total_) return "they do not add up";
  return "";
}

void Extents::CheckInvariants() const { CHECK(Problem().empty()); }

}  // namespace vineyard::shm

// This file is the only place that knows how an object id is made up and how it is printed.
//
//   bit 63: blob | 23 bits: the instance that made it | 40 bits: counter, from 1
//
// An id is never used twice. The owner of an object is in its record, never read off its id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace vineyard {

using ObjectId = uint64_t;

inline constexpr ObjectId kInvalidId = 0;
// A blob without bytes that every instance has, without a slot. Not the invalid id.
inline constexpr ObjectId kEmptyBlobId = uint64_t{1} << 63;

inline constexpr uint64_t kMaxInstance = (uint64_t{1} << 23) - 1;
inline constexpr uint64_t kMaxCounter = (uint64_t{1} << 40) - 1;

// REQUIRES: 0 < instance <= kMaxInstance, 0 < counter <= kMaxCounter.
constexpr ObjectId MakeId(bool blob, uint64_t instance, uint64_t counter) {
  return (static_cast<uint64_t>(blob) << 63) | (instance << 40) | counter;
}
constexpr bool IsBlobId(ObjectId id) { return (id >> 63) != 0; }
constexpr uint64_t CounterOf(ObjectId id) { return id & kMaxCounter; }
constexpr uint64_t InstanceOf(ObjectId id) { return id >> 40 & kMaxInstance; }

// "o" and 16 lower-case hexadecimal digits.
std::string PrintId(ObjectId id);
// Strict: exactly what PrintId makes; anything else, the invalid id included, is kInvalid.
Result<ObjectId> ParseId(std::string_view text);

}  // namespace vineyard

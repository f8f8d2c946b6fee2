// This file is the only place for units and rounding of sizes, and for mixing bits into a hash.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vineyard {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// Extents start, and values lie, at multiples of this: a cache line, and what SIMD loads like.
inline constexpr uint64_t kPayloadAlignment = 64;

// REQUIRES: unit is a power of two.
constexpr uint64_t RoundUp(uint64_t value, uint64_t unit) {
  return (value + unit - 1) & ~(unit - 1);
}
constexpr uint64_t RoundDown(uint64_t value, uint64_t unit) { return value & ~(unit - 1); }

// The finalizer of MurmurHash3 (public domain, A. Appleby): every input bit reaches every output
// bit.
constexpr uint64_t MixBits(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

}  // namespace vineyard

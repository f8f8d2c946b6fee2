// This file is the only place that knows how bytes are wrapped: the stored form of a Python `bytes`
// or `bytearray` is its pickle (protocol 5), written here without an interpreter, so that the 13
// bytes of b"Hello, World!" are a blob of 28. The bytes themselves, the *value window*, lie in one
// piece inside it and start at a multiple of 64 in memory.
#pragma once

#include <cstdint>

#include "core/base/bytes.h"

namespace vineyard {

// Part of the layout of shared memory: never renumber.
enum class BlobKind : uint8_t {
  kBuffer = 1,     // stored as it is
  kBytes = 2,      // pickle of bytes
  kByteArray = 3,  // pickle of bytearray
};

struct Envelope {
  uint8_t before = 0;  // bytes of stored form in front of the value window
  uint8_t after = 0;   // and behind it
  // Bytes between the (64-aligned) start of the extent and the stored form, so that the value
  // window is aligned.
  uint8_t skip() const { return static_cast<uint8_t>(-before & (kPayloadAlignment - 1)); }
  uint64_t stored_size(uint64_t value_size) const { return before + value_size + after; }
  // Bytes of memory an extent needs.
  uint64_t extent_size(uint64_t value_size) const { return skip() + stored_size(value_size); }
};

// The envelope of `value_size` bytes of this kind.
Envelope EnvelopeOf(BlobKind kind, uint64_t value_size);

// Writes what stands in front of and behind the value window; the window itself is not touched.
// `stored` has envelope.stored_size(value_size) bytes.
void WriteEnvelope(BlobKind kind, uint64_t value_size, char* stored);

// Whether it still stands there. Reads nothing of the value window.
bool EnvelopeIsGood(BlobKind kind, uint64_t value_size, const char* stored);

}  // namespace vineyard

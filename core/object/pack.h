// This file is the only place that speaks msgpack: values to bytes and bytes to values.
//
// Signedness survives: msgpack writes 5 and 5u alike, so an unsigned value that would also fit a
// signed one is written as extension type 1 with 8 big-endian bytes; a plain integer that fits
// int64 is read as int64. Map keys are strings.
#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/object/value.h"

namespace vineyard {

inline constexpr uint32_t kMaxDepth = 64;

// Appends msgpack to a string. Thread-compatible.
class Packer {
 public:
  explicit Packer(std::string* out) : out_(out) {}

  Packer& Null();
  Packer& Bool(bool value);
  Packer& Int(int64_t value);
  // For what the reader takes with GetUint64: ids, sizes, numbers. Shortest form.
  Packer& Uint(uint64_t value);
  Packer& Float(double value);
  Packer& String(std::string_view text);
  Packer& Bytes(std::string_view bytes);
  // `size` values (pairs of values) must follow.
  Packer& Array(uint64_t size);
  Packer& Map(uint64_t pairs);
  // A value of any type, children included, signedness kept.
  // REQUIRES: depth <= kMaxDepth (CheckValue).
  Packer& Any(const Value& value);
  // One value that is msgpack already.
  Packer& Raw(std::string_view msgpack);

 private:
  std::string* out_;
};

// Depth, keys that are strings and there once, UTF-8 where text is promised, sizes that fit msgpack (2^32 - 1).
Status CheckValue(const Value& value, uint32_t depth = 0);

// Strict UTF-8 (no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

// One value that fills `bytes` exactly. Text and bytes of the result point into `bytes`; lists and
// maps into `arena`. Counts are checked against the bytes that are left before anything is
// allocated, so values taken from the arena are fewer than bytes of input. Text is not checked for
// UTF-8 (CheckValue). Lists and maps may be nested `max_depth` deep; kLimit when they hold more than
// `max_values` together, also before anything is allocated for the one too many.
// REQUIRES: max_depth <= kMaxDepth + 1.
Result<Value> Unpack(std::string_view bytes, Arena* arena, uint32_t max_depth = kMaxDepth,
                     uint64_t max_values = UINT64_MAX);

// The value of one key of a map, found without reading on: null when a list or map comes before it, or
// anything is wrong.
Value PeekScalar(std::string_view map, std::string_view key);

}  // namespace vineyard

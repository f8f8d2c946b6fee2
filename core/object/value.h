// This file is the only place that says what a metadata value is: a typed value whose text, bytes
// and children are borrowed (from an Arena, a buffer or the caller). Same layout as vineyard_value
// of the C ABI.
//
// Invariants: a list has `size` items; a map has 2 * size items: key, value, key, value ..., its
// keys are strings. Nothing is owned.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace vineyard {

enum class ValueType : int32_t {
  kNull = 0,
  kBool = 1,
  kInt64 = 2,
  kUint64 = 3,
  kFloat64 = 4,
  kString = 5,  // UTF-8, may hold NUL
  kBytes = 6,
  kList = 7,
  kMap = 8,
};

struct Value {
  ValueType type = ValueType::kNull;
  int32_t reserved = 0;
  uint64_t size = 0;  // bytes of text, items of a list, pairs of a map; else 0
  union {
    int32_t boolean;
    int64_t int64;
    uint64_t uint64 = 0;
    double float64;
    const char* data;
    const Value* items;
  } as;

  static Value Null() { return {}; }
  static Value Bool(bool value) {
    Value made = Make(ValueType::kBool);
    made.as.boolean = value ? 1 : 0;
    return made;
  }
  static Value Int64(int64_t value) {
    Value made = Make(ValueType::kInt64);
    made.as.int64 = value;
    return made;
  }
  static Value Uint64(uint64_t value) {
    Value made = Make(ValueType::kUint64);
    made.as.uint64 = value;
    return made;
  }
  static Value Float64(double value) {
    Value made = Make(ValueType::kFloat64);
    made.as.float64 = value;
    return made;
  }
  static Value String(std::string_view text) {
    Value made = Make(ValueType::kString, text.size());
    made.as.data = text.data();
    return made;
  }
  static Value Bytes(std::string_view bytes) {
    Value made = Make(ValueType::kBytes, bytes.size());
    made.as.data = bytes.data();
    return made;
  }
  static Value List(const Value* items, uint64_t size) {
    Value made = Make(ValueType::kList, size);
    made.as.items = items;
    return made;
  }
  static Value Map(const Value* items, uint64_t pairs) {
    Value made = Make(ValueType::kMap, pairs);
    made.as.items = items;
    return made;
  }

  bool is(ValueType wanted) const { return type == wanted; }
  bool is_text() const { return type == ValueType::kString || type == ValueType::kBytes; }
  // REQUIRES: is_text().
  std::string_view text() const { return {as.data, size}; }
  // An integer of either signedness that fits; false: not an integer, or out of range.
  bool GetUint64(uint64_t* out) const;
  bool GetInt64(int64_t* out) const;
  // REQUIRES: a map. The value of the first pair with this key, or null.
  const Value* Find(std::string_view key) const;

 private:
  static Value Make(ValueType type, uint64_t size = 0) {
    Value value;
    value.type = type;
    value.size = size;
    return value;
  }
};
static_assert(sizeof(Value) == 24);

// Values in blocks that never move. What is asked for is what is taken, up to a third and one block
// more: a reader of foreign bytes can bound its memory by bounding its counts.
class Arena {
 public:
  Arena() = default;
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;

  // `count` default values in one piece.
  Value* New(uint64_t count);
  // Values in all blocks.
  uint64_t capacity() const { return capacity_; }

 private:
  std::vector<std::unique_ptr<Value[]>> blocks_;
  Value* next_ = nullptr;  // in the block that small pieces come from
  uint64_t left_ = 0;      // values of it from next_ on
  uint64_t capacity_ = 0;
};

}  // namespace vineyard

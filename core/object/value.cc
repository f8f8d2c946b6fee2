#include "core/object/value.h"

#include <algorithm>
#include <utility>

namespace vineyard {
bool Value::GetUint64(uint64_t* out) const {
  if (type == ValueType::kInt64 && as.int64 < 0) return false;
  if (type != ValueType::kInt64 && type != ValueType::kUint64) return false;
  *out = as.uint64;
  return true;
}

bool Value::GetInt64(int64_t* out) const {
  if (type == ValueType::kUint64 && as.uint64 > static_cast<uint64_t>(INT64_MAX)) return false;
  if (type != ValueType::kInt64 && type != ValueType::kUint64) return false;
  *out = as.int64;
  return true;
}

const Value* Value::Find(std::string_view key) const {
  for (uint64_t i = 0; i < size; ++i) {
    if (as.items[2 * i].text() == key) return &as.items[2 * i + 1];
  }
  return nullptr;
}

Arena::Arena(Arena&& other) noexcept
    : blocks_(std::exchange(other.blocks_, {})),
      next_(std::exchange(other.next_, nullptr)),
      left_(std::exchange(other.left_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  blocks_ = std::exchange(other.blocks_, {});
  next_ = std::exchange(other.next_, nullptr);
  left_ = std::exchange(other.left_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

Value* Arena::New(uint64_t count) {
  constexpr uint64_t kFirstBlock = 32, kBlock = 4096, kLarge = kBlock / 4;
  if (count > left_) {
    // A large piece gets a block of its own, so that no block is left with much unused.
    uint64_t size =
        count > kLarge ? count : std::max(count, std::clamp(capacity_, kFirstBlock, kBlock));
    Value* block = blocks_.emplace_back(std::make_unique<Value[]>(size)).get();
    capacity_ += size;
    if (count > kLarge) return block;
    next_ = block;
    left_ = size;
  }
  left_ -= count;
  return std::exchange(next_, next_ + count);
}

}  // namespace vineyard

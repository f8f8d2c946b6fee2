// Any bytes as one msgpack value. What is read can be written, and comes back the same.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/object/pack.h"

namespace {

using vineyard::Value;
using vineyard::ValueType;

bool Same(const Value& a, const Value& b) {
  if (a.type != b.type || a.size != b.size) return false;
  if (a.is_text()) return a.text() == b.text();
  bool list = a.is(ValueType::kList), map = a.is(ValueType::kMap);
  if (!list && !map) return std::memcmp(&a.as, &b.as, sizeof a.as) == 0;
  for (uint64_t i = 0; i < (map ? 2 * a.size : a.size); ++i) {
    if (!Same(a.as.items[i], b.as.items[i])) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vineyard::Arena arena, again_arena;
  auto value = vineyard::Unpack({reinterpret_cast<const char*>(data), size}, &arena);
  if (!value.ok()) return 0;
  vineyard::Status status = vineyard::CheckValue(*value);
  // Only text may be wrong in what was read.
  if (!status.ok()) CHECK(status.code() == vineyard::Code::kInvalid);
  std::string packed;
  vineyard::Packer(&packed).Any(*value);
  auto again = vineyard::Unpack(packed, &again_arena);
  CHECK(again.ok() && Same(*value, *again));
  return 0;
}

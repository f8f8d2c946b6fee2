// Any bytes as one msgpack value. The msgpack library reads the same in them; what is read can be
// written, and comes back the same.
#include <cstdint>
#include <cstring>
#include <msgpack.hpp>
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

bool Same(const Value& a, const msgpack::object& b);

bool SameItems(const Value& a, const msgpack::object& b) {
  if (a.is(ValueType::kList)) {
    if (b.type != msgpack::type::ARRAY || b.via.array.size != a.size) return false;
    for (uint32_t i = 0; i < a.size; ++i) {
      if (!Same(a.as.items[i], b.via.array.ptr[i])) return false;
    }
    return true;
  }
  if (b.type != msgpack::type::MAP || b.via.map.size != a.size) return false;
  for (uint32_t i = 0; i < a.size; ++i) {
    const msgpack::object_kv& pair = b.via.map.ptr[i];
    if (!Same(a.as.items[2 * i], pair.key) || !Same(a.as.items[2 * i + 1], pair.val)) return false;
  }
  return true;
}

bool Same(const Value& a, const msgpack::object& b) {
  switch (a.type) {
    case ValueType::kNull:
      return b.type == msgpack::type::NIL;
    case ValueType::kBool:
      return b.type == msgpack::type::BOOLEAN && b.via.boolean == (a.as.boolean != 0);
    case ValueType::kInt64:
      return a.as.int64 < 0 ? b.type == msgpack::type::NEGATIVE_INTEGER && b.via.i64 == a.as.int64
                            : b.type == msgpack::type::POSITIVE_INTEGER && b.via.u64 == a.as.uint64;
    case ValueType::kUint64:
      return b.type == msgpack::type::EXT
                 ? b.via.ext.size == 8
                 : b.type == msgpack::type::POSITIVE_INTEGER && b.via.u64 == a.as.uint64;
    case ValueType::kFloat64: {
      bool number = b.type == msgpack::type::FLOAT64 || b.type == msgpack::type::FLOAT32;
      return number && std::memcmp(&b.via.f64, &a.as.float64, sizeof(double)) == 0;
    }
    case ValueType::kString:
      return b.type == msgpack::type::STR &&
             a.text() == std::string_view(b.via.str.ptr, b.via.str.size);
    case ValueType::kBytes:
      return b.type == msgpack::type::BIN &&
             a.text() == std::string_view(b.via.bin.ptr, b.via.bin.size);
    default:
      return SameItems(a, b);
  }
}

// Whether the library reads the whole input as one value. Its depth is limited, as ours is: it recurses.
bool ReadByLibrary(const char* data, size_t size, msgpack::object_handle* out) {
  size_t offset = 0;
  try {
    *out = msgpack::unpack(
        data, size, offset, nullptr, nullptr,
        msgpack::unpack_limit(size, size, size, size, size, 2 * vineyard::kMaxDepth));
  } catch (const std::exception&) {
    return false;
  }
  return offset == size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  vineyard::Arena arena, again_arena;
  auto value = vineyard::Unpack({reinterpret_cast<const char*>(data), size}, &arena);
  msgpack::object_handle other;
  bool read = ReadByLibrary(reinterpret_cast<const char*>(data), size, &other);
  if (!value.ok()) {
    // What only we refuse.
    const std::string& why = value.status().text();
    CHECK(!read || why == "unknown extension type" || why == "a map key is not a string" ||
          why == "nested too deep");
    return 0;
  }
  CHECK(read && Same(*value, other.get()));
  vineyard::Status status = vineyard::CheckValue(*value);
  // Only text may be wrong in what was read.
  if (!status.ok()) CHECK(status.code() == vineyard::Code::kInvalid);
  std::string packed;
  vineyard::Packer(&packed).Any(*value);
  auto again = vineyard::Unpack(packed, &again_arena);
  CHECK(again.ok() && Same(*value, *again));
  return 0;
}

#include "core/object/pack.h"

#include <algorithm>
#include <bit>
#include <msgpack.hpp>

namespace vineyard {
namespace {

constexpr int8_t kUnsigned = 1;  // extension type: 8 big-endian bytes

// What msgpack::packer wants to write to.
struct Sink {
  std::string* out;
  void write(const char* data, size_t size) { out->append(data, size); }
};

void AppendBigEndian(uint64_t number, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
}

// Builds the tree in one pass. Every value takes at least one byte of input, so `budget_`, the
// bytes not yet promised to a value, bounds all counts together before anything is allocated for
// them.
class Builder : public msgpack::v2::null_visitor {
 public:
  Builder(uint64_t bytes, Arena* arena, uint32_t max_depth)
      : arena_(arena), budget_(bytes), max_depth_(max_depth) {}

  bool visit_nil() { return Leaf(Value::Null()); }
  bool visit_boolean(bool v) { return Leaf(Value::Bool(v)); }
  bool visit_positive_integer(uint64_t v) {
    return Leaf(v <= static_cast<uint64_t>(INT64_MAX) ? Value::Int64(static_cast<int64_t>(v))
                                                      : Value::Uint64(v));
  }
  bool visit_negative_integer(int64_t v) { return Leaf(Value::Int64(v)); }
  bool visit_float32(float v) { return Leaf(Value::Float64(static_cast<double>(v))); }
  bool visit_float64(double v) { return Leaf(Value::Float64(v)); }
  bool visit_str(const char* v, uint32_t size) { return Leaf(Value::String({v, size})); }
  bool visit_bin(const char* v, uint32_t size) { return Leaf(Value::Bytes({v, size})); }
  bool visit_ext(const char* v, uint32_t size) {
    if (size != 9 || static_cast<int8_t>(v[0]) != kUnsigned)
      return Refuse("unknown extension type");
    uint64_t number = 0;
    for (int i = 1; i < 9; ++i) number = number << 8 | static_cast<unsigned char>(v[i]);
    return Leaf(Value::Uint64(number));
  }
  bool start_array(uint32_t size) { return Open(ValueType::kList, size, size); }
  bool start_map(uint32_t pairs) { return Open(ValueType::kMap, pairs, uint64_t{pairs} * 2); }
  bool end_map_key() {
    // The key was the value written last.
    return stack_[depth_].next[-1].is(ValueType::kString) || Refuse("a map key is not a string");
  }
  bool end_array() { return Close(); }
  bool end_map() { return Close(); }
  void parse_error(size_t, size_t) { Refuse("not msgpack"); }
  void insufficient_bytes(size_t, size_t) { Refuse("the bytes end too early"); }

  const char* error() const { return error_; }
  Value root() const { return root_; }

 private:
  struct Level {
    Value* next;
  };

  bool Leaf(Value value) {
    *stack_[depth_].next++ = value;
    return true;
  }
  bool Open(ValueType type, uint64_t size, uint64_t items) {
    if (items >= budget_) return Refuse("a list or map is longer than the bytes that are left");
    if (depth_ == max_depth_) return Refuse("nested too deep");
    budget_ -= items;
    Value* block = items == 0 ? nullptr : arena_->New(items);
    Value value;
    value.type = type;
    value.size = size;
    value.as.items = block;
    *stack_[depth_].next++ = value;
    stack_[++depth_].next = block;
    return true;
  }
  bool Close() {
    --depth_;
    return true;
  }
  bool Refuse(const char* why) {
    if (error_ == nullptr) error_ = why;
    return false;
  }

  Arena* arena_;
  uint64_t budget_;
  uint32_t max_depth_;
  Value root_;
  Level stack_[kMaxDepth + 2] = {{&root_}};
  uint32_t depth_ = 0;
  const char* error_ = nullptr;
};

Status CheckSize(const Value& value) {
  if (value.size > UINT32_MAX) {
    return Limit(Format("a value of %llu bytes or items: at most 4294967295 are allowed",
                        static_cast<unsigned long long>(value.size)));
  }
  return OkStatus();
}

}  // namespace

Packer& Packer::Null() {
  Sink sink{out_};
  msgpack::packer<Sink>(sink).pack_nil();
  return *this;
}
Packer& Packer::Bool(bool value) {
  Sink sink{out_};
  msgpack::packer<Sink> packer(sink);
  value ? packer.pack_true() : packer.pack_false();
  return *this;
}
Packer& Packer::Int(int64_t value) {
  Sink sink{out_};
  msgpack::packer<Sink>(sink).pack_int64(value);
  return *this;
}
Packer& Packer::Uint(uint64_t value) {
  Sink sink{out_};
  msgpack::packer<Sink>(sink).pack_uint64(value);
  return *this;
}
Packer& Packer::Float(double value) {
  // Not pack_double: it writes 2.0 as the integer 2, and -0.0 as 0.
  out_->push_back('\xcb');
  AppendBigEndian(std::bit_cast<uint64_t>(value), out_);
  return *this;
}
Packer& Packer::String(std::string_view text) {
  Sink sink{out_};
  msgpack::packer<Sink> packer(sink);
  packer.pack_str(static_cast<uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<uint32_t>(text.size()));
  return *this;
}
Packer& Packer::Bytes(std::string_view bytes) {
  Sink sink{out_};
  msgpack::packer<Sink> packer(sink);
  packer.pack_bin(static_cast<uint32_t>(bytes.size()));
  packer.pack_bin_body(bytes.data(), static_cast<uint32_t>(bytes.size()));
  return *this;
}
Packer& Packer::Array(uint64_t size) {
  Sink sink{out_};
  msgpack::packer<Sink>(sink).pack_array(static_cast<uint32_t>(size));
  return *this;
}
Packer& Packer::Map(uint64_t pairs) {
  Sink sink{out_};
  msgpack::packer<Sink>(sink).pack_map(static_cast<uint32_t>(pairs));
  return *this;
}

Packer& Packer::Any(const Value& value) {
  switch (value.type) {
    case ValueType::kNull:
      return Null();
    case ValueType::kBool:
      return Bool(value.as.boolean != 0);
    case ValueType::kInt64:
      return Int(value.as.int64);
    case ValueType::kUint64: {
      if (value.as.uint64 > static_cast<uint64_t>(INT64_MAX)) return Uint(value.as.uint64);
      Sink sink{out_};
      msgpack::packer<Sink>(sink).pack_ext(sizeof value.as.uint64, kUnsigned);
      AppendBigEndian(value.as.uint64, out_);
      return *this;
    }
    case ValueType::kFloat64:
      return Float(value.as.float64);
    case ValueType::kString:
      return String(value.text());
    case ValueType::kBytes:
      return Bytes(value.text());
    case ValueType::kList:
      Array(value.size);
      break;
    case ValueType::kMap:
      Map(value.size);
      break;
  }
  uint64_t items = value.is(ValueType::kMap) ? 2 * value.size : value.size;
  for (uint64_t i = 0; i < items; ++i) Any(value.as.items[i]);
  return *this;
}

Packer& Packer::Raw(std::string_view msgpack) {
  out_->append(msgpack);
  return *this;
}

Status CheckValue(const Value& value, uint32_t depth) {
  switch (value.type) {
    case ValueType::kNull:
    case ValueType::kInt64:
    case ValueType::kUint64:
    case ValueType::kFloat64:
      return OkStatus();
    case ValueType::kBool:
      if (value.as.boolean != 0 && value.as.boolean != 1)
        return Invalid("a bool that is not 0 or 1");
      return OkStatus();
    case ValueType::kString:
      RETURN_IF_ERROR(CheckSize(value));
      if (value.size > 0 && value.as.data == nullptr) return Invalid("a string without bytes");
      if (!IsUtf8(value.text())) return Invalid("a string that is not UTF-8");
      return OkStatus();
    case ValueType::kBytes:
      RETURN_IF_ERROR(CheckSize(value));
      if (value.size > 0 && value.as.data == nullptr) return Invalid("bytes without bytes");
      return OkStatus();
    case ValueType::kList:
    case ValueType::kMap:
      break;
    default:
      return Invalid(Format("a value of unknown type %d", static_cast<int>(value.type)));
  }
  RETURN_IF_ERROR(CheckSize(value));
  if (depth >= kMaxDepth) return Limit(Format("a value nested more than %u deep", kMaxDepth));
  if (value.size > 0 && value.as.items == nullptr) return Invalid("a list or map without items");
  bool map = value.is(ValueType::kMap);
  for (uint64_t i = 0; i < (map ? 2 * value.size : value.size); ++i) {
    if (map && i % 2 == 0 && !value.as.items[i].is(ValueType::kString)) {
      return Invalid("a map key that is not a string");
    }
    RETURN_IF_ERROR(CheckValue(value.as.items[i], depth + 1));
  }
  return OkStatus();
}

bool IsUtf8(std::string_view text) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    unsigned char c = at(i);
    if (c < 0x80) {
      ++i;
      continue;
    }
    size_t more;
    // The second byte's range excludes overlong forms, surrogates and what is above U+10FFFF.
    unsigned char low = 0x80, high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
      more = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
      more = 2;
      if (c == 0xe0) low = 0xa0;
      if (c == 0xed) high = 0x9f;
    } else if (c >= 0xf0 && c <= 0xf4) {
      more = 3;
      if (c == 0xf0) low = 0x90;
      if (c == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (text.size() - i <= more || at(i + 1) < low || at(i + 1) > high) return false;
    for (size_t k = 2; k <= more; ++k) {
      if (at(i + k) < 0x80 || at(i + k) > 0xbf) return false;
    }
    i += more + 1;
  }
  return true;
}

Result<Value> Unpack(std::string_view bytes, Arena* arena, uint32_t max_depth) {
  Builder builder(bytes.size(), arena, std::min(max_depth, kMaxDepth + 1));
  size_t offset = 0;
  bool whole = msgpack::v2::parse(bytes.data(), bytes.size(), offset, builder);
  if (builder.error() != nullptr) return Corrupt(builder.error());
  if (!whole) return Corrupt("the bytes end too early");
  if (offset != bytes.size()) return Corrupt("bytes behind the value");
  return builder.root();
}

}  // namespace vineyard

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

// Reads one value after another, a list or map first and then what it holds. By hand, because every get
// of an object reads a record (docs/decisions/0007). msgpack's own parser is the oracle of
// tests/fuzz/unpack_fuzz.cc.
class Reader {
 public:
  explicit Reader(std::string_view bytes)
      : at_(reinterpret_cast<const unsigned char*>(bytes.data())), end_(at_ + bytes.size()) {}

  // The head of the next value, and of text its bytes. Null, or what is wrong.
  const char* Next(Value* out) {
    if (at_ == end_) return kTooShort;
    unsigned char head = *at_++;
    if (head <= 0x7f) return Give(out, Value::Int64(head));
    if (head <= 0x8f) return Give(out, Value::Map(nullptr, head & 0x0f));
    if (head <= 0x9f) return Give(out, Value::List(nullptr, head & 0x0f));
    if (head <= 0xbf) return Text(ValueType::kString, head & 0x1f, out);
    if (head >= 0xe0) return Give(out, Value::Int64(static_cast<int8_t>(head)));
    uint64_t number = 0;
    switch (head) {
      case 0xc0:
        return Give(out, Value::Null());
      case 0xc2:
      case 0xc3:
        return Give(out, Value::Bool(head == 0xc3));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return Number(1u << (head - 0xc4), &number) ? Text(ValueType::kBytes, number, out)
                                                    : kTooShort;
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return Number(1u << (head - 0xc7), &number) ? Extension(number, out) : kTooShort;
      case 0xca:
        if (!Number(4, &number)) return kTooShort;
        return Give(out, Value::Float64(std::bit_cast<float>(static_cast<uint32_t>(number))));
      case 0xcb:
        if (!Number(8, &number)) return kTooShort;
        return Give(out, Value::Float64(std::bit_cast<double>(number)));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        if (!Number(1u << (head - 0xcc), &number)) return kTooShort;
        return Give(out, number <= static_cast<uint64_t>(INT64_MAX)
                             ? Value::Int64(static_cast<int64_t>(number))
                             : Value::Uint64(number));
      case 0xd0:
        return Number(1, &number) ? Give(out, Value::Int64(static_cast<int8_t>(number)))
                                  : kTooShort;
      case 0xd1:
        return Number(2, &number) ? Give(out, Value::Int64(static_cast<int16_t>(number)))
                                  : kTooShort;
      case 0xd2:
        return Number(4, &number) ? Give(out, Value::Int64(static_cast<int32_t>(number)))
                                  : kTooShort;
      case 0xd3:
        return Number(8, &number) ? Give(out, Value::Int64(static_cast<int64_t>(number)))
                                  : kTooShort;
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return Extension(1u << (head - 0xd4), out);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return Number(1u << (head - 0xd9), &number) ? Text(ValueType::kString, number, out)
                                                    : kTooShort;
      case 0xdc:
      case 0xdd:
        return Number(2u << (head - 0xdc), &number) ? Give(out, Value::List(nullptr, number))
                                                    : kTooShort;
      case 0xde:
      case 0xdf:
        return Number(2u << (head - 0xde), &number) ? Give(out, Value::Map(nullptr, number))
                                                    : kTooShort;
      default:  // 0xc1
        return "not msgpack";
    }
  }
  bool at_end() const { return at_ == end_; }

 private:
  static constexpr const char* kTooShort = "the bytes end too early";

  static const char* Give(Value* out, const Value& value) {
    *out = value;
    return nullptr;
  }
  bool Number(uint32_t bytes, uint64_t* out) {  // big-endian
    if (static_cast<uint64_t>(end_ - at_) < bytes) return false;
    for (uint32_t i = 0; i < bytes; ++i) *out = *out << 8 | at_[i];
    at_ += bytes;
    return true;
  }
  const char* Text(ValueType type, uint64_t size, Value* out) {
    if (static_cast<uint64_t>(end_ - at_) < size) return kTooShort;
    out->type = type;
    out->size = size;
    out->as.data = reinterpret_cast<const char*>(at_);
    at_ += size;
    return nullptr;
  }
  const char* Extension(uint64_t size, Value* out) {  // of `size` bytes, behind one for the type
    if (static_cast<uint64_t>(end_ - at_) < size + 1) return kTooShort;
    if (size != sizeof(uint64_t) || static_cast<int8_t>(*at_) != kUnsigned)
      return "unknown extension type";
    ++at_;
    uint64_t number = 0;
    Number(sizeof number, &number);
    *out = Value::Uint64(number);
    return nullptr;
  }

  const unsigned char* at_;
  const unsigned char* const end_;
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

namespace {

// A key that is there twice would be read differently from language to language. REQUIRES: keys are strings.
bool HasTwins(const Value& map) {
  constexpr uint64_t kFew = 12;  // are compared one with another
  auto key = [&map](uint64_t i) { return map.as.items[2 * i].text(); };
  if (map.size <= kFew) {
    for (uint64_t i = 1; i < map.size; ++i) {
      for (uint64_t j = 0; j < i; ++j) {
        if (key(i) == key(j)) return true;
      }
    }
    return false;
  }
  std::vector<std::string_view> keys(map.size);
  for (uint64_t i = 0; i < map.size; ++i) keys[i] = key(i);
  std::sort(keys.begin(), keys.end());
  return std::adjacent_find(keys.begin(), keys.end()) != keys.end();
}

}  // namespace

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
  if (map && HasTwins(value)) return Invalid("a map with a key that is there twice");
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

Result<Value> Unpack(std::string_view bytes, Arena* arena, uint32_t max_depth,
                     uint64_t max_values) {
  // What is being filled: the root, then a list or map within a list or map.
  struct Level {
    Value* next;
    Value* end;
    bool is_map, is_key;
  };
  Value root;
  Level levels[kMaxDepth + 2];
  levels[0] = {&root, &root + 1, false, false};
  uint32_t depth = 0;
  max_depth = std::min(max_depth, kMaxDepth + 1);
  // Every value takes at least one byte of input, so the bytes that are not yet promised to a value
  // bound all counts together before anything is allocated for them.
  uint64_t budget = bytes.size();
  Reader reader(bytes);
  for (Level* level = levels;;) {
    if (level->next == level->end) {
      if (depth == 0) break;
      level = &levels[--depth];
      continue;
    }
    Value* value = level->next++;
    if (const char* wrong = reader.Next(value)) return Corrupt(wrong);
    if (level->is_map) {
      level->is_key = !level->is_key;
      if (level->is_key && !value->is(ValueType::kString))
        return Corrupt("a map key is not a string");
    }
    bool is_map = value->is(ValueType::kMap);
    if (!is_map && !value->is(ValueType::kList)) continue;
    uint64_t items = is_map ? 2 * value->size : value->size;
    if (items >= budget) return Corrupt("a list or map is longer than the bytes that are left");
    if (depth == max_depth) return Corrupt("nested too deep");
    if (items == 0) continue;
    budget -= items;
    if (bytes.size() - budget > max_values) {
      return Limit(Format("more than %llu values", static_cast<unsigned long long>(max_values)));
    }
    Value* block = arena->New(items);
    value->as.items = block;
    level = &levels[++depth];
    *level = {block, block + items, is_map, false};
  }
  if (!reader.at_end()) return Corrupt("bytes behind the value");
  return root;
}

Value PeekScalar(std::string_view map, std::string_view key) {
  Reader reader(map);
  Value head, found, value;
  if (reader.Next(&head) != nullptr || !head.is(ValueType::kMap)) return {};
  for (uint64_t i = 0; i < head.size; ++i) {
    if (reader.Next(&found) != nullptr || !found.is(ValueType::kString)) return {};
    if (reader.Next(&value) != nullptr || value.is(ValueType::kList) || value.is(ValueType::kMap))
      return {};
    if (found.text() == key) return value;
  }
  return {};
}

}  // namespace vineyard

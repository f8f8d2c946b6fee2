// What the files of the C++ program share: values of any registered type, as a program of C++ may have them.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
#include <vineyard/vineyard.hpp>

namespace matrix {

using vineyard::Blob;
using vineyard::Client;
using vineyard::Error;
using vineyard::MetaBuilder;
using vineyard::Object;
using vineyard::ObjectId;
using vineyard::ValueView;

// ---- values ----

struct Value;
using Values = std::vector<Value>;

// Bytes, and what keeps them: a pin, a string, or (of literals) nothing.
struct Buffer {
  Buffer(const char* literal) : bytes(literal) {}       // NOLINT(google-explicit-constructor)
  Buffer(std::string_view literal) : bytes(literal) {}  // NOLINT(google-explicit-constructor)
  Buffer(std::string owned)                             // NOLINT(google-explicit-constructor)
      : holder(std::make_shared<std::string>(std::move(owned))) {
    bytes = *std::static_pointer_cast<const std::string>(holder);
  }
  explicit Buffer(Blob blob)
      : bytes(blob.text()), holder(std::make_shared<Blob>(std::move(blob))) {}

  std::string_view bytes;
  std::shared_ptr<const void> holder;
};

struct Text {
  Buffer buffer;
};
struct Bytes {
  Buffer buffer;
  int32_t kind = VINEYARD_BLOB_BYTES;
};
struct BigInt {
  std::string twos_complement;  // big-endian, as short as possible
};
// A scalar of numpy: a bool, an integer, a double, or the bits of floats that are shorter.
struct Numpy {
  std::string element;
  std::variant<bool, int64_t, uint64_t, double> value;
  std::variant<std::monostate, uint64_t, double> imaginary = {};
};
struct Tuple {
  Values elements;
};
struct List {
  Values elements;
};
struct Dict {
  Values keys_and_values;  // by turns
};
struct Array {
  std::string element;
  std::vector<int64_t> shape;
  Buffer data;
  bool is_fortran = false;
};
struct OfOnesOwn {
  std::string type;
};
struct Unsupported {
  std::string type, why;
};

struct Value {
  using Shared = std::shared_ptr<const Value>;  // the same in several places: one object
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::complex<double>, BigInt, Text,
               Bytes, Numpy, Tuple, List, Dict, Array, OfOnesOwn, Unsupported, Shared>
      is;

  Value() = default;
  Value(int number) : is(int64_t{number}) {}   // NOLINT(google-explicit-constructor)
  Value(const char* text) : is(Text{text}) {}  // NOLINT(google-explicit-constructor)
  template <typename T>
  Value(T value) : is(std::move(value)) {}  // NOLINT(google-explicit-constructor)
};

// ---- encode.cc, decode.cc ----

// The builder of a value, by what docs/types.md says. The value has to live until the put.
MetaBuilder Encode(const Value& value);
// Puts a builder as cpp/<name>, and says so.
void Put(const Client& client, const std::string& name, const MetaBuilder& meta);
// An array's fields, for those that are built by hand.
void SetArrayFields(MetaBuilder* meta, const Array& array);
void SetValue(MetaBuilder* meta, const std::string& name, const vineyard_value& value);

// The value of an object; its bytes are where they lie.
Value Decode(const Object& object);

// ---- print.cc ----

// "[3] 616263": a size and the bytes, or of many a hash.
std::string Data(std::string_view bytes);
void PrintValue(const Value& value, int depth = 0);
void PrintObject(const Object& object);

// ---- cases.cc ----

void WriteCases(const Client& client);

// ---- values of metadata ----

inline vineyard_value FieldOf(int32_t type, uint64_t size = 0) {
  vineyard_value made{};
  made.type = type;
  made.size = size;
  return made;
}
inline vineyard_value Field(int64_t number) {
  vineyard_value made = FieldOf(VINEYARD_VALUE_INT64);
  made.as.int64 = number;
  return made;
}
inline vineyard_value Field(uint64_t number) {
  vineyard_value made = FieldOf(VINEYARD_VALUE_UINT64);
  made.as.uint64 = number;
  return made;
}
inline vineyard_value Field(bool value) {
  vineyard_value made = FieldOf(VINEYARD_VALUE_BOOL);
  made.as.boolean = value ? 1 : 0;
  return made;
}
inline vineyard_value Field(double value) {
  vineyard_value made = FieldOf(VINEYARD_VALUE_FLOAT64);
  made.as.float64 = value;
  return made;
}
inline vineyard_value Field(std::string_view text, int32_t type = VINEYARD_VALUE_STRING) {
  vineyard_value made = FieldOf(type, text.size());
  made.as.data = text.data();
  return made;
}
inline vineyard_value Field(const std::vector<vineyard_value>& items,
                            int32_t type = VINEYARD_VALUE_LIST) {
  vineyard_value made = FieldOf(type, type == VINEYARD_VALUE_MAP ? items.size() / 2 : items.size());
  made.as.items = items.data();
  return made;
}

}  // namespace matrix

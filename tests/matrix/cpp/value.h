// What the files of the C++ program share: handles that give themselves back, and values of any registered type.
#pragma once

#include <vineyard/vineyard.h>

#include <complex>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace matrix {

// ---- handles ----

class Error : public std::runtime_error {
 public:
  explicit Error(int32_t status) : runtime_error(vineyard_error_text()), status(status) {}
  int32_t status;
};

inline void Check(int32_t status) {
  if (status != VINEYARD_OK) throw Error(status);
}

template <auto kRelease>
struct Release {
  template <typename Handle>
  void operator()(Handle* handle) const {
    kRelease(handle);
  }
};

using Client = std::unique_ptr<vineyard_client, Release<vineyard_client_release>>;
using Object = std::unique_ptr<vineyard_object, Release<vineyard_object_release>>;
using Blob = std::unique_ptr<vineyard_blob, Release<vineyard_blob_release>>;
using Meta = std::unique_ptr<vineyard_meta, Release<vineyard_meta_release>>;
using NameList = std::unique_ptr<vineyard_name_list, Release<vineyard_name_list_release>>;

// Make<Blob>(vineyard_blob_get, client, id): calls a function whose last parameter is the handle made.
template <typename Handle, typename Function, typename... Arguments>
Handle Make(Function function, Arguments... arguments) {
  typename Handle::pointer made = nullptr;
  Check(function(arguments..., &made));
  return Handle(made);
}

// ---- values ----

struct Value;
using Values = std::vector<Value>;

// Bytes, and what keeps them: a pin, a string, or (of literals) nothing.
struct Buffer {
  Buffer(const char* literal) : bytes(literal) {}       // NOLINT(google-explicit-constructor)
  Buffer(std::string_view literal) : bytes(literal) {}  // NOLINT(google-explicit-constructor)
  Buffer(std::string owned)                             // NOLINT(google-explicit-constructor)
      : holder(std::make_shared<std::string>(std::move(owned))),
        bytes(*std::static_pointer_cast<const std::string>(holder)) {}
  explicit Buffer(Blob blob)
      : bytes(static_cast<const char*>(vineyard_blob_data(blob.get())),
              vineyard_blob_length(blob.get())) {
    holder = std::shared_ptr<vineyard_blob>(std::move(blob));
  }

  std::shared_ptr<const void> holder;
  std::string_view bytes;
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
Meta Encode(const Value& value);
// Puts a builder as cpp/<name>, and says so.
void Put(vineyard_client* client, const std::string& name, const Meta& meta);
// An array's fields, for those that are built by hand.
void SetArrayFields(vineyard_meta* meta, const Array& array);
void SetValue(vineyard_meta* meta, const std::string& name, const vineyard_value& value);

// The value of an object; its bytes are where they lie.
Value Decode(vineyard_object* object);

// ---- print.cc ----

// "[3] 616263": a size and the bytes, or of many a hash.
std::string Data(std::string_view bytes);
void PrintValue(const Value& value, int depth = 0);
void PrintObject(vineyard_object* object);

// ---- cases.cc ----

void WriteCases(vineyard_client* client);

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

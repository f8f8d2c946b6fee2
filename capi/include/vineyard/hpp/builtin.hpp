// This file is the only place that knows the fields of built-in types (docs/types.md): build_…() makes what
// Python's put makes of the same value, Object::as_…() reads what anybody made.
#ifndef VINEYARD_HPP_BUILTIN_HPP_
#define VINEYARD_HPP_BUILTIN_HPP_

#include <vineyard/vineyard.h>

#include <algorithm>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#include <vineyard/hpp/element.hpp>
#include <vineyard/hpp/meta.hpp>
#include <vineyard/hpp/object.hpp>
#include <vineyard/hpp/span.hpp>
#include <vineyard/hpp/tensor.hpp>

namespace vineyard {
inline namespace v0 {

namespace detail {

// Bytes of text that is a field; longer text is a blob.
inline constexpr std::size_t kMaxLeafText = 16 * 1024;

// What is stored in fields the library checks, what is stored in blobs is ours to check.
inline bool is_utf8(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* end = at + text.size();
  while (at != end) {
    const unsigned lead = *at++;
    if (lead < 0x80) continue;
    const std::ptrdiff_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - at < more) return false;
    // Neither a longer form than needed, nor half a surrogate pair, nor beyond the last character.
    const unsigned least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (*at < least || *at > most) return false;
    for (std::ptrdiff_t i = 1; i < more; ++i) {
      if ((at[i] & 0xc0u) != 0x80u) return false;
    }
    at += more;
  }
  return true;
}

// numpy's descriptor: "<f8".
inline std::string descriptor_of(Element element) {
  const char* const name = element_name(element);
  // int8 i, uint8 u, float16 f, bool b, complex64 c
  const bool one_byte = element_size(element) == 1;
  return std::string(one_byte ? "|" : "<") + name[0] + std::to_string(element_size(element));
}

// A single integer of either signedness as Python stores its int: signed where it fits.
template <class T>
MetaBuilder& set_int(MetaBuilder& builder, std::string_view name, T value) {
  if constexpr (std::is_unsigned_v<T>) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return builder.set(name, static_cast<std::uint64_t>(value));
    }
  }
  return builder.set(name, static_cast<std::int64_t>(value));
}

}  // namespace detail

namespace detail {

// What does not own what it shows.
template <class Range>
inline constexpr bool is_view_v = false;
#ifdef __cpp_lib_span
template <class T, std::size_t kSize>
inline constexpr bool is_view_v<std::span<T, kSize>> = true;
#else
template <class T>
inline constexpr bool is_view_v<span<T>> = true;
#endif
template <class T>
inline constexpr bool is_view_v<TensorView<T>> = true;
template <class T>
inline constexpr bool is_view_v<std::basic_string_view<T>> = true;
// Of a Range&& that was deduced: what it holds is gone before the put.
template <class Range>
inline constexpr bool is_gone_v =
    !std::is_lvalue_reference_v<Range> && !is_view_v<std::remove_cv_t<Range>>;

}  // namespace detail

// ---- building ----------------------------------------------------------------------------------

// vineyard::String. Above 16 KiB `text` is borrowed until the put has returned. InvalidError: not UTF-8.
inline MetaBuilder build_string(std::string_view text) {
  MetaBuilder builder("vineyard::String");
  if (text.size() <= detail::kMaxLeafText) {
    builder.set("value_", text);
  } else if (detail::is_utf8(text)) {
    builder.add_bytes("buffer_", bytes_of(text));
  } else {
    throw InvalidError("string: it is not UTF-8");
  }
  return builder;
}

// Not of text that is gone before the put; Client::put_string takes that.
template <class T, class Owner = std::remove_cv_t<T>,
          std::enable_if_t<detail::is_one_of_v<Owner, std::string, Text>, int> = 0>
MetaBuilder build_string(T&& gone) = delete;

// vineyard::Scalar of nullptr, bool, an integer, a float, a std::complex, as Python's own type.
template <class T>
MetaBuilder build_scalar(const T& value) {
  MetaBuilder builder("vineyard::Scalar");
  const char* kind = "int";
  if constexpr (std::is_same_v<T, std::nullptr_t>) {
    builder.set("value_", nullptr);
    kind = "none";
  } else if constexpr (std::is_same_v<T, bool>) {
    builder.set("value_", value);
    kind = "bool";
  } else if constexpr (detail::is_integer_v<T>) {
    detail::set_int(builder, "value_", value);
  } else if constexpr (detail::is_one_of_v<T, float, double>) {
    builder.set("value_", static_cast<double>(value));
    kind = "float";
  } else {
    static_assert(detail::is_one_of_v<T, std::complex<float>, std::complex<double>>,
                  "no scalar is of this type");
    builder.set("value_", FieldValue::List{static_cast<double>(value.real()),
                                           static_cast<double>(value.imag())});
    kind = "complex";
  }
  builder.set("value_type_", kind).set("scalar_kind_", "python");
  return builder;
}

namespace detail {

// All of a tensor of so many elements but its buffer.
template <class T>
MetaBuilder tensor_form(std::size_t size, const std::vector<std::int64_t>& shape, Order order) {
  constexpr Element kElement = element_of_v<T>;
  static_assert(kElement != Element::kOther, "there is no array of such elements");
  // A shape with a 0 has no element, however large the others are.
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  std::size_t count = empty ? 0 : 1, large = 0;
  std::vector<vineyard_value> lengths;
  lengths.reserve(shape.size());
  for (std::int64_t length : shape) {
    if (length < 0) throw InvalidError("tensor: a dimension is below 0");
    const std::size_t factor = static_cast<std::size_t>(length);
    if (factor != 0 && count > std::numeric_limits<std::size_t>::max() / factor) {
      throw InvalidError("tensor: its shape is larger than any memory");
    }
    count *= factor;
    large += factor > 1 ? 1u : 0u;
    lengths.push_back(raw_of(length));
  }
  if (count != size) {
    throw InvalidError("tensor: a shape of " + std::to_string(count) + " elements for " +
                       std::to_string(size));
  }
  // What has both orders is C's, as it is in Python.
  if (large < 2 || count == 0) order = Order::kC;
  vineyard_value list = raw_of(FieldType::kList);
  list.size = lengths.size();
  list.as.items = lengths.data();
  const vineyard_value none = raw_of(FieldType::kList);

  MetaBuilder builder(shape.size() == 1 ? "vineyard::Array" : "vineyard::Tensor");
  builder.set("value_type_", element_name(kElement))
      .set("shape_", ValueView(&list))
      .set("order_", order == Order::kC ? "C" : "F")
      .set("value_type_meta_", descriptor_of(kElement))
      .set("partition_index_", ValueView(&none));
  return builder;
}

}  // namespace detail

// vineyard::Array for one dimension, else vineyard::Tensor, of `size` elements that lie at `data` in this
// order; borrowed until the put has returned. InvalidError: the shape has another number of elements.
template <class T>
MetaBuilder build_tensor(const T* data, std::size_t size, const std::vector<std::int64_t>& shape,
                         Order order = Order::kC) {
  MetaBuilder builder = detail::tensor_form<T>(size, shape, order);
  builder.add_bytes("buffer_", {reinterpret_cast<const std::byte*>(data), size * sizeof(T)});
  return builder;
}
// The same of a vector, std::array, span or C array.
template <class Range>
MetaBuilder build_tensor(const Range& values, const std::vector<std::int64_t>& shape,
                         Order order = Order::kC) {
  return build_tensor(std::data(values), std::size(values), shape, order);
}
template <class Range>
MetaBuilder build_array(const Range& values) {
  return build_tensor(values, {static_cast<std::int64_t>(std::size(values))});
}
// Not of elements that are gone before the put; Client::put_array and put_tensor take those.
template <class Range, std::enable_if_t<detail::is_gone_v<Range>, int> = 0>
MetaBuilder build_tensor(Range&& gone, const std::vector<std::int64_t>& shape,
                         Order order = Order::kC) = delete;
template <class Range, std::enable_if_t<detail::is_gone_v<Range>, int> = 0>
MetaBuilder build_array(Range&& gone) = delete;
// The same of what was written into shared memory, without a copy: build_tensor<double>(writer, {3, 4}).
template <class T>
MetaBuilder build_tensor(const BlobWriter& writer, const std::vector<std::int64_t>& shape,
                         Order order = Order::kC) {
  MetaBuilder builder = detail::tensor_form<T>(writer.as<T>().size(), shape, order);
  builder.add("buffer_", writer);
  return builder;
}

// ---- reading -----------------------------------------------------------------------------------

namespace detail {

[[noreturn]] inline void wrong_type(const Object& object, std::string_view wanted) {
  throw TypeError("object " + print_id(object.id()) + ": it is a " +
                  std::string(object.type_name()) + ", not " + std::string(wanted));
}

// A scalar's value, of which value_type_ is one of these; TypeError else.
inline ValueView scalar_of(const Object& object, std::initializer_list<std::string_view> kinds,
                           std::string_view* kind = nullptr) {
  if (object.type_name() != "vineyard::Scalar") wrong_type(object, "a vineyard::Scalar");
  const std::string_view found = object.field<std::string_view>("value_type_");
  if (std::find(kinds.begin(), kinds.end(), found) == kinds.end()) {
    throw TypeError("object " + print_id(object.id()) + ": it is a scalar of type " +
                    std::string(found) + ", not " + std::string(*kinds.begin()));
  }
  if (kind != nullptr) *kind = found;
  return object.field("value_");
}

inline double float_of(ValueView value, std::string_view kind) {
  if (kind == "float16") {
    return static_cast<double>(
        static_cast<float>(Float16{static_cast<std::uint16_t>(value.as_uint64())}));
  }
  if (kind == "float32" || kind == "complex64") {
    const auto bits = static_cast<std::uint32_t>(value.as_uint64());
    float real = 0;
    std::memcpy(&real, &bits, sizeof real);
    return static_cast<double>(real);
  }
  return value.as_float64();
}

inline ValueView integer_of(const Object& object) {
  return scalar_of(
      object, {"int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"});
}

}  // namespace detail

inline Text Object::as_text() const {
  if (type_name() != "vineyard::String") detail::wrong_type(*this, "a vineyard::String");
  if (std::optional<ValueView> value = find_field("value_")) return Text(value->as_string());
  return Text(member_blob("buffer_"));
}

inline bool Object::is_none() const {
  if (type_name() != "vineyard::Scalar") detail::wrong_type(*this, "a vineyard::Scalar");
  return field<std::string_view>("value_type_") == "none";
}
inline bool Object::as_bool() const { return detail::scalar_of(*this, {"bool"}).as_bool(); }
inline std::int64_t Object::as_int64() const { return detail::integer_of(*this).as_int64(); }
inline std::uint64_t Object::as_uint64() const { return detail::integer_of(*this).as_uint64(); }
inline double Object::as_float64() const {
  std::string_view kind;
  const ValueView value =
      detail::scalar_of(*this, {"float", "float64", "float32", "float16"}, &kind);
  return detail::float_of(value, kind);
}
inline std::complex<double> Object::as_complex() const {
  std::string_view kind;
  const ValueView value = detail::scalar_of(*this, {"complex", "complex128", "complex64"}, &kind);
  return {detail::float_of(value.at(0), kind), detail::float_of(value.at(1), kind)};
}

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_BUILTIN_HPP_

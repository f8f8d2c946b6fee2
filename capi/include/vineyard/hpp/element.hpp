// The element types of arrays, and which C++ type each is.
#ifndef VINEYARD_HPP_ELEMENT_HPP_
#define VINEYARD_HPP_ELEMENT_HPP_

#include <vineyard/vineyard.h>

#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vineyard/hpp/value.hpp>

namespace vineyard {
inline namespace v0 {

enum class Element : std::int32_t {
  kOther = VINEYARD_ELEMENT_OTHER,  // known to Python only
  kInt8 = VINEYARD_ELEMENT_INT8,
  kInt16 = VINEYARD_ELEMENT_INT16,
  kInt32 = VINEYARD_ELEMENT_INT32,
  kInt64 = VINEYARD_ELEMENT_INT64,
  kUint8 = VINEYARD_ELEMENT_UINT8,
  kUint16 = VINEYARD_ELEMENT_UINT16,
  kUint32 = VINEYARD_ELEMENT_UINT32,
  kUint64 = VINEYARD_ELEMENT_UINT64,
  kFloat16 = VINEYARD_ELEMENT_FLOAT16,
  kFloat32 = VINEYARD_ELEMENT_FLOAT32,
  kFloat64 = VINEYARD_ELEMENT_FLOAT64,
  kBool = VINEYARD_ELEMENT_BOOL,
  kComplex64 = VINEYARD_ELEMENT_COMPLEX64,
  kComplex128 = VINEYARD_ELEMENT_COMPLEX128
};

// "float64"; static storage.
inline const char* element_name(Element element) noexcept {
  return vineyard_element_name(static_cast<std::int32_t>(element));
}
// Bytes of one; 0: kOther.
inline std::size_t element_size(Element element) noexcept {
  return static_cast<std::size_t>(vineyard_element_size(static_cast<std::int32_t>(element)));
}

// A float of 16 bits as it is stored; C++ has no such type before C++23.
struct Float16 {
  std::uint16_t bits = 0;

  // Exact: every such value is a float; of a NaN its sign and its payload.
  explicit operator float() const noexcept {
    const std::uint32_t sign = (bits & 0x8000u) << 16u;
    std::uint32_t exponent = (bits >> 10) & 0x1fu;
    std::uint32_t fraction = bits & 0x3ffu;
    if (exponent == 0x1f) {
      exponent = 0xff;  // infinities and NaN
    } else if (exponent != 0) {
      exponent += 127 - 15;
    } else if (fraction != 0) {
      // A subnormal lacks the leading one and has the exponent of the least normal number.
      exponent = 127 - 14;
      for (; (fraction & 0x400u) == 0; --exponent) fraction <<= 1;
      fraction &= 0x3ffu;
    }
    const std::uint32_t wide = sign | exponent << 23u | fraction << 13u;
    float value = 0;
    std::memcpy(&value, &wide, sizeof value);
    return value;
  }
  friend bool operator==(Float16 one, Float16 other) noexcept { return one.bits == other.bits; }
  friend bool operator!=(Float16 one, Float16 other) noexcept { return one.bits != other.bits; }
};

// A bool as it is stored: a byte that any process may have written, where 0 is false and all others are true. C++'s own
// bool may not be anything but 0 and 1.
struct Bool {
  std::uint8_t byte = 0;

  // NOLINTNEXTLINE(google-explicit-constructor): it is one.
  operator bool() const noexcept { return byte != 0; }
};

namespace detail {

// What is read where elements of type T lie.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<bool> {
  using type = Bool;
};
template <class T>
using stored_t = typename Stored<T>::type;

template <class T>
constexpr Element element_of() noexcept {
  if constexpr (is_integer_v<T>) {
    constexpr Element kSigned[] = {Element::kInt8, Element::kInt16, Element::kInt32,
                                   Element::kInt64};
    constexpr Element kUnsigned[] = {Element::kUint8, Element::kUint16, Element::kUint32,
                                     Element::kUint64};
    constexpr int kIndex = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? kSigned[kIndex] : kUnsigned[kIndex];
  } else if constexpr (std::is_same_v<T, Float16>) {
    return Element::kFloat16;
  } else if constexpr (std::is_same_v<T, float>) {
    return Element::kFloat32;
  } else if constexpr (std::is_same_v<T, double>) {
    return Element::kFloat64;
  } else if constexpr (std::is_same_v<T, bool>) {
    return Element::kBool;
  } else if constexpr (std::is_same_v<T, std::complex<float>>) {
    return Element::kComplex64;
  } else if constexpr (std::is_same_v<T, std::complex<double>>) {
    return Element::kComplex128;
  } else {
    return Element::kOther;
  }
}

}  // namespace detail

// Of std::int8_t ... std::uint64_t, Float16, float, double, bool, std::complex<float>, std::complex<double>;
// kOther: there is no array of T.
template <class T>
inline constexpr Element element_of_v = detail::element_of<std::remove_cv_t<T>>();

static_assert(sizeof(bool) == 1 && sizeof(Bool) == 1 && sizeof(Float16) == 2 &&
                  sizeof(std::complex<double>) == 16,
              "arrays are read in place");

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_ELEMENT_HPP_

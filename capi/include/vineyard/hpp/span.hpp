// This file is the only place that says what a span is: std::span where the language has it, else a small
// one of the same names.
#ifndef VINEYARD_HPP_SPAN_HPP_
#define VINEYARD_HPP_SPAN_HPP_

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#if __cplusplus >= 202002L && __has_include(<span>)
#include <span>
#endif

namespace vineyard {
inline namespace v0 {

#ifdef __cpp_lib_span

using std::span;

#else

// The tag becomes part of the name of every function that takes or answers one, so that parts of a program
// that were compiled as C++17 and as C++20 can be linked.
template <class T>
class [[gnu::abi_tag("own_span")]] span {
  template <class Range>
  using Data = decltype(std::declval<Range&>().data());
  template <class Range>
  using Fits =
      std::enable_if_t<std::is_convertible_v<std::remove_pointer_t<Data<Range>>(*)[], T(*)[]> &&
                       std::is_convertible_v<decltype(std::declval<Range&>().size()), std::size_t>>;

 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using pointer = T*;
  using reference = T&;
  using iterator = T*;

  constexpr span() noexcept = default;
  constexpr span(T * data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <std::size_t kSize>
  constexpr span(T(&array)[kSize]) noexcept  // NOLINT(google-explicit-constructor): as std::span
      : data_(array), size_(kSize) {}
  // A lvalue that may be written to, or anything whose elements are only read.
  template <class Range, class = Fits<Range>>
  constexpr span(Range & range)  // NOLINT(google-explicit-constructor): as std::span
      : data_(range.data()), size_(range.size()) {}
  template <class Range, class = Fits<const Range>>
  constexpr span(const Range& range)  // NOLINT(google-explicit-constructor): as std::span
      : data_(range.data()), size_(range.size()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr std::size_t size_bytes() const noexcept { return size_ * sizeof(T); }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T& operator[](std::size_t index) const { return data_[index]; }
  constexpr T& front() const { return data_[0]; }
  constexpr T& back() const { return data_[size_ - 1]; }
  constexpr T* begin() const noexcept { return data_; }
  constexpr T* end() const noexcept { return data_ + size_; }
  constexpr span first(std::size_t count) const { return {data_, count}; }
  constexpr span last(std::size_t count) const { return {data_ + (size_ - count), count}; }
  constexpr span subspan(std::size_t offset, std::size_t count = std::size_t(-1)) const {
    return {data_ + offset, count == std::size_t(-1) ? size_ - offset : count};
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

#endif

// The bytes of text, or of elements without a pointer or padding in them.
inline span<const std::byte> bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
template <class Range,
          class T = std::remove_pointer_t<decltype(std::declval<const Range&>().data())>,
          class = std::enable_if_t<std::is_trivially_copyable_v<T>>>
span<const std::byte> bytes_of(const Range& range) noexcept {
  return {reinterpret_cast<const std::byte*>(range.data()), range.size() * sizeof(T)};
}
// And back.
inline std::string_view text_of(span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_SPAN_HPP_

// This file is the only place that says what all wrappers are made of: owners of handles, text with a NUL
// behind it, and iterators over what is answered by index. Not for users.
#ifndef VINEYARD_HPP_DETAIL_HPP_
#define VINEYARD_HPP_DETAIL_HPP_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vineyard/hpp/error.hpp>

namespace vineyard {
inline namespace v0 {

namespace detail {

template <class Handle, void (*release)(Handle*)>
struct Release {
  void operator()(Handle* handle) const noexcept { release(handle); }
};
template <class Handle, void (*release)(Handle*)>
using Owner = std::unique_ptr<Handle, Release<Handle, release>>;

// Paths, names and keys: on the stack unless they are long.
class CText {
 public:
  explicit CText(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
      throw InvalidError("text: a path, name or key can not hold NUL");
    }
    if (text.size() < sizeof small_) {
      if (!text.empty()) std::memcpy(small_, text.data(), text.size());
      small_[text.size()] = '\0';
    } else {
      large_ = text;
      text_ = large_.c_str();
    }
  }
  CText(const CText&) = delete;
  CText& operator=(const CText&) = delete;
  const char* c_str() const noexcept { return text_; }

 private:
  char small_[96];
  std::string large_;
  const char* text_ = small_;
};

// Over source(0) ... source(count - 1), which are values, made when they are asked for.
template <class Source>
class IndexIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = decltype(std::declval<const Source&>()(std::size_t{}));
  using difference_type = std::ptrdiff_t;
  using reference = value_type;
  using pointer = void;

  IndexIterator() = default;
  IndexIterator(Source source, std::size_t index) : source_(source), index_(index) {}
  value_type operator*() const { return source_(index_); }
  IndexIterator& operator++() {
    ++index_;
    return *this;
  }
  IndexIterator operator++(int) {
    IndexIterator before = *this;
    ++index_;
    return before;
  }
  friend bool operator==(const IndexIterator& one, const IndexIterator& other) {
    return one.index_ == other.index_;
  }
  friend bool operator!=(const IndexIterator& one, const IndexIterator& other) {
    return one.index_ != other.index_;
  }

 private:
  Source source_{};
  std::size_t index_ = 0;
};

// Over what range.next() answers until that is empty. One pass: all iterators of a range are at the same place.
template <class Range>
class NextIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using Next = decltype(std::declval<Range&>().next());
  using value_type = typename Next::value_type;
  using difference_type = std::ptrdiff_t;
  using reference = const value_type&;
  using pointer = const value_type*;

  NextIterator() = default;
  explicit NextIterator(Range* range) : range_(range) { ++*this; }
  const value_type& operator*() const { return *current_; }
  const value_type* operator->() const { return &*current_; }
  NextIterator& operator++() {
    current_ = range_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  // Equal: both are at the end.
  friend bool operator==(const NextIterator& one, const NextIterator& other) {
    return one.current_.has_value() == other.current_.has_value();
  }
  friend bool operator!=(const NextIterator& one, const NextIterator& other) {
    return !(one == other);
  }

 private:
  Range* range_ = nullptr;
  Next current_;
};

}  // namespace detail
}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_DETAIL_HPP_

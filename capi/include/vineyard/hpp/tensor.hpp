// Arrays of any number of dimensions, read in place.
#ifndef VINEYARD_HPP_TENSOR_HPP_
#define VINEYARD_HPP_TENSOR_HPP_

#include <vineyard/vineyard.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vineyard/hpp/element.hpp>
#include <vineyard/hpp/error.hpp>
#include <vineyard/hpp/span.hpp>

namespace vineyard {
inline namespace v0 {

// Which index varies fastest in memory: the last, or the first.
enum class Order { kC, kFortran };

namespace detail {

// What tensors have in common, whatever their elements are.
class TensorForm {
 public:
  explicit TensorForm(const vineyard_tensor& raw) noexcept : raw_(raw) {}

  Element element() const noexcept { return static_cast<Element>(raw_.element); }
  Order order() const noexcept { return raw_.is_fortran != 0 ? Order::kFortran : Order::kC; }
  // Sizes of the dimensions: none of a tensor of one element, {n} of an Array.
  span<const std::int64_t> shape() const noexcept {
    return {raw_.shape, static_cast<std::size_t>(raw_.dimensions)};
  }
  std::size_t dimensions() const noexcept { return static_cast<std::size_t>(raw_.dimensions); }

 protected:
  vineyard_tensor raw_;
};

}  // namespace detail

// An array of elements of any type: what Object::tensor() answers. Borrowed from the object; thread-safe.
class TensorBytes : public detail::TensorForm {
 public:
  using TensorForm::TensorForm;
  // Of all elements; of kOther: to the end of the blob.
  span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(raw_.data), static_cast<std::size_t>(raw_.data_size)};
  }
};

// An array of T: what Object::tensor<T>() answers. Borrowed from the object: valid for as long as that.
// Thread-safe. As a range: its elements as they lie in memory; those of TensorView<bool> are Bool.
template <class T>
class TensorView : public detail::TensorForm {
  static_assert(element_of_v<T> != Element::kOther, "there is no array of such elements");

 public:
  using value_type = detail::stored_t<T>;

  // TypeError: its elements are others, or lie where T can not be read in place.
  explicit TensorView(const vineyard_tensor& raw) : TensorForm(raw) {
    if (element() != element_of_v<T>) {
      throw TypeError(std::string("array: its elements are ") + element_name(element()) + ", not " +
                      element_name(element_of_v<T>));
    }
    if (reinterpret_cast<std::uintptr_t>(raw.data) % alignof(T) != 0) {
      throw TypeError(std::string("array: its elements do not lie where ") +
                      element_name(element()) + " can be read in place; copy tensor().bytes()");
    }
  }

  const value_type* data() const noexcept { return static_cast<const value_type*>(raw_.data); }
  std::size_t size() const noexcept { return static_cast<std::size_t>(raw_.data_size) / sizeof(T); }
  bool empty() const noexcept { return size() == 0; }
  span<const value_type> values() const noexcept { return {data(), size()}; }
  const value_type* begin() const noexcept { return data(); }
  const value_type* end() const noexcept { return data() + size(); }
  // The element at this place in memory. REQUIRES: place < size().
  const value_type& operator[](std::size_t place) const { return data()[place]; }

  // One index for each dimension, whatever the order. REQUIRES: as many, each within its dimension.
  template <class... Indexes>
  const value_type& operator()(Indexes... indexes) const {
    const std::size_t list[] = {static_cast<std::size_t>(indexes)..., 0};
    return data()[place_of(list, sizeof...(indexes))];
  }
  // The same, checked: InvalidError.
  template <class... Indexes>
  const value_type& at(Indexes... indexes) const {
    const std::size_t list[] = {static_cast<std::size_t>(indexes)..., 0};
    if (sizeof...(indexes) != dimensions()) {
      throw InvalidError("array: " + std::to_string(sizeof...(indexes)) + " indexes into " +
                         std::to_string(dimensions()) + " dimensions");
    }
    for (std::size_t i = 0; i < dimensions(); ++i) {
      if (list[i] >= static_cast<std::size_t>(raw_.shape[i])) {
        throw InvalidError("array: index " + std::to_string(i) + " lies behind its dimension of " +
                           std::to_string(raw_.shape[i]));
      }
    }
    return data()[place_of(list, sizeof...(indexes))];
  }

 private:
  std::size_t place_of(const std::size_t* indexes, std::size_t count) const {
    std::size_t place = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t dimension = raw_.is_fortran != 0 ? count - 1 - i : i;
      place = place * static_cast<std::size_t>(raw_.shape[dimension]) + indexes[dimension];
    }
    return place;
  }
};

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_TENSOR_HPP_

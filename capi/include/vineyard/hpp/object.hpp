// Objects, read in place: fields, members, arrays.
#ifndef VINEYARD_HPP_OBJECT_HPP_
#define VINEYARD_HPP_OBJECT_HPP_

#include <vineyard/vineyard.h>

#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vineyard/hpp/blob.hpp>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/ids.hpp>
#include <vineyard/hpp/tensor.hpp>
#include <vineyard/hpp/value.hpp>

namespace vineyard {
inline namespace v0 {

enum class InstanceState : std::int32_t {
  kAlive = VINEYARD_INSTANCE_ALIVE,
  kLost = VINEYARD_INSTANCE_LOST  // its daemon has been away for longer than a restart takes
};

using TimePoint = std::chrono::system_clock::time_point;

namespace detail {

// Unix milliseconds, of which 0 says that nobody knows.
inline std::optional<TimePoint> time_of(std::uint64_t unix_ms) {
  if (unix_ms == 0) return std::nullopt;
  return TimePoint(std::chrono::milliseconds(static_cast<std::int64_t>(unix_ms)));
}

}  // namespace detail

// Text of an object, where it lies. Valid for as long as both this and the object.
class Text {
 public:
  explicit Text(std::string_view view) noexcept : view_(view) {}
  explicit Text(Blob blob) noexcept : blob_(std::move(blob)), view_(blob_.text()) {}
  std::string_view view() const noexcept { return view_; }
  operator std::string_view() const noexcept {  // NOLINT(google-explicit-constructor): it is one
    return view_;
  }

 private:
  Blob blob_;  // of long text
  std::string_view view_;
};

// A sealed object, pinned with its whole tree. Read-only; thread-safe.
class Object {
 public:
  struct Field {
    std::string_view name;  // borrowed from the object, as the value
    ValueView value;
  };
  struct Member {
    std::string_view name;  // borrowed from the object
    ObjectId id;
  };

  Object() = default;
  explicit Object(vineyard_object* handle) noexcept : handle_(handle) {}
  vineyard_object* handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  ObjectId id() const noexcept { return vineyard_object_id(handle()); }
  // Borrowed from the object.
  std::string_view type_name() const noexcept { return vineyard_object_type_name(handle()); }
  // Payload bytes of the whole tree.
  std::uint64_t nbytes() const noexcept { return vineyard_object_nbytes(handle()); }
  // Number of the instance that owns it.
  std::uint64_t instance() const noexcept { return vineyard_object_instance(handle()); }
  // The user who put it, and who alone changes it.
  std::uint32_t owner_uid() const noexcept { return vineyard_object_owner_uid(handle()); }
  // When it was got.
  bool is_persisted() const noexcept { return vineyard_object_is_persisted(handle()) != 0; }

  // ---- of other instances: metadata is read as always, a payload is a RemoteError or LostError ----

  bool is_remote() const noexcept { return vineyard_object_is_remote(handle()) != 0; }
  // Whether it reaches objects of another instance than its owner.
  bool is_global() const {
    std::int32_t global = 0;
    detail::check(vineyard_object_is_global(handle(), &global));
    return global != 0;
  }
  InstanceState owner_state() const noexcept {
    return static_cast<InstanceState>(vineyard_object_owner_state(handle()));
  }
  // Since when that is so, if it is known.
  std::optional<TimePoint> owner_since() const {
    return detail::time_of(vineyard_object_owner_since_ms(handle()));
  }
  // Borrowed from the object; "": this host, or not known.
  std::string_view owner_host() const noexcept { return vineyard_object_owner_host(handle()); }
  // From when on what is known of it may be old; nothing: it is not.
  std::optional<TimePoint> stale_since() const {
    return detail::time_of(vineyard_object_stale_since_ms(handle()));
  }

  // ---- fields: NotFoundError; TypeError: it is of another type, or does not fit ----

  // Borrowed from the object.
  ValueView field(std::string_view name) const {
    const vineyard_value* value = nullptr;
    detail::check(vineyard_object_field(handle(), detail::CText(name).c_str(), &value));
    return ValueView(value);
  }
  std::optional<ValueView> find_field(std::string_view name) const {
    const vineyard_value* value = nullptr;
    const std::int32_t status =
        vineyard_object_field(handle(), detail::CText(name).c_str(), &value);
    if (status == VINEYARD_E_NOT_FOUND) return std::nullopt;
    detail::check(status);
    return ValueView(value);
  }
  // T: bool, an integer (of either signedness, where it fits), double, std::string, FieldValue; borrowed
  // from the object: std::string_view, span<const std::byte>, ValueView.
  template <class T>
  T field(std::string_view name) const;

  // for (auto [name, value] : object.fields()), in the order in which they were set.
  class Fields {
   public:
    struct Source {
      const vineyard_object* object;
      Field operator()(std::size_t index) const {
        const char* name = nullptr;
        std::uint64_t size = 0;
        const vineyard_value* value = nullptr;
        detail::check(vineyard_object_field_at(object, index, &name, &size, &value));
        return {{name, static_cast<std::size_t>(size)}, ValueView(value)};
      }
    };
    using iterator = detail::IndexIterator<Source>;
    explicit Fields(const vineyard_object* object) noexcept : source_{object} {}
    std::size_t size() const noexcept {
      return static_cast<std::size_t>(vineyard_object_field_count(source_.object));
    }
    iterator begin() const { return {source_, 0}; }
    iterator end() const { return {source_, size()}; }

   private:
    Source source_;
  };
  // Borrowed from the object.
  Fields fields() const noexcept { return Fields(handle()); }

  // ---- members: NotFoundError ----

  // Held by the pin of this object: no message. It may live longer.
  Object member(std::string_view name) const {
    vineyard_object* made = nullptr;
    detail::check(vineyard_object_member(handle(), detail::CText(name).c_str(), &made));
    return Object(made);
  }
  Object member_at(std::size_t index) const {
    vineyard_object* made = nullptr;
    detail::check(vineyard_object_member_by_index(handle(), index, &made));
    return Object(made);
  }
  std::optional<Object> find_member(std::string_view name) const {
    vineyard_object* made = nullptr;
    const std::int32_t status =
        vineyard_object_member(handle(), detail::CText(name).c_str(), &made);
    if (status == VINEYARD_E_NOT_FOUND) return std::nullopt;
    detail::check(status);
    return Object(made);
  }
  ObjectId member_id(std::string_view name) const {
    ObjectId id = kNoObject;
    detail::check(vineyard_object_member_id(handle(), detail::CText(name).c_str(), &id));
    return id;
  }
  // TypeError: it is not a blob.
  Blob member_blob(std::string_view name) const {
    vineyard_blob* made = nullptr;
    detail::check(vineyard_object_member_blob(handle(), detail::CText(name).c_str(), &made));
    return Blob(made);
  }

  // for (auto [name, id] : object.members()), in the order in which they were added.
  class Members {
   public:
    struct Source {
      const vineyard_object* object;
      Member operator()(std::size_t index) const {
        const char* name = nullptr;
        std::uint64_t size = 0;
        ObjectId id = kNoObject;
        detail::check(vineyard_object_member_at(object, index, &name, &size, &id));
        return {{name, static_cast<std::size_t>(size)}, id};
      }
    };
    using iterator = detail::IndexIterator<Source>;
    explicit Members(const vineyard_object* object) noexcept : source_{object} {}
    std::size_t size() const noexcept {
      return static_cast<std::size_t>(vineyard_object_member_count(source_.object));
    }
    iterator begin() const { return {source_, 0}; }
    iterator end() const { return {source_, size()}; }

   private:
    Source source_;
  };
  // Borrowed from the object.
  Members members() const noexcept { return Members(handle()); }

  // ---- what it is: TypeError when it is something else ----

  // The object itself as a blob.
  Blob blob() const {
    vineyard_blob* made = nullptr;
    detail::check(vineyard_object_blob(handle(), &made));
    return Blob(made);
  }
  // A vineyard::Tensor or vineyard::Array; borrowed from the object. CorruptError: its shape and its blob disagree.
  TensorBytes tensor() const { return TensorBytes(raw_tensor()); }
  template <class T>
  TensorView<T> tensor() const {
    return TensorView<T>(raw_tensor());
  }
  // A vineyard::String: in place, and as a copy.
  Text as_text() const;
  std::string as_string() const { return std::string(as_text().view()); }
  // A vineyard::Scalar; the value has to be of this kind: as_float64 does not read integers.
  bool is_none() const;
  bool as_bool() const;
  std::int64_t as_int64() const;
  std::uint64_t as_uint64() const;
  double as_float64() const;  // float16, float32, too
  std::complex<double> as_complex() const;

 private:
  vineyard_tensor raw_tensor() const {
    vineyard_tensor raw = VINEYARD_TENSOR_INIT;
    detail::check(vineyard_object_tensor(handle(), &raw));
    return raw;
  }

  detail::Owner<vineyard_object, vineyard_object_release> handle_;
};

namespace detail {

// Narrower integers: TypeError, as the library says it of 64 bits.
template <class T, class Wide>
T narrowed(Wide value, const char* name) {
  if (value < static_cast<Wide>(std::numeric_limits<T>::min()) ||
      value > static_cast<Wide>(std::numeric_limits<T>::max())) {
    throw TypeError(std::string("field '") + name + "': " + std::to_string(value) +
                    " does not fit " + std::to_string(8 * sizeof(T)) + " bits");
  }
  return static_cast<T>(value);
}

}  // namespace detail

template <class T>
T Object::field(std::string_view name) const {
  const detail::CText key(name);
  if constexpr (std::is_same_v<T, bool>) {
    std::int32_t value = 0;
    detail::check(vineyard_object_field_bool(handle(), key.c_str(), &value));
    return value != 0;
  } else if constexpr (detail::is_integer_v<T> && std::is_signed_v<T>) {
    std::int64_t value = 0;
    detail::check(vineyard_object_field_int64(handle(), key.c_str(), &value));
    return detail::narrowed<T>(value, key.c_str());
  } else if constexpr (detail::is_integer_v<T>) {
    std::uint64_t value = 0;
    detail::check(vineyard_object_field_uint64(handle(), key.c_str(), &value));
    return detail::narrowed<T>(value, key.c_str());
  } else if constexpr (std::is_same_v<T, double>) {
    double value = 0;
    detail::check(vineyard_object_field_float64(handle(), key.c_str(), &value));
    return value;
  } else if constexpr (detail::is_one_of_v<T, std::string_view, std::string>) {
    const char* text = nullptr;
    std::uint64_t size = 0;
    detail::check(vineyard_object_field_string(handle(), key.c_str(), &text, &size));
    return T(text, static_cast<std::size_t>(size));
  } else if constexpr (std::is_same_v<T, span<const std::byte>>) {
    const char* data = nullptr;
    std::uint64_t size = 0;
    detail::check(vineyard_object_field_bytes(handle(), key.c_str(), &data, &size));
    return bytes_of(std::string_view(data, static_cast<std::size_t>(size)));
  } else {
    static_assert(detail::is_one_of_v<T, ValueView, FieldValue>, "no field is of this type");
    return T(field(name));
  }
}

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_OBJECT_HPP_

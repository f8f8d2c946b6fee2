// Objects being built.
#ifndef VINEYARD_HPP_META_HPP_
#define VINEYARD_HPP_META_HPP_

#include <vineyard/vineyard.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vineyard/hpp/blob.hpp>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/ids.hpp>
#include <vineyard/hpp/span.hpp>
#include <vineyard/hpp/value.hpp>

namespace vineyard {
inline namespace v0 {

// A type name, fields and members; Client::put stores it, once, with all that is below it. Thread-compatible.
//
//   client.put(MetaBuilder("example::Ticker").set("symbol", "VY").set("lots", 3).add("prices", id));
//
// Every name is set once: ExistsError. Fields and members keep the order in which they were given.
class MetaBuilder {
 public:
  MetaBuilder() = default;
  explicit MetaBuilder(vineyard_meta* handle) noexcept : handle_(handle) {}
  explicit MetaBuilder(std::string_view type_name) {
    vineyard_meta* made = nullptr;
    detail::check(vineyard_meta_create(detail::CText(type_name).c_str(), &made));
    handle_.reset(made);
  }
  // A blob: for one that is a member in several places, or is put by itself under a name. `payload` is
  // borrowed until the put has returned.
  static MetaBuilder blob(span<const std::byte> payload, PayloadKind kind = PayloadKind::kBuffer) {
    vineyard_meta* made = nullptr;
    detail::check(vineyard_meta_create_blob(payload.data(), payload.size(),
                                            static_cast<std::int32_t>(kind), &made));
    return MetaBuilder(made);
  }
  vineyard_meta* handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  // A field: nullptr, bool, an integer, a float, text (copied), a FieldValue or ValueView (copied).
  template <class T>
  MetaBuilder& set(std::string_view name, const T& value) {
    const detail::CText key(name);
    if constexpr (std::is_same_v<T, std::nullptr_t>) {
      detail::check(vineyard_meta_set_null(handle(), key.c_str()));
    } else if constexpr (std::is_same_v<T, bool>) {
      detail::check(vineyard_meta_set_bool(handle(), key.c_str(), value ? 1 : 0));
    } else if constexpr (detail::is_integer_v<T> && std::is_signed_v<T>) {
      detail::check(vineyard_meta_set_int64(handle(), key.c_str(), value));
    } else if constexpr (detail::is_integer_v<T>) {
      detail::check(vineyard_meta_set_uint64(handle(), key.c_str(), value));
    } else if constexpr (detail::is_one_of_v<T, float, double>) {
      detail::check(vineyard_meta_set_float64(handle(), key.c_str(), value));
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      const std::string_view text = value;
      detail::check(vineyard_meta_set_string(handle(), key.c_str(), text.data(), text.size()));
    } else if constexpr (std::is_same_v<T, ValueView>) {
      const vineyard_value null{};
      detail::check(vineyard_meta_set_value(handle(), key.c_str(),
                                            value.raw() != nullptr ? value.raw() : &null));
    } else {
      static_assert(std::is_convertible_v<const T&, FieldValue>, "no field is of this type");
      const FieldValue& field = value;
      const FieldValue::Raw raw(field);
      detail::check(vineyard_meta_set_value(handle(), key.c_str(), raw.get()));
    }
    return *this;
  }
  // A field of bytes, copied.
  MetaBuilder& set_bytes(std::string_view name, span<const std::byte> value) {
    detail::check(
        vineyard_meta_set_bytes(handle(), detail::CText(name).c_str(), value.data(), value.size()));
    return *this;
  }

  // A member: an object that exists.
  MetaBuilder& add(std::string_view name, ObjectId id) {
    detail::check(vineyard_meta_add_id(handle(), detail::CText(name).c_str(), id));
    return *this;
  }
  // Stored by the same put. It may be a member in several places (one object), and may go before the put.
  MetaBuilder& add(std::string_view name, const MetaBuilder& member) {
    detail::check(vineyard_meta_add_meta(handle(), detail::CText(name).c_str(), member.handle()));
    return *this;
  }
  // A blob, sealed by the same put.
  MetaBuilder& add(std::string_view name, const BlobWriter& writer) {
    detail::check(vineyard_meta_add_writer(handle(), detail::CText(name).c_str(), writer.handle()));
    return *this;
  }
  // A blob, made by the same put of these bytes, which are borrowed until that has returned.
  MetaBuilder& add_bytes(std::string_view name, span<const std::byte> payload,
                         PayloadKind kind = PayloadKind::kBuffer) {
    detail::check(vineyard_meta_add_bytes(handle(), detail::CText(name).c_str(), payload.data(),
                                          payload.size(), static_cast<std::int32_t>(kind)));
    return *this;
  }

  // After the put: the id of its object; before: kNoObject.
  ObjectId id() const noexcept { return vineyard_meta_id(handle()); }

 private:
  detail::Owner<vineyard_meta, vineyard_meta_release> handle_;
};

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_META_HPP_

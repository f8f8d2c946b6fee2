// Values of fields: ValueView borrows one, FieldValue is one of your own.
#ifndef VINEYARD_HPP_VALUE_HPP_
#define VINEYARD_HPP_VALUE_HPP_

#include <vineyard/vineyard.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/span.hpp>

namespace vineyard {
inline namespace v0 {

enum class FieldType : std::int32_t {
  kNull = VINEYARD_VALUE_NULL,
  kBool = VINEYARD_VALUE_BOOL,
  kInt64 = VINEYARD_VALUE_INT64,
  kUint64 = VINEYARD_VALUE_UINT64,
  kFloat64 = VINEYARD_VALUE_FLOAT64,
  kString = VINEYARD_VALUE_STRING,
  kBytes = VINEYARD_VALUE_BYTES,
  kList = VINEYARD_VALUE_LIST,
  kMap = VINEYARD_VALUE_MAP
};

// A value that something else holds (an object, a list of the daemon's): valid for as long as that.
// Thread-safe. as_...() of another type than the value's: TypeError.
class ValueView {
 public:
  // `value` may be null: a null.
  explicit ValueView(const vineyard_value* value = nullptr) noexcept : value_(value) {}
  const vineyard_value* raw() const noexcept { return value_; }

  FieldType type() const noexcept {
    return value_ != nullptr ? static_cast<FieldType>(value_->type) : FieldType::kNull;
  }
  bool is_null() const noexcept { return type() == FieldType::kNull; }
  bool as_bool() const { return of(FieldType::kBool, "a bool").as.boolean != 0; }
  // Integers of either signedness, where they fit.
  std::int64_t as_int64() const {
    if (type() == FieldType::kUint64 &&
        value_->as.uint64 <= std::uint64_t(std::numeric_limits<std::int64_t>::max())) {
      return static_cast<std::int64_t>(value_->as.uint64);
    }
    return of(FieldType::kInt64, "an integer that fits 64 signed bits").as.int64;
  }
  std::uint64_t as_uint64() const {
    if (type() == FieldType::kInt64 && value_->as.int64 >= 0) {
      return static_cast<std::uint64_t>(value_->as.int64);
    }
    return of(FieldType::kUint64, "an integer that fits 64 unsigned bits").as.uint64;
  }
  double as_float64() const { return of(FieldType::kFloat64, "a float").as.float64; }
  std::string_view as_string() const {
    const vineyard_value& value = of(FieldType::kString, "a string");
    return {value.as.data, static_cast<std::size_t>(value.size)};
  }
  span<const std::byte> as_bytes() const {
    const vineyard_value& value = of(FieldType::kBytes, "bytes");
    return bytes_of(std::string_view(value.as.data, static_cast<std::size_t>(value.size)));
  }

  // Bytes of a string or of bytes, items of a list, pairs of a map; else 0.
  std::size_t size() const noexcept {
    return value_ != nullptr ? static_cast<std::size_t>(value_->size) : 0;
  }

  // NotFoundError: index >= size().
  ValueView at(std::size_t index) const {
    const vineyard_value& list = of(FieldType::kList, "a list");
    return ValueView(&list.as.items[within(index)]);
  }
  std::string_view key_at(std::size_t index) const { return pair_at(index, 0).as_string(); }
  ValueView value_at(std::size_t index) const { return pair_at(index, 1); }
  // Of a map; where a key is there twice, the first.
  std::optional<ValueView> find(std::string_view key) const {
    of(FieldType::kMap, "a map");
    for (std::size_t i = 0; i < size(); ++i) {
      if (key_at(i) == key) return value_at(i);
    }
    return std::nullopt;
  }
  // NotFoundError.
  ValueView at(std::string_view key) const {
    std::optional<ValueView> found = find(key);
    if (!found) throw NotFoundError("value: no key '" + std::string(key) + "'");
    return *found;
  }

  // The items of a list: for (ValueView item : value.items()).
  class Items {
   public:
    explicit Items(const vineyard_value* list) noexcept : source_{list} {}
    struct Source {
      const vineyard_value* list;
      ValueView operator()(std::size_t index) const { return ValueView(&list->as.items[index]); }
    };
    using iterator = detail::IndexIterator<Source>;
    iterator begin() const { return {source_, 0}; }
    iterator end() const { return {source_, size()}; }
    std::size_t size() const noexcept { return static_cast<std::size_t>(source_.list->size); }

   private:
    Source source_;
  };
  Items items() const { return Items(&of(FieldType::kList, "a list")); }

 private:
  const vineyard_value& of(FieldType wanted, const char* name) const {
    if (type() != wanted || value_ == nullptr) {
      throw TypeError(std::string("value: it is not ") + name);
    }
    return *value_;
  }
  std::size_t within(std::size_t index) const {
    if (index >= size()) throw NotFoundError("value: the index is behind the last item");
    return index;
  }
  ValueView pair_at(std::size_t index, std::size_t part) const {
    const vineyard_value& map = of(FieldType::kMap, "a map");
    return ValueView(&map.as.items[2 * within(index) + part]);
  }

  const vineyard_value* value_;
};

namespace detail {

template <class T, class... Others>
inline constexpr bool is_one_of_v = (std::is_same_v<T, Others> || ...);
// Not bool and no character.
template <class T>
inline constexpr bool is_integer_v =
    is_one_of_v<T, signed char, unsigned char, short, unsigned short, int, unsigned, long,
                unsigned long, long long, unsigned long long>;

}  // namespace detail

// A value of any type. Lists and maps nest up to kMaxDepth deep, as in a field: LimitError. Thread-compatible.
class FieldValue {
 public:
  static constexpr std::uint32_t kMaxDepth = 60;
  using Bytes = std::vector<std::byte>;
  using List = std::vector<FieldValue>;
  using Map = std::vector<std::pair<std::string, FieldValue>>;  // in this order

  // Implicit, so that lists and maps read as what they hold.
  // NOLINTBEGIN(google-explicit-constructor)
  FieldValue(std::nullptr_t = nullptr) {}
  template <class T, std::enable_if_t<std::is_same_v<T, bool>, int> = 0>
  FieldValue(T value) : value_(value) {}
  template <class T, std::enable_if_t<detail::is_integer_v<T>, long> = 0>
  FieldValue(T value)
      : value_(static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(
            value)) {}
  // Only these: characters, enumerations and long double would become floats without a word.
  template <class T, std::enable_if_t<detail::is_one_of_v<T, float, double>, char> = 0>
  FieldValue(T value) : value_(static_cast<double>(value)) {}
  FieldValue(std::string_view value) : value_(std::string(value)) {}
  FieldValue(const char* value) : value_(std::string(value)) {}
  FieldValue(std::string value) : value_(std::move(value)) {}
  FieldValue(Bytes value) : value_(std::move(value)) {}
  FieldValue(List value) : value_(measured(std::move(value))) {}
  FieldValue(Map value) : value_(measured(std::move(value))) {}
  // NOLINTEND(google-explicit-constructor)
  // A copy of what is borrowed, all of it.
  explicit FieldValue(ValueView value) : FieldValue(value, 1) {}

  FieldType type() const noexcept { return static_cast<FieldType>(value_.index()); }
  friend bool operator==(const FieldValue& one, const FieldValue& other) {
    return one.value_ == other.value_;
  }
  friend bool operator!=(const FieldValue& one, const FieldValue& other) { return !(one == other); }

  // The same as C has it: valid until the value goes or changes.
  class Raw {
   public:
    explicit Raw(const FieldValue& value) : root_(make(value)) {}
    explicit Raw(FieldValue&& gone) = delete;
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    const vineyard_value* get() const noexcept { return &root_; }
    ValueView view() const noexcept { return ValueView(&root_); }

   private:
    vineyard_value make(const FieldValue& value);

    std::deque<std::vector<vineyard_value>> blocks_;
    vineyard_value root_;
  };

 private:
  // `level`: that of a list or map there.
  FieldValue(ValueView value, std::uint32_t level);
  // With how deep it nests: looked at when it is made, so that no copy, comparison or end of a value goes down
  // further than a stack does.
  template <class Items>
  struct Nested {
    Items items;
    std::uint32_t depth;
    friend bool operator==(const Nested& one, const Nested& other) {
      return one.items == other.items;
    }
  };
  static const FieldValue& value_in(const FieldValue& item) noexcept { return item; }
  static const FieldValue& value_in(const Map::value_type& pair) noexcept { return pair.second; }
  std::uint32_t depth() const noexcept {
    if (const auto* list = std::get_if<Nested<List>>(&value_)) return list->depth;
    if (const auto* map = std::get_if<Nested<Map>>(&value_)) return map->depth;
    return 0;
  }
  template <class Items>
  static Nested<Items> measured(Items items) {
    Nested<Items> nested{std::move(items), 1};
    for (const auto& item : nested.items) {
      nested.depth = std::max(nested.depth, value_in(item).depth() + 1);
    }
    check(nested.depth);
    return nested;
  }
  static void check(std::uint32_t depth) {
    if (depth > kMaxDepth) {
      throw LimitError("value: lists and maps nested more than " + std::to_string(kMaxDepth) +
                       " deep");
    }
  }

  // In the order of FieldType.
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Bytes,
               Nested<List>, Nested<Map>>
      value_;
};

inline FieldValue::FieldValue(ValueView value, std::uint32_t level) {
  switch (value.type()) {
    case FieldType::kNull:
      break;
    case FieldType::kBool:
      value_ = value.as_bool();
      break;
    case FieldType::kInt64:
      value_ = value.as_int64();
      break;
    case FieldType::kUint64:
      value_ = value.as_uint64();
      break;
    case FieldType::kFloat64:
      value_ = value.as_float64();
      break;
    case FieldType::kString:
      value_ = std::string(value.as_string());
      break;
    case FieldType::kBytes: {
      span<const std::byte> bytes = value.as_bytes();
      value_ = Bytes(bytes.begin(), bytes.end());
      break;
    }
    case FieldType::kList: {
      check(level);
      List list;
      list.reserve(value.size());
      for (ValueView item : value.items()) list.push_back(FieldValue(item, level + 1));
      value_ = measured(std::move(list));
      break;
    }
    case FieldType::kMap: {
      check(level);
      Map map;
      map.reserve(value.size());
      for (std::size_t i = 0; i < value.size(); ++i) {
        map.emplace_back(std::string(value.key_at(i)), FieldValue(value.value_at(i), level + 1));
      }
      value_ = measured(std::move(map));
      break;
    }
    default:
      throw TypeError("value: of a type that this header does not know");
  }
}

namespace detail {

inline vineyard_value raw_of(FieldType type) noexcept {
  vineyard_value raw{};
  raw.type = static_cast<std::int32_t>(type);
  return raw;
}
inline vineyard_value raw_of(FieldType type, const void* data, std::size_t size) noexcept {
  vineyard_value raw = raw_of(type);
  raw.size = size;
  raw.as.data = static_cast<const char*>(data);
  return raw;
}
inline vineyard_value raw_of(std::string_view text) noexcept {
  return raw_of(FieldType::kString, text.data(), text.size());
}
inline vineyard_value raw_of(std::int64_t value) noexcept {
  vineyard_value raw = raw_of(FieldType::kInt64);
  raw.as.int64 = value;
  return raw;
}

}  // namespace detail

inline vineyard_value FieldValue::Raw::make(const FieldValue& value) {
  vineyard_value raw = detail::raw_of(value.type());
  if (const auto* boolean = std::get_if<bool>(&value.value_)) {
    raw.as.boolean = *boolean ? 1 : 0;
  } else if (const auto* number = std::get_if<std::int64_t>(&value.value_)) {
    raw.as.int64 = *number;
  } else if (const auto* size = std::get_if<std::uint64_t>(&value.value_)) {
    raw.as.uint64 = *size;
  } else if (const auto* real = std::get_if<double>(&value.value_)) {
    raw.as.float64 = *real;
  } else if (const auto* text = std::get_if<std::string>(&value.value_)) {
    raw = detail::raw_of(*text);
  } else if (const auto* bytes = std::get_if<Bytes>(&value.value_)) {
    raw = detail::raw_of(value.type(), bytes->data(), bytes->size());
  } else if (const auto* list = std::get_if<Nested<List>>(&value.value_)) {
    std::vector<vineyard_value>& items = blocks_.emplace_back();
    items.reserve(list->items.size());
    for (const FieldValue& item : list->items) items.push_back(make(item));
    raw.size = list->items.size();
    raw.as.items = items.data();
  } else if (const auto* map = std::get_if<Nested<Map>>(&value.value_)) {
    std::vector<vineyard_value>& items = blocks_.emplace_back();
    items.reserve(2 * map->items.size());
    for (const auto& [key, item] : map->items) {
      items.push_back(detail::raw_of(key));
      items.push_back(make(item));
    }
    raw.size = map->items.size();
    raw.as.items = items.data();
  }
  return raw;
}

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_VALUE_HPP_

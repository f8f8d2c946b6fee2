// What comes in numbers: objects and names page by page, and copies of labels, types and the daemon's report.
#ifndef VINEYARD_HPP_LISTS_HPP_
#define VINEYARD_HPP_LISTS_HPP_

#include <vineyard/vineyard.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/ids.hpp>
#include <vineyard/hpp/value.hpp>

namespace vineyard {
inline namespace v0 {

// Ids of objects, fetched as they are read: for (ObjectId id : client.list("vineyard::Tensor")). One pass.
// Thread-compatible.
class ObjectList {
 public:
  ObjectList() = default;
  explicit ObjectList(vineyard_list* handle) noexcept : handle_(handle) {}
  vineyard_list* handle() const noexcept { return handle_.get(); }

  // Nothing at the end.
  std::optional<ObjectId> next() {
    ObjectId id = kNoObject;
    detail::check(vineyard_list_next(handle(), &id));
    return id != kNoObject ? std::optional(id) : std::nullopt;
  }
  using iterator = detail::NextIterator<ObjectList>;
  iterator begin() { return iterator(this); }
  iterator end() { return {}; }

 private:
  detail::Owner<vineyard_list, vineyard_list_release> handle_;
};

struct NamedObject {
  std::string name;
  ObjectId id = kNoObject;
  std::uint64_t revision = 0;
};

// Names in byte order, likewise: for (const NamedObject& named : client.names("model/*")). Thread-compatible.
class NameList {
 public:
  NameList() = default;
  explicit NameList(vineyard_name_list* handle) noexcept : handle_(handle) {}
  vineyard_name_list* handle() const noexcept { return handle_.get(); }

  // Nothing at the end.
  std::optional<NamedObject> next() {
    const char* name = nullptr;
    NamedObject named;
    detail::check(vineyard_name_list_next(handle(), &name, &named.id, &named.revision));
    if (name == nullptr) return std::nullopt;
    named.name = name;
    return named;
  }
  using iterator = detail::NextIterator<NameList>;
  iterator begin() { return iterator(this); }
  iterator end() { return {}; }

 private:
  detail::Owner<vineyard_name_list, vineyard_name_list_release> handle_;
};

// A copy that a handle holds: Kind says of what. Texts of its items are borrowed from it. Thread-compatible.
template <class Kind>
class CountedList {
 public:
  using Handle = typename Kind::Handle;
  using value_type = typename Kind::Item;

  CountedList() = default;
  explicit CountedList(Handle* handle) noexcept : handle_(handle) {}
  Handle* handle() const noexcept { return handle_.get(); }

  std::size_t size() const noexcept { return static_cast<std::size_t>(Kind::count(handle())); }
  bool empty() const noexcept { return size() == 0; }
  // NotFoundError: index >= size().
  value_type at(std::size_t index) const { return Kind::at(handle(), index); }

  struct Source {
    const Handle* list;
    value_type operator()(std::size_t index) const { return Kind::at(list, index); }
  };
  using iterator = detail::IndexIterator<Source>;
  iterator begin() const { return {Source{handle()}, 0}; }
  iterator end() const { return {Source{handle()}, size()}; }

 private:
  detail::Owner<Handle, Kind::release> handle_;
};

namespace detail {

struct LabelKind {
  struct Item {
    std::string_view key, value;
  };
  using Handle = vineyard_labels;
  static constexpr auto count = vineyard_labels_count;
  static constexpr auto release = vineyard_labels_release;
  static Item at(const Handle* list, std::size_t index) {
    const char *key = nullptr, *value = nullptr;
    check(vineyard_labels_at(list, index, &key, &value));
    return {key, value};
  }
};

struct TypeKind {
  struct Item {
    std::string_view name;
    std::uint64_t objects;
  };
  using Handle = vineyard_types;
  static constexpr auto count = vineyard_types_count;
  static constexpr auto release = vineyard_types_release;
  static Item at(const Handle* list, std::size_t index) {
    const char* name = nullptr;
    std::uint64_t objects = 0;
    check(vineyard_types_at(list, index, &name, &objects));
    return {name, objects};
  }
};

struct InfoKind {
  struct Item {
    std::string_view name;
    ValueView value;  // a number (as_uint64) or text
  };
  using Handle = vineyard_info;
  static constexpr auto count = vineyard_info_count;
  static constexpr auto release = vineyard_info_release;
  static Item at(const Handle* list, std::size_t index) {
    const char* name = nullptr;
    const vineyard_value* value = nullptr;
    check(vineyard_info_at(list, index, &name, &value));
    return {name, ValueView(value)};
  }
};

}  // namespace detail

// The labels of an object: for (auto [key, value] : client.labels(id)).
class LabelList : public CountedList<detail::LabelKind> {
 public:
  using CountedList::CountedList;
  std::optional<std::string_view> find(std::string_view key) const {
    for (auto [found, value] : *this) {
      if (found == key) return value;
    }
    return std::nullopt;
  }
};

// The type names that have objects: for (auto [name, objects] : client.types()).
class TypeList : public CountedList<detail::TypeKind> {
 public:
  using CountedList::CountedList;
};

// What the daemon reports of itself, in the order in which people should read it.
class InfoList : public CountedList<detail::InfoKind> {
 public:
  using CountedList::CountedList;
  std::optional<ValueView> find(std::string_view name) const {
    for (auto [found, value] : *this) {
      if (found == name) return value;
    }
    return std::nullopt;
  }
};

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_LISTS_HPP_

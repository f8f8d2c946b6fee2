// This file is the only place that knows which objects have which type: for every type name its ids
// in ascending order. Deleted ids stay until they are half of a list; who reads asks `is_alive`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/ids.h"

namespace vineyard::store {

class TypeIndex {
 public:
  struct Ids {
    std::vector<ObjectId> ids;
    uint64_t dead = 0;
    uint64_t alive() const { return ids.size() - dead; }
  };

  void Add(std::string_view type_name, ObjectId id) {
    auto found = types_.find(type_name);
    if (found == types_.end()) found = types_.emplace(std::string(type_name), Ids{}).first;
    std::vector<ObjectId>& ids = found->second.ids;
    // Ids grow, so this is the end, except for a lease that was sealed late.
    ids.insert(
        ids.empty() || ids.back() < id ? ids.end() : std::lower_bound(ids.begin(), ids.end(), id),
        id);
  }
  // For many at once, in any order; Sort makes it right.
  std::vector<ObjectId>* Raw(std::string_view type_name) {
    auto found = types_.find(type_name);
    if (found == types_.end()) found = types_.emplace(std::string(type_name), Ids{}).first;
    return &found->second.ids;
  }
  void Sort() {
    for (auto& [name, type] : types_) {
      if (!std::is_sorted(type.ids.begin(), type.ids.end()))
        std::sort(type.ids.begin(), type.ids.end());
    }
  }

  // So many objects are gone from what `is_alive` accepts, and nobody else that was not removed here: all
  // that one change took, in one call.
  template <typename IsAlive>
  void Remove(std::string_view type_name, uint64_t count, IsAlive is_alive) {
    auto found = types_.find(type_name);
    if (found == types_.end()) return;
    Ids& type = found->second;
    type.dead += count;
    if (type.dead == type.ids.size()) {
      types_.erase(found);
    } else if (type.dead * 2 > type.ids.size() && type.dead > 64) {
      std::erase_if(type.ids, [&](ObjectId id) { return !is_alive(id); });
      type.dead = 0;
    }
  }

  const std::map<std::string, Ids, std::less<>>& types() const { return types_; }
  void Clear() { types_.clear(); }

 private:
  std::map<std::string, Ids, std::less<>> types_;
};

}  // namespace vineyard::store

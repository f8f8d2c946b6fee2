// Whether everything that a tree links to, directly or not, is there and on living instances.
#pragma once

#include <set>
#include <vector>

#include "core/meta/catalog.h"

namespace vineyard::meta {

inline bool IsComplete(const Catalog& catalog, ObjectId home) {
  std::set<ObjectId> seen = {home};
  std::vector<ObjectId> open = {home};
  while (!open.empty()) {
    ObjectId next = open.back();
    open.pop_back();
    if (catalog.TreeOf(next).empty()) return false;
    auto owner = catalog.instances().find(*catalog.OwnerOf(next));
    if (owner == catalog.instances().end() || owner->second.lost) return false;
    for (ObjectId link : catalog.LinksOf(next)) {
      if (seen.insert(link).second) open.push_back(link);
    }
  }
  return true;
}

}  // namespace vineyard::meta

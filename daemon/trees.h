// This file is the only place that makes trees of a cluster out of objects in memory: which nodes belong to
// the tree of a root, and what it links to. It changes nothing.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/base/result.h"
#include "core/meta/catalog.h"
#include "core/store/store.h"

namespace vineyard::daemon {

// What is to be persisted together.
struct Forest {
  struct Grown {
    std::string tree;  // encoded
    ObjectId home = kInvalidId;
    std::vector<ObjectId> nodes;
  };
  std::vector<Grown> trees;  // linked ones first
  // Members, or roots themselves, that are neither here nor in the catalog; with the root they were met below.
  std::vector<std::pair<ObjectId, ObjectId>> unknown;
  std::vector<ObjectId> under_way;  // on their way into the catalog: to be looked at again
  // A tree that can not be: too large, a damaged record. What is published again goes on without it.
  Status error;
  std::vector<std::pair<ObjectId, Status>> failed;
};

class TreeGrower {
 public:
  struct Rules {
    // The home of what the cluster knows.
    std::function<std::optional<ObjectId>(ObjectId)> home_of;
    // Another persist has sent it.
    std::function<bool(ObjectId)> is_under_way;
    // Publish again what a cluster has lost: links may lead to what is not known (yet). Homes are to be added
    // in the order of their ids, so that those that are linked to come first.
    bool again = false;
  };
  TreeGrower(const store::Store* store, uint64_t instance, Rules rules)
      : store_(store), instance_(instance), rules_(std::move(rules)) {}

  // The tree of `root`, unless it is in the cluster or in this forest already.
  void Add(ObjectId root);
  Forest Take() { return std::move(forest_); }

 private:
  void Grow(ObjectId root);
  void Fail(ObjectId root, Status why);

  const store::Store* const store_;
  const uint64_t instance_;
  const Rules rules_;
  Forest forest_;
  std::unordered_map<ObjectId, ObjectId> places_;  // node -> home, of this forest
};

// The nodes of a home in memory: what is persisted below it and no home itself. The home first.
std::vector<ObjectId> NodesOf(const store::Store& store, ObjectId home);

}  // namespace vineyard::daemon

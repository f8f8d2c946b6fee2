// This file is the only place that turns a change into what ZooKeeper is asked: the ops of its multi, and what
// the log will say of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/meta/catalog.h"
#include "core/meta/model.h"
#include "core/meta/zookeeper/removal.h"
#include "core/meta/zookeeper/schema.h"
#include "core/meta/zookeeper/types.h"

namespace vineyard::meta::zookeeper {

// The node of a name, as it was read for a change.
struct KnownName {
  int32_t version = -1;  // of the node; -1: there is none
  NameNode node;
};
struct Known {
  std::map<std::string, KnownName, std::less<>> names;
  std::map<ObjectId, zookeeper::Node> trees;
  std::map<uint64_t, zookeeper::Node> places;
  // Of a delete: whether the catalog is not enough, and then what else was read.
  bool is_exact = false;
  bool gone_too = false;  // Removing::gone_too
  Found found;
  std::optional<Removal> removal;
};

struct Plan {
  std::vector<Op> ops;
  std::vector<Trace> traces;
  std::unordered_map<ObjectId, std::string> trees;  // bytes of what the traces tell of
  ObjectId id = kInvalidId;                         // of the answer
  uint64_t value = 0;
  bool more = false;  // a part: what is left needs another plan when this one is applied
};

// What a change touches, as hashes: two that touch the same may not be under way together, but for sharing what
// both only need to stay. Two that touch different things may seem to touch the same, and wait.
struct Touched {
  std::vector<uint64_t> alone, shared;
};
Touched TouchedBy(const Change& change, const Catalog& catalog);

// What has to be read first, because the multi says which version it is of, or whether it is there.
struct ToRead {
  std::vector<std::string> names;
  std::vector<ObjectId> trees;
  std::vector<uint64_t> places;
  std::vector<ObjectId> children;   // of trees
  std::vector<std::string> exists;  // paths
  size_t size() const {
    return names.size() + trees.size() + places.size() + children.size() + exists.size();
  }
};
// What is missing in `known`; to be asked again when that was read, until nothing is.
Result<ToRead> ToReadFor(const Change& change, const Catalog& catalog, const Paths& paths,
                         Known* known);

// `known`: all of ToReadFor(). What the nodes say wins over the catalog.
// REQUIRES: catalog.Check(change).ok(), but for compared revisions and names that are taken.
Result<Plan> PlanOf(const Change& change, const Catalog& catalog, const Known& known,
                    const Paths& paths, uint64_t generation);

}  // namespace vineyard::meta::zookeeper

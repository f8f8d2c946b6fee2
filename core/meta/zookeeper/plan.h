// This file is the only place that turns a change into what ZooKeeper is asked: the ops of its multi, and what
// the log will say of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/meta/catalog.h"
#include "core/meta/model.h"
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
};

struct Plan {
  std::vector<Op> ops;
  std::vector<Trace> traces;
  std::unordered_map<ObjectId, std::string> trees;  // bytes of what the traces tell of
  ObjectId id = kInvalidId;                         // of the answer
  uint64_t value = 0;
};

// What a change touches: two that touch the same may not be under way together, but for sharing what both only
// need to stay.
struct Touched {
  std::set<std::string, std::less<>> alone, shared;
};
Touched TouchedBy(const Change& change, const Catalog& catalog);

// What has to be read first, because the multi says which version it is of: names, and homes.
struct ToRead {
  std::vector<std::string> names;
  std::vector<ObjectId> trees;
};
ToRead ToReadFor(const Change& change, const Catalog& catalog);

// `known`: all of ToReadFor(). What the nodes say wins over the catalog.
// REQUIRES: catalog.Check(change).ok(), but for compared revisions and names that are taken.
Result<Plan> PlanOf(const Change& change, const Catalog& catalog, const Known& known,
                    const Paths& paths, uint64_t generation);

}  // namespace vineyard::meta::zookeeper

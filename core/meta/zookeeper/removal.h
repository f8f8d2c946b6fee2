// This file is the only place that decides what of a delete goes into one multi: all of it, or, when there is too
// much, a part that makes it less: names and links first, then the trees.
//
// A part is planned from the catalog as long as that is believed. After a refusal, and when there are many parts,
// the children of each tree are read: a link that was never made, or one that was left behind, is seen only there.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/meta/catalog.h"
#include "core/meta/zookeeper/schema.h"

namespace vineyard::meta::zookeeper {

// What one multi takes: nodes under trees, names and trees; and its size.
inline constexpr size_t kRemovalOps = 1000;
inline constexpr size_t kRemovalBytes = 256 << 10;

// What was read about the trees that go.
struct Found {
  std::map<ObjectId, std::optional<std::vector<std::string>>>
      children;                        // nothing: the tree is gone
  std::map<std::string, bool> exists;  // by path
};

struct Removal {
  struct Piece {
    ObjectId home = kInvalidId;
    std::vector<std::string> names;  // that refer to it
    std::vector<std::string> nodes;  // other nodes under it, by their last component
    std::vector<ObjectId> links;     // where it left one
    bool is_whole = false;           // the tree goes, too
    bool is_gone = false;            // it did: somebody removed it by hand
  };
  std::vector<Piece> pieces;
  bool is_all = false;  // nothing is left behind it

  // To be read before there are pieces.
  std::vector<ObjectId> children;
  std::vector<std::string> exists;
  bool is_ready() const { return children.empty() && exists.empty(); }
};

// The homes that go, in this order. `force`: whoever links to them. kInUse: somebody does, and no force.
struct Removing {
  std::vector<ObjectId> homes;
  bool force = false;
  // What the catalog has and ZooKeeper has not was removed by hand, since no change did it: all are told.
  bool gone_too = false;
};
// From the catalog: whole trees; nothing when the first is too much for a multi.
std::optional<Removal> RemovalOf(const Removing& removing, const Catalog& catalog);
// From what was found, as far as it is; is_ready() says whether that is enough.
Result<Removal> RemovalOf(const Removing& removing, const Catalog& catalog, const Paths& paths,
                          const Found& found);

}  // namespace vineyard::meta::zookeeper

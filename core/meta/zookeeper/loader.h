// This file is the only place that reads a whole cluster: instances, trees and names, as of some time at or after
// a point of the log that is noted first, so that following from there makes it exact.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/meta/catalog.h"
#include "core/meta/zookeeper/connection.h"
#include "core/meta/zookeeper/guard.h"
#include "core/meta/zookeeper/schema.h"

namespace vineyard::meta::zookeeper {

class Loader {
 public:
  // Fills the catalog, which is empty. What can not be read is left out and logged; `done` gets the status of
  // the connection. `on_unreadable` is told of what is for those who know another secret.
  Loader(Connection* connection, const Paths* paths, Catalog* catalog,
         std::function<void(vineyard::Status)> on_unreadable,
         std::function<void(vineyard::Status)> done);

  // Names that are free again and still have a node, with the generation in which they were dropped.
  std::vector<std::pair<uint64_t, std::string>> TakeDropped() { return std::move(dropped_); }

 private:
  enum class What { kPlaces, kTrees, kNames };
  void List(What what);
  void Next();
  void Make(const std::string& folder);
  void Read(const std::string& path);
  void Keep(const std::string& path, Node node);
  void Fail(const vineyard::Status& status);
  Deadline Soon() const { return Deadline::After(30000); }

  Connection* const connection_;
  const Paths* const paths_;
  Catalog* const catalog_;
  const std::function<void(vineyard::Status)> on_unreadable_;
  std::function<void(vineyard::Status)> done_;
  Guard guard_;
  What what_ = What::kPlaces;
  std::deque<std::string> folders_, nodes_;  // still to list, still to read
  size_t under_way_ = 0;
  std::vector<std::pair<uint64_t, std::string>> dropped_;
};

}  // namespace vineyard::meta::zookeeper

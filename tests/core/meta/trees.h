// Trees to persist, without a store.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/meta/tree.h"
#include "core/object/pack.h"
#include "core/object/record.h"

namespace vineyard::meta {

// An object with nothing but members, as the tree of one put would be persisted.
class TreeMaker {
 public:
  explicit TreeMaker(uint64_t owner) { tree_.owner = owner; }
  TreeMaker& Object(ObjectId id, std::string_view type, const std::vector<Member>& members = {}) {
    texts_.push_back(EncodeRecord(id, type, 8, tree_.owner, members, "\x80"));
    Node node;
    node.id = id;
    node.record = texts_.back();
    tree_.nodes.push_back(node);
    return *this;
  }
  TreeMaker& Blob(ObjectId id, uint64_t value_size = 8, BlobKind kind = BlobKind::kBuffer) {
    Node node;
    node.id = id;
    node.kind = kind;
    node.value_size = value_size;
    tree_.nodes.push_back(node);
    return *this;
  }
  TreeMaker& LinkTo(ObjectId home, std::vector<ObjectId> ids) {
    tree_.links.push_back({home, std::move(ids)});
    return *this;
  }
  const Tree& tree() const { return tree_; }
  std::string Bytes() const {
    auto bytes = EncodeTree(tree_);
    EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
    return bytes.ok() ? *bytes : std::string();
  }

 private:
  std::deque<std::string> texts_;
  Tree tree_;
};

// A vineyard::Array and its blob: counters `counter` and `counter` + 1.
inline std::string ArrayTree(uint64_t instance, uint64_t counter) {
  ObjectId id = MakeId(false, instance, counter), blob = MakeId(true, instance, counter + 1);
  return TreeMaker(instance).Object(id, "vineyard::Array", {{"buffer_", blob}}).Blob(blob).Bytes();
}

}  // namespace vineyard::meta

#include "daemon/trees.h"

#include <utility>

#include "core/meta/tree.h"
#include "core/shm/layout.h"

namespace vineyard::daemon {

void TreeGrower::Add(ObjectId root) {
  if (root == kEmptyBlobId || rules_.home_of(root) || places_.contains(root)) return;
  if (rules_.is_under_way(root)) {
    forest_.under_way.push_back(root);
  } else if (!store_->Look(root)) {
    forest_.unknown.emplace_back(root, root);
  } else {
    Grow(root);
  }
}

void TreeGrower::Grow(ObjectId root) {
  meta::Tree tree;
  tree.owner = instance_;
  std::vector<ObjectId> nodes{root};
  std::unordered_map<ObjectId, size_t> links;  // home -> place in tree.links
  std::unordered_set<ObjectId> seen{root};
  auto link = [&](ObjectId home, ObjectId id) {
    auto [at, is_new] = links.try_emplace(home, tree.links.size());
    if (is_new) tree.links.push_back({home, {}});
    tree.links[at->second].ids.push_back(id);
  };
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::optional<store::Facts> facts = store_->Look(nodes[i]);
    meta::Node node;
    node.id = nodes[i];
    node.kind = facts->kind;
    node.value_size = facts->value_size;
    node.record = facts->record;
    tree.nodes.push_back(node);
    Labels labels = store_->LabelsOf(node.id);
    if (!labels.empty()) tree.labels.emplace_back(node.id, std::move(labels));
    if (node.is_blob()) continue;
    Result<Record> record = DecodeRecord(node.record);
    if (!record.ok()) {
      return Fail(root, {record.status().code(),
                         "object " + PrintId(node.id) + ": " + record.status().text()});
    }
    for (const Member& member : record->members) {
      ObjectId id = member.id;
      if (id == kEmptyBlobId || !seen.insert(id).second) continue;
      std::optional<store::Facts> below = store_->Look(id);
      auto place = places_.find(id);
      if (auto home = rules_.home_of(id)) {
        link(*home, id);
      } else if (place != places_.end()) {
        link(place->second, id);
      } else if (rules_.is_under_way(id)) {
        forest_.under_way.push_back(id);
      } else if (below) {
        nodes.push_back(id);
      } else if (rules_.again) {
        link(id, id);  // its owner may publish it later, or never
      } else {
        forest_.unknown.emplace_back(id, root);
      }
    }
  }
  if (!forest_.error.ok() || !forest_.unknown.empty() || !forest_.under_way.empty()) return;
  Result<std::string> encoded = meta::EncodeTree(tree);
  if (!encoded.ok()) return Fail(root, encoded.status());
  for (ObjectId id : nodes) places_.emplace(id, root);
  forest_.trees.push_back({std::move(encoded).value(), root, std::move(nodes)});
}

void TreeGrower::Fail(ObjectId root, Status why) {
  if (rules_.again) {
    forest_.failed.emplace_back(root, std::move(why));
  } else {
    forest_.error = std::move(why);
  }
}

std::vector<ObjectId> NodesOf(const store::Store& store, ObjectId home) {
  std::vector<ObjectId> nodes{home};
  std::unordered_set<ObjectId> seen{home};
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::optional<store::Facts> facts = store.Look(nodes[i]);
    if (!facts || IsBlobId(nodes[i])) continue;
    Result<Record> record = DecodeRecord(facts->record);
    if (!record.ok()) continue;
    for (const Member& member : record->members) {
      std::optional<store::Facts> below = store.Look(member.id);
      if (!below || (below->flags & shm::kPersisted) == 0 || (below->flags & shm::kHome) != 0) {
        continue;
      }
      if (seen.insert(member.id).second) nodes.push_back(member.id);
    }
  }
  return nodes;
}

}  // namespace vineyard::daemon

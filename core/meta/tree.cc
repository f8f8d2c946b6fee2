#include "core/meta/tree.h"

#include <algorithm>
#include <optional>

#include "core/object/pack.h"
#include "core/object/record.h"
#include "core/object/types.h"

namespace vineyard::meta {
namespace {

bool GetKind(const Value& value, BlobKind* kind) {
  uint64_t number = 0;
  if (!value.GetUint64(&number) || number < 1 || number > 3) return false;
  *kind = static_cast<BlobKind>(number);
  return true;
}

// A list of at least `size` items.
bool IsList(const Value& value, uint64_t size) {
  return value.is(ValueType::kList) && value.size >= size;
}

Result<Value> UnpackTree(std::string_view bytes, Arena* arena) {
  if (bytes.empty()) return Corrupt("tree: it is empty");
  if (static_cast<uint8_t>(bytes[0]) != kTreeVersion) {
    return Status(Code::kVersion, Format("tree: version %u, this build reads %u",
                                         static_cast<uint8_t>(bytes[0]), kTreeVersion));
  }
  ASSIGN_OR_RETURN(Value map, Unpack(bytes.substr(1), arena));
  if (!map.is(ValueType::kMap)) return Corrupt("tree: it is not a map");
  return map;
}

Result<Node> ReadNode(const Value& value) {
  Node node;
  if (!IsList(value, 2) || !value.as.items[0].GetUint64(&node.id) || node.id == kInvalidId ||
      node.id == kEmptyBlobId) {
    return Corrupt("tree: a node has no id");
  }
  const Value& second = value.as.items[1];
  if (node.is_blob()) {
    if (!GetKind(second, &node.kind) || !IsList(value, 3) ||
        !value.as.items[2].GetUint64(&node.value_size)) {
      return Corrupt("tree: blob " + PrintId(node.id) + " has no kind and size");
    }
    node.type_name = kBlobTypeName;
    return node;
  }
  if (!second.is(ValueType::kBytes)) {
    return Corrupt("tree: object " + PrintId(node.id) + " has no record");
  }
  node.record = second.text();
  ASSIGN_OR_RETURN(Record record, DecodeRecord(node.record));
  if (record.id != node.id) {
    return Corrupt("tree: object " + PrintId(node.id) + " has the record of " + PrintId(record.id));
  }
  node.type_name = record.type_name;  // points into the record's bytes
  return node;
}

Result<Link> ReadLink(const Value& value) {
  Link link;
  if (!IsList(value, 2) || !value.as.items[0].GetUint64(&link.home) ||
      !IsList(value.as.items[1], 1)) {
    return Corrupt("tree: a link is not a home and ids");
  }
  const Value& ids = value.as.items[1];
  for (uint64_t i = 0; i < ids.size; ++i) {
    ObjectId id = kInvalidId;
    if (!ids.as.items[i].GetUint64(&id) || id == kInvalidId) {
      return Corrupt("tree: a link is not a home and ids");
    }
    link.ids.push_back(id);
  }
  return link;
}

Result<std::pair<ObjectId, Labels>> ReadLabels(const Value& value) {
  std::pair<ObjectId, Labels> read{kInvalidId, {}};
  if (!IsList(value, 2) || !value.as.items[0].GetUint64(&read.first) ||
      !value.as.items[1].is(ValueType::kMap)) {
    return Corrupt("tree: labels are not an id and a map");
  }
  const Value& map = value.as.items[1];
  for (uint64_t i = 0; i < map.size; ++i) {
    const Value &key = map.as.items[2 * i], &text = map.as.items[2 * i + 1];
    if (!text.is(ValueType::kString)) return Corrupt("tree: a label is not text");
    read.second.emplace_back(key.text(), text.text());
  }
  return read;
}

void WriteLabels(const std::vector<std::pair<ObjectId, Labels>>& all, Packer* packer) {
  packer->String("b").Array(all.size());
  for (const auto& [id, labels] : all) {
    packer->Array(2).Uint(id).Map(labels.size());
    for (const auto& [key, value] : labels) packer->String(key).String(value);
  }
}

// One that is there more than once. Sorts them.
std::optional<ObjectId> Twice(std::vector<ObjectId>* ids) {
  std::sort(ids->begin(), ids->end());
  auto twice = std::adjacent_find(ids->begin(), ids->end());
  if (twice == ids->end()) return std::nullopt;
  return *twice;
}

Result<std::string> Checked(std::string bytes, ObjectId home) {
  if (bytes.size() <= kMaxTree) return bytes;
  return Limit(
      Format("tree of object %s: its metadata takes %zu bytes, at most %llu are allowed; persist "
             "some of its members first, then it links to them",
             PrintId(home).c_str(), bytes.size(), static_cast<unsigned long long>(kMaxTree)));
}

}  // namespace

Result<std::string> EncodeTree(const Tree& tree) {
  std::string out(1, static_cast<char>(kTreeVersion));
  Packer packer(&out);
  packer.Map(tree.labels.empty() ? 3 : 4);
  packer.String("o").Uint(tree.owner);
  packer.String("n").Array(tree.nodes.size());
  for (const Node& node : tree.nodes) {
    if (node.is_blob()) {
      packer.Array(3).Uint(node.id).Uint(static_cast<uint64_t>(node.kind)).Uint(node.value_size);
    } else {
      packer.Array(2).Uint(node.id).Bytes(node.record);
    }
  }
  packer.String("l").Array(tree.links.size());
  for (const Link& link : tree.links) {
    packer.Array(2).Uint(link.home).Array(link.ids.size());
    for (ObjectId id : link.ids) packer.Uint(id);
  }
  if (!tree.labels.empty()) WriteLabels(tree.labels, &packer);
  return Checked(std::move(out), tree.home());
}

Result<Tree> DecodeTree(std::string_view bytes) {
  Arena arena;  // what is kept points into `bytes`
  ASSIGN_OR_RETURN(Value map, UnpackTree(bytes, &arena));
  const Value *owner = map.Find("o"), *nodes = map.Find("n"), *links = map.Find("l"),
              *labels = map.Find("b");
  Tree tree;
  if (owner == nullptr || !owner->GetUint64(&tree.owner) || nodes == nullptr ||
      !IsList(*nodes, 1) || links == nullptr || !IsList(*links, 0) ||
      (labels != nullptr && !IsList(*labels, 0))) {
    return Corrupt("tree: a part is missing or of another type");
  }
  std::vector<ObjectId> ids, homes;
  tree.nodes.reserve(nodes->size);
  ids.reserve(nodes->size);
  for (uint64_t i = 0; i < nodes->size; ++i) {
    ASSIGN_OR_RETURN(Node node, ReadNode(nodes->as.items[i]));
    ids.push_back(node.id);
    tree.nodes.push_back(node);
  }
  for (uint64_t i = 0; i < links->size; ++i) {
    ASSIGN_OR_RETURN(Link link, ReadLink(links->as.items[i]));
    homes.push_back(link.home);
    ids.insert(ids.end(), link.ids.begin(), link.ids.end());
    tree.links.push_back(std::move(link));
  }
  if (auto twice = Twice(&ids)) return Corrupt("tree: " + PrintId(*twice) + " is there twice");
  if (auto twice = Twice(&homes)) return Corrupt("tree: it links twice to " + PrintId(*twice));
  for (uint64_t i = 0; labels != nullptr && i < labels->size; ++i) {
    ASSIGN_OR_RETURN(auto read, ReadLabels(labels->as.items[i]));
    tree.labels.push_back(std::move(read));
  }
  return tree;
}

Result<std::string> WithLabels(std::string_view bytes, ObjectId id, const Labels& labels) {
  ASSIGN_OR_RETURN(Tree tree, DecodeTree(bytes));
  bool is_node = false;
  for (const Node& node : tree.nodes) is_node = is_node || node.id == id;
  if (!is_node) return NotFound("object " + PrintId(id) + ": it is not part of this tree");
  std::erase_if(tree.labels, [&](const auto& item) { return item.first == id; });
  if (!labels.empty()) tree.labels.emplace_back(id, labels);

  Arena arena;
  ASSIGN_OR_RETURN(Value map, UnpackTree(bytes, &arena));
  uint64_t kept = 0;  // a foreign tree may have had labels twice
  for (uint64_t i = 0; i < map.size; ++i) kept += map.as.items[2 * i].text() != "b" ? 1 : 0;
  std::string out(1, static_cast<char>(kTreeVersion));
  Packer packer(&out);
  packer.Map(kept + 1);
  for (uint64_t i = 0; i < map.size; ++i) {
    const Value& key = map.as.items[2 * i];
    if (key.text() == "b") continue;
    packer.String(key.text()).Any(map.as.items[2 * i + 1]);
  }
  WriteLabels(tree.labels, &packer);
  return Checked(std::move(out), tree.home());
}

}  // namespace vineyard::meta

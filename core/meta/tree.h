// This file is the only place that knows the bytes of a persisted tree: what one znode under /objects holds.
//
//   byte 0: version (1), then a msgpack map
//     "o" owner instance   "n" nodes: [[id, record], ...] for objects, [[id, kind, value size], ...] for blobs
//     "l" links: [[home, [id, ...]], ...]                  "b" labels: [[id, {key: value}], ...]
// Keys that this build does not know are ignored, and kept when the labels are changed.
//
// The first tree that persists an object is its *home*. Whatever is reached from the root and is not
// persisted yet is a node of it; the rest stands in `links`, by home.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/object/envelope.h"
#include "core/object/ids.h"
#include "core/object/record.h"

namespace vineyard::meta {

inline constexpr uint8_t kTreeVersion = 1;
// Of an encoded tree. ZooKeeper closes the connection on a request of 1 MiB, and ours carry more than one tree.
inline constexpr uint64_t kMaxTree = 512 << 10;

struct Node {
  ObjectId id = kInvalidId;
  // A blob: its kind and the bytes of its value window; the stored size follows by its envelope.
  BlobKind kind = BlobKind::kBuffer;
  uint64_t value_size = 0;
  // An object: its record (core/object/record.h).
  std::string_view record;
  // What was decoded says: "vineyard::Blob", or what the record does.
  std::string_view type_name = {};

  bool is_blob() const { return IsBlobId(id); }
};

struct Link {
  ObjectId home = kInvalidId;
  std::vector<ObjectId> ids;  // of that home's nodes: those that are members here
};

// Text points into the bytes that it was read from.
struct Tree {
  uint64_t owner = 0;       // the instance that holds every node
  std::vector<Node> nodes;  // the root first
  std::vector<Link> links;
  std::vector<std::pair<ObjectId, Labels>> labels;

  ObjectId home() const { return nodes.front().id; }
};

// kLimit, with the size, above kMaxTree. REQUIRES: nodes is not empty.
Result<std::string> EncodeTree(const Tree& tree);
// Checks what is foreign: ids, records that say the same, every node and link once.
Result<Tree> DecodeTree(std::string_view bytes);

// The same tree with other labels of one object, which may be none. kNotFound when it is no node.
Result<std::string> WithLabels(std::string_view tree, ObjectId id, const Labels& labels);

}  // namespace vineyard::meta

// This file is the only place that says what a put carries: a list of nodes, members before
// parents, the root last. The client writes it, the store makes objects of it.
#pragma once

#include <string_view>
#include <vector>

#include "core/object/envelope.h"
#include "core/object/ids.h"

namespace vineyard {

// A payload up to this size travels in the message; a larger one is written into a lease.
inline constexpr uint64_t kMaxInlinePayload = 64 * 1024;

struct TreeMember {
  std::string_view name;
  bool local = false;  // `ref` is the index of an earlier node of this tree; else an object id
  uint64_t ref = 0;
};

struct TreeNode {
  enum class Type : uint8_t {
    kInlineBlob = 0,  // kind, bytes
    kLeasedBlob = 1,  // lease, value_size, kind
    kObject = 2,      // type_name, members, fields
  };
  Type type = Type::kObject;
  BlobKind kind = BlobKind::kBuffer;
  std::string_view bytes;       // the value, without envelope
  ObjectId lease = kInvalidId;  // the id that the lease answered; it becomes the blob's
  uint64_t value_size = 0;      // at most what was leased; the rest goes back
  uint64_t checksum = 0;        // of a leased value, as in a slot (core/shm/layout.h); 0: none
  std::string_view type_name;
  std::vector<TreeMember> members;
  std::string_view fields;  // a msgpack map
};

struct Tree {
  std::vector<TreeNode> nodes;
  std::string_view name;      // of the root; empty: none
  bool replace_name = false;  // else a taken name is an error and nothing is stored
};

}  // namespace vineyard

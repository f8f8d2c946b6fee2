// This file is the only place that knows which znode holds what, and in which bytes.
//
//   <prefix>/format                     cluster and layout; made by the first daemon, checked by all
//   <prefix>/log                        LogState: the generation that is written, and the oldest kept
//   <prefix>/log/<g>/e-0000000000       Entry: the change log; nothing else is created under it
//   <prefix>/instances/p/<n>            Instance; never removed but when it is told to be forgotten
//   <prefix>/instances/e/<n>.<epoch>    ephemeral: alive, and what every change checks (the fence)
//   <prefix>/objects/<bb>/<id>          a tree (core/meta/tree.h)
//   <prefix>/objects/<bb>/<id>/l-<id'>  tree id' links to this one
//   <prefix>/objects/<bb>/<id>/n-<name> this name refers to this tree, or to a node of it
//   <prefix>/names/<bb>/<name>          NameNode
//
// <bb>: two hexadecimal digits of a mix of the id or of the name. <g>: decimal. Every byte of a name
// outside [A-Za-z0-9_-] is written %XX, because the C client refuses most of Unicode.
//
// Every body is a version byte (1) and a msgpack map; keys that this build does not know are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/meta/model.h"

namespace vineyard::meta::zookeeper {

inline constexpr int kBuckets = 256;

class Paths {
 public:
  // "" or "/a/b". REQUIRES: CheckPrefix(prefix).ok().
  explicit Paths(std::string prefix) : prefix_(std::move(prefix)) {}
  static Status CheckPrefix(std::string_view prefix);

  const std::string& prefix() const { return prefix_; }
  std::string Format() const { return prefix_ + "/format"; }
  std::string Log() const { return prefix_ + "/log"; }
  std::string Generation(uint64_t generation) const;
  std::string Entry(uint64_t generation, uint64_t entry) const;
  // What a sequential create is asked for.
  std::string NewEntry(uint64_t generation) const { return Generation(generation) + "/e-"; }
  std::string Instances() const { return prefix_ + "/instances"; }
  std::string Places() const { return prefix_ + "/instances/p"; }
  std::string Place(uint64_t instance) const;
  std::string Fences() const { return prefix_ + "/instances/e"; }
  std::string Fence(uint64_t instance, uint64_t epoch) const;
  std::string Objects() const { return prefix_ + "/objects"; }
  std::string ObjectBucket(int bucket) const;
  std::string Tree(ObjectId home) const;
  std::string LinkOf(ObjectId home, ObjectId from) const;
  std::string NameOf(ObjectId home, std::string_view name) const;
  std::string Names() const { return prefix_ + "/names"; }
  std::string NameBucket(int bucket) const;
  std::string Name(std::string_view name) const;

 private:
  const std::string prefix_;
};

// The last component of a path.
std::string_view BaseOf(std::string_view path);
// From last components; nothing when a stranger made the node.
std::optional<uint64_t> EntryOf(std::string_view node);   // "e-0000000012"
std::optional<uint64_t> NumberOf(std::string_view node);  // "7"
std::optional<ObjectId> IdOf(std::string_view node);      // "o0000000000000001"
std::string EscapeName(std::string_view name);
std::optional<std::string> UnescapeName(std::string_view node);
struct FenceName {
  uint64_t instance = 0, epoch = 0;
};
std::optional<FenceName> FenceOf(std::string_view node);  // "7.3"

// ---- bodies ----

struct ClusterFormat {
  uint64_t layout = 1;  // another one is refused
  std::string cluster;  // unique: who finds another one publishes anew
};
inline constexpr uint64_t kLayout = 1;
std::string Encode(const ClusterFormat& format);
Result<ClusterFormat> DecodeFormat(std::string_view bytes);

struct LogState {
  uint64_t generation = 0;
  uint64_t oldest = 0;
};
std::string Encode(const LogState& log);
Result<LogState> DecodeLog(std::string_view bytes);

std::string Encode(const Instance& instance);
Result<Instance> DecodeInstance(std::string_view bytes);

struct NameNode {
  std::string name;
  ObjectId id = kInvalidId;    // kInvalidId: dropped
  ObjectId home = kInvalidId;  // its tree
  uint64_t generation = 0;     // of the log, when it was written
};
std::string Encode(const NameNode& name);
Result<NameNode> DecodeName(std::string_view bytes);

// The revision of a name that was written as `version` of its znode. Grows with every change of it, also
// after its znode was removed, because that takes a new generation.
uint64_t NameRevision(uint64_t generation, int32_t version);

// What changed, without the bytes: who follows reads the znode.
struct Trace {
  enum class Kind : uint8_t {
    kTreeCreated = 1,
    kTreeDeleted = 2,
    kTreeLabelled = 3,
    kNamePut = 4,
    kNameDropped = 5,
    kInstanceChanged = 6,
    kInstanceForgotten = 7,
    kOther = 0,  // of a later build
  };
  Kind kind = Kind::kOther;
  bool must_understand = false;  // of kOther: who does not know it may not write any more
  uint64_t id = 0;               // the home, the named object, the instance
  std::string name;
  uint64_t revision = 0;  // of the name
};
// The answer to one request of the multi.
struct Answer {
  RequestId request;
  ObjectId id = kInvalidId;
  uint64_t value = 0;
  bool more = false;  // of a part: what is left has another entry
};
struct Entry {
  std::vector<Trace> traces;
  std::vector<Answer> answers;
  uint64_t writer = 0;  // the instance that the requests came to
};
std::string Encode(const Entry& entry);
Result<Entry> DecodeEntry(std::string_view bytes);

}  // namespace vineyard::meta::zookeeper

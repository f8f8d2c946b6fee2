// This file is the only place that says what a cluster knows beside its trees: names, instances, and the
// changes to all three. Plain values; no word of it is ZooKeeper's.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/meta/tree.h"
#include "core/object/ids.h"

namespace vineyard::meta {

// So much of the change log: all generations below, and `entries` of this one. Also the token by which a
// client reads its own writes on another instance.
struct Revision {
  uint64_t generation = 0;
  uint64_t entries = 0;
  friend bool operator==(const Revision&, const Revision&) = default;
  friend std::strong_ordering operator<=>(const Revision& a, const Revision& b) {
    std::strong_ordering by_generation = a.generation <=> b.generation;
    return std::is_eq(by_generation) ? a.entries <=> b.entries : by_generation;
  }
};

// Made by the client library, so that a change is applied once however often it is sent.
struct RequestId {
  uint64_t session = 0;
  uint64_t number = 0;
  friend bool operator==(const RequestId&, const RequestId&) = default;
};

struct Request {
  RequestId id;           // number 0: nobody repeats it
  bool repeated = false;  // it was sent before, maybe to an earlier life of this daemon
  Revision seen = {};     // the newest that its client knew when it made the request
};

struct Name {
  ObjectId id = kInvalidId;
  uint64_t revision = 0;  // moves with every change of this name
  friend bool operator==(const Name&, const Name&) = default;
};

struct Instance {
  uint64_t number = 0;
  uint64_t epoch = 0;  // moves with every start of its daemon, and when its place was lost
  bool lost = false;
  int64_t since_ms = 0;  // Unix time of the last change of `lost`
  uint64_t memory_limit = 0;
  uint64_t uid = 0;
  std::string host, socket, endpoint, boot;  // boot: unique for each start
  friend bool operator==(const Instance&, const Instance&) = default;
};

// ---- what a client may ask for: each is applied whole, or not at all ----

inline constexpr uint64_t kAnyRevision = UINT64_MAX;

struct Persist {
  std::vector<std::string> trees;  // encoded; a tree may link to an earlier one
  // What a cluster has lost is published again: links to what is not there (yet) are allowed, and leave
  // the tree incomplete.
  bool again = false;
};
struct Delete {
  std::vector<ObjectId> ids;  // homes
  bool force = false;         // also those that other trees link to: these become incomplete
};
struct PutName {
  std::string name;
  ObjectId id = kInvalidId;  // persisted
  bool replace = false;
  uint64_t expect = kAnyRevision;  // 0: there is no such name; else its revision
};
struct DropName {
  std::string name;
  uint64_t expect = kAnyRevision;
};
struct SetLabels {
  ObjectId id = kInvalidId;
  Labels labels;  // an empty value removes the label
};
struct ForgetInstance {
  uint64_t number = 0;  // lost: its trees and their names go, too
};
using Change = std::variant<Persist, Delete, PutName, DropName, SetLabels, ForgetInstance>;

// What a change did, for who asked.
struct Outcome {
  Revision revision;         // a cache that is this far shows it
  ObjectId id = kInvalidId;  // names: the object; persist: the first home
  uint64_t value = 0;        // names: the name's revision; others: number of objects
};

// ---- what the log says: how any change is applied to a cache ----

struct TreeCreated {
  std::string tree;            // encoded
  ObjectId home = kInvalidId;  // where it was read, if anywhere: a tree of another one is damaged
};
struct TreeDeleted {
  ObjectId home = kInvalidId;
};
struct TreeLabelled {
  std::string tree;  // encoded, whole
};
struct NamePut {
  std::string name;
  Name value;
};
struct NameDropped {
  std::string name;
  uint64_t revision = 0;
};
struct InstanceChanged {
  Instance instance;
};
struct InstanceForgotten {
  uint64_t number = 0;
};
using Effect = std::variant<TreeCreated, TreeDeleted, TreeLabelled, NamePut, NameDropped,
                            InstanceChanged, InstanceForgotten>;

}  // namespace vineyard::meta

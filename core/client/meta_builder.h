// This file is the only place where the metadata of an object is gathered before it is put: a type name,
// fields packed as they come, members in their order.
//
// Invariants:
//  1. No builder is reachable from itself.
//  2. A name is used once, by a field or by a member.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/client/blob_writer.h"
#include "core/object/envelope.h"
#include "core/object/ids.h"
#include "core/object/value.h"

namespace vineyard::client {

// A set of names in two pieces of memory, however many there are.
class NameSet {
 public:
  // False: it is there already.
  bool Insert(std::string_view name);

 private:
  std::string_view At(uint64_t offset) const;
  void Grow();

  std::string names_;            // size in two bytes, then the name
  std::vector<uint64_t> cells_;  // offset + 1 in names_; 0: empty
  uint64_t count_ = 0;
};

class MetaBuilder {
 public:
  struct Bytes {
    const void* data = nullptr;
    uint64_t size = 0;
    BlobKind kind = BlobKind::kBuffer;
  };
  // One of four; the others are empty.
  struct Member {
    std::string name;
    ObjectId id = kInvalidId;
    std::shared_ptr<MetaBuilder> meta;
    std::shared_ptr<BlobWriter> writer;
    Bytes bytes;
  };

  MetaBuilder() = default;
  // A tree may be put with 64 levels, but built with any number.
  ~MetaBuilder();
  MetaBuilder(const MetaBuilder&) = delete;
  MetaBuilder& operator=(const MetaBuilder&) = delete;

  static Result<std::shared_ptr<MetaBuilder>> Create(std::string_view type_name);
  static std::shared_ptr<MetaBuilder> CreateBlob(Bytes bytes);

  Status SetField(std::string_view name, const Value& value);
  Status AddId(std::string_view name, ObjectId id);
  Status AddMeta(std::string_view name, std::shared_ptr<MetaBuilder> member);
  Status AddBytes(std::string_view name, Bytes bytes);
  Status AddWriter(std::string_view name, std::shared_ptr<BlobWriter> writer);

  // After the put; before: kInvalidId.
  ObjectId id() const { return id_; }
  void set_id(ObjectId id) { id_ = id; }

  bool is_blob() const { return is_blob_; }
  const Bytes& bytes() const { return bytes_; }
  const std::string& type_name() const { return type_name_; }
  const std::vector<Member>& members() const { return members_; }
  std::string PackedFields() const;

 private:
  Status CheckNewName(std::string_view name);
  Result<Member*> NewMember(std::string_view name);  // valid until the next
  bool Reaches(const MetaBuilder* other) const;
  void TakeLastMembers(std::shared_ptr<MetaBuilder>* doomed);

  bool is_blob_ = false;
  Bytes bytes_;
  std::string type_name_;
  std::string fields_;  // key and value, one pair after another
  uint64_t field_count_ = 0;
  std::vector<Member> members_;
  NameSet names_;
  ObjectId id_ = kInvalidId;
  bool is_member_ = false;  // of another builder: only then can a cycle be closed through it
  std::shared_ptr<MetaBuilder> next_doomed_;  // see the destructor
};

}  // namespace vineyard::client

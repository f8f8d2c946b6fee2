// This file is the only place that reads a sealed object's metadata: its record, decoded once, in shared
// memory or as a daemon sent it; or, of a blob, what its slot says.
//
// Ownership: the view of an object in this instance's memory holds one pin (core/client/view.h), which
// keeps the whole tree below it. A member is a view of its own that holds one pin more of the same slot,
// so views may be released in any order. The view of another instance's object shares what the daemon
// said (core/client/remote.h); it has no payload.
// Thread-safe after it is made, except that its release may not race with its use.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/result.h"
#include "core/client/client.h"
#include "core/object/record.h"
#include "core/object/value.h"

namespace vineyard::client {

class ObjectView {
 public:
  // kType, with what the object is instead if it can be got.
  static Status NotABlob(const std::shared_ptr<Client>& client, ObjectId id);
  static Result<std::unique_ptr<ObjectView>> Get(const std::shared_ptr<Client>& client,
                                                 ObjectId id);
  ~ObjectView();
  ObjectView(const ObjectView&) = delete;
  ObjectView& operator=(const ObjectView&) = delete;

  ObjectId id() const { return record_.id; }
  const std::string& type_name() const { return type_name_; }
  uint64_t nbytes() const { return record_.nbytes; }
  uint64_t instance() const { return record_.instance; }
  uint32_t owner_uid() const;
  bool is_persisted() const;
  bool is_blob() const { return IsBlobId(record_.id); }
  const Record& record() const { return record_; }
  // Null: it is in this instance's memory.
  const RemoteTree* remote() const { return remote_.get(); }

  // kForked in a child that was forked without handlers.
  Status CheckReadable() const;

  // ---- each may answer kForked or kNotFound ----
  Result<const Value*> Field(std::string_view name) const;
  Result<ObjectId> MemberId(std::string_view name) const;
  Result<std::unique_ptr<ObjectView>> Member(ObjectId id) const;
  // A member (or this object itself) that is a blob, as a view to be given back with ReleaseView().
  // kRemote, kLost.
  Result<View*> MemberBlob(ObjectId id) const;
  Result<View*> Blob() const;
  // Whether it reaches objects of other instances than its owner. May ask for each of its members.
  Result<bool> IsGlobal() const;

 private:
  explicit ObjectView(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  // Of `view`, or, when that is null, of object `id` of `remote`.
  static Result<std::unique_ptr<ObjectView>> Make(const std::shared_ptr<Client>& client, View* view,
                                                  RemoteTreePtr remote, ObjectId id);
  void DescribeBlob(ObjectId id, BlobKind kind, Envelope envelope, uint64_t value_size);
  struct Place {
    bool is_member;
    uint64_t index;
  };
  bool HasManyNames() const;
  using Names = std::unordered_map<std::string_view, Place>;
  const Place* Lookup(std::string_view name) const;
  Status Decode(ObjectId id, std::string_view record);
  Result<bool> Reaches() const;

  std::shared_ptr<Client> client_;
  View* view_ = nullptr;  // null: another instance's
  RemoteTreePtr remote_;
  Record record_;
  std::string type_name_;
  // Of objects with many names, made at the first look. Without a lock, which a child might find taken.
  mutable std::atomic<const Names*> names_{nullptr};
};

}  // namespace vineyard::client

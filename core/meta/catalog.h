// This file is the only place that holds what is known of the cluster: every persisted tree, name and
// instance, as far as the log was read. Reads never leave it; it changes by Apply() alone.
//
// Invariants:
//  1. Every node of every tree is found by its id, and by its type.
//  2. A name refers to an object that is there; deleting a tree takes its names along.
//  3. A link may refer to what is not there: the tree is then incomplete.
// Thread-confined.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/meta/model.h"
#include "core/meta/places.h"
#include "core/meta/sorted_ids.h"

namespace vineyard::meta {

// What changed, for whoever follows. Made after it is visible.
struct Event {
  enum class Kind {
    kCreated,
    kDeleted,
    kNamed,
    kDropped,
    kJoined,
    kLost,
    kForgotten,
    kLabelled,
    kReset,  // everything was read anew: what happened in between is not known
  };
  Kind kind = Kind::kCreated;
  ObjectId id = kInvalidId;  // the root of a tree; what a name refers or referred to
  uint64_t instance = 0;     // of the tree, or itself
  std::string name;
  Revision revision = {};  // from which on it is so
};

// Whether a name of which this is known may be changed so.
Status CheckNameChange(std::string_view name, const std::optional<Name>& known, bool replace,
                       uint64_t expect);

// kNotFound.
Status NotPersisted(ObjectId id);

class Catalog {
 public:
  Catalog();
  ~Catalog();

  // ---- trees ----
  // The home of an object; nothing when it is not persisted.
  std::optional<ObjectId> HomeOf(ObjectId id) const;
  // The encoded tree of this home, or empty. Valid until the next Apply().
  std::string_view TreeOf(ObjectId home) const;
  // The instance that owns an object; nothing when it is not persisted.
  std::optional<uint64_t> OwnerOf(ObjectId id) const;
  // Trees that link to this object, there or not; of a home: also to any other that is part of its tree.
  std::vector<ObjectId> ReferrersOf(ObjectId id) const;
  // The homes that this tree links to, there or not.
  std::vector<ObjectId> LinksOf(ObjectId home) const;
  // How many objects it holds.
  uint64_t ObjectsOf(ObjectId home) const;
  std::vector<std::string> NamesOf(ObjectId home) const;
  // Homes of an instance, in order, so many at most.
  std::vector<ObjectId> TreesOf(uint64_t instance, size_t limit = SIZE_MAX) const;
  // Whether the cluster has a tree of this home that could not be read: damaged, or of a later build.
  bool IsUnreadable(ObjectId home) const { return unreadable_.contains(home); }
  void NoteUnreadable(ObjectId home) { unreadable_.insert(home); }

  // ---- names ----
  std::optional<Name> FindName(std::string_view name) const;
  struct NamePage {
    std::vector<std::pair<std::string, Name>> names;
    std::string cursor;  // the last name looked at; empty: that was all
  };
  // A page may be shorter than was asked for, or empty, without being the last.
  NamePage ListNames(std::string_view glob, std::string_view after, uint64_t limit) const;

  // ---- lists ----
  struct Filter {
    std::string_view type_glob = "*";  // the object's type, or one of its bases
    uint64_t instance = 0;             // 0: of all
    std::string_view label = {};       // has this label; empty: whatever it has
    std::string_view value = {};       // with this value; empty: with any
  };
  struct Page {
    std::vector<std::pair<std::string_view, ObjectId>>
        objects;         // type name, id; until the next Apply()
    std::string cursor;  // empty: that was all
    std::vector<ObjectId> ids() const;
  };
  // Whether this object has this label; an empty value: whatever it has.
  bool HasLabel(ObjectId id, std::string_view key, std::string_view value) const;
  // By type name and then by id. A page may be shorter than was asked for without being the last.
  Result<Page> List(const Filter& filter, std::string_view after, uint64_t limit) const;
  // How many objects there are of each type that are not of this instance.
  std::map<std::string, uint64_t> TypesBut(uint64_t instance) const;

  const std::map<uint64_t, Instance>& instances() const { return instances_; }

  uint64_t objects() const { return places_.size(); }
  uint64_t trees() const { return trees_.size() - free_.size(); }
  uint64_t names() const { return names_.size(); }

  // ---- changes ----
  // Why a change can not be made to what is known here; ok when it can.
  Status Check(const Change& change) const;
  // Applying an effect twice, or one that is older than what is known, changes nothing more. kCorrupt: a tree that
  // can not be read; it is left out.
  Status Apply(const Effect& effect);
  // Of the effects that follow, for their events.
  void SetRevision(Revision revision) { revision_ = revision; }
  // All of another one, which is empty then. No events.
  void TakeFrom(Catalog* other);

  std::function<void(const Event&)> on_event;

 private:
  struct TreeState {
    std::string_view text() const { return {bytes.get(), size}; }
    ObjectId home = kInvalidId;  // kInvalidId: this place among the trees is free
    uint64_t owner = 0;
    std::unique_ptr<char[]> bytes;
    uint32_t size = 0;
    uint32_t objects = 0;
    bool is_labelled = false;
  };
  struct OfType {
    SortedIds ids;
    std::map<uint64_t, uint64_t> by_instance;  // how many
  };
  using Labelled = std::set<std::pair<uint16_t, ObjectId>>;  // number of the type, id

  Status CheckPersist(const Persist& change) const;
  Status CheckDelete(const Delete& change) const;
  const TreeState* FindTree(ObjectId home) const;  // null: it is no home
  Status Insert(std::string_view bytes, ObjectId expected, bool is_label);
  void Remove(ObjectId home);
  void IndexLabels(const Tree& tree, bool add);
  void RemoveName(std::string_view name);
  void RemoveNameOf(ObjectId home, const std::string& name);
  uint16_t TypeNumber(std::string_view type_name);
  void Tell(Event event) const;

  Places places_;                // of every object
  std::deque<TreeState> trees_;  // by the index in their places
  std::vector<uint32_t> free_;   // of those indices
  // An object, there or not, and the home of a tree that links to it: by its own id and by that of its home.
  std::set<std::pair<ObjectId, ObjectId>> referrers_;
  std::map<uint64_t, SortedIds> by_owner_;  // homes
  std::set<ObjectId> unreadable_;           // homes
  std::map<std::string, uint16_t, std::less<>> type_numbers_;
  std::vector<OfType> by_type_;  // by number
  std::map<std::pair<std::string, std::string>, Labelled>
      by_label_;  // key and value; and with any: ""
  Revision revision_;
  std::map<std::string, Name, std::less<>> names_;
  std::map<ObjectId, std::set<std::string>> names_of_;  // by home
  std::map<uint64_t, Instance> instances_;
};

}  // namespace vineyard::meta

#include "core/meta/zookeeper/plan.h"

#include <algorithm>
#include <utility>

#include "core/meta/effects.h"
#include "core/object/types.h"

namespace vineyard::meta::zookeeper {
namespace {

// Links that a tree finds waiting for it. Without the rest, only the catalog keeps it from being deleted.
constexpr size_t kReferrers = 500;

class Maker {
 public:
  Maker(const Catalog& catalog, const Known& known, const Paths& paths, uint64_t generation)
      : catalog_(catalog), known_(known), paths_(paths), generation_(generation) {}

  vineyard::Status operator()(const Persist& change) {
    for (const std::string& bytes : change.trees) {
      ASSIGN_OR_RETURN(Tree tree, DecodeTree(bytes));
      if (plan_.id == kInvalidId) plan_.id = tree.home();
      plan_.ops.push_back(Op::Create(paths_.Tree(tree.home()), bytes));
      // Who was published again before it could not leave a link.
      std::set<ObjectId> referrers;
      for (const meta::Node& node : tree.nodes) {
        for (ObjectId referrer : catalog_.ReferrersOf(node.id)) referrers.insert(referrer);
      }
      while (referrers.size() > kReferrers) referrers.erase(std::prev(referrers.end()));
      for (ObjectId referrer : referrers) {
        plan_.ops.push_back(Op::Create(paths_.LinkOf(tree.home(), referrer)));
      }
      std::map<ObjectId, std::string> links;  // ids by home: for people; who follows reads the tree
      for (const Link& link : tree.links) {
        ObjectId home = catalog_.HomeOf(link.home).value_or(link.home);
        bool is_there = plan_.trees.contains(home) || !catalog_.TreeOf(home).empty();
        if (change.again && !is_there) continue;
        std::string& ids = links[home];
        for (ObjectId id : link.ids) ids += (ids.empty() ? "" : " ") + PrintId(id);
      }
      for (auto& [home, ids] : links) {
        plan_.ops.push_back(Op::Create(paths_.LinkOf(home, tree.home()), std::move(ids)));
      }
      plan_.traces.push_back({Trace::Kind::kTreeCreated, true, tree.home(), {}, 0});
      plan_.trees[tree.home()] = bytes;
      plan_.value += tree.nodes.size();
    }
    return OkStatus();
  }

  vineyard::Status operator()(const Delete&) { return Remove(*known_.removal); }

  vineyard::Status operator()(const PutName& change) {
    const KnownName& known = known_.names.at(change.name);
    RETURN_IF_ERROR(CheckKnown(change.name, known, change.replace, change.expect));
    std::optional<ObjectId> found = catalog_.HomeOf(change.id);
    if (!found) return NotPersisted(change.id);  // deleted while the name was read
    ObjectId home = *found;
    NameNode node{change.name, change.id, home, generation_};
    if (known.version < 0) {
      plan_.ops.push_back(Op::Create(paths_.Name(change.name), Encode(node)));
    } else {
      plan_.ops.push_back(Op::Set(paths_.Name(change.name), Encode(node), known.version));
    }
    bool moves = known.node.home != home;
    if (known.node.home != kInvalidId && moves) {
      plan_.ops.push_back(Op::Remove(paths_.NameOf(known.node.home, change.name)));
    }
    if (moves) plan_.ops.push_back(Op::Create(paths_.NameOf(home, change.name)));
    plan_.id = change.id;
    plan_.value = NameRevision(generation_, known.version + 1);
    plan_.traces.push_back({Trace::Kind::kNamePut, true, change.id, change.name, plan_.value});
    return OkStatus();
  }

  vineyard::Status operator()(const DropName& change) {
    const KnownName& known = known_.names.at(change.name);
    RETURN_IF_ERROR(CheckKnown(change.name, known, /*replace=*/true, change.expect));
    if (known.node.id == kInvalidId) {
      return NotFound("name '" + change.name + "': no object has it; there is nothing to drop");
    }
    plan_.id = known.node.id;
    plan_.value = Drop(change.name, known);
    plan_.ops.push_back(Op::Remove(paths_.NameOf(known.node.home, change.name)));
    return OkStatus();
  }

  vineyard::Status operator()(const SetLabels& change) {
    std::optional<ObjectId> found = catalog_.HomeOf(change.id);
    if (!found || !known_.trees.contains(*found)) return NotPersisted(change.id);
    ObjectId home = *found;
    const zookeeper::Node& node = known_.trees.at(home);
    ASSIGN_OR_RETURN(std::string bytes, ChangeLabelsOf(node.data, change));
    plan_.ops.push_back(Op::Set(paths_.Tree(home), bytes, node.stat.version));
    plan_.traces.push_back({Trace::Kind::kTreeLabelled, true, home, {}, 0});
    plan_.trees[home] = std::move(bytes);
    plan_.value = 1;
    return OkStatus();
  }

  vineyard::Status operator()(const ForgetInstance& change) {
    const zookeeper::Node& node = known_.places.at(change.number);
    ASSIGN_OR_RETURN(Instance instance, DecodeInstance(node.data));
    std::string place = paths_.Place(change.number);
    if (!instance.lost)
      return Status(Code::kInUse, "instance " + std::to_string(change.number) +
                                      ": it is alive; stop its daemon first");
    RETURN_IF_ERROR(Remove(*known_.removal));
    if (plan_.more) {
      plan_.ops.push_back(Op::Check(place, node.stat.version));
      return OkStatus();
    }
    plan_.ops.push_back(Op::Remove(place, node.stat.version));
    plan_.traces.push_back({Trace::Kind::kInstanceForgotten, true, change.number, {}, 0});
    return OkStatus();
  }

  Plan& plan() { return plan_; }

 private:
  // Names, what is under the tree, its links at others, and itself.
  vineyard::Status Remove(const Removal& removal) {
    for (const Removal::Piece& piece : removal.pieces) {
      ObjectId home = piece.home;
      for (const std::string& name : piece.names) {
        const KnownName& known = known_.names.at(name);
        if (known.node.home == home) Drop(name, known);
        if (!piece.is_gone) plan_.ops.push_back(Op::Remove(paths_.NameOf(home, name)));
      }
      for (const std::string& node : piece.nodes) {
        plan_.ops.push_back(Op::Remove(paths_.Tree(home) + "/" + node));
      }
      if (!piece.is_whole) continue;
      for (ObjectId link : piece.links) {
        plan_.ops.push_back(Op::Remove(paths_.LinkOf(link, home)));
      }
      if (!piece.is_gone) plan_.ops.push_back(Op::Remove(paths_.Tree(home)));
      plan_.traces.push_back({Trace::Kind::kTreeDeleted, true, home, {}, 0});
      plan_.value += catalog_.ObjectsOf(home);
    }
    plan_.more = !removal.is_all;
    return OkStatus();
  }

  uint64_t Drop(const std::string& name, const KnownName& known) {
    NameNode dropped{name, kInvalidId, kInvalidId, generation_};
    plan_.ops.push_back(Op::Set(paths_.Name(name), Encode(dropped), known.version));
    uint64_t revision = NameRevision(generation_, known.version + 1);
    plan_.traces.push_back({Trace::Kind::kNameDropped, true, known.node.id, name, revision});
    return revision;
  }

  static vineyard::Status CheckKnown(const std::string& name, const KnownName& known, bool replace,
                                     uint64_t expect) {
    bool is_there = known.node.id != kInvalidId;
    uint64_t revision = is_there ? NameRevision(known.node.generation, known.version) : 0;
    return CheckNameChange(name,
                           is_there ? std::optional(Name{known.node.id, revision}) : std::nullopt,
                           replace, expect);
  }

  const Catalog& catalog_;
  const Known& known_;
  const Paths& paths_;
  const uint64_t generation_;
  Plan plan_;
};

uint64_t NameKey(std::string_view name) { return std::hash<std::string_view>()(name) | 1; }
uint64_t HomeKey(ObjectId home) { return (home * 0x9e3779b97f4a7c15u) & ~uint64_t{1}; }
uint64_t PlaceKey(uint64_t instance) { return HomeKey(~instance); }

// What goes, if the change is a delete.
std::optional<Removing> RemovingOf(const Change& change, const Catalog& catalog, bool gone_too) {
  if (auto* remove = std::get_if<Delete>(&change)) {
    return Removing{remove->ids, remove->force, gone_too};
  }
  if (auto* forget = std::get_if<ForgetInstance>(&change)) {
    return Removing{catalog.TreesOf(forget->number), /*force=*/true, gone_too};
  }
  return std::nullopt;
}

}  // namespace

Result<ToRead> ToReadFor(const Change& change, const Catalog& catalog, const Paths& paths,
                         Known* known) {
  ToRead read;
  auto add_name = [&](const std::string& name) {
    if (!known->names.contains(name)) read.names.push_back(name);
  };
  if (auto* put = std::get_if<PutName>(&change)) add_name(put->name);
  if (auto* drop = std::get_if<DropName>(&change)) add_name(drop->name);
  if (auto* set = std::get_if<SetLabels>(&change)) {
    auto home = catalog.HomeOf(set->id);
    if (home && !known->trees.contains(*home)) read.trees.push_back(*home);
  }
  if (auto* forget = std::get_if<ForgetInstance>(&change)) {
    if (!known->places.contains(forget->number)) read.places.push_back(forget->number);
  }
  std::optional<Removing> removing = RemovingOf(change, catalog, known->gone_too);
  if (!removing) return read;
  if (!known->removal) {
    std::optional<Removal> removal;
    if (!known->is_exact) removal = RemovalOf(*removing, catalog);
    if (!removal) {
      known->is_exact = true;
      ASSIGN_OR_RETURN(removal, RemovalOf(*removing, catalog, paths, known->found));
    }
    read.children = std::move(removal->children);
    read.exists = std::move(removal->exists);
    if (!read.children.empty() || !read.exists.empty()) return read;
    known->removal = std::move(removal);
  }
  for (const Removal::Piece& piece : known->removal->pieces) {
    for (const std::string& name : piece.names) add_name(name);
  }
  return read;
}

Touched TouchedBy(const Change& change, const Catalog& catalog) {
  Touched touched;
  auto homes = [&](const std::vector<ObjectId>& all) {
    for (ObjectId home : all) {
      touched.alone.push_back(HomeKey(home));
      for (const std::string& name : catalog.NamesOf(home)) touched.alone.push_back(NameKey(name));
    }
  };
  if (auto* persist = std::get_if<Persist>(&change)) {
    for (const std::string& bytes : persist->trees) {
      auto tree = DecodeTree(bytes);
      if (!tree.ok()) continue;
      // Of two trees that hold the same object, the later one has to see that it is persisted.
      for (const meta::Node& node : tree->nodes) touched.alone.push_back(HomeKey(node.id));
      for (const Link& link : tree->links) touched.shared.push_back(HomeKey(link.home));
    }
  } else if (auto* remove = std::get_if<Delete>(&change)) {
    homes(remove->ids);
  } else if (auto* put = std::get_if<PutName>(&change)) {
    touched.alone.push_back(NameKey(put->name));
    touched.shared.push_back(HomeKey(catalog.HomeOf(put->id).value_or(put->id)));
  } else if (auto* drop = std::get_if<DropName>(&change)) {
    touched.alone.push_back(NameKey(drop->name));
  } else if (auto* set = std::get_if<SetLabels>(&change)) {
    touched.alone.push_back(HomeKey(catalog.HomeOf(set->id).value_or(set->id)));
  } else if (auto* forget = std::get_if<ForgetInstance>(&change)) {
    touched.alone.push_back(PlaceKey(forget->number));
    homes(catalog.TreesOf(forget->number));
  }
  auto once = [](std::vector<uint64_t>* keys) {
    std::sort(keys->begin(), keys->end());
    keys->erase(std::unique(keys->begin(), keys->end()), keys->end());
  };
  once(&touched.alone);
  once(&touched.shared);
  std::erase_if(touched.shared, [&](uint64_t key) {
    return std::binary_search(touched.alone.begin(), touched.alone.end(), key);
  });
  return touched;
}

Result<Plan> PlanOf(const Change& change, const Catalog& catalog, const Known& known,
                    const Paths& paths, uint64_t generation) {
  Maker maker(catalog, known, paths, generation);
  RETURN_IF_ERROR(std::visit(maker, change));
  return std::move(maker.plan());
}

}  // namespace vineyard::meta::zookeeper

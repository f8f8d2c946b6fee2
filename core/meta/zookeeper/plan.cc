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
      std::vector<ObjectId> referrers = catalog_.ReferrersOf(tree.home());
      for (size_t i = 0; i < std::min(referrers.size(), kReferrers); ++i) {
        plan_.ops.push_back(Op::Create(paths_.LinkOf(tree.home(), referrers[i])));
      }
      for (const Link& link : tree.links) {
        bool is_there = plan_.trees.contains(link.home) || !catalog_.TreeOf(link.home).empty();
        if (change.again && !is_there) continue;
        std::string ids;  // for people; who follows reads the tree
        for (ObjectId id : link.ids) ids += (ids.empty() ? "" : " ") + PrintId(id);
        plan_.ops.push_back(Op::Create(paths_.LinkOf(link.home, tree.home()), std::move(ids)));
      }
      plan_.traces.push_back({Trace::Kind::kTreeCreated, true, tree.home(), {}, 0});
      plan_.trees[tree.home()] = bytes;
      plan_.value += tree.nodes.size();
    }
    return OkStatus();
  }

  vineyard::Status operator()(const Delete& change) {
    std::set<ObjectId> going(change.ids.begin(), change.ids.end());
    for (ObjectId home : change.ids) RETURN_IF_ERROR(Remove(home, going));
    return OkStatus();
  }

  vineyard::Status operator()(const PutName& change) {
    const KnownName& known = known_.names.at(change.name);
    RETURN_IF_ERROR(CheckKnown(change.name, known, change.replace, change.expect));
    ObjectId home = *catalog_.HomeOf(change.id);
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
    ObjectId home = *catalog_.HomeOf(change.id);
    const zookeeper::Node& node = known_.trees.at(home);
    ASSIGN_OR_RETURN(std::string bytes, ChangeLabelsOf(node.data, change));
    plan_.ops.push_back(Op::Set(paths_.Tree(home), bytes, node.stat.version));
    plan_.traces.push_back({Trace::Kind::kTreeLabelled, true, home, {}, 0});
    plan_.trees[home] = std::move(bytes);
    plan_.value = 1;
    return OkStatus();
  }

  vineyard::Status operator()(const ForgetInstance& change) {
    std::vector<ObjectId> homes = catalog_.TreesOf(change.number);
    std::set<ObjectId> going(homes.begin(), homes.end());
    for (ObjectId home : homes) RETURN_IF_ERROR(Remove(home, going));
    plan_.ops.push_back(Op::Remove(paths_.Place(change.number)));
    plan_.traces.push_back({Trace::Kind::kInstanceForgotten, true, change.number, {}, 0});
    return OkStatus();
  }

  Plan& plan() { return plan_; }

 private:
  // Its names, its links at others, what others left at it, and itself.
  vineyard::Status Remove(ObjectId home, const std::set<ObjectId>& going) {
    ASSIGN_OR_RETURN(Tree tree, DecodeTree(catalog_.TreeOf(home)));
    for (const std::string& name : catalog_.NamesOf(home)) {
      const KnownName& known = known_.names.at(name);
      if (known.node.home == home) Drop(name, known);
      plan_.ops.push_back(Op::Remove(paths_.NameOf(home, name)));
    }
    for (const Link& link : tree.links) {
      // What goes too takes its children along; what was taken by force has none.
      if (going.contains(link.home) || catalog_.TreeOf(link.home).empty()) continue;
      plan_.ops.push_back(Op::Remove(paths_.LinkOf(link.home, home)));
    }
    for (ObjectId referrer : catalog_.ReferrersOf(home)) {
      plan_.ops.push_back(Op::Remove(paths_.LinkOf(home, referrer)));
    }
    plan_.ops.push_back(Op::Remove(paths_.Tree(home)));
    plan_.traces.push_back({Trace::Kind::kTreeDeleted, true, home, {}, 0});
    plan_.value += tree.nodes.size();
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

std::string NameKey(const std::string& name) { return "n" + name; }
std::string HomeKey(ObjectId home) { return "h" + PrintId(home); }

}  // namespace

ToRead ToReadFor(const Change& change, const Catalog& catalog) {
  ToRead read;
  auto add = [&](ObjectId home) {
    for (std::string& name : catalog.NamesOf(home)) read.names.push_back(std::move(name));
  };
  if (auto* put = std::get_if<PutName>(&change)) read.names.push_back(put->name);
  if (auto* drop = std::get_if<DropName>(&change)) read.names.push_back(drop->name);
  if (auto* set = std::get_if<SetLabels>(&change)) {
    if (auto home = catalog.HomeOf(set->id)) read.trees.push_back(*home);
  }
  if (auto* remove = std::get_if<Delete>(&change)) {
    for (ObjectId home : remove->ids) add(home);
  }
  if (auto* forget = std::get_if<ForgetInstance>(&change)) {
    for (ObjectId home : catalog.TreesOf(forget->number)) add(home);
  }
  return read;
}

Touched TouchedBy(const Change& change, const Catalog& catalog) {
  Touched touched;
  for (const std::string& name : ToReadFor(change, catalog).names)
    touched.alone.insert(NameKey(name));
  if (auto* persist = std::get_if<Persist>(&change)) {
    for (const std::string& bytes : persist->trees) {
      auto tree = DecodeTree(bytes);
      if (!tree.ok()) continue;
      // Of two trees that hold the same object, the later one has to see that it is persisted.
      for (const meta::Node& node : tree->nodes) touched.alone.insert(HomeKey(node.id));
      for (const Link& link : tree->links) touched.shared.insert(HomeKey(link.home));
    }
  } else if (auto* remove = std::get_if<Delete>(&change)) {
    for (ObjectId home : remove->ids) touched.alone.insert(HomeKey(home));
  } else if (auto* put = std::get_if<PutName>(&change)) {
    touched.shared.insert(HomeKey(catalog.HomeOf(put->id).value_or(put->id)));
  } else if (auto* set = std::get_if<SetLabels>(&change)) {
    touched.alone.insert(HomeKey(catalog.HomeOf(set->id).value_or(set->id)));
  } else if (auto* forget = std::get_if<ForgetInstance>(&change)) {
    for (ObjectId home : catalog.TreesOf(forget->number)) touched.alone.insert(HomeKey(home));
  }
  for (const std::string& key : touched.alone) touched.shared.erase(key);
  return touched;
}

Result<Plan> PlanOf(const Change& change, const Catalog& catalog, const Known& known,
                    const Paths& paths, uint64_t generation) {
  Maker maker(catalog, known, paths, generation);
  RETURN_IF_ERROR(std::visit(maker, change));
  return std::move(maker.plan());
}

}  // namespace vineyard::meta::zookeeper

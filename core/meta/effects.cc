#include "core/meta/effects.h"

#include "core/object/record.h"

namespace vineyard::meta {
namespace {

uint64_t NodesOf(std::string_view bytes) {
  auto tree = DecodeTree(bytes);
  return tree.ok() ? tree->nodes.size() : 0;
}

void Remove(ObjectId home, const Catalog& catalog, uint64_t name_revision, Effects* made) {
  for (std::string& name : catalog.NamesOf(home)) {
    made->effects.emplace_back(NameDropped{std::move(name), name_revision});
  }
  made->effects.emplace_back(TreeDeleted{home});
  made->outcome.value += NodesOf(catalog.TreeOf(home));
}

struct Maker {
  const Catalog& catalog;
  uint64_t name_revision;
  Effects made{};

  Status operator()(const Persist& change) {
    for (const std::string& tree : change.trees) {
      made.effects.emplace_back(TreeCreated{tree});
      if (made.outcome.id == kInvalidId) {
        ASSIGN_OR_RETURN(Tree decoded, DecodeTree(tree));
        made.outcome.id = decoded.home();
      }
      made.outcome.value += NodesOf(tree);
    }
    return OkStatus();
  }
  Status operator()(const Delete& change) {
    for (ObjectId home : change.ids) Remove(home, catalog, name_revision, &made);
    return OkStatus();
  }
  Status operator()(const PutName& change) {
    made.effects.emplace_back(NamePut{change.name, {change.id, name_revision}});
    made.outcome.id = change.id;
    made.outcome.value = name_revision;
    return OkStatus();
  }
  Status operator()(const DropName& change) {
    made.effects.emplace_back(NameDropped{change.name, name_revision});
    made.outcome.id = catalog.FindName(change.name)->id;
    made.outcome.value = name_revision;
    return OkStatus();
  }
  Status operator()(const SetLabels& change) {
    ASSIGN_OR_RETURN(std::string changed,
                     ChangeLabelsOf(catalog.TreeOf(*catalog.HomeOf(change.id)), change));
    made.effects.emplace_back(TreeLabelled{std::move(changed)});
    made.outcome.value = 1;
    return OkStatus();
  }
  Status operator()(const ForgetInstance& change) {
    for (ObjectId home : catalog.TreesOf(change.number))
      Remove(home, catalog, name_revision, &made);
    made.effects.emplace_back(InstanceForgotten{change.number});
    return OkStatus();
  }
};

}  // namespace

Result<std::string> ChangeLabelsOf(std::string_view bytes, const SetLabels& change) {
  ASSIGN_OR_RETURN(Tree tree, DecodeTree(bytes));
  Labels labels;
  for (const auto& [id, of] : tree.labels) {
    if (id == change.id) labels = of;
  }
  LabelChanges changes(change.labels.begin(), change.labels.end());
  RETURN_IF_ERROR(ChangeLabels(changes, &labels));
  return WithLabels(bytes, change.id, labels);
}

Result<Effects> EffectsOf(const Change& change, const Catalog& catalog, uint64_t name_revision) {
  Maker maker{catalog, name_revision};
  RETURN_IF_ERROR(std::visit(maker, change));
  return std::move(maker.made);
}

}  // namespace vineyard::meta

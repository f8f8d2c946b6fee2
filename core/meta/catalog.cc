#include "core/meta/catalog.h"

#include <algorithm>
#include <deque>
#include <unordered_set>
#include <utility>

#include "core/base/check.h"
#include "core/object/record.h"
#include "core/object/types.h"

namespace vineyard::meta {
namespace {

// What one page may cost, however little of it matches.
constexpr uint64_t kPageSteps = 1u << 16;

template <typename... T>
struct Overloaded : T... {
  using T::operator()...;
};
template <typename... T>
Overloaded(T...) -> Overloaded<T...>;

std::string Quoted(std::string_view name) { return "name '" + std::string(name) + "'"; }

}  // namespace

Status NotPersisted(ObjectId id) {
  return NotFound("object " + PrintId(id) + ": it is not persisted");
}

Catalog::Catalog() = default;
Catalog::~Catalog() = default;

void Catalog::TakeFrom(Catalog* other) {
  trees_ = std::exchange(other->trees_, {});
  places_ = std::exchange(other->places_, {});
  free_ = std::exchange(other->free_, {});
  referrers_ = std::exchange(other->referrers_, {});
  type_numbers_ = std::exchange(other->type_numbers_, {});
  by_type_ = std::exchange(other->by_type_, {});
  by_label_ = std::exchange(other->by_label_, {});
  by_owner_ = std::exchange(other->by_owner_, {});
  unreadable_ = std::exchange(other->unreadable_, {});
  names_ = std::exchange(other->names_, {});
  names_of_ = std::exchange(other->names_of_, {});
  instances_ = std::exchange(other->instances_, {});
}

// ---- trees ---------------------------------------------------------------------------------------

const Catalog::TreeState* Catalog::FindTree(ObjectId home) const {
  const Place* place = places_.Find(home);
  if (place == nullptr || trees_[place->tree].home != home) return nullptr;
  return &trees_[place->tree];
}

std::optional<ObjectId> Catalog::HomeOf(ObjectId id) const {
  const Place* place = places_.Find(id);
  if (place == nullptr) return std::nullopt;
  return trees_[place->tree].home;
}

std::string_view Catalog::TreeOf(ObjectId home) const {
  const TreeState* tree = FindTree(home);
  return tree == nullptr ? std::string_view() : tree->text();
}

std::optional<uint64_t> Catalog::OwnerOf(ObjectId id) const {
  const Place* place = places_.Find(id);
  if (place == nullptr) return std::nullopt;
  return trees_[place->tree].owner;
}

std::vector<ObjectId> Catalog::ReferrersOf(ObjectId id) const {
  std::set<ObjectId> homes;
  auto add = [&](ObjectId of) {
    for (auto at = referrers_.lower_bound({of, kInvalidId});
         at != referrers_.end() && at->first == of; ++at) {
      homes.insert(at->second);
    }
  };
  add(id);
  // Who was published before its member could not know the member's home.
  if (auto tree = DecodeTree(TreeOf(id)); tree.ok()) {
    for (const Node& node : tree->nodes) add(node.id);
  }
  homes.erase(id);
  return {homes.begin(), homes.end()};
}

std::vector<ObjectId> Catalog::LinksOf(ObjectId home) const {
  auto tree = DecodeTree(TreeOf(home));
  if (!tree.ok()) return {};
  std::set<ObjectId> homes;
  for (const Link& link : tree->links) homes.insert(HomeOf(link.home).value_or(link.home));
  return {homes.begin(), homes.end()};
}

uint64_t Catalog::ObjectsOf(ObjectId home) const {
  const TreeState* tree = FindTree(home);
  return tree == nullptr ? 0 : tree->objects;
}

std::vector<std::string> Catalog::NamesOf(ObjectId home) const {
  auto found = names_of_.find(home);
  if (found == names_of_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::vector<ObjectId> Catalog::TreesOf(uint64_t instance, size_t limit) const {
  std::vector<ObjectId> homes;
  auto found = by_owner_.find(instance);
  if (found == by_owner_.end()) return homes;
  found->second.VisitAfter(kInvalidId, [&](ObjectId home) {
    if (homes.size() == limit) return false;
    homes.push_back(home);
    return true;
  });
  return homes;
}

uint16_t Catalog::TypeNumber(std::string_view type_name) {
  auto found = type_numbers_.find(type_name);
  if (found != type_numbers_.end()) return found->second;
  // Whoever makes more types than this finds the rest in the last.
  auto number = static_cast<uint16_t>(std::min<size_t>(by_type_.size(), UINT16_MAX));
  if (number == by_type_.size()) by_type_.emplace_back();
  type_numbers_.emplace(std::string(type_name), number);
  return number;
}

// A tree is read as of now: it may have its labels before the log says so, and that is told then.
Status Catalog::Insert(std::string_view bytes, ObjectId expected, bool is_label) {
  ASSIGN_OR_RETURN(Tree tree, DecodeTree(bytes));
  ObjectId home = tree.home();
  if (expected != kInvalidId && home != expected) {
    return Corrupt("tree " + PrintId(expected) + ": it has the root " + PrintId(home));
  }
  for (const Node& node : tree.nodes) {
    std::optional<ObjectId> other = HomeOf(node.id);
    if (other && *other != home) {
      return Corrupt("tree " + PrintId(home) + ": " + PrintId(node.id) + " is part of tree " +
                     PrintId(*other));
    }
  }
  bool is_new = FindTree(home) == nullptr;
  unreadable_.erase(home);
  if (!is_new) {
    // Only its labels are others; but somebody else may have written less than was there.
    for (const std::string& name : NamesOf(home)) {
      ObjectId named = names_.find(name)->second.id;
      auto is_it = [named](const Node& node) { return node.id == named; };
      if (std::none_of(tree.nodes.begin(), tree.nodes.end(), is_it)) RemoveName(name);
    }
    Remove(home);
  }
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(trees_.size()));
    trees_.emplace_back();
  }
  uint32_t index = free_.back();
  free_.pop_back();
  TreeState& state = trees_[index];
  state.home = home;
  state.owner = tree.owner;
  state.bytes = std::make_unique<char[]>(bytes.size());
  bytes.copy(state.bytes.get(), bytes.size());
  state.size = static_cast<uint32_t>(bytes.size());
  state.objects = static_cast<uint32_t>(tree.nodes.size());
  state.is_labelled = !tree.labels.empty();
  for (const Node& node : tree.nodes) {
    uint16_t type = TypeNumber(node.type_name);
    by_type_[type].ids.Insert(node.id);
    ++by_type_[type].by_instance[tree.owner];
    places_.Insert(node.id, {index, type});
  }
  IndexLabels(tree, /*add=*/true);
  for (const Link& link : tree.links) {
    referrers_.emplace(link.home, home);
    for (ObjectId id : link.ids) referrers_.emplace(id, home);
  }
  uint64_t owner = tree.owner;
  by_owner_[owner].Insert(home);
  if (is_new) Tell({Event::Kind::kCreated, home, owner, {}});
  if (is_label) Tell({Event::Kind::kLabelled, home, owner, {}});
  return OkStatus();
}

// But for its names.
void Catalog::Remove(ObjectId home) {
  uint32_t index = places_.Find(home)->tree;
  TreeState& state = trees_[index];
  auto tree = DecodeTree(state.text());
  CHECK(tree.ok());
  if (state.is_labelled) IndexLabels(*tree, /*add=*/false);
  for (const Node& node : tree->nodes) {
    OfType& of_type = by_type_[places_.Find(node.id)->type];
    places_.Erase(node.id);
    of_type.ids.Erase(node.id);
    auto count = of_type.by_instance.find(state.owner);
    if (--count->second == 0) of_type.by_instance.erase(count);
  }
  for (const Link& link : tree->links) {
    referrers_.erase({link.home, home});
    for (ObjectId id : link.ids) referrers_.erase({id, home});
  }
  by_owner_[state.owner].Erase(home);
  state = {};
  free_.push_back(index);
}

bool Catalog::HasLabel(ObjectId id, std::string_view key, std::string_view value) const {
  const Place* place = places_.Find(id);
  if (place == nullptr) return false;
  auto index = by_label_.find({std::string(key), std::string(value)});
  return index != by_label_.end() && index->second.contains({place->type, id});
}

void Catalog::IndexLabels(const Tree& tree, bool add) {
  for (const auto& [id, labels] : tree.labels) {
    const Place* place = places_.Find(id);
    if (place == nullptr || trees_[place->tree].home != tree.home()) continue;  // no node of it
    std::pair<uint16_t, ObjectId> entry(place->type, id);
    for (const auto& [key, value] : labels) {
      for (const std::string& with : {value, std::string()}) {
        auto index = by_label_.try_emplace({key, with}).first;
        if (add) {
          index->second.insert(entry);
        } else {
          index->second.erase(entry);
        }
        if (index->second.empty()) by_label_.erase(index);
      }
    }
  }
}

// ---- names ---------------------------------------------------------------------------------------

std::optional<Name> Catalog::FindName(std::string_view name) const {
  auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

Catalog::NamePage Catalog::ListNames(std::string_view glob, std::string_view after,
                                     uint64_t limit) const {
  NamePage page;
  // What matches begins with what the pattern begins with.
  std::string_view prefix = glob.substr(0, glob.find_first_of("*?[\\"));
  auto at = after < prefix ? names_.lower_bound(prefix) : names_.upper_bound(after);
  uint64_t steps = 0;
  std::string_view last;
  for (; at != names_.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
    if (page.names.size() == limit || steps > kPageSteps) {
      page.cursor = last;
      break;
    }
    last = at->first;
    if (GlobMatches(glob, at->first, &steps)) page.names.emplace_back(at->first, at->second);
  }
  return page;
}

void Catalog::RemoveName(std::string_view name) {
  auto found = names_.find(name);
  ObjectId id = found->second.id;
  std::string text = found->first;
  RemoveNameOf(*HomeOf(id), text);
  names_.erase(found);
  Tell({Event::Kind::kDropped, id, 0, std::move(text)});
}

void Catalog::RemoveNameOf(ObjectId home, const std::string& name) {
  auto found = names_of_.find(home);
  found->second.erase(name);
  if (found->second.empty()) names_of_.erase(found);
}

// ---- lists ---------------------------------------------------------------------------------------

std::vector<ObjectId> Catalog::Page::ids() const {
  std::vector<ObjectId> all;
  for (const auto& [type, id] : objects) all.push_back(id);
  return all;
}

Result<Catalog::Page> Catalog::List(const Filter& filter, std::string_view after,
                                    uint64_t limit) const {
  if (limit == 0) return Invalid("list: a page of 0 objects");
  // The cursor is the printed id and the type name of the last object of the page before.
  ObjectId last_id = kInvalidId;
  std::string_view last_type;
  if (!after.empty()) {
    ASSIGN_OR_RETURN(last_id, ParseId(after.substr(0, 17)));
    last_type = after.substr(17);
  }
  Page page;
  const Labelled* labelled = nullptr;
  if (!filter.label.empty()) {
    auto index = by_label_.find({std::string(filter.label), std::string(filter.value)});
    if (index == by_label_.end()) return page;
    labelled = &index->second;
  }
  uint64_t steps = 0;
  // False: the page is full in front of this object.
  auto take = [&](std::string_view type, ObjectId id) {
    if (page.objects.size() == limit || ++steps > kPageSteps) {
      page.cursor = PrintId(last_id) + std::string(last_type);
      return false;
    }
    last_id = id;
    last_type = type;
    if (filter.instance == 0 || OwnerOf(id) == filter.instance) page.objects.emplace_back(type, id);
    return true;
  };
  for (auto type = type_numbers_.lower_bound(last_type); type != type_numbers_.end(); ++type) {
    if (!TypeMatches(type->first, filter.type_glob)) continue;
    ObjectId from = type->first == last_type ? last_id : kInvalidId;
    if (labelled != nullptr) {
      for (auto at = labelled->upper_bound({type->second, from});
           at != labelled->end() && at->first == type->second; ++at) {
        if (!take(type->first, at->second)) return page;
      }
    } else {
      auto visit = [&](ObjectId id) { return take(type->first, id); };
      if (!by_type_[type->second].ids.VisitAfter(from, visit)) return page;
    }
  }
  return page;
}

std::map<std::string, uint64_t> Catalog::TypesBut(uint64_t instance) const {
  std::map<std::string, uint64_t> types;
  for (const auto& [name, number] : type_numbers_) {
    uint64_t count = 0;
    for (const auto& [owner, objects] : by_type_[number].by_instance) {
      if (owner != instance) count += objects;
    }
    if (count > 0) types.emplace(name, count);
  }
  return types;
}

// ---- what may be done ----------------------------------------------------------------------------

Status Catalog::CheckPersist(const Persist& change) const {
  std::unordered_map<ObjectId, ObjectId> new_places;
  for (const std::string& bytes : change.trees) {
    ASSIGN_OR_RETURN(Tree tree, DecodeTree(bytes));
    for (const Node& node : tree.nodes) {
      if (places_.contains(node.id) || !new_places.emplace(node.id, tree.home()).second) {
        return {Code::kExists, "object " + PrintId(node.id) + ": it is persisted already"};
      }
    }
    for (const Link& link : tree.links) {
      for (ObjectId id : link.ids) {
        auto at = new_places.find(id);
        std::optional<ObjectId> home = at != new_places.end() ? at->second : HomeOf(id);
        if (home == link.home && link.home != tree.home()) continue;
        if (change.again && !home) continue;
        return NotFound("member " + PrintId(id) + " of tree " + PrintId(tree.home()) +
                        ": it is not persisted, or not any more; persist it first");
      }
    }
  }
  return OkStatus();
}

Status Catalog::CheckDelete(const Delete& change) const {
  std::unordered_set<ObjectId> going(change.ids.begin(), change.ids.end());
  for (ObjectId id : change.ids) {
    std::optional<ObjectId> home = HomeOf(id);
    if (!home) return NotPersisted(id);
    if (*home != id) {
      return {Code::kInUse, "object " + PrintId(id) + ": it was persisted as part of object " +
                                PrintId(*home) + "; delete that one"};
    }
    if (change.force) continue;
    for (ObjectId referrer : ReferrersOf(id)) {
      if (going.contains(referrer)) continue;
      return {Code::kInUse, "object " + PrintId(id) + ": object " + PrintId(referrer) +
                                " links to it; delete that first, or force"};
    }
  }
  return OkStatus();
}

Status CheckNameChange(std::string_view name, const std::optional<Name>& known, bool replace,
                       uint64_t expect) {
  RETURN_IF_ERROR(CheckText("name", name, kMaxName));
  if (expect != kAnyRevision) {
    if ((known ? known->revision : 0) == expect) return OkStatus();
    std::string now = known ? "object " + PrintId(known->id) + " has it since revision " +
                                  std::to_string(known->revision)
                            : "no object has it";
    return {Code::kConflict, Quoted(name) + ": " + now + ", expected was revision " +
                                 std::to_string(expect) + "; ask for the name again"};
  }
  if (known && !replace) {
    return {Code::kExists, Quoted(name) + ": object " + PrintId(known->id) +
                               " has it; drop it first, or replace it"};
  }
  return OkStatus();
}

Status Catalog::Check(const Change& change) const {
  return std::visit(
      Overloaded{
          [&](const Persist& persist) { return CheckPersist(persist); },
          [&](const Delete& remove) { return CheckDelete(remove); },
          [&](const PutName& put) -> Status {
            RETURN_IF_ERROR(CheckNameChange(put.name, FindName(put.name), put.replace, put.expect));
            return places_.contains(put.id) ? OkStatus() : NotPersisted(put.id);
          },
          [&](const DropName& drop) -> Status {
            RETURN_IF_ERROR(
                CheckNameChange(drop.name, FindName(drop.name), /*replace=*/true, drop.expect));
            if (FindName(drop.name)) return OkStatus();
            return NotFound(Quoted(drop.name) + ": no object has it; there is nothing to drop");
          },
          [&](const SetLabels& set) {
            return places_.contains(set.id) ? OkStatus() : NotPersisted(set.id);
          },
          [&](const ForgetInstance& forget) -> Status {
            auto found = instances_.find(forget.number);
            std::string quoted = "instance " + std::to_string(forget.number);
            if (found == instances_.end())
              return NotFound(quoted + ": there is none in this cluster");
            if (found->second.lost) return OkStatus();
            return {Code::kInUse, quoted + ": it is alive; stop its daemon first"};
          },
      },
      change);
}

// ---- what was done -------------------------------------------------------------------------------

Status Catalog::Apply(const Effect& effect) {
  return std::visit(Overloaded{
                        [&](const TreeCreated& created) {
                          return Insert(created.tree, created.home, /*is_label=*/false);
                        },
                        [&](const TreeLabelled& labelled) {
                          return Insert(labelled.tree, kInvalidId, /*is_label=*/true);
                        },
                        [&](const TreeDeleted& deleted) {
                          unreadable_.erase(deleted.home);
                          const TreeState* tree = FindTree(deleted.home);
                          if (tree == nullptr) return OkStatus();
                          for (const std::string& name : NamesOf(deleted.home)) RemoveName(name);
                          uint64_t owner = tree->owner;
                          Remove(deleted.home);
                          Tell({Event::Kind::kDeleted, deleted.home, owner, {}});
                          return OkStatus();
                        },
                        [&](const NamePut& put) {
                          auto known = names_.find(put.name);
                          if (known != names_.end() && known->second.revision >= put.value.revision)
                            return OkStatus();
                          std::optional<ObjectId> home = HomeOf(put.value.id);
                          if (!home) return OkStatus();  // deleted since, which will be read, too
                          if (known != names_.end())
                            RemoveNameOf(*HomeOf(known->second.id), put.name);
                          names_[put.name] = put.value;
                          names_of_[*home].insert(put.name);
                          Tell({Event::Kind::kNamed, put.value.id, 0, put.name});
                          return OkStatus();
                        },
                        [&](const NameDropped& dropped) {
                          auto known = names_.find(dropped.name);
                          if (known != names_.end() && known->second.revision <= dropped.revision) {
                            RemoveName(dropped.name);
                          }
                          return OkStatus();
                        },
                        [&](const InstanceChanged& changed) {
                          auto [known, is_new] = instances_.try_emplace(changed.instance.number);
                          bool was_alive = !is_new && !known->second.lost;
                          if (known->second.epoch > changed.instance.epoch) return OkStatus();
                          known->second = changed.instance;
                          if (was_alive == changed.instance.lost || is_new) {
                            Tell({changed.instance.lost ? Event::Kind::kLost : Event::Kind::kJoined,
                                  kInvalidId,
                                  changed.instance.number,
                                  {}});
                          }
                          return OkStatus();
                        },
                        [&](const InstanceForgotten& forgotten) {
                          if (instances_.erase(forgotten.number) != 0) {
                            Tell({Event::Kind::kForgotten, kInvalidId, forgotten.number, {}});
                          }
                          return OkStatus();
                        },
                    },
                    effect);
}

void Catalog::Tell(Event event) const {
  event.revision = revision_;
  if (on_event) on_event(event);
}

}  // namespace vineyard::meta

#include "daemon/lookup.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/meta/tree.h"
#include "core/object/record.h"
#include "core/object/types.h"

namespace vineyard::daemon {
namespace {

// Objects of which the labels are looked at for one page.
constexpr uint64_t kLabelSteps = 20'000;

void TakeLabels(const meta::Tree& tree, ObjectId id, wire::RemoteObject* remote) {
  for (const auto& [labelled, labels] : tree.labels) {
    if (labelled != id) continue;
    for (const auto& [key, value] : labels) remote->labels.emplace_back(key, value);
  }
}

// Of a page that may end before all is looked at: up to where it is whole.
template <typename Key>
void Lower(std::optional<Key>* end, std::optional<Key> other) {
  if (other && (!*end || *other < **end)) *end = std::move(other);
}

}  // namespace

// ---- one -----------------------------------------------------------------------------------------

std::optional<Result<std::string>> Lookup::Find(uint64_t session, const wire::Find& find,
                                                bool synced) {
  if (!find.name.empty()) return FindName(session, find, synced);
  if (find.id == kInvalidId) return Invalid("find: neither an object nor a name is given");
  std::optional<ObjectId> home = service_->catalog().HomeOf(find.id);
  if (find.labels && store_->Look(find.id)) {
    Result<store::Found> labels = store_->FindLabels(find.id);
    // Of what is persisted they may have found no memory here.
    if (labels.ok() || !home) return AnswerSlot(session, labels);
    return AnswerLabels(find.id, *home);
  }
  Result<store::Found> object = store_->Find(find.id);
  if (object.ok()) return AnswerSlot(session, object);
  if (object.status().code() != Code::kNotFound) return object.status();
  if (home) return AnswerRemote(find.id, *home);
  if (!synced) return std::nullopt;
  return object.status();
}

std::optional<Result<std::string>> Lookup::FindName(uint64_t session, const wire::Find& find,
                                                    bool synced) {
  Status legal = CheckText("name", find.name, kMaxName);
  if (!legal.ok()) return legal;
  if (find.latest && !synced) return std::nullopt;
  Result<store::Found> here = store_->FindName(find.name);
  if (here.ok()) return AnswerSlot(session, here);
  std::optional<meta::Name> known = service_->catalog().FindName(find.name);
  if (!known) {
    if (!synced) return std::nullopt;
    return here.status();
  }
  wire::FindAnswer answer;
  answer.kind = wire::FindAnswer::Kind::kName;
  answer.name.id = known->id;
  answer.name.revision = known->revision;
  std::string body;
  answer.Encode(&body);
  return Result<std::string>(std::move(body));
}

Result<std::string> Lookup::AnswerSlot(uint64_t session, const Result<store::Found>& found) {
  if (!found.ok()) return found.status();
  holds_->Hold(session, found->slot, MonotonicNs());
  wire::FindAnswer answer;
  answer.slot = found->slot;
  answer.word = found->word;
  answer.audience = audience_;
  std::string body;
  answer.Encode(&body);
  return body;
}

Result<std::string> Lookup::AnswerRemote(ObjectId id, ObjectId home) const {
  ASSIGN_OR_RETURN(meta::Tree tree, meta::DecodeTree(service_->catalog().TreeOf(home)));
  if (tree.owner == service_->self().number) {
    return NotFound("object " + PrintId(id) +
                    ": this instance has persisted it, and has it no more; delete it");
  }
  wire::FindAnswer answer;
  answer.kind = wire::FindAnswer::Kind::kRemote;
  wire::RemoteObject& remote = answer.remote;
  remote.instance = tree.owner;
  remote.owner = wire::OwnerState::kLost;
  auto owner = service_->catalog().instances().find(tree.owner);
  if (owner != service_->catalog().instances().end()) {
    if (!owner->second.lost) remote.owner = wire::OwnerState::kAlive;
    remote.since_ms = static_cast<uint64_t>(owner->second.since_ms);
    remote.host = owner->second.host;
  }
  remote.stale_since_ms = static_cast<uint64_t>(service_->health().stale_since_ms);
  std::unordered_map<ObjectId, const meta::Node*> nodes;
  for (const meta::Node& node : tree.nodes) nodes.emplace(node.id, &node);
  std::vector<ObjectId> wanted{id};
  for (size_t i = 0; i < wanted.size(); ++i) {
    auto found = nodes.find(wanted[i]);
    if (found == nodes.end()) continue;  // of another tree, or taken already
    const meta::Node& node = *found->second;
    nodes.erase(found);
    remote.nodes.push_back({node.id, node.kind, node.value_size, node.record});
    if (node.is_blob()) continue;
    ASSIGN_OR_RETURN(Record record, DecodeRecord(node.record));
    for (const Member& member : record.members) wanted.push_back(member.id);
  }
  TakeLabels(tree, id, &remote);
  std::string body;
  answer.Encode(&body);
  return body;
}

// As of an object that lives elsewhere: labels are all that is asked for.
Result<std::string> Lookup::AnswerLabels(ObjectId id, ObjectId home) const {
  ASSIGN_OR_RETURN(meta::Tree tree, meta::DecodeTree(service_->catalog().TreeOf(home)));
  wire::FindAnswer answer;
  answer.kind = wire::FindAnswer::Kind::kRemote;
  answer.remote.instance = tree.owner;
  for (const meta::Node& node : tree.nodes) {
    if (node.id != id) continue;
    answer.remote.nodes.push_back({node.id, node.kind, node.value_size, node.record});
  }
  TakeLabels(tree, id, &answer.remote);
  std::string body;
  answer.Encode(&body);
  return body;
}

// ---- many ----------------------------------------------------------------------------------------

// Of the store, by label, too.
Result<store::Page> Lookup::ListHere(const wire::List& list) {
  if (list.label.empty()) return store_->List(list.type_glob, list.after, list.limit);
  store::Page labelled;
  labelled.cursor = list.after;
  for (uint64_t steps = 0; labelled.objects.size() < list.limit && steps < kLabelSteps;) {
    ASSIGN_OR_RETURN(store::Page page, store_->List(list.type_glob, labelled.cursor, 1000));
    labelled.cursor = page.cursor;
    steps += page.objects.size();
    for (auto& [type, id] : page.objects) {
      Labels labels = store_->LabelsOf(id);
      bool has =
          service_->catalog().HasLabel(id, list.label, list.value) ||
          std::any_of(labels.begin(), labels.end(), [&](const auto& label) {
            return label.first == list.label && (list.value.empty() || label.second == list.value);
          });
      if (!has) continue;
      labelled.objects.emplace_back(type, id);
      if (labelled.objects.size() < list.limit) continue;
      labelled.cursor = PrintId(id) + type;
      return labelled;
    }
    if (labelled.cursor.empty()) break;
  }
  return labelled;
}

Result<wire::ListAnswer> Lookup::List(const wire::List& list) {
  using Key = std::pair<std::string, ObjectId>;
  auto key_of = [](const std::string& cursor) -> std::optional<Key> {
    if (cursor.empty()) return std::nullopt;
    return Key(cursor.substr(17), ParseId(cursor.substr(0, 17)).value());
  };
  uint64_t self = service_->self().number;
  std::vector<Key> found;
  std::optional<Key> end;  // what is behind it is for the next page
  if (list.instance == 0 || list.instance == self) {
    ASSIGN_OR_RETURN(store::Page here, ListHere(list));
    Lower(&end, key_of(here.cursor));
    found = std::move(here.objects);
  }
  if (list.instance != self) {
    meta::Catalog::Filter filter;
    filter.type_glob = list.type_glob;
    filter.instance = list.instance;
    filter.label = list.label;
    filter.value = list.value;
    ASSIGN_OR_RETURN(meta::Catalog::Page there,
                     service_->catalog().List(filter, list.after, list.limit));
    Lower(&end, key_of(there.cursor));
    size_t middle = found.size();
    for (const auto& [type, id] : there.objects) {
      if (!store_->Look(id)) found.emplace_back(type, id);
    }
    std::inplace_merge(found.begin(), found.begin() + static_cast<ptrdiff_t>(middle), found.end());
  }
  wire::ListAnswer answer;
  for (const Key& key : found) {
    if (end && *end < key) break;
    if (answer.ids.size() == list.limit) {
      const Key& last = *(&key - 1);
      answer.cursor = PrintId(last.second) + last.first;
      return answer;
    }
    answer.ids.push_back(key.second);
  }
  if (end) answer.cursor = PrintId(end->second) + end->first;
  return answer;
}

wire::ListNamesAnswer Lookup::ListNames(const wire::ListNames& list) {
  store::NamePage here = store_->ListNames(list.glob, list.after, list.limit);
  meta::Catalog::NamePage there = service_->catalog().ListNames(list.glob, list.after, list.limit);
  std::optional<std::string> end;
  if (!here.cursor.empty()) Lower(&end, std::optional(here.cursor));
  if (!there.cursor.empty()) Lower(&end, std::optional(there.cursor));
  std::map<std::string, std::pair<ObjectId, uint64_t>> found;
  for (const store::NameItem& item : here.names) found[item.name] = {item.id, item.revision};
  for (const auto& [name, known] : there.names) {
    found.try_emplace(name, known.id, known.revision);  // a name of this host's comes first
  }
  wire::ListNamesAnswer answer;
  for (const auto& [name, object] : found) {
    if (end && *end < name) break;
    if (answer.names.size() == list.limit) {
      answer.cursor = answer.names.back().name;
      return answer;
    }
    answer.names.push_back({name, object.first, object.second});
  }
  if (end) answer.cursor = *end;
  return answer;
}

wire::ListTypesAnswer Lookup::ListTypes(const wire::ListTypes& list) {
  store::TypePage here = store_->ListTypes(list.after);
  std::map<std::string, uint64_t> counts(here.types.begin(), here.types.end());
  // All of them with the first page: there are few types.
  for (const auto& [type, count] : service_->catalog().TypesBut(service_->self().number)) {
    if (type <= list.after || (!here.cursor.empty() && type > here.cursor)) continue;
    counts[std::string(type)] += count;
  }
  wire::ListTypesAnswer answer;
  answer.types.assign(counts.begin(), counts.end());
  answer.cursor = std::move(here.cursor);
  return answer;
}

wire::InstancesAnswer Lookup::Instances() const {
  wire::InstancesAnswer answer;
  for (const auto& [number, instance] : service_->catalog().instances()) {
    wire::InstancesAnswer::Item item;
    item.number = number;
    item.state = instance.lost ? wire::OwnerState::kLost : wire::OwnerState::kAlive;
    item.since_ms = static_cast<uint64_t>(instance.since_ms);
    item.memory_limit = instance.memory_limit;
    item.epoch = instance.epoch;
    item.uid = instance.uid;
    item.host = instance.host;
    item.socket = instance.socket;
    item.endpoint = instance.endpoint;
    answer.instances.push_back(std::move(item));
  }
  return answer;
}

}  // namespace vineyard::daemon

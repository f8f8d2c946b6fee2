#include "daemon/mirror.h"

#include <algorithm>

#include "core/base/log.h"
#include "core/meta/tree.h"
#include "core/shm/layout.h"
#include "core/wire/messages.h"
#include "daemon/trees.h"

namespace vineyard::daemon {
namespace {

// Tried again in one tick: the store may be full of names for long.
constexpr size_t kNamesAtOnce = 100;

}  // namespace

void Mirror::OnEvent(const meta::Event& event) {
  using Kind = meta::Event::Kind;
  switch (event.kind) {
    case Kind::kCreated:
      if (event.instance == self()) OnCreated(event.id);
      break;
    case Kind::kDeleted:
      if (event.instance == self()) OnDeleted(event.id);
      break;
    case Kind::kNamed:
    case Kind::kDropped:
      ShowName(event.name);
      break;
    case Kind::kLabelled:
      if (event.instance == self()) ShowLabels(event.id);
      break;
    default:
      break;
  }
}

void Mirror::OnCreated(ObjectId home) {
  auto tree = meta::DecodeTree(service_->catalog().TreeOf(home));
  if (!tree.ok()) return;
  std::vector<ObjectId> nodes;
  bool is_marked = true;
  for (const meta::Node& node : tree->nodes) {
    nodes.push_back(node.id);
    std::optional<store::Facts> facts = store_->Look(node.id);
    int wanted = shm::kPersisted | (node.id == home ? shm::kHome : 0);
    is_marked = is_marked && facts && (facts->flags & (wanted | shm::kPending)) == wanted;
  }
  if (is_marked) return;
  Status marked = store_->MarkPersisted({home}, nodes);
  if (!marked.ok()) {
    Log(LogLevel::kError, "object %s: it is persisted, and not marked so: %s",
        PrintId(home).c_str(), marked.ToString().c_str());
  }
}

// But what another tree has for a node.
std::vector<ObjectId> Mirror::NodesLeft(ObjectId home) const {
  std::vector<ObjectId> nodes;
  for (ObjectId id : NodesOf(*store_, home)) {
    if (!service_->catalog().HomeOf(id)) nodes.push_back(id);
  }
  return nodes;
}

void Mirror::GiveBack(ObjectId home) {
  Status unmarked = store_->Unmark(NodesLeft(home));
  if (!unmarked.ok()) {
    Log(LogLevel::kError, "object %s: %s", PrintId(home).c_str(), unmarked.ToString().c_str());
  }
}

void Mirror::OnDeleted(ObjectId home) {
  if (!store_->Look(home)) return;
  Status gone = store_->Unmark(NodesLeft(home));
  if (gone.ok()) {
    // What readers or objects of this instance alone hold goes with the last of them.
    gone = store_->Delete(TakeRequest(), {home}, /*force=*/true, /*deep=*/true).status();
  }
  if (!gone.ok()) {
    Log(LogLevel::kError,
        "object %s: the cluster has deleted it, and it can not be deleted here: %s",
        PrintId(home).c_str(), gone.ToString().c_str());
  }
}

bool Mirror::HasClustersName(std::string_view name) const {
  Result<store::NameItem> known = store_->ReadName(name);
  return known.ok() && known->is_clusters;
}

// As the catalog says, where the object is here.
void Mirror::ShowName(std::string_view name) {
  std::optional<meta::Name> now = service_->catalog().FindName(name);
  Result<store::Mutation> shown = store::Mutation{};
  if (now && store_->Look(now->id)) {
    Result<store::NameItem> known = store_->ReadName(name);
    if (known.ok() && known->is_clusters && known->id == now->id &&
        known->revision == now->revision) {
      return;
    }
    shown = store_->MirrorName(TakeRequest(), name, now->id, now->revision);
  } else if (HasClustersName(name)) {
    shown = store_->MirrorDrop(TakeRequest(), name);
  }
  if (!shown.ok()) names_left_.emplace(name);
}

void Mirror::ShowLabels(ObjectId home) {
  auto tree = meta::DecodeTree(service_->catalog().TreeOf(home));
  if (!tree.ok()) return;
  for (const meta::Node& node : tree->nodes) {
    Labels labels;
    for (const auto& [id, of] : tree->labels) {
      if (id == node.id) labels = of;
    }
    if (!store_->Look(node.id) || labels == store_->LabelsOf(node.id)) continue;
    if (store_->MirrorLabels(TakeRequest(), node.id, labels).ok()) continue;
    homes_left_.insert(home);
    // Old ones would be read; who finds none asks, and is answered from the catalog.
    (void)store_->MirrorLabels({}, node.id, {});
  }
}

std::vector<ObjectId> Mirror::Reconcile(const std::function<bool(ObjectId)>& is_pending) {
  const meta::Catalog& catalog = service_->catalog();
  std::vector<ObjectId> dropped;
  for (ObjectId id : store_->WithFlags(shm::kPending | shm::kHome)) {
    std::optional<store::Facts> facts = store_->Look(id);
    // What the cluster has and this build can not read is not deleted.
    if (!facts || catalog.HomeOf(id) || catalog.IsUnreadable(id)) continue;
    if ((facts->flags & shm::kHome) != 0) {
      OnDeleted(id);  // while nobody told us
    } else if (!is_pending(id)) {
      dropped.push_back(id);  // its put ended with the daemon that did it
    }
  }
  (void)store_->DropPending({}, dropped);
  for (ObjectId home : catalog.TreesOf(self())) {
    OnCreated(home);
    ShowLabels(home);
    for (const std::string& name : catalog.NamesOf(home)) ShowName(name);
  }
  std::string cursor;
  do {
    store::NamePage page = store_->ListNames("*", cursor, wire::kMaxPage);
    for (const store::NameItem& item : page.names) {
      if (item.is_clusters) ShowName(item.name);
    }
    cursor = page.cursor;
  } while (!cursor.empty());
  return dropped;
}

void Mirror::Tick() {
  for (size_t tries = std::min(names_left_.size(), kNamesAtOnce); tries > 0; --tries) {
    auto next = names_left_.upper_bound(last_name_);
    if (next == names_left_.end()) next = names_left_.begin();
    last_name_ = std::move(names_left_.extract(next).value());
    ShowName(last_name_);
  }
  for (ObjectId home : std::exchange(homes_left_, {})) ShowLabels(home);
}

}  // namespace vineyard::daemon

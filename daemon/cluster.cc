#include "daemon/cluster.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/log.h"
#include "core/meta/tree.h"
#include "core/object/record.h"
#include "core/object/types.h"
#include "core/shm/layout.h"

namespace vineyard::daemon {
namespace {

constexpr size_t kHomesAtOnce = 256;  // in one change
constexpr int64_t kOwnMs = 30'000;
// Behind the start: clients connect again at once, and their requests have deadlines.
constexpr int64_t kRepeatsMs = 60'000;

}  // namespace

Status NotAsked(const Status& why, bool is_repeat) {
  if (!is_repeat) return why;
  return {Code::kUnknown, why.text() + "; the daemon before this one may have applied it"};
}

Cluster::Cluster(store::Store* store, meta::Service* service, shm::StateFile* state)
    : store_(store),
      service_(service),
      state_(state),
      mirror_(store, service),
      before_{state->header().log_seen[0], state->header().log_seen[1]},
      repeats_until_ns_(MonotonicNs() + kRepeatsMs * 1'000'000),
      alive_(std::make_shared<bool>(true)) {}

Cluster::~Cluster() { *alive_ = false; }

bool Cluster::IsClusters(ObjectId id) const {
  if (HomeOf(id)) return true;
  std::optional<store::Facts> facts = store_->Look(id);
  return facts && (facts->flags & shm::kPersisted) != 0;
}

std::optional<uint64_t> Cluster::BytesOf(ObjectId id) const {
  auto home = HomeOf(id);
  if (!home) return std::nullopt;
  auto tree = meta::DecodeTree(service_->catalog().TreeOf(*home));
  if (!tree.ok()) return std::nullopt;
  for (const meta::Node& node : tree->nodes) {
    if (node.id != id) continue;
    if (node.is_blob()) return EnvelopeOf(node.kind, node.value_size).stored_size(node.value_size);
    Result<uint64_t> nbytes = ReadNbytes(node.record);
    if (nbytes.ok()) return *nbytes;
  }
  return std::nullopt;
}

std::optional<store::NameItem> Cluster::HostName(std::string_view name) const {
  Result<store::NameItem> known = store_->ReadName(name);
  if (!known.ok() || known->is_clusters) return std::nullopt;
  return std::move(known).value();
}

void Cluster::Unpark() {
  for (Parked& parked : std::exchange(parked_, {})) parked.again();
}

// ---- changes of the cluster ----------------------------------------------------------------------

// What a successor has to know if this daemon dies with the change under way.
std::list<meta::Revision>::iterator Cluster::BeginChange() {
  auto place = seen_.insert(seen_.end(), service_->applied());
  NoteSeen();
  return place;
}

void Cluster::EndChange(std::list<meta::Revision>::iterator place) {
  seen_.erase(place);
  NoteSeen();
}

void Cluster::NoteSeen() {
  meta::Revision seen = seen_.empty() ? service_->applied() : seen_.front();
  if (seen == meta::Revision{}) return;
  // If this one dies, too, before it was asked again.
  bool more_repeats = before_ != meta::Revision{} && MonotonicNs() < repeats_until_ns_;
  if (more_repeats) seen = std::min(seen, before_);
  if (seen == noted_) return;
  noted_ = seen;
  uint64_t* words = state_->header().log_seen;
  // In this order: who is killed between them has noted less than it saw.
  std::atomic_ref(words[1]).store(0, std::memory_order_release);
  std::atomic_ref(words[0]).store(seen.generation, std::memory_order_release);
  std::atomic_ref(words[1]).store(seen.entries, std::memory_order_release);
}

meta::Request Cluster::RequestOf(const Call& call) const {
  meta::Request request;
  request.id = {call.request.session, call.request.number};
  request.repeated = call.repeated;
  request.seen = call.repeated ? before_ : service_->applied();
  return request;
}

void Cluster::Commit(const Call& call, meta::Change change, Answer answer, Done done,
                     bool with_mirror) {
  auto place = BeginChange();
  Mirror::Answering answering(&mirror_, with_mirror ? call.request : store::Request{});
  service_->Commit(RequestOf(call), std::move(change), call.deadline,
                   [this, alive = alive_, place, answer = std::move(answer),
                    done = std::move(done)](Result<meta::Outcome> outcome) {
                     if (!*alive) return;
                     done(outcome.ok() ? answer(*outcome) : outcome.status());
                     EndChange(place);
                   });
}

void Cluster::CommitOwn(meta::Change change, const Deadline& deadline,
                        meta::Service::Committed done, const meta::Request& request) {
  auto place = BeginChange();
  service_->Commit(request, std::move(change), deadline,
                   [this, alive = alive_, place, done = std::move(done)](Result<meta::Outcome> o) {
                     if (!*alive) return;
                     done(std::move(o));
                     EndChange(place);
                   });
}

void Cluster::Sync(const Deadline& deadline, meta::Service::Synced done) {
  service_->Sync(deadline, [alive = alive_, done = std::move(done)](const Status& status) {
    if (*alive) done(status);
  });
}

// ---- put -----------------------------------------------------------------------------------------

Step Cluster::Put(const Call& call, const Tree& tree, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) {
    if (pending_.contains(repeated->id)) return Step::Kind::kPark;
    std::optional<store::Facts> facts = store_->Look(repeated->id);
    // The daemon before this one died with it; what became of it is known with the next reconciliation.
    if (facts && (facts->flags & shm::kPending) != 0) return Step::Kind::kPark;
    bool is_here = repeated->id != kInvalidId && !dropped_.contains(repeated->id);
    if (is_here && call.repeated && !tree.name.empty() && HomeOf(repeated->id)) {
      return NameAgain(call, *repeated, tree, std::move(done));
    }
    if (is_here) return {*repeated};
    return Status(Code::kUnavailable,
                  "put: the cluster did not take it, and nothing is stored; put it again");
  }
  store::Foreign foreign;
  bool is_global = false;
  for (const TreeNode& node : tree.nodes) {
    for (const TreeMember& member : node.members) {
      if (member.local || member.ref == kEmptyBlobId) continue;
      if (auto facts = store_->Look(member.ref)) {
        is_global = is_global || (facts->flags & shm::kRemote) != 0;
      } else if (auto bytes = BytesOf(member.ref)) {
        foreign.emplace(member.ref, *bytes);
        is_global = true;
      } else if (!call.synced) {
        return Step::Kind::kSync;
      } else {
        return NotFound("member '" + std::string(member.name) + "' of " +
                        std::string(node.type_name) + ": " + Unknown(member.ref));
      }
    }
  }
  if (!tree.name.empty()) {
    auto known = service_->catalog().FindName(tree.name);
    if (known || is_global) {
      if (!known) {
        if (auto host = HostName(tree.name)) known = meta::Name{host->id, host->revision};
      }
      if (is_global || !tree.replace_name) {
        RETURN_IF_ERROR(
            meta::CheckNameChange(tree.name, known, tree.replace_name, meta::kAnyRevision));
      }
    }
  }
  if (!is_global) {
    Result<store::Mutation> put = store_->Put(call.request, tree);
    // The name was the cluster's, which is to know that it is not any more.
    if (put.ok() && !tree.name.empty() && service_->catalog().FindName(tree.name)) {
      CommitOwn(meta::DropName{std::string(tree.name), meta::kAnyRevision}, Deadline::After(kOwnMs),
                [](const Result<meta::Outcome>&) {});
    }
    return put;
  }
  if (publishing_) return Step::Kind::kPark;
  return PutGlobal(call, tree, foreign, std::move(done));
}

// ---- delete --------------------------------------------------------------------------------------

Step Cluster::Delete(const Call& call, const wire::Delete& message, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  std::vector<ObjectId> homes, locals;
  std::unordered_set<ObjectId> once;
  for (ObjectId id : message.ids) {
    if (!once.insert(id).second) continue;
    if (under_way_.contains(id) || pending_.contains(id)) return Step::Kind::kPark;
    bool is_here = store_->Look(id).has_value();
    if (IsClusters(id)) {
      if (publishing_) return Step::Kind::kPark;
      homes.push_back(id);
    } else if (is_here || id == kEmptyBlobId) {
      locals.push_back(id);
    } else if (!call.synced) {
      return Step::Kind::kSync;
    } else if (call.repeated) {
      homes.push_back(id);  // it may be this very request that deleted it
    } else {
      locals.push_back(id);  // the store says what it is
    }
  }
  if (homes.empty()) return store_->Delete(call.request, locals, message.force, message.deep);
  RETURN_IF_ERROR(store_->CheckDeletable(locals));
  RETURN_IF_ERROR(CheckDelete(homes, locals, message));
  uint64_t count = once.size();
  auto answer = [this, call, locals, deep = message.deep,
                 count](const meta::Outcome&) -> Result<store::Mutation> {
    if (!locals.empty()) return store_->Delete(call.request, locals, /*force=*/true, deep);
    return store_->Answer(call.request, {kInvalidId, count, 0});
  };
  // With objects of this host alone the store answers for all when they go, too.
  Commit(call, meta::Delete{homes, message.force}, std::move(answer), std::move(done),
         /*with_mirror=*/locals.empty());
  return Step::Kind::kLater;
}

// What only this instance knows against it.
Status Cluster::CheckDelete(const std::vector<ObjectId>& homes, const std::vector<ObjectId>& locals,
                            const wire::Delete& message) const {
  std::vector<ObjectId> parents = locals;
  for (ObjectId home : homes) {
    auto tree = meta::DecodeTree(service_->catalog().TreeOf(home));
    if (!tree.ok()) continue;
    if (!message.deep && tree->nodes.size() > 1) {
      return {Code::kInUse,
              "object " + PrintId(home) +
                  ": it was persisted with its members, which go with it; delete it deep, or "
                  "persist the members that are to stay before their parent"};
    }
    for (const meta::Node& node : tree->nodes) parents.push_back(node.id);
  }
  if (message.force) return OkStatus();
  std::vector<ObjectId> all = homes;
  all.insert(all.end(), locals.begin(), locals.end());
  // Links of trees that stay are the cluster's to know.
  for (ObjectId home : homes) {
    for (ObjectId referrer : service_->catalog().ReferrersOf(home)) {
      auto tree = meta::DecodeTree(service_->catalog().TreeOf(referrer));
      if (!tree.ok()) continue;
      for (const meta::Node& node : tree->nodes) parents.push_back(node.id);
    }
  }
  std::sort(parents.begin(), parents.end());
  parents.erase(std::unique(parents.begin(), parents.end()), parents.end());
  return store_->CheckUnlinked(all, parents);
}

Step Cluster::Clear(const Call& call, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  if (!under_way_.empty() || publishing_) return Step::Kind::kPark;
  // Mutual links do not matter: all of them go.
  std::vector<ObjectId> homes = service_->catalog().TreesOf(service_->self().number, kHomesAtOnce);
  if (homes.empty()) return store_->Clear(call.request);
  CommitOwn(meta::Delete{homes, /*force=*/true}, call.deadline,
            [this, call, done](const Result<meta::Outcome>& deleted) {
              if (!deleted.ok()) return done(deleted.status());
              Step step = Clear(call, done);
              if (step.kind == Step::Kind::kDone) return done(std::move(step.result));
              if (step.kind == Step::Kind::kLater) return;
              done(Status(Code::kConflict, "clear: objects were persisted meanwhile; clear again"));
            });
  return Step::Kind::kLater;
}

// ---- names and labels ----------------------------------------------------------------------------

Step Cluster::PutName(const Call& call, const wire::PutName& message, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  RETURN_IF_ERROR(CheckText("name", message.name, kMaxName));
  std::string name(message.name);
  std::optional<store::NameItem> host = HostName(name);
  bool is_here = store_->Look(message.id).has_value();
  if (under_way_.contains(message.id) || pending_.contains(message.id)) return Step::Kind::kPark;
  if (!IsClusters(message.id) && is_here) {
    std::optional<meta::Name> known = service_->catalog().FindName(name);
    if (host || !known) {
      return store_->PutName(call.request, name, message.id, message.replace, message.expect);
    }
    // The cluster has it for another object: it goes there first.
    RETURN_IF_ERROR(meta::CheckNameChange(name, known, message.replace, message.expect));
    auto answer = [this, call, name, id = message.id](const meta::Outcome&) {
      return store_->PutName(call.request, name, id, /*replace=*/true, wire::kAnyRevision);
    };
    Call first = call;
    first.request = {};
    Commit(first, meta::DropName{name, known->revision}, std::move(answer), std::move(done));
    return Step::Kind::kLater;
  }
  if (!IsClusters(message.id)) {
    if (!call.synced) return Step::Kind::kSync;
    if (!call.repeated) return NotFound(Unknown(message.id));
  }
  if (publishing_) return Step::Kind::kPark;
  meta::PutName put{name, message.id, message.replace, message.expect};
  if (host && !call.repeated) {  // it makes room for the cluster's
    RETURN_IF_ERROR(meta::CheckNameChange(name, meta::Name{host->id, host->revision},
                                          message.replace, message.expect));
    put.expect = meta::kAnyRevision;
  }
  auto answer = [this, call, id = message.id](const meta::Outcome& outcome) {
    return store_->Answer(call.request, {id, 0, outcome.value});
  };
  Commit(call, std::move(put), std::move(answer), std::move(done));
  return Step::Kind::kLater;
}

Step Cluster::DropName(const Call& call, const wire::DropName& message, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  RETURN_IF_ERROR(CheckText("name", message.name, kMaxName));
  if (HostName(message.name)) {
    return store_->DropName(call.request, message.name, message.expect);
  }
  bool is_known = service_->catalog().FindName(message.name) || store_->ReadName(message.name).ok();
  if (!is_known && !call.synced) return Step::Kind::kSync;
  if (publishing_) return Step::Kind::kPark;
  auto answer = [this, call](const meta::Outcome& outcome) {
    return store_->Answer(call.request, {outcome.id, 0, 0});
  };
  Commit(call, meta::DropName{std::string(message.name), message.expect}, std::move(answer),
         std::move(done));
  return Step::Kind::kLater;
}

Step Cluster::SetLabels(const Call& call, const wire::SetLabels& message, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  if (under_way_.contains(message.id) || pending_.contains(message.id)) return Step::Kind::kPark;
  if (!IsClusters(message.id)) {
    if (store_->Look(message.id)) {
      return store_->SetLabels(call.request, message.id, message.labels);
    }
    if (!call.synced) return Step::Kind::kSync;
    if (!call.repeated) return NotFound(Unknown(message.id));
  }
  if (publishing_) return Step::Kind::kPark;
  meta::SetLabels set{message.id, {}};
  for (const auto& [key, value] : message.labels) set.labels.emplace_back(key, value);
  Labels checked;
  RETURN_IF_ERROR(ChangeLabels(message.labels, &checked));
  auto answer = [this, call, id = message.id](const meta::Outcome&) {
    return store_->Answer(call.request, {id, 1, 0});
  };
  Commit(call, std::move(set), std::move(answer), std::move(done));
  return Step::Kind::kLater;
}

Step Cluster::ForgetInstance(const Call& call, uint64_t number, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  if (!call.synced && !service_->catalog().instances().contains(number)) return Step::Kind::kSync;
  auto answer = [this, call](const meta::Outcome& outcome) {
    return store_->Answer(call.request, {kInvalidId, outcome.value, 0});
  };
  Commit(call, meta::ForgetInstance{number}, std::move(answer), std::move(done));
  return Step::Kind::kLater;
}

// Why an object can not be had, behind a barrier.
std::string Cluster::Unknown(ObjectId id) const {
  uint64_t maker = InstanceOf(id);
  if (maker == service_->self().number) return store_->Find(id).status().text();
  std::string where = "instance " + std::to_string(maker);
  auto known = service_->catalog().instances().find(maker);
  if (known != service_->catalog().instances().end()) {
    where += known->second.host.empty() ? "" : " (" + known->second.host + ")";
  }
  return "object " + PrintId(id) + ": it was made by " + where +
         ", and is not persisted, or deleted; check the id, or call persist there";
}

void Cluster::Tick() {
  mirror_.Tick();
  NoteSeen();
  std::vector<Parked> late;
  for (Parked& parked : std::exchange(parked_, {})) {
    (parked.deadline.passed() ? late : parked_).push_back(std::move(parked));
  }
  for (Parked& parked : late) parked.again();
  if (std::exchange(unpark_, false)) Unpark();
  if (publish_again_) PublishAgain();
  if (!reconcile_) return;
  reconcile_ = false;
  Sync(Deadline::After(kOwnMs), [this](const Status& status) {
    if (status.ok() && !publishing_) {
      Reconcile();
    } else {
      reconcile_ = true;
    }
  });
}

void Cluster::OnEvent(const meta::Event& event) {
  if (event.kind != meta::Event::Kind::kReset) return mirror_.OnEvent(event);
  if (!publishing_) Reconcile();
}

}  // namespace vineyard::daemon

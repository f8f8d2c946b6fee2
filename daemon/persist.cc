// Of the cluster: what carries objects into it, in steps: persist, puts that reach other instances, and
// publishing again what a cluster has lost.
#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/shm/layout.h"
#include "daemon/cluster.h"

namespace vineyard::daemon {
namespace {

// Of trees, in one change.
constexpr size_t kChangeBytes = size_t{256} << 10;
// Roots that are looked at in one turn of the loop.
constexpr size_t kRootsAtOnce = 1000;
constexpr int kAttempts = 4;
constexpr int64_t kOwnMs = 30'000;

// What a tree takes in a change beside its own bytes, roughly; links come on top.
constexpr size_t kTreeOverhead = 512;

// From one place of a forest on, as much as one change takes, `most` at most. What links to a tree of the same
// forest comes with it or after it.
std::vector<std::string> NextTrees(const Forest& forest, size_t most, size_t* next) {
  std::vector<std::string> trees;
  size_t bytes = 0;
  for (; *next < forest.trees.size() && trees.size() < most; ++*next) {
    bytes += forest.trees[*next].tree.size() + kTreeOverhead;
    if (!trees.empty() && bytes > kChangeBytes) break;
    trees.push_back(forest.trees[*next].tree);
  }
  return trees;
}

}  // namespace

struct Cluster::Job {
  Call call;
  std::vector<ObjectId> roots;
  Done done;

  size_t from = 0, to = 0;  // of roots: what is looked at now
  Forest forest;
  size_t next = 0;         // of its trees
  size_t most = SIZE_MAX;  // trees in one change
  std::vector<std::pair<ObjectId, uint32_t>> held;
  std::vector<store::NameItem> names;  // of what was persisted, which become the cluster's
  uint64_t count = 0;
  int attempts = 0;
  Status trouble;  // with a name

  // A put that reaches other instances.
  store::Mutation put;
  std::vector<ObjectId> created;
  std::string name;
  bool replace = false;
};

Step Cluster::Persist(const Call& call, const std::vector<ObjectId>& ids, Done done) {
  ASSIGN_OR_RETURN(std::optional<store::Mutation> repeated, store_->Repeated(call.request));
  if (repeated) return {*repeated};
  if (publishing_) return Step::Kind::kPark;
  auto job = std::make_shared<Job>();
  job->call = call;
  job->roots = ids;
  job->done = std::move(done);
  Run(job);
  return Step::Kind::kLater;
}

Step Cluster::PutGlobal(const Call& call, const Tree& tree, const store::Foreign& foreign,
                        Done done) {
  uint64_t first = 0;
  ASSIGN_OR_RETURN(store::Mutation put, store_->PutPending(call.request, tree, foreign));
  first = put.value;
  auto job = std::make_shared<Job>();
  job->call = call;
  job->roots = {put.id};
  job->done = std::move(done);
  job->put = put;
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const TreeNode& node = tree.nodes[i];
    bool is_blob = node.type == TreeNode::Type::kInlineBlob;
    job->created.push_back(node.type == TreeNode::Type::kLeasedBlob
                               ? node.lease
                               : MakeId(is_blob, store_->instance(), first + i));
  }
  pending_.insert(job->created.begin(), job->created.end());
  job->name = tree.name;
  job->replace = tree.replace_name;
  Run(job);
  return Step::Kind::kLater;
}

// ---- a job ---------------------------------------------------------------------------------------

void Cluster::Run(const JobPtr& job) {
  bool is_repeat = job->call.repeated && job->put.id == kInvalidId;
  if (job->call.deadline.passed()) {
    Status late(Code::kUnavailable,
                "persist: another persist of the same objects did not end before the deadline");
    return Fail(job, NotAsked(late, is_repeat));
  }
  job->to = std::min(job->from + kRootsAtOnce, job->roots.size());
  TreeGrower grower(store_, service_->self().number,
                    {[this](ObjectId id) { return HomeOf(id); },
                     [this](ObjectId id) { return under_way_.contains(id); }});
  for (size_t i = job->from; i < job->to; ++i) grower.Add(job->roots[i]);
  job->forest = grower.Take();
  job->next = 0;
  const Forest& forest = job->forest;
  if (!forest.error.ok()) return Fail(job, forest.error);
  if (!forest.unknown.empty()) {
    if (job->call.synced) {
      auto [id, root] = forest.unknown.front();
      std::string whose = id == root ? "" : "member of object " + PrintId(root) + ": ";
      return Fail(job, NotFound("persist: " + whose + Unknown(id)));
    }
    return Sync(job->call.deadline, [this, job, is_repeat](const Status& status) {
      if (!status.ok()) return Fail(job, NotAsked(status, is_repeat));
      job->call.synced = true;
      Run(job);
    });
  }
  if (!forest.under_way.empty()) return Park(job->call.deadline, [this, job] { Run(job); });
  for (const Forest::Grown& grown : forest.trees) {
    for (ObjectId id : grown.nodes) {
      uint32_t slot = store_->Look(id)->slot;
      store_->Hold(slot);
      job->held.emplace_back(id, slot);
      under_way_.insert(id);
    }
  }
  CommitNext(job);
}

void Cluster::CommitNext(const JobPtr& job) {
  size_t begin = job->next;
  meta::Persist persist;
  persist.trees = NextTrees(job->forest, job->most, &job->next);
  if (persist.trees.empty()) return Finish(job);
  CommitOwn(std::move(persist), job->call.deadline,
            [this, job, begin](const Result<meta::Outcome>& outcome) {
              if (!outcome.ok()) {
                Code code = outcome.status().code();
                size_t together = job->next - begin;
                if (code == Code::kLimit && together > 1) {  // many links
                  job->most = together / 2;
                  job->next = begin;
                  return CommitNext(job);
                }
                LetGo(job);
                // The catalog knows now what it did not know when the trees were made.
                bool is_old = code == Code::kExists || code == Code::kNotFound;
                if (is_old && ++job->attempts < kAttempts) return Run(job);
                return Fail(job, outcome.status());
              }
              for (size_t i = begin; i < job->next; ++i) {
                const Forest::Grown& grown = job->forest.trees[i];
                job->count += grown.nodes.size();
                for (ObjectId id : grown.nodes) {
                  for (store::NameItem& name : store_->NamesOf(id)) {
                    if (!name.is_clusters) job->names.push_back(std::move(name));
                  }
                }
                if (store_->Look(grown.home)) continue;
                // Its last parent went meanwhile, and it with that.
                CommitOwn(meta::Delete{{grown.home}, /*force=*/true}, Deadline::After(kOwnMs),
                          [](const Result<meta::Outcome>&) {});
              }
              CommitNext(job);
            });
}

void Cluster::LetGo(const JobPtr& job) {
  for (auto [id, slot] : job->held) {
    store_->Unhold(slot);
    under_way_.erase(id);
  }
  job->held.clear();
  Unpark();
}

void Cluster::Finish(const JobPtr& job) {
  LetGo(job);
  job->from = job->to;
  if (job->from < job->roots.size()) return Run(job);
  std::reverse(job->names.begin(), job->names.end());
  PromoteNames(job);
}

// A name of this host's becomes the cluster's, one after another.
void Cluster::PromoteNames(const JobPtr& job) {
  if (job->names.empty()) return NamePut(job);
  store::NameItem name = std::move(job->names.back());
  job->names.pop_back();
  CommitOwn(meta::PutName{name.name, name.id, false, meta::kAnyRevision}, job->call.deadline,
            [this, job](const Result<meta::Outcome>& outcome) {
              if (!outcome.ok() && job->trouble.ok()) job->trouble = outcome.status();
              PromoteNames(job);
            });
}

void Cluster::NamePut(const JobPtr& job) {
  if (job->name.empty()) return End(job);
  CommitOwn(
      meta::PutName{job->name, job->put.id, job->replace, meta::kAnyRevision}, job->call.deadline,
      [this, job](const Result<meta::Outcome>& outcome) {
        if (outcome.ok()) return End(job);
        // Without its name it is not what was asked for.
        CommitOwn(meta::Delete{{job->put.id}, /*force=*/true}, Deadline::After(kOwnMs),
                  [](const Result<meta::Outcome>&) {});
        Fail(job, outcome.status());
      },
      // The put's only change that has its number: so a successor finds it in the log.
      RequestOf(job->call));
}

Step Cluster::NameAgain(const Call& call, const store::Mutation& put, const Tree& tree, Done done) {
  std::optional<meta::Name> known = service_->catalog().FindName(tree.name);
  if (known && known->id == put.id) return {put};
  auto job = std::make_shared<Job>();
  job->call = call;
  job->done = std::move(done);
  job->put = put;
  job->created = {put.id};
  job->name = tree.name;
  job->replace = tree.replace_name;
  NamePut(job);
  return Step::Kind::kLater;
}

void Cluster::End(const JobPtr& job) {
  if (job->put.id != kInvalidId) {
    for (ObjectId id : job->created) pending_.erase(id);
    job->done(job->put);
  } else if (!job->trouble.ok()) {
    job->done(Status(
        job->trouble.code(),
        "persist: all is persisted, but a name is not the cluster's: " + job->trouble.text()));
  } else {
    job->done(store_->Answer(job->call.request, {kInvalidId, job->count, 0}));
  }
  Unpark();
}

void Cluster::Fail(const JobPtr& job, const Status& why) {
  if (job->put.id == kInvalidId) return job->done(why);
  for (ObjectId id : job->created) pending_.erase(id);
  if (why.code() == Code::kUnknown) {
    reconcile_ = true;  // it stays or goes when the cluster can be asked
    job->done(why);
    return Unpark();
  }
  Status dropped = store_->DropPending(job->call.request, job->created);
  if (!dropped.ok()) {
    Log(LogLevel::kError, "put of object %s: it can not be taken back: %s",
        PrintId(job->put.id).c_str(), dropped.ToString().c_str());
  }
  job->done(Status(why.code(),
                   "put: it reaches objects of other instances, so the cluster has to "
                   "know it; nothing is stored: " +
                       why.text()));
  Unpark();
}

// ---- again ---------------------------------------------------------------------------------------

void Cluster::OnServing(bool is_new_cluster) {
  if (is_new_cluster) {
    repeats_until_ns_ = 0;  // its log says nothing of them
    PublishAgain();
  } else if (!publishing_) {
    Reconcile();
  }
}

void Cluster::Reconcile() {
  reconcile_ = false;
  for (ObjectId id : mirror_.Reconcile([this](ObjectId id) { return pending_.contains(id); })) {
    dropped_.insert(id);
  }
  unpark_ = true;  // repeats of what was dropped, or not; not from inside of an event
}

void Cluster::PublishAgain() {
  publish_again_ = false;
  publishing_ = true;
  auto homes = std::make_shared<std::vector<ObjectId>>(store_->WithFlags(shm::kHome));
  // Members were made before their parents: so homes that are linked to come first.
  std::sort(homes->begin(), homes->end(),
            [](ObjectId a, ObjectId b) { return CounterOf(a) > CounterOf(b); });
  if (!homes->empty()) {
    Log(LogLevel::kInfo, "metadata: %zu trees of this instance are published", homes->size());
  }
  PublishSome(homes);
}

// The last of `homes` first.
void Cluster::PublishSome(const std::shared_ptr<std::vector<ObjectId>>& homes) {
  TreeGrower grower(
      store_, service_->self().number,
      {[this](ObjectId id) { return HomeOf(id); }, [](ObjectId) { return false; }, /*again=*/true});
  size_t left = homes->size() - std::min(homes->size(), kRootsAtOnce);
  for (size_t i = homes->size(); i > left; --i) grower.Add(homes->at(i - 1));
  homes->resize(left);
  auto forest = std::make_shared<Forest>(grower.Take());
  for (const auto& [home, why] : forest->failed) GiveBack(home, why);
  PublishForest(homes, forest, 0);
}

// The cluster can not have it again: so it is this host's.
void Cluster::GiveBack(ObjectId home, const Status& why) {
  Log(LogLevel::kError,
      "metadata: object %s can not be published again; it is this instance's alone now, without "
      "its "
      "names: %s",
      PrintId(home).c_str(), why.ToString().c_str());
  mirror_.GiveBack(home);
}

void Cluster::PublishForest(const std::shared_ptr<std::vector<ObjectId>>& homes,
                            const std::shared_ptr<Forest>& forest, size_t next) {
  meta::Persist persist;
  persist.again = true;
  size_t begin = next;
  persist.trees = NextTrees(*forest, most_trees_, &next);
  if (persist.trees.empty()) {
    if (!homes->empty()) return PublishSome(homes);
    auto names = std::make_shared<std::vector<store::NameItem>>();
    std::string cursor;
    do {
      store::NamePage page = store_->ListNames("*", cursor, wire::kMaxPage);
      for (store::NameItem& item : page.names) {
        if (item.is_clusters) names->push_back(std::move(item));
      }
      cursor = page.cursor;
    } while (!cursor.empty());
    return PublishNames(names);
  }
  CommitOwn(std::move(persist), Deadline::After(kOwnMs),
            [this, homes, forest, begin, next](const Result<meta::Outcome>& outcome) {
              if (outcome.ok()) return PublishForest(homes, forest, next);
              if (outcome.status().code() == Code::kLimit && next - begin > 1) {  // many links
                most_trees_ = (next - begin) / 2;
                return PublishForest(homes, forest, begin);
              }
              if (outcome.status().code() == Code::kLimit) {
                GiveBack(forest->trees[begin].home, outcome.status());
                return PublishForest(homes, forest, next);
              }
              Log(LogLevel::kWarning, "metadata: publish again: %s",
                  outcome.status().ToString().c_str());
              publish_again_ = true;  // with the next tick
            });
}

void Cluster::PublishNames(const std::shared_ptr<std::vector<store::NameItem>>& names) {
  while (!names->empty()) {
    store::NameItem name = std::move(names->back());
    names->pop_back();
    if (service_->catalog().FindName(name.name) || !HomeOf(name.id)) continue;
    CommitOwn(meta::PutName{name.name, name.id, false, meta::kAnyRevision}, Deadline::After(kOwnMs),
              [this, names, text = name.name](const Result<meta::Outcome>& outcome) {
                if (!outcome.ok()) {
                  Log(LogLevel::kWarning, "metadata: publish name '%s' again: %s", text.c_str(),
                      outcome.status().ToString().c_str());
                }
                PublishNames(names);
              });
    return;
  }
  publishing_ = false;
  Reconcile();
  Unpark();
}

}  // namespace vineyard::daemon

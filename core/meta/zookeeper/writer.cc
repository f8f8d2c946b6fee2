#include "core/meta/zookeeper/writer.h"

#include <algorithm>
#include <random>
#include <unordered_set>
#include <utility>

#include "core/base/check.h"
#include "core/base/log.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr size_t kInFlight = 4;  // the server keeps its last 500 transactions in memory
constexpr size_t kBatchBytes = 64 << 10;
constexpr int kAttempts = 20;  // refused each time by somebody else's change
constexpr size_t kAnswers = 100000;

size_t SizeOfPlan(const Plan& plan) {
  size_t size = 256 + 64 * plan.traces.size();
  for (const Op& op : plan.ops) size += SizeOf(op);
  for (const Trace& trace : plan.traces) size += trace.name.size();
  return size;
}

// What sending it again does not change.
bool IsFinal(Code code) {
  return code == Code::kLimit || code == Code::kInvalid || code == Code::kPermission;
}

vineyard::Status Unknown(std::string_view why) {
  return {Code::kUnknown,
          "metadata: " + std::string(why) +
              " while the change was on its way: it may or may not have been applied"};
}

}  // namespace

Writer::Writer(const Catalog* catalog, Follower* follower, const Paths* paths, Owner owner)
    : catalog_(catalog), follower_(follower), paths_(paths), owner_(std::move(owner)) {
  std::random_device random;
  own_session_ = (uint64_t{random()} << 32) | random();
}

void Writer::Commit(const Request& request, Change change, const Deadline& deadline,
                    Service::Committed done) {
  RequestId id = request.id;
  if (id.number == 0) id = {own_session_, ++own_number_};
  auto running = by_request_.find(id);
  if (running != by_request_.end()) {  // a repeat of what still runs
    running->second->done.push_back(std::move(done));
    return;
  }
  auto pending = std::make_shared<Pending>(Pending{id, std::move(change), deadline, {}});
  pending->done.push_back(std::move(done));
  pending->maybe_done = pending->needs_sync = request.repeated;
  pending->since = request.seen;
  pending->touched = TouchedBy(pending->change, *catalog_);
  pending->place = pending_.insert(pending_.end(), pending);
  by_request_[id] = pending;
  PumpLater();
}

void Writer::Start(Connection* connection, std::string fence) {
  connection_ = connection;
  fence_ = std::move(fence);
  PumpLater();
}

void Writer::Stop() {
  session_guard_.Renew();
  connection_ = nullptr;
  for (const PendingPtr& pending : pending_) {
    // What was sent is answered by the connection, now or when it is closed.
    if (pending->state == Pending::State::kBusy || pending->state == Pending::State::kPlanned) {
      Requeue(pending);
    }
  }
}

// Whether it, or a part of it, may be done.
bool Writer::IsUnderWay(const Pending& pending) {
  return pending.maybe_done || pending.is_begun || pending.state >= Pending::State::kSent;
}

void Writer::Fail(const vineyard::Status& status) {
  while (!pending_.empty()) {
    PendingPtr pending = pending_.front();
    Finish(pending, IsUnderWay(*pending) ? Unknown(status.text()) : status);
  }
}

void Writer::Tick(int64_t now_ns) {
  for (auto at = pending_.begin(); at != pending_.end();) {
    PendingPtr pending = *at++;
    if (pending->deadline.at_ns() > now_ns) continue;
    if (IsUnderWay(*pending)) {
      Finish(pending, Unknown("the deadline passed"));
    } else {
      Finish(pending,
             vineyard::Status(Code::kUnavailable,
                              "metadata: ZooKeeper did not answer before the deadline; nothing "
                              "was changed"));
    }
  }
}

// ---- turns ---------------------------------------------------------------------------------------

void Writer::PumpLater() {
  if (pump_posted_) return;
  pump_posted_ = true;
  owner_.post(guard_([this] {
    pump_posted_ = false;
    Pump();
  }));
}

bool Writer::Hold(Pending& pending) {
  for (uint64_t key : pending.touched.alone) {
    if (held_.contains(key)) return false;
  }
  for (uint64_t key : pending.touched.shared) {
    auto held = held_.find(key);
    if (held != held_.end() && held->second < 0) return false;
  }
  for (uint64_t key : pending.touched.alone) held_[key] = -1;
  for (uint64_t key : pending.touched.shared) ++held_[key];
  pending.holds = true;
  return true;
}

void Writer::Release(Pending& pending) {
  if (!pending.holds) return;
  pending.holds = false;
  for (uint64_t key : pending.touched.alone) held_.erase(key);
  for (uint64_t key : pending.touched.shared) {
    auto held = held_.find(key);
    if (--held->second == 0) held_.erase(held);
  }
}

void Writer::Pump() {
  if (connection_ == nullptr) return;
  std::vector<PendingPtr> begun;
  std::unordered_set<uint64_t> waited_for;  // by who came earlier
  for (const PendingPtr& pending : pending_) {
    if (pending->state != Pending::State::kQueued) continue;
    const Touched& touched = pending->touched;
    auto is_waited_for = [&](uint64_t key) { return waited_for.contains(key); };
    bool waits = !waited_for.empty() &&
                 (std::any_of(touched.alone.begin(), touched.alone.end(), is_waited_for) ||
                  std::any_of(touched.shared.begin(), touched.shared.end(), is_waited_for));
    if (!waits && Hold(*pending)) {
      begun.push_back(pending);
      continue;
    }
    waited_for.insert(touched.alone.begin(), touched.alone.end());
    waited_for.insert(touched.shared.begin(), touched.shared.end());
  }
  for (const PendingPtr& pending : begun) {
    if (!pending->finished && pending->state == Pending::State::kQueued) Begin(pending);
  }
  SendSome();
}

void Writer::Begin(const PendingPtr& pending) {
  pending->state = Pending::State::kBusy;
  auto answered = answers_.find(pending->id);
  if (answered != answers_.end()) return Finish(pending, answered->second);
  if (pending->needs_sync) return Sync(pending);
  Look(pending);
}

// A daemon before this one may have begun it.
void Writer::TakeUp(Pending& pending) {
  auto begun = begun_.find(pending.id);
  if (begun != begun_.end()) {
    pending.is_begun = true;
    pending.value += begun->second;
    begun_.erase(begun);
  }
  auto* remove = std::get_if<Delete>(&pending.change);
  if (remove == nullptr || !pending.is_begun) return;
  std::erase_if(remove->ids, [this](ObjectId id) { return !catalog_->HomeOf(id); });
}

void Writer::Sync(const PendingPtr& pending) {
  owner_.sync(pending->deadline, session_guard_([this, pending](const vineyard::Status& status) {
                if (pending->finished || pending->state != Pending::State::kBusy) return;
                // The connection is what failed: until the deadline there may be another.
                if (!status.ok()) return Requeue(pending);
                auto answered = answers_.find(pending->id);
                if (answered != answers_.end()) return Finish(pending, answered->second);
                if (pending->maybe_done && pending->since < known_from_) {
                  return Finish(pending, Unknown("the log was trimmed"));
                }
                pending->maybe_done = pending->needs_sync = false;
                pending->synced = true;
                Look(pending);
              }));
}

void Writer::Look(const PendingPtr& pending) {
  TakeUp(*pending);
  vineyard::Status status = catalog_->Check(pending->change);
  if (!status.ok()) return Refuse(pending, std::move(status));
  pending->known = {};
  pending->known.is_exact = pending->attempts > 0;
  pending->known.gone_too = pending->saw_gone;  // and the catalog, which is newer, has it
  pending->log_version = follower_->log_version();
  Read(pending);
}

// A callback that keeps what was read for this round.
template <typename Value, typename Keep>
auto Writer::Keeping(const PendingPtr& pending, Keep keep) {
  return session_guard_(
      [this, pending, round = pending->round, keep = std::move(keep)](Result<Value> value) mutable {
        if (pending->round == round) OnRead(pending, keep(std::move(value)));
      });
}

void Writer::Read(const PendingPtr& pending) {
  auto wanted = ToReadFor(pending->change, *catalog_, *paths_, &pending->known);
  if (!wanted.ok()) return Refuse(pending, wanted.status());
  pending->read_error = OkStatus();
  pending->reads = wanted->size();
  ++pending->round;
  if (pending->reads == 0) return MakePlan(pending);
  const Deadline& deadline = pending->deadline;
  for (const std::string& name : wanted->names) ReadName(pending, name);
  for (ObjectId home : wanted->trees) {
    connection_->Get(paths_->Tree(home), deadline,
                     Keeping<Node>(pending, [pending, home](Result<Node> node) -> vineyard::Status {
                       if (!node.ok()) return node.status();
                       pending->known.trees[home] = std::move(node).value();
                       return OkStatus();
                     }));
  }
  for (uint64_t number : wanted->places) {
    connection_->Get(
        paths_->Place(number), deadline,
        Keeping<Node>(pending, [pending, number](Result<Node> node) -> vineyard::Status {
          if (!node.ok()) return node.status();
          pending->known.places[number] = std::move(node).value();
          return OkStatus();
        }));
  }
  for (ObjectId home : wanted->children) {
    connection_->GetChildren(
        paths_->Tree(home), deadline,
        Keeping<Children>(pending, [pending, home](Result<Children> children) -> vineyard::Status {
          auto& known = pending->known.found.children[home];
          if (children.ok()) known = std::move(children->names);
          bool is_gone = children.status().code() == Code::kNotFound;
          return is_gone ? OkStatus() : children.status();
        }));
  }
  for (const std::string& path : wanted->exists) {
    connection_->Exists(
        path, deadline,
        Keeping<Stat>(pending, [pending, path](Result<Stat> stat) -> vineyard::Status {
          pending->known.found.exists[path] = stat.ok();
          bool is_absent = stat.status().code() == Code::kNotFound;
          return is_absent ? OkStatus() : stat.status();
        }));
  }
}

void Writer::ReadName(const PendingPtr& pending, const std::string& name) {
  connection_->Get(
      paths_->Name(name), pending->deadline,
      Keeping<Node>(pending, [this, pending, name](Result<Node> node) -> vineyard::Status {
        KnownName known;
        if (!node.ok() && node.status().code() != Code::kNotFound) return node.status();
        if (node.ok()) {
          auto decoded = DecodeName(node->data);
          if (decoded.ok()) {
            known.node = std::move(decoded).value();
          } else {  // a stranger's: it is written over
            Log(LogLevel::kWarning, "%s: %s", paths_->Name(name).c_str(),
                decoded.status().text().c_str());
          }
          known.version = node->stat.version;
        }
        pending->known.names[name] = std::move(known);
        return OkStatus();
      }));
}

void Writer::OnRead(const PendingPtr& pending, const vineyard::Status& status) {
  if (!status.ok()) pending->read_error = status;
  if (--pending->reads != 0 || pending->finished || pending->state != Pending::State::kBusy) return;
  if (pending->read_error.ok()) return Read(pending);  // what that makes necessary
  if (pending->read_error.code() == Code::kNotFound) return Refuse(pending, pending->read_error);
  if (IsFinal(pending->read_error.code())) {
    return Finish(pending,
                  IsUnderWay(*pending) ? Unknown(pending->read_error.text()) : pending->read_error);
  }
  Requeue(pending);
}

void Writer::MakePlan(const PendingPtr& pending) {
  auto plan =
      PlanOf(pending->change, *catalog_, pending->known, *paths_, follower_->log().generation);
  if (!plan.ok()) return Refuse(pending, plan.status());
  if (plan->traces.empty() && plan->ops.empty() && !pending->is_begun) {
    if (!std::exchange(pending->saw_gone, true)) return Sync(pending);
    return Refuse(pending, NotFound("metadata: what was to be deleted is gone already"));
  }
  size_t size = SizeOfPlan(*plan);
  if (size > kRequestLimit) {
    return Finish(
        pending, Limit(Format("metadata: the change takes %zu bytes, at most %zu are allowed; make "
                              "several of it",
                              size, kRequestLimit)));
  }
  pending->plan = std::move(plan).value();
  pending->state = Pending::State::kPlanned;
  planned_.push_back(pending);
  PumpLater();
}

void Writer::Refuse(const PendingPtr& pending, vineyard::Status why) {
  if (pending->synced) return Finish(pending, std::move(why));
  Sync(pending);
}

// ---- multis --------------------------------------------------------------------------------------

void Writer::SendSome() {
  while (connection_ != nullptr && in_flight_ < kInFlight && !planned_.empty()) {
    Batch batch;
    size_t size = 0;
    while (!planned_.empty()) {
      PendingPtr pending = planned_.front();
      size_t more = SizeOfPlan(pending->plan);
      if (!batch.changes.empty() && (pending->alone || size + more > kBatchBytes)) break;
      planned_.pop_front();
      if (pending->finished || pending->state != Pending::State::kPlanned) continue;
      if (pending->log_version != follower_->log_version()) {
        Requeue(pending);  // a new generation: what it was looked at under is over
        continue;
      }
      size += more;
      batch.changes.push_back(pending);
      if (pending->alone) break;
    }
    if (!batch.changes.empty()) Send(std::move(batch));
  }
}

void Writer::Send(Batch batch) {
  batch.generation = follower_->log().generation;
  batch.entry.writer = owner_.self();
  std::vector<Op> ops = {Op::Check(fence_), Op::Check(paths_->Log(), follower_->log_version())};
  Deadline deadline = Deadline::After(0);
  for (const PendingPtr& pending : batch.changes) {
    pending->state = Pending::State::kSent;
    pending->since = follower_->applied();
    ++pending->attempts;
    std::move(pending->plan.ops.begin(), pending->plan.ops.end(), std::back_inserter(ops));
    batch.ends.push_back(ops.size());
    std::move(pending->plan.traces.begin(), pending->plan.traces.end(),
              std::back_inserter(batch.entry.traces));
    batch.entry.answers.push_back(
        {pending->id, pending->plan.id, pending->plan.value, pending->plan.more});
    if (pending->deadline.at_ns() > deadline.at_ns()) deadline = pending->deadline;
  }
  ops.push_back(
      Op::Create(paths_->NewEntry(batch.generation), Encode(batch.entry), Op::kSequential));
  ++in_flight_;
  follower_->Expect();
  connection_->Multi(std::move(ops), deadline,
                     guard_([this, batch = std::move(batch)](const MultiResult& result) mutable {
                       --in_flight_;
                       OnMulti(batch, result);
                       follower_->Expected();
                       PumpLater();
                     }));
}

void Writer::OnMulti(Batch& batch, const MultiResult& result) {
  if (result.status.ok()) {
    auto index = EntryOf(BaseOf(result.ops.back().created_path));
    CHECK(index.has_value());
    std::unordered_map<ObjectId, std::string> trees;
    for (const PendingPtr& pending : batch.changes) {
      pending->state = Pending::State::kWritten;
      pending->written = {batch.generation, *index};
      trees.merge(pending->plan.trees);
      if (pending->finished) Release(*pending);
    }
    if (Revision{batch.generation, *index} < follower_->applied()) {
      // It was read before it was answered: parts go on, the rest was answered then, or was loaded with everything.
      for (const PendingPtr& pending : batch.changes) {
        if (pending->finished) continue;
        if (pending->plan.more) {
          Requeue(pending);
        } else {
          Finish(pending, Outcome{follower_->applied(), pending->plan.id,
                                  pending->value + pending->plan.value});
        }
      }
    }
    owner_.on_written(batch.generation, *index);
    follower_->Offer(batch.generation, *index, std::move(batch.entry), std::move(trees));
    return;
  }
  bool unknown = result.status.code() == Code::kUnknown;
  size_t culprit = batch.changes.size();
  if (result.failed != kNoOp && result.failed >= 2) {
    auto end = std::upper_bound(batch.ends.begin(), batch.ends.end(), result.failed);
    culprit = static_cast<size_t>(end - batch.ends.begin());
  }
  bool is_nobodys = culprit == batch.changes.size();
  bool is_final = IsFinal(result.status.code());
  for (size_t i = 0; i < batch.changes.size(); ++i) {
    const PendingPtr& pending = batch.changes[i];
    if (pending->finished) {
      Release(*pending);
      continue;
    }
    if (is_final && (i == culprit || (is_nobodys && batch.changes.size() == 1))) {
      pending->state = Pending::State::kBusy;  // its multi is over
      Finish(pending, pending->maybe_done ? Unknown(result.status.text()) : result.status);
      continue;
    }
    if (is_final && is_nobodys) pending->alone = true;  // to see whose it is
    if (i == culprit && pending->attempts > kAttempts) {
      pending->state = Pending::State::kBusy;
      Finish(pending,
             vineyard::Status(
                 Code::kConflict,
                 "metadata: it was refused each time that it was tried, because others change the "
                 "same or because something was removed by hand: " +
                     result.status.text()));
      continue;
    }
    if (unknown) pending->maybe_done = true;
    if (unknown || i == culprit) pending->needs_sync = true;
    Requeue(pending);
  }
  if (result.failed == 0) {
    connection_ = nullptr;  // nothing more under this fence
    owner_.on_fenced();
  } else if (result.failed == 1 || (result.failed != kNoOp && culprit == batch.changes.size())) {
    follower_->RefreshLog(guard_([this](const vineyard::Status&) { PumpLater(); }));
  } else if (!unknown && result.failed == kNoOp) {
    Log(LogLevel::kDebug, "%s", result.status.text().c_str());
  }
}

void Writer::Requeue(const PendingPtr& pending) {
  Release(*pending);
  pending->touched = TouchedBy(pending->change, *catalog_);
  pending->state = Pending::State::kQueued;
  pending->synced = false;
  PumpLater();
}

// ---- answers -------------------------------------------------------------------------------------

void Writer::OnApplied(Revision revision, const Entry& entry) {
  if (entry.writer != owner_.self()) return;
  for (const Answer& answer : entry.answers) {
    auto found = by_request_.find(answer.request);
    PendingPtr pending = found == by_request_.end() ? nullptr : found->second;
    if (answer.more) {
      OnPart(answer, pending);
      continue;
    }
    Outcome outcome{revision, answer.id, answer.value};
    if (pending != nullptr) {
      outcome.value += pending->value;
    } else if (auto begun = begun_.find(answer.request); begun != begun_.end()) {
      outcome.value += begun->second;
      begun_.erase(begun);
    }
    if (answers_.emplace(answer.request, outcome).second)
      answered_.push_back({answer.request, revision});
    if (pending != nullptr) Finish(pending, outcome);
  }
  while (answered_.size() > kAnswers) {
    known_from_ = answered_.front().revision;
    answers_.erase(answered_.front().request);
    answered_.pop_front();
  }
}

void Writer::OnPart(const Answer& answer, const PendingPtr& pending) {
  if (pending == nullptr) {
    if (begun_.size() < kAnswers) begun_[answer.request] += answer.value;
    return;
  }
  pending->is_begun = true;
  pending->value += answer.value;
  pending->attempts = 0;
  if (pending->state == Pending::State::kWritten) Requeue(pending);
}

void Writer::OnLoaded(Revision from) {
  known_from_ = from;
  answers_.clear();
  answered_.clear();
  begun_.clear();
  // What was written in front of this is in the catalog, and nobody will say so again.
  for (const PendingPtr& pending : std::vector<PendingPtr>(pending_.begin(), pending_.end())) {
    if (pending->state != Pending::State::kWritten || !(pending->written < from)) continue;
    if (pending->plan.more) {
      OnPart({pending->id, pending->plan.id, pending->plan.value, true}, pending);
    } else {
      Finish(pending, Outcome{from, pending->plan.id, pending->value + pending->plan.value});
    }
  }
}

void Writer::OnOtherCluster() {
  for (const PendingPtr& pending : std::vector<PendingPtr>(pending_.begin(), pending_.end())) {
    if (pending->state == Pending::State::kWritten) {
      Finish(pending, Unknown("the cluster lost its data"));
    }
  }
}

void Writer::Finish(const PendingPtr& pending, Result<Outcome> outcome) {
  if (pending->finished) return;
  pending->finished = true;
  // What is in a multi is held until that is answered.
  if (pending->state != Pending::State::kSent) Release(*pending);
  by_request_.erase(pending->id);
  pending_.erase(pending->place);
  for (Service::Committed& done : pending->done) {
    owner_.post([done = std::move(done), outcome] { done(outcome); });
  }
  PumpLater();
}

}  // namespace vineyard::meta::zookeeper

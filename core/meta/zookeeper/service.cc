#include "core/meta/zookeeper/service.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace vineyard::meta::zookeeper {
namespace {

vineyard::Status Stopped() { return {Code::kUnavailable, "metadata: this daemon is stopping"}; }

// The contents of its place and of the log's entry, when it is lost from now on.
std::pair<std::string, std::string> LostNow(Instance instance) {
  instance.lost = true;
  instance.since_ms = UnixMs();
  Entry entry;
  entry.traces.push_back({Trace::Kind::kInstanceChanged, true, instance.number, {}, 0});
  return {Encode(instance), Encode(entry)};
}

// What trying again does not change.
bool IsFinal(const vineyard::Status& status) {
  return status.code() == Code::kVersion || status.code() == Code::kPermission ||
         status.code() == Code::kInvalid;
}

vineyard::Status WithAdvice(const vineyard::Status& status) {
  bool has_advice = status.text().find("--meta-auth") != std::string::npos;
  if (status.code() != Code::kPermission || has_advice) return status;
  return {
      Code::kPermission,
      status.text() + "; give the --meta-auth FILE that it was made with, or choose another path"};
}

}  // namespace

ZookeeperService::ZookeeperService(ServiceOptions options, Post post, Ready ready)
    : options_(std::move(options)),
      post_(std::move(post)),
      ready_(std::move(ready)),
      paths_(options_.prefix),
      self_(options_.self),
      cluster_(options_.cluster),
      follower_(&paths_, {[this](const Entry& entry) { OnApplied(entry); },
                          [this] {
                            post_(epoch_guard_([this] {
                              Log(LogLevel::kWarning,
                                  "metadata: the log was trimmed; everything is read again");
                              seen_ = {};
                              Load();
                            }));
                          },
                          [this](vineyard::Status why) { OnReadOnly(std::move(why)); },
                          [this] { housekeeper_.ReplaceLost(); }}),
      housekeeper_(options_.log, &follower_, &paths_),
      writer_(&catalog_, &follower_, &paths_,
              {[this](const Deadline& deadline, Synced done) { Sync(deadline, std::move(done)); },
               [this] {
                 post_(epoch_guard_([this] {
                   Restart({Code::kUnavailable, "the epoch of this instance is over"});
                 }));
               },
               [this](uint64_t generation, uint64_t entry) {
                 housekeeper_.OnWritten(generation, entry);
               },
               post_, [this] { return self_.number; }}),
      seen_(options_.seen) {
  stale_since_ms_ = UnixMs();  // nothing is known yet
  if (self_.boot.empty()) self_.boot = NewUuid();
  catalog_.on_event = [this](const Event& event) { OnChange(event); };
  Connect();
}

ZookeeperService::~ZookeeperService() { Stop(); }

// ---- life ----------------------------------------------------------------------------------------

void ZookeeperService::Connect() {
  phase_ = Phase::kConnecting;
  retry_ns_ = 0;
  epoch_guard_.Renew();
  auto connection = Connection::Open(options_.connection, post_,
                                     epoch_guard_([this](State state) { OnState(state); }));
  if (!connection.ok()) {
    last_error_ = connection.status();
    if (ready_ && IsFinal(last_error_)) {
      post_([ready = std::exchange(ready_, {}), status = last_error_] { ready(status); });
      return;
    }
    retry_ns_ = MonotonicNs() + kLongestPauseMs * 1'000'000;
    return;
  }
  connection_ = std::move(connection).value();
}

void ZookeeperService::OnState(State state) {
  switch (state) {
    case State::kConnected:
      if (phase_ == Phase::kConnecting) return JoinCluster();
      if (phase_ == Phase::kServing) {  // the same session: the watches are still there
        writer_.Start(connection_.get(), fence_);
        housekeeper_.Start(connection_.get(), fence_);
        stale_since_ms_ = 0;
        SendBarriers();
      }
      return;
    case State::kSuspended:
      if (stale_since_ms_ == 0) stale_since_ms_ = UnixMs();
      suspended_ns_ = MonotonicNs();
      writer_.Stop();
      housekeeper_.Stop();
      return;
    case State::kExpired:
      return Restart({Code::kUnavailable, "the session expired"});
    case State::kAuthFailed:
      last_error_ = {Code::kPermission, "zookeeper " + options_.connection.servers +
                                            ": it refuses this daemon's secret"};
      if (ready_) std::exchange(ready_, {})(last_error_);
      return Restart(last_error_);
    case State::kConnecting:
    case State::kClosed:
      return;
  }
}

// A new connection, and what follows from it.
void ZookeeperService::Restart(const vineyard::Status& why) {
  if (phase_ == Phase::kStopped) return;
  if (why.text() != last_error_.text()) {
    Log(LogLevel::kWarning, "metadata: %s; joining again", why.text().c_str());
  }
  if (stale_since_ms_ == 0) stale_since_ms_ = UnixMs();
  last_error_ = why;
  epoch_guard_.Renew();
  writer_.Stop();
  housekeeper_.Stop();
  TakeBackBarriers();
  follower_.Stop();
  join_.reset();
  loader_.reset();
  fences_watched_ = look_again_ = false;
  suspects_.clear();
  phase_ = Phase::kConnecting;
  // Whoever called this may be a callback of the connection, which has to live until it returns.
  if (connection_ != nullptr) {
    connection_->Close();
    post_([closed = std::shared_ptr<Connection>(std::move(connection_))] {});
  }
  retry_ns_ = MonotonicNs() + pause_ms_ * 1'000'000;
  pause_ms_ = std::min(2 * pause_ms_, kLongestPauseMs);
}

void ZookeeperService::JoinCluster() {
  phase_ = Phase::kJoining;
  join_ = std::make_unique<Join>(connection_.get(), &paths_, self_, cluster_,
                                 epoch_guard_([this](Result<Joined> joined) {
                                   post_(epoch_guard_([this] { join_.reset(); }));
                                   OnJoined(std::move(joined));
                                 }));
}

void ZookeeperService::OnJoined(Result<Joined> joined) {
  if (!joined.ok()) {
    if (ready_ && IsFinal(joined.status())) {
      last_error_ = WithAdvice(joined.status());  // said once, by who waits for it
      std::exchange(ready_, {})(last_error_);
      return Restart(vineyard::Status(last_error_));
    }
    if (joined.status().code() == Code::kConflict && self_.epoch != 0) {
      Log(LogLevel::kError, "metadata: %s", joined.status().text().c_str());
      last_error_ = joined.status();
      if (on_replaced) post_(guard_([this, status = joined.status()] { on_replaced(status); }));
      return;
    }
    return Restart(joined.status());
  }
  bool same = cluster_ == joined->cluster;
  if (!same && !ready_) {
    is_new_cluster_ = true;
    writer_.OnOtherCluster();
  }
  if (!same) {
    seen_ = {};
    is_first_life_ = cluster_.empty();
  }
  self_ = joined->self;
  fence_ = joined->fence;
  cluster_ = joined->cluster;
  if (!loaded_ || !same) return Load();
  Serve(follower_.applied());
}

void ZookeeperService::Load() {
  phase_ = Phase::kLoading;
  loaded_ = false;
  writer_.Stop();
  housekeeper_.Stop();
  // What is known is served until all is known anew.
  loader_.reset();  // it may still fill the catalog of before
  loading_ = std::make_unique<Loading>();
  TakeBackBarriers();
  follower_.Reset(connection_.get());
  follower_.ReadHead(Deadline::After(10000), epoch_guard_([this](Result<Revision> head) {
                       if (!head.ok()) return Restart(head.status());
                       loader_ = std::make_unique<Loader>(
                           connection_.get(), &paths_, &loading_->catalog,
                           [this](vineyard::Status why) { OnReadOnly(std::move(why)); },
                           epoch_guard_([this, head = *head](const vineyard::Status& status) {
                             // It is what calls this.
                             auto ended = std::shared_ptr<Loader>(std::move(loader_));
                             post_([ended] {});
                             if (!status.ok()) return Restart(status);
                             housekeeper_.OnLoaded(ended->TakeDropped());
                             loading_->catalog.on_event = catalog_.on_event;
                             loading_->from = seen_ != Revision{} && seen_ < head ? seen_ : head;
                             Serve(loading_->from);
                           }));
                     }));
}

// From a place of the log to the head as of now, then everything is as it should be.
void ZookeeperService::Serve(Revision from) {
  phase_ = Phase::kCatchingUp;
  TakeBackBarriers();
  follower_.Start(connection_.get(), from, loaded_ ? &catalog_ : &loading_->catalog);
  auto serve = epoch_guard_([this](const vineyard::Status& status) {
    if (!status.ok()) return Restart(status);
    phase_ = Phase::kServing;
    bool is_anew = !loaded_ && !ready_;
    if (!loaded_) ShowLoaded();
    is_first_life_ = false;
    seen_ = {};
    stale_since_ms_ = 0;
    last_error_ = OkStatus();
    pause_ms_ = kFirstPauseMs;
    writer_.Start(connection_.get(), fence_);
    housekeeper_.Start(connection_.get(), fence_);
    Log(LogLevel::kInfo, "metadata: instance %llu, epoch %llu of cluster %s, %llu trees",
        static_cast<unsigned long long>(self_.number), static_cast<unsigned long long>(self_.epoch),
        cluster_.c_str(), static_cast<unsigned long long>(catalog_.trees()));
    // First: to who does not know that it is another, all would look deleted.
    if (std::exchange(is_new_cluster_, false) && on_new_cluster) on_new_cluster();
    if (is_anew && on_event) {
      Event reset;
      reset.kind = Event::Kind::kReset;
      reset.revision = follower_.applied();
      on_event(reset);
    }
    if (ready_) std::exchange(ready_, {})(OkStatus());
    WakeWaiting();
    LookAtFences();
  });
  AddBarrier({Deadline::Never(), std::move(serve), /*is_own=*/true});
}

// Who is answered reads what the answer says.
void ZookeeperService::ShowLoaded() {
  loaded_ = true;
  catalog_.TakeFrom(&loading_->catalog);
  follower_.MoveTo(&catalog_);
  writer_.OnLoaded(is_first_life_ ? Revision{} : loading_->from);
  for (const auto& [revision, entry] : loading_->answers) writer_.OnApplied(revision, entry);
  loading_.reset();
}

void ZookeeperService::Stop() {
  if (phase_ == Phase::kStopped) return;
  bool is_serving = phase_ == Phase::kServing;
  phase_ = Phase::kStopped;
  epoch_guard_.Renew();
  guard_.Renew();
  TakeBackBarriers();
  follower_.Stop();
  join_.reset();
  loader_.reset();
  if (is_serving && connection_->state() == State::kConnected && read_only_.ok()) Leave();
  for (Barrier& barrier : std::exchange(barriers_, {})) Answer(std::move(barrier.done), Stopped());
  for (Waiting& wait : std::exchange(waiting_, {})) Answer(std::move(wait.done), Stopped());
  writer_.Stop();
  housekeeper_.Stop();
  if (connection_ != nullptr) connection_->Close();
  writer_.Fail(Stopped());
}

// Without an answer: the server reads this before the end of the session, and whoever waits for the fence to be gone
// sees to it where it was not possible.
void ZookeeperService::Leave() {
  auto [place, entry] = LostNow(self_);
  connection_->Multi(
      {Op::Check(fence_), Op::Check(paths_.Log(), follower_.log_version()),
       Op::Set(paths_.Place(self_.number), std::move(place)),
       Op::Create(paths_.NewEntry(follower_.log().generation), std::move(entry), Op::kSequential)},
      Deadline::After(10000), [](const MultiResult&) {});
}

Health ZookeeperService::health() const {
  std::string text =
      "zookeeper " + options_.connection.servers + options_.prefix + ", " +
      std::string(connection_ != nullptr ? StateName(connection_->state()) : "connecting");
  if (!last_error_.ok()) text += " (" + last_error_.text() + ")";
  return {stale_since_ms_, !read_only_.ok(), std::move(text)};
}

void ZookeeperService::Tick(int64_t now_ns) {
  if (connection_ != nullptr) connection_->Tick(now_ns);
  if (phase_ == Phase::kStopped) return;
  if (retry_ns_ != 0 && now_ns >= retry_ns_) Connect();
  // A server that lost its data closes the connection of whoever has seen more than it has, without a word.
  if (connection_ != nullptr && connection_->state() == State::kSuspended &&
      now_ns - suspended_ns_ > int64_t{connection_->session_timeout_ms()} * 1'000'000) {
    Restart({Code::kUnavailable, "no server took up the session again"});
  }
  follower_.Tick(now_ns);
  writer_.Tick(now_ns);
  if (!barrier_posted_) SendBarriers();  // that failed
  if (phase_ == Phase::kServing && now_ns >= next_look_ns_) {
    next_look_ns_ = now_ns + 1'000'000'000;
    if (!fences_watched_ || look_again_) LookAtFences();
  }
  auto is_late = [&](Barrier& barrier) {
    if (barrier.deadline.at_ns() > now_ns) return false;
    Answer(std::move(barrier.done),
           {Code::kUnavailable, "metadata: ZooKeeper did not answer before the deadline"});
    return true;
  };
  std::erase_if(barriers_, is_late);
  for (std::vector<Barrier>& sent : sent_) std::erase_if(sent, is_late);
  std::erase_if(waiting_, [&](Waiting& wait) {
    if (wait.deadline.at_ns() > now_ns) return false;
    Answer(std::move(wait.done),
           {wait.late, "metadata: the revision was not reached before the deadline"});
    return true;
  });
  // Who can not say so now says it later: no fence may change any more.
  bool may_bury =
      phase_ == Phase::kServing && connection_->state() == State::kConnected && read_only_.ok();
  for (auto at = suspects_.begin(); may_bury && at != suspects_.end();) {
    auto [number, suspect] = *at++;
    if (now_ns >= suspect.until_ns) Bury(number, suspect);
  }
}

// Told once: what comes after the first does not matter any more.
void ZookeeperService::OnReadOnly(vineyard::Status why) {
  if (!read_only_.ok()) return;
  Log(LogLevel::kError, "%s", why.text().c_str());
  read_only_ = std::move(why);
}

// ---- what the owner asks -------------------------------------------------------------------------

void ZookeeperService::Answer(Synced done, vineyard::Status status) {
  post_([done = std::move(done), status = std::move(status)] { done(status); });
}

void ZookeeperService::Commit(const Request& request, Change change, const Deadline& deadline,
                              Committed done) {
  vineyard::Status refusal;
  if (phase_ == Phase::kStopped) refusal = Stopped();
  if (!read_only_.ok()) refusal = read_only_;
  if (!refusal.ok()) {
    if (request.repeated) {
      refusal = {Code::kUnknown, refusal.text() + "; the change may have been applied before"};
    }
    post_([done = std::move(done), refusal] { done(refusal); });
    return;
  }
  writer_.Commit(request, std::move(change), deadline, std::move(done));
}

void ZookeeperService::Sync(const Deadline& deadline, Synced done) {
  if (phase_ == Phase::kStopped) return Answer(std::move(done), Stopped());
  AddBarrier({deadline, std::move(done)});
}

void ZookeeperService::AddBarrier(Barrier barrier) {
  barriers_.push_back(std::move(barrier));
  if (barrier_posted_) return;
  barrier_posted_ = true;
  post_(guard_([this] {
    barrier_posted_ = false;
    SendBarriers();
  }));
}

void ZookeeperService::SendBarriers() {
  bool up = connection_ != nullptr && connection_->state() == State::kConnected;
  if (!up || (phase_ != Phase::kServing && phase_ != Phase::kCatchingUp) || barriers_.empty())
    return;
  // Who comes later waits for the next one.
  auto sent = sent_.insert(sent_.end(), std::exchange(barriers_, {}));
  auto again = [this, sent] {
    for (Barrier& barrier : *sent) barriers_.push_back(std::move(barrier));
    sent_.erase(sent);
  };
  connection_->Multi({Op::Check(fence_)}, Deadline::After(10000),
                     sent_guard_([this, sent, again](const MultiResult& passed) {
                       if (!passed.status.ok()) {
                         again();  // until a new epoch, or their deadlines
                         if (passed.failed == 0)
                           Restart({Code::kUnavailable, "the epoch of this instance is over"});
                         return;
                       }
                       follower_.ReadHead(
                           Deadline::After(10000),
                           sent_guard_([this, sent, again](Result<Revision> head) {
                             if (!head.ok()) return again();
                             std::vector<Barrier> passed = std::move(*sent);
                             sent_.erase(sent);
                             for (Barrier& barrier : passed) {
                               Await({*head, barrier.deadline, std::move(barrier.done),
                                      barrier.is_own, Code::kUnavailable});
                             }
                           }));
                     }));
}

// What was sent is sent again: the follower forgets who asked it when it begins anew.
void ZookeeperService::TakeBackBarriers() {
  sent_guard_.Renew();
  for (std::vector<Barrier>& sent : std::exchange(sent_, {})) {
    for (Barrier& barrier : sent) barriers_.push_back(std::move(barrier));
  }
  // This service's own belongs to what it began before.
  std::erase_if(barriers_, [](const Barrier& barrier) { return barrier.is_own; });
  std::erase_if(waiting_, [](const Waiting& wait) { return wait.is_own; });
}

void ZookeeperService::WaitFor(Revision revision, const Deadline& deadline, Synced done) {
  Await({revision, deadline, std::move(done)});
}

void ZookeeperService::Await(Waiting wait) {
  if (phase_ == Phase::kStopped) return Answer(std::move(wait.done), Stopped());
  if (IsReached(wait)) return Answer(std::move(wait.done), OkStatus());
  waiting_.push_back(std::move(wait));
}

// What was loaded is not shown before the owner knows of it: it still shows others what it had been told before.
bool ZookeeperService::IsReached(const Waiting& wait) const {
  return wait.revision <= follower_.applied() && (loaded_ || wait.is_own);
}

void ZookeeperService::OnApplied(const Entry& entry) {
  if (loaded_) {
    writer_.OnApplied(follower_.applied(), entry);
  } else if (entry.writer == self_.number && !entry.answers.empty()) {
    Entry answers{.traces = {}, .answers = entry.answers, .writer = entry.writer};
    loading_->answers.emplace_back(follower_.applied(), std::move(answers));
  }
  WakeWaiting();
}

void ZookeeperService::OnChange(const Event& event) {
  if (event.kind == Event::Kind::kDropped) {
    housekeeper_.OnDropped(follower_.applied().generation, event.name);
  }
  if (on_event && loaded_) on_event(event);
}

void ZookeeperService::WakeWaiting() {
  std::erase_if(waiting_, [this](Waiting& wait) {
    if (!IsReached(wait)) return false;
    Answer(std::move(wait.done), OkStatus());
    return true;
  });
}

// ---- others that end -----------------------------------------------------------------------------

// Sets a watch only where none is: each would set the next one.
void ZookeeperService::LookAtFences() {
  if (connection_ == nullptr) return;
  look_again_ = false;
  bool watches = !std::exchange(fences_watched_, true);
  Connection::OnEvent watch;
  if (watches) {
    watch = epoch_guard_([this](WatchEvent event) {
      fences_watched_ = false;
      if (event != WatchEvent::kLost) LookAtFences();
    });
  }
  connection_->GetChildren(paths_.Fences(), Deadline::Never(),
                           epoch_guard_([this, watches](Result<Children> children) {
                             if (children.ok()) return OnFences(*children);
                             if (watches) fences_watched_ = false;
                             look_again_ = true;
                             if (children.status().code() == Code::kNotFound) CheckOwnFence();
                           }),
                           std::move(watch));
}

// All may have been deleted under a session that lives: then a barrier is refused, and it joins anew.
void ZookeeperService::CheckOwnFence() {
  Sync(Deadline::After(10000), [](const vineyard::Status&) {});
}

void ZookeeperService::OnFences(const Children& children) {
  std::set<std::pair<uint64_t, uint64_t>> alive;
  for (const std::string& name : children.names) {
    if (auto fence = FenceOf(name)) alive.emplace(fence->instance, fence->epoch);
  }
  if (!alive.contains({self_.number, self_.epoch})) CheckOwnFence();
  for (const auto& [number, instance] : catalog_.instances()) {
    if (number == self_.number) continue;
    if (instance.lost || alive.contains({number, instance.epoch})) {
      suspects_.erase(number);
    } else if (!suspects_.contains(number)) {
      Suspend(number);
    }
  }
}

// Its fence is gone. It has the time of one session to come back, and a little more, so that not all bury it.
void ZookeeperService::Suspend(uint64_t number) {
  connection_->Get(paths_.Place(number), Deadline::After(10000),
                   epoch_guard_([this, number](Result<Node> node) {
                     if (!node.ok()) {
                       look_again_ = true;
                       return;
                     }
                     auto instance = DecodeInstance(node->data);
                     if (!instance.ok() || instance->lost) return;
                     std::random_device random;
                     int64_t grace_ms = connection_->session_timeout_ms() + random() % 500;
                     suspects_.try_emplace(number, Suspect{instance->epoch, node->stat.version,
                                                           MonotonicNs() + grace_ms * 1'000'000});
                   }));
}

void ZookeeperService::Bury(uint64_t number, const Suspect& suspect) {
  suspects_.erase(number);
  auto known = catalog_.instances().find(number);
  if (known == catalog_.instances().end() || known->second.lost) return;
  if (known->second.epoch != suspect.epoch) {  // it came back, or that was not read yet
    look_again_ = true;
    return;
  }
  auto [place, entry] = LostNow(known->second);
  std::string fence = paths_.Fence(number, suspect.epoch);
  connection_->Multi(
      {Op::Check(fence_), Op::Check(paths_.Log(), follower_.log_version()),
       // Only if it is not there: nobody who is alive is lost.
       Op::Create(fence), Op::Remove(fence),
       Op::Set(paths_.Place(number), std::move(place), suspect.version),
       Op::Create(paths_.NewEntry(follower_.log().generation), std::move(entry), Op::kSequential)},
      Deadline::After(10000), epoch_guard_([this](const MultiResult& done) {
        // Another was first, or it came back, or it is tried again: the list of fences tells.
        if (!done.status.ok()) look_again_ = true;
      }));
}

}  // namespace vineyard::meta::zookeeper

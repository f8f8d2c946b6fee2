#include "core/meta/zookeeper/follower.h"

#include <algorithm>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/meta/zookeeper/errors.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr uint64_t kMaxWindow = 32;
constexpr int64_t kCheckNs = 1'000'000'000;
// Behind the last entry of its own.
constexpr int64_t kQuietNs = 500'000;

bool HasTree(const Trace& trace) {
  return trace.kind == Trace::Kind::kTreeCreated || trace.kind == Trace::Kind::kTreeLabelled;
}

vineyard::Status NotUnderstood() {
  return {Code::kVersion,
          "metadata: a newer build has written what this one does not understand; it changes "
          "nothing until it is updated"};
}

// What else an entry needs that it does not say itself: a path, and under which id it is kept.
bool HasNode(const Trace& trace) {
  return HasTree(trace) || trace.kind == Trace::Kind::kInstanceChanged;
}

}  // namespace

Follower::Follower(const Paths* paths, Owner owner) : paths_(paths), owner_(std::move(owner)) {}

void Follower::Start(Connection* connection, Revision from, Catalog* catalog) {
  Stop();
  connection_ = connection;
  catalog_ = catalog;
  generation_ = from.generation;
  next_ = from.entries;
  following_ = true;
  RefreshLog([this](const vineyard::Status& status) {
    if (status.ok()) ReadOn();
  });
}

void Follower::Reset(Connection* connection) {
  Stop();
  connection_ = connection;
  generation_ = next_ = 0;
  log_ = {};
  log_version_ = -1;
}

void Follower::Stop() {
  guard_.Renew();
  connection_ = nullptr;
  slots_.clear();
  window_ = 1;
  watching_ = log_watched_ = leaving_ = following_ = waking_ = false;
  there_ = behind_ = 0;
}

// ---- entries -------------------------------------------------------------------------------------

void Follower::ReadOn() {
  if (!following_ || leaving_) return;
  for (uint64_t index = next_; index < next_ + window_; ++index) {
    auto [slot, is_new] = slots_.try_emplace(index);
    if (is_new) Ask(index);
  }
}

// This entry is there, and with it all in front of it.
void Follower::OnCame(uint64_t index) {
  there_ = std::max(there_, index + 1);
  if (index < next_) {  // it was offered meanwhile
    if (slots_.empty()) Idle();
  } else if (!slots_.empty()) {  // more than one came
    window_ = std::max(window_, there_ - next_);
    ReadOn();
  } else {
    Idle();
  }
}

// Nothing is asked for.
void Follower::Idle() {
  if (expected_ > 0) return;  // what is there may be its own
  if (there_ <= next_) return WatchSoon();
  ReadOn();
  // Most come one by one, and what comes behind it is asked for on the same way.
  if (window_ == 1) Watch(there_);
}

void Follower::Expected() {
  if (--expected_ == 0 && following_ && !leaving_ && slots_.empty()) Idle();
}

// Who writes one thing after the other is told by each where the log is: a watch would only cost.
void Follower::WatchSoon() {
  if (watching_ || waking_) return;
  int64_t left_ns = offered_ns_ + kQuietNs - MonotonicNs();
  if (left_ns <= 0) return Watch(next_);
  waking_ = true;
  connection_->After(left_ns, guard_([this] {
                       waking_ = false;
                       if (slots_.empty() && !leaving_) Idle();
                     }));
}

void Follower::Ask(uint64_t index) {
  Slot& slot = slots_[index];
  slot.state = Slot::State::kAsked;
  slot.asked_late = log_.generation > generation_;
  connection_->Get(paths_->Entry(generation_, index), Soon(),
                   guard_([this, index](Result<Node> node) { OnEntry(index, std::move(node)); }));
}

void Follower::OnEntry(uint64_t index, Result<Node> node) {
  auto found = slots_.find(index);
  if (found == slots_.end() || found->second.state != Slot::State::kAsked)
    return;  // offered meanwhile
  Slot& slot = found->second;
  if (node.status().code() == Code::kPermission) {
    owner_.on_read_only(MayNotRead(node.status()));
    ReadTrees(index);  // as if it said nothing
  } else if (!node.ok()) {
    // Of those behind the next one nothing is learnt; and what could not be asked may be there: Tick() reads on.
    if (index != next_ || node.status().code() != Code::kNotFound) {
      slots_.erase(found);
      return;
    }
    slot.state = Slot::State::kMissing;
  } else {
    auto entry = DecodeEntry(node->data);
    if (entry.ok()) {
      slot.entry = std::move(entry).value();
    } else {
      Log(LogLevel::kWarning, "%s: %s; it is left out", paths_->Entry(generation_, index).c_str(),
          entry.status().text().c_str());
      if (entry.status().code() == Code::kVersion) owner_.on_read_only(NotUnderstood());
    }
    ReadTrees(index);
  }
  Settle();
}

void Follower::ReadTrees(uint64_t index) {
  Slot& slot = slots_[index];
  slot.state = Slot::State::kReading;
  for (const Trace& trace : slot.entry.traces) {
    if (!HasNode(trace) || slot.trees.contains(trace.id)) continue;
    slot.trees[trace.id];
    ++slot.unread;
    connection_->Get(HasTree(trace) ? paths_->Tree(trace.id) : paths_->Place(trace.id), Soon(),
                     guard_([this, index, id = trace.id](Result<Node> node) {
                       auto found = slots_.find(index);
                       if (found == slots_.end()) return;
                       Slot& reading = found->second;
                       --reading.unread;
                       if (node.ok()) {
                         reading.trees[id] = std::move(node->data);
                       } else if (node.status().code() == Code::kPermission) {
                         owner_.on_read_only(MayNotRead(node.status()));
                       } else if (node.status().code() != Code::kNotFound) {
                         // The connection; all is read again from the entry on.
                         slots_.erase(slots_.find(index), slots_.end());
                         return;
                       }  // else: deleted since, which a later entry says
                       Settle();
                     }));
  }
  if (slot.unread == 0) slot.state = Slot::State::kReady;
}

void Follower::Settle(bool is_own) {
  bool moved = false;
  while (!slots_.empty() && slots_.begin()->first == next_) {
    Slot& slot = slots_.begin()->second;
    if (slot.state == Slot::State::kReading && slot.unread == 0) slot.state = Slot::State::kReady;
    if (slot.state != Slot::State::kReady) break;
    Slot ready = std::move(slot);
    slots_.erase(slots_.begin());
    ++next_;
    moved = true;
    behind_ = 0;
    Apply(ready);
    if (!following_) return;
  }
  if (moved && !is_own && !watching_) window_ = std::min(window_ * 2, kMaxWindow);
  if (!slots_.empty() && slots_.begin()->first == next_ &&
      slots_.begin()->second.state == Slot::State::kMissing) {
    AtEnd();
  } else if (moved && slots_.empty() && window_ <= 2 && log_.generation <= generation_) {
    Idle();  // most come one by one
  } else if (moved) {
    ReadOn();
  }
}

void Follower::Apply(Slot& slot) {
  auto apply = [&](const Effect& effect) {
    vineyard::Status status = catalog_->Apply(effect);
    if (!status.ok())
      Log(LogLevel::kWarning, "metadata: %s; it is left out", status.text().c_str());
  };
  catalog_->SetRevision(applied());  // this entry is counted already
  for (Trace& trace : slot.entry.traces) {
    switch (trace.kind) {
      case Trace::Kind::kTreeCreated:
      case Trace::Kind::kTreeLabelled: {
        std::string& bytes = slot.trees[trace.id];
        if (bytes.empty()) break;  // deleted since
        bool is_created = trace.kind == Trace::Kind::kTreeCreated;
        apply(is_created ? Effect(TreeCreated{bytes, trace.id}) : Effect(TreeLabelled{bytes}));
        break;
      }
      case Trace::Kind::kTreeDeleted:
        apply(Effect(TreeDeleted{trace.id}));
        break;
      case Trace::Kind::kNamePut:
        apply(Effect(NamePut{trace.name, Name{trace.id, trace.revision}}));
        break;
      case Trace::Kind::kNameDropped:
        apply(Effect(NameDropped{trace.name, trace.revision}));
        break;
      case Trace::Kind::kInstanceChanged: {
        if (slot.trees[trace.id].empty()) break;  // forgotten since
        auto instance = DecodeInstance(slot.trees[trace.id]);
        if (instance.ok()) {
          apply(Effect(InstanceChanged{std::move(instance).value()}));
        } else {
          Log(LogLevel::kWarning, "metadata: instance %llu: %s; it is left out",
              static_cast<unsigned long long>(trace.id), instance.status().text().c_str());
        }
        break;
      }
      case Trace::Kind::kInstanceForgotten:
        apply(Effect(InstanceForgotten{trace.id}));
        break;
      case Trace::Kind::kOther:
        if (trace.must_understand) owner_.on_read_only(NotUnderstood());
        break;
    }
  }
  owner_.on_applied(slot.entry);
}

void Follower::Offer(uint64_t generation, uint64_t index, Entry entry,
                     std::unordered_map<ObjectId, std::string> trees) {
  if (!following_ || generation != generation_ || index < next_) return;
  Slot& slot = slots_[index];
  if (slot.state == Slot::State::kReading || slot.state == Slot::State::kReady) return;
  offered_ns_ = MonotonicNs();
  slot.entry = std::move(entry);
  slot.trees = std::move(trees);
  ReadTrees(index);  // what was not given
  Settle(/*is_own=*/true);
  // One in front of it is another's.
  if (!slots_.empty() && slots_.begin()->first > next_) ReadOn();
}

// ---- the end of what is there --------------------------------------------------------------------

void Follower::AtEnd() {
  bool asked_late = slots_.begin()->second.asked_late;
  slots_.erase(slots_.begin());
  window_ = 1;
  if (log_.generation <= generation_) {
    Watch(next_);
  } else if (asked_late) {
    NextGeneration();
  } else {
    ReadOn();  // once more: it may have been written to until its successor was made
  }
}

void Follower::Watch(uint64_t index) {
  if (watching_) return;
  watching_ = true;
  auto came = guard_([this, index, watch = ++watch_](auto&&...) {
    if (watch != watch_ || !watching_) return;
    watching_ = false;
    OnCame(index);
  });
  connection_->Exists(paths_->Entry(generation_, index), Soon(),
                      guard_([this, came, watch = watch_](Result<Stat> stat) mutable {
                        if (stat.ok()) return came();  // it came in between
                        if (stat.status().code() == Code::kNotFound) {
                          window_ = 1;
                        } else if (watch == watch_) {
                          watching_ = false;
                        }
                      }),
                      [came](WatchEvent event) mutable {
                        if (event != WatchEvent::kLost) came();
                      });
}

void Follower::RefreshLog(std::function<void(vineyard::Status)> done) {
  if (connection_ == nullptr) return done({Code::kUnavailable, "metadata: not connected"});
  Connection::OnEvent watch;
  if (!log_watched_) {
    log_watched_ = true;
    watch = guard_([this](WatchEvent event) {
      log_watched_ = false;
      if (event != WatchEvent::kLost) RefreshLog([](const vineyard::Status&) {});
    });
  }
  bool watched = watch != nullptr;
  connection_->Get(paths_->Log(), Soon(),
                   guard_([this, watched, done = std::move(done)](Result<Node> node) {
                     if (!node.ok() && watched) log_watched_ = false;
                     vineyard::Status status = node.ok() ? OkStatus() : node.status();
                     OnLog(std::move(node));
                     done(status);
                   }),
                   std::move(watch));
}

void Follower::OnLog(Result<Node> node) {
  if (!node.ok()) return;
  auto log = DecodeLog(node->data);
  if (!log.ok()) {
    Log(LogLevel::kWarning, "%s: %s", paths_->Log().c_str(), log.status().text().c_str());
    return;
  }
  // Older than what was applied: a server that is behind.
  if (node->stat.version < log_version_ || log->generation < generation_) return;
  log_ = *log;
  log_version_ = node->stat.version;
  if (!following_) return;
  if (log_.oldest > generation_) {
    owner_.on_compacted();
  } else if (log_.generation > generation_) {
    watching_ = false;
    ReadOn();
  }
}

void Follower::NextGeneration() {
  leaving_ = true;
  connection_->GetChildren(paths_->Log(), Soon(), guard_([this](Result<Children> children) {
                             uint64_t next = UINT64_MAX;
                             if (children.ok()) {
                               for (const std::string& name : children->names) {
                                 auto number = NumberOf(name);
                                 if (number && *number > generation_)
                                   next = std::min(next, *number);
                               }
                             }
                             // Behind the list: what was trimmed before it can not have been skipped.
                             RefreshLog(guard_([this, next](const vineyard::Status& status) {
                               if (status.ok() && log_.oldest > generation_)
                                 return;          // on_compacted was called
                               leaving_ = false;  // Tick() reads on
                               if (!status.ok() || next == UINT64_MAX) return;
                               generation_ = next;
                               next_ = there_ = 0;
                               slots_.clear();
                               watching_ = false;
                               owner_.on_applied({});
                               ReadOn();
                             }));
                           }));
}

// ---- once a second -------------------------------------------------------------------------------

void Follower::ReadHead(const Deadline& deadline, std::function<void(Result<Revision>)> done) {
  RefreshLog([this, deadline, done = std::move(done)](const vineyard::Status& status) {
    if (!status.ok()) return done(status);
    uint64_t generation = std::max(log_.generation, generation_);
    connection_->Exists(
        paths_->Generation(generation), deadline,
        guard_([this, generation, done](Result<Stat> stat) {
          if (stat.status().code() == Code::kNotFound && generation == log_.generation) {
            owner_.on_lost();
          }
          if (!stat.ok()) return done(stat.status());
          // What was ever created there, which numbers the next one.
          auto made =
              static_cast<uint64_t>(stat->cversion) + static_cast<uint64_t>(stat->num_children);
          // Nothing is asked for: no watch may be set yet.
          if (generation == generation_ && made / 2 > next_ && slots_.empty() && expected_ == 0)
            ReadOn();
          done(Revision{generation, made / 2});
        }));
  });
}

void Follower::Tick(int64_t now_ns) {
  if (!following_ || connection_->state() != State::kConnected || now_ns < next_check_ns_) return;
  next_check_ns_ = now_ns + kCheckNs;
  CheckHead();
}

void Follower::CheckHead() {
  Revision before = applied();
  ReadHead(Soon(), guard_([this, before](Result<Revision> head) {
             if (!head.ok() || leaving_ || applied() != before) return;
             if (!watching_ && slots_.empty()) ReadOn();  // a read failed
             bool behind = head->generation == generation_ && head->entries > next_;
             // Twice: what is on its way is no gap.
             if (!behind || ++behind_ < 2) {
               if (!behind) behind_ = 0;
               return;
             }
             SkipTo(head->entries);
           }));
}

void Follower::SkipTo(uint64_t head) {
  connection_->GetChildren(
      paths_->Generation(generation_), Soon(),
      guard_([this, head, before = applied()](Result<Children> children) {
        if (!children.ok() || applied() != before) return;
        uint64_t next = head;
        for (const std::string& name : children->names) {
          auto index = EntryOf(name);
          if (index && *index >= next_) next = std::min(next, *index);
        }
        behind_ = 0;
        if (next != next_) {
          Log(LogLevel::kWarning,
              "metadata: the log has no entry %llu to %llu in %s: somebody else made nodes there",
              static_cast<unsigned long long>(next_), static_cast<unsigned long long>(next - 1),
              paths_->Generation(generation_).c_str());
        }
        slots_.clear();
        watching_ = false;
        next_ = next;
        owner_.on_applied({});
        ReadOn();
      }));
}

}  // namespace vineyard::meta::zookeeper

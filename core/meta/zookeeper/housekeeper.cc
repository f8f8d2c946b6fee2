#include "core/meta/zookeeper/housekeeper.h"

#include <algorithm>
#include <memory>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr size_t kTogether = 500;         // nodes removed by one multi
constexpr uint64_t kTryAgainAfter = 100;  // entries, when a rotation was not finished

uint64_t UnixSeconds() { return static_cast<uint64_t>(UnixMs() / 1000); }

}  // namespace

std::vector<Op> BeginGeneration(const Paths& paths, LogState* log, int32_t version, bool is_lost) {
  log->generation = std::max(log->generation + 1, UnixSeconds());
  if (is_lost) log->oldest = log->generation;  // who followed the lost one has missed something
  return {Op::Create(paths.Generation(log->generation)),
          Op::Set(paths.Log(), Encode(*log), version)};
}

Housekeeper::Housekeeper(const LogLimits& limits, Follower* follower, const Paths* paths)
    : limits_(limits), follower_(follower), paths_(paths) {}

void Housekeeper::Start(Connection* connection, std::string fence) {
  Stop();
  connection_ = connection;
  fence_ = std::move(fence);
  Reap(follower_->log().oldest);  // what others left behind
}

void Housekeeper::Stop() {
  guard_.Renew();
  connection_ = nullptr;
  busy_ = false;
}

void Housekeeper::OnDropped(uint64_t generation, std::string name) {
  dropped_.emplace_back(generation, std::move(name));
  // Whoever raised `oldest` takes these. What it leaves behind when it dies is found by the next one that loads.
  while (!busy_ && !dropped_.empty() && dropped_.front().first < follower_->log().oldest)
    dropped_.pop_front();
}

void Housekeeper::OnLoaded(std::vector<std::pair<uint64_t, std::string>> dropped) {
  std::sort(dropped.begin(), dropped.end());
  dropped_.assign(std::make_move_iterator(dropped.begin()), std::make_move_iterator(dropped.end()));
}

void Housekeeper::OnWritten(uint64_t generation, uint64_t entry) {
  if (generation != follower_->log().generation || entry + 1 < limits_.entries) return;
  if ((entry + 1 - limits_.entries) % kTryAgainAfter == 0) Rotate();
}

void Housekeeper::ReplaceLost() { Rotate(/*is_lost=*/true); }

void Housekeeper::Rotate(bool is_lost) {
  if (busy_ || connection_ == nullptr) return;
  busy_ = true;
  LogState log = follower_->log();
  if (is_lost) {
    Log(LogLevel::kWarning, "metadata: %s was removed by somebody else; another begins",
        paths_->Generation(log.generation).c_str());
  }
  std::vector<Op> ops = BeginGeneration(*paths_, &log, follower_->log_version(), is_lost);
  ops.insert(ops.begin(), Op::Check(fence_));
  connection_->Multi(std::move(ops), Soon(), guard_([this](const MultiResult& made) {
                       if (!made.status.ok())
                         Log(LogLevel::kDebug, "%s", made.status.text().c_str());
                       follower_->RefreshLog(guard_([this](const vineyard::Status& status) {
                         if (!status.ok()) return Done();
                         Trim();
                       }));
                     }));
}

void Housekeeper::Trim() {
  connection_->GetChildren(paths_->Log(), Soon(), guard_([this](Result<Children> children) {
                             if (!children.ok()) return Done();
                             std::vector<uint64_t> generations;
                             for (const std::string& name : children->names) {
                               if (auto number = NumberOf(name)) generations.push_back(*number);
                             }
                             std::sort(generations.begin(), generations.end());
                             Measure(std::move(generations));
                           }));
}

// How many entries each has.
void Housekeeper::Measure(std::vector<uint64_t> generations) {
  struct Measuring {
    std::map<uint64_t, uint64_t> entries;
    size_t left;
    bool failed = false;
  };
  auto measuring = std::make_shared<Measuring>(Measuring{{}, generations.size()});
  for (uint64_t generation : generations) {
    connection_->Exists(paths_->Generation(generation), Soon(),
                        guard_([this, measuring, generation](Result<Stat> stat) {
                          if (stat.ok()) {
                            measuring->entries[generation] =
                                static_cast<uint64_t>(stat->num_children);
                          } else if (stat.status().code() != Code::kNotFound) {
                            measuring->failed = true;
                          }
                          if (--measuring->left != 0) return;
                          if (measuring->failed) return Done();
                          Choose(measuring->entries);
                        }));
  }
}

void Housekeeper::Choose(const std::map<uint64_t, uint64_t>& entries) {
  uint64_t all = 0;
  for (const auto& [generation, count] : entries) all += count;
  std::vector<uint64_t> going;
  auto at = entries.begin();
  for (size_t newer = entries.size(); newer-- > 1; ++at) {
    uint64_t ended = std::next(at)->first;  // which is about when its successor was made
    bool is_old = newer > limits_.keep_generations - 1 &&
                  ended + static_cast<uint64_t>(limits_.keep_seconds) <= UnixSeconds();
    if (at->first >= follower_->log().oldest && !is_old && all <= limits_.all_entries) break;
    going.push_back(at->first);
    all -= at->second;
  }
  if (going.empty()) return Done();
  Raise(at->first, std::move(going));
}

// First it is said, then done: who is in a generation that goes finds out before it is gone.
void Housekeeper::Raise(uint64_t oldest, std::vector<uint64_t> going) {
  LogState log = follower_->log();
  if (log.oldest >= oldest) return Remove(std::move(going));
  log.oldest = oldest;
  connection_->Multi(
      {Op::Check(fence_), Op::Set(paths_->Log(), Encode(log), follower_->log_version())}, Soon(),
      guard_([this, going = std::move(going)](const MultiResult& set) mutable {
        follower_->RefreshLog([](const vineyard::Status&) {});
        if (!set.status.ok()) return Done();  // the next one does it
        Remove(std::move(going));
      }));
}

void Housekeeper::Remove(std::vector<uint64_t> generations) {
  if (generations.empty()) return Reap(follower_->log().oldest);
  std::string folder = paths_->Generation(generations.back());
  connection_->GetChildren(folder, Soon(),
                           guard_([this, folder, generations = std::move(generations)](
                                      Result<Children> children) mutable {
                             if (!children.ok()) {
                               if (children.status().code() != Code::kNotFound) return Done();
                               generations.pop_back();
                               return Remove(std::move(generations));
                             }
                             std::vector<std::string> entries;
                             for (const std::string& name : children->names)
                               entries.push_back(folder + "/" + name);
                             RemoveEntries(std::move(generations), std::move(entries));
                           }));
}

void Housekeeper::RemoveEntries(std::vector<uint64_t> generations,
                                std::vector<std::string> entries) {
  std::vector<Op> ops = {Op::Check(fence_)};
  while (!entries.empty() && ops.size() <= kTogether) {
    ops.push_back(Op::Remove(std::move(entries.back())));
    entries.pop_back();
  }
  bool last = entries.empty();
  if (last) ops.push_back(Op::Remove(paths_->Generation(generations.back())));
  connection_->Multi(std::move(ops), Soon(),
                     guard_([this, last, generations = std::move(generations),
                             entries = std::move(entries)](const MultiResult& removed) mutable {
                       if (!removed.status.ok()) {
                         Log(LogLevel::kDebug, "%s", removed.status.text().c_str());
                         return Done();  // another does it, too
                       }
                       if (!last) return RemoveEntries(std::move(generations), std::move(entries));
                       generations.pop_back();
                       Remove(std::move(generations));
                     }));
}

// Nobody compares with a revision of a generation that is gone.
void Housekeeper::Reap(uint64_t oldest) {
  Done();
  while (!dropped_.empty() && dropped_.front().first < oldest) {
    std::string path = paths_->Name(dropped_.front().second);
    dropped_.pop_front();
    connection_->Get(path, Soon(), guard_([this, path, oldest](Result<Node> node) {
                       if (!node.ok()) return;
                       auto name = DecodeName(node->data);
                       if (!name.ok() || name->id != kInvalidId || name->generation >= oldest)
                         return;
                       connection_->Multi({Op::Check(fence_), Op::Remove(path, node->stat.version)},
                                          Soon(), [](const MultiResult&) {});
                     }));
  }
}

}  // namespace vineyard::meta::zookeeper

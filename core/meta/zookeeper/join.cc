#include "core/meta/zookeeper/join.h"

#include <random>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/meta/zookeeper/housekeeper.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr int kAttempts = 100;
// Another may make the layout at the same time, once.
constexpr int kHalfMade = 3;

uint64_t RandomNumber() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

}  // namespace

std::string NewUuid() {
  return Format("%016llx%016llx", static_cast<unsigned long long>(RandomNumber()),
                static_cast<unsigned long long>(RandomNumber()));
}

Join::Join(Connection* connection, const Paths* paths, Instance self, std::string cluster,
           Done done)
    : connection_(connection),
      paths_(paths),
      known_cluster_(std::move(cluster)),
      had_number_(self.number != 0),
      was_member_(self.epoch != 0),
      may_change_number_(self.number == 0),
      done_(std::move(done)) {
  joined_.self = std::move(self);
  ReadFormat();
}

// ---- the layout ----------------------------------------------------------------------------------

void Join::ReadFormat() {
  connection_->Get(
      paths_->Format(), Soon(), guard_([this](Result<Node> node) {
        if (!node.ok() && node.status().code() == Code::kNotFound) return MakePrefix(1);
        if (Failed(node)) return;
        auto format = DecodeFormat(node->data);
        if (IsDamaged(format, paths_->Format())) return;
        if (format->layout != kLayout) {
          return End(vineyard::Status(
              Code::kVersion,
              vineyard::Format("%s: layout %llu, this build knows %llu", paths_->Format().c_str(),
                               static_cast<unsigned long long>(format->layout),
                               static_cast<unsigned long long>(kLayout))));
        }
        joined_.cluster = format->cluster;
        if (known_cluster_ != joined_.cluster) may_change_number_ = true;
        std::vector<std::string> guarded;
        if (connection_->has_digest_auth()) guarded = {paths_->prefix(), paths_->Format()};
        CheckOwner(std::move(guarded));
      }));
}

// Who gives a secret wants it to be needed.
void Join::CheckOwner(std::vector<std::string> paths) {
  if (paths.empty()) return ReadPlace();
  std::string path = std::move(paths.back());
  paths.pop_back();
  if (path.empty())
    return CheckOwner(std::move(paths));  // the root is the servers', not the cluster's
  connection_->IsOpen(
      path, Soon(), guard_([this, path, paths](Result<bool> open) {
        if (Failed(open)) return;
        if (!*open) return CheckOwner(paths);
        End(vineyard::Status(Code::kPermission,
                             path +
                                 ": anyone may change it, since it was made without --meta-auth: "
                                 "choose another path, remove this one or leave --meta-auth out"));
      }));
}

// Its folders, from the one that ends behind `from` on.
void Join::MakePrefix(size_t from) {
  const std::string& prefix = paths_->prefix();
  if (from >= prefix.size()) return MakeLayout();
  size_t end = std::min(prefix.find('/', from), prefix.size());
  connection_->Multi({Op::Create(prefix.substr(0, end))}, Soon(),
                     guard_([this, end](const MultiResult& made) {
                       if (!made.status.ok() && made.status.code() != Code::kExists)
                         return End(made.status);
                       MakePrefix(end + 1);
                     }));
}

void Join::MakeLayout() {
  auto generation = static_cast<uint64_t>(UnixMs() / 1000);
  std::vector<Op> ops = {
      Op::Create(paths_->Log(), Encode(LogState{generation, generation})),
      Op::Create(paths_->Generation(generation)),
      Op::Create(paths_->Instances()),
      Op::Create(paths_->Places()),
      Op::Create(paths_->Fences()),
      Op::Create(paths_->Objects()),
      Op::Create(paths_->Names()),
  };
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    ops.push_back(Op::Create(paths_->ObjectBucket(bucket)));
    ops.push_back(Op::Create(paths_->NameBucket(bucket)));
  }
  ops.push_back(Op::Create(paths_->Format(), Encode(ClusterFormat{kLayout, NewUuid()})));
  connection_->Multi(
      std::move(ops), Soon(), guard_([this](const MultiResult& made) {
        bool exists = made.status.code() == Code::kExists;
        if (exists && ++half_made_ > kHalfMade) {
          return End(Corrupt(paths_->Format() +
                             " is missing and other nodes of the cluster are there: put it back, "
                             "or remove what is below '" +
                             paths_->prefix() +
                             "'; then the daemons publish again what they have persisted"));
        }
        if (made.status.ok() || exists || made.status.code() == Code::kUnknown) {
          return Retry(made.status, &Join::ReadFormat);
        }
        End(made.status);
      }));
}

// ---- the number and the epoch --------------------------------------------------------------------

void Join::ReadPlace() {
  Instance& self = joined_.self;
  if (self.number == 0) self.number = 1 + RandomNumber() % kMaxInstance;
  connection_->Get(
      paths_->Place(self.number), Soon(), guard_([this](Result<Node> node) {
        Instance& self = joined_.self;
        int32_t version = -1;
        old_epoch_ = 0;
        if (node.ok()) {
          auto place = DecodeInstance(node->data);
          if (IsDamaged(place, paths_->Place(self.number))) return;
          // One that had this number before and died on its way into the cluster left its place there.
          bool is_predecessors = had_number_ && !self.socket.empty() && place->host == self.host &&
                                 place->socket == self.socket;
          if (may_change_number_ && place->boot != self.boot && !is_predecessors) {
            self.number = 0;
            return Retry({Code::kExists, "the number is taken"}, &Join::ReadPlace);
          }
          if (!may_change_number_ && was_member_ && place->boot != self.boot) {
            return End(vineyard::Status(
                Code::kConflict,
                vineyard::Format("instance %llu: another daemon took its place in the cluster",
                                 static_cast<unsigned long long>(self.number))));
          }
          old_epoch_ = place->epoch;
          version = node->stat.version;
        } else if (node.status().code() != Code::kNotFound) {
          return End(node.status());
        }
        self.epoch = std::max(self.epoch, old_epoch_) + 1;
        self.lost = false;
        self.since_ms = UnixMs();
        joined_.fence = paths_->Fence(self.number, self.epoch);
        ReadFences(version);
      }));
}

void Join::ReadFences(int32_t version) {
  if (old_epoch_ == 0) return ReadLog(version, false);
  connection_->Exists(paths_->Fence(joined_.self.number, old_epoch_), Soon(),
                      guard_([this, version](Result<Stat> stat) {
                        if (!stat.ok() && stat.status().code() != Code::kNotFound)
                          return End(stat.status());
                        ReadLog(version, stat.ok());
                      }));
}

void Join::ReadLog(int32_t version, bool has_old_fence) {
  connection_->Get(paths_->Log(), Soon(), guard_([this, version, has_old_fence](Result<Node> node) {
                     if (Failed(node)) return;
                     auto log = DecodeLog(node->data);
                     if (IsDamaged(log, paths_->Log())) return;
                     TakeEpoch(version, has_old_fence, *log, node->stat.version);
                   }));
}

void Join::TakeEpoch(int32_t version, bool has_old_fence, const LogState& log,
                     int32_t log_version) {
  const Instance& self = joined_.self;
  std::vector<Op> ops = {Op::Check(paths_->Log(), log_version)};
  if (version < 0) {
    ops.push_back(Op::Create(paths_->Place(self.number), Encode(self)));
  } else {
    ops.push_back(Op::Set(paths_->Place(self.number), Encode(self), version));
  }
  if (has_old_fence) ops.push_back(Op::Remove(paths_->Fence(self.number, old_epoch_)));
  ops.push_back(Op::Create(joined_.fence, {}, Op::kEphemeral));
  Entry joins;
  joins.traces.push_back({Trace::Kind::kInstanceChanged, true, self.number, {}, 0});
  ops.push_back(Op::Create(paths_->NewEntry(log.generation), Encode(joins), Op::kSequential));
  size_t entry = ops.size() - 1;
  connection_->Multi(std::move(ops), Soon(),
                     guard_([this, log, log_version, entry](const MultiResult& taken) {
                       if (taken.status.ok()) return End(std::move(joined_));
                       if (taken.status.code() == Code::kUnknown) return CheckFence();
                       if (taken.failed == entry && taken.status.code() == Code::kNotFound) {
                         return ReplaceLost(log, log_version);
                       }
                       if (taken.failed != kNoOp) return Retry(taken.status, &Join::ReadPlace);
                       End(taken.status);
                     }));
}

// The generation that is written is not there. Of two that begin another, one does.
void Join::ReplaceLost(LogState log, int32_t version) {
  Log(LogLevel::kWarning, "metadata: %s was removed by somebody else; another begins",
      paths_->Generation(log.generation).c_str());
  connection_->Multi(
      BeginGeneration(*paths_, &log, version, /*is_lost=*/true), Soon(),
      guard_([this](const MultiResult& made) { Retry(made.status, &Join::ReadPlace); }));
}

// Whether the epoch is ours, though nobody said so.
void Join::CheckFence() {
  connection_->Exists(joined_.fence, Soon(), guard_([this](Result<Stat> stat) {
                        if (stat.ok() && stat->ephemeral_owner == connection_->session_id())
                          return End(std::move(joined_));
                        if (!stat.ok() && stat.status().code() != Code::kNotFound)
                          return End(stat.status());
                        Retry({Code::kConflict, "another has the epoch"}, &Join::ReadPlace);
                      }));
}

void Join::Retry(const vineyard::Status& why, void (Join::*step)()) {
  if (++attempts_ > kAttempts)
    return End(why.ok() ? Internal("metadata: can not join the cluster") : why);
  (this->*step)();
}

void Join::End(Result<Joined> result) {
  guard_.Renew();
  Done done = std::move(done_);
  done(std::move(result));  // this may be gone
}

}  // namespace vineyard::meta::zookeeper

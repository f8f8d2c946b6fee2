// How a connection becomes a session, what the daemon says of itself, and how it hands over to another program.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/object/pack.h"
#include "core/shm/layout.h"
#include "daemon/daemon.h"
#include "daemon/server.h"

namespace vineyard::daemon {
namespace {

constexpr uint64_t kMaxHelloValues = 1024;  // of who is not known yet
// Sessions of one user, but the daemon's own, in all audiences together. Each takes a descriptor and a map, and
// outlives its connection for as long as its pin table is kept.
constexpr size_t kMaxSessionsOfStranger = 4000;

}  // namespace

// ---- hello -------------------------------------------------------------------------------------

void Server::OnHello(Session& session, const wire::FrameHeader& header, std::string_view body) {
  Arena arena;
  Result<Value> value = Unpack(body, &arena, kMaxDepth, kMaxHelloValues);
  if (!value.ok()) return session.Refuse(header, Protocol("hello: " + value.status().text()));
  Result<wire::Hello> hello = wire::Hello::Decode(*value);
  if (!hello.ok()) return session.Refuse(header, hello.status());
  wire::Welcome welcome;
  std::vector<Fd> descriptors;
  Status greeted = Greet(session, *hello, &welcome, &descriptors);
  if (!greeted.ok()) return session.Refuse(header, greeted);
  std::string answer;
  welcome.Encode(&answer);
  session.Answer(header, std::move(answer), std::move(descriptors));
}

Status Server::Greet(Session& session, const wire::Hello& hello, wire::Welcome* welcome,
                     std::vector<Fd>* descriptors) {
  if (session.id() != 0) return Protocol("hello: it was said already");
  if (stop_ns_ != 0) return {Code::kUnavailable, "the daemon is stopping"};
  // Also who knows more than this daemon is refused: only it could tell whether it can do without.
  if (hello.layout != shm::kLayoutVersion || hello.incompatible != shm::kKnownIncompatible) {
    return {
        Code::kVersion,
        Format("the client knows memory layout %u with features %#llx, the daemon "
               "(vineyardd %s) uses layout %u with features %#llx; use a library and a daemon of "
               "one release",
               hello.layout, static_cast<unsigned long long>(hello.incompatible),
               VINEYARD_BUILD_VERSION, shm::kLayoutVersion,
               static_cast<unsigned long long>(shm::kKnownIncompatible))};
  }
  store::SessionInfo info;
  info.id = hello.session;
  info.token[0] = hello.token[0];
  info.token[1] = hello.token[1];
  info.uid = session.peer().uid;
  info.pid = session.peer().pid;
  ASSIGN_OR_RETURN(Audience * audience,
                   audiences_.Of(session.peer(), wire::Share::kDefault, /*gid=*/0));
  if (audience->store->ResumeSession(info)) {
    auto older = by_id_.find(info.id);
    if (older != by_id_.end()) older->second->Close();
    // A welcome that was lost took the descriptors along: then nobody holds the session, and this
    // hello begins it again.
    welcome->resumed = audience->store->SessionAlive(info.id);
  }
  if (by_id_.count(info.id) != 0) {
    return {Code::kExists, "session: another living one has this id"};
  }
  if (!welcome->resumed) RETURN_IF_ERROR(OpenSession(*audience, info, descriptors));
  // It may have more than its own.
  audiences_.ForEach([&](Audience& each) {
    if (each.store->ResumeSession(info)) each.liveness.Forget(info.id);
  });
  session.set_id(info.id);
  by_id_[info.id] = &session;
  Connection& connection = connections_.at(&session);
  connection.info = info;
  connection.audience = audience;
  welcome->instance = audience->store->instance();
  welcome->epoch = own_->store->epoch();
  welcome->audience = audience->number;
  welcome->uid = audience->id.uid;
  welcome->is_shared = audience->id.kind != shm::AudienceKind::kUid;
  welcome->version = VINEYARD_BUILD_VERSION;
  welcome->checksum_limit = options_->checksum_limit;
  Log(LogLevel::kDebug, "session %016llx of pid %u (%.*s) %s",
      static_cast<unsigned long long>(info.id), info.pid,
      static_cast<int>(std::min<size_t>(hello.client.size(), 64)), hello.client.data(),
      welcome->resumed ? "resumed" : "began");
  return OkStatus();
}

Status Server::OpenSession(Audience& audience, const store::SessionInfo& info,
                           std::vector<Fd>* descriptors) {
  // What was sent before and never came holds nothing.
  if (audience.store->HasSession(info.id) && !audience.store->SessionAlive(info.id)) {
    audience.store->EndSession(info.id);
  }
  if (info.uid != 0 && info.uid != geteuid()) {
    size_t of_user = 0;
    audiences_.ForEach([&](Audience& each) { of_user += each.store->SessionsOf(info.uid); });
    if (of_user >= kMaxSessionsOfStranger) {
      return Limit(Format("uid %u has %zu sessions; end some", info.uid, of_user));
    }
  }
  ASSIGN_OR_RETURN(store::SessionFiles files, audience.store->OpenSession(info));
  descriptors->push_back(std::move(files.index));
  descriptors->push_back(std::move(files.directory));
  descriptors->push_back(std::move(files.pins));
  return OkStatus();
}

// A user but the daemon's own is told of what is its own: its connections, memory and audiences, and of the cluster,
// which is not, nothing.
wire::StatusAnswer Server::DescribeDaemon(const Session& session) const {
  const Peer& peer = session.peer();
  bool is_owner = IsDaemonsUser(peer);
  const Audience& own = *connections_.at(const_cast<Session*>(&session)).audience;
  const meta::Service& service = is_owner ? *service_ : *own.service;
  size_t audiences = 0;
  audiences_.ForEach(
      [&](const Audience& each) { audiences += is_owner || MayChange(peer, each.id) ? 1 : 0; });
  wire::StatusAnswer answer;
  answer.numbers = {
      {"connections", is_owner ? connections_.size() : of_stranger_.at(peer.uid)},
      {"uptime_ms", static_cast<uint64_t>((MonotonicNs() - started_ns_) / 1'000'000)},
      {"pid", static_cast<uint64_t>(getpid())},
      {"keeper_pid", static_cast<uint64_t>(getppid())},
      {"audiences", audiences},
      {"memory_taken", is_owner ? audiences_.budget().taken() : audiences_.TakenBy(peer.uid)},
  };
  meta::Health health = service.health();
  const meta::Catalog& catalog = service.catalog();
  answer.numbers.insert(
      answer.numbers.end(),
      {{"cluster_instances", catalog.instances().size()},
       {"cluster_trees", catalog.trees()},
       {"cluster_objects", catalog.objects()},
       {"cluster_names", catalog.names()},
       {"meta_stale_since_ms", static_cast<uint64_t>(health.stale_since_ms)},
       {"meta_read_only", health.read_only ? 1 : 0},
       {"meta_changes_under_way", is_owner ? own_->cluster.under_way() : own.cluster.under_way()}});
  struct stat program {};
  if (is_owner) answer.numbers.emplace_back("waits", waiters_.size());
  if (is_owner && stat("/proc/self/exe", &program) == 0) {
    answer.numbers.emplace_back("program_device", program.st_dev);
    answer.numbers.emplace_back("program_inode", program.st_ino);
  }
  answer.texts = {
      {"version", VINEYARD_BUILD_VERSION},
      {"socket", options_->socket},
      {"meta", health.text},
      {"evict", std::string(EvictionName(options_->eviction))},
      {"checksum", std::string(ChecksumName(options_->checksum_limit))},
  };
  return answer;
}

// ---- other audiences -------------------------------------------------------------------------------

void Server::OnAttach(Session& session, const wire::FrameHeader& header, std::string_view body) {
  wire::AttachAnswer attached;
  std::vector<Fd> descriptors;
  Status status = Attach(connections_.at(&session), session.peer(), body, &attached, &descriptors);
  // Of its own audience the session may have ended, and no other have begun.
  const Connection& connection = connections_.at(&session);
  bool has_ended = !status.ok() && connection.audience != nullptr &&
                   !connection.audience->store->HasSession(connection.info.id);
  if (status.code() == Code::kProtocol || has_ended) return session.Refuse(header, status);
  std::string answer = status.ok() ? "" : wire::EncodeError(status);
  if (status.ok()) attached.Encode(&answer);
  session.Answer(header, std::move(answer), std::move(descriptors));
}

Status Server::Attach(Connection& connection, const Peer& peer, std::string_view body,
                      wire::AttachAnswer* answer, std::vector<Fd>* descriptors) {
  Arena arena;
  Result<Value> value = Unpack(body, &arena, kMaxDepth, kMaxHelloValues);
  if (!value.ok()) return Protocol("attach: " + value.status().text());
  ASSIGN_OR_RETURN(wire::Attach attach, wire::Attach::Decode(*value));
  if (stop_ns_ != 0) return Status(Code::kUnavailable, "the daemon is stopping");
  Audience* audience = attach.audience == 0 ? nullptr : audiences_.Find(attach.audience);
  if (attach.audience == 0) {
    ASSIGN_OR_RETURN(audience, audiences_.Of(peer, attach.share, attach.gid));
  } else if (audience == nullptr || !MayAttach(peer, audience->id)) {
    return NotFound(
        Format("attach: there is no audience %u for uid %u", attach.audience, peer.uid));
  }
  store::Store& store = *audience->store;
  bool is_attached = store.ResumeSession(connection.info) && store.SessionAlive(connection.info.id);
  if (!is_attached) {
    RETURN_IF_ERROR(OpenSession(*audience, connection.info, descriptors));
  }
  answer->audience = audience->number;
  answer->instance = audience->store->instance();
  answer->uid = audience->id.uid;
  answer->is_shared = audience->id.kind != shm::AudienceKind::kUid;
  return OkStatus();
}

// ---- upgrade -----------------------------------------------------------------------------------

void Server::OnUpgrade(Session& session, const wire::FrameHeader& header, std::string_view body) {
  Result<wire::UpgradeAnswer> upgrade = Upgrade(session.peer(), body);
  std::string answer = upgrade.ok() ? "" : wire::EncodeError(upgrade.status());
  if (upgrade.ok()) upgrade->Encode(&answer);
  session.Answer(header, std::move(answer));
  // What others have asked for is repeated by them, as after a death.
  if (upgrade.ok() && upgrade->arguments.empty()) asio::post(*loop_, on_upgrade);
}

// No arguments: it is to begin.
Result<wire::UpgradeAnswer> Server::Upgrade(const Peer& peer, std::string_view body) {
  if (!IsDaemonsUser(peer)) {
    return Status(Code::kPermission,
                  "upgrade: only the user of the daemon, and root, may ask for it");
  }
  Arena arena;
  ASSIGN_OR_RETURN(Value value, Unpack(body, &arena, kMaxDepth, kMaxHelloValues));
  ASSIGN_OR_RETURN(wire::Upgrade upgrade, wire::Upgrade::Decode(value));
  wire::UpgradeAnswer answer;
  if (!upgrade.begin) {
    answer.arguments = options_->ToArguments();
    return answer;
  }
  // The program that asks, whatever lies at its path: its hello has shown that it knows this memory.
  std::string path = Format("/proc/%u/exe", peer.pid);
  Fd program(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!program.valid()) {
    return Status(
        Code::kPermission,
        Format("upgrade: the program of pid %u can not be opened (%s); ask as the user of "
               "the daemon, uid %u, and where it sees your processes",
               peer.pid, std::strerror(errno), geteuid()));
  }
  state_->Forget(shm::Role::kKeeper, kNextProgram);
  RETURN_IF_ERROR(state_->List(shm::Role::kKeeper, program.get(), kNextProgram));
  (void)program.Release();
  Log(LogLevel::kInfo, "upgrade: the program of pid %u takes over", peer.pid);
  return answer;
}

}  // namespace vineyard::daemon

#include "daemon/server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/meta/tree.h"

namespace vineyard::daemon {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
// While deleted objects wait for their pins.
constexpr auto kFastTick = std::chrono::milliseconds(10);
constexpr int64_t kDrainNs = int64_t{5} * 1'000'000'000;
constexpr int kAcceptAtOnce = 64;
constexpr int64_t kPatienceMs = 30'000;     // of who says none
constexpr int64_t kLookNs = 1'000'000'000;  // at audiences
// Connections of one user, but the daemon's own.
constexpr size_t kMaxOfStranger = 1000;

// Descriptors kept free for the daemon's own work and for telling clients that there are no more.
int Reserve(int limit) { return std::min(64, limit / 4); }

int DescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT32_MAX));
}

// Until when a request is worth an answer: a little before its sender gives up, for deadlines are looked at
// with every tick, and the answer has to come through.
Deadline DeadlineOf(const wire::FrameHeader& header) {
  int64_t wait_ms = header.patience == 0 ? kPatienceMs : int64_t{header.patience} * 100;
  return Deadline::After(wait_ms - std::min(wait_ms / 2, std::max<int64_t>(wait_ms / 20, 300)));
}

// Answers a hello that was not read, as well as it goes without waiting.
void TurnAway(const Fd& socket, const Peer& peer, const Status& error) {
  Log(LogLevel::kWarning, "pid %u: %s: turned away", peer.pid, error.ToString().c_str());
  std::string body = wire::EncodeError(error);
  wire::FrameHeader header =
      wire::MakeHeader(static_cast<uint16_t>(wire::MessageType::kHello) | wire::kAnswer,
                       static_cast<uint32_t>(body.size()), /*correlation=*/0, /*number=*/0);
  std::string frame(reinterpret_cast<const char*>(&header), sizeof header);
  frame += body;
  (void)!send(socket.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Server::Server(asio::io_context* loop, store::Store* store, meta::Service* service,
               shm::StateFile* state, store::Budget* budget, DescriptorStore* descriptor_store,
               const Options* options)
    : service_(service),
      state_(state),
      descriptor_store_(descriptor_store),
      options_(options),
      loop_(loop),
      listener_(*loop),
      ticker_(*loop),
      waiters_(loop, [this](const Wait& wait) { return AnswerWait(wait); }),
      audiences_(options, state, budget, HooksOfAudience()),
      own_(audiences_.AddOwn(store, service)),
      no_cluster_(meta::Instance{}, [](const std::function<void()>&) {}),
      shared_lookup_(own_->number, store, &no_cluster_, &own_->holds),
      shared_handler_(store, &own_->cluster, &shared_lookup_,
                      [this](uint64_t session) { return DescribeDaemon(*by_id_.at(session)); }),
      started_ns_(MonotonicNs()),
      descriptor_limit_(DescriptorLimit()) {
  audiences_.Adopt();
}

Audience::Hooks Server::HooksOfAudience() {
  Audience::Hooks hooks;
  hooks.loop = loop_;
  hooks.again = [this](const Postponed& postponed) {
    return postponed.session->closed() ||
           Serve(postponed.session, postponed.request, postponed.body, postponed.deadline_ns,
                 postponed.synced) == nullptr;
  };
  hooks.on_spilled = [](Audience& audience) {
    audience.growth.Retry();
    audience.growth.Check();
    audience.spiller.Check();
  };
  hooks.status = [this](uint64_t session) { return DescribeDaemon(*by_id_.at(session)); };
  hooks.on_sealed = [this](ObjectId id) { waiters_.Sealed(id); };
  hooks.on_named = [this](std::string_view name) { waiters_.Named(name); };
  hooks.on_event = [this](Audience& audience, const meta::Event& event) {
    OnEvent(audience, event);
  };
  hooks.on_state = [this](shm::StateFile* state) { descriptor_store_->Follow(state); };
  hooks.on_state_end = [this](shm::StateFile* state) { descriptor_store_->Unfollow(state); };
  return hooks;
}

Server::~Server() {
  if (listener_.is_open()) listener_.release();
}

void Server::Start(int listener) {
  ErrorCode ignored;
  listener_.assign(listener, ignored);
  for (uint64_t session : own_->store->Sessions()) own_->liveness.Watch(session);
  own_->growth.Check();
  Tick();
  Accept();
}

// ---- connections -------------------------------------------------------------------------------

void Server::Accept() {
  if (accepting_ || stop_ns_ != 0) return;
  accepting_ = true;
  listener_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const ErrorCode& error) {
    accepting_ = false;
    if (!error) AcceptSome();
  });
}

void Server::AcceptSome() {
  for (int i = 0; i < kAcceptAtOnce; ++i) {
    Fd socket(accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.valid()) {
      Open(std::move(socket));
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      Log(LogLevel::kError, "accept: %s", std::strerror(errno));
      return;  // the next tick tries again
    }
  }
  Accept();
}

void Server::Open(Fd socket) {
  Result<Peer> peer = PeerOf(socket);
  if (!peer.ok()) return;
  Connection connection;
  connection.refusal = CheckPeer(options_->access, *peer);
  connection.is_counted = connection.refusal.ok() && !IsDaemonsUser(*peer);
  if (connection.is_counted && ++of_stranger_[peer->uid] > kMaxOfStranger) {
    connection.refusal =
        Limit(Format("uid %u has %zu connections; close some", peer->uid, kMaxOfStranger));
  }
  if (socket.get() >= descriptor_limit_ - Reserve(descriptor_limit_)) {
    connection.refusal = {Code::kHostMemory,
                          Format("the daemon has no descriptors left for another client (its limit "
                                 "is %d; see ulimit -Hn)",
                                 descriptor_limit_)};
    // Nor for those who are to be heard out.
    if (socket.get() >= descriptor_limit_ - Reserve(descriptor_limit_) / 2) {
      if (connection.is_counted) ForgetStranger(*peer);
      return TurnAway(socket, *peer, connection.refusal);
    }
  }
  connection.session = std::make_shared<Session>(loop_, std::move(socket), *peer, this);
  Session* session = connection.session.get();
  connections_.emplace(session, connection);
  connection.session->Start();
}

void Server::ForgetStranger(const Peer& peer) {
  auto found = of_stranger_.find(peer.uid);
  if (found != of_stranger_.end() && --found->second == 0) of_stranger_.erase(found);
}

void Server::OnClosed(Session& session) {
  waiters_.Drop(session);
  if (connections_.at(&session).is_counted) ForgetStranger(session.peer());
  uint64_t id = session.id();
  audiences_.ForEach([&](Audience& audience) {
    audience.growth.Drop(session);
    audience.events.Drop(session);
    if (id == 0) return;
    audience.holds.Release(id);
    if (audience.store->HasSession(id)) audience.liveness.Watch(id);
  });
  if (id != 0) by_id_.erase(id);
  connections_.erase(&session);
}

// ---- requests ----------------------------------------------------------------------------------

void Server::OnFrame(Session& session, const wire::FrameHeader& header, std::string_view body) {
  Connection& connection = connections_.at(&session);
  std::shared_ptr<Session> self = connection.session;  // it may be closed while it is served
  if (!connection.refusal.ok()) {
    session.Refuse(header, connection.refusal);
    return;
  }
  auto type = static_cast<wire::MessageType>(header.type);
  if (type == wire::MessageType::kHello) {
    OnHello(session, header, body);
  } else if (session.id() == 0) {
    session.Refuse(header, Protocol("the first frame must be a hello"));
  } else if (type == wire::MessageType::kGoodbye) {
    session.Answer(header, wire::EncodeEmpty());
    session.Finish();
  } else if (type == wire::MessageType::kUpgrade) {
    OnUpgrade(session, header, body);
  } else if (type == wire::MessageType::kAttach) {
    OnAttach(session, header, body);
  } else {
    for (Audience* audience : connection.holding) audience->holds.Release(session.id());
    connection.holding.clear();
    ServeOrGrow(self, header, body, DeadlineOf(header).at_ns(), /*synced=*/false);
  }
}

void Server::ServeOrGrow(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
                         std::string_view body, int64_t deadline_ns, bool synced) {
  if (session->closed()) return;
  Audience* grows = Serve(session, header, body, deadline_ns, synced);
  if (grows == nullptr) return;
  grows->growth.Postpone({session, header, std::string(body), deadline_ns, synced});
  grows->growth.Check();
  grows->spiller.Check();
}

void Server::Answer(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
                    Reply reply) {
  if (session->closed()) return;
  if (reply.kind == Reply::Kind::kRefuse) {
    session->Refuse(header, reply.error);
  } else {
    session->Answer(header, std::move(reply.body), std::move(reply.descriptors));
  }
}

Audience* Server::Serve(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
                        std::string_view body, int64_t deadline_ns, bool synced) {
  Inquiry inquiry{session->id(), header,
                  body,          Deadline::At(deadline_ns),
                  synced,        IsDaemonsUser(session->peer())};
  Result<Audience*> routed = Route(*session, header);
  if (!routed.ok()) {
    session->Answer(header, wire::EncodeError(routed.status()));
    return nullptr;
  }
  Audience* audience = *routed;
  Reply reply = Handle(session, inquiry, &audience);
  switch (reply.kind) {
    case Reply::Kind::kGrow:
      if (!inquiry.deadline.passed()) return audience;
      session->Answer(
          header, wire::EncodeError({Code::kTimeout,
                                     "memory did not come free in time: others put and get more "
                                     "than there is room for; try again"}));
      break;
    case Reply::Kind::kRefuse:
    case Reply::Kind::kAnswer:
      Answer(session, header, std::move(reply));
      break;
    case Reply::Kind::kLater:
      break;
    case Reply::Kind::kSync:
      audience->cluster.Sync(inquiry.deadline, [this, session, header, body = std::string(body),
                                                deadline_ns](const Status& status) {
        if (session->closed()) return;
        if (status.ok()) return ServeOrGrow(session, header, body, deadline_ns, /*synced=*/true);
        auto type = static_cast<wire::MessageType>(header.type);
        // A put that was done is in the store.
        bool is_repeat = (header.flags & wire::kRepeated) != 0 && wire::IsMutating(type) &&
                         type != wire::MessageType::kPut;
        session->Answer(header, wire::EncodeError(NotAsked(status, is_repeat)));
      });
      break;
    case Reply::Kind::kPark:
      if (inquiry.deadline.passed()) {
        Status late(Code::kUnavailable,
                    "another change of the same objects did not end before the deadline");
        bool is_repeat = (header.flags & wire::kRepeated) != 0;
        session->Answer(header, wire::EncodeError(NotAsked(late, is_repeat)));
        break;
      }
      audience->cluster.Park(
          inquiry.deadline, [this, session, header, body = std::string(body), deadline_ns, synced] {
            ServeOrGrow(session, header, body, deadline_ns, synced);
          });
      break;
    case Reply::Kind::kLog:
      AskLog(session, header, *audience->service, reply.sync, deadline_ns);
      break;
    case Reply::Kind::kWatch:
      audience->events.Watch(session, header, reply.watch);
      break;
    case Reply::Kind::kWait: {
      const wire::Find& find = reply.wait_for;
      auto limit = static_cast<int64_t>(std::min<uint64_t>(find.timeout_ms, INT64_MAX));
      Status added = stop_ns_ != 0
                         ? Status(Code::kUnavailable, "the daemon is stopping")
                         : waiters_.Add({session, header, find.id, std::string(find.name),
                                         find.timeout_ms, Deadline::After(limit).at_ns()});
      if (!added.ok()) session->Answer(header, wire::EncodeError(added));
      break;
    }
  }
  waiters_.Wake();
  audience->events.Wake();
  audience->growth.Check();
  audience->spiller.Check();
  return nullptr;
}

// ---- the cluster -------------------------------------------------------------------------------

void Server::AskLog(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
                    meta::Service& service, const wire::Sync& sync, int64_t deadline_ns) {
  // Whoever waits has a session, and so its audience is there.
  auto answer = [&service, session, header](const Status& status) {
    if (session->closed()) return;
    if (!status.ok()) return session->Answer(header, wire::EncodeError(status));
    meta::Revision now = service.applied();
    std::string body;
    wire::SyncAnswer{{now.generation, now.entries}}.Encode(&body);
    session->Answer(header, std::move(body));
  };
  Deadline deadline = Deadline::At(deadline_ns);
  switch (sync.kind) {
    case wire::Sync::Kind::kNow:
      return answer(OkStatus());
    case wire::Sync::Kind::kBarrier:
      return service.Sync(deadline, std::move(answer));
    case wire::Sync::Kind::kAtLeast:
      return service.WaitFor({sync.at_least.generation, sync.at_least.entries}, deadline,
                             std::move(answer));
  }
}

void Server::OnEvent(Audience& audience, const meta::Event& event) {
  audience.cluster.OnEvent(event);
  audience.events.Add(event);
  if (waiters_.size() > 0) {
    if (event.kind == meta::Event::Kind::kReset) waiters_.NoteAll();
    if (event.kind == meta::Event::Kind::kNamed) waiters_.Named(event.name);
    if (event.kind == meta::Event::Kind::kCreated) {
      auto tree = meta::DecodeTree(audience.service->catalog().TreeOf(event.id));
      if (tree.ok()) {
        for (const meta::Node& node : tree->nodes) waiters_.Sealed(node.id);
      }
    }
  }
  // Not from inside the change: see waiters.h.
  if (!std::exchange(wake_posted_, true)) {
    asio::post(*loop_, [this] {
      wake_posted_ = false;
      waiters_.Wake();
      audiences_.ForEach([](Audience& each) { each.events.Wake(); });
    });
  }
}

void Server::OnServing(bool is_new_cluster) {
  own_->events.Begin();
  own_->cluster.OnServing(is_new_cluster);
  waiters_.NoteAll();
  waiters_.Wake();
}

// ---- time --------------------------------------------------------------------------------------

void Server::Tick() {
  int64_t now_ns = MonotonicNs();
  audiences_.ForEach([&](Audience& audience) {
    audience.store->Tick(now_ns / 1'000'000);
    audience.holds.Expire(now_ns);
    audience.service->Tick(now_ns);
    audience.store->SetStaleSince(audience.service->health().stale_since_ms);
    audience.cluster.Tick();
    audience.events.Tick(now_ns);
    audience.growth.Check();
    audience.spiller.Check();
  });
  if (now_ns - looked_ns_ >= kLookNs) {
    looked_ns_ = now_ns;
    audiences_.Tick([this](const Audience& audience) {
      for (auto& [session, connection] : connections_) std::erase(connection.holding, &audience);
    });
  }
  Accept();
  std::vector<std::shared_ptr<Session>> sessions;
  sessions.reserve(connections_.size());
  for (const auto& [session, connection] : connections_) sessions.push_back(connection.session);
  for (const std::shared_ptr<Session>& session : sessions) session->CheckProgress(now_ns);
  if (stop_ns_ != 0) {
    Drain();
  } else {
    ScheduleTick();
  }
}

void Server::ScheduleTick() {
  bool soon = stop_ns_ != 0;
  audiences_.ForEach([&](Audience& audience) { soon = soon || audience.store->has_deferred(); });
  ticker_.expires_after(soon ? kFastTick : kTick);
  ticker_.async_wait([this](const ErrorCode& error) {
    if (!error) Tick();
  });
}

void Server::EndStores() { audiences_.End(); }

void Server::Stop() {
  if (stop_ns_ != 0) return;
  stop_ns_ = MonotonicNs() + kDrainNs;
  ErrorCode ignored;
  listener_.cancel(ignored);
  const Status stopping(Code::kUnavailable, "the daemon is stopping");
  waiters_.FailAll(stopping);
  audiences_.ForEach([&](Audience& audience) {
    audience.liveness.Stop();
    audience.events.FailAll(stopping);
  });
  Drain();
}

// Ends when every connection is closed: with its last answer, or at the deadline.
void Server::Drain() {
  bool late = MonotonicNs() >= stop_ns_;
  // What the cluster is being asked has half of the time; then it fails.
  bool postponed = false;
  audiences_.ForEach(
      [&](Audience& audience) { postponed = postponed || audience.growth.has_postponed(); });
  bool is_idle = own_->cluster.under_way() == 0 && !postponed;
  if (!service_stopped_ && (is_idle || MonotonicNs() >= stop_ns_ - kDrainNs / 2)) {
    service_stopped_ = true;
    service_->Stop();
    // What it answers comes before the connections are closed.
    asio::post(*loop_, [this] { Drain(); });
    return;
  }
  if ((service_stopped_ && !postponed) || late) {
    std::vector<std::shared_ptr<Session>> sessions;
    for (const auto& [session, connection] : connections_) sessions.push_back(connection.session);
    for (const std::shared_ptr<Session>& session : sessions) {
      late ? session->Close() : session->Finish();
    }
  }
  if (connections_.empty()) {
    ticker_.cancel();
  } else {
    ScheduleTick();
  }
}

}  // namespace vineyard::daemon

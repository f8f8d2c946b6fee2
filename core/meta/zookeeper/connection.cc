#include "core/meta/zookeeper/connection.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/meta/zookeeper/errors.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

// The first op that the server refused; kNoOp: it is not one op's fault.
size_t FailedOp(int error, const std::vector<int>& op_errors) {
  auto refused = [](int e) { return e != kOk && e != kNotTried; };
  auto first = std::find_if(op_errors.begin(), op_errors.end(), refused);
  if (first == op_errors.end() || *first != error || !IsAnswer(error)) return kNoOp;
  // All of several: the library filled in what befell the whole.
  if (std::find_if(first + 1, op_errors.end(), refused) != op_errors.end()) return kNoOp;
  return static_cast<size_t>(first - op_errors.begin());
}

std::string TextOf(const std::vector<Op>& ops) {
  if (ops.size() == 1) return ops[0].Text();
  return Format("%zu changes", ops.size());
}

Status CheckOptions(const Options& options) {
  const std::string& servers = options.servers;
  if (servers.empty()) return Invalid("zookeeper: no server is named");
  // A path behind the servers would be put in front of all paths by the library.
  if (servers.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                ".-_:,[]") != std::string::npos) {
    return Invalid(Format("zookeeper: servers '%s' are not host:port,host:port", servers.c_str()));
  }
  if (options.session_timeout_ms == 0) return Invalid("zookeeper: a session time-out of 0");
  return OkStatus();
}

}  // namespace

Connection::Connection(const Options& options, Post post, OnState on_state)
    : options_(options),
      post_(std::move(post)),
      on_state_(std::move(on_state)),
      authenticated_(options.digest_auth.empty()),
      session_timeout_ms_(options.session_timeout_ms) {}

Result<std::unique_ptr<Connection>> Connection::Open(const Options& options, Post post,
                                                     OnState on_state) {
  RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<Connection> connection(new Connection(options, post, std::move(on_state)));
  ASSIGN_OR_RETURN(connection->link_, Link::Open(options, std::move(post), connection.get()));
  return connection;
}

Connection::~Connection() {
  Close();
  while (!pending_.empty()) post_(Settle(pending_.begin(), {.error = kClosing}));
}

void Connection::Close() {
  on_state_ = nullptr;
  End(State::kClosed, kClosing);
}

// ---- requests ----------------------------------------------------------------------------------

void Connection::Get(const std::string& path, const Deadline& deadline, OnNode done,
                     OnEvent watch) {
  AskAbout("get", &Link::Get, path, deadline, std::move(watch),
           [done = std::move(done)](Status status, Reply reply) {
             if (!status.ok()) return done(std::move(status));
             done(Node{std::move(reply.data), reply.stat});
           });
}

void Connection::Exists(const std::string& path, const Deadline& deadline, OnStat done,
                        OnEvent watch) {
  AskAbout("look for", &Link::Exists, path, deadline, std::move(watch),
           [done = std::move(done)](Status status, Reply reply) {
             if (!status.ok()) return done(std::move(status));
             done(reply.stat);
           });
}

void Connection::GetChildren(const std::string& path, const Deadline& deadline, OnChildren done,
                             OnEvent watch) {
  AskAbout("list", &Link::GetChildren, path, deadline, std::move(watch),
           [done = std::move(done)](Status status, Reply reply) {
             if (!status.ok()) return done(std::move(status));
             done(Children{std::move(reply.names), reply.stat});
           });
}

void Connection::IsOpen(const std::string& path, const Deadline& deadline, OnOpen done) {
  Pending pending;
  pending.what = Format("who may change %.200s", path.c_str());
  pending.deadline_ns = deadline.at_ns();
  pending.send = [path](Link& link, uint64_t number) { return link.GetAcl(path, number); };
  pending.answer = [done = std::move(done)](Status status, Reply reply) {
    if (!status.ok()) return done(std::move(status));
    done(reply.open);
  };
  Ask(CheckPath(path), std::move(pending));
}

void Connection::AskAbout(const char* verb, Read read, const std::string& path,
                          const Deadline& deadline, OnEvent watch, Answer answer) {
  Status refused = CheckPath(path);
  uint64_t set = 0;
  if (watch && refused.ok()) {
    set = next_number_++;
    watches_.emplace(set, std::move(watch));
  }
  Pending pending;
  pending.what = Format("%s %.200s", verb, path.c_str());
  pending.deadline_ns = deadline.at_ns();
  pending.send = [read, path, set](Link& link, uint64_t number) {
    return (link.*read)(path, set, number);
  };
  pending.watch = set;
  if (set != 0 && read == &Link::Exists) pending.awaited = path;
  pending.answer = std::move(answer);
  Ask(std::move(refused), std::move(pending));
}

void Connection::Multi(std::vector<Op> ops, const Deadline& deadline, OnMulti done) {
  Status refused = CheckMulti(ops);
  auto shared = std::make_shared<const std::vector<Op>>(std::move(ops));
  Pending pending;
  pending.what = refused.ok() ? TextOf(*shared) : "change";
  pending.write = true;
  pending.deadline_ns = deadline.at_ns();
  pending.send = [shared](Link& link, uint64_t number) { return link.Multi(*shared, number); };
  pending.answer = [servers = options_.servers, shared, done = std::move(done)](Status status,
                                                                                Reply reply) {
    MultiResult result{std::move(status)};
    if (result.status.ok()) {
      result.ops = std::move(reply.ops);
      for (size_t i = 0; i < shared->size(); ++i) {
        const Op& op = (*shared)[i];
        if (op.kind == Op::Kind::kCreate && (op.flags & Op::kSequential) == 0) {
          result.ops[i].created_path = op.path;
        }
      }
    } else if (result.failed = FailedOp(reply.error, reply.op_errors); result.failed != kNoOp) {
      std::string what = (*shared)[result.failed].Text();
      result.status = StatusOf(reply.error, {servers, what, true, true});
    }
    done(std::move(result));
  };
  Ask(std::move(refused), std::move(pending));
}

void Connection::Ask(Status refused, Pending pending) {
  uint64_t number = next_number_++;
  Pending& kept = pending_.emplace(number, std::move(pending)).first->second;
  if (refused.ok() && link_ == nullptr) {
    int error = state_ == State::kClosed    ? kClosing
                : state_ == State::kExpired ? kSessionExpired
                                            : kAuthenticationFailed;
    refused = StatusOf(error, {options_.servers, kept.what, kept.write, false});
  } else if (!refused.ok()) {
    // Ours, not the server's: only what was asked is said.
    refused = Status(refused.code(), kept.what + ": " + refused.text());
  }
  kept.refused = std::move(refused);
  if (!kept.refused.ok()) {
    RefuseLater(number);
  } else if (state_ == State::kConnected) {
    Dispatch(number, &kept);
  }
}

void Connection::Dispatch(uint64_t number, Pending* pending) {
  Send send = std::move(pending->send);
  pending->send = nullptr;
  pending->sent_ns = last_sent_ns_ = MonotonicNs();
  int error = send(*link_, number);
  if (error == kOk) return;
  pending->refused = StatusOf(error, {options_.servers, pending->what, pending->write, false});
  RefuseLater(number);
}

void Connection::RefuseLater(uint64_t number) {
  post_([this, number, alive = std::weak_ptr<int>(alive_)] {
    if (alive.expired()) return;
    auto found = pending_.find(number);
    if (found != pending_.end()) Settle(found, {})();
  });
}

std::function<void()> Connection::Settle(std::map<uint64_t, Pending>::iterator found, Reply reply) {
  Pending pending = std::move(pending_.extract(found).mapped());
  Status status = std::move(pending.refused);
  if (status.ok() && reply.error != kOk) {
    bool sent = pending.send == nullptr;
    status = StatusOf(reply.error, {options_.servers, pending.what, pending.write, sent});
  }
  bool awaits = !pending.awaited.empty();
  bool watches = awaits ? reply.error == kNoNode : status.ok();
  if (pending.watch != 0 && !watches) watches_.erase(pending.watch);
  // Else the server would keep it, and be told of it anew with each link, for as long as the node is there.
  if (awaits && status.ok()) link_->Unwatch(pending.awaited);
  return [answer = std::move(pending.answer), status = std::move(status),
          reply = std::move(reply)]() mutable { answer(std::move(status), std::move(reply)); };
}

// ---- what happens ------------------------------------------------------------------------------

void Connection::OnOpened() {
  opened_ = true;
  if (link_up_) Connected();
}

void Connection::OnSession(Event event, Session session) {
  link_up_ = event == Event::kConnected;
  switch (event) {
    case Event::kConnected:
      session_id_ = session.id;
      session_timeout_ms_ = session.timeout_ms;
      if (opened_) Connected();
      return;
    case Event::kDisconnected:
      if (state_ != State::kConnected) return;
      state_ = State::kSuspended;
      return TellState();
    case Event::kExpired:
      return End(State::kExpired, kSessionExpired);
    case Event::kAuthFailed:
      return End(State::kAuthFailed, kAuthenticationFailed);
  }
}

void Connection::Connected() {
  // Only now: the library refuses it between two attempts to connect, and repeats it by itself
  // once it has it. Refused again: the link is lost again, its next word says so.
  if (!authenticated_ && link_->AddAuth() != kOk) return;
  authenticated_ = true;
  if (state_ == State::kConnected) return;
  state_ = State::kConnected;
  for (auto& [number, pending] : pending_) {
    if (pending.send != nullptr && pending.refused.ok()) Dispatch(number, &pending);
  }
  Heartbeat();
  TellState();
}

// Something small that the server answers. The library's own pings do not tell when they were.
void Connection::Heartbeat() {
  if (heartbeat_) return;
  heartbeat_ = true;
  Exists("/", Deadline::Never(), [this, alive = std::weak_ptr<int>(alive_)](const Result<Stat>&) {
    if (!alive.expired()) heartbeat_ = false;
  });
}

void Connection::OnReply(uint64_t number, Reply reply) {
  auto found = pending_.find(number);
  if (found == pending_.end()) return;  // its deadline has passed
  if (IsAnswer(reply.error)) link_good_ns_ = std::max(link_good_ns_, found->second.sent_ns);
  Settle(found, std::move(reply))();
}

void Connection::OnWatch(uint64_t watch, WatchEvent event) {
  auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  OnEvent call = std::move(found->second);
  watches_.erase(found);
  call(event);
}

void Connection::After(int64_t ns, std::function<void()> what) {
  if (link_ == nullptr) return;
  if (wakes_.empty()) link_->WakeAt(MonotonicNs() + ns);
  wakes_.push_back(std::move(what));
}

void Connection::OnWake() {
  for (auto& what : std::exchange(wakes_, {})) what();
}

void Connection::Tick(int64_t now_ns) {
  if (state_ == State::kConnected &&
      now_ns - last_sent_ns_ >= int64_t{session_timeout_ms_} * kNsPerMs / 6) {
    Heartbeat();
  }
  std::vector<std::function<void()>> answers;
  for (auto next = pending_.begin(); next != pending_.end();) {
    auto pending = next++;
    if (pending->second.deadline_ns == INT64_MAX || pending->second.deadline_ns > now_ns) continue;
    answers.push_back(Settle(pending, {.error = kDeadlinePassed}));
  }
  for (auto& answer : answers) answer();
}

void Connection::TellState() {
  OnState told = on_state_;  // a copy: it may destroy this
  if (told) told(state_);
}

void Connection::End(State state, int error) {
  if (link_ != nullptr) link_->Shut();
  link_ = nullptr;
  wakes_.clear();
  state_ = state;
  // Callbacks may ask anew, and destroy this: everything is taken out first. The watches of what
  // was not answered go with it.
  std::vector<std::function<void()>> answers;
  while (!pending_.empty()) answers.push_back(Settle(pending_.begin(), {.error = error}));
  std::map<uint64_t, OnEvent> watches = std::move(watches_);
  watches_.clear();
  std::weak_ptr<int> alive = alive_;
  for (auto& answer : answers) answer();
  for (auto& [number, event] : watches) event(WatchEvent::kLost);
  if (!alive.expired() && state_ == state) TellState();
}

}  // namespace vineyard::meta::zookeeper

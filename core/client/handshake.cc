// How a connection begins and ends; the life in between is in connection.cc.
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/at_end.h"
#include "core/client/connection.h"
#include "core/client/fork.h"
#include "core/client/greeting.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"
#include "core/wire/address.h"

namespace vineyard::client {
namespace {

constexpr int kMaxGreetings = 5;

}  // namespace

Status CheckDaemon(const Socket& socket, const std::string& path, uint32_t trusted) {
  ASSIGN_OR_RETURN(uint32_t uid, socket.PeerUid());
  if (uid == wire::kOverflowUid) {
    return {Code::kPermission,
            Format("connect %s: its daemon runs as uid %u, which stands for every user that has no "
                   "number here; start a vineyardd of your own with another --socket",
                   path.c_str(), uid)};
  }
  if (uid == 0 || uid == geteuid() || (trusted != 0 && uid == trusted)) return OkStatus();
  return {
      Code::kPermission,
      Format("connect %s: its daemon runs as uid %u, which is neither this user (uid %u) nor root; "
             "connect as uid %u, or start a vineyardd of your own with another --socket; where uid "
             "%u is to be believed, say so when you connect (daemon_uid, or VINEYARD_DAEMON_UID)",
             path.c_str(), uid, geteuid(), uid, uid)};
}

Status ReadWelcome(Reply* reply, wire::Welcome* welcome) {
  ASSIGN_OR_RETURN(reply->answer, wire::DecodeAnswer(reply->frame.body, &reply->arena));
  ASSIGN_OR_RETURN(*welcome, wire::Welcome::Decode(reply->answer));
  welcome->version = {};  // it points into the reply
  return OkStatus();
}

wire::Hello MakeHello(std::string_view client_name) {
  wire::Hello hello;
  hello.layout = shm::kLayoutVersion;
  hello.incompatible = shm::kKnownIncompatible;
  hello.pid = static_cast<uint64_t>(getpid());
  hello.client = client_name;
  return hello;
}

void NewSessionId(uint64_t* session, uint64_t token[2]) {
  *session = std::max<uint64_t>(shm::RandomNumber(), 1);
  for (int i = 0; i < 2; ++i) token[i] = shm::RandomNumber();
}

Connection::Connection(Options options, OnSession on_session, OnLateLease on_late_lease)
    : options_(std::move(options)),
      on_session_(std::move(on_session)),
      on_late_lease_(std::move(on_late_lease)) {
  given_up_.reserve(wire::kRequestWindow);  // each has a number of the window: GiveUp() never fails
  NewSessionId();
}

Status Connection::Establish(Pending* pending, Lock& lock) {
  wire::Welcome welcome;
  Result<Socket> socket = Handshake(*pending->patience, &welcome, lock);
  if (!socket.ok()) return socket.status();
  if (closed_) return Invalid("client: it is closed");
  SetSocket(std::make_shared<Socket>(std::move(socket).value()));
  if (++generation_ > 1) reconnects_.fetch_add(1, std::memory_order_relaxed);  // a statistic
  if (!welcome.resumed && had_session_) SessionIsNew();
  had_session_ = true;
  if (welcome.resumed) RepeatGivenUp();
  return OkStatus();
}

// Without the lock, while others wait for their turn.
Result<Socket> Connection::Handshake(const Patience& patience, wire::Welcome* welcome, Lock& lock) {
  AtEnd done([&] {
    lock.lock();
    connecting_ = false;
    WakeAll(For::kTurn);
  });
  connecting_ = true;
  lock.unlock();
  // A daemon that dies while it greets us is followed by another, which listens at the same socket.
  for (int tries = 1;; ++tries) {
    bool worth_another_try = false;
    Result<Socket> socket = Greet(patience, welcome, &worth_another_try);
    if (socket.ok() || !worth_another_try || tries == kMaxGreetings) return socket;
  }
}

// Connects, says hello and reads the welcome.
Result<Socket> Connection::Greet(const Patience& patience, wire::Welcome* welcome,
                                 bool* worth_another_try) {
  ASSIGN_OR_RETURN(Socket socket, Socket::Connect(options_.path, patience));
  RETURN_IF_ERROR(CheckDaemon(socket, options_.path, options_.daemon_uid));
  wire::Hello hello = MakeHello(options_.client_name);
  hello.session = session_;
  hello.token[0] = token_[0];
  hello.token[1] = token_[1];
  Request request(wire::MessageType::kHello, hello);
  request.WriteHeader(/*correlation=*/0, /*number=*/0);
  // Whoever reads the error knows this path, and may not know that there is a hello.
  auto named = [this](const Status& status) {
    return Status(status.code(), "connect " + options_.path + ": " + status.text());
  };
  uint64_t sent = 0;
  Status status = SendAll(&socket, request.frame, patience, &sent);
  if (status.code() == Code::kUnavailable) {
    // It may have said why before it closed: a daemon without descriptors turns clients away unheard.
    Result<bool> said = socket.Receive();
    if (said.ok() && *said) status = OkStatus();
  }

  Reply reply;
  while (status.ok()) {
    Result<bool> whole = socket.Next(&reply.frame);
    if (!whole.ok()) return named(whole.status());
    if (*whole) break;
    if (patience.deadline.passed()) {
      return Status(Code::kTimeout,
                    "connect " + options_.path + ": no answer to hello" + patience.Within());
    }
    Woken woken = WaitForSocket(socket.fd(), POLLIN, patience);
    if (woken == Woken::kReady) {
      status = socket.Receive().status();
    } else {
      RETURN_IF_ERROR(patience.Ask(woken == Woken::kSignal));
    }
  }
  if (!status.ok()) {
    *worth_another_try = status.code() == Code::kUnavailable;
    return named(status);
  }
  status = ReadWelcome(&reply, welcome);
  if (!status.ok()) return named(status);
  if (welcome->resumed) return socket;
  bool has_session = false;
  AtEnd done([&] {
    // The daemon has this session, and we have not: never ask for it again.
    if (!has_session) NewSessionId();
  });
  status = on_session_(*welcome, reply.frame.descriptors);
  has_session = status.ok();
  return has_session ? Result<Socket>(std::move(socket)) : named(status);
}

void Connection::NewSessionId() { client::NewSessionId(&session_, token_); }

// The daemon made a session of its own under our id: it knows no number of ours.
void Connection::SessionIsNew() {
  next_number_ = lowest_ = 1;
  done_ = 0;
  given_up_.clear();
  for (Pending* pending : pending_) {
    if (pending->answered || !pending->mutating) continue;
    pending->number = 0;
    pending->lost = pending->sends > 0;
  }
}

void Connection::SetSocket(std::shared_ptr<Socket> socket) {
  // So that AbandonInChild() sees either this socket or the other.
  std::lock_guard lock(ProcessMutex());
  socket_ = std::move(socket);
}

void Connection::Disconnect(uint64_t generation) {
  if (generation != generation_ || socket_ == nullptr) return;
  socket_->Shutdown();  // whoever still uses it finds out
  SetSocket(nullptr);
  WakeAll(For::kTurn);
  WakeAll(For::kAnswer);
}

void Connection::Close() {
  Lock lock(mutex_);
  closed_ = true;
  if (socket_ == nullptr) return WakeAll(For::kTurn);
  if (!sending_) {
    // Best effort: the daemon learns of the end from the socket as well.
    Request goodbye = Request::WithoutBody(wire::MessageType::kGoodbye);
    goodbye.WriteHeader(/*correlation=*/0, /*number=*/0);
    (void)socket_->Send(goodbye.frame);
  }
  Disconnect(generation_);
}

void Connection::AbandonInChild() {
  // No lock: only this thread exists, and others may have held it.
  if (socket_ != nullptr) close(socket_->fd());
}

}  // namespace vineyard::client

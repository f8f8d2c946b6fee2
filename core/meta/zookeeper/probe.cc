#include "core/meta/zookeeper/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/meta/zookeeper/errors.h"
#include "core/meta/zookeeper/guarded_connect.h"

namespace vineyard::meta::zookeeper {
namespace {

// Types of requests.
constexpr int32_t kCreate = 1, kGetData = 4, kAuth = 100, kCloseSession = -11;
constexpr int32_t kAuthNumber = -4;
constexpr int32_t kPermissions = 31;   // all
constexpr int32_t kSessionMs = 10000;  // in case that it is not ended
constexpr size_t kMaxReply = size_t{2} << 20;
constexpr int64_t kFarewellMs = 200;
constexpr int kAskMs = 100;

// Integers are big-endian, strings have their length in front.
class Frame {
 public:
  Frame& Int(int32_t value) {
    auto bits = static_cast<uint32_t>(value);
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(bits >> shift);
    return *this;
  }
  Frame& Long(int64_t value) {
    Int(static_cast<int32_t>(value >> 32));
    return Int(static_cast<int32_t>(value));
  }
  Frame& Text(std::string_view text) {
    Int(static_cast<int32_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  Frame& Bool(bool value) {
    bytes_ += static_cast<char>(value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

int32_t IntAt(std::string_view bytes, size_t at) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[at + i]);
  return static_cast<int32_t>(bits);
}

// kTimeout with `late` when the deadline passed.
Status Await(int fd, short events, const Deadline& deadline, const Probe::GoOn& go_on,
             const std::string& late) {
  for (;;) {
    pollfd watched{fd, events, 0};
    if (poll(&watched, 1, deadline.RemainingMs(kAskMs)) > 0) return OkStatus();
    if (deadline.passed()) return {Code::kTimeout, late};
    if (go_on && !go_on()) return {Code::kInterrupted, "the caller ended the wait"};
  }
}

// A connection to a port of one's own machine that nobody listens on may meet itself, when its own
// port is chosen to be the same.
bool IsItself(int fd) {
  sockaddr_in mine{}, theirs{};
  socklen_t mine_size = sizeof mine, theirs_size = sizeof theirs;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &mine_size) == 0 &&
         getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &theirs_size) == 0 &&
         mine.sin_port == theirs.sin_port && mine.sin_addr.s_addr == theirs.sin_addr.s_addr;
}

Result<Fd> Connect(uint16_t port, const std::string& server, const Deadline& deadline,
                   const Probe::GoOn& go_on) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus("socket", errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  int error = 0;
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) error = errno;
  if (error == EINPROGRESS || error == EINTR) {
    RETURN_IF_ERROR(
        Await(fd.get(), POLLOUT, deadline, go_on, server + ": connecting takes too long"));
    socklen_t size = sizeof error;
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == 0 && IsItself(fd.get())) error = ECONNREFUSED;
  if (error != 0) return ErrnoStatus(server, error);
  return fd;
}

}  // namespace

Result<Probe> Probe::Open(uint16_t port, const std::string& digest_auth, const Deadline& deadline,
                          GoOn go_on) {
  std::string server = Format("127.0.0.1:%u", port);
  ASSIGN_OR_RETURN(Fd fd, Connect(port, server, deadline, go_on));
  if (!digest_auth.empty() && !IsOwnPeer(fd.get())) {
    return Status(Code::kPermission,
                  server + ": another user listens there, who is not told the secret");
  }
  Probe probe(std::move(fd), server, std::move(go_on));
  Frame hello;
  hello.Int(0).Long(0).Int(kSessionMs).Long(0).Text(std::string(16, '\0')).Bool(false);
  RETURN_IF_ERROR(probe.Send(hello.bytes(), deadline));
  ASSIGN_OR_RETURN(std::string welcome, probe.Receive(deadline));
  // Protocol, time-out, session, password, whether it only reads (not said by old ones).
  if (welcome.size() < 36 || IntAt(welcome, 0) != 0 || IntAt(welcome, 16) != 16) {
    return Protocol(server + ": what answers there is no ZooKeeper");
  }
  if (IntAt(welcome, 4) <= 0) return Status(Code::kTimeout, server + ": it opens no session");
  probe.open_ = true;
  if (!digest_auth.empty()) {
    Frame auth;
    auth.Int(0).Text("digest").Text(digest_auth);
    RETURN_IF_ERROR(probe.Ask(kAuthNumber, kAuth, auth.bytes(), "authenticate", deadline));
    probe.has_auth_ = true;
  }
  return probe;
}

Probe::~Probe() {
  if (!open_ || !fd_.valid()) return;
  // Not reading its answer could make the server see an error instead of the request.
  Deadline soon = Deadline::After(kFarewellMs);
  (void)Ask(++number_, kCloseSession, {}, "close", soon);
}

Status Probe::Read(const std::string& path, const Deadline& deadline) {
  Frame body;
  body.Text(path).Bool(false);
  return Ask(++number_, kGetData, body.bytes(), "read " + path, deadline);
}

Status Probe::Create(const std::string& path, const Deadline& deadline) {
  Frame body;
  body.Text(path).Text("").Int(1).Int(kPermissions);
  if (has_auth_) {
    body.Text("auth").Text("");
  } else {
    body.Text("world").Text("anyone");
  }
  body.Int(0);
  return Ask(++number_, kCreate, body.bytes(), "create " + path, deadline);
}

Status Probe::Ask(int32_t number, int32_t type, std::string_view body, const std::string& what,
                  const Deadline& deadline) {
  Frame head;
  head.Int(number).Int(type);
  RETURN_IF_ERROR(Send(head.bytes() + std::string(body), deadline));
  ASSIGN_OR_RETURN(std::string reply, Receive(deadline));
  // Number, transaction, error.
  if (reply.size() < 16 || IntAt(reply, 0) != number) {
    open_ = false;
    return Protocol(server_ + ": " + what + ": the answer is not one of ZooKeeper's");
  }
  int error = IntAt(reply, 12);
  if (error == kAuthenticationFailed) {
    return {Code::kPermission, server_ + ": " + what + ": it refuses this secret"};
  }
  return error == 0 ? OkStatus() : StatusOf(error, {server_, what, /*write=*/false, /*sent=*/true});
}

Status Probe::Send(std::string_view frame, const Deadline& deadline) {
  Frame whole;
  whole.Text(frame);
  // It is short: a socket that is empty takes all of it.
  RETURN_IF_ERROR(
      Await(fd_.get(), POLLOUT, deadline, go_on_, server_ + ": no answer within the time allowed"));
  ssize_t sent = send(fd_.get(), whole.bytes().data(), whole.bytes().size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(whole.bytes().size())) return OkStatus();
  open_ = false;
  return {Code::kTimeout, server_ + ": it closed the connection"};
}

Result<std::string> Probe::Receive(const Deadline& deadline) {
  std::string bytes;
  size_t size = 4;
  bool has_size = false;
  while (bytes.size() < size) {
    Status ready =
        Await(fd_.get(), POLLIN, deadline, go_on_, server_ + ": no answer within the time allowed");
    if (!ready.ok()) {
      open_ = false;
      return ready;
    }
    char buffer[4096];
    ssize_t got = recv(fd_.get(), buffer, std::min(sizeof buffer, size - bytes.size()), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) {
      open_ = false;
      return Status(Code::kTimeout, server_ + ": it closed the connection");
    }
    bytes.append(buffer, static_cast<size_t>(got));
    if (has_size || bytes.size() < 4) continue;
    int32_t said = IntAt(bytes, 0);
    if (said < 0 || static_cast<size_t>(said) > kMaxReply) {
      open_ = false;
      return Protocol(server_ + ": what answers there is no ZooKeeper");
    }
    has_size = true;
    size = static_cast<size_t>(said);
    bytes.clear();
  }
  return bytes;
}

}  // namespace vineyard::meta::zookeeper

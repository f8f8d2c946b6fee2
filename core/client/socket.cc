#include "core/client/socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/wire/address.h"

namespace vineyard::client {
namespace {

constexpr size_t kReadSize = 64 * 1024;

// Who may not connect is told by the same number whatever lies at the path: what does is looked at.
Status Denied(const std::string& path, const Status& reason) {
  std::string closed = wire::ClosedFolder(path);
  if (!closed.empty()) {
    return {reason.code(),
            reason.text() + "; " + closed + ": name another path, or run as who may"};
  }
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return reason;
  if (info.st_uid != geteuid()) {
    return {reason.code(),
            reason.text() + Format("; the socket there belongs to uid %u, you are uid %u: start a "
                                   "vineyardd of your own with another --socket",
                                   info.st_uid, geteuid())};
  }
  return {reason.code(), reason.text() + Format("; its mode %03o does not let you: chmod 600 it",
                                                info.st_mode & 0777U)};
}

Status ConnectError(const std::string& path, int error_number) {
  Status reason = ErrnoStatus("connect " + path, error_number);
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    const char* what = S_ISDIR(info.st_mode) ? "a folder is there: name the socket in it"
                                             : "a file that is no socket is there: remove it or "
                                               "name another path";
    return {Code::kUnavailable, "connect " + path + ": " + what};
  }
  switch (error_number) {
    case ENOENT:
    case ECONNREFUSED:
      return {reason.code(),
              reason.text() + "; no daemon runs there: start vineyardd --socket " + path};
    case EACCES:
      return Denied(path, reason);
    case EPROTOTYPE:
      return {Code::kUnavailable,
              "connect " + path + ": the socket of another program is there: name another path"};
    default:
      return reason;
  }
}

}  // namespace

Result<Socket> Socket::Connect(const std::string& path, const Patience& patience) {
  sockaddr_un address;
  Fd folder;
  RETURN_IF_ERROR(wire::MakeAddress("connect " + path, path, &address, &folder));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus("socket", errno);
  while (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    // EAGAIN: the queue of the listening socket is full, and the kernel tells nobody when it is not. The
    // wait is of a descriptor that is never ready, in small slices.
    if (errno != EAGAIN) return ConnectError(path, errno);
    if (patience.deadline.passed()) {
      return Status(
          Code::kTimeout,
          "connect " + path + ": too many others wait to be accepted, no room" + patience.Within());
    }
    pollfd nothing = {-1, 0, 0};
    bool signalled = poll(&nothing, 1, 2) < 0;
    RETURN_IF_ERROR(patience.Ask(signalled));
  }
  return Socket(std::move(fd));
}

Result<uint32_t> Socket::PeerUid() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ErrnoStatus("peer credentials", errno);
  }
  return credentials.uid;
}

Result<uint64_t> Socket::Send(std::string_view bytes) {
  while (true) {
    ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<uint64_t>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return uint64_t{0};
    if (errno != EINTR) return Status(Code::kUnavailable, ErrnoStatus("send", errno).text());
  }
}

Result<bool> Socket::Receive() {
  if (begin_ == end_) begin_ = end_ = 0;
  size_t room = kReadSize;
  if (end_ - begin_ >= sizeof(wire::FrameHeader)) {
    wire::FrameHeader header;
    std::memcpy(&header, in_.data() + begin_, sizeof header);
    room = std::max<size_t>(room, sizeof header + header.body_size);  // checked by Next()
  }
  if (begin_ > 0) {
    in_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (in_.size() < end_ + room) in_.resize(end_ + room);

  iovec part = {in_.data() + end_, in_.size() - end_};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * wire::kMaxDescriptors)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t read;
  do {
    read = recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (read < 0 && errno == EINTR);
  if (read < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    return Status(Code::kUnavailable, ErrnoStatus("receive", errno).text());
  }
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int number;
      std::memcpy(&number, CMSG_DATA(head) + i * sizeof(int), sizeof number);
      descriptors_.emplace_back(number);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return Status(Code::kHostMemory, "receive: this process has no descriptors left");
  }
  if (read == 0) return Status(Code::kUnavailable, "receive: the daemon closed the connection");
  end_ += static_cast<size_t>(read);
  return true;
}

Result<bool> Socket::Next(Frame* frame) {
  if (end_ - begin_ < sizeof frame->header) return false;
  std::memcpy(&frame->header, in_.data() + begin_, sizeof frame->header);
  RETURN_IF_ERROR(wire::CheckHeader(frame->header));
  size_t whole = sizeof frame->header + frame->header.body_size;
  if (end_ - begin_ < whole) return false;
  if (descriptors_.size() < frame->header.descriptors) {
    return Protocol("answer: fewer descriptors came with it than it says");
  }
  frame->body.assign(in_, begin_ + sizeof frame->header, frame->header.body_size);
  for (int i = 0; i < frame->header.descriptors; ++i) {
    frame->descriptors.push_back(std::move(descriptors_.front()));
    descriptors_.pop_front();
  }
  begin_ += whole;
  // Those of the next frame come with a byte of it at the earliest (invariant 1).
  if (begin_ == end_ && !descriptors_.empty()) {
    return Protocol("answer: more descriptors came with it than it says");
  }
  return true;
}

bool Socket::HasPeer() const {
  pollfd end{fd_.get(), POLLRDHUP, 0};
  return poll(&end, 1, 0) == 0;
}

void Socket::Shutdown() { shutdown(fd_.get(), SHUT_RDWR); }

}  // namespace vineyard::client

#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/base/fd.h"
#include "core/base/status.h"
#include "daemon/options.h"

namespace vineyard::daemon {
namespace {

// A line of its own: what would begin another one is no part of it.
std::string Line(const char* name, std::string value) {
  std::replace(value.begin(), value.end(), '\n', ' ');
  return std::string(name) + "=" + value + "\n";
}

}  // namespace

Notifier::Notifier(const Options& options) {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  if (socket != nullptr && options.lifeline < 0) socket_ = socket;
}

void Notifier::Ready(pid_t main, const std::string& status) const {
  Send("READY=1\n" + Line("MAINPID", std::to_string(main)) + Line("STATUS", status));
}

void Notifier::MainIs(pid_t main, const std::string& status) const {
  Send(Line("MAINPID", std::to_string(main)) + Line("STATUS", status));
}

void Notifier::Status(const std::string& status) const { Send(Line("STATUS", status)); }

void Notifier::Stopping() const { Send("STOPPING=1\n" + Line("STATUS", "stopping")); }

// Nobody waits for the service manager.
int Notifier::Send(const std::string& text, int descriptor) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return ENOENT;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // a name of Linux's, not of a file
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  }
  return sendmsg(fd.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

}  // namespace vineyard::daemon

#include "daemon/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
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

// Nobody waits for the service manager: what it does not take at once it is not told.
void Notifier::Send(const std::string& text) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // a name of Linux's, not of a file
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return;
  (void)!sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace vineyard::daemon

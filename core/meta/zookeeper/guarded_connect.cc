#include "core/meta/zookeeper/guarded_connect.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "core/base/log.h"
#include "core/base/status.h"
#include "core/meta/zookeeper/port_owner.h"

namespace vineyard::meta::zookeeper {
namespace {

// On the same host it takes no time, unless the server's queue is full.
constexpr int kEstablishMs = 1000;

struct Guarded {
  std::mutex mutex;
  // By port; whether it is known that another user has it.
  std::unordered_map<uint16_t, bool> ports;
};
// Never freed: the library's threads may still run when the process exits.
Guarded& guarded() {
  static Guarded* all = new Guarded;
  return *all;
}

// 0: it is none of 127.0.0.1.
uint16_t PortOf(const sockaddr* address, socklen_t size) {
  sockaddr_in to{};
  if (address == nullptr || address->sa_family != AF_INET || size < sizeof to) return 0;
  __builtin_memcpy(&to, address, sizeof to);
  return to.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? ntohs(to.sin_port) : uint16_t{0};
}

bool IsGuarded(uint16_t port) {
  std::lock_guard lock(guarded().mutex);
  return port != 0 && guarded().ports.contains(port);
}

// Says so once, whenever that changes.
void Note(uint16_t port, bool is_foreign) {
  {
    std::lock_guard lock(guarded().mutex);
    bool& known = guarded().ports[port];
    if (known == is_foreign) return;
    known = is_foreign;
  }
  if (!is_foreign) return;
  std::optional<uint32_t> owner = OwnerOfPort(port);
  Log(LogLevel::kWarning,
      "metadata: port %u of 127.0.0.1 was taken by %s: nothing is said to who listens there", port,
      owner ? Format("uid %u", *owner).c_str() : "another user");
}

bool IsEstablished(int fd) {
  pollfd watched{fd, POLLOUT, 0};
  return poll(&watched, 1, kEstablishMs) > 0;
}

}  // namespace

void GuardPort(uint16_t port) {
  std::lock_guard lock(guarded().mutex);
  guarded().ports.emplace(port, false);
}

bool IsOwnPeer(int fd) {
  sockaddr_in mine{}, theirs{};
  socklen_t mine_size = sizeof mine, theirs_size = sizeof theirs;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &mine_size) != 0 ||
      getpeername(fd, reinterpret_cast<sockaddr*>(&theirs), &theirs_size) != 0) {
    return false;
  }
  std::optional<uint32_t> owner = OwnerOfPeer(ntohs(mine.sin_port), ntohs(theirs.sin_port));
  return owner && *owner == geteuid();
}

}  // namespace vineyard::meta::zookeeper

// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __real_connect(int fd, const sockaddr* address, socklen_t size);
extern "C" int __wrap_connect(int fd, const sockaddr* address, socklen_t size);
extern "C" int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
  using namespace vineyard::meta::zookeeper;
  int result = __real_connect(fd, address, size);
  if (result != 0 && errno != EINPROGRESS) return result;
  uint16_t port = PortOf(address, size);
  if (!IsGuarded(port)) return result;
  int error = 0;
  socklen_t error_size = sizeof error;
  if (!IsEstablished(fd)) {
    errno = ETIMEDOUT;
    return -1;
  }
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error == 0) {
    bool is_own = IsOwnPeer(fd);
    Note(port, !is_own);
    if (is_own) return 0;
    shutdown(fd, SHUT_RDWR);
    error = ECONNREFUSED;
  }
  errno = error;
  return -1;
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

#include "core/wire/address.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/result.h"

namespace vineyard::wire {

std::string DefaultSocketPath(uint32_t uid, const char* runtime_folder) {
  if (uid == 0) return "/var/run/vineyard.sock";
  if (runtime_folder != nullptr && *runtime_folder != '\0') {
    return std::string(runtime_folder) + "/vineyard.sock";
  }
  // Anybody may have made this folder: the daemon checks whose it is, the client who listens there.
  return Format("/tmp/vineyard-%u/vineyard.sock", uid);
}

Status MakeAddress(const std::string& action, const std::string& path, sockaddr_un* address,
                   Fd* folder) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Invalid(action + ": the path is empty or holds a NUL character");
  }
  std::memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof address->sun_path) {
    size_t slash = path.rfind('/');
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    *folder = Fd(open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder->valid()) {
      Status reason = ErrnoStatus(action + ": open its folder", errno);
      std::string closed = ClosedFolder(path);
      return {reason.code(),
              reason.text() + (closed.empty() ? "" : "; " + closed + ": choose another path")};
    }
    std::string before = Format("/proc/self/fd/%d/", folder->get());
    text = before + name;
    if (text.size() >= sizeof address->sun_path) {
      return Limit(action + Format(": its file name is too long, at most %zu bytes are allowed",
                                   sizeof address->sun_path - 1 - before.size()));
    }
  }
  std::memcpy(address->sun_path, text.c_str(), text.size() + 1);
  return OkStatus();
}

std::string ClosedFolder(const std::string& path) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    std::string folder = path.substr(0, slash == 0 ? 1 : slash);
    if (faccessat(AT_FDCWD, folder.c_str(), X_OK, AT_EACCESS) == 0) continue;
    if (errno != EACCES) return "";
    return Format("folder %s can not be searched by uid %u", folder.c_str(), geteuid());
  }
  return "";
}

}  // namespace vineyard::wire

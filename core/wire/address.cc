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

namespace {

// Of a file in a folder of which there is a descriptor: "/proc/self/fd/2147483647/", and a NUL.
constexpr size_t kMaxName = sizeof sockaddr_un{}.sun_path - 25 - 1;

std::string NameIn(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Status CheckSocketPath(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Invalid("the path is empty or holds a NUL character");
  }
  bool is_long = path.size() >= sizeof sockaddr_un{}.sun_path;
  if (is_long && NameIn(path).size() > kMaxName) {
    return Limit(Format(
        "its file name is too long: at most %zu bytes are allowed in a path of more than %zu",
        kMaxName, sizeof sockaddr_un{}.sun_path - 1));
  }
  return OkStatus();
}

Status MakeAddress(const std::string& action, const std::string& path, sockaddr_un* address,
                   Fd* folder) {
  Status possible = CheckSocketPath(path);
  if (!possible.ok()) return {possible.code(), action + ": " + possible.text()};
  std::memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof address->sun_path) {
    std::string name = NameIn(path);
    std::string parent = name == path ? "." : path.substr(0, path.size() - name.size());
    *folder = Fd(open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder->valid()) {
      Status reason = ErrnoStatus(action + ": open its folder", errno);
      std::string closed = ClosedFolder(path);
      return {reason.code(),
              reason.text() + (closed.empty() ? "" : "; " + closed + ": choose another path")};
    }
    text = Format("/proc/self/fd/%d/", folder->get()) + name;
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

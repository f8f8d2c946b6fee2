#include "daemon/endpoint.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/wire/address.h"

namespace vineyard::daemon {
namespace {

constexpr int kBacklog = 4096;  // connections that wait while a daemon is replaced

std::string LockPath(const std::string& path) { return path + ".lock"; }

// Why `thing`, which is on the way to the socket or beside it, can not be made or used by this user.
std::string WhyDenied(const std::string& thing) {
  std::string closed = wire::ClosedFolder(thing);
  if (!closed.empty()) return closed;
  struct stat info;
  if (lstat(thing.c_str(), &info) == 0 && info.st_uid != geteuid()) {
    return Format("%s belongs to uid %u, this is uid %u", thing.c_str(), info.st_uid, geteuid());
  }
  std::string folder = std::filesystem::path(thing).parent_path().string();
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK, AT_EACCESS) != 0 && errno == EACCES) {
    return Format("folder %s can not be written by uid %u", folder.c_str(), geteuid());
  }
  return "folder " + folder + " takes no files";
}

// What was done to `thing`.
Status SocketError(const std::string& path, const std::string& what, const std::string& thing,
                   int error_number) {
  Status reason = ErrnoStatus("socket " + path + ": " + what, error_number);
  switch (error_number) {
    case ENOSPC:  // elsewhere "no space" means memory; here it is a disk
    case EDQUOT:
      return {Code::kIo, reason.text() + "; free some, or choose a --socket on another disk"};
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT:
      return {error_number == ENOENT ? Code::kIo : reason.code(),
              reason.text() + "; " + WhyDenied(thing) + ": choose another --socket"};
    case ENOTDIR:
      return {reason.code(), reason.text() + "; choose another --socket"};
    default:
      return reason;
  }
}

Status MakeFolder(const std::string& path, const std::string& folder, int* made) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return OkStatus();
  std::string parent = std::filesystem::path(folder).parent_path().string();
  if (!parent.empty() && parent != folder) RETURN_IF_ERROR(MakeFolder(path, parent, made));
  if (mkdir(folder.c_str(), 0700) == 0) {
    ++*made;
    return OkStatus();
  }
  *made = 0;  // another starter was first: then what is above is not ours alone either
  return errno == EEXIST ? OkStatus() : SocketError(path, "make folder " + folder, folder, errno);
}

void RemoveFolders(const std::string& path, int made) {
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (; made > 0 && rmdir(folder.c_str()) == 0; --made) folder = folder.parent_path();
}

// Whoever owns the folder can put another socket into the place of ours, sticky or not.
Status CheckFolder(const std::string& path, const std::string& folder) {
  struct stat info;
  if (stat(folder.c_str(), &info) != 0) return SocketError(path, "folder " + folder, folder, errno);
  if (!S_ISDIR(info.st_mode)) return SocketError(path, "folder " + folder, folder, ENOTDIR);
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    return {
        Code::kPermission,
        Format("socket %s: folder %s belongs to uid %u, which is neither this user (uid %u) nor "
               "root; choose another --socket",
               path.c_str(), folder.c_str(), info.st_uid, geteuid())};
  }
  return OkStatus();
}

bool SameFile(int fd, const std::string& path) {
  struct stat opened, named;
  return fstat(fd, &opened) == 0 && lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

std::string OwnerOf(int lock_fd) {
  char text[32] = {};
  ssize_t size = pread(lock_fd, text, sizeof text - 1, 0);
  long pid = size > 0 ? std::strtol(text, nullptr, 10) : 0;
  return pid > 0 ? Format(" (pid %ld)", pid) : "";
}

Status InUse(const std::string& path, int lock_fd) {
  return {Code::kInUse, "socket " + path + ": a daemon is running there" + OwnerOf(lock_fd) +
                            "; stop it or choose another --socket"};
}

Result<Fd> TakeLock(const std::string& path) {
  std::string lock_path = LockPath(path);
  for (;;) {
    Fd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) return SocketError(path, "open " + lock_path, lock_path, errno);
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return SocketError(path, "lock " + lock_path, lock_path, errno);
      return InUse(path, lock.get());
    }
    // Its owner may have removed the file between our open and our lock.
    if (SameFile(lock.get(), lock_path)) return lock;
  }
}

// What lies at the path is a socket that nobody listens to, or nothing.
Status CheckStale(const std::string& path, const sockaddr_un& address, bool* is_there) {
  struct stat info;
  *is_there = lstat(path.c_str(), &info) == 0;
  if (!*is_there)
    return errno == ENOENT ? OkStatus() : SocketError(path, "look at it", path, errno);
  if (!S_ISSOCK(info.st_mode)) {
    return {Code::kExists,
            "socket " + path +
                ": a file that is no socket is there; remove it or choose another --socket"};
  }
  Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return SocketError(path, "socket", path, errno);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN || errno == EPROTOTYPE) {  // full; a socket of datagrams
    return {
        Code::kInUse,
        "socket " + path + ": another program listens there; stop it or choose another --socket"};
  }
  *is_there = errno != ENOENT;
  // Anything else does not say that nobody is there.
  if (*is_there && errno != ECONNREFUSED) {
    return SocketError(path, "ask who listens there", path, errno);
  }
  return OkStatus();
}

Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  bool is_there = false;
  RETURN_IF_ERROR(CheckStale(path, address, &is_there));
  if (!is_there || unlink(path.c_str()) == 0) return OkStatus();
  return SocketError(path, "remove the stale one", path, errno);
}

// Whoever called listen(). Also for the listening socket itself.
pid_t ListenerOf(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? who.pid : 0;
}

// Only who has the lock may ask: nobody else replaces the socket then.
bool LeadsTo(const sockaddr_un& address, int listener) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
    return false;
  }
  Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return false;
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno == EAGAIN;  // full of those who wait
  }
  return ListenerOf(probe.get()) == ListenerOf(listener);
}

// `listener`: of before; -1: there is none.
Result<Endpoint> Open(const std::string& path, uint32_t mode, int listener) {
  std::string folder_path = std::filesystem::path(path).parent_path().string();
  int made_folders = 0;
  RETURN_IF_ERROR(MakeFolder(path, folder_path, &made_folders));
  RETURN_IF_ERROR(CheckFolder(path, folder_path));
  sockaddr_un address{};
  Fd folder;
  RETURN_IF_ERROR(wire::MakeAddress("socket " + path, path, &address, &folder));
  Endpoint endpoint;
  endpoint.made_folders = made_folders;
  ASSIGN_OR_RETURN(endpoint.lock, TakeLock(path));
  SignEndpoint(endpoint.lock.get());
  if (listener >= 0) {
    if (LeadsTo(address, listener)) return endpoint;
    shutdown(listener, SHUT_RDWR);
  }
  Status free = RemoveStale(path, address);
  endpoint.socket = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (free.ok() && !endpoint.socket.valid()) free = SocketError(path, "socket", path, errno);
  if (free.ok()) {
    mode_t before = umask(0777 & ~mode);
    int bound =
        bind(endpoint.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    int error_number = errno;
    umask(before);
    if (bound != 0) {
      free = SocketError(path, "bind", path, error_number);
    } else if (listen(endpoint.socket.get(), kBacklog) != 0) {
      free = SocketError(path, "listen", path, errno);
      unlink(path.c_str());
    }
  }
  if (!free.ok()) {
    unlink(LockPath(path).c_str());
    RemoveFolders(path, made_folders);
    return free;
  }
  return endpoint;
}

}  // namespace

Result<Endpoint> OpenEndpoint(const std::string& path, uint32_t mode) {
  return Open(path, mode, -1);
}
Result<Endpoint> ReopenEndpoint(const std::string& path, uint32_t mode, int listener) {
  return Open(path, mode, listener);
}

Status CheckEndpoint(const std::string& path) {
  std::filesystem::path folder_path = std::filesystem::path(path).parent_path(),
                        above = folder_path;
  std::error_code error;
  while (!std::filesystem::exists(above, error) && above != above.parent_path()) {
    above = above.parent_path();
  }
  if (above != folder_path) {  // a folder is to be made
    RETURN_IF_ERROR(CheckFolder(path, above.string()));
  } else {
    RETURN_IF_ERROR(CheckFolder(path, folder_path.string()));
    sockaddr_un address{};
    Fd folder;
    RETURN_IF_ERROR(wire::MakeAddress("socket " + path, path, &address, &folder));
    bool is_there = false;
    Status stale = CheckStale(path, address, &is_there);
    // Not by its lock: to try it would keep a daemon from starting that does so now.
    Fd lock(open(LockPath(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (stale.code() == Code::kInUse && lock.valid()) return InUse(path, lock.get());
    RETURN_IF_ERROR(stale);
  }
  // Only who makes a file knows that it can be made.
  std::string trial = (above / Format(".vineyardd-%d", getpid())).string();
  Fd made(open(trial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made.valid()) return SocketError(path, "make file " + trial, trial, errno);
  unlink(trial.c_str());
  return OkStatus();
}

void SignEndpoint(int lock_fd) {
  std::string text = std::to_string(getpid()) + "\n";
  // For people only: whoever can not read it says less.
  if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, text.data(), text.size(), 0) < 0) return;
}

void RemoveEndpoint(const std::string& path, int lock_fd, int made_folders) {
  if (!SameFile(lock_fd, LockPath(path))) return;
  unlink(path.c_str());
  unlink(LockPath(path).c_str());
  RemoveFolders(path, made_folders);
}

}  // namespace vineyard::daemon

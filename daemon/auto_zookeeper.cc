#include "daemon/auto_zookeeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/base/log.h"
#include "core/meta/zookeeper/port_owner.h"
#include "core/shm/os.h"
#include "daemon/duration.h"
#include "daemon/size.h"

namespace vineyard::daemon {
namespace {

using meta::zookeeper::OwnerOfPort;
using meta::zookeeper::Probe;

constexpr int64_t kPauseMs = 20;
constexpr int64_t kProbeMs = 250;       // for the first attempt
constexpr int64_t kForeignMs = 10'000;  // for a server that may be starting
constexpr int64_t kSayMs = 1000;        // between two lines of progress
constexpr int64_t kEndMs = 5000;
constexpr size_t kTailLines = 6;

Deadline Sooner(const Deadline& deadline, int64_t timeout_ms) {
  return deadline.LeftMs() < timeout_ms ? deadline : Deadline::After(timeout_ms);
}

// How long to wait for a session: a server that is starting may lose a question, and one on a machine that has much else
// to do may take seconds, so that the next attempt lasts longer than one that was given up.
class Attempts {
 public:
  Deadline Next(const Deadline& whole) {
    if (last_.passed()) next_ms_ *= 2;
    return last_ = Sooner(whole, next_ms_);
  }

 private:
  int64_t next_ms_ = kProbeMs;
  Deadline last_ = Deadline::Never();
};

Status FolderError(const std::string& folder, const std::string& why) {
  return {Code::kPermission, "ZooKeeper folder " + folder + ": " + why};
}

Status FileError(const std::string& path, int error_number) {
  Status reason = ErrnoStatus("ZooKeeper file " + path, error_number);
  return {error_number == ENOSPC ? Code::kIo : reason.code(),
          reason.text() + "; choose another folder by --meta-dir"};
}

Status MakeFolder(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return OkStatus();
  std::string parent = std::filesystem::path(folder).parent_path().string();
  if (!parent.empty() && parent != folder) RETURN_IF_ERROR(MakeFolder(parent));
  if (mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return OkStatus();
  return FileError(folder, errno);
}

// Whoever may write there, or owns the folder around it, could put files of his own into the place
// of ours.
Status CheckFolder(const std::string& folder) {
  struct stat info;
  if (lstat(folder.c_str(), &info) != 0) return FileError(folder, errno);
  if (!S_ISDIR(info.st_mode))
    return FolderError(folder, "it is no folder; choose another --meta-dir");
  if (info.st_uid != geteuid()) {
    return FolderError(folder, Format("it belongs to uid %u, this is uid %u; choose another "
                                      "--meta-dir",
                                      info.st_uid, geteuid()));
  }
  if ((info.st_mode & 077) != 0) {
    return FolderError(folder, Format("others than its owner may use it (mode %04o); type: chmod "
                                      "700 %s",
                                      info.st_mode & 07777, folder.c_str()));
  }
  std::string parent = std::filesystem::path(folder).parent_path().string();
  if (stat(parent.c_str(), &info) != 0) return FileError(parent, errno);
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    return FolderError(folder, Format("folder %s belongs to uid %u, which is neither this user "
                                      "(uid %u) nor root; choose another --meta-dir",
                                      parent.c_str(), info.st_uid, geteuid()));
  }
  return OkStatus();
}

Fd OpenFile(const std::string& path) {
  return Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
}

bool IsAt(const Fd& fd, const std::string& path) {
  struct stat opened, named;
  return fstat(fd.get(), &opened) == 0 && lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// flock that does not wait. False: another has it, or `errno` says why not.
bool Lock(const Fd& fd, int operation) {
  int result;
  do {
    result = flock(fd.get(), operation | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

Status WriteFile(const std::string& path, const std::string& text) {
  std::string temporary = path + ".new";
  unlink(temporary.c_str());
  Fd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return FileError(temporary, errno);
  ssize_t written = write(file.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) {
    return FileError(temporary, written < 0 ? errno : ENOSPC);
  }
  return rename(temporary.c_str(), path.c_str()) == 0 ? OkStatus() : FileError(path, errno);
}

// What a server said last, in one line and without the places in its program.
std::string Tail(const std::string& path) {
  std::ifstream log(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    if (line.empty() || line[0] == '\t') continue;
    lines.push_back(line);
    if (lines.size() > kTailLines) lines.pop_front();
  }
  std::string tail;
  for (const std::string& line : lines) tail += (tail.empty() ? "" : " | ") + line;
  return tail.empty() ? "its log " + path + " is empty" : "its log ends with: " + tail;
}

Status Interrupted() { return {Code::kInterrupted, "ZooKeeper: a signal ended the wait for it"}; }

}  // namespace

AutoZookeeper::AutoZookeeper(const MetaOptions& options, Pause pause)
    : options_(options), pause_(std::move(pause)), files_{options.folder} {}

// ---- folder --------------------------------------------------------------------------------------

Result<Fd> AutoZookeeper::TakeLock(bool make, const Deadline& deadline) {
  for (;;) {
    if (make) RETURN_IF_ERROR(MakeFolder(options_.folder));
    // The server's command line names it in one way, whoever comes on which way.
    std::error_code error;
    std::filesystem::path real = std::filesystem::canonical(options_.folder, error);
    if (error) {
      if (make && !deadline.passed()) continue;  // the last one who left has removed it
      return NotFound("ZooKeeper folder " + options_.folder + ": " + error.message());
    }
    files_.folder = real.string();
    RETURN_IF_ERROR(CheckFolder(files_.folder));
    Fd lock = OpenFile(LockPath());
    if (!lock.valid()) {
      if (errno == ENOENT && !deadline.passed()) continue;
      return FileError(LockPath(), errno);
    }
    if (Lock(lock, LOCK_EX)) {
      if (IsAt(lock, LockPath())) return lock;
      continue;
    }
    if (errno != EWOULDBLOCK) return FileError(LockPath(), errno);
    if (deadline.passed()) {
      return Status(Code::kTimeout, "ZooKeeper folder " + files_.folder +
                                        ": another daemon is starting or ending the server, and "
                                        "does not come to an end; try again, or end it");
    }
    if (!pause_(kPauseMs)) return Interrupted();
  }
}

Result<Fd> AutoZookeeper::OpenUsers() {
  Fd users = OpenFile(UsersPath());
  if (!users.valid()) return FileError(UsersPath(), errno);
  return users;
}

bool AutoZookeeper::IsHeld() const {
  Fd server = OpenFile(ServerPath());
  return server.valid() && !Lock(server, LOCK_EX);
}

void AutoZookeeper::Remove() {
  std::error_code ignored;
  std::filesystem::remove_all(files_.data(), ignored);
  for (const std::string& path : {files_.config(), files_.log(), EndpointPath(), AuthPath(),
                                  ServerPath(), UsersPath(), LockPath()}) {
    unlink(path.c_str());
  }
  if (options_.own_folder) rmdir(files_.folder.c_str());
}

Status AutoZookeeper::WriteEndpoint() {
  return WriteFile(EndpointPath(),
                   options_.servers + "\n" + std::to_string(options_.heap_bytes) + "\n");
}

Status AutoZookeeper::CheckEndpoint() {
  std::ifstream file(EndpointPath());
  std::string servers;
  uint64_t heap_bytes = 0;
  if (!(file >> servers >> heap_bytes)) {
    return Corrupt("ZooKeeper file " + EndpointPath() +
                   ": it is missing or damaged, and daemons use the server; end them, or choose "
                   "another --meta-dir");
  }
  if (servers != options_.servers) {
    return {Code::kInUse, "ZooKeeper folder " + files_.folder + ": its server is the one at " +
                              servers + "; choose another --meta-dir for " + options_.Text()};
  }
  if (options_.heap_said && heap_bytes != options_.heap_bytes) {
    Log(LogLevel::kWarning, "metadata: --meta-heap is ignored: the %s was started with %s",
        Where().c_str(), PrintSize(heap_bytes).c_str());
  }
  return OkStatus();
}

Deadline AutoZookeeper::TurnOfAnother(int64_t timeout_ms) {
  return Deadline::After(timeout_ms + 2 * kEndMs);
}

// ---- join and leave ------------------------------------------------------------------------------

Result<AutoZookeeper::Place> AutoZookeeper::Join(int64_t timeout_ms) {
  ASSIGN_OR_RETURN(Fd lock, TakeLock(/*make=*/true, TurnOfAnother(timeout_ms)));
  Deadline deadline = Deadline::After(timeout_ms);
  ASSIGN_OR_RETURN(Fd users, OpenUsers());
  if (Lock(users, LOCK_EX)) return JoinAlone(std::move(users), deadline);
  if (errno != EWOULDBLOCK) return FileError(UsersPath(), errno);
  return JoinOthers(std::move(users), deadline);
}

Result<AutoZookeeper::Place> AutoZookeeper::JoinAlone(Fd users, const Deadline& deadline) {
  Place place;
  Status status = End(deadline);  // of those who were killed
  if (status.ok()) {
    Result<bool> foreign = IsForeign(deadline);
    if (foreign.ok() && *foreign) return UseForeign();
    status = foreign.status();
  }
  if (status.ok()) {
    place.auth =
        Format("vineyard:%016llx%016llx", static_cast<unsigned long long>(shm::RandomNumber()),
               static_cast<unsigned long long>(shm::RandomNumber()));
    status = Start(/*fresh=*/true, place.auth, deadline);
  }
  if (status.ok()) status = WriteEndpoint();
  // No other process may come between: all of them wait for `lock`.
  if (status.ok() && !Lock(users, LOCK_SH)) status = FileError(UsersPath(), errno);
  if (status.ok()) {
    place.users = std::move(users);
    return place;
  }
  Status ended = End(Deadline::After(kEndMs));
  if (!ended.ok()) return ended;
  // Somebody else may have been quicker: then the port is his.
  if (status.code() == Code::kUnavailable || status.code() == Code::kExists) {
    Result<bool> foreign = IsForeign(deadline);
    if (foreign.ok() && *foreign) return UseForeign();
    if (!foreign.ok() && foreign.status().code() == Code::kPermission) status = foreign.status();
  }
  Remove();
  return status;
}

Result<AutoZookeeper::Place> AutoZookeeper::JoinOthers(Fd users, const Deadline& deadline) {
  Place place;
  if (!Lock(users, LOCK_SH)) return FileError(UsersPath(), errno);
  RETURN_IF_ERROR(CheckEndpoint());
  ASSIGN_OR_RETURN(place.auth, ReadSecret(AuthPath()));
  if (IsHeld()) {
    RETURN_IF_ERROR(AwaitSession(/*fresh=*/false, place.auth, deadline));
    Log(LogLevel::kInfo, "metadata: the %s is shared with other daemons", Where().c_str());
  } else {
    RETURN_IF_ERROR(Start(/*fresh=*/false, place.auth, deadline));
  }
  place.users = std::move(users);
  return place;
}

AutoZookeeper::Place AutoZookeeper::UseForeign() {
  Remove();
  Log(LogLevel::kInfo, "metadata: the %s is used; no daemon has started it, and none will end it",
      Where().c_str());
  if (options_.heap_said || !options_.own_folder) {
    Log(LogLevel::kWarning,
        "metadata: --meta-heap and --meta-dir are ignored: no server is started");
  }
  return {};
}

Status AutoZookeeper::Leave(const Deadline& deadline) {
  Result<Fd> lock = TakeLock(/*make=*/false, deadline);
  if (!lock.ok()) {
    return lock.status().code() == Code::kNotFound ? OkStatus() : lock.status();
  }
  ASSIGN_OR_RETURN(Fd users, OpenUsers());
  if (!Lock(users, LOCK_EX)) return OkStatus();
  RETURN_IF_ERROR(End(deadline));
  Remove();
  return OkStatus();
}

Result<bool> AutoZookeeper::Revive(const std::string& auth, int64_t timeout_ms) {
  ASSIGN_OR_RETURN(Fd lock, TakeLock(/*make=*/false, TurnOfAnother(timeout_ms)));
  if (IsHeld()) return false;
  RETURN_IF_ERROR(CheckEndpoint());
  RETURN_IF_ERROR(Start(/*fresh=*/false, auth, Deadline::After(timeout_ms)));
  return true;
}

// ---- server --------------------------------------------------------------------------------------

Status AutoZookeeper::Refused() const {
  std::optional<uint32_t> owner = OwnerOfPort(options_.port);
  std::string whose = owner ? Format("uid %u", *owner) : "another user";
  std::string why = owner && *owner == geteuid()
                        ? " asks for a secret (is it that of another --meta-dir?)"
                        : " is for daemons of that user";
  return {Code::kPermission, "cluster of " + whose + ": the " + Where() + why +
                                 "; choose another port by --meta auto:PORT, another cluster by "
                                 "--meta zookeeper://HOST:PORT, or --meta local"};
}

Result<bool> AutoZookeeper::IsForeign(const Deadline& deadline) {
  Deadline patience = Sooner(deadline, kForeignMs);
  Attempts attempts;
  for (;;) {
    Result<Probe> probe =
        Probe::Open(options_.port, "", attempts.Next(patience), [this] { return pause_(0); });
    Status answer = probe.ok() ? probe->Read(options_.prefix, patience) : probe.status();
    if (answer.code() == Code::kInterrupted) return Interrupted();
    if (answer.ok() || answer.code() == Code::kNotFound) return true;
    if (answer.code() == Code::kPermission) return Refused();
    if (!probe.ok() && answer.code() == Code::kUnavailable) return false;
    bool may_start = answer.code() == Code::kTimeout || answer.code() == Code::kUnavailable;
    if (!may_start || patience.passed()) {
      return Status(Code::kInUse,
                    "a program listens at " + options_.servers +
                        " that does not answer as a ZooKeeper (" + answer.text() +
                        "); choose another port by --meta auto:PORT, or --meta local");
    }
    if (!pause_(kPauseMs)) return Interrupted();
  }
}

Status AutoZookeeper::Start(bool fresh, const std::string& auth, const Deadline& deadline) {
  if (child_ != 0 && waitpid(child_, nullptr, WNOHANG) != 0) child_ = 0;
  ASSIGN_OR_RETURN(std::vector<std::string> command, ServerCommand(files_, options_.heap_bytes));
  Fd server = OpenFile(ServerPath());
  if (!server.valid()) return FileError(ServerPath(), errno);
  if (!Lock(server, LOCK_EX)) return Internal("ZooKeeper file " + ServerPath() + ": it is held");
  if (fresh) {
    std::error_code error;
    std::filesystem::remove_all(files_.data(), error);
    if (error) return FileError(files_.data(), error.value());
    unlink(files_.log().c_str());
    RETURN_IF_ERROR(WriteFile(AuthPath(), auth + "\n"));
  }
  RETURN_IF_ERROR(MakeFolder(files_.data()));
  RETURN_IF_ERROR(ConfigureServer(files_, options_.port));
  Log(LogLevel::kInfo, "metadata: starting %s, memory %s, folder %s",
      ((fresh ? "a " : "again the ") + Where()).c_str(), PrintSize(options_.heap_bytes).c_str(),
      files_.folder.c_str());
  ASSIGN_OR_RETURN(child_, SpawnServer(command, files_, server.get()));
  server.Reset();  // what holds the lock from here on is the server's copy
  return AwaitSession(fresh, auth, deadline);
}

Status AutoZookeeper::AwaitSession(bool fresh, const std::string& auth, const Deadline& deadline) {
  int64_t began_ns = MonotonicNs();
  auto waited_ms = [began_ns] { return (MonotonicNs() - began_ns) / 1'000'000; };
  int64_t say_ms = kSayMs;
  auto go_on = [&](int64_t pause_ms) {
    if (waited_ms() >= say_ms) {
      Log(LogLevel::kInfo, "metadata: waiting for the %s, %s", Where().c_str(),
          PrintDuration(say_ms).c_str());
      say_ms += kSayMs;
    }
    return pause_(pause_ms);
  };
  std::string last;
  Attempts attempts;
  for (;;) {
    // The descriptor first: if the server dies in between, the next turn says so.
    if (!IsHeld()) {
      return {Code::kUnavailable, "the " + Where() + " ended at its start; " + Tail(files_.log())};
    }
    // Another user's server may have taken the port, and ours be about to find that out.
    std::optional<uint32_t> owner = OwnerOfPort(options_.port);
    if (!owner || *owner == geteuid()) {
      Result<Probe> probe = Probe::Open(options_.port, auth, attempts.Next(deadline),
                                        [&] { return go_on(/*pause_ms=*/0); });
      // Once it is asked to make the node, its answer is waited for: it may make it without one.
      Status taken = probe.ok() ? TakePrefix(&*probe, fresh, deadline) : probe.status();
      if (taken.ok()) {
        if (waited_ms() >= kPauseMs) {
          Log(LogLevel::kInfo, "metadata: the %s serves after %s", Where().c_str(),
              PrintDuration(waited_ms()).c_str());
        }
        return OkStatus();
      }
      if (taken.code() == Code::kInterrupted) return Interrupted();
      if (taken.code() == Code::kPermission) return Refused();
      if (taken.code() == Code::kExists) return taken;
      last = taken.text();
    }
    if (deadline.passed()) {
      return {Code::kTimeout,
              "the " + Where() + " opens no session (" + last + "); " + Tail(files_.log())};
    }
    if (!go_on(kPauseMs)) return Interrupted();
  }
}

// The first node of the cluster decides whose it is.
Status AutoZookeeper::TakePrefix(Probe* probe, bool fresh, const Deadline& deadline) {
  if (!fresh) {
    Status read = probe->Read(options_.prefix, deadline);
    if (read.code() != Code::kNotFound) return read;
  }
  Status made = probe->Create(options_.prefix, deadline);
  return made.code() == Code::kExists && !fresh ? OkStatus() : made;
}

Status AutoZookeeper::End(const Deadline& deadline) {
  while (IsHeld()) {
    KillServers(files_, ServerPath());
    if (deadline.passed()) {
      return {Code::kInUse, "ZooKeeper file " + ServerPath() +
                                ": a server holds it that this process can not end; end it, or "
                                "choose another --meta-dir"};
    }
    poll(nullptr, 0, 2);
  }
  if (child_ != 0) waitpid(std::exchange(child_, 0), nullptr, 0);
  return OkStatus();
}

}  // namespace vineyard::daemon

#include "daemon/zookeeper_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/bytes.h"
#include "core/base/fd.h"
#include "daemon/roots_own.h"

namespace vineyard::daemon {
namespace {

constexpr const char* kMain = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
// The manifest of the first names the other jars, but for one that logs.
constexpr const char* kJars[] = {"/usr/share/java/zookeeper.jar",
                                 "/usr/share/java/slf4j-simple.jar"};
constexpr const char* kAdvice =
    "; install Debian's libzookeeper-java and a JRE such as default-jre-headless, name another "
    "ZooKeeper by --meta zookeeper://HOST:PORT, or keep metadata on this host by --meta local";

// Its clock: sessions end at ticks. What daemons ask for, by --meta-session-timeout, is given.
constexpr int kTickMs = 500, kMinSessionMs = 2000, kMaxSessionMs = 600'000;

bool IsProgram(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Status Refused(const std::string& what, const Status& why) {
  return {why.code(), "start a ZooKeeper: " + what + ": " + why.text()};
}

// A Java that JAVA_HOME names is taken or refused; of the path, the first that may be run.
Result<std::string> FindJava() {
  std::string home = Variable("JAVA_HOME"), rest = Variable("PATH"), looked;
  if (!home.empty()) {
    if (IsProgram(home + "/bin/java")) {
      Result<std::string> java = RunnablePath(home + "/bin/java");
      return java.ok() ? java : Refused("java of JAVA_HOME", java.status());
    }
    looked = "in JAVA_HOME (" + home + ") and ";
  }
  Status refused;
  while (!rest.empty()) {
    size_t colon = std::min(rest.find(':'), rest.size());
    std::string folder = rest.substr(0, colon);
    if (!folder.empty() && IsProgram(folder + "/java")) {
      Result<std::string> java = RunnablePath(folder + "/java");
      if (java.ok()) return java;
      refused = Refused("java of PATH", java.status());
    }
    rest.erase(0, colon + 1);
  }
  if (!refused.ok()) return refused;
  return NotFound("start a ZooKeeper: there is no java " + looked + "in PATH" + kAdvice);
}

Result<std::string> FindJars() {
  std::string given = Variable("ZOOKEEPER_CLASSPATH");
  if (!given.empty()) {
    Result<std::string> jars = RunnableClassPath(given);
    return jars.ok() ? jars : Refused("ZOOKEEPER_CLASSPATH", jars.status());
  }
  std::string jars;
  for (const char* jar : kJars) {
    if (access(jar, R_OK) != 0) {
      return NotFound(std::string("start a ZooKeeper: ") + jar + " is missing" + kAdvice);
    }
    jars += (jars.empty() ? "" : ":") + std::string(jar);
  }
  return jars;
}

// The arguments of a process; empty: it is gone, or another user's.
std::vector<std::string> ArgumentsOf(const std::string& process) {
  std::ifstream file(process + "/cmdline", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> arguments;
  for (size_t at = 0; at < text.size();) {
    arguments.emplace_back(text.c_str() + at);
    at += arguments.back().size() + 1;
  }
  return arguments;
}

bool HasOpen(const std::string& process, const struct stat& wanted) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(process + "/fd", error)) {
    struct stat info;
    if (stat(entry.path().c_str(), &info) == 0 && info.st_dev == wanted.st_dev &&
        info.st_ino == wanted.st_ino) {
      return true;
    }
  }
  return false;
}

// What a spawned process is given; freed at the end.
class Spawning {
 public:
  Spawning() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~Spawning() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  Spawning(const Spawning&) = delete;
  Spawning& operator=(const Spawning&) = delete;
  posix_spawn_file_actions_t* actions() { return &actions_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<std::vector<std::string>> ServerCommand(const ServerFiles& files, uint64_t heap_bytes) {
  ASSIGN_OR_RETURN(std::string java, FindJava());
  ASSIGN_OR_RETURN(std::string jars, FindJars());
  return std::vector<std::string>{
      java,
      "-Xmx" + std::to_string(heap_bytes / kMiB) + "m",
      "-XX:+ExitOnOutOfMemoryError",
      "-XX:+UseSerialGC",
      "-XX:TieredStopAtLevel=1",
      // What it tells of is memory: a power failure takes both.
      "-Dzookeeper.forceSync=no",
      "-cp",
      jars,
      kMain,
      files.config(),
  };
}

Status ConfigureServer(const ServerFiles& files, uint16_t port) {
  std::ofstream config(files.config(), std::ios::trunc);
  config << "tickTime=" << kTickMs << "\nminSessionTimeout=" << kMinSessionMs
         << "\nmaxSessionTimeout=" << kMaxSessionMs << "\ndataDir=" << files.data()
         << "\nclientPort=" << port
         << "\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
            "autopurge.purgeInterval=1\n4lw.commands.whitelist=srvr,mntr,ruok\n";
  config.close();
  return config ? OkStatus() : ErrnoStatus("write " + files.config(), errno);
}

Result<pid_t> SpawnServer(const std::vector<std::string>& command, const ServerFiles& files,
                          int lock) {
  Fd log(open(files.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log.valid()) return ErrnoStatus("open " + files.log(), errno);
  auto pointers = [](const std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
  };
  std::vector<std::string> environment = RunnableEnvironment();
  std::vector<char*> argv = pointers(command), envp = pointers(environment);

  Spawning spawning;
  posix_spawn_file_actions_t* actions = spawning.actions();
  posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions, log.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(actions, log.get(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(actions, lock, STDERR_FILENO + 1);
  posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 2);
  posix_spawn_file_actions_addchdir_np(actions, files.folder.c_str());
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(spawning.attributes(), &none);
  posix_spawnattr_setsigdefault(spawning.attributes(), &all);
  posix_spawnattr_setflags(spawning.attributes(),
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  int error = posix_spawn(&pid, argv[0], actions, spawning.attributes(), argv.data(), envp.data());
  if (error != 0) return ErrnoStatus("start " + command[0], error);
  return pid;
}

void KillServers(const ServerFiles& files, const std::string& lock_path) {
  struct stat lock;
  if (stat(lock_path.c_str(), &lock) != 0) return;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0) continue;
    // By a descriptor: the number may be another's by the time of the signal.
    Fd process(static_cast<int>(syscall(SYS_pidfd_open, std::atoi(name.c_str()), 0)));
    std::vector<std::string> arguments = ArgumentsOf(entry.path().string());
    if (!process.valid() || arguments.size() < 2 || arguments.back() != files.config() ||
        arguments[arguments.size() - 2] != kMain || !HasOpen(entry.path().string(), lock)) {
      continue;
    }
    syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  }
}

}  // namespace vineyard::daemon

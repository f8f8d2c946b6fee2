#include "daemon/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "daemon/auto_zookeeper.h"
#include "daemon/daemon.h"
#include "daemon/descriptor_store.h"
#include "daemon/endpoint.h"
#include "daemon/host.h"
#include "daemon/notify.h"

namespace vineyard::daemon {
namespace {

using shm::Role;

// So many daemons in a row that lived less than kQuickNs: then the keeper waits before the next
// one.
constexpr int kQuickDeaths = 5;
constexpr int64_t kQuickNs = int64_t{10} * 1'000'000'000;
constexpr int64_t kFirstPauseMs = 200, kLongestPauseMs = 5000;
constexpr int64_t kClonePauseMs = 1000;
constexpr int64_t kStopMs = 15'000;  // the daemon drains within 5 s
constexpr int64_t kJoinMs = 30'000;  // a ZooKeeper, which may have to be started
constexpr int64_t kLeaveMs = 10'000;

class Keeper {
 public:
  explicit Keeper(Options options)
      : options_(std::move(options)), manager_(options_), descriptor_store_(options_) {}
  int Run();

 private:
  Status Open();
  Status Create();
  Status Adopt(bool is_restored);
  Status TakeEndpoint(const shm::StateFile::Listed& listener);
  Status OpenOwnDescriptors();
  // Finds or starts the ZooKeeper of this machine, if it is wanted, and keeps the secret.
  Status JoinCluster();
  Status AdoptCluster();
  void LeaveCluster();
  void CloseUnlisted();
  pid_t Clone();
  [[noreturn]] void RunClone(pid_t keeper);
  // Sleeps until a signal, the end of the lifeline or the time-out; then signals are handled.
  void Wait(int64_t timeout_ms);
  void TakeSignals();
  void StopDaemon();
  void BecomeNextProgram();
  void AwaitDeath();
  void Pause(int64_t pause_ms);
  int64_t PauseAfterDeath();
  int End(int code);

  Options options_;
  const Notifier manager_;
  DescriptorStore descriptor_store_;
  std::unique_ptr<shm::StateFile> state_;
  int lock_ = -1;
  Fd executable_, signals_;
  pid_t daemon_ = 0;       // 0: there is none
  int daemon_status_ = 0;  // of waitpid, once daemon_ is 0 again
  bool stopping_ = false;
  Deadline stop_deadline_ = Deadline::Never();
  int64_t started_ns_ = 0;  // the daemon
  int quick_deaths_ = 0;
};

// ---- start -------------------------------------------------------------------------------------

Status Keeper::Open() {
  bool is_restored = false;
  if (options_.keeper_state < 0) {
    RETURN_IF_ERROR(PrepareHost());
    options_.keeper_state = descriptor_store_.Restore();
    is_restored = options_.keeper_state >= 0;
  }
  RETURN_IF_ERROR(OpenOwnDescriptors());
  return options_.keeper_state >= 0 ? Adopt(is_restored) : Create();
}

Status Keeper::Create() {
  ASSIGN_OR_RETURN(Endpoint endpoint, OpenEndpoint(options_.socket, options_.socket_mode));
  lock_ = endpoint.lock.Release();
  options_.made_folders = endpoint.made_folders;
  Status listed = [&]() -> Status {
    ASSIGN_OR_RETURN(state_, shm::StateFile::Create());
    descriptor_store_.Follow(state_.get());
    RETURN_IF_ERROR(state_->List(Role::kListener, endpoint.socket.Release()));
    RETURN_IF_ERROR(state_->List(Role::kKeeper, lock_, kLock));
    if (options_.lifeline >= 0) {
      RETURN_IF_ERROR(state_->List(Role::kKeeper, options_.lifeline, kLifeline));
    }
    return JoinCluster();
  }();
  if (!listed.ok()) End(EXIT_FAILURE);
  return listed;
}

Status Keeper::Adopt(bool is_restored) {
  ASSIGN_OR_RETURN(state_, shm::StateFile::Adopt(Fd(options_.keeper_state)));
  for (const shm::StateFile::Listed& listed : state_->AllDescriptors()) {
    fcntl(listed.fd, F_SETFD, FD_CLOEXEC);
  }
  auto lock = state_->Lookup(Role::kKeeper, kLock), listener = state_->Lookup(Role::kListener);
  if (!lock || !listener) return Corrupt("state: no listening socket is listed");
  lock_ = lock->fd;
  descriptor_store_.Follow(state_.get());
  if (is_restored) RETURN_IF_ERROR(TakeEndpoint(*listener));
  SignEndpoint(lock_);
  return AdoptCluster();
}

// Since keeper and daemon died, nobody has had the lock, and the socket may have been removed.
Status Keeper::TakeEndpoint(const shm::StateFile::Listed& listener) {
  ASSIGN_OR_RETURN(Endpoint endpoint,
                   ReopenEndpoint(options_.socket, options_.socket_mode, listener.fd));
  options_.made_folders = endpoint.made_folders;
  if (dup3(endpoint.lock.get(), lock_, O_CLOEXEC) < 0) return ErrnoStatus("dup3", errno);
  if (!endpoint.socket.valid()) return OkStatus();
  if (dup3(endpoint.socket.get(), listener.fd, O_CLOEXEC) < 0) return ErrnoStatus("dup3", errno);
  descriptor_store_.Replace(listener);
  return OkStatus();
}

// ---- cluster -----------------------------------------------------------------------------------

Status Keeper::JoinCluster() {
  MetaOptions& meta = options_.meta;
  if (meta.kind == MetaKind::kAuto) {
    AutoZookeeper zookeeper(meta, [this](int64_t pause_ms) {
      Wait(pause_ms);
      return !stopping_;
    });
    ASSIGN_OR_RETURN(AutoZookeeper::Place place, zookeeper.Join(kJoinMs));
    meta.auth = std::move(place.auth);
    meta.shares_server = place.users.valid();
    if (meta.shares_server) {
      RETURN_IF_ERROR(state_->List(Role::kKeeper, place.users.get(), kZookeeperUsers));
      (void)place.users.Release();
    }
  }
  if (meta.auth.empty()) return OkStatus();
  ASSIGN_OR_RETURN(Fd secret, shm::CreateMemory("vineyard.secret", meta.auth.size()));
  if (pwrite(secret.get(), meta.auth.data(), meta.auth.size(), 0) !=
      static_cast<ssize_t>(meta.auth.size())) {
    return ErrnoStatus("keep the secret of the cluster", errno);
  }
  RETURN_IF_ERROR(state_->List(Role::kKeeper, secret.get(), kSecret));
  (void)secret.Release();
  return OkStatus();
}

Status Keeper::AdoptCluster() {
  options_.meta.shares_server = state_->Lookup(Role::kKeeper, kZookeeperUsers).has_value();
  auto secret = state_->Lookup(Role::kKeeper, kSecret);
  if (!secret) return OkStatus();
  char text[2048];
  ssize_t size = pread(secret->fd, text, sizeof text, 0);
  if (size <= 0) return Corrupt("state: the secret of the cluster can not be read");
  options_.meta.auth.assign(text, static_cast<size_t>(size));
  return OkStatus();
}

void Keeper::LeaveCluster() {
  if (state_ == nullptr || !state_->Lookup(Role::kKeeper, kZookeeperUsers)) return;
  state_->Forget(Role::kKeeper, kZookeeperUsers);
  AutoZookeeper zookeeper(options_.meta, [](int64_t pause_ms) {
    poll(nullptr, 0, static_cast<int>(pause_ms));
    return true;
  });
  Status left = zookeeper.Leave(Deadline::After(kLeaveMs));
  if (!left.ok()) Log(LogLevel::kWarning, "metadata: %s", left.ToString().c_str());
}

Status Keeper::OpenOwnDescriptors() {
  sigset_t set = DaemonSignals();
  sigaddset(&set, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return ErrnoStatus("sigprocmask", errno);
  // Whoever reads standard error may go away; that must not end the store.
  signal(SIGPIPE, SIG_IGN);
  // Nor must a limit of file sizes (ulimit -f), which holds for memory, too: growing fails then.
  signal(SIGXFSZ, SIG_IGN);
  signals_ = Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return ErrnoStatus("signalfd", errno);
  executable_ = Fd(open("/proc/self/exe", O_PATH | O_CLOEXEC));
  if (!executable_.valid()) return ErrnoStatus("open /proc/self/exe", errno);
  if (options_.lifeline >= 0 && fcntl(options_.lifeline, F_SETFD, FD_CLOEXEC) != 0) {
    return ErrnoStatus(Format("--lifeline %d", options_.lifeline), errno);
  }
  return OkStatus();
}

// ---- clone -------------------------------------------------------------------------------------

void Keeper::CloseUnlisted() { state_->CloseUnlisted({signals_.get(), executable_.get()}); }

// The child has a copy of the memory and the same descriptor table: what the daemon opens is open
// here, and outlives it.
pid_t Keeper::Clone() {
  pid_t keeper = getpid();
  auto child = static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  if (child == 0) RunClone(keeper);
  return child;
}

void Keeper::RunClone(pid_t keeper) {
  prctl(PR_SET_NAME, "vineyardd");
  int code = EXIT_FAILURE;
  Inheritance inheritance{&options_, state_->fd(), executable_.get(), lock_, keeper};
  // The C library still takes this thread for the keeper's (a raw clone does not tell it): all this
  // thread does is to start another one, whose books are right, and to wait.
  std::thread loop([&] { code = RunDaemon(inheritance); });
  loop.join();
  std::fflush(nullptr);
  _exit(code);
}

// ---- life --------------------------------------------------------------------------------------

int Keeper::Run() {
  Status opened = Open();
  if (!opened.ok() && stopping_) return EXIT_SUCCESS;  // before there was anything
  if (!opened.ok()) {
    Log(LogLevel::kError, "%s", opened.ToString().c_str());
    manager_.Status(opened.ToString());
    return EXIT_FAILURE;
  }
  while (!stopping_) {
    state_->Forget(Role::kKeeper, kNextProgram);  // of an upgrade that did not come about
    CloseUnlisted();
    daemon_ = Clone();
    if (daemon_ < 0) {
      Log(LogLevel::kError, "clone: %s", std::strerror(errno));
      daemon_ = 0;
      Pause(kClonePauseMs);
      continue;
    }
    AwaitDeath();
    if (WIFEXITED(daemon_status_)) {
      int code = WEXITSTATUS(daemon_status_);
      if (code == kStopped) return End(EXIT_SUCCESS);
      // The next one could no more than this one, and nothing is kept that it would lose.
      bool has_nothing = code == EXIT_FAILURE && !state_->Lookup(shm::Role::kIndex).has_value();
      if (code == kCanNotStart || has_nothing) return End(EXIT_FAILURE);
      if (code == kUpgraded && !stopping_) {
        BecomeNextProgram();
        continue;
      }
    }
    if (stopping_) return End(EXIT_FAILURE);
    CloseUnlisted();  // at once: clients of the dead daemon see the end of their connections
    Pause(PauseAfterDeath());
  }
  return End(EXIT_SUCCESS);
}

// Returns only when it can not be done: then this program goes on.
void Keeper::BecomeNextProgram() {
  int number = state_->Unlist(Role::kKeeper, kNextProgram);
  if (number < 0) return;
  Fd program(number);
  state_->CloseUnlisted({signals_.get(), executable_.get(), program.get()});
  Status failed = ExecKeeper(options_, *state_, program.get());
  Log(LogLevel::kError, "upgrade: %s; this program goes on", failed.ToString().c_str());
}

void Keeper::AwaitDeath() {
  started_ns_ = MonotonicNs();
  while (daemon_ != 0) {
    Wait(stopping_ && !stop_deadline_.never() ? stop_deadline_.RemainingMs() : -1);
    if (stopping_ && daemon_ != 0 && stop_deadline_.passed()) {
      Log(LogLevel::kError, "daemon %d does not end: killed", daemon_);
      kill(daemon_, SIGKILL);
      stop_deadline_ = Deadline::Never();
    }
  }
}

void Keeper::Pause(int64_t pause_ms) {
  Deadline end = Deadline::After(pause_ms);
  while (!stopping_ && !end.passed()) Wait(end.RemainingMs());
}

int64_t Keeper::PauseAfterDeath() {
  std::string how = WIFSIGNALED(daemon_status_)
                        ? Format("by signal %d (%s)", WTERMSIG(daemon_status_),
                                 strsignal(WTERMSIG(daemon_status_)))
                        : Format("with exit code %d", WEXITSTATUS(daemon_status_));
  bool quick = MonotonicNs() - started_ns_ < kQuickNs;
  quick_deaths_ = quick ? quick_deaths_ + 1 : 0;
  if (quick_deaths_ < kQuickDeaths) {
    Log(LogLevel::kError, "the daemon died %s: the next one adopts its memory", how.c_str());
    manager_.Status("the daemon died " + how + ": the next one adopts its memory");
    return 0;
  }
  int doublings = std::min(quick_deaths_ - kQuickDeaths, 10);
  int64_t pause_ms = std::min(kFirstPauseMs << doublings, kLongestPauseMs);
  Log(LogLevel::kError,
      "the daemon died %s, %d quick deaths in a row: the next one starts in %lld ms", how.c_str(),
      quick_deaths_, static_cast<long long>(pause_ms));
  manager_.Status(
      Format("the daemon died %s, %d quick deaths in a row", how.c_str(), quick_deaths_));
  return pause_ms;
}

void Keeper::Wait(int64_t timeout_ms) {
  pollfd watched[2] = {{signals_.get(), POLLIN, 0}, {options_.lifeline, POLLIN, 0}};
  if (stopping_) watched[1].fd = -1;  // poll skips it
  int ready = poll(watched, 2, static_cast<int>(timeout_ms));
  if (ready <= 0) return;
  if (watched[1].revents != 0) {
    char byte;
    if ((watched[1].revents & POLLIN) == 0 || read(options_.lifeline, &byte, 1) <= 0) {
      Log(LogLevel::kInfo, "the other end of the lifeline is closed: stopping");
      StopDaemon();
    }
  }
  if (watched[0].revents != 0) TakeSignals();
}

void Keeper::TakeSignals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGCHLD) StopDaemon();
  }
  int status = 0;
  pid_t child;
  while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
    if (child != daemon_) continue;  // an orphan, when this is the first process of a container
    daemon_status_ = status;
    daemon_ = 0;
  }
}

void Keeper::StopDaemon() {
  if (!stopping_) stop_deadline_ = Deadline::After(kStopMs);
  stopping_ = true;
  daemon_ != 0 ? (void)kill(daemon_, SIGTERM) : manager_.Stopping();  // else the daemon says so
}

int Keeper::End(int code) {
  if (state_ != nullptr) descriptor_store_.End(state_.get());
  LeaveCluster();  // first: its folder may be one of those that go with the socket
  RemoveEndpoint(options_.socket, lock_, options_.made_folders);
  return code;
}

}  // namespace

sigset_t DaemonSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  // Whoever starts it with nohup or in the background of a script has these ignored; a blocked signal
  // would come all the same.
  for (int number : {SIGINT, SIGHUP}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

int RunKeeper(Options options) {
  prctl(PR_SET_NAME, "vineyard-keeper");
  return Keeper(std::move(options)).Run();
}

Status ExecKeeper(const Options& options, const shm::StateFile& state, int executable) {
  Options again = options;
  again.keeper_state = state.Lookup(Role::kState)->fd;
  std::vector<std::string> arguments = again.ToArguments();
  std::vector<char*> argv;
  std::string name = "vineyardd";
  argv.push_back(name.data());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<shm::StateFile::Listed> listed = state.AllDescriptors();
  for (const auto& entry : listed) fcntl(entry.fd, F_SETFD, 0);
  syscall(SYS_execveat, executable, "", argv.data(), environ, AT_EMPTY_PATH);
  int error_number = errno;
  for (const auto& entry : listed) fcntl(entry.fd, F_SETFD, FD_CLOEXEC);
  return ErrnoStatus("exec of the keeper", error_number);
}

}  // namespace vineyard::daemon

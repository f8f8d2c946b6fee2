#include "daemon/daemon.h"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/shm/state_file.h"
#include "core/store/store.h"
#include "daemon/descriptor_store.h"
#include "daemon/endpoint.h"
#include "daemon/keeper.h"
#include "daemon/metadata.h"
#include "daemon/notify.h"
#include "daemon/server.h"
#include "daemon/size.h"
#include "daemon/zookeeper_watchdog.h"

namespace vineyard::daemon {
namespace {

constexpr auto kExecPause = std::chrono::seconds(1);
// For the metadata service, at the first start: without it nobody knows which instance this is.
constexpr int64_t kFirstJoinMs = 30'000;
constexpr auto kFirstJoinTick = std::chrono::milliseconds(20);
constexpr auto kWatchdogTick = std::chrono::milliseconds(200);
constexpr auto kBehindTick = std::chrono::milliseconds(5);  // while the service manager is

// The daemon's parts beside the server: its state, its signals, its keeper.
class Daemon {
 public:
  explicit Daemon(const Inheritance& inheritance)
      : inheritance_(inheritance),
        manager_(*inheritance.options),
        descriptor_store_(*inheritance.options),
        loop_(1),
        signals_(loop_),
        keeper_(loop_),
        exec_timer_(loop_),
        watchdog_(inheritance.options->meta),
        watchdog_timer_(loop_),
        budget_("this host", inheritance.options->size_bytes) {}

  int Run();

 private:
  Status Open();
  Status OpenStore();
  void StartService();
  Status AwaitService();
  void OnServing(bool is_new_cluster);
  void LookAfterService();
  void SayRoom() const;
  void SayReady();
  void WatchSignals();
  void WatchKeeper();
  void BecomeKeeper();

  const Inheritance inheritance_;
  const Notifier manager_;
  DescriptorStore descriptor_store_;
  bool fresh_ = false;  // no daemon before this one has kept anything
  asio::io_context loop_;
  asio::posix::stream_descriptor signals_;
  asio::posix::stream_descriptor keeper_;  // pidfd
  asio::steady_timer exec_timer_;
  ZookeeperWatchdog watchdog_;
  asio::steady_timer watchdog_timer_;
  store::Budget budget_;  // of all stores
  std::unique_ptr<shm::StateFile> state_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<meta::Service> service_;
  std::unique_ptr<Server> server_;
  bool serving_ = false;  // the service does, and the server does not know it yet
  Status failed_;         // the service, for ever
  bool is_replaced_ = false;
  bool is_upgraded_ = false;
  bool stopping_ = false;
};

Status Daemon::Open() {
  // A descriptor of its own: when this fails the keeper must still have the listed one.
  ASSIGN_OR_RETURN(state_,
                   shm::StateFile::Adopt(Fd(fcntl(inheritance_.state, F_DUPFD_CLOEXEC, 3))));
  descriptor_store_.Follow(state_.get());
  fresh_ = !state_->Lookup(shm::Role::kIndex).has_value();
  // Objects have the number of their instance in their ids: at first it is the cluster's to give.
  if (fresh_) {
    StartService();
    RETURN_IF_ERROR(AwaitService());
    return OpenStore();
  }
  RETURN_IF_ERROR(OpenStore());
  StartService();
  return OkStatus();
}

void Daemon::StartService() {
  MetadataOwner owner;
  owner.post = [this](std::function<void()> task) { asio::post(loop_, std::move(task)); };
  owner.on_serving = [this](bool is_new_cluster) { OnServing(is_new_cluster); };
  owner.on_failed = [this](const Status& why) {
    failed_ = why;
    Log(LogLevel::kError, "%s", why.ToString().c_str());
  };
  owner.on_replaced = [this](const Status& why) {
    Log(LogLevel::kError, "%s: this one ends", why.ToString().c_str());
    is_replaced_ = true;
    loop_.stop();
  };
  service_ = StartMetadata(*inheritance_.options, fresh_, state_.get(), std::move(owner));
}

Status Daemon::AwaitService() {
  Deadline deadline = Deadline::After(kFirstJoinMs);
  while (!serving_) {
    if (!failed_.ok()) return failed_;
    if (stopping_) return {Code::kUnavailable, "metadata: stopped before it was there"};
    if (deadline.passed()) {
      return {
          Code::kUnavailable,
          "metadata: " + service_->health().text +
              Format(": it does not serve within %lld s; start it, name another with --meta, or "
                     "use --meta local for objects of this host alone",
                     static_cast<long long>(kFirstJoinMs / 1000))};
    }
    loop_.restart();
    loop_.run_one_for(kFirstJoinTick);
    service_->Tick(MonotonicNs());
    watchdog_.Tick(MonotonicNs(), service_->health().stale_since_ms == 0);
  }
  loop_.restart();
  return OkStatus();
}

// A timer that fired in the same turn as the signal is not cancelled any more: its handler is queued.
// So what arms a timer looks whether the daemon stops; with a timer armed the loop would never end.
void Daemon::LookAfterService() {
  if (stopping_) return;
  watchdog_.Tick(MonotonicNs(), service_->health().stale_since_ms == 0);
  descriptor_store_.Flush();
  watchdog_timer_.expires_after(descriptor_store_.is_behind() ? kBehindTick : kWatchdogTick);
  watchdog_timer_.async_wait([this](const ErrorCode& error) {
    if (!error) LookAfterService();
  });
}

void Daemon::OnServing(bool is_new_cluster) {
  if (server_ == nullptr) {
    serving_ = true;
  } else {
    server_->OnServing(is_new_cluster);
  }
}

Status Daemon::OpenStore() {
  if (fresh_) state_->header().audience = OwnAudience(*inheritance_.options);
  store::Options options = StoreOptions(*inheritance_.options, &budget_);
  // As it was made, whatever is said now.
  options.is_shared = state_->header().audience.kind != shm::AudienceKind::kUid;
  ASSIGN_OR_RETURN(store_, store::Store::Open(state_.get(), options));
  return OkStatus();
}

int Daemon::Run() {
  WatchSignals();
  Status opened = Open();
  if (!opened.ok()) {
    Log(LogLevel::kError, "start: %s", opened.ToString().c_str());
    manager_.Status(opened.ToString());
    return fresh_ ? kCanNotStart : EXIT_FAILURE;
  }
  server_ = std::make_unique<Server>(&loop_, store_.get(), service_.get(), state_.get(), &budget_,
                                     &descriptor_store_, inheritance_.options);
  server_->on_upgrade = [this] {
    // Who is to start the program may have died since it was asked: then this process becomes the keeper,
    // and no upgrade comes about (tests/models/upgrade.pml).
    if (getppid() != inheritance_.keeper) return;
    is_upgraded_ = true;
    loop_.stop();
  };
  if (serving_) server_->OnServing(/*is_new_cluster=*/false);  // a fresh store has nothing to tell
  WatchKeeper();
  LookAfterService();
  server_->Start(state_->Lookup(shm::Role::kListener)->fd);
  SayRoom();
  SayReady();
  if (stopping_) server_->Stop();
  loop_.run();
  if (is_replaced_) return EXIT_FAILURE;
  if (is_upgraded_) return kUpgraded;
  server_->EndStores();
  AwaitMetadataEnd();
  descriptor_store_.FlushAll();
  Log(LogLevel::kInfo, "stopped");
  return kStopped;
}

// A cgroup's limit is shared with others in it, and may have been lowered since --size was chosen.
void Daemon::SayRoom() const {
  shm::MemoryRoom room = shm::FindMemoryRoom();
  if (room.file.empty()) return;
  uint64_t size = inheritance_.options->size_bytes, most = room.for_payloads() + budget_.taken();
  if (most >= size) return;
  Log(LogLevel::kWarning,
      "memory: the cgroup has room for %s of --size %s: puts fail before the store is full; see %s",
      PrintSize(most).c_str(), PrintSize(size).c_str(), room.file.c_str());
}

void Daemon::SayReady() {
  const Options& options = *inheritance_.options;
  std::string size = PrintSize(options.size_bytes);
  std::string adopted =
      fresh_ ? ""
             : Format(", %llu slots adopted", static_cast<unsigned long long>(store_->adopted()));
  // With the number of who goes on when the keeper dies: a service manager takes it from there.
  SignEndpoint(inheritance_.lock);
  Log(LogLevel::kInfo, "ready: socket %s, %s, pid %d, keeper %d%s", options.socket.c_str(),
      size.c_str(), getpid(), inheritance_.keeper, adopted.c_str());
  manager_.Ready(inheritance_.keeper, "serves " + options.socket + ", " + size + adopted);
}

void Daemon::WatchSignals() {
  if (!signals_.is_open()) {
    sigset_t set = DaemonSignals();
    ErrorCode ignored;
    signals_.assign(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), ignored);
  }
  signals_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const ErrorCode& error) {
    if (error) return;
    signalfd_siginfo info;
    if (read(signals_.native_handle(), &info, sizeof info) != sizeof info) return WatchSignals();
    Log(LogLevel::kInfo, "%s: stopping", strsignal(static_cast<int>(info.ssi_signo)));
    manager_.Stopping();
    ErrorCode ignored;
    keeper_.close(ignored);
    exec_timer_.cancel();
    watchdog_timer_.cancel();
    watchdog_.Stop();
    signals_.close(ignored);
    stopping_ = true;
    if (server_ != nullptr) server_->Stop();
  });
}

void Daemon::WatchKeeper() {
  if (stopping_) return;
  int pidfd = static_cast<int>(syscall(SYS_pidfd_open, inheritance_.keeper, 0));
  bool is_dead = getppid() != inheritance_.keeper;
  if (pidfd < 0 && !is_dead) {  // no descriptor for it: look again and again
    exec_timer_.expires_after(kExecPause);
    exec_timer_.async_wait([this](const ErrorCode& error) {
      if (!error) WatchKeeper();
    });
    return;
  }
  if (is_dead) {
    if (pidfd >= 0) close(pidfd);
    asio::post(loop_, [this] { BecomeKeeper(); });
    return;
  }
  ErrorCode ignored;
  keeper_.assign(pidfd, ignored);
  keeper_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const ErrorCode& error) {
    if (!error) BecomeKeeper();
  });
}

// Runs between two turns of the loop, so the state is whole; the clients' sockets end with this
// image and they reconnect.
void Daemon::BecomeKeeper() {
  if (stopping_) return;
  Log(LogLevel::kWarning, "keeper %d died: pid %d becomes the keeper", inheritance_.keeper,
      getpid());
  manager_.MainIs(getpid(), "the keeper died: the daemon becomes the keeper");
  std::unique_lock<std::mutex> held = service_->HoldThreads();
  Status failed = ExecKeeper(*inheritance_.options, *state_, inheritance_.executable);
  if (held) held.unlock();
  Log(LogLevel::kError, "%s; the daemon goes on without a keeper", failed.ToString().c_str());
  exec_timer_.expires_after(kExecPause);
  exec_timer_.async_wait([this](const ErrorCode& error) {
    if (!error) BecomeKeeper();
  });
}

}  // namespace

int RunDaemon(const Inheritance& inheritance) {
  // Never destroyed: it would close descriptors that the keeper still needs.
  static Daemon* daemon = nullptr;
  try {
    daemon = new Daemon(inheritance);
  } catch (const std::exception& error) {  // the loop's descriptors
    Log(LogLevel::kError, "open the loop: %s", error.what());
    return EXIT_FAILURE;
  }
  return daemon->Run();
}

}  // namespace vineyard::daemon

#include "core/meta/zookeeper/link.h"

#include <pthread.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/log.h"
#include "core/meta/zookeeper/errors.h"
#include "core/meta/zookeeper/guarded_connect.h"

namespace vineyard::meta::zookeeper {
namespace {

// Between two attempts to resolve the servers' names for the first time.
constexpr std::chrono::seconds kOpenAgain{1};
constexpr int64_t kHoldThreadsMs = 3000;

// Links whose thread runs. Never freed: a thread may still run when the process exits.
struct Threads {
  std::mutex mutex;
  std::condition_variable changed;
  size_t running = 0;  // shut ones; the others have an owner
};
Threads& threads() {
  static Threads* all = new Threads;
  return *all;
}

Stat StatOf(const ::Stat* from) {
  if (from == nullptr) return {};
  return {from->version, from->cversion, from->numChildren,
          from->czxid,   from->mzxid,    from->ephemeralOwner};
}

// The library's lines begin with a date and "pid(thread):ZOO_INFO@function@line: ".
void LogLine(const char* message) {
  const char* level = std::strstr(message, "ZOO_");
  Log(LogLevel::kDebug, "zookeeper: %s", level != nullptr ? level + 4 : message);
}

}  // namespace

// A request in the library's hands; where a multi's results are written.
struct Link::Call {
  Link* link;
  uint64_t number;
  std::vector<zoo_op_result_t> results = {};
  std::vector<::Stat> stats = {};
  std::vector<std::string> created = {};
};

// What the library's threads call.
struct Link::FromLibrary {
  static void Session(_zhandle* handle, int type, int state, const char*, void*) {
    if (type != ZOO_SESSION_EVENT) return;
    Link* link = static_cast<Link*>(const_cast<void*>(zoo_get_context(handle)));
    Owner::Event event = Owner::Event::kDisconnected;
    if (state == ZOO_CONNECTED_STATE) event = Owner::Event::kConnected;
    if (state == ZOO_EXPIRED_SESSION_STATE) event = Owner::Event::kExpired;
    if (state == ZOO_AUTH_FAILED_STATE) event = Owner::Event::kAuthFailed;
    Owner::Session session{zoo_client_id(handle)->client_id,
                           static_cast<uint32_t>(zoo_recv_timeout(handle))};
    link->Deliver([event, session](Owner& owner) { owner.OnSession(event, session); });
  }

  // Every watch hears of the session, too; its owner does already.
  static void Watch(_zhandle* handle, int type, int, const char*, void* context) {
    if (type == ZOO_SESSION_EVENT) return;
    Link* link = static_cast<Link*>(const_cast<void*>(zoo_get_context(handle)));
    WatchEvent event = WatchEvent::kLost;
    if (type == ZOO_CREATED_EVENT) event = WatchEvent::kCreated;
    if (type == ZOO_CHANGED_EVENT) event = WatchEvent::kChanged;
    if (type == ZOO_DELETED_EVENT) event = WatchEvent::kDeleted;
    if (type == ZOO_CHILD_EVENT) event = WatchEvent::kChildren;
    uint64_t watch = reinterpret_cast<uintptr_t>(context);
    link->Deliver([event, watch](Owner& owner) { owner.OnWatch(watch, event); });
  }

  static void Data(int error, const char* value, int size, const ::Stat* stat, const void* data) {
    Reply reply{.error = error, .stat = StatOf(stat)};
    if (error == ZOK && size > 0) reply.data.assign(value, static_cast<size_t>(size));
    Answer(data, std::move(reply));
  }

  static void Stat(int error, const ::Stat* stat, const void* data) {
    Answer(data, {.error = error, .stat = StatOf(stat)});
  }

  static void Names(int error, const String_vector* names, const ::Stat* stat, const void* data) {
    Reply reply{.error = error, .stat = StatOf(stat)};
    for (int i = 0; names != nullptr && i < names->count; ++i) {
      reply.names.emplace_back(names->data[i]);
    }
    Answer(data, std::move(reply));
  }

  static void Acl(int error, ACL_vector* acl, ::Stat* stat, const void* data) {
    Reply reply{.error = error, .stat = StatOf(stat)};
    for (int i = 0; acl != nullptr && i < acl->count; ++i) {
      const struct ACL& entry = acl->data[i];
      if (std::strcmp(entry.id.scheme, "world") == 0 && (entry.perms & ~ZOO_PERM_READ) != 0) {
        reply.open = true;
      }
    }
    Answer(data, std::move(reply));
  }

  static void Done(int error, const void* data) { Answer(data, {.error = error}); }

  static void Auth(int error, const void*) {
    if (error != ZOK) Log(LogLevel::kDebug, "zookeeper: addauth: %s", zerror(error));
  }

 private:
  static void Answer(const void* data, Reply reply) {
    // In the library's hands: its link lives.
    Link* link = static_cast<const Call*>(data)->link;
    std::unique_ptr<Call> call = link->Take(data);
    for (size_t i = 0; i < call->results.size(); ++i) {
      reply.op_errors.push_back(call->results[i].err);
      if (reply.error != ZOK) continue;
      // The library ends what it writes with a zero.
      reply.ops.push_back({call->created[i].c_str(), StatOf(&call->stats[i])});
    }
    uint64_t number = call->number;
    if (number == 0) return;
    link->Deliver([number, reply = std::move(reply)](Owner& owner) mutable {
      owner.OnReply(number, std::move(reply));
    });
  }
};

// ---- the thread --------------------------------------------------------------------------------

Link::Link(const Options& options, Post post, Owner* owner)
    : options_(options), owner_(owner), post_(std::move(post)) {}

Link::~Link() = default;

Result<std::shared_ptr<Link>> Link::Open(const Options& options, Post post, Owner* owner) {
  std::shared_ptr<Link> link(new Link(options, std::move(post), owner));
  // The library's threads inherit the mask: signals are for the threads that wait for them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status started;
  try {
    std::thread([link]() mutable {
      link->Run();
      link.reset();
      Threads& every = threads();
      std::lock_guard lock(every.mutex);
      --every.running;
      every.changed.notify_all();
    }).detach();
  } catch (const std::system_error& error) {
    started = ErrnoStatus("zookeeper: starting a thread", error.code().value());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started.ok()) return started;
  return link;
}

bool Link::JoinShut(const Deadline& deadline) {
  Threads& every = threads();
  std::unique_lock lock(every.mutex);
  while (every.running != 0 && !deadline.passed()) {
    every.changed.wait_for(lock, std::chrono::milliseconds(deadline.RemainingMs()));
  }
  return every.running == 0;
}

// The library ends the process when a thread can not be started, and the kernel starts none (EAGAIN) between the beginning
// of an exec and the end of the other threads. Never destroyed.
static std::mutex& StartingThreads() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::unique_lock<std::mutex> Link::HoldThreads() {
  std::unique_lock<std::mutex> held(StartingThreads(), std::try_to_lock);
  // Names are resolved under it, which may take long; then the exec is tried all the same.
  for (Deadline deadline = Deadline::After(kHoldThreadsMs); !held && !deadline.passed();) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    held = std::unique_lock<std::mutex>(StartingThreads(), std::try_to_lock);
  }
  return held;
}

bool Link::OpenHandle() {
  std::lock_guard starting(StartingThreads());
  if (options_.own_port != 0) GuardPort(options_.own_port);
  // Too long for the library's int is as good as for ever.
  int timeout_ms = static_cast<int>(std::min<uint32_t>(options_.session_timeout_ms, INT32_MAX));
  _zhandle* handle = zookeeper_init2(options_.servers.c_str(), FromLibrary::Session, timeout_ms,
                                     nullptr, this, ZOO_NO_LOG_CLIENTENV, LogLine);
  if (handle == nullptr) {
    Log(LogLevel::kDebug, "zookeeper %s: %s", options_.servers.c_str(), strerror(errno));
    return false;
  }
  // Resolve names before connecting, as it always does, and not at every turn of its loop.
  zoo_set_servers_resolution_delay(handle, -1);
  handle_ = handle;
  return true;
}

void Link::Run() {
  std::unique_lock lock(mutex_);
  while (!shut_) {
    lock.unlock();
    bool open = OpenHandle();
    if (open) Deliver([](Owner& owner) { owner.OnOpened(); });
    lock.lock();
    if (open) break;
    wake_.wait_for(lock, kOpenAgain, [this] { return shut_; });
  }
  while (!shut_) {
    int64_t left_ns = wake_ns_ == INT64_MAX ? INT64_MAX : wake_ns_ - MonotonicNs();
    if (left_ns == INT64_MAX) {
      wake_.wait(lock);
    } else if (left_ns > 0) {
      wake_.wait_for(lock, std::chrono::nanoseconds(left_ns));
    } else {
      wake_ns_ = INT64_MAX;
      lock.unlock();
      Deliver([](Owner& owner) { owner.OnWake(); });
      lock.lock();
    }
  }
  lock.unlock();
  if (handle_ != nullptr) zookeeper_close(handle_);
  // The library forgets what it has not completed by now.
  calls_.clear();
}

void Link::WakeAt(int64_t at_ns) {
  std::lock_guard lock(mutex_);
  wake_ns_ = at_ns;
  wake_.notify_all();
}

void Link::Shut() {
  owner_ = nullptr;
  {
    // Before the thread can end.
    std::lock_guard lock(threads().mutex);
    ++threads().running;
  }
  std::lock_guard lock(mutex_);
  shut_ = true;
  post_ = nullptr;
  wake_.notify_all();
}

void Link::Deliver(std::function<void(Owner&)> what) {
  std::lock_guard lock(mutex_);
  if (!post_) return;
  post_([self = shared_from_this(), what = std::move(what)] {
    if (self->owner_ != nullptr) what(*self->owner_);
  });
}

// ---- requests ----------------------------------------------------------------------------------

Link::Call* Link::NewCall(uint64_t number) {
  auto call = std::make_unique<Call>(Call{this, number});
  Call* address = call.get();
  std::lock_guard lock(mutex_);
  calls_.emplace(address, std::move(call));
  return address;
}

std::unique_ptr<Link::Call> Link::Take(const void* call) {
  std::lock_guard lock(mutex_);
  auto found = calls_.extract(call);
  return std::move(found.mapped());
}

int Link::Sent(Call* call, int error) {
  if (error == ZOK) return error;
  // It stays in the table until the link is closed: when memory is short, the library may complete
  // what it says it has not begun.
  std::lock_guard lock(mutex_);
  if (auto found = calls_.find(call); found != calls_.end()) found->second->number = 0;
  return error;
}

int Link::AddAuth() {
  const std::string& secret = options_.digest_auth;
  return zoo_add_auth(handle_, "digest", secret.data(), static_cast<int>(secret.size()),
                      FromLibrary::Auth, nullptr);
}

namespace {
void* ContextOf(uint64_t watch) { return reinterpret_cast<void*>(static_cast<uintptr_t>(watch)); }
}  // namespace

int Link::Get(const std::string& path, uint64_t watch, uint64_t number) {
  Call* call = NewCall(number);
  return Sent(call, zoo_awget(handle_, path.c_str(), watch != 0 ? FromLibrary::Watch : nullptr,
                              ContextOf(watch), FromLibrary::Data, call));
}

int Link::Exists(const std::string& path, uint64_t watch, uint64_t number) {
  Call* call = NewCall(number);
  return Sent(call, zoo_awexists(handle_, path.c_str(), watch != 0 ? FromLibrary::Watch : nullptr,
                                 ContextOf(watch), FromLibrary::Stat, call));
}

int Link::GetChildren(const std::string& path, uint64_t watch, uint64_t number) {
  Call* call = NewCall(number);
  return Sent(call,
              zoo_awget_children2(handle_, path.c_str(), watch != 0 ? FromLibrary::Watch : nullptr,
                                  ContextOf(watch), FromLibrary::Names, call));
}

int Link::GetAcl(const std::string& path, uint64_t number) {
  Call* call = NewCall(number);
  return Sent(call, zoo_aget_acl(handle_, path.c_str(), FromLibrary::Acl, call));
}

int Link::Multi(const std::vector<Op>& ops, uint64_t number) {
  Call* call = NewCall(number);
  call->results.resize(ops.size());
  call->stats.resize(ops.size());
  call->created.resize(ops.size());
  const ACL_vector* acl =
      options_.digest_auth.empty() ? &ZOO_OPEN_ACL_UNSAFE : &ZOO_CREATOR_ALL_ACL;
  std::vector<zoo_op_t> given(ops.size());
  for (size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    const char* path = op.path.c_str();
    int size = static_cast<int>(op.data.size());
    switch (op.kind) {
      case Op::Kind::kCreate: {
        // The modes are bits: 1 ephemeral, 2 sequential. Others than these (containers, times to
        // live) make the library end the process.
        int mode = (op.flags & Op::kEphemeral ? ZOO_EPHEMERAL : 0) |
                   (op.flags & Op::kSequential ? ZOO_PERSISTENT_SEQUENTIAL : 0);
        std::string& buffer = call->created[i];
        buffer.assign(op.path.size() + 16, '\0');  // a number has 10 digits, 11 if negative
        zoo_create_op_init(&given[i], path, op.data.data(), size, acl, mode, buffer.data(),
                           static_cast<int>(buffer.size()));
        break;
      }
      case Op::Kind::kSet:
        zoo_set_op_init(&given[i], path, op.data.data(), size, op.version, &call->stats[i]);
        break;
      case Op::Kind::kRemove:
        zoo_delete_op_init(&given[i], path, op.version);
        break;
      case Op::Kind::kCheck:
        zoo_check_op_init(&given[i], path, op.version);
        break;
    }
  }
  return Sent(call, zoo_amulti(handle_, static_cast<int>(ops.size()), given.data(),
                               call->results.data(), FromLibrary::Done, call));
}

void Link::Unwatch(const std::string& path) {
  Call* call = NewCall(0);
  // Declared as a pointer to one; it is taken as the function.
  auto completion = reinterpret_cast<void_completion_t*>(FromLibrary::Done);
  // The library's other function, for one watcher, leaves the server's watch where it is.
  Sent(call, zoo_aremove_all_watches(handle_, path.c_str(), ZWATCHTYPE_DATA, /*local=*/0,
                                     completion, call));
}

}  // namespace vineyard::meta::zookeeper

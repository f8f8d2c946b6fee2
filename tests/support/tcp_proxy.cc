#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/fd.h"

namespace vineyard::testing {
namespace {

enum class Mode { kForward, kFreeze, kDropReplies, kRefuse };

sockaddr_in Address(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// One direction: what was read and is to be written when its time comes.
struct Way {
  struct Chunk {
    int64_t due_ns;
    std::string bytes;
  };
  std::deque<Chunk> chunks = {};
  bool ended = false;  // nothing more is read
};

struct Pair {
  Fd client, server;
  Way requests = {}, replies = {};
  std::string begun = {};  // a request that is not whole yet
  bool broken = false;
  bool frozen = false;
};

// Of the request in front, with its length; 0: it is not whole yet.
size_t FrontSize(std::string_view bytes) {
  uint32_t length = 0;
  if (bytes.size() < sizeof length) return 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  size_t size = sizeof length + ntohl(length);
  return bytes.size() < size ? 0 : size;
}

}  // namespace

class TcpProxy::Impl {
 public:
  explicit Impl(uint16_t target_port)
      : target_port_(target_port),
        listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        wake_(eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address = Address(0);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_.get(), any, size) != 0 || listen(listener_.get(), 100) != 0) std::abort();
    getsockname(listener_.get(), any, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~Impl() {
    Change([this] { ending_ = true; });
    thread_.join();
  }

  uint16_t port() const { return port_; }

  void Set(Mode mode, int delay_ms = 0) {
    Change([=, this] {
      mode_ = mode;
      delay_ns_ = int64_t{delay_ms} * 1'000'000;
      if (mode == Mode::kRefuse) pairs_.clear();
      if (mode != Mode::kForward) return;
      for (Pair& pair : pairs_) pair.frozen = false;
    });
  }
  void FreezeThese() {
    Change([this] {
      for (Pair& pair : pairs_) pair.frozen = true;
    });
  }
  void Watch(OnRequest on_request) {
    Change([&] { on_request_ = std::move(on_request); });
  }
  void Disconnect() {
    Change([this] { pairs_.clear(); });
  }

 private:
  // Runs it on the thread of the proxy and waits for it.
  void Change(std::function<void()> what) {
    std::packaged_task<void()> task(std::move(what));
    std::future<void> done = task.get_future();
    {
      std::lock_guard lock(mutex_);
      changes_.push_back(std::move(task));
    }
    eventfd_write(wake_.get(), 1);
    done.wait();
  }

  void Run() {
    while (!ending_) {
      std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}};
      if (mode_ != Mode::kFreeze) polled.push_back({listener_.get(), POLLIN, 0});
      int64_t now = MonotonicNs(), next = now + 1'000'000'000;
      for (Pair& pair : pairs_) {
        if (mode_ == Mode::kFreeze || pair.frozen) continue;
        if (!pair.requests.ended) polled.push_back({pair.client.get(), POLLIN, 0});
        if (!pair.replies.ended) polled.push_back({pair.server.get(), POLLIN, 0});
        for (Way* way : {&pair.requests, &pair.replies}) {
          if (!way->chunks.empty()) next = std::min(next, way->chunks.front().due_ns);
        }
      }
      int wait_ms = static_cast<int>(std::max<int64_t>(0, (next - now + 999'999) / 1'000'000));
      poll(polled.data(), polled.size(), wait_ms);
      RunChanges();
      if (mode_ == Mode::kFreeze || ending_) continue;
      Accept();
      for (Pair& pair : pairs_) {
        if (pair.frozen) continue;
        Move(&pair, &pair.requests, pair.client, pair.server);
        Move(&pair, &pair.replies, pair.server, pair.client);
      }
      pairs_.remove_if([](const Pair& pair) { return pair.broken; });
      if (mode_ == Mode::kRefuse) pairs_.clear();
    }
  }

  void RunChanges() {
    std::vector<std::packaged_task<void()>> changes;
    {
      std::lock_guard lock(mutex_);
      changes.swap(changes_);
    }
    if (changes.empty()) return;
    eventfd_t ignored;
    eventfd_read(wake_.get(), &ignored);
    for (auto& change : changes) change();
  }

  void Accept() {
    for (pollfd ready{listener_.get(), POLLIN, 0}; poll(&ready, 1, 0) > 0;) {
      Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      if (mode_ == Mode::kRefuse) continue;
      Fd server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in address = Address(target_port_);
      if (connect(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        continue;
      }
      int on = 1;  // else each side waits for the other's acknowledgements
      for (const Fd* fd : {&client, &server}) {
        setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      }
      pairs_.push_back({std::move(client), std::move(server)});
    }
  }

  // What can be read now, and what is due.
  void Move(Pair* pair, Way* way, const Fd& from, const Fd& to) {
    char buffer[65536];
    while (!way->ended) {
      ssize_t got = recv(from.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got < 0) {
        if (errno != EAGAIN && errno != EINTR) pair->broken = true;
        break;
      }
      if (got == 0) way->ended = true;
      if (got <= 0) continue;
      std::string bytes(buffer, static_cast<size_t>(got));
      if (way == &pair->requests) {
        pair->begun += bytes;
        TakeRequests(pair);
      } else if (mode_ != Mode::kDropReplies && mode_ != Mode::kRefuse) {
        way->chunks.push_back({MonotonicNs() + delay_ns_, std::move(bytes)});
      }
    }
    if (pair->frozen) return;
    int64_t now = MonotonicNs();
    while (!way->chunks.empty() && way->chunks.front().due_ns <= now) {
      const std::string& bytes = way->chunks.front().bytes;
      // It blocks: both sides of a test read what they are sent.
      if (send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) pair->broken = true;
      way->chunks.pop_front();
    }
    // A link ends as a whole.
    if (way->ended && way->chunks.empty()) pair->broken = true;
  }

  void TakeRequests(Pair* pair) {
    size_t size = 0;
    for (; (size = FrontSize(pair->begun)) != 0; pair->begun.erase(0, size)) {
      if (mode_ == Mode::kRefuse) continue;
      Then then = on_request_ ? on_request_(pair->begun.substr(4, size - 4)) : Then::kPass;
      if (then != Then::kRefuse) {
        pair->requests.chunks.push_back({MonotonicNs() + delay_ns_, pair->begun.substr(0, size)});
      }
      if (then == Then::kFreeze) pair->frozen = true;
      if (then == Then::kPassAndDropReplies) mode_ = Mode::kDropReplies;
      if (then == Then::kPassAndRefuse || then == Then::kRefuse) mode_ = Mode::kRefuse;
    }
  }

  const uint16_t target_port_;
  const Fd listener_, wake_;
  uint16_t port_ = 0;
  // The thread's.
  Mode mode_ = Mode::kForward;
  int64_t delay_ns_ = 0;
  bool ending_ = false;
  OnRequest on_request_;
  std::list<Pair> pairs_;

  std::mutex mutex_;
  std::vector<std::packaged_task<void()>> changes_;  // under mutex_
  std::thread thread_;
};

TcpProxy::TcpProxy(uint16_t target_port) : impl_(std::make_unique<Impl>(target_port)) {}
TcpProxy::~TcpProxy() = default;

std::string TcpProxy::address() const { return "127.0.0.1:" + std::to_string(impl_->port()); }
void TcpProxy::Forward() { impl_->Set(Mode::kForward); }
void TcpProxy::Freeze() { impl_->Set(Mode::kFreeze); }
void TcpProxy::DropReplies() { impl_->Set(Mode::kDropReplies); }
void TcpProxy::Delay(int delay_ms) { impl_->Set(Mode::kForward, delay_ms); }
void TcpProxy::Refuse() { impl_->Set(Mode::kRefuse); }
void TcpProxy::Disconnect() { impl_->Disconnect(); }
void TcpProxy::FreezeThese() { impl_->FreezeThese(); }
void TcpProxy::Watch(OnRequest on_request) { impl_->Watch(std::move(on_request)); }

}  // namespace vineyard::testing

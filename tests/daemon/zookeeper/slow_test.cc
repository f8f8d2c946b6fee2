// A machine that has much else to do: a server that needs long for a session, another user who needs long for his turn.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <string_view>
#include <thread>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "tests/daemon/zookeeper/members.h"

namespace vineyard::daemon {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

// Answers one session as a ZooKeeper without nodes does, if its client is patient: those who hang up sooner get none.
class SlowServer {
 public:
  SlowServer(Machine* machine, int patience_ms) : patience_ms_(patience_ms) {
    listening_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listening_.get(), 8), 0);
    getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    machine->options.port = ntohs(address.sin_port);
    machine->options.servers = "127.0.0.1:" + std::to_string(machine->options.port);
  }
  ~SlowServer() {
    shutdown(listening_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  SlowServer(const SlowServer&) = delete;
  SlowServer& operator=(const SlowServer&) = delete;

  void Begin() {
    thread_ = std::thread([this] { Serve(); });
  }
  int given_up() const { return given_up_; }

 private:
  void Serve() {
    for (;;) {
      Fd peer(accept(listening_.get(), nullptr, nullptr));
      if (!peer.valid()) return;
      if (Read(peer, 49).empty()) continue;  // the question for a session
      pollfd hung_up{peer.get(), POLLIN, 0};
      if (poll(&hung_up, 1, patience_ms_) > 0) {
        ++given_up_;
        continue;
      }
      // Its size, protocol, time-out, session, password.
      Write(peer, "\0\0\0\x24"s + "\0\0\0\0\0\0\x27\x10"s + "\0\0\0\0\0\0\0\1"s + "\0\0\0\x10"s +
                      std::string(16, 'p'));
      // Of any request: no such node. Of the last one: nothing.
      while (!Read(peer, 4).empty()) {
        std::string number = Read(peer, 4);
        char rest[256];
        (void)!recv(peer.get(), rest, sizeof rest, 0);
        Write(peer, "\0\0\0\x10"s + number + "\0\0\0\0\0\0\0\1"s + "\xff\xff\xff\x9b"s);
      }
      return;
    }
  }
  static std::string Read(const Fd& peer, size_t size) {
    std::string bytes(size, '\0');
    return recv(peer.get(), bytes.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size) ? bytes
                                                                                           : "";
  }
  static void Write(const Fd& peer, const std::string& bytes) {
    (void)!send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  const int patience_ms_;
  Fd listening_;
  std::thread thread_;
  std::atomic<int> given_up_{0};
};

// Regression: each attempt was given up after 250 ms, and the daemon did not start.
TEST(SlowMachine, AttemptsToOpenASessionLastLongerEachTime) {
  Machine machine;
  SlowServer server(&machine, /*patience_ms=*/600);
  Member member(machine.options);
  server.Begin();
  ASSERT_TRUE(member.Join()) << member.error();
  EXPECT_TRUE(member.is_foreign());
  EXPECT_GT(server.given_up(), 0);
}

// Regression: what another user took of it was missing for one's own turn.
TEST(SlowMachine, WhoHasWaitedForAnotherUsersTurnHasAllTheTimeForHisOwn) {
  Machine machine;
  SlowServer server(&machine, /*patience_ms=*/0);
  constexpr int64_t kTurnMs = 3000;
  Member member(machine.options, {}, kTurnMs);
  server.Begin();
  ASSERT_EQ(mkdir(machine.options.folder.c_str(), 0700), 0);
  Fd lock(open((machine.options.folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  member.Begin();
  for (Deadline turn = Deadline::After(kTurnMs + 100); !turn.passed();) {
    poll(nullptr, 0, turn.RemainingMs());
  }
  lock.Reset();
  ASSERT_TRUE(member.AwaitJoined()) << member.error();
  EXPECT_TRUE(member.is_foreign());
}

}  // namespace
}  // namespace vineyard::daemon

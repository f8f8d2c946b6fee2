// Another user who listens where this user's server was.
#include "core/meta/zookeeper/guarded_connect.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/meta/zookeeper/probe.h"
#include "tests/core/meta/zookeeper/with_zookeeper.h"
#include "tests/support/child.h"

namespace vineyard::meta::zookeeper {
namespace {

using ::testing::HasSubstr;

// Says 'l' when it listens, then 'x' when it was sent something within a second, else 'n'. `accepts`: or it leaves
// who comes in the queue and looks there.
int Listen(testing::Talk& talk, uint16_t port, unsigned uid) {
  if (setgid(uid) != 0 || setuid(uid) != 0) return 1;
  Fd listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 2;
  if (listen(listening.get(), 16) != 0) return 3;
  talk.Say('l');
  bool accepts = talk.Hear() == 'a';
  bool came = false, heard = false;
  for (int i = 0; i < 20; ++i) {
    pollfd waiting{listening.get(), POLLIN, 0};
    if (poll(&waiting, 1, 100) <= 0) continue;
    came = true;
    if (!accepts) {
      poll(nullptr, 0, 300);
      accepts = true;
    }
    Fd one(accept(listening.get(), nullptr, nullptr));
    pollfd reading{one.get(), POLLIN, 0};
    char byte = 0;
    if (poll(&reading, 1, 200) > 0 && recv(one.get(), &byte, 1, 0) > 0) heard = true;
  }
  talk.Say(heard ? 'x' : came ? 'n' : '0');
  return 0;
}

class GuardedConnect : public ZooKeeper {
 protected:
  // What a listener of this user is told by a client that knows a secret.
  char Told(unsigned uid, bool is_guarded, bool accepts) {
    uint16_t port = testing::FreePort();
    testing::Child listener([port, uid](testing::Talk& talk) { return Listen(talk, port, uid); });
    EXPECT_EQ(listener.Hear(), 'l');
    Options options{"127.0.0.1:" + std::to_string(port), kLongMs, "vineyard:secret"};
    if (is_guarded) options.own_port = port;
    auto opened = Connection::Open(
        options, [this](std::function<void()> what) { loop.Post(std::move(what)); }, [](State) {});
    EXPECT_TRUE(opened.ok());
    listener.Say(accepts ? 'a' : 'q');
    char told = listener.Hear();
    (*opened)->Close();
    return told;
  }
};

TEST_F(GuardedConnect, AnotherUserWhoTookThePortIsToldNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  EXPECT_EQ(Told(testing::kStranger, /*is_guarded=*/false, /*accepts=*/true), 'x') << "it would be";
  EXPECT_EQ(Told(testing::kStranger, /*is_guarded=*/true, /*accepts=*/true), 'n');
  EXPECT_EQ(Told(testing::kStranger, /*is_guarded=*/true, /*accepts=*/false), 'n');
}

TEST_F(GuardedConnect, ThisUserIs) {
  EXPECT_EQ(Told(geteuid(), /*is_guarded=*/true, /*accepts=*/true), 'x');
  EXPECT_EQ(Told(geteuid(), /*is_guarded=*/true, /*accepts=*/false), 'x');
}

TEST_F(GuardedConnect, AProbeWithASecretIsTold) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  uint16_t port = testing::FreePort();
  testing::Child listener(
      [port](testing::Talk& talk) { return Listen(talk, port, testing::kStranger); });
  ASSERT_EQ(listener.Hear(), 'l');
  listener.Say('a');
  Status refused = Probe::Open(port, "vineyard:secret", Deadline::After(5000)).status();
  EXPECT_EQ(refused.code(), Code::kPermission);
  EXPECT_THAT(refused.text(), HasSubstr("another user listens there"));
  EXPECT_EQ(listener.Hear(), 'n');
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

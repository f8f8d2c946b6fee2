#include "core/meta/zookeeper/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/core/meta/zookeeper/with_zookeeper.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr const char* kSecret = "ann:one";

class ProbeOf : public ZooKeeper {
 protected:
  Deadline Soon() { return Deadline::After(60'000); }
  Probe Open(const std::string& auth = "") {
    Result<Probe> probe = Probe::Open(server.port(), auth, Soon());
    EXPECT_TRUE(probe.ok()) << probe.status().ToString();
    return std::move(*probe);
  }
};

TEST_F(ProbeOf, ReadsAndCreatesWhatOthersSee) {
  Probe probe = Open();
  EXPECT_EQ(probe.Read("/a", Soon()).code(), Code::kNotFound);
  EXPECT_EQ(probe.Create("/a/b", Soon()).code(), Code::kNotFound) << "no parent";
  EXPECT_TRUE(probe.Create("/a", Soon()).ok());
  EXPECT_EQ(probe.Create("/a", Soon()).code(), Code::kExists);
  EXPECT_TRUE(probe.Read("/a", Soon()).ok());
  EXPECT_EQ(Data(Connect(server.address()), "/a"), "");
}

TEST_F(ProbeOf, WithASecretMakesNodesForThoseWhoKnowIt) {
  ASSERT_TRUE(Open(kSecret).Create("/a", Soon()).ok());
  EXPECT_TRUE(Open(kSecret).Read("/a", Soon()).ok());
  EXPECT_EQ(Open().Read("/a", Soon()).code(), Code::kPermission);
  EXPECT_EQ(Open("bob:two").Read("/a", Soon()).code(), Code::kPermission);
  EXPECT_EQ(Open().Create("/a/b", Soon()).code(), Code::kPermission);
  EXPECT_EQ(Data(Connect(server.address(), kLongMs, kSecret), "/a"), "")
      << "as the C client makes them";
}

TEST_F(ProbeOf, SaysWhetherNobodyListensNobodyAnswersOrSomethingElseDoes) {
  EXPECT_EQ(Probe::Open(testing::FreePort(), "", Soon()).status().code(), Code::kUnavailable);
  server.Stop();
  EXPECT_EQ(Probe::Open(server.port(), "", Deadline::After(50)).status().code(), Code::kTimeout);
  EXPECT_EQ(Probe::Open(server.port(), "", Soon(), [] { return false; }).status().code(),
            Code::kInterrupted);
  server.Continue();

  Fd listening(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listening.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listening.get(), 1), 0);
  getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size);
  auto status_when_it_says = [&](const std::string& words) {
    std::thread other([&] {
      Fd peer(accept(listening.get(), nullptr, nullptr));
      char buffer[64];
      (void)!read(peer.get(), buffer, sizeof buffer);
      (void)!write(peer.get(), words.data(), words.size());
    });
    Code code = Probe::Open(ntohs(address.sin_port), "", Soon()).status().code();
    other.join();
    return code;
  };
  EXPECT_EQ(status_when_it_says("HTTP/1.1 400 Bad Request\r\n\r\n"), Code::kProtocol);
  EXPECT_EQ(status_when_it_says(std::string("\0\0\0\2hi", 6)), Code::kProtocol);
  EXPECT_EQ(status_when_it_says(""), Code::kTimeout) << "as a server that does not serve yet";
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

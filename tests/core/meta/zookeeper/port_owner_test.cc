#include "core/meta/zookeeper/port_owner.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/base/fd.h"
#include "tests/support/process.h"

namespace vineyard::meta::zookeeper {
namespace {

uint16_t Bind(const Fd& fd, int family) {
  sockaddr_in6 address{};
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof address;
  address.sin6_family = static_cast<sa_family_t>(family);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  size = sizeof address;
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // at the same place in both
}

TEST(PortOwner, IsWhoListensInEitherFamily) {
  for (int family : {AF_INET, AF_INET6}) {
    Fd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid() && family == AF_INET6) GTEST_SKIP() << "no IPv6 here";
    uint16_t port = Bind(fd, family);
    ASSERT_NE(port, 0);
    EXPECT_EQ(OwnerOfPort(port), std::nullopt) << "bound is not listening";
    ASSERT_EQ(listen(fd.get(), 1), 0);
    EXPECT_EQ(OwnerOfPort(port), geteuid());
  }
}

TEST(PortOwner, OtherAddressesAndStatesAreNotIt) {
  testing::TempFolder root;
  std::filesystem::create_directories(root / "proc/net");
  auto owner = [&root](const std::string& local, const std::string& state) {
    std::ofstream(root / "proc/net/tcp")
        << "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        << "   0: " << local << " 00000000:0000 " << state
        << " 00000000:00000000 00:00000000 00000000  1000        0 1 1 0000 100 0 0 10 0\n";
    return OwnerOfPort(2181, root.path());
  };
  EXPECT_EQ(owner("0100007F:0885", "0A"), 1000u);
  EXPECT_EQ(owner("00000000:0885", "0A"), 1000u);
  EXPECT_EQ(owner("0200007F:0885", "0A"), std::nullopt);
  EXPECT_EQ(owner("0100007F:0886", "0A"), std::nullopt);
  EXPECT_EQ(owner("0100007F:0885", "01"), std::nullopt);
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

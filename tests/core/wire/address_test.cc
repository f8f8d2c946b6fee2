#include "core/wire/address.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/process.h"

namespace vineyard::wire {
namespace {

TEST(Address, TheDefaultSocketDependsOnTheUser) {
  EXPECT_EQ(DefaultSocketPath(0, "/run/user/0"), "/var/run/vineyard.sock");
  EXPECT_EQ(DefaultSocketPath(7, "/run/user/7"), "/run/user/7/vineyard.sock");
  EXPECT_EQ(DefaultSocketPath(7, ""), "/tmp/vineyard-7/vineyard.sock");
  EXPECT_EQ(DefaultSocketPath(7, nullptr), "/tmp/vineyard-7/vineyard.sock");
}

TEST(Address, OfAPathIsThePath) {
  sockaddr_un address;
  Fd folder;
  ASSERT_TRUE(MakeAddress("connect", "/run/v.sock", &address, &folder).ok());
  EXPECT_STREQ(address.sun_path, "/run/v.sock");
  EXPECT_FALSE(folder.valid());
}

TEST(Address, OfALongPathGoesThroughItsFolder) {
  testing::TempFolder folder;
  std::string dots;
  for (int i = 0; i < 60; ++i) dots += "./";
  sockaddr_un address;
  Fd fd;
  Status made = MakeAddress("connect", folder / (dots + "v.sock"), &address, &fd);
  ASSERT_TRUE(made.ok()) << made.ToString();
  ASSERT_TRUE(fd.valid());
  EXPECT_EQ(address.sun_path, "/proc/self/fd/" + std::to_string(fd.get()) + "/v.sock");
}

TEST(Address, ErrorsBeginWithWhatWasDone) {
  sockaddr_un address;
  Fd fd;
  Status empty = MakeAddress("connect x", "", &address, &fd);
  EXPECT_EQ(empty.code(), Code::kInvalid);
  EXPECT_EQ(empty.text().rfind("connect x: ", 0), 0u) << empty.text();
  EXPECT_EQ(MakeAddress("a", std::string("a\0b", 3), &address, &fd).code(), Code::kInvalid);
  EXPECT_EQ(MakeAddress("a", "/tmp/" + std::string(150, 'x'), &address, &fd).code(), Code::kLimit);
  std::string nowhere = "/nowhere/" + std::string(100, 'x') + "/v.sock";
  EXPECT_EQ(MakeAddress("a", nowhere, &address, &fd).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace vineyard::wire

// A keeper with --meta auto: it finds or starts the ZooKeeper before its daemon, and holds on to it.
#include "daemon/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "tests/daemon/zookeeper/members.h"

namespace vineyard::daemon {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Vineyardd;

std::vector<std::string> Flags(const Machine& machine) {
  return {"--meta=" + machine.options.Text(), "--meta-dir=" + machine.options.folder,
          "--meta-heap=128Mi"};
}

bool IsLockedBy(pid_t pid, const std::string& path) {
  std::string fds = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(fds)) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) == path) return true;
  }
  return false;
}

TEST(KeeperWithZookeeper, HoldsTheServerAcrossDeathsOfDaemonAndKeeper) {
  Machine machine;
  Vineyardd daemon(machine.folder / "v.sock", Flags(machine));
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_THAT(daemon.log(), HasSubstr("starting a ZooKeeper at " + machine.options.servers));
  pid_t server = machine.AwaitServer();
  ASSERT_TRUE(machine.Create("/vineyard/x").ok());
  std::string users = machine.options.folder + "/users";
  kill(daemon.daemon(), SIGKILL);
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_TRUE(IsLockedBy(daemon.keeper(), users));
  kill(daemon.keeper(), SIGKILL);  // the daemon becomes the keeper
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_TRUE(IsLockedBy(daemon.keeper(), users));
  Member another(machine.options);
  ASSERT_TRUE(another.Join()) << another.error();
  another.Leave();
  EXPECT_EQ(machine.AwaitServer(), server) << "somebody still lives";
  kill(server, SIGKILL);
  EXPECT_THAT(daemon.WaitForLine("serves after"), HasSubstr(machine.options.servers))
      << "it still knows the secret";
  EXPECT_TRUE(machine.Read("/vineyard/x").ok());
  EXPECT_EQ(daemon.Terminate(), -SIGKILL) << "of the first keeper";
  EXPECT_THAT(machine.Servers(), IsEmpty());
}

TEST(KeeperWithZookeeper, TheDaemonStartsAServerAgainThatWasKilled) {
  Machine machine;
  Vineyardd daemon(machine.folder / "v.sock", Flags(machine));
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(machine.AwaitServer(), SIGKILL);
  EXPECT_THAT(daemon.WaitForLine("starting again"), HasSubstr(machine.options.servers));
  EXPECT_THAT(daemon.WaitForLine("serves after"), HasSubstr(machine.options.servers));
  EXPECT_TRUE(machine.Read("/vineyard/format").ok()) << "the daemon's";
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_THAT(machine.Servers(), IsEmpty());
}

// Both at once: the next daemon has never met the server that it misses.
TEST(KeeperWithZookeeper, ANextDaemonStartsAServerAgainThatDiedWithTheOneBefore) {
  Machine machine;
  Vineyardd daemon(machine.folder / "v.sock", Flags(machine));
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(machine.AwaitServer(), SIGKILL);
  kill(daemon.daemon(), SIGKILL);
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_THAT(daemon.WaitForLine("serves after"), HasSubstr(machine.options.servers));
  EXPECT_TRUE(machine.Read("/vineyard/format").ok());
}

TEST(KeeperWithZookeeper, ASignalWhileItStartsEndsEverything) {
  Machine machine;
  Vineyardd daemon(machine.folder / "v.sock", Flags(machine));
  ASSERT_THAT(daemon.WaitForLine("starting a ZooKeeper"), HasSubstr(machine.options.folder));
  machine.AwaitServer();
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_THAT(machine.Servers(), IsEmpty());
  EXPECT_FALSE(testing::Exists(machine.folder / "v.sock"));
}

TEST(KeeperWithZookeeper, WithoutItTheDaemonDoesNotStart) {
  Machine machine;
  ASSERT_EQ(mkdir(machine.options.folder.c_str(), 0755), 0);
  Vineyardd daemon(machine.folder / "v.sock", Flags(machine));
  EXPECT_EQ(daemon.WaitForEnd(), 1);
  EXPECT_THAT(daemon.log(), AllOf(HasSubstr("permission denied: "), HasSubstr("chmod 700")));
  EXPECT_FALSE(testing::Exists(machine.folder / "v.sock"));
}

TEST(KeeperWithZookeeper, WhatIsIgnoredBesideARunningServerIsSaid) {
  Machine machine;
  Member member(machine.options);
  ASSERT_TRUE(member.Join()) << member.error();
  std::vector<std::string> flags = Flags(machine);
  flags.back() = "--meta-heap=256Mi";
  Vineyardd daemon(machine.folder / "v.sock", flags);
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_THAT(daemon.log(), HasSubstr("--meta-heap is ignored: the ZooKeeper at " +
                                      machine.options.servers + " was started with 128 MiB"));
}

}  // namespace
}  // namespace vineyard::daemon

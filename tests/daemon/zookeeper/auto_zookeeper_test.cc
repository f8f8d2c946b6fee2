#include "daemon/auto_zookeeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/daemon/zookeeper/members.h"

namespace vineyard::daemon {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kStranger;
using ::testing::SizeIs;
using ::testing::StartsWith;

// ---- one server ----------------------------------------------------------------------------------

TEST(AutoZookeeper, OfManyStartersInOneInstantOneStartsTheServer) {
  Machine machine;
  std::vector<std::unique_ptr<Member>> members;
  members.reserve(4);
  for (int i = 0; i < 4; ++i) members.push_back(std::make_unique<Member>(machine.options));
  for (auto& member : members) member->Begin();
  for (auto& member : members) {
    EXPECT_TRUE(member->AwaitJoined()) << member->error();
    EXPECT_FALSE(member->is_foreign());
  }
  EXPECT_THAT(machine.Servers(), SizeIs(1));
  EXPECT_TRUE(machine.Read("/vineyard").ok());
}

TEST(AutoZookeeper, TheSecretGuardsThePrefixFromTheFirstMomentOn) {
  Machine machine;
  Member member(machine.options);
  ASSERT_TRUE(member.Join()) << member.error();
  struct stat info;
  ASSERT_EQ(stat((machine.options.folder + "/auth").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(machine.options.folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  Deadline deadline = Deadline::After(60'000);
  auto stranger = meta::zookeeper::Probe::Open(machine.options.port, "a:b", deadline);
  ASSERT_TRUE(stranger.ok());
  EXPECT_EQ(stranger->Read("/vineyard", deadline).code(), Code::kPermission);
  EXPECT_EQ(stranger->Create("/vineyard/x", deadline).code(), Code::kPermission);
}

TEST(AutoZookeeper, TheServerEndsWithTheLastOneWhoLeaves) {
  Machine machine;
  Member first(machine.options), second(machine.options);
  ASSERT_TRUE(first.Join()) << first.error();
  ASSERT_TRUE(second.Join()) << second.error();
  first.Leave();
  EXPECT_THAT(machine.Servers(), SizeIs(1));
  EXPECT_TRUE(machine.Read("/vineyard").ok());
  second.Leave();
  EXPECT_THAT(machine.Servers(), IsEmpty()) << "leaving waits for its end";
  EXPECT_FALSE(machine.HasFiles());
}

TEST(AutoZookeeper, AFolderThatWasNamedStaysEmpty) {
  Machine machine;
  machine.options.own_folder = false;
  std::filesystem::create_directory(machine.options.folder);
  std::filesystem::permissions(machine.options.folder, std::filesystem::perms::owner_all);
  Member member(machine.options);
  ASSERT_TRUE(member.Join()) << member.error();
  member.Leave();
  EXPECT_TRUE(std::filesystem::is_empty(machine.options.folder));
}

// No terminal ends it, and no lock of its starter lives on in it.
TEST(AutoZookeeper, TheServerHasASessionOfItsOwnAndOnlyItsOwnLock) {
  Machine machine;
  Member member(machine.options);
  ASSERT_TRUE(member.Join()) << member.error();
  pid_t server = machine.AwaitServer();
  EXPECT_EQ(getsid(server), server);
  std::string files = "/proc/" + std::to_string(server) + "/fd";
  EXPECT_EQ(std::filesystem::read_symlink(files + "/3"), machine.options.folder + "/server");
  for (const auto& entry : std::filesystem::directory_iterator(files)) {
    std::error_code error;
    std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    EXPECT_THAT(target, ::testing::Not(::testing::EndsWith("/users")));
    EXPECT_THAT(target, ::testing::Not(::testing::EndsWith("/lock")));
  }
}

// ---- deaths --------------------------------------------------------------------------------------

TEST(AutoZookeeper, AKilledServerIsStartedAgainOnTheSameData) {
  Machine machine;
  Member member(machine.options);
  ASSERT_TRUE(member.Join()) << member.error();
  ASSERT_TRUE(machine.Create("/vineyard/x").ok());
  EXPECT_FALSE(member.Revive()) << "it lives";
  kill(machine.AwaitServer(), SIGKILL);
  machine.AwaitNoServer();
  EXPECT_TRUE(member.Revive());
  EXPECT_TRUE(machine.Read("/vineyard/x").ok());
  EXPECT_FALSE(member.Revive());
}

TEST(AutoZookeeper, WhoJoinsStartsADeadServerAgainOnTheSameData) {
  Machine machine;
  Member first(machine.options), second(machine.options);
  ASSERT_TRUE(first.Join()) << first.error();
  ASSERT_TRUE(machine.Create("/vineyard/x").ok());
  kill(machine.AwaitServer(), SIGKILL);
  machine.AwaitNoServer();
  ASSERT_TRUE(second.Join()) << second.error();
  EXPECT_TRUE(machine.Read("/vineyard/x").ok());
}

TEST(AutoZookeeper, OfManyWatchdogsOneStartsTheDeadServerAgain) {
  Machine machine;
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<Member>(machine.options));
    ASSERT_TRUE(members.back()->Join()) << members.back()->error();
  }
  ASSERT_TRUE(machine.Create("/vineyard/x").ok());
  kill(machine.AwaitServer(), SIGKILL);
  machine.AwaitNoServer();
  for (auto& member : members) member->Watch();
  machine.AwaitServer();
  ASSERT_FALSE(members[0]->Revive()) << "waits until the one that starts is done";
  EXPECT_THAT(machine.Servers(), SizeIs(1));
  EXPECT_TRUE(machine.Read("/vineyard/x").ok());
}

TEST(AutoZookeeper, WhenAllWereKilledTheNextOneFindsNothingOfThem) {
  Machine machine;
  std::string auth;
  pid_t server;
  {
    Member first(machine.options), second(machine.options);
    ASSERT_TRUE(first.Join()) << first.error();
    ASSERT_TRUE(second.Join()) << second.error();
    ASSERT_TRUE(machine.Create("/vineyard/x").ok());
    auth = machine.Auth();
    server = machine.AwaitServer();
    first.Kill();
    second.Kill();
  }
  EXPECT_TRUE(testing::IsRunning(server));
  Member next(machine.options);
  ASSERT_TRUE(next.Join()) << next.error();
  EXPECT_FALSE(testing::IsRunning(server));
  EXPECT_THAT(machine.Servers(), SizeIs(1));
  EXPECT_NE(machine.Auth(), auth);
  EXPECT_TRUE(machine.Read("/vineyard").ok());
  EXPECT_EQ(machine.Read("/vineyard/x").code(), Code::kNotFound);
}

TEST(AutoZookeeper, WhoIsKilledWhileHeStartsLeavesNothingInTheWay) {
  Machine machine;
  Member killed(machine.options), next(machine.options);
  killed.Begin();
  pid_t server = machine.AwaitServer();
  killed.Kill();
  ASSERT_TRUE(next.Join()) << next.error();
  EXPECT_FALSE(testing::IsRunning(server));
  EXPECT_TRUE(machine.Read("/vineyard").ok());
}

// ---- others --------------------------------------------------------------------------------------

TEST(AutoZookeeper, AServerOfSomebodyElseIsUsedAndStays) {
  testing::ZooKeeperServer server;
  Machine machine;
  machine.options.port = server.port();
  machine.options.servers = server.address();
  {
    Member member(machine.options);
    ASSERT_TRUE(member.Join()) << member.error();
    EXPECT_TRUE(member.is_foreign());
    EXPECT_THAT(machine.Servers(), IsEmpty());
    EXPECT_FALSE(machine.HasFiles());
    member.Leave();
  }
  EXPECT_EQ(server.Mode(), "standalone");
}

TEST(AutoZookeeper, AnotherUserIsToldWhoseClusterItIs) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  Machine machine;
  ASSERT_EQ(chmod(machine.folder.path().c_str(), 0755), 0);
  MetaOptions strangers = machine.options;
  strangers.folder = machine.folder / "stranger/zookeeper";
  std::filesystem::create_directory(machine.folder / "stranger");
  ASSERT_EQ(chown((machine.folder / "stranger").c_str(), kStranger, kStranger), 0);
  auto become = [] { return setgid(kStranger) == 0 && setuid(kStranger) == 0; };
  {
    Member mine(machine.options), other(strangers, become);
    ASSERT_TRUE(mine.Join()) << mine.error();
    EXPECT_FALSE(other.Join());
    EXPECT_THAT(other.error(),
                AllOf(StartsWith("permission denied: cluster of uid 0: the ZooKeeper at " +
                                 machine.options.servers),
                      HasSubstr("--meta auto:PORT"), HasSubstr("--meta zookeeper://")));
    EXPECT_FALSE(testing::Exists(strangers.folder));
    EXPECT_TRUE(machine.Read("/vineyard").ok());
    mine.Leave();
  }
  Member mine(machine.options), other(strangers, become);
  ASSERT_TRUE(other.Join()) << other.error();
  EXPECT_FALSE(mine.Join());
  EXPECT_THAT(mine.error(), StartsWith("permission denied: cluster of uid 65533: "));
  other.Leave();
}

TEST(AutoZookeeper, OnePortHasOneFolderAndOneFolderOnePort) {
  Machine machine;
  Member member(machine.options);
  ASSERT_TRUE(member.Join()) << member.error();
  MetaOptions elsewhere = machine.options;
  elsewhere.folder = machine.folder / "other";
  Member in_another_folder(elsewhere);
  EXPECT_FALSE(in_another_folder.Join());
  EXPECT_THAT(in_another_folder.error(),
              AllOf(HasSubstr("cluster of uid " + std::to_string(geteuid())),
                    HasSubstr("another --meta-dir")));
  MetaOptions at_another_port = machine.options;
  at_another_port.servers = "127.0.0.1:1";
  at_another_port.port = 1;
  Member there(at_another_port);
  EXPECT_FALSE(there.Join());
  EXPECT_THAT(there.error(), HasSubstr("its server is the one at " + machine.options.servers));
  EXPECT_TRUE(machine.Read("/vineyard").ok());
}

TEST(AutoZookeeper, AFolderThatOthersCouldChangeIsRefused) {
  Machine machine;
  std::filesystem::create_directory(machine.options.folder);
  ASSERT_EQ(chmod(machine.options.folder.c_str(), 0750), 0);
  Member open(machine.options);
  EXPECT_FALSE(open.Join());
  EXPECT_THAT(open.error(), HasSubstr("chmod 700 " + machine.options.folder));
  std::filesystem::remove(machine.options.folder);
  std::filesystem::create_directory_symlink("/tmp", machine.options.folder);
  Member linked(machine.options);
  EXPECT_FALSE(linked.Join()) << "/tmp";
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  std::filesystem::remove(machine.options.folder);
  std::filesystem::create_directory(machine.options.folder);
  ASSERT_EQ(chmod(machine.options.folder.c_str(), 0700), 0);
  ASSERT_EQ(chown(machine.options.folder.c_str(), kStranger, kStranger), 0);
  Member strange(machine.options);
  EXPECT_FALSE(strange.Join());
  EXPECT_THAT(strange.error(), HasSubstr(machine.options.folder +
                                         ": it belongs to uid 65533, this is uid 0; choose"));
  EXPECT_TRUE(std::filesystem::is_empty(machine.options.folder));
}

// ---- what is missing -----------------------------------------------------------------------------

TEST(AutoZookeeper, WithoutJavaTheErrorNamesThePackages) {
  Machine machine;
  Member member(machine.options, [] {
    return setenv("PATH", "/nowhere", 1) == 0 && setenv("JAVA_HOME", "/nowhere/too", 1) == 0;
  });
  EXPECT_FALSE(member.Join());
  EXPECT_THAT(member.error(),
              AllOf(HasSubstr("there is no java in JAVA_HOME (/nowhere/too) and in PATH"),
                    HasSubstr("libzookeeper-java"), HasSubstr("default-jre-headless"),
                    HasSubstr("--meta local")));
  EXPECT_FALSE(machine.HasFiles());
}

TEST(AutoZookeeper, AServerThatEndsAtItsStartIsQuoted) {
  Machine machine;
  Member member(machine.options,
                [] { return setenv("ZOOKEEPER_CLASSPATH", "/nowhere.jar", 1) == 0; });
  EXPECT_FALSE(member.Join());
  EXPECT_THAT(member.error(), AllOf(HasSubstr("ended at its start; its log ends with: "),
                                    HasSubstr("QuorumPeerMain")));
  EXPECT_FALSE(machine.HasFiles());
}

}  // namespace
}  // namespace vineyard::daemon

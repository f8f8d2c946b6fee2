// No environment variable makes a daemon of root's run what somebody else could have put there.
#include "daemon/roots_own.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/fd.h"
#include "daemon/zookeeper_program.h"
#include "tests/support/process.h"

namespace vineyard::daemon {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Sets a variable for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_.empty() ? unsetenv(name_) : setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

// A folder of root's with a Java of root's: bin/java.
class RootsOwn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root is asked for more";
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
    std::filesystem::create_directories(folder_ / "bin");
    std::ofstream(java_) << "#!/bin/sh\nexec env\n";
    for (const std::string& path : {folder_ / "bin", java_}) {
      ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    }
    real_ = std::filesystem::canonical(java_).string();
  }
  static void Give(const std::string& path) {
    ASSERT_EQ(lchown(path.c_str(), testing::kStranger, testing::kStranger), 0);
  }

  testing::TempFolder folder_;
  std::string java_ = folder_ / "bin/java", real_;
  ServerFiles files_{folder_.path()};
};

TEST_F(RootsOwn, WhatOnlyRootCanChangeIsRunByItsRealName) {
  std::filesystem::create_symlink(java_, folder_ / "link");
  Give(folder_ / "link");  // whoever can turn the link can not turn what was looked at
  Result<std::string> path = RunnablePath(folder_ / "link");
  ASSERT_TRUE(path.ok()) << path.status().ToString();
  EXPECT_EQ(*path, real_);
}

TEST_F(RootsOwn, WhatSomebodyElseCouldChangeIsRefusedAndSaysWho) {
  auto refused = [&] { return RunnablePath(java_).status(); };
  ASSERT_EQ(chmod(java_.c_str(), 0775), 0);
  EXPECT_EQ(refused().code(), Code::kPermission);
  EXPECT_THAT(refused().text(),
              HasSubstr("others than root may write to " + real_ + " (mode 0775)"));
  ASSERT_EQ(chmod(java_.c_str(), 0755), 0);
  EXPECT_TRUE(refused().ok());
  Give(java_);
  EXPECT_THAT(refused().text(), HasSubstr(real_ + " belongs to uid 65533"));
  ASSERT_EQ(chown(java_.c_str(), 0, 0), 0);
  Give(folder_ / "bin");
  EXPECT_THAT(refused().text(), HasSubstr("/bin belongs to uid 65533"));
  ASSERT_EQ(chown((folder_ / "bin").c_str(), 0, 0), 0);
  ASSERT_EQ(chmod((folder_ / "bin").c_str(), 0777), 0);
  EXPECT_THAT(refused().text(), HasSubstr("/bin (mode 0777)"));
  ASSERT_EQ(chmod((folder_ / "bin").c_str(), 01777), 0);
  EXPECT_TRUE(refused().ok()) << "in a sticky folder root's file stays root's";
  EXPECT_FALSE(RunnablePath(folder_ / "bin/not-yet").ok()) << "which anybody could make";
  EXPECT_FALSE(RunnablePath("bin/java").ok());
  EXPECT_FALSE(RunnablePath("").ok());
}

TEST_F(RootsOwn, OfAClassPathEveryPartIsLookedAt) {
  std::string jars = folder_ / "jars";
  std::filesystem::create_directory(jars);
  std::ofstream(jars + "/a.jar") << "a";
  std::string real = std::filesystem::canonical(jars).string();
  Result<std::string> path = RunnableClassPath(java_ + ":" + jars + "/*:" + jars + "/");
  ASSERT_TRUE(path.ok()) << path.status().ToString();
  EXPECT_EQ(*path, real_ + ":" + real + "/*:" + real);
  for (const std::string& bad :
       {java_ + ":", ":" + java_, java_ + "::" + java_, std::string("a.jar")}) {
    EXPECT_EQ(RunnableClassPath(bad).status().code(), Code::kPermission) << bad;
  }
  Give(jars + "/a.jar");
  EXPECT_FALSE(RunnableClassPath(jars + "/*").ok());
  EXPECT_FALSE(RunnableClassPath(java_ + ":" + jars + "/a.jar").ok());
}

TEST_F(RootsOwn, AJavaOfSomebodyElseIsNotStarted) {
  Variable jars("ZOOKEEPER_CLASSPATH", java_);
  Variable home("JAVA_HOME", folder_.path());
  auto command = ServerCommand(files_, 1 << 20);
  ASSERT_TRUE(command.ok()) << command.status().ToString();
  EXPECT_EQ(command->front(), real_);
  Give(java_);
  Status status = ServerCommand(files_, 1 << 20).status();
  EXPECT_EQ(status.code(), Code::kPermission);
  EXPECT_THAT(status.text(), AllOf(HasSubstr("java of JAVA_HOME"), HasSubstr("uid 65533")));
  // Of the path, the next one is taken.
  testing::TempFolder other;
  ASSERT_EQ(chmod(other.path().c_str(), 0755), 0);
  std::filesystem::copy_file(java_, other / "java");
  Variable none("JAVA_HOME", "");
  {
    Variable path("PATH", folder_ / "bin");
    EXPECT_THAT(ServerCommand(files_, 1 << 20).status().text(), HasSubstr("java of PATH"));
  }
  Variable path("PATH", (folder_ / "bin") + ":" + other.path());
  command = ServerCommand(files_, 1 << 20);
  ASSERT_FALSE(command.ok()) << "its jar is the stranger's file";
  EXPECT_THAT(command.status().text(), HasSubstr("ZOOKEEPER_CLASSPATH"));
  Variable rest("ZOOKEEPER_CLASSPATH", other / "java");
  command = ServerCommand(files_, 1 << 20);
  ASSERT_TRUE(command.ok()) << command.status().ToString();
  EXPECT_EQ(command->front(), std::filesystem::canonical(other / "java").string());
}

TEST_F(RootsOwn, AStartedServerInheritsNothingThatLoadsMore) {
  Variable tool("JAVA_TOOL_OPTIONS", "-javaagent:/x.jar");
  Variable options("JDK_JAVA_OPTIONS", "-javaagent:/x.jar");
  Variable old("_JAVA_OPTIONS", "-javaagent:/x.jar");
  Variable preload("LD_PRELOAD", "/x.so");
  Variable library("LD_LIBRARY_PATH", "/x");
  Variable path("PATH", "/x:/bin:/usr/bin");
  Variable zone("TZ", "UTC");
  Fd lock(open((folder_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  Result<pid_t> server = SpawnServer({java_}, files_, lock.get());
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  int status = 0;
  ASSERT_EQ(waitpid(*server, &status, 0), *server);
  std::ifstream log(files_.log());
  std::string printed((std::istreambuf_iterator<char>(log)), {});
  EXPECT_THAT(printed, AllOf(HasSubstr("TZ=UTC\n"), HasSubstr("PATH=/usr/local/sbin:")));
  EXPECT_THAT(printed, AllOf(Not(HasSubstr("JAVA")), Not(HasSubstr("LD_")), Not(HasSubstr("/x"))));
}

}  // namespace
}  // namespace vineyard::daemon

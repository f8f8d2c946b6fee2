#include "daemon/meta_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/process.h"

namespace vineyard::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TempFolder;

Result<MetaOptions> Interpret(const SaidOfMeta& said, bool resumed = false) {
  std::vector<std::string> warnings;
  return InterpretMeta(said, 8 * kGiB, resumed, &warnings);
}

MetaOptions Meta(const std::string& where) {
  SaidOfMeta said;
  said.where = where;
  Result<MetaOptions> options = Interpret(said);
  EXPECT_TRUE(options.ok()) << options.status().ToString();
  return options.ok() ? *options : MetaOptions{};
}

std::string Error(const SaidOfMeta& said) {
  Result<MetaOptions> options = Interpret(said);
  return options.ok() ? "none" : options.status().text();
}
std::string WhereError(const std::string& where) {
  SaidOfMeta said;
  said.where = where;
  return Error(said);
}

// A file of this mode in a folder of its own.
class SecretFile {
 public:
  explicit SecretFile(const std::string& text, mode_t mode = 0600) {
    std::ofstream(path()) << text;
    chmod(path().c_str(), mode);
  }
  std::string path() const { return folder_ / "secret"; }

 private:
  TempFolder folder_;
};

TEST(MetaOptions, ServersAndPrefixAreTakenApart) {
  MetaOptions one = Meta("zookeeper://h1:1234,h-2.example,[::1]:2182/a/b.c");
  EXPECT_EQ(one.kind, MetaKind::kZookeeper);
  EXPECT_EQ(one.servers, "h1:1234,h-2.example:2181,[::1]:2182");
  EXPECT_EQ(one.prefix, "/a/b.c");
  EXPECT_EQ(Meta("zookeeper://h").prefix, "/vineyard");
  EXPECT_EQ(Meta("zookeeper://h:1/").prefix, "/vineyard");
}

TEST(MetaOptions, AutoIsThisMachine) {
  EXPECT_EQ(Meta("auto").kind, MetaKind::kAuto);
  EXPECT_EQ(Meta("auto").servers, "127.0.0.1:2181");
  EXPECT_EQ(Meta("auto:2345").servers, "127.0.0.1:2345");
  EXPECT_EQ(Meta("auto:2345").folder, DefaultMetaFolder(geteuid(), 2345));
  EXPECT_EQ(Meta("auto").session_timeout_ms, 10'000u);
  EXPECT_EQ(Meta("auto").heap_bytes, kGiB);
}

// Not even of XDG_RUNTIME_DIR: daemons of one user must meet.
TEST(MetaOptions, TheFolderDependsOnUserAndPortOnly) {
  EXPECT_EQ(DefaultMetaFolder(7, 2181), "/tmp/vineyard-7/zookeeper-2181");
  EXPECT_THAT(DefaultMetaFolder(0, 99),
              ::testing::AnyOf("/var/run/vineyard-zookeeper-99", "/tmp/vineyard-0/zookeeper-99"));
}

TEST(MetaOptions, BadValuesAreNamed) {
  EXPECT_THAT(WhereError("zookeper://h"),
              StartsWith("--meta 'zookeper://h': expected is local, auto, auto:PORT or zookeeper"));
  EXPECT_THAT(WhereError(""), HasSubstr("expected is local"));
  EXPECT_THAT(WhereError("autos"), HasSubstr("expected is local"));
  for (const char* port : {"", "0", "65536", "x", "1x", "-1"}) {
    EXPECT_THAT(WhereError(std::string("auto:") + port), HasSubstr("1 to 65535")) << port;
    EXPECT_THAT(WhereError(std::string("zookeeper://h:") + port), HasSubstr("1 to 65535")) << port;
  }
  for (const char* servers : {"", ",", "h,", ",h", "h:1,,i:2", "a b", ":1", "[::1", "u@h:1"}) {
    EXPECT_THAT(WhereError(std::string("zookeeper://") + servers), HasSubstr("host:port"))
        << servers;
  }
  for (const char* prefix : {"/a//b", "/a/", "/zookeeper", "/../x", "/a b"}) {
    EXPECT_THAT(WhereError(std::string("zookeeper://h:1") + prefix), HasSubstr("prefix '"))
        << prefix;
  }
}

TEST(MetaOptions, TimesAndSizesHaveLimits) {
  SaidOfMeta said{"auto", "", "1s", "", ""};
  EXPECT_EQ(Error(said), "--meta-session-timeout: 1 s: it must be between 2 s and 600 s");
  said.session_timeout = "10";
  EXPECT_THAT(Error(said), StartsWith("--meta-session-timeout: duration '10': expected a number"));
  said.session_timeout = "2s";
  EXPECT_EQ(Interpret(said)->session_timeout_ms, 2000u);
  said.heap = "1Mi";
  EXPECT_THAT(Error(said), StartsWith("--meta-heap: 1 MiB: it must be between 64 MiB and "));
  said.heap = "9Gi";
  EXPECT_THAT(Error(said), HasSubstr("the memory of this machine (or cgroup), 8 GiB"));
  EXPECT_TRUE(Interpret(said, /*resumed=*/true).ok()) << "nothing ends a daemon that runs";
  said.heap = "lots";
  EXPECT_THAT(Error(said), StartsWith("--meta-heap: size 'lots'"));
}

TEST(MetaOptions, TheSecretIsOneLineOfItsOwnerAlone) {
  for (const char* text : {"user:secret", "user:secret\n", "user:secret\r\n"}) {
    EXPECT_EQ(*ReadSecret(SecretFile(text).path()), "user:secret");
  }
  EXPECT_EQ(*ReadSecret(SecretFile("u:a:b c", 0400).path()), "u:a:b c");
  for (const char* text : {"", "user", ":secret", "user:", "a:b\nc:d", "a:b\n\n"}) {
    SecretFile file(text);
    EXPECT_EQ(ReadSecret(file.path()).status().text(),
              "secret " + file.path() + ": expected is one line: user:secret")
        << text;
  }
  EXPECT_THAT(ReadSecret(SecretFile(std::string(2000, 'x')).path()).status().text(),
              HasSubstr("longer than 1024"));
  EXPECT_THAT(ReadSecret("/nowhere/secret").status().text(), HasSubstr("No such file"));
  EXPECT_THAT(ReadSecret("/tmp").status().text(), HasSubstr("it is no file"));
}

TEST(MetaOptions, ASecretThatOthersMayUseIsRefused) {
  for (mode_t mode : {0640, 0604, 0620, 0601}) {
    SecretFile file("user:secret", mode);
    Status status = Interpret({"zookeeper://h", file.path(), "", "", ""}).status();
    EXPECT_EQ(status.code(), Code::kPermission);
    EXPECT_THAT(status.text(), StartsWith("--meta-auth: secret " + file.path() + ": others than"));
    EXPECT_THAT(status.text(), HasSubstr("chmod 600 " + file.path()));
  }
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  SecretFile file("user:secret");
  ASSERT_EQ(chown(file.path().c_str(), testing::kStranger, testing::kStranger), 0);
  EXPECT_THAT(ReadSecret(file.path()).status().text(),
              HasSubstr("it belongs to uid 65533, this is uid 0"));
}

TEST(MetaOptions, ASecretIsReadOnceAndNeverByASuccessor) {
  SecretFile file("user:secret");
  EXPECT_EQ(Interpret({"zookeeper://h", file.path(), "", "", ""})->auth, "user:secret");
  Result<MetaOptions> resumed = Interpret({"zookeeper://h", "/nowhere", "", "", ""}, true);
  ASSERT_TRUE(resumed.ok()) << "the file may be gone";
  EXPECT_EQ(resumed->auth_file, "/nowhere");
}

TEST(MetaOptions, AutoTakesNoSecret) {
  SecretFile file("user:secret");
  EXPECT_THAT(Error({"auto:2345", file.path(), "", "", ""}),
              HasSubstr("give --meta zookeeper://127.0.0.1:2345 to use yours"));
}

}  // namespace
}  // namespace vineyard::daemon

// Programs with more rights than whoever starts them: the starter's environment says nothing there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A copy of a program that runs as root whoever starts it.
class Setuid : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    struct statvfs disk;
    ASSERT_EQ(statvfs(folder_.path().c_str(), &disk), 0);
    if ((disk.f_flag & ST_NOSUID) != 0) GTEST_SKIP() << "this disk takes no setuid programs";
    ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  }
  // What it prints, run by a stranger with these variables, or with root's rights only.
  std::string Run(const std::string& program, const std::vector<std::string>& arguments,
                  const std::vector<std::string>& environment, bool setuid) {
    std::string copy = folder_ / (setuid ? "with" : "without");
    std::filesystem::copy_file(program, copy, std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(chmod(copy.c_str(), setuid ? 04755 : 0755), 0);
    Vineyardd::Bare bare{arguments, environment};
    bare.program = copy;
    bare.in_child = [setuid] {
      return !setuid || (setgid(kStranger) == 0 && ::setuid(kStranger) == 0);
    };
    Vineyardd run(bare);
    run.WaitForEnd();
    return run.log();
  }

  TempFolder folder_;
};

TEST_F(Setuid, AClientLooksForItsDaemonWhereTheEnvironmentDoesNotSay) {
  std::string program =
      std::filesystem::path(std::getenv("VINEYARDD")).parent_path() / "connect_other";
  std::vector<std::string> environment = {"VINEYARD_IPC_SOCKET=" + folder_.path() + "/led-there"};
  EXPECT_THAT(Run(program, {}, environment, false), HasSubstr("led-there"));
  EXPECT_THAT(Run(program, {}, environment, true), Not(HasSubstr("led-there")));
}

TEST_F(Setuid, ADaemonTakesItsOptionsFromTheCommandLineAlone) {
  std::vector<std::string> environment = {"VINEYARD_SIZE=led there"};
  EXPECT_THAT(Run(std::getenv("VINEYARDD"), {"--meta=local"}, environment, false),
              HasSubstr("led there"));
  EXPECT_THAT(Run(std::getenv("VINEYARDD"), {"--meta=nonsense"}, environment, true),
              AllOf(HasSubstr("nonsense"), Not(HasSubstr("led there"))));
}

}  // namespace
}  // namespace vineyard::testing

#include "daemon/doctor.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/bytes.h"
#include "core/base/fd.h"
#include "daemon/doctor_metadata.h"
#include "tests/support/process.h"

namespace vineyard::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Weight = Finding::Weight;

// A machine by its files; what is not there the doctor takes from the real one.
class DoctorTest : public ::testing::Test {
 protected:
  DoctorTest() {
    options_.socket = folder_ / "v.sock";
    options_.size_bytes = 64 * kMiB;
    Write("/proc/self/cgroup", "0::/a/b");
    Write("/proc/meminfo",
          "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\nCommitLimit: 200000 kB\n"
          "Committed_AS: 150000 kB\n");
    Write("/proc/sys/vm/overcommit_memory", "0");
  }
  void Write(const std::string& path, const std::string& text) {
    std::string file = folder_ / "root" + path;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file) << text << "\n";
  }
  Finding Find(const std::string& what) {
    for (const Finding& found : Examine(options_, folder_ / "root")) {
      if (found.what == what) return found;
    }
    return {Weight::kProblem, what, "nothing was found"};
  }

  testing::TempFolder folder_;
  Options options_;
};

TEST_F(DoctorTest, APathToSpillToIsLookedAt) {
  options_.eviction = store::Eviction::kSpill;
  options_.spill_path = folder_ / "nowhere";
  EXPECT_EQ(Find("spill path").weight, Weight::kProblem);
  EXPECT_THAT(Find("spill path").text, HasSubstr("No such file or directory; make the folder"));
  options_.spill_path = "/dev/shm";
  EXPECT_EQ(Find("spill path").weight, Weight::kProblem);
  EXPECT_THAT(Find("spill path").text, HasSubstr("it is memory"));
  options_.spill_path = folder_.path();
  EXPECT_NE(Find("spill path").weight, Weight::kProblem) << Find("spill path").text;
  EXPECT_THAT(Find("spill path").text, HasSubstr(" are free"));
}

TEST_F(DoctorTest, ASizeAboveTheCgroupsLimitIsAProblemThatNamesTheLimit) {
  EXPECT_EQ(Find("memory").weight, Weight::kFine) << Find("memory").text;
  Write("/sys/fs/cgroup/a/memory.max", std::to_string(32 * kMiB));
  Finding found = Find("memory");
  EXPECT_EQ(found.weight, Weight::kProblem);
  EXPECT_EQ(found.text, "the cgroup allows 32 MiB (" + (folder_ / "root") +
                            "/sys/fs/cgroup/a/memory.max), --size is 64 MiB: no daemon starts so; "
                            "choose less, or raise the limit");
}

TEST_F(DoctorTest, ASizeThatLeavesNothingForTheRestOfTheCgroupIsAProblem) {
  Write("/sys/fs/cgroup/a/b/memory.max", std::to_string(kGiB));
  EXPECT_EQ(Find("memory").weight, Weight::kFine);
  options_.size_bytes = 1000 * kMiB;
  Finding full = Find("memory");
  EXPECT_EQ(full.weight, Weight::kProblem);
  EXPECT_THAT(full.text, HasSubstr("would leave 24 MiB for everything else"));
  EXPECT_THAT(full.text, HasSubstr("choose at most 768 MiB"));
  options_.size_bytes = 512 * kMiB;
  EXPECT_EQ(Find("memory").weight, Weight::kFine);
  options_.meta.kind = MetaKind::kAuto;  // its heap is in there, too
  EXPECT_THAT(Find("memory").text, HasSubstr(", with a ZooKeeper of 1 GiB"));
}

TEST_F(DoctorTest, MemoryThatOthersHaveIsAHint) {
  EXPECT_EQ(Find("free memory").weight, Weight::kFine);
  options_.size_bytes = 8 * kGiB;
  EXPECT_EQ(Find("free memory").weight, Weight::kHint);
}

TEST_F(DoctorTest, StrictOvercommitCountsWhatIsLeft) {
  EXPECT_EQ(Find("overcommit").weight, Weight::kFine);
  Write("/proc/sys/vm/overcommit_memory", "2");
  Finding found = Find("overcommit");
  EXPECT_EQ(found.weight, Weight::kProblem);
  EXPECT_THAT(found.text, HasSubstr("48.8 MiB can still be promised, less than --size"));
  options_.size_bytes = 32 * kMiB;
  EXPECT_EQ(Find("overcommit").weight, Weight::kFine);
}

TEST_F(DoctorTest, TheKernelOfThisMachineWillDo) {
  EXPECT_EQ(Find("kernel").weight, Weight::kFine) << Find("kernel").text;
  Write("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [never]");
  EXPECT_THAT(Find("huge pages").text, HasSubstr("always [never]"));
  EXPECT_NE(Find("huge pages").weight, Weight::kProblem);
}

// ---- metadata ------------------------------------------------------------------------------------

// A port that nobody listens at, for as long as this lives; or that somebody does.
class Port {
 public:
  explicit Port(bool listening) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_TRUE(!listening || listen(fd_.get(), 9) == 0);
    number = ntohs(address.sin_port);
  }
  uint16_t number = 0;

 private:
  Fd fd_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

MetaOptions Auto(uint16_t port, const std::string& folder) {
  MetaOptions options;
  options.kind = MetaKind::kAuto;
  options.port = port;
  options.servers = "127.0.0.1:" + std::to_string(port);
  options.folder = folder;
  return options;
}

// Sets variables, and sets them back.
class Variables {
 public:
  explicit Variables(std::map<std::string, std::string> values) {
    for (const auto& [name, value] : values) {
      const char* before = std::getenv(name.c_str());
      before_.emplace_back(name, before == nullptr ? "" : before);
      setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~Variables() {
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }

 private:
  std::vector<std::pair<std::string, std::string>> before_;
};

TEST(DoctorOfMetadata, JavaAndJarsAreLookedForWhereAServerWouldBeStarted) {
  testing::TempFolder folder;
  Port port(/*listening=*/false);
  std::filesystem::create_directories(folder / "bin");
  {
    Variables none(
        {{"PATH", folder / "bin"}, {"JAVA_HOME", ""}, {"ZOOKEEPER_CLASSPATH", folder / "x.jar"}});
    std::vector<Finding> found = ExamineMetadata(Auto(port.number, folder / "zoo"));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].weight, Weight::kProblem);
    EXPECT_THAT(found[0].text, HasSubstr("there is no java in PATH"));
  }
  std::ofstream(folder / "bin/java") << "#!/bin/sh\n";
  std::filesystem::permissions(folder / "bin/java", std::filesystem::perms::owner_all);
  Variables there(
      {{"PATH", folder / "bin"}, {"JAVA_HOME", ""}, {"ZOOKEEPER_CLASSPATH", folder / "x.jar"}});
  std::vector<Finding> found = ExamineMetadata(Auto(port.number, folder / "zoo"));
  EXPECT_EQ(found[0].weight, Weight::kFine) << found[0].text;
  EXPECT_THAT(found[0].text, HasSubstr("one is started, by " + (folder / "bin/java")));
  EXPECT_FALSE(testing::Exists(folder / "zoo"));
}

TEST(DoctorOfMetadata, AServerOfTheClusterIsEnoughAndTheOthersAreNamed) {
  Port silent(/*listening=*/false), there(/*listening=*/true);
  MetaOptions options;
  options.kind = MetaKind::kZookeeper;
  std::string here = "[127.0.0.1]:" + std::to_string(there.number);
  std::string gone = "127.0.0.1:" + std::to_string(silent.number);
  options.servers = gone + "," + here;
  std::vector<Finding> found = ExamineMetadata(options);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].weight, Weight::kHint);
  EXPECT_THAT(found[0].text, StartsWith(gone + ": connect: Connection refused"));
  EXPECT_EQ(found[1].weight, Weight::kFine);
  EXPECT_EQ(found[1].text, here + ": is reached");
  options.servers = gone;
  found = ExamineMetadata(options);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[1].weight, Weight::kProblem);
}

}  // namespace
}  // namespace vineyard::daemon

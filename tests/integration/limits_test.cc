// What the host does not give: disk, memory, descriptors. Each lack is an error of who asked, named, and
// nobody else notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "core/base/bytes.h"
#include "tests/support/child.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::MessageType;

// ---- disk ------------------------------------------------------------------------------------------

// A folder on a disk with room for so many files (the folder itself is one), in a mount namespace of
// its own. Null: this system does not let us.
std::unique_ptr<Child> SmallDisk(const std::string& folder, int files) {
  auto child = std::make_unique<Child>([&](Talk& talk) {
    std::string room = "nr_inodes=" + std::to_string(files);
    bool mounted = unshare(CLONE_NEWNS) == 0 &&
                   mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   mount("none", folder.c_str(), "tmpfs", 0, room.c_str()) == 0;
    talk.Say(mounted ? 'm' : 'n');
    talk.Hear();
    return 0;
  });
  if (child->Hear() != 'm') return nullptr;
  return child;
}

TEST(Limits, AFullDiskIsNamedWhereSocketOrLockDoNotFit) {
  for (int files : {1, 2}) {
    TempFolder folder;
    std::unique_ptr<Child> disk = SmallDisk(folder.path(), files);
    if (disk == nullptr) GTEST_SKIP() << "mounting is not allowed here";
    std::string there = "/proc/" + std::to_string(disk->pid()) + "/root" + folder.path();
    Vineyardd run(there + "/v.sock");
    EXPECT_EQ(run.WaitForEnd(), 1);
    EXPECT_THAT(run.log(), HasSubstr("i/o error: socket " + there + "/v.sock: "));
    EXPECT_THAT(run.log(), HasSubstr(files == 1 ? "v.sock.lock: No space left" : "bind: No space"));
    EXPECT_THAT(run.log(), HasSubstr("free some, or choose a --socket on another disk"));
    EXPECT_THAT(run.log(), Not(HasSubstr("memory:")));
    EXPECT_TRUE(std::filesystem::is_empty(there)) << files;
  }
  // With room for both it starts.
  TempFolder folder;
  std::unique_ptr<Child> disk = SmallDisk(folder.path(), 3);
  Vineyardd run("/proc/" + std::to_string(disk->pid()) + "/root" + folder.path() + "/v.sock");
  EXPECT_TRUE(run.WaitUntilReady());
  EXPECT_EQ(run.Terminate(), 0);
}

TEST(Limits, ALogThatCanNotBeWrittenStopsNothing) {
  TempFolder folder;
  Vineyardd::Bare bare{Vineyardd::Defaults(folder / "v.sock")};
  bare.in_child = [] {
    int full = open("/dev/full", O_WRONLY);
    return full >= 0 &&
           dup2(full, STDERR_FILENO) >= 0;  // standard output still ends with the process
  };
  Vineyardd daemon(bare);
  RawClient client(folder / "v.sock");
  while (!client.connected()) {  // there is no line to wait for
    ASSERT_TRUE(IsRunning(daemon.first()));
    client = RawClient(folder / "v.sock");
  }
  ASSERT_TRUE(client.Hello(1).ok());
  for (uint64_t number = 1; number < 100; ++number) {
    ASSERT_TRUE(client.PutBytes("x", number).status().ok());
  }
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_EQ(daemon.log(), "");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Limits, AVersionThatCanNotBePrintedIsAnError) {
  Vineyardd::Bare bare{{"--version"}};
  bare.in_child = [] {
    int full = open("/dev/full", O_WRONLY);
    return full >= 0 && dup2(full, STDOUT_FILENO) >= 0;
  };
  Vineyardd run(bare);
  EXPECT_EQ(run.WaitForEnd(), 1);
  EXPECT_THAT(run.log(), HasSubstr("standard output: No space left"));
}

// ---- memory ----------------------------------------------------------------------------------------

// With a limit of file sizes, which holds for shared memory, too: a segment above it can not be made.
TEST(Limits, HostMemoryThatIsMissingFailsTheGrowthAndNothingElse) {
  constexpr uint64_t kLimit = 1500 * kMiB;  // the state is a sparse file of 1412 MiB
  TempFolder folder;
  Vineyardd::Bare bare{Vineyardd::Defaults(folder / "v.sock")};
  bare.arguments.emplace_back("--size=2Gi");
  bare.in_child = [] {
    rlimit limit{kLimit, kLimit};
    return setrlimit(RLIMIT_FSIZE, &limit) == 0;
  };
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient client(folder / "v.sock"), other(folder / "v.sock");
  ASSERT_TRUE(client.Hello(1).ok());
  ASSERT_TRUE(other.Hello(2).ok());
  auto lease = [&](RawClient* of, uint64_t size, uint64_t number) {
    return of->Call(MessageType::kLease, wire::Lease{BlobKind::kBuffer, size}, number).status();
  };
  ASSERT_TRUE(lease(&other, kMiB, 1).ok());
  for (uint64_t number = 1; number < 4; ++number) {
    Status failed = lease(&client, kLimit + 100 * kMiB, number);
    EXPECT_EQ(failed.code(), Code::kHostMemory) << failed.ToString();
    EXPECT_THAT(failed.text(), AllOf(HasSubstr("create of a blob: "), HasSubstr("ulimit -f")));
    EXPECT_TRUE(other.PutBytes("small", 2 * number).status().ok());
    EXPECT_TRUE(lease(&other, kMiB, 2 * number + 1).ok());
  }
  EXPECT_EQ(other.Number("leases"), 4u);
  EXPECT_TRUE(IsRunning(daemon.daemon())) << "and was not ended by SIGXFSZ";
  // What can be made is made, in the next tick at the latest.
  Status fits;
  uint64_t number = 4;
  do {
    fits = lease(&client, 70 * kMiB, number++);
  } while (fits.code() == Code::kHostMemory);
  EXPECT_TRUE(fits.ok()) << fits.ToString();
  EXPECT_EQ(daemon.Terminate(), 0);
}

// ---- descriptors -----------------------------------------------------------------------------------

TEST(Limits, BeyondTheLimitOfDescriptorsClientsAreRefusedClearly) {
  TempFolder folder;
  Vineyardd daemon(Vineyardd::Bare{Vineyardd::Defaults(folder / "v.sock"), {}, 100});
  ASSERT_TRUE(daemon.WaitUntilReady());
  std::vector<std::unique_ptr<RawClient>> clients;
  Status status;
  while (status.ok() && clients.size() < 100) {
    clients.push_back(std::make_unique<RawClient>(folder / "v.sock"));
    status = clients.back()->Hello(clients.size()).status();
  }
  EXPECT_EQ(status.code(), Code::kHostMemory);
  EXPECT_THAT(status.text(), HasSubstr("its limit is 100"));
  // The others are served, and when they go there is room again.
  EXPECT_TRUE(clients[0]->CallRaw(MessageType::kStatus).status().ok());
  EXPECT_TRUE(clients[0]->PutBytes("x", 1).status().ok());
  clients.resize(1);
  while (clients[0]->Number("sessions") != 1) {
  }
  RawClient next(folder / "v.sock");
  EXPECT_TRUE(next.Hello(1000).ok());
}

TEST(Limits, AClientIsToldOfTheLimitWhenOthersHaveConnectedAndSayNothing) {
  TempFolder folder;
  Vineyardd daemon(Vineyardd::Bare{Vineyardd::Defaults(folder / "v.sock"), {}, 100});
  ASSERT_TRUE(daemon.WaitUntilReady());
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<RawClient>(folder / "v.sock"));
  daemon.WaitForLine("turned away");
  // The store that grows gives back what it used: some may still come in, and stay.
  std::vector<vineyard_client*> clients;
  int refused = 0;
  while (refused < 20 && clients.size() < 10) {
    vineyard_client* client = nullptr;
    int32_t status = vineyard_client_connect((folder / "v.sock").c_str(), nullptr, &client);
    if (status == VINEYARD_OK) {
      clients.push_back(client);
      continue;
    }
    ++refused;
    EXPECT_EQ(status, VINEYARD_E_HOST_MEMORY);
    EXPECT_THAT(vineyard_error_text(),
                AllOf(HasSubstr("connect " + (folder / "v.sock")), HasSubstr("its limit is 100")));
  }
  EXPECT_EQ(refused, 20);
  for (vineyard_client* client : clients) vineyard_client_release(client);
}

TEST(Limits, TooFewDescriptorsEndTheStartWithBothFigures) {
  for (unsigned limit : {8u, 14u, 63u}) {
    TempFolder folder;
    Vineyardd run(Vineyardd::Bare{Vineyardd::Defaults(folder / "v.sock"), {}, limit});
    EXPECT_EQ(run.WaitForEnd(), 1);
    EXPECT_THAT(run.log(), AllOf(HasSubstr("the limit of descriptors is " + std::to_string(limit)),
                                 HasSubstr("ulimit -Hn"), HasSubstr("needs at least 64")));
    std::string log = run.log();
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
}

TEST(Limits, TheFewestDescriptorsServeClientsAndANextDaemon) {
  TempFolder folder;
  Vineyardd daemon(Vineyardd::Bare{Vineyardd::Defaults(folder / "v.sock"), {}, 64});
  ASSERT_TRUE(daemon.WaitUntilReady());
  for (int i = 0; i < 2; ++i) {
    std::vector<std::unique_ptr<RawClient>> clients;
    auto connect = [&](uint64_t id) {
      clients.push_back(std::make_unique<RawClient>(folder / "v.sock"));
      return clients.back()->Hello(100 * i + id).status();
    };
    for (uint64_t id = 1; id <= 12; ++id) {
      Status status = connect(id);
      // The second time: the sessions of the first end within a tick.
      for (int retry = 0; retry < 500 && status.code() == Code::kHostMemory; ++retry) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        clients.pop_back();
        status = connect(id);
      }
      ASSERT_TRUE(status.ok()) << id << ": " << status.ToString();
    }
    EXPECT_TRUE(clients[0]->PutBytes("x", 1).status().ok());
    kill(daemon.daemon(), SIGKILL);
    ASSERT_TRUE(daemon.WaitUntilReady());
  }
}

TEST(Limits, TheSoftLimitOfDescriptorsIsRaised) {
  constexpr size_t kSoft = 32, kClients = 60;
  TempFolder folder;
  Vineyardd::Bare bare{Vineyardd::Defaults(folder / "v.sock")};
  bare.in_child = [] {
    rlimit limit{kSoft, 400};
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
  };
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (uint64_t id = 1; id <= kClients; ++id) {
    clients.push_back(std::make_unique<RawClient>(folder / "v.sock"));
    Status status = clients.back()->Hello(id).status();
    ASSERT_TRUE(status.ok()) << id << ": " << status.ToString();
  }
  EXPECT_EQ(clients[0]->Number("sessions"), kClients);
}

}  // namespace
}  // namespace vineyard::testing

// vineyardd --upgrade: another program takes the memory over while it is read and written, or refuses
// before it has touched anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/crash/world.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int status;
  std::string text;
};

Outcome Upgrade(const std::string& program, const std::string& socket) {
  Vineyardd::Bare bare;
  bare.program = program;
  bare.arguments = {"--upgrade", socket};
  Vineyardd run(bare);
  int status = run.WaitForEnd();
  return {status, run.log()};
}

std::string ProgramOf(pid_t pid) {
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe").string();
}

class UpgradeTest : public ::testing::Test {
 protected:
  // A second build of the same layout: the same bytes in another file.
  std::string NextProgram(const std::string& name = "next") {
    std::filesystem::copy_file(std::getenv("VINEYARDD"), folder_ / name);
    return folder_ / name;
  }
  TempFolder folder_;
};

TEST_F(UpgradeTest, UnderLoadLosesNoReadAndNoPut) {
  World world;
  vineyard_id kept = world.Keep(std::string(100'000, 'k'));
  vineyard_id tree = PutObject(world.client(), "t", {{"m", kept}}, "name");
  vineyard_blob_writer* writer = nullptr;  // a lease that is open meanwhile
  ASSERT_OK(vineyard_blob_writer_create(world.client(), 200'000, VINEYARD_BLOB_BUFFER, &writer));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0}, puts{0};
  std::thread reader([&] {
    vineyard_client* client = ConnectTo(world.socket());
    while (!stop) {
      EXPECT_TRUE(Get(client, kept) == std::string(100'000, 'k'));
      ++reads;
    }
    vineyard_client_release(client);
  });
  std::thread putter([&] {
    vineyard_client* client = ConnectTo(world.socket());
    while (!stop) {
      vineyard_id id = Put(client, std::to_string(puts));
      EXPECT_EQ(Get(client, id), std::to_string(puts));
      ++puts;
    }
    vineyard_client_release(client);
  });
  pid_t keeper = world.daemon().keeper();
  for (int i = 0; i < 3; ++i) {
    std::string program = NextProgram("next" + std::to_string(i));
    uint64_t before = puts;
    Outcome run = Upgrade(program, world.socket());
    EXPECT_EQ(run.status, 0) << run.text;
    EXPECT_THAT(run.text, HasSubstr(world.socket() + ": this program serves now"));
    ASSERT_TRUE(world.daemon().WaitUntilReady());
    EXPECT_EQ(world.daemon().keeper(), keeper) << "the process that people know stays";
    EXPECT_EQ(ProgramOf(keeper), program);
    EXPECT_EQ(ProgramOf(world.daemon().daemon()), program);
    while (puts < before + 10) std::this_thread::yield();
  }
  stop = true;
  reader.join();
  putter.join();
  EXPECT_GT(reads, 100u);
  EXPECT_EQ(Number(world.client(), "blobs"), puts + 1);
  EXPECT_EQ(Exists(world.client(), tree), 1);
  EXPECT_OK(vineyard_blob_writer_seal(writer));
  vineyard_blob_writer_release(writer);
  world.CheckKept();
  world.CheckAudit();
  world.CheckEnd();
}

// And what died before or after dies on.
TEST_F(UpgradeTest, TheNextProgramSurvivesWhatTheFirstOneDid) {
  World world;
  world.Keep("kept");
  ASSERT_EQ(Upgrade(NextProgram(), world.socket()).status, 0);
  ASSERT_TRUE(world.daemon().WaitUntilReady());
  kill(world.daemon().daemon(), SIGKILL);
  ASSERT_TRUE(world.daemon().WaitUntilReady());
  EXPECT_EQ(ProgramOf(world.daemon().daemon()), folder_ / "next");
  kill(world.daemon().keeper(), SIGKILL);
  ASSERT_TRUE(world.daemon().WaitUntilReady());
  EXPECT_EQ(ProgramOf(world.daemon().keeper()), folder_ / "next");
  world.CheckKept();
  world.CheckAudit();
  world.CheckEnd(-SIGKILL);
}

TEST_F(UpgradeTest, OfAnotherLayoutIsRefusedAndNothingHappens) {
  World world;
  world.Keep("kept");
  uint64_t epoch = Number(world.client(), "epoch");
  Outcome run = Upgrade(OtherVineyardd(), world.socket());
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.text, HasSubstr("memory layout"));
  EXPECT_EQ(Number(world.client(), "epoch"), epoch);
  world.CheckKept();
  world.CheckEnd();
}

// Between the program that asked and its start, the file became something that can not be started.
TEST_F(UpgradeTest, AProgramThatCanNotBeStartedLeavesTheFirstOneServing) {
  World world;
  world.Keep("kept");
  std::string program = NextProgram();
  Vineyardd::Bare bare;
  bare.program = program;
  bare.arguments = {"--upgrade", world.socket()};
  pid_t keeper = world.daemon().keeper();
  std::string before = ProgramOf(keeper);
  Outcome run;
  {
    // Stopped, the keeper execs when the file is no program any more.
    kill(keeper, SIGSTOP);
    Vineyardd asking(bare);
    ASSERT_NE(world.daemon().WaitForLine("takes over"), "");
    std::filesystem::permissions(program, std::filesystem::perms::none);
    kill(keeper, SIGCONT);
    run = {asking.WaitForEnd(), asking.log()};
  }
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.text, HasSubstr("the other program goes on"));
  ASSERT_TRUE(world.daemon().WaitUntilReady());
  EXPECT_EQ(ProgramOf(world.daemon().keeper()), before);
  EXPECT_THAT(world.daemon().log(), HasSubstr("this program goes on"));
  world.CheckKept();
  world.CheckAudit();
  world.CheckEnd();
}

TEST_F(UpgradeTest, WithoutADaemonIsAnError) {
  Outcome run = Upgrade(std::getenv("VINEYARDD"), folder_ / "nobody.sock");
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.text, HasSubstr("vineyardd --upgrade: connect " + (folder_ / "nobody.sock")));
}

}  // namespace
}  // namespace vineyard::testing

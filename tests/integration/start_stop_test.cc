// How the daemon comes and goes: its socket, its errors at the start, what it leaves at the end.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

bool Answers(const std::string& socket) {
  RawClient client(socket);
  return client.connected() && client.Hello(1).ok();
}

std::string OnlyLine(const Vineyardd::Bare& bare, int* code) {
  Vineyardd run(bare);
  *code = run.WaitForEnd();
  return run.log();
}

// A socket file that nobody listens to.
void LeaveStaleSocket(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

TEST(StartStop, ReadyLineSaysWhereHowMuchAndWho) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  std::string line = daemon.WaitForLine(" ready: ");
  EXPECT_THAT(line, HasSubstr("socket " + (folder / "v.sock")));
  EXPECT_THAT(line, HasSubstr("64 MiB"));
  EXPECT_THAT(line, HasSubstr("pid "));
  EXPECT_TRUE(Answers(folder / "v.sock"));
}

TEST(StartStop, SigtermLeavesNothing) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient client(folder / "v.sock");
  ASSERT_TRUE(client.Hello(1).ok());
  ASSERT_TRUE(client.PutBytes("x", 1).status().ok());
  std::set<uint64_t> memory = daemon.MemoryFiles();
  EXPECT_GE(memory.size(), 5u) << "state, index, directory, pins, a segment";
  EXPECT_EQ(InUse(memory), memory);
  EXPECT_EQ(daemon.Terminate(), 0);
  // What a client was handed lives as long as the client, and no longer.
  EXPECT_EQ(InUse(memory).size(), 3u) << "index, directory, pins";
  client.files.clear();
  EXPECT_THAT(InUse(memory), ::testing::IsEmpty());
  EXPECT_FALSE(IsRunning(daemon.keeper()));
  EXPECT_FALSE(IsRunning(daemon.daemon()));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  EXPECT_TRUE(client.Ended());
}

TEST(StartStop, SigtermOfTheDaemonItselfEndsBoth) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(daemon.daemon(), SIGTERM);
  EXPECT_EQ(daemon.WaitForEnd(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// Whatever timer is due in the turn of the loop that takes the signal: none of them keeps the daemon.
TEST(StartStop, SigtermEndsItThoughEveryTimerIsDueAtTheSameMoment) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(daemon.daemon(), SIGSTOP);
  Fd past_every_tick(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  itimerspec once{};
  once.it_value.tv_sec = 1;
  ASSERT_EQ(timerfd_settime(past_every_tick.get(), 0, &once, nullptr), 0);
  uint64_t times;
  ASSERT_EQ(read(past_every_tick.get(), &times, sizeof times), ssize_t{sizeof times});
  kill(daemon.keeper(), SIGTERM);
  kill(daemon.daemon(), SIGTERM);
  kill(daemon.daemon(), SIGCONT);
  EXPECT_EQ(daemon.WaitForEnd(), 0);
}

TEST(StartStop, SigintAtTheStartEndsIt) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(daemon.keeper(), SIGINT);
  EXPECT_EQ(daemon.WaitForEnd(), 0);
}

TEST(StartStop, UnderNohupAHangupIsNothing) {
  TempFolder folder;
  signal(SIGHUP, SIG_IGN);  // inherited
  Vineyardd daemon(folder / "v.sock");
  signal(SIGHUP, SIG_DFL);
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(daemon.keeper(), SIGHUP);
  kill(daemon.daemon(), SIGHUP);
  EXPECT_TRUE(Answers(folder / "v.sock"));
  EXPECT_EQ(daemon.Terminate(), 0);
}

TEST(StartStop, EndOfTheLifelineEndsIt) {
  TempFolder folder;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  fcntl(pipe_ends[1], F_SETFD, FD_CLOEXEC);
  Vineyardd daemon(folder / "v.sock", {"--lifeline=" + std::to_string(pipe_ends[0])});
  close(pipe_ends[0]);
  ASSERT_TRUE(daemon.WaitUntilReady());
  close(pipe_ends[1]);
  EXPECT_EQ(daemon.WaitForEnd(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(StartStop, SocketIsForItsOwnerOnlyAndItsFolderIsMade) {
  TempFolder folder;
  std::string socket = folder / "a/b/v.sock";
  Vineyardd daemon(socket);
  ASSERT_TRUE(daemon.WaitUntilReady());
  struct stat info;
  ASSERT_EQ(stat(socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat((folder / "a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST(StartStop, FoldersThatItMadeGoWithItUnlessSomethingElseIsInThere) {
  TempFolder folder;
  std::filesystem::create_directory(folder / "given");
  {
    Vineyardd daemon(folder / "given/a/b/v.sock");
    ASSERT_TRUE(daemon.WaitUntilReady());
    kill(daemon.keeper(), SIGKILL);  // the next keeper knows them as well
    ASSERT_TRUE(daemon.WaitUntilReady());
    daemon.Terminate();
    EXPECT_FALSE(Exists(folder / "given/a"));
    EXPECT_TRUE(Exists(folder / "given"));
  }
  Vineyardd daemon(folder / "given/a/b/v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  std::ofstream(folder / "given/a/precious") << "x";
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_FALSE(Exists(folder / "given/a/b"));
  EXPECT_TRUE(Exists(folder / "given/a/precious"));
}

TEST(StartStop, LiveSocketIsRefusedWithThePid) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  int code = 0;
  std::string log = OnlyLine({Vineyardd::Defaults(folder / "v.sock")}, &code);
  EXPECT_EQ(code, 1);
  EXPECT_THAT(log, HasSubstr("a daemon is running there (pid " + std::to_string(daemon.daemon())));
  EXPECT_TRUE(Answers(folder / "v.sock"));
}

TEST(StartStop, SocketOfAnotherProgramIsRefused) {
  TempFolder folder;
  std::string path = folder / "v.sock";
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(socket.get(), 1), 0);
  int code = 0;
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults(path)}, &code), HasSubstr("another program"));
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(Exists(path));
  EXPECT_FALSE(Exists(path + ".lock"));
}

TEST(StartStop, SocketOfDatagramsInUseIsRefused) {
  TempFolder folder;
  std::string path = folder / "v.sock";
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  int code = 0;
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults(path)}, &code), HasSubstr("another program"));
  EXPECT_EQ(code, 1);
  EXPECT_TRUE(Exists(path));
}

// Its owner could put another socket into the place of the daemon's, and sets the sticky bit himself.
TEST(StartStop, FolderOfAStrangerIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  TempFolder folder;
  ASSERT_EQ(chown(folder.path().c_str(), kStranger, kStranger), 0);
  ASSERT_EQ(chmod(folder.path().c_str(), 01777), 0);
  int code = 0;
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults(folder / "v.sock")}, &code),
              HasSubstr("folder " + folder.path() + " belongs to uid 65533"));
  EXPECT_EQ(code, 1);
}

TEST(StartStop, StaleSocketIsReplaced) {
  TempFolder folder;
  LeaveStaleSocket(folder / "v.sock");
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_TRUE(Answers(folder / "v.sock"));
}

TEST(StartStop, WhatTwoDeathsLeftIsReplaced) {
  TempFolder folder;
  {
    Vineyardd killed(folder / "v.sock");
    ASSERT_TRUE(killed.WaitUntilReady());
    std::set<uint64_t> memory = killed.MemoryFiles();
    EXPECT_GE(memory.size(), 3u) << "state, index, directory";
    killed.KillAll();
    killed.WaitForEnd();
    EXPECT_THAT(InUse(memory), ::testing::IsEmpty());
  }
  ASSERT_TRUE(Exists(folder / "v.sock"));
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_TRUE(Answers(folder / "v.sock"));
}

TEST(StartStop, OfManyStartersOneWins) {
  TempFolder folder;
  LeaveStaleSocket(folder / "v.sock");
  std::vector<std::unique_ptr<Vineyardd>> starters;
  for (int i = 0; i < 8; ++i) starters.push_back(std::make_unique<Vineyardd>(folder / "v.sock"));
  int winners = 0;
  for (auto& starter : starters) {
    std::string line = starter->WaitForLine("socket ");
    if (line.find(" ready: ") != std::string::npos) {
      ++winners;
    } else {
      EXPECT_THAT(line, HasSubstr("a daemon is running there"));
    }
  }
  EXPECT_EQ(winners, 1);
  EXPECT_TRUE(Answers(folder / "v.sock"));
}

TEST(StartStop, AFileThatIsNoSocketStays) {
  TempFolder folder;
  std::ofstream(folder / "v.sock") << "precious";
  int code = 0;
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults(folder / "v.sock")}, &code),
              HasSubstr("a file that is no socket is there; remove it or choose another"));
  EXPECT_EQ(code, 1);
  EXPECT_EQ(std::filesystem::file_size(folder / "v.sock"), 8u);
}

TEST(StartStop, UnwritableFolderIsNamed) {
  int code = 0;
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults("/proc/v.sock")}, &code),
              AllOf(HasSubstr("socket /proc/v.sock: "),
                    HasSubstr(geteuid() == 0 ? "folder /proc takes no files: choose"
                                             : "folder /proc can not be written by uid"),
                    HasSubstr("choose another --socket")));
  EXPECT_EQ(code, 1);
  TempFolder folder;
  std::ofstream(folder / "file") << "x";
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults(folder / "file/v.sock")}, &code),
              AllOf(HasSubstr("Not a directory"), HasSubstr("choose another --socket")));
  EXPECT_EQ(code, 1);
}

TEST(StartStop, WhatAnotherUserMayNotDoNamesFolderOrFile) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  auto error = [](const std::string& socket) {
    Vineyardd::Bare bare{Vineyardd::Defaults(socket)};
    bare.in_child = [] { return setgid(kStranger) == 0 && setuid(kStranger) == 0; };
    int code = 0;
    std::string log = OnlyLine(bare, &code);
    EXPECT_EQ(code, 1);
    EXPECT_THAT(log, HasSubstr("permission denied: socket " + socket + ": "));
    EXPECT_THAT(log, HasSubstr(": choose another --socket"));
    return log;
  };
  TempFolder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  std::string unwritable = "folder " + folder.path() + " can not be written by uid 65533";
  EXPECT_THAT(error(folder / "v.sock"), HasSubstr(unwritable));
  EXPECT_THAT(error(folder / "a/v.sock"), HasSubstr(unwritable));
  ASSERT_EQ(chmod(folder.path().c_str(), 0700), 0);
  std::string unsearchable = "folder " + folder.path() + " can not be searched by uid 65533";
  EXPECT_THAT(error(folder / "v.sock"), HasSubstr(unsearchable));
  EXPECT_THAT(error(folder / "a/v.sock"), HasSubstr(unsearchable));
  ASSERT_EQ(chmod(folder.path().c_str(), 01777), 0);
  std::ofstream(folder / "v.sock.lock") << "x";
  ASSERT_EQ(chmod((folder / "v.sock.lock").c_str(), 0600), 0);
  EXPECT_THAT(error(folder / "v.sock"),
              HasSubstr("v.sock.lock belongs to uid 0, this is uid 65533"));
}

TEST(StartStop, PathTooLongForAnAddressWorks) {
  TempFolder folder;
  std::string socket = folder / (std::string(120, 'a') + "/" + std::string(100, 'b') + "/v.sock");
  Vineyardd daemon(socket);
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_TRUE(Answers(socket));
  EXPECT_EQ(daemon.Terminate(), 0);
  EXPECT_FALSE(Exists(socket));
}

TEST(StartStop, FileNameTooLongSaysWhy) {
  TempFolder folder;
  int code = 0;
  EXPECT_THAT(OnlyLine({Vineyardd::Defaults(folder / std::string(150, 'x'))}, &code),
              HasSubstr("its file name is too long"));
  EXPECT_EQ(code, 2) << "as --check-config does, nothing was begun";
}

TEST(StartStop, OptionsComeFromTheEnvironmentToo) {
  TempFolder folder;
  Vineyardd daemon(
      Vineyardd::Bare{{"--size=32Mi", "--meta=local"},
                      {"VINEYARD_SOCKET=" + (folder / "e.sock"), "VINEYARD_SIZE=16Mi"}});
  std::string line = daemon.WaitForLine(" ready: ");
  EXPECT_THAT(line, HasSubstr(folder / "e.sock"));
  EXPECT_THAT(line, HasSubstr("32 MiB"));
}

TEST(StartStop, BadOptionIsOneLineAndCodeTwo) {
  int code = 0;
  EXPECT_EQ(OnlyLine({{"--evict=some"}}, &code),
            "vineyardd: --evict 'some': expected none, spill or drop\n");
  EXPECT_EQ(code, 2);
  OnlyLine({{"--lifeline=999", "--meta=local", "--socket=/tmp/never.sock"}}, &code);
  EXPECT_EQ(code, 1);
}

TEST(StartStop, MoreMemoryThanThereIsIsRefusedAtTheStart) {
  TempFolder folder;
  int code = 0;
  std::string log =
      OnlyLine({{"--size=100Ti", "--meta=local", "--socket=" + (folder / "v.sock")}}, &code);
  EXPECT_EQ(code, 2);
  EXPECT_THAT(log, HasSubstr("--size: 100 TiB: this machine (or cgroup) has "));
  EXPECT_THAT(log, HasSubstr("choose less"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(StartStop, HelpAndVersionNeedNothing) {
  int code = 1;
  EXPECT_THAT(OnlyLine({{"--version"}}, &code), HasSubstr("vineyardd "));
  EXPECT_EQ(code, 0);
  EXPECT_THAT(OnlyLine({{"--help"}}, &code), HasSubstr("--socket PATH"));
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace vineyard::testing

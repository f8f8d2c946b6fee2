// What people who run daemons rely on: what the service manager is told, what programs read in the log, what
// is said of the configuration and the machine before a start.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "core/base/fd.h"
#include "tests/support/notify_socket.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

std::string Pid(pid_t pid) { return std::to_string(pid); }

// ---- the service manager -------------------------------------------------------------------------

Vineyardd::Bare Managed(const TempFolder& folder, const NotifySocket& manager) {
  return {Vineyardd::Defaults(folder / "v.sock"), {manager.variable()}};
}

TEST(Operated, TheServiceManagerIsToldOnceTheDaemonServes) {
  TempFolder folder;
  for (const std::string& name : {folder / "notify", "@" + folder.path().substr(1) + "/notify"}) {
    NotifySocket manager(name);
    Vineyardd daemon(Managed(folder, manager));
    NotifySocket::Message ready = manager.WaitFor("READY");
    EXPECT_EQ(ready.at("READY"), "1");
    EXPECT_THAT(ready.at("STATUS"), StartsWith("serves " + (folder / "v.sock") + ", 64 MiB"));
    RawClient client(folder / "v.sock");
    EXPECT_TRUE(client.connected() && client.Hello(1).ok()) << "it serves";
    ASSERT_TRUE(daemon.WaitUntilReady());
    EXPECT_EQ(ready.sender, daemon.daemon());
    EXPECT_EQ(ready.at("MAINPID"), Pid(daemon.keeper()));
    EXPECT_EQ(daemon.Terminate(), 0);
    EXPECT_EQ(manager.WaitFor("STOPPING").at("STATUS"), "stopping");
  }
}

TEST(Operated, ADaemonThatEndsByItsOwnSignalSaysSo) {
  TempFolder folder;
  NotifySocket manager(folder / "notify");
  Vineyardd daemon(Managed(folder, manager));
  ASSERT_TRUE(daemon.WaitUntilReady());
  kill(daemon.daemon(), SIGTERM);
  EXPECT_EQ(manager.WaitFor("STOPPING").sender, daemon.daemon());
  EXPECT_EQ(daemon.WaitForEnd(), 0);
}

TEST(Operated, TheServiceManagerIsToldOfADeadDaemonAndOfTheNext) {
  TempFolder folder;
  NotifySocket manager(folder / "notify");
  Vineyardd daemon(Managed(folder, manager));
  ASSERT_TRUE(daemon.WaitUntilReady());
  pid_t keeper = daemon.keeper();
  manager.WaitFor("READY");
  kill(daemon.daemon(), SIGKILL);
  NotifySocket::Message death = manager.WaitFor("STATUS");
  EXPECT_EQ(death.sender, keeper);
  EXPECT_EQ(death.count("READY"), 0);
  EXPECT_THAT(death.at("STATUS"), StartsWith("the daemon died by signal 9"));
  NotifySocket::Message ready = manager.WaitFor("READY");
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_EQ(ready.sender, daemon.daemon());
  EXPECT_EQ(ready.at("MAINPID"), Pid(keeper));
  EXPECT_THAT(ready.at("STATUS"), HasSubstr("adopted"));
}

TEST(Operated, TheDaemonIsTheMainProcessWhenItsKeeperDies) {
  TempFolder folder;
  NotifySocket manager(folder / "notify");
  Vineyardd daemon(Managed(folder, manager));
  ASSERT_TRUE(daemon.WaitUntilReady());
  pid_t heir = daemon.daemon();
  manager.WaitFor("READY");
  kill(daemon.keeper(), SIGKILL);
  NotifySocket::Message succession = manager.WaitFor("MAINPID");
  EXPECT_EQ(succession.sender, heir);
  EXPECT_EQ(succession.at("MAINPID"), Pid(heir));
  EXPECT_EQ(succession.count("READY"), 0);
  NotifySocket::Message ready = manager.WaitFor("READY");
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_EQ(daemon.keeper(), heir);
  EXPECT_EQ(ready.sender, daemon.daemon());
  EXPECT_EQ(ready.at("MAINPID"), Pid(heir));
}

// A message can come too late: the service manager looks into this file (PIDFile=) when the process dies that
// it started.
TEST(Operated, TheLockFileNamesTheProcessThatGoesOnWhenTheMainOneDies) {
  TempFolder folder;
  auto named = [&] {
    pid_t pid = 0;
    std::ifstream(folder / "v.sock.lock") >> pid;
    return pid;
  };
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_EQ(named(), daemon.daemon());
  pid_t heir = daemon.daemon();
  kill(daemon.keeper(), SIGKILL);
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_EQ(daemon.keeper(), heir);
  EXPECT_EQ(named(), daemon.daemon());
}

TEST(Operated, WhyNothingStartsIsInTheStatus) {
  TempFolder folder;
  NotifySocket manager(folder / "notify");
  std::ofstream(folder / "v.sock") << "precious";
  Vineyardd run(Managed(folder, manager));
  EXPECT_THAT(manager.WaitFor("STATUS").at("STATUS"), HasSubstr("a file that is no socket"));
  EXPECT_EQ(run.WaitForEnd(), 1);
  EXPECT_TRUE(manager.IsEmpty()) << "and nothing else";
}

// Its service manager has started the program that started the daemon.
TEST(Operated, APrivateDaemonOfAnotherProgramSaysNothing) {
  TempFolder folder;
  NotifySocket manager(folder / "notify");
  int lifeline[2];
  ASSERT_EQ(pipe(lifeline), 0);
  Vineyardd::Bare bare = Managed(folder, manager);
  bare.arguments.push_back("--lifeline=" + std::to_string(lifeline[0]));
  bare.in_child = [&] { return close(lifeline[1]) == 0; };
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  close(lifeline[1]);
  EXPECT_EQ(daemon.WaitForEnd(), 0);
  close(lifeline[0]);
  EXPECT_TRUE(manager.IsEmpty());
}

TEST(Operated, AServiceManagerThatIsGoneStopsNothing) {
  TempFolder folder;
  Vineyardd::Bare bare{Vineyardd::Defaults(folder / "v.sock"),
                       {"NOTIFY_SOCKET=" + (folder / "nobody")}};
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_EQ(daemon.Terminate(), 0);
}

// ---- the log -------------------------------------------------------------------------------------

TEST(Operated, AJsonLogIsAnObjectALine) {
  TempFolder folder;
  std::string socket = folder / "a \"b\" \\.sock";
  Vineyardd::Bare bare{Vineyardd::Defaults(socket)};
  bare.arguments.emplace_back("--log-format=json");
  bare.arguments.emplace_back("--stream-threshold=80");  // a warning at the start
  Vineyardd daemon(bare);
  std::string ready = daemon.WaitForLine("\"ready: ");
  size_t pid = ready.find(", pid "), end = ready.find(", keeper ");
  ASSERT_NE(end, std::string::npos) << daemon.log();
  EXPECT_THAT(ready, HasSubstr("\"pid\":" + ready.substr(pid + 6, end - pid - 6) +
                               ",\"level\":\"info\",\"text\":\"ready: socket " + folder.path() +
                               "/a \\\"b\\\" \\\\.sock, 64 MiB"));
  EXPECT_EQ(daemon.Terminate(), 0);
  std::istringstream lines(daemon.log());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_THAT(line, MatchesRegex("\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:"
                                   "[0-9]{2}\\.[0-9]{3}[+-][0-9]{2}:[0-9]{2}\",\"pid\":[0-9]+,"
                                   "\"level\":\"(debug|info|warning)\",\"text\":\".*\"\\}"));
  }
  EXPECT_GE(count, 3) << "the warning, the start, the end";
  EXPECT_THAT(daemon.log(), HasSubstr("\"level\":\"warning\",\"text\":\"--stream-threshold: "));
}

// As a terminal that is held, or a program that reads the log and hangs.
TEST(Operated, ALogThatNobodyReadsHoldsNobodyUpAndItsGapIsToldLater) {
  TempFolder folder;
  int pipe_ends[2];
  ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
  Fd reader(pipe_ends[0]), writer(pipe_ends[1]);
  char buffer[4096] = {};
  while (write(writer.get(), buffer, sizeof buffer) > 0) {
  }
  ASSERT_EQ(fcntl(writer.get(), F_SETFL, 0), 0);  // the daemon's writes would wait
  NotifySocket manager(folder / "notify");
  Vineyardd::Bare bare = Managed(folder, manager);
  bare.in_child = [&] { return dup2(writer.get(), STDERR_FILENO) == STDERR_FILENO; };
  Vineyardd daemon(bare);
  manager.WaitFor("READY");
  auto client = std::make_unique<RawClient>(folder / "v.sock");
  ASSERT_TRUE(client->Hello(1).ok());
  EXPECT_TRUE(client->PutBytes("x", 1).status().ok());
  while (read(reader.get(), buffer, sizeof buffer) > 0) {
  }
  ASSERT_EQ(fcntl(reader.get(), F_SETFL, 0), 0);
  client.reset();  // its session's end is a line
  std::string log;
  while (log.find(" lines of the log are lost: nobody read standard error\n") == log.npos) {
    ssize_t size = read(reader.get(), buffer, sizeof buffer);
    ASSERT_GT(size, 0) << log;
    log.append(buffer, static_cast<size_t>(size));
  }
  EXPECT_EQ(daemon.Terminate(), 0);
}

// ---- before the start ----------------------------------------------------------------------------

std::string Output(const std::vector<std::string>& arguments, int* code,
                   const std::vector<std::string>& environment = {}) {
  Vineyardd run(Vineyardd::Bare{arguments, environment});
  *code = run.WaitForEnd();
  return run.log();
}

TEST(Operated, ADaemonStartsFromItsFile) {
  TempFolder folder;
  std::ofstream(folder / "v.toml") << "socket = \"" << (folder / "f.sock") << "\"\n"
                                   << "size = \"16Mi\"\nmeta = \"local\"\n";
  Vineyardd daemon(Vineyardd::Bare{{"--config", folder / "v.toml", "--size=32Mi"}});
  EXPECT_THAT(daemon.WaitForLine(" ready: "),
              AllOf(HasSubstr(folder / "f.sock"), HasSubstr("32 MiB")));
  EXPECT_EQ(daemon.Terminate(), 0);
}

TEST(Operated, CheckConfigStartsNothing) {
  TempFolder folder;
  std::ofstream(folder / "v.toml") << "size = \"16Mi\"\n";
  int code = 1;
  EXPECT_THAT(Output({"--config", folder / "v.toml", "--check-config", "--meta=local",
                      "--socket=" + (folder / "v.sock")},
                     &code),
              AllOf(HasSubstr("size = 16777216  # 16 MiB, " + (folder / "v.toml") + " line 1\n"),
                    HasSubstr("meta = \"local\"  # the command line\n")));
  EXPECT_EQ(code, 0);
  std::ofstream(folder / "v.toml") << "sise = \"16Mi\"\n";
  EXPECT_EQ(Output({"--check-config", "--config", folder / "v.toml"}, &code),
            "vineyardd: " + (folder / "v.toml") +
                " line 1: 'sise': there is no such setting; did you mean size?\n");
  EXPECT_EQ(code, 2);
  EXPECT_FALSE(Exists(folder / "v.sock"));
}

// As systemd would start it, with the paths of this test.
TEST(Operated, TheUnitFileStartsADaemonThatItsOtherLinesFit) {
  TempFolder folder;
  std::string packaging = std::string(VINEYARD_SOURCE_DIR) + "/packaging/";
  std::ifstream unit(packaging + "vineyardd.service");
  std::map<std::string, std::string> lines;
  for (std::string line; std::getline(unit, line);) {
    for (auto [from, to] :
         {std::pair{"%t/vineyard", folder.path()}, std::pair{"/etc/", packaging}}) {
      size_t at = line.find(from);
      if (at != std::string::npos) line.replace(at, std::strlen(from), to);
    }
    size_t equal = line.find('=');
    if (line[0] != '#' && equal != std::string::npos) {
      lines[line.substr(0, equal)] = line.substr(equal + 1);
    }
  }
  EXPECT_EQ(lines["Type"], "notify");
  EXPECT_EQ(lines["NotifyAccess"], "all");
  EXPECT_EQ(lines["KillMode"], "mixed");
  std::istringstream words(lines["ExecStart"]);
  std::string program;
  words >> program;
  EXPECT_THAT(lines["ExecStartPre"], StartsWith(lines["ExecStart"] + " --check-config"));
  Vineyardd::Bare bare;
  for (std::string word; words >> word;) bare.arguments.push_back(word);
  bare.arguments.emplace_back("--size=64Mi");
  NotifySocket manager(folder / "notify");
  bare.environment = {manager.variable()};
  Vineyardd daemon(bare);
  EXPECT_EQ(manager.WaitFor("READY").at("READY"), "1");
  pid_t named = 0;
  std::ifstream(lines["PIDFile"]) >> named;
  ASSERT_TRUE(daemon.WaitUntilReady());
  EXPECT_EQ(named, daemon.daemon());
  EXPECT_EQ(daemon.Terminate(), 0);
}

// ---- the doctor ----------------------------------------------------------------------------------

std::string Doctor(std::vector<std::string> arguments, int* code) {
  arguments.emplace_back("--doctor");
  return Output(arguments, code);
}

TEST(Operated, TheDoctorFindsNothingToChangeWhereADaemonStarts) {
  TempFolder folder;
  int code = 1;
  std::string said = Doctor(Vineyardd::Defaults(folder / "sub/v.sock"), &code);
  EXPECT_EQ(code, 0) << said;
  EXPECT_THAT(said, AllOf(HasSubstr("fine     kernel       Linux "), HasSubstr("     memory "),
                          HasSubstr("--size is 64 MiB"), HasSubstr("     huge pages "),
                          HasSubstr("fine     socket       " + (folder / "sub/v.sock")),
                          HasSubstr("fine     metadata "), Not(HasSubstr("problem"))));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "it makes nothing";
}

TEST(Operated, TheDoctorSaysThatADaemonIsThereAlready) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  int code = 1;
  EXPECT_THAT(Doctor(Vineyardd::Defaults(folder / "v.sock"), &code),
              HasSubstr("a daemon is running there (pid " + Pid(daemon.daemon()) + ")"));
  EXPECT_EQ(code, 0) << "and it may well stay";
  EXPECT_EQ(daemon.Terminate(), 0);
}

TEST(Operated, TheDoctorNamesWhatKeepsADaemonFromStarting) {
  TempFolder folder;
  int code = 0;
  EXPECT_THAT(Doctor({"--size=100Ti", "--meta=local", "--socket=" + (folder / "v.sock")}, &code),
              AllOf(HasSubstr("problem  memory "), HasSubstr("--size is 100 TiB: no daemon")));
  EXPECT_EQ(code, 1);
  EXPECT_THAT(Doctor(Vineyardd::Defaults("/proc/v.sock"), &code),
              HasSubstr("problem  socket       socket /proc/v.sock: "));
  EXPECT_EQ(code, 1);
  std::ofstream(folder / "file") << "precious";
  EXPECT_THAT(Doctor(Vineyardd::Defaults(folder / "file"), &code),
              HasSubstr("a file that is no socket is there"));
  EXPECT_EQ(code, 1);
  EXPECT_THAT(Doctor({"--size=64Mi", "--meta=zookeeper://127.0.0.1:1,127.0.0.1:2",
                      "--socket=" + (folder / "v.sock")},
                     &code),
              AllOf(HasSubstr("hint     ZooKeeper    127.0.0.1:2: connect: Connection refused"),
                    HasSubstr("problem  ZooKeeper    no server of --meta zookeeper://")));
  EXPECT_EQ(code, 1);
}

TEST(Operated, TheDoctorNamesTooFewDescriptors) {
  TempFolder folder;
  for (unsigned limit : {63u, 100u}) {
    Vineyardd::Bare bare{Vineyardd::Defaults(folder / "v.sock"), {}, limit};
    bare.arguments.emplace_back("--doctor");
    Vineyardd run(bare);
    EXPECT_EQ(run.WaitForEnd(), limit < 64 ? 1 : 0);
    EXPECT_THAT(run.log(),
                HasSubstr(limit < 64 ? "the limit of descriptors is 63"
                                     : "at most 100: room for about 30 clients; raise it with"));
  }
}

}  // namespace
}  // namespace vineyard::testing

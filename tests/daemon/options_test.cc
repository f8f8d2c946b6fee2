#include "daemon/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "core/base/bytes.h"
#include "core/shm/os.h"

namespace vineyard::daemon {
namespace {

Result<Command> Parse(const std::vector<std::string>& arguments,
                      const std::vector<std::string>& environment = {}) {
  return ParseCommand(arguments, environment, /*memory_limit=*/8 * kGiB);
}

Options Parsed(const std::vector<std::string>& arguments,
               const std::vector<std::string>& environment = {}) {
  Result<Command> command = Parse(arguments, environment);
  EXPECT_TRUE(command.ok()) << command.status().ToString();
  return command.ok() ? command->options : Options{};
}

std::string Error(const std::vector<std::string>& arguments) {
  Result<Command> command = Parse(arguments);
  EXPECT_FALSE(command.ok());
  return command.ok() ? "" : command.status().text();
}

// A file that is gone with the test.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    char name[] = "/tmp/vineyard-options-XXXXXX";
    int fd = mkstemp(name);
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Options, DefaultsAreUsable) {
  Options options = Parsed({});
  EXPECT_EQ(options.size_bytes, 4 * kGiB);
  EXPECT_EQ(options.meta.Text(), "auto:2181");
  EXPECT_EQ(options.eviction, store::Eviction::kNone);
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
  EXPECT_EQ(options.socket, DefaultSocket(geteuid(), {}));
}

TEST(Options, DefaultSocketDependsOnWhoAsks) {
  EXPECT_EQ(DefaultSocket(0, {"XDG_RUNTIME_DIR=/run/user/0"}), "/var/run/vineyard.sock");
  EXPECT_EQ(DefaultSocket(7, {"XDG_RUNTIME_DIR=/run/user/7"}), "/run/user/7/vineyard.sock");
  EXPECT_EQ(DefaultSocket(7, {}), "/tmp/vineyard-7/vineyard.sock");
}

TEST(Options, DashAndUnderscoreAreTheSame) {
  EXPECT_EQ(Parsed({"--log-level", "debug"}).log_level, LogLevel::kDebug);
  EXPECT_EQ(Parsed({"--log_level=debug"}).log_level, LogLevel::kDebug);
}

TEST(Options, ValuesKeepTheirUnderscores) {
  EXPECT_EQ(Parsed({"--socket=/tmp/a_b/c_d.sock"}).socket, "/tmp/a_b/c_d.sock");
  EXPECT_EQ(Parsed({"--socket", "/tmp/a_b"}).socket, "/tmp/a_b");
}

TEST(Options, SocketThatNoClientReachesIsRefused) {
  std::string folder = "/" + std::string(120, 'f') + "/";
  EXPECT_TRUE(Parse({"--socket", folder + std::string(82, 's')}).ok());
  auto refused = Parse({"--check-config", "--socket", folder + std::string(83, 's')});
  EXPECT_NE(refused.status().text().find("its file name is too long: at most 82 bytes"),
            std::string::npos)
      << refused.status().text();
  EXPECT_TRUE(Parse({"--socket", "/" + std::string(106, 's')}).ok());
}

TEST(Options, RelativeSocketBecomesAbsolute) {
  EXPECT_EQ(Parsed({"--socket=x/../v.sock"}).socket[0], '/');
}

TEST(Options, FlagWinsOverEnvironmentWinsOverFile) {
  ConfigFile file("size = \"1Gi\"\nevict = 'drop'\nlog_level = \"error\"\n");
  std::string config = "--config=" + file.path();
  EXPECT_EQ(Parsed({config}).size_bytes, kGiB);
  EXPECT_EQ(Parsed({config}).eviction, store::Eviction::kDrop);
  EXPECT_EQ(Parsed({config}).log_level, LogLevel::kError);
  EXPECT_EQ(Parsed({config}, {"VINEYARD_SIZE=2Gi"}).size_bytes, 2 * kGiB);
  EXPECT_EQ(Parsed({config, "--size", "3Gi"}, {"VINEYARD_SIZE=2Gi"}).size_bytes, 3 * kGiB);
  EXPECT_EQ(Parsed({"--size=3Gi", "--config", file.path()}).size_bytes, 3 * kGiB);
}

// Descriptors of the program that starts this one: an environment that is handed on must not name them.
TEST(Options, WhatIsForOurOwnProgramsComesByFlagsOnly) {
  Options options = Parsed({"--socket=/s"}, {"VINEYARD_LIFELINE=0", "VINEYARD_KEEPER_STATE=0"});
  EXPECT_EQ(options.lifeline, -1);
  EXPECT_EQ(options.keeper_state, -1);
  ConfigFile file("lifeline = 0\n");
  EXPECT_NE(Error({"--config=" + file.path()}).find("lifeline"), std::string::npos);
}

TEST(Options, AMistypedFlagIsNamedWithTheNearestOne) {
  EXPECT_EQ(Error({"--sokcet", "/tmp/x"}),
            "'--sokcet': there is no such option; did you mean --socket? (see vineyardd --help)");
  EXPECT_EQ(Error({"--log_levle=info"}),
            "'--log-levle': there is no such option; did you mean --log-level? (see vineyardd "
            "--help)");
  EXPECT_EQ(Error({"--frobnicate"}),
            "'--frobnicate': there is no such option (see vineyardd --help)");
  EXPECT_EQ(Error({"--size", "1Gi", "stray", "words"}),
            "'stray': there is no such option (see vineyardd --help)");
  EXPECT_EQ(Error({"--lifelin=3"}).find("did you mean"), std::string::npos) << "for our programs";
}

TEST(Options, AMissingValueIsSaidToBeMissing) {
  EXPECT_EQ(Error({"--socket"}),
            "--socket: its value is missing: --socket PATH (see vineyardd --help)");
  EXPECT_EQ(Error({"--socket", "--size=1Gi"}),
            "--socket: its value is missing: --socket PATH (see vineyardd --help)");
  EXPECT_EQ(Error({"--config"}),
            "--config: its value is missing: --config FILE (see vineyardd --help)");
}

TEST(Options, AnEmptyValueIsNoDefault) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--socket", ""}, {"--socket=", "--size=1Gi"}, {"--socket="}}) {
    EXPECT_EQ(Error(words),
              "--socket: its value is empty; give one, or leave --socket out (see vineyardd "
              "--help)");
  }
}

TEST(Options, AnUnknownVariableIsAWarningWithTheNearestOne) {
  std::vector<std::string> environment = {"VINEYARD_SOKCET=/x",
                                          "VINEYARD_COLOUR=red",
                                          "VINEYARD_SIZE=1Gi",
                                          "VINEYARDD=/bin/x",
                                          "VINEYARD_IPC_SOCKET=/y",
                                          "VINEYARD_RPC=false",
                                          "HOME=/",
                                          "VINEYARD_SERVICE_HOST=::",
                                          "VINEYARD_PORT_9600_TCP=x"};
  EXPECT_EQ(Parsed({"--socket=/s"}, environment).warnings,
            (std::vector<std::string>{"VINEYARD_SOKCET in the environment is ignored: there is no "
                                      "such setting; did you mean VINEYARD_SOCKET?",
                                      "VINEYARD_COLOUR in the environment is ignored: there is no "
                                      "such setting"}));
  EXPECT_TRUE(Parsed({"--socket=/s", "--keeper-state=7"}, environment).warnings.empty())
      << "said once";
}

TEST(Options, HelpHasNoTwoEmptyLinesInARow) {
  Result<Command> help = Parse({"--help"});
  ASSERT_TRUE(help.ok() && help->text);
  EXPECT_EQ(help->text->find("\n\n\n"), std::string::npos) << *help->text;
  EXPECT_NE(help->text->find("\n\nSizes: "), std::string::npos) << *help->text;
  EXPECT_EQ(help->text->find("made-folders"), std::string::npos);
}

TEST(Options, AnErrorNamesWhoSaidIt) {
  ConfigFile file("size = \"1Gi\"\n\nevict = \"dorp\"\nrpc = true\n");
  std::string config = "--config=" + file.path();
  EXPECT_EQ(Error({config}),
            file.path() + " line 4: --rpc: access from other hosts is not available yet");
  EXPECT_EQ(Error({config, "--rpc=no"}),
            file.path() + " line 3: --evict 'dorp': expected none, spill or drop");
  EXPECT_EQ(Error({config, "--rpc=no", "--evict=all"}),
            "--evict 'all': expected none, spill or drop");
  EXPECT_EQ(Parse({}, {"VINEYARD_SIZE=many"})
                .status()
                .text()
                .rfind("VINEYARD_SIZE in the environment: --size: size 'many'", 0),
            0u);
}

TEST(Options, HelpAndVersionReadNoFile) {
  EXPECT_TRUE(Parse({"--config=/nowhere", "--help"})->text);
  EXPECT_TRUE(Parse({"--config=/nowhere", "--version"})->text);
}

// ---- --check-config ------------------------------------------------------------------------------

std::string Checked(std::vector<std::string> arguments,
                    const std::vector<std::string>& environment = {}) {
  arguments.emplace_back("--check-config");
  Result<Command> command = Parse(arguments, environment);
  EXPECT_TRUE(command.ok()) << command.status().ToString();
  return command.ok() && command->text ? *command->text : "";
}

TEST(Options, CheckConfigSaysWhatIsInEffectAndWhoSaidIt) {
  ConfigFile file("prefault = 1048576\nsize = \"1Gi\"\nstream-threshold = 80\n");
  EXPECT_EQ(Checked({"--config", file.path(), "--socket=/tmp/x.sock", "--log-level=debug"},
                    {"VINEYARD_META=local", "VINEYARD_LOG_LEVEL=error"}),
            "socket = \"/tmp/x.sock\"  # the command line\n"
            "# socket-mode = \"0600\"  # the default\n"
            "# share = \"uid\"  # the default\n"
            "size = 1073741824  # 1 GiB, " +
                file.path() +
                " line 2\n"
                "prefault = 1048576  # 1 MiB, " +
                file.path() +
                " line 1\n"
                "# evict = \"none\"  # the default\n"
                "# checksum = \"small\"  # the default\n"
                "meta = \"local\"  # VINEYARD_META in the environment\n"
                "log-level = \"debug\"  # the command line\n"
                "# log-format = \"text\"  # the default\n"
                "# warning: --stream-threshold: streams are not available yet; ignored\n");
}

TEST(Options, WhatCheckConfigPrintsIsAFileThatSaysTheSame) {
  std::vector<std::string> said = {"--socket=/tmp/a \"b\" \\c.sock",
                                   "--size=123456789",
                                   "--prefault=1Mi",
                                   "--evict=drop",
                                   "--checksum=all",
                                   "--meta=auto:2999",
                                   "--meta-session-timeout=3500ms",
                                   "--meta-heap=2Gi",
                                   "--meta-dir=/x y",
                                   "--log-level=warning",
                                   "--log-format=json"};
  ConfigFile all(Checked(said)), none(Checked({}));
  EXPECT_EQ(Parsed({"--config", all.path()}).ToArguments(), Parsed(said).ToArguments());
  EXPECT_EQ(Parsed({"--config", none.path()}).ToArguments(), Parsed({}).ToArguments());
}

TEST(Options, CheckConfigRefusesWhatAStartWould) {
  EXPECT_EQ(Parse({"--check-config", "--size=9Gi"}).status().code(), Code::kLimit);
  EXPECT_NE(Error({"--check-config", "--sise=1Gi"}).find("did you mean --size"), std::string::npos);
}

TEST(Options, TheDoctorIsToldOfASizeThatNoDaemonMayHave) {
  Result<Command> command = Parse({"--doctor", "--size=9Gi"});
  ASSERT_TRUE(command.ok()) << command.status().ToString();
  EXPECT_TRUE(command->doctor);
  EXPECT_EQ(command->options.size_bytes, 9 * kGiB);
  EXPECT_FALSE(Parse({})->doctor);
}

TEST(Options, BadValuesAreNamed) {
  EXPECT_EQ(Error({"--size=many"}).rfind("--size: size 'many'", 0), 0u);
  EXPECT_EQ(Error({"--size=-1"}).rfind("--size: size '-1'", 0), 0u);
  EXPECT_NE(Error({"--size=5"}).find("between"), std::string::npos);
  EXPECT_NE(Error({"--size=4096Pi"}).find("between"), std::string::npos);
  EXPECT_EQ(Error({"--evict=some"}), "--evict 'some': expected none, spill or drop");
  EXPECT_NE(Error({"--log-level=loud"}).find("'loud'"), std::string::npos);
  EXPECT_EQ(Error({"--log-format=xml"}), "--log-format 'xml': expected text or json");
  EXPECT_NE(Error({"--size=1Gi", "--prefault=2Gi"}).find("more than --size"), std::string::npos);
  EXPECT_NE(Error({"--sise=1Gi"}).find("--sise"), std::string::npos);
  EXPECT_NE(Error({"stray"}).find("stray"), std::string::npos);
}

TEST(Options, WhatIsNotAvailableYetIsSaidSo) {
  for (const char* flag :
       {"--rpc", "--rpc=true", "--rpc_socket_port=9600", "--etcd_endpoint=http://x"}) {
    Result<Command> command = Parse({flag});
    ASSERT_FALSE(command.ok()) << flag;
    EXPECT_EQ(command.status().code(), Code::kUnsupported) << flag;
    EXPECT_NE(command.status().text().find("available"), std::string::npos) << flag;
  }
  EXPECT_TRUE(Parsed({"--rpc=false"}).warnings.empty());
  EXPECT_EQ(Parsed({"--stream_threshold=80"}).warnings.size(), 1u);
}

TEST(Options, SpillingNeedsAPathAndAPathMeansSpilling) {
  Options options = Parsed({"--spill_path=/tmp/x/../y", "--spill_lower_rate=0.25"});
  EXPECT_EQ(options.eviction, store::Eviction::kSpill);
  EXPECT_EQ(options.spill_path, "/tmp/y");
  EXPECT_EQ(options.spill_upper_rate, 0.8);
  EXPECT_EQ(options.spill_lower_rate, 0.25);
  Options again = Parsed(options.ToArguments());
  EXPECT_EQ(again.eviction, store::Eviction::kSpill);
  EXPECT_EQ(again.spill_path, "/tmp/y");
  EXPECT_EQ(again.spill_lower_rate, 0.25);
  EXPECT_EQ(Error({"--evict=spill"}),
            "--evict spill: say where with --spill-path, a folder on a disk");
  EXPECT_EQ(Error({"--evict=drop", "--spill-path=/tmp"}),
            "--spill-path: --evict drop spills nothing; say --evict spill");
  EXPECT_EQ(Error({"--spill-path=/tmp", "--spill-upper-rate=80"}),
            "--spill-upper-rate '80': expected a share of --size, as 0.8");
  EXPECT_EQ(Error({"--spill-path=/tmp", "--spill-lower-rate=x"}),
            "--spill-lower-rate 'x': expected a share of --size, as 0.8");
  EXPECT_EQ(Error({"--spill-path=/tmp", "--spill-lower-rate=0.9"}),
            "--spill-lower-rate: 0.9: it is more than --spill-upper-rate, 0.8");
}

TEST(Options, MoreThanTheMachineHasIsRefusedWithBothFigures) {
  std::string text = Error({"--size=9Gi"});
  EXPECT_NE(text.find("--size: 9 GiB"), std::string::npos) << text;
  EXPECT_NE(text.find("has 8 GiB of memory"), std::string::npos) << text;
  EXPECT_NE(text.find("choose less"), std::string::npos) << text;
  EXPECT_EQ(Parse({"--size=9Gi"}).status().code(), Code::kLimit);
  EXPECT_EQ(Parsed({"--size=8Gi"}).size_bytes, 8 * kGiB);
  EXPECT_EQ(Parsed({"--size=9Gi", "--keeper-state=7"}).size_bytes, 9 * kGiB)
      << "a daemon that runs is not ended by a cgroup that became smaller";
  EXPECT_EQ(ParseCommand({}, {}, kMiB).status().code(), Code::kLimit) << "half of it is too little";
}

TEST(Options, TheLimitIsThatOfThisMachine) {
  ASSERT_LT(shm::MemoryLimit(), uint64_t{1} << 47);
  std::string more = std::to_string(shm::MemoryLimit() + 1);
  EXPECT_EQ(ParseCommand({"--size=" + more}, {}).status().code(), Code::kLimit);
  EXPECT_TRUE(ParseCommand({"--size=" + std::to_string(shm::MemoryLimit())}, {}).ok());
}

TEST(Options, HelpAndVersionAreTexts) {
  Result<Command> help = Parse({"--help"});
  ASSERT_TRUE(help.ok() && help->text);
  EXPECT_NE(help->text->find("--size SIZE"), std::string::npos) << *help->text;
  EXPECT_EQ(help->text->find("lifeline"), std::string::npos);
  EXPECT_EQ(help->text->find("log_level"), std::string::npos);
  Result<Command> version = Parse({"--version"});
  ASSERT_TRUE(version.ok() && version->text);
  EXPECT_EQ(version->text->rfind("vineyardd ", 0), 0u);
}

TEST(Options, TheLastOfTwoWins) {
  EXPECT_EQ(Parsed({"--size=1Gi", "--size=2Gi"}).size_bytes, 2 * kGiB);
}

TEST(Options, ToArgumentsGivesTheSameOptionsWhateverTheEnvironmentSays) {
  Options options =
      Parsed({"--socket=/tmp/x y.sock", "--size=123456789", "--prefault=1Mi", "--evict=drop",
              "--log-level=warning", "--log-format=json", "--lifeline=5"});
  options.keeper_state = 7;
  options.made_folders = 2;
  Options again = Parsed(options.ToArguments(), {"VINEYARD_SIZE=1Gi", "VINEYARD_RPC=true"});
  EXPECT_EQ(again.socket, "/tmp/x y.sock");
  EXPECT_EQ(again.size_bytes, 123456789u);
  EXPECT_EQ(again.prefault_bytes, kMiB);
  EXPECT_EQ(again.eviction, store::Eviction::kDrop);
  EXPECT_EQ(again.log_level, LogLevel::kWarning);
  EXPECT_EQ(again.log_format, LogFormat::kJson);
  EXPECT_EQ(again.lifeline, 5);
  EXPECT_EQ(again.keeper_state, 7);
  EXPECT_EQ(again.made_folders, 2);
}

TEST(Options, ToArgumentsGivesTheSameMetadataServiceAgain) {
  Options options = Parsed({"--socket=/s", "--meta=auto:2999", "--meta-session-timeout=3500ms",
                            "--meta-heap=2Gi", "--meta-dir=/x y"});
  Options again = Parsed(options.ToArguments(), {"VINEYARD_META=local", "VINEYARD_META_HEAP=3Gi"});
  EXPECT_EQ(again.ToArguments(), options.ToArguments());
  EXPECT_EQ(again.meta.Text(), "auto:2999");
  EXPECT_EQ(again.meta.servers, "127.0.0.1:2999");
  EXPECT_EQ(again.meta.session_timeout_ms, 3500u);
  EXPECT_EQ(again.meta.heap_bytes, 2 * kGiB);
  EXPECT_EQ(again.meta.folder, "/x y");
  EXPECT_FALSE(again.meta.own_folder);
  EXPECT_EQ(Parsed(Parsed({"--meta=zookeeper://a,b:1/p/q"}).ToArguments()).meta.Text(),
            "zookeeper://a:2181,b:1/p/q");
  EXPECT_EQ(Parsed(Parsed({"--meta=local"}).ToArguments(), {"VINEYARD_META=auto"}).meta.Text(),
            "local");
}

TEST(Options, TheMetadataServiceComesFromEnvironmentAndFileToo) {
  ConfigFile file("meta = \"auto:2999\"\nmeta_heap = \"2Gi\"\n");
  std::string config = "--config=" + file.path();
  EXPECT_EQ(Parsed({config}).meta.Text(), "auto:2999");
  EXPECT_EQ(Parsed({config}).meta.heap_bytes, 2 * kGiB);
  EXPECT_EQ(Parsed({config}, {"VINEYARD_META=auto:3000"}).meta.Text(), "auto:3000");
  EXPECT_EQ(Parsed({config, "--meta=zookeeper://h"}, {"VINEYARD_META=local"}).meta.Text(),
            "zookeeper://h:2181/vineyard");
}

TEST(Options, AFlagOfTheMetadataServiceWithoutEffectIsAWarning) {
  EXPECT_EQ(Parsed({"--meta=local", "--meta-heap=2Gi", "--meta-session-timeout=3s"},
                   {"VINEYARD_META_AUTH=/nowhere", "VINEYARD_META_DIR=/x"})
                .warnings,
            (std::vector<std::string>{
                "--meta-auth has no effect with --meta local; ignored",
                "--meta-session-timeout has no effect with --meta local; ignored",
                "--meta-heap has no effect with --meta local; ignored",
                "--meta-dir has no effect with --meta local; ignored",
            }));
  EXPECT_EQ(
      Parsed({"--meta=zookeeper://h", "--meta-heap=2Gi"}).warnings,
      (std::vector<std::string>{"--meta-heap has no effect with --meta zookeeper://h; ignored"}));
  EXPECT_TRUE(Parsed({"--meta=auto", "--meta-heap=2Gi", "--meta-dir=/x"}).warnings.empty());
}

}  // namespace
}  // namespace vineyard::daemon

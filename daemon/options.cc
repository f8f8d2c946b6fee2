#include "daemon/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>

#include "core/base/bytes.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"
#include "core/wire/address.h"
#include "core/wire/frame.h"
#include "daemon/log.h"
#include "daemon/size.h"
#include "daemon/words.h"

namespace vineyard::daemon {
namespace {

constexpr uint64_t kMinSize = kMiB;
constexpr uint64_t kMaxSize = uint64_t{1} << 47;  // what a process can map

constexpr const char* kFooter =
    "Sizes: 1073741824, 512Mi, 4Gi (powers of 1024), 4GB (powers of 1000). Times: 10s, 1500ms.\n"
    "Each option can also be set in the environment: VINEYARD_SIZE=4Gi for --size=4Gi.\n"
    "The command line wins over the environment, the environment over the file of --config\n"
    "(lines like: size = 4Gi). SIGTERM or SIGINT ends the daemon and frees the memory.";

// What the options say, as text, before it is looked at.
struct Said {
  std::string socket, size, evict = "none", checksum = "small", prefault, log_level = "info",
                            config;
  std::string fsck, upgrade;
  SaidOfMeta meta;
  int lifeline = -1, keeper_state = -1, made_folders = 0;
};

// An option that people know and that this version does not have: an error, or where nothing is
// lost by going on, a warning.
struct Unavailable {
  const char* name;
  bool fatal;
  const char* reason;
  std::string said;
};

std::vector<Unavailable> UnavailableOptions() {
  const char* remote = "access from other hosts is not available yet";
  const char* spill = "spilling to disk is not available yet; --evict drop frees unused objects";
  const char* stream = "streams are not available yet";
  const char* meta = "etcd is not available; --meta zookeeper://HOST:PORT/PREFIX names a cluster";
  return {{"rpc", true, remote, ""},
          {"rpc-socket-port", true, remote, ""},
          {"spill-path", true, spill, ""},
          {"spill-lower-rate", false, spill, ""},
          {"spill-upper-rate", false, spill, ""},
          {"stream-threshold", false, stream, ""},
          {"etcd-endpoint", true, meta, ""},
          {"etcd-prefix", false, meta, ""}};
}

std::string Replaced(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

// "--log-level,--log_level": both forms, also in the file.
std::string Names(const std::string& name) {
  std::string other = Replaced(name, '-', '_');
  return name == other ? "--" + name : "--" + name + ",--" + other;
}

// Shows one name of each option, the one with '-'.
class OneName : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool) const override {
    return "--" + option->get_lnames().front();
  }
};

void Define(CLI::App* app, Said* said, std::vector<Unavailable>* unavailable) {
  auto add = [app](const char* name, auto* value, const char* type, const std::string& text) {
    return app->add_option(Names(name), *value, text)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  };
  add("socket", &said->socket, "PATH",
      "Where clients connect. Default: /var/run/vineyard.sock for root, else "
      "$XDG_RUNTIME_DIR/vineyard.sock, where that is not set /tmp/vineyard-UID/vineyard.sock");
  add("size", &said->size, "SIZE", "Memory for objects. Default: half of this machine's memory");
  add("prefault", &said->prefault, "SIZE", "Free memory kept ready for writing. Default: 0");
  add("evict", &said->evict, "POLICY",
      "When memory is full: none (a put fails) or drop (objects that nobody uses go, the least "
      "recently used first). Default: none");
  add("checksum", &said->checksum, "WHICH",
      "Whose bytes get a checksum, which --fsck and reads with verify look at: none, small (up to "
      "1 MiB) or all. Metadata always has one. Default: small");
  add("meta", &said->meta.where, "WHERE",
      "Where metadata is kept: local (this host only), zookeeper://HOST:PORT,HOST:PORT/PREFIX (a "
      "cluster; /vineyard when no prefix is given), auto or auto:PORT (the ZooKeeper of this "
      "machine, at port 2181, started when none answers). Default: " +
          std::string(kDefaultMeta));
  add("meta-auth", &said->meta.auth, "FILE",
      "A file with one line, user:secret, for its owner only: the cluster is then for who knows "
      "it");
  add("meta-session-timeout", &said->meta.session_timeout, "TIME",
      "A daemon that the cluster has not heard of for so long is taken for dead. Default: 10s");
  add("meta-heap", &said->meta.heap, "SIZE",
      "With auto: memory of a started ZooKeeper. Default: 1GiB");
  add("meta-dir", &said->meta.folder, "DIR",
      "With auto: folder of a started ZooKeeper. Default: /var/run/vineyard-zookeeper-PORT for "
      "root, else /tmp/vineyard-UID/zookeeper-PORT");
  add("log-level", &said->log_level, "LEVEL", "debug, info, warning or error. Default: info");
  add("fsck", &said->fsck, "SOCKET",
      "Starts nothing: checks the daemon that listens there, its books and every byte that has a "
      "checksum, and prints what it found. Exit status 0: all in order, 1: something is damaged, "
      "2: "
      "it could not be checked")
      ->configurable(false);
  add("upgrade", &said->upgrade, "SOCKET",
      "Takes the place of the program that serves there, with its objects and its options: readers "
      "do not notice, others reconnect. Refuses when this program does not understand that one's "
      "memory. Exit status 0: this one serves now, 1: the other one goes on")
      ->configurable(false);
  // Descriptors, which only the program that starts this one can know.
  add("lifeline", &said->lifeline, "FD", "")->group("")->configurable(false);
  add("keeper-state", &said->keeper_state, "FD", "")->group("")->configurable(false);
  add("made-folders", &said->made_folders, "N", "")->group("")->configurable(false);
  for (Unavailable& option : *unavailable) add(option.name, &option.said, "", "")->group("");
  app->set_config(Names("config"), "", "Reads options from this file")->type_name("FILE");
  app->allow_config_extras(CLI::config_extras_mode::error);
}

// Flags may be written with '_'.
std::string WithDashes(const std::string& argument) {
  if (argument.rfind("--", 0) != 0) return argument;
  size_t end = std::min(argument.find('='), argument.size());
  return Replaced(argument.substr(0, end), '_', '-') + argument.substr(end);
}

bool Says(const std::vector<std::string>& arguments, const std::string& flag) {
  return std::any_of(arguments.begin(), arguments.end(), [&flag](const std::string& argument) {
    return argument == flag || argument.rfind(flag + "=", 0) == 0;
  });
}

std::optional<std::string> Lookup(const std::vector<std::string>& environment,
                                  const std::string& name) {
  for (const std::string& entry : environment) {
    if (entry.rfind(name + "=", 0) == 0) return entry.substr(name.size() + 1);
  }
  return std::nullopt;
}

// --log-level: VINEYARD_LOG_LEVEL
std::string Upper(const std::string& flag) {
  std::string upper = "VINEYARD_" + Replaced(flag, '-', '_');
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

// CLI11 lets the file win over the environment, people expect the opposite: so what the environment
// says is appended to the command line.
void AddEnvironment(const CLI::App& app, const std::vector<std::string>& environment,
                    std::vector<std::string>* arguments) {
  for (const CLI::Option* option : app.get_options()) {
    std::string name = option->get_lnames().empty() ? "" : option->get_lnames().front();
    if (name.empty() || name == "help" || name == "version" || name == "config") continue;
    if (!option->get_configurable()) continue;  // for our own programs
    std::optional<std::string> value = Lookup(environment, Upper(name));
    if (value && !value->empty() && !Says(*arguments, "--" + name)) {
      arguments->push_back("--" + name + "=" + *value);
    }
  }
}

// ---- slips -------------------------------------------------------------------------------------

constexpr const char* kSeeHelp = " (see vineyardd --help)";

// What people may say, each with `before` in front of it.
std::vector<std::string> Known(const CLI::App& app, const std::string& before) {
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) known.push_back(before + option->get_lnames().front());
  }
  return known;
}

// CLI11 says what it did not expect from the last word to the first, and not which value is missing.
Status CheckWords(const CLI::App& app, const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    std::string flag = word.substr(0, word.find('='));
    const CLI::Option* option = nullptr;
    if (flag.rfind("--", 0) == 0 && flag.size() > 2) option = app.get_option_no_throw(flag);
    if (option == nullptr) {
      return Invalid("'" + flag + "': there is no such option" +
                     DidYouMean(flag, Known(app, "--")) + kSeeHelp);
    }
    bool takes_value = option->get_items_expected_max() > 0;
    if (!takes_value) continue;
    bool joined = flag.size() < word.size();
    bool missing = !joined && (i + 1 == words.size() || words[i + 1].rfind("--", 0) == 0);
    if (missing) {
      return Invalid(flag + ": its value is missing: " + flag + " " + option->get_type_name() +
                     kSeeHelp);
    }
    std::string value = joined ? word.substr(flag.size() + 1) : words[++i];
    if (value.empty() && !option->get_group().empty()) {
      return Invalid(flag + ": its value is empty; give one, or leave " + flag + " out" + kSeeHelp);
    }
  }
  return OkStatus();
}

// The line of the file that CLI11 does not take; it says the word only.
std::string WhereInFile(const CLI::App& app, const std::string& path) {
  std::ifstream file(path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    std::string key = line.substr(0, line.find('='));
    key.erase(std::remove_if(key.begin(), key.end(), is_space), key.end());
    if (key.empty() || key[0] == '#' || key[0] == ';') continue;
    const CLI::Option* option = app.get_option_no_throw("--" + Replaced(key, '_', '-'));
    if (option != nullptr && option->get_configurable()) continue;
    return Format("%s line %d: '%s': ", path.c_str(), number, key.c_str()) +
           (key[0] == '[' ? "there are no sections; leave it out"
                          : "there is no such setting" + DidYouMean(key, Known(app, "")));
  }
  return "";
}

// Names of others' variables that begin like ours: the client's, and what Kubernetes and Docker set for a
// service that is called vineyard.
bool IsOfOthers(const std::string& name) {
  for (const char* begin :
       {"VINEYARD_IPC_SOCKET", "VINEYARD_RPC_ENDPOINT", "VINEYARD_REMOTE", "VINEYARD_CONFIG",
        "VINEYARD_SERVICE_", "VINEYARD_PORT", "VINEYARD_ENV_"}) {
    if (name.rfind(begin, 0) == 0) return true;
  }
  return false;
}

void WarnOfUnknown(const CLI::App& app, const std::vector<std::string>& environment,
                   std::vector<std::string>* warnings) {
  std::vector<std::string> known, shown;
  for (const CLI::Option* option : app.get_options()) {
    const std::string& name = option->get_lnames().front();
    if (!option->get_configurable() || name == "version") continue;
    known.push_back(Upper(name));
    if (!option->get_group().empty()) shown.push_back(known.back());
  }
  for (const std::string& entry : environment) {
    std::string name = entry.substr(0, entry.find('='));
    if (name.rfind("VINEYARD_", 0) != 0 || IsOfOthers(name)) continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    warnings->push_back(name + " in the environment is ignored: there is no such setting" +
                        DidYouMean(name, shown));
  }
}

// ---- meaning -----------------------------------------------------------------------------------

Result<uint64_t> SizeOf(const char* flag, const std::string& text) {
  Result<uint64_t> size = ParseSize(text);
  if (!size.ok()) {
    return Status(size.status().code(), std::string(flag) + ": " + size.status().text());
  }
  return size;
}

Status CheckSize(const Options& options, uint64_t memory_limit) {
  if (options.size_bytes < kMinSize || options.size_bytes > kMaxSize) {
    return Limit("--size: " + PrintSize(options.size_bytes) + ": it must be between " +
                 PrintSize(kMinSize) + " and " + PrintSize(kMaxSize));
  }
  // Memory that nobody has would be given out all the same, until the kernel kills somebody. A daemon
  // that becomes its own keeper has its size already, whatever its cgroup says today.
  if (options.size_bytes > memory_limit && options.keeper_state < 0) {
    return Limit("--size: " + PrintSize(options.size_bytes) + ": this machine (or cgroup) has " +
                 PrintSize(memory_limit) +
                 " of memory; choose less, or leave --size out for half of it");
  }
  return OkStatus();
}

Status Interpret(const Said& said, const std::vector<std::string>& environment,
                 uint64_t memory_limit, Options* options) {
  options->lifeline = said.lifeline;
  options->keeper_state = said.keeper_state;
  options->made_folders = said.made_folders;
  options->socket = said.socket.empty() ? DefaultSocket(geteuid(), environment) : said.socket;
  options->socket = std::filesystem::absolute(options->socket).lexically_normal().string();
  if (said.size.empty()) {
    options->size_bytes = RoundDown(memory_limit / 2, 2 * kMiB);
  } else {
    ASSIGN_OR_RETURN(options->size_bytes, SizeOf("--size", said.size));
  }
  RETURN_IF_ERROR(CheckSize(*options, memory_limit));
  if (!said.prefault.empty()) {
    ASSIGN_OR_RETURN(options->prefault_bytes, SizeOf("--prefault", said.prefault));
  }
  if (options->prefault_bytes > options->size_bytes) {
    return Limit("--prefault: " + PrintSize(options->prefault_bytes) + ": it is more than --size");
  }
  ASSIGN_OR_RETURN(options->meta, InterpretMeta(said.meta, memory_limit, said.keeper_state >= 0,
                                                &options->warnings));
  if (said.evict == "drop") {
    options->eviction = store::Eviction::kDrop;
  } else if (said.evict == "spill") {
    return {Code::kUnsupported, "--evict spill: spilling to disk is not available yet"};
  } else if (said.evict != "none") {
    return Invalid("--evict '" + said.evict + "': expected none or drop");
  }
  if (said.checksum == "all") {
    options->checksum_limit = UINT64_MAX;
  } else if (said.checksum == "none") {
    options->checksum_limit = 0;
  } else if (said.checksum != "small") {
    return Invalid("--checksum '" + said.checksum + "': expected none, small or all");
  }
  std::optional<LogLevel> level = ParseLogLevel(said.log_level);
  if (!level) {
    return Invalid("--log-level '" + said.log_level + "': expected debug, info, warning or error");
  }
  options->log_level = *level;
  return OkStatus();
}

bool IsOff(const std::string& value) {
  return value.empty() || value == "false" || value == "0" || value == "off" || value == "no";
}

}  // namespace

Result<Command> ParseCommand(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment, uint64_t memory_limit) {
  CLI::App app("vineyardd keeps immutable objects in shared memory for the processes of this host.",
               "vineyardd");
  app.formatter(std::make_shared<OneName>());
  app.get_formatter()->column_width(22);
  app.set_help_flag("--help", "Prints this text");
  bool version = false;
  app.add_flag("--version", version, "Prints the version");
  app.footer(kFooter);
  Said said;
  std::vector<Unavailable> unavailable = UnavailableOptions();
  Define(&app, &said, &unavailable);

  std::vector<std::string> words;
  words.reserve(arguments.size());
  for (const std::string& argument : arguments) words.push_back(WithDashes(argument));
  // "--rpc" alone means yes.
  std::replace(words.begin(), words.end(), std::string("--rpc"), std::string("--rpc=true"));
  RETURN_IF_ERROR(CheckWords(app, words));
  Command command;
  if (!Says(words, "--keeper-state")) {
    AddEnvironment(app, environment, &words);
    WarnOfUnknown(app, environment, &command.options.warnings);
  }
  std::reverse(words.begin(), words.end());  // as CLI11 wants it
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    std::string text = app.help();
    size_t gap = text.find("\n\n\n");  // CLI11 puts two empty lines in front of the footer
    if (gap != std::string::npos) text.erase(gap, 1);
    command.text = text;
    return command;
  } catch (const CLI::ConfigError& error) {
    std::string where = WhereInFile(app, app.get_config_ptr()->as<std::string>());
    return Invalid((where.empty() ? error.what() : where) + kSeeHelp);
  } catch (const CLI::ParseError& error) {
    return Invalid(std::string(error.what()) + kSeeHelp);
  }
  if (version) {
    command.text = Format("vineyardd %s (protocol %d, memory layout %u)\n", VINEYARD_BUILD_VERSION,
                          wire::kProtocolVersion, shm::kLayoutVersion);
    return command;
  }
  if (!said.fsck.empty()) {
    command.fsck = said.fsck;
    return command;
  }
  if (!said.upgrade.empty()) {
    command.upgrade = said.upgrade;
    return command;
  }
  for (const Unavailable& option : unavailable) {
    if (IsOff(option.said)) continue;
    std::string text = std::string("--") + option.name + ": " + option.reason;
    if (option.fatal) return Status(Code::kUnsupported, text);
    command.options.warnings.push_back(text + "; ignored");
  }
  RETURN_IF_ERROR(Interpret(said, environment, memory_limit, &command.options));
  return command;
}

std::string DefaultSocket(uint32_t uid, const std::vector<std::string>& environment) {
  std::optional<std::string> runtime = Lookup(environment, "XDG_RUNTIME_DIR");
  return wire::DefaultSocketPath(uid, runtime ? runtime->c_str() : nullptr);
}

std::string_view EvictionName(store::Eviction eviction) {
  return eviction == store::Eviction::kDrop ? "drop" : "none";
}

std::string_view ChecksumName(uint64_t limit) {
  if (limit == 0) return "none";
  return limit == UINT64_MAX ? "all" : "small";
}

std::vector<std::string> Options::ToArguments() const {
  std::vector<std::string> arguments = {
      "--socket=" + socket,
      "--size=" + std::to_string(size_bytes),
      "--prefault=" + std::to_string(prefault_bytes),
      "--evict=" + std::string(EvictionName(eviction)),
      "--checksum=" + std::string(ChecksumName(checksum_limit)),
      "--log-level=" + std::string(LogLevelName(log_level)),
  };
  for (std::string& argument : meta.ToArguments()) arguments.push_back(std::move(argument));
  if (lifeline >= 0) arguments.push_back("--lifeline=" + std::to_string(lifeline));
  if (keeper_state >= 0) arguments.push_back("--keeper-state=" + std::to_string(keeper_state));
  if (made_folders > 0) arguments.push_back("--made-folders=" + std::to_string(made_folders));
  return arguments;
}

}  // namespace vineyard::daemon

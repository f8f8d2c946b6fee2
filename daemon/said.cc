#include "daemon/said.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>

#include "core/base/bytes.h"
#include "core/shm/layout.h"
#include "core/wire/frame.h"
#include "daemon/config_file.h"
#include "daemon/words.h"

namespace vineyard::daemon {
namespace {

constexpr const char* kFooter =
    "Sizes: 1073741824, 512Mi, 4Gi (powers of 1024), 4GB (powers of 1000). Times: 10s, 1500ms.\n"
    "Each option can also be set in the environment: VINEYARD_SIZE=4Gi for --size=4Gi.\n"
    "The command line wins over the environment, the environment over the file of --config\n"
    "(lines like: size = \"4Gi\"). SIGTERM or SIGINT ends the daemon and frees the memory.";

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
  const char* stream = "streams are not available yet";
  const char* meta = "etcd is not available; --meta zookeeper://HOST:PORT/PREFIX names a cluster";
  return {{"rpc", true, remote, ""},
          {"rpc-socket-port", true, remote, ""},
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

void Define(CLI::App* app, Said* said, std::string* config, std::vector<Unavailable>* unavailable) {
  auto add = [app](const char* name, auto* value, const char* type, const std::string& text) {
    return app->add_option(Names(name), *value, text)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  };
  add("socket", &said->socket, "PATH",
      "Where clients connect. Default: /var/run/vineyard.sock for root, else "
      "$XDG_RUNTIME_DIR/vineyard.sock, where that is not set /tmp/vineyard-UID/vineyard.sock");
  add("allow-uid", &said->allow_uid, "UIDS",
      "Users, beside one's own and root, who may connect: names or numbers, with ',' between them, "
      "or any. Each sees what it put, and what others share with it");
  add("allow-gid", &said->allow_gid, "GIDS", "Groups whose users may connect");
  add("socket-mode", &said->socket_mode, "MODE",
      "Of the socket. Default: 0600, with --allow-uid or --allow-gid 0666 (who connects is looked "
      "at)");
  add("share", &said->share, "WITH",
      "Who may read what is put, where the put says nothing: uid (its user), gid (its group, too) "
      "or "
      "all (who may connect). Default: uid");
  add("quota", &said->quota, "SIZE",
      "Memory of each user but one's own, of --size. Default: all of it");
  add("size", &said->size, "SIZE", "Memory for objects. Default: half of this machine's memory");
  add("prefault", &said->prefault, "SIZE", "Free memory kept ready for writing. Default: 0");
  add("evict", &said->evict, "POLICY",
      "When memory is full: none (a put fails), spill (objects that nobody uses go to files, the "
      "least "
      "recently used first, and come back when they are asked for) or drop (they are deleted). "
      "Default: "
      "spill with --spill-path, else none");
  add("spill-path", &said->spill_path, "DIR",
      "With spill: a folder on a disk, which must exist; the daemon makes a folder of its own in "
      "it");
  add("spill-upper-rate", &said->spill_upper_rate, "SHARE",
      "With spill: objects go before memory is full, when more than this share of --size is used. "
      "Default: 0.8");
  add("spill-lower-rate", &said->spill_lower_rate, "SHARE",
      "With spill: and until no more than this share is used. Default: 0.3");
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
  add("log-format", &said->log_format, "FORMAT",
      "text, or json: an object a line with time, pid, level and text. Default: text");
  add("fsck", &said->fsck, "SOCKET",
      "Starts nothing: checks the daemon that listens there, its books and every byte that has a "
      "checksum (as another user: the bytes that are its own), and prints what it found. Exit "
      "status 0: all in order, 1: something is damaged, "
      "2: "
      "it could not be checked")
      ->configurable(false);
  add("upgrade", &said->upgrade, "SOCKET",
      "Takes the place of the program that serves there, with its objects and its options: readers "
      "do not notice, others reconnect. Refuses when this program does not understand that one's "
      "memory. Exit status 0: this one serves now, 1: the other one goes on")
      ->configurable(false);
  auto ask = [app](const char* name, bool* value, const char* text) {
    app->add_flag(Names(name), *value, text)->configurable(false);
  };
  ask("check-config", &said->check_config,
      "Starts nothing: prints the options in effect, as a file for --config, and who said them. "
      "Exit "
      "status 0, or 2 when an option can not be right");
  ask("doctor", &said->doctor,
      "Starts nothing: looks whether this machine suits the options, and says what to change. Exit "
      "status 0: it does, 1: something has to change");
  // Descriptors, which only the program that starts this one can know.
  add("lifeline", &said->lifeline, "FD", "")->group("")->configurable(false);
  add("keeper-state", &said->keeper_state, "FD", "")->group("")->configurable(false);
  add("made-folders", &said->made_folders, "N", "")->group("")->configurable(false);
  for (Unavailable& option : *unavailable) add(option.name, &option.said, "", "")->group("");
  add("config", config, "FILE", "Reads options from this file (TOML): size = \"4Gi\"")
      ->configurable(false);
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

// --log-level: VINEYARD_LOG_LEVEL
std::string Upper(const std::string& flag) {
  std::string upper = "VINEYARD_" + Replaced(flag, '-', '_');
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

// What the environment says and the command line does not.
void AddEnvironment(const CLI::App& app, const std::vector<std::string>& environment,
                    std::vector<std::string>* words, Origins* origins) {
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_configurable()) continue;  // for our own programs
    const std::string& name = option->get_lnames().front();
    std::optional<std::string> value = Lookup(environment, Upper(name));
    if (!value || value->empty() || origins->count(name) != 0) continue;
    words->push_back("--" + name + "=" + *value);
    (*origins)[name] = Upper(name) + " in the environment";
  }
}

// What the file says and neither of the others.
Status AddFile(const CLI::App& app, const std::string& path, std::vector<std::string>* words,
               Origins* origins) {
  std::vector<KnownSetting> known;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_configurable()) continue;
    std::string type = option->get_type_name();
    SettingKind kind = type.empty()     ? SettingKind::kAny
                       : type == "SIZE" ? SettingKind::kSize
                       : type == "TIME" ? SettingKind::kTime
                                        : SettingKind::kText;
    known.push_back({option->get_lnames().front(), kind, !option->get_group().empty()});
  }
  ASSIGN_OR_RETURN(std::vector<Setting> settings, ReadConfigFile(path, known));
  for (Setting& setting : settings) {
    if (origins->count(setting.name) != 0) continue;
    words->push_back("--" + setting.name + "=" + setting.value);
    (*origins)[setting.name] = std::move(setting.where);
  }
  return OkStatus();
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
    if (!option->get_configurable()) continue;
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

bool IsOff(const std::string& value) {
  return value.empty() || value == "false" || value == "0" || value == "off" || value == "no";
}

Status CheckAvailable(const std::vector<Unavailable>& unavailable,
                      std::vector<std::string>* warnings) {
  for (const Unavailable& option : unavailable) {
    if (IsOff(option.said)) continue;
    std::string text = std::string("--") + option.name + ": " + option.reason;
    if (option.fatal) return Status(Code::kUnsupported, text);
    warnings->push_back(text + "; ignored");
  }
  return OkStatus();
}

std::string Help(const CLI::App& app) {
  std::string text = app.help();
  size_t gap = text.find("\n\n\n");  // CLI11 puts two empty lines in front of the footer
  if (gap != std::string::npos) text.erase(gap, 1);
  return text;
}

std::string Version() {
  return Format("vineyardd %s (protocol %d, memory layout %u)\n", VINEYARD_BUILD_VERSION,
                wire::kProtocolVersion, shm::kLayoutVersion);
}

// The value of `flag` on the command line; empty: it is not there.
std::string LastValue(const std::vector<std::string>& words, const std::string& flag) {
  std::string value;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].rfind(flag + "=", 0) == 0) value = words[i].substr(flag.size() + 1);
    if (words[i] == flag && i + 1 < words.size()) value = words[i + 1];
  }
  return value;
}

}  // namespace

std::optional<std::string> Lookup(const std::vector<std::string>& environment,
                                  const std::string& name) {
  for (const std::string& entry : environment) {
    if (entry.rfind(name + "=", 0) == 0) return entry.substr(name.size() + 1);
  }
  return std::nullopt;
}

Status WithOrigin(const Status& status, const Origins& origins) {
  if (status.ok() || status.text().rfind("--", 0) != 0) return status;
  const std::string& text = status.text();
  auto origin = origins.find(text.substr(2, text.find_first_of(": '", 2) - 2));
  if (origin == origins.end() || origin->second == kCommandLine) return status;
  return {status.code(), origin->second + ": " + text};
}

Result<Said> Listen(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment) {
  CLI::App app("vineyardd keeps immutable objects in shared memory for the processes of this host.",
               "vineyardd");
  app.formatter(std::make_shared<OneName>());
  app.get_formatter()->column_width(22);
  app.set_help_flag("--help", "Prints this text");
  bool version = false;
  app.add_flag("--version", version, "Prints the version")->configurable(false);
  app.footer(kFooter);
  Said said;
  std::string config;
  std::vector<Unavailable> unavailable = UnavailableOptions();
  Define(&app, &said, &config, &unavailable);

  std::vector<std::string> words;
  words.reserve(arguments.size());
  for (const std::string& argument : arguments) words.push_back(WithDashes(argument));
  // "--rpc" alone means yes.
  std::replace(words.begin(), words.end(), std::string("--rpc"), std::string("--rpc=true"));
  RETURN_IF_ERROR(CheckWords(app, words));
  if (Says(words, "--help")) {
    said.text = Help(app);
    return said;
  }
  if (Says(words, "--version")) {
    said.text = Version();
    return said;
  }
  for (const CLI::Option* option : app.get_options()) {
    const std::string& name = option->get_lnames().front();
    if (Says(words, "--" + name)) said.origins[name] = kCommandLine;
  }
  if (!Says(words, "--keeper-state")) {
    std::string file = LastValue(words, "--config");
    AddEnvironment(app, environment, &words, &said.origins);
    if (!file.empty()) RETURN_IF_ERROR(AddFile(app, file, &words, &said.origins));
    WarnOfUnknown(app, environment, &said.warnings);
  }
  std::reverse(words.begin(), words.end());  // as CLI11 wants it
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return Invalid(std::string(error.what()) + kSeeHelp);
  }
  if (said.fsck.empty() && said.upgrade.empty()) {
    RETURN_IF_ERROR(WithOrigin(CheckAvailable(unavailable, &said.warnings), said.origins));
  }
  return said;
}

}  // namespace vineyard::daemon

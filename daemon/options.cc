#include "daemon/options.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/base/bytes.h"
#include "core/wire/address.h"
#include "daemon/config_file.h"
#include "daemon/said.h"
#include "daemon/size.h"

namespace vineyard::daemon {
namespace {

constexpr uint64_t kMinSize = kMiB;
constexpr uint64_t kMinQuota = 16 * kMiB;         // tables of an audience take some of it
constexpr uint64_t kMaxSize = uint64_t{1} << 47;  // what a process can map

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
  if (options.size_bytes > memory_limit) {
    return Limit("--size: " + PrintSize(options.size_bytes) + ": this machine (or cgroup) has " +
                 PrintSize(memory_limit) +
                 " of memory; choose less, or leave --size out for half of it");
  }
  return OkStatus();
}

Result<double> ShareOf(const char* flag, const std::string& text) {
  double share = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || end != text.data() + text.size() || !(share > 0 && share <= 1)) {
    return Invalid(std::string(flag) + " '" + text + "': expected a share of --size, as 0.8");
  }
  return share;
}

Status InterpretEviction(const Said& said, Options* options) {
  bool has_path = !said.spill_path.empty();
  if (said.evict == "drop") {
    options->eviction = store::Eviction::kDrop;
  } else if (said.evict == "spill" || (said.evict.empty() && has_path)) {
    options->eviction = store::Eviction::kSpill;
  } else if (!said.evict.empty() && said.evict != "none") {
    return Invalid("--evict '" + said.evict + "': expected none, spill or drop");
  }
  bool spills = options->eviction == store::Eviction::kSpill;
  if (spills && !has_path) {
    return Invalid("--evict spill: say where with --spill-path, a folder on a disk");
  }
  if (!spills && has_path) {
    return Invalid("--spill-path: --evict " + said.evict + " spills nothing; say --evict spill");
  }
  if (has_path) {
    options->spill_path = std::filesystem::absolute(said.spill_path).lexically_normal().string();
  }
  ASSIGN_OR_RETURN(options->spill_upper_rate, ShareOf("--spill-upper-rate", said.spill_upper_rate));
  ASSIGN_OR_RETURN(options->spill_lower_rate, ShareOf("--spill-lower-rate", said.spill_lower_rate));
  if (options->spill_lower_rate > options->spill_upper_rate) {
    return Invalid("--spill-lower-rate: " + said.spill_lower_rate +
                   ": it is more than --spill-upper-rate, " + said.spill_upper_rate);
  }
  return OkStatus();
}

// Names of users and groups, or numbers: "1000,ann". `number_of`: -1: there is none of this name.
Result<std::vector<uint32_t>> IdsOf(const char* flag, const std::string& text,
                                    int64_t (*number_of)(const char* name), bool* any) {
  std::vector<uint32_t> ids;
  for (size_t from = 0; from <= text.size();) {
    size_t end = std::min(text.find(',', from), text.size());
    std::string word = text.substr(from, end - from);
    from = end + 1;
    if (word == "any" && any != nullptr) {
      *any = true;
      continue;
    }
    uint32_t id = 0;
    auto [parsed, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || parsed != word.data() + word.size() || word.empty()) {
      int64_t known = word.empty() ? -1 : number_of(word.c_str());
      if (known < 0) {
        return Invalid(std::string(flag) + " '" + word + "': neither a number nor a name that " +
                       "this machine knows");
      }
      id = static_cast<uint32_t>(known);
    }
    if (id == UINT32_MAX || id == wire::kOverflowUid) {
      return Invalid(std::string(flag) + " '" + word + "': this number stands for nobody");
    }
    ids.push_back(id);
  }
  return ids;
}

int64_t NumberOfUser(const char* name) {
  const passwd* user = getpwnam(name);
  return user == nullptr ? -1 : user->pw_uid;
}
int64_t NumberOfGroup(const char* name) {
  const group* found = getgrnam(name);
  return found == nullptr ? -1 : found->gr_gid;
}

Status InterpretAccess(const Said& said, Options* options) {
  if (!said.allow_uid.empty()) {
    ASSIGN_OR_RETURN(options->access.uids,
                     IdsOf("--allow-uid", said.allow_uid, NumberOfUser, &options->access.all));
  }
  if (!said.allow_gid.empty()) {
    ASSIGN_OR_RETURN(options->access.gids,
                     IdsOf("--allow-gid", said.allow_gid, NumberOfGroup, nullptr));
  }
  // Who connects is looked at: the mode only has to let them through.
  options->socket_mode = options->access.is_own_only() ? 0600 : 0666;
  if (!said.socket_mode.empty()) {
    const char* end = said.socket_mode.data() + said.socket_mode.size();
    auto [parsed, error] =
        std::from_chars(said.socket_mode.data(), end, options->socket_mode, /*base=*/8);
    if (error != std::errc() || parsed != end || options->socket_mode > 0777 ||
        (options->socket_mode & 0600) != 0600) {
      return Invalid("--socket-mode '" + said.socket_mode +
                     "': expected the mode of a file that its owner may read and write, as 0660");
    }
  }
  if (said.share == "gid") {
    options->share = wire::Share::kGid;
  } else if (said.share == "all") {
    options->share = wire::Share::kAll;
  } else if (!said.share.empty() && said.share != "uid") {
    return Invalid("--share '" + said.share + "': expected uid, gid or all");
  }
  options->quota_bytes = options->size_bytes;
  if (!said.quota.empty()) {
    ASSIGN_OR_RETURN(options->quota_bytes, SizeOf("--quota", said.quota));
    if (options->quota_bytes < kMinQuota || options->quota_bytes > options->size_bytes) {
      return Limit("--quota: " + PrintSize(options->quota_bytes) + ": it must be between " +
                   PrintSize(kMinQuota) + " and --size, " + PrintSize(options->size_bytes));
    }
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
  if (Status possible = wire::CheckSocketPath(options->socket); !possible.ok()) {
    return Status(possible.code(), "--socket: " + options->socket + ": " + possible.text());
  }
  if (said.size.empty()) {
    options->size_bytes = RoundDown(memory_limit / 2, 2 * kMiB);
  } else {
    ASSIGN_OR_RETURN(options->size_bytes, SizeOf("--size", said.size));
  }
  bool is_bound = said.keeper_state < 0 && !said.doctor;  // which has more to say of it
  RETURN_IF_ERROR(CheckSize(*options, is_bound ? memory_limit : UINT64_MAX));
  if (!said.prefault.empty()) {
    ASSIGN_OR_RETURN(options->prefault_bytes, SizeOf("--prefault", said.prefault));
  }
  if (options->prefault_bytes > options->size_bytes) {
    return Limit("--prefault: " + PrintSize(options->prefault_bytes) + ": it is more than --size");
  }
  ASSIGN_OR_RETURN(options->meta, InterpretMeta(said.meta, memory_limit, said.keeper_state >= 0,
                                                &options->warnings));
  RETURN_IF_ERROR(InterpretEviction(said, options));
  RETURN_IF_ERROR(InterpretAccess(said, options));
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
  std::optional<LogFormat> format = ParseLogFormat(said.log_format);
  if (!format) return Invalid("--log-format '" + said.log_format + "': expected text or json");
  options->log_format = *format;
  return OkStatus();
}

std::string PrintIds(const std::vector<uint32_t>& ids, bool any) {
  std::string text = any ? "any" : "";
  for (uint32_t id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

// A line of the options in effect. What nobody said is a comment, so that the file says the same again.
class Listing {
 public:
  explicit Listing(const Origins& origins) : origins_(origins) {}
  void Text(const std::string& name, std::string_view value) {
    Add(name, QuoteForConfigFile(value), "");
  }
  void Share(const std::string& name, double share) { Add(name, Format("%g", share), ""); }
  void Size(const std::string& name, uint64_t bytes) {
    Add(name, std::to_string(bytes), PrintSize(bytes) + ", ");
  }
  std::string Take() { return std::move(text_); }

 private:
  void Add(const std::string& name, const std::string& value, const std::string& remark) {
    auto origin = origins_.find(name);
    bool is_said = origin != origins_.end();
    text_ += (is_said ? "" : "# ") + name + " = " + value + "  # " + remark +
             (is_said ? origin->second : "the default") + "\n";
  }

  const Origins& origins_;
  std::string text_;
};

std::string Print(const Options& options, const Said& said) {
  Listing listing(said.origins);
  listing.Text("socket", options.socket);
  listing.Text("socket-mode", Format("%04o", options.socket_mode));
  if (!options.access.is_own_only()) {
    listing.Text("allow-uid", PrintIds(options.access.uids, options.access.all));
    listing.Text("allow-gid", PrintIds(options.access.gids, false));
    listing.Size("quota", options.quota_bytes);
  }
  listing.Text("share", ShareName(options.share));
  listing.Size("size", options.size_bytes);
  listing.Size("prefault", options.prefault_bytes);
  listing.Text("evict", EvictionName(options.eviction));
  if (options.eviction == store::Eviction::kSpill) {
    listing.Text("spill-path", options.spill_path);
    listing.Share("spill-upper-rate", options.spill_upper_rate);
    listing.Share("spill-lower-rate", options.spill_lower_rate);
  }
  listing.Text("checksum", ChecksumName(options.checksum_limit));
  listing.Text("meta", options.meta.Text());
  if (options.meta.kind != MetaKind::kLocal) {
    if (!options.meta.auth_file.empty()) listing.Text("meta-auth", options.meta.auth_file);
    listing.Text("meta-session-timeout", Format("%ums", options.meta.session_timeout_ms));
  }
  if (options.meta.kind == MetaKind::kAuto) {
    listing.Size("meta-heap", options.meta.heap_bytes);
    listing.Text("meta-dir", options.meta.folder);
  }
  listing.Text("log-level", LogLevelName(options.log_level));
  listing.Text("log-format", LogFormatName(options.log_format));
  std::string text = listing.Take();
  for (const std::string& warning : options.warnings) text += "# warning: " + warning + "\n";
  return text;
}

}  // namespace

Result<Command> ParseCommand(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment, uint64_t memory_limit) {
  ASSIGN_OR_RETURN(Said said, Listen(arguments, environment));
  Command command;
  command.text = said.text;
  if (said.text) return command;
  if (!said.fsck.empty()) {
    command.fsck = said.fsck;
    return command;
  }
  if (!said.upgrade.empty()) {
    command.upgrade = said.upgrade;
    return command;
  }
  command.options.warnings = said.warnings;
  RETURN_IF_ERROR(
      WithOrigin(Interpret(said, environment, memory_limit, &command.options), said.origins));
  if (said.check_config) command.text = Print(command.options, said);
  command.doctor = said.doctor;
  return command;
}

std::string DefaultSocket(uint32_t uid, const std::vector<std::string>& environment) {
  std::optional<std::string> runtime = Lookup(environment, "XDG_RUNTIME_DIR");
  return wire::DefaultSocketPath(uid, runtime ? runtime->c_str() : nullptr);
}

std::string_view ShareName(wire::Share share) {
  switch (share) {
    case wire::Share::kGid:
      return "gid";
    case wire::Share::kAll:
      return "all";
    default:
      return "uid";
  }
}

std::string_view EvictionName(store::Eviction eviction) {
  switch (eviction) {
    case store::Eviction::kDrop:
      return "drop";
    case store::Eviction::kSpill:
      return "spill";
    case store::Eviction::kNone:
      break;
  }
  return "none";
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
      "--log-format=" + std::string(LogFormatName(log_format)),
      "--share=" + std::string(ShareName(share)),
      Format("--socket-mode=%04o", socket_mode),
  };
  if (!access.is_own_only()) {
    std::string uids = PrintIds(access.uids, access.all), gids = PrintIds(access.gids, false);
    if (!uids.empty()) arguments.push_back("--allow-uid=" + uids);
    if (!gids.empty()) arguments.push_back("--allow-gid=" + gids);
    arguments.push_back("--quota=" + std::to_string(quota_bytes));
  }
  if (eviction == store::Eviction::kSpill) {
    arguments.push_back("--spill-path=" + spill_path);
    arguments.push_back(Format("--spill-upper-rate=%.17g", spill_upper_rate));
    arguments.push_back(Format("--spill-lower-rate=%.17g", spill_lower_rate));
  }
  for (std::string& argument : meta.ToArguments()) arguments.push_back(std::move(argument));
  if (lifeline >= 0) arguments.push_back("--lifeline=" + std::to_string(lifeline));
  if (keeper_state >= 0) arguments.push_back("--keeper-state=" + std::to_string(keeper_state));
  if (made_folders > 0) arguments.push_back("--made-folders=" + std::to_string(made_folders));
  return arguments;
}

}  // namespace vineyard::daemon

#include "daemon/meta_options.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "core/base/fd.h"
#include "core/meta/zookeeper/schema.h"
#include "daemon/duration.h"
#include "daemon/size.h"

namespace vineyard::daemon {
namespace {

constexpr std::string_view kScheme = "zookeeper://";
constexpr std::string_view kAuto = "auto";
constexpr const char* kDefaultPort = ":2181";
constexpr int64_t kMinSessionMs = 2000, kMaxSessionMs = 600'000;
constexpr uint64_t kMinHeap = 64 * kMiB;
constexpr size_t kMaxSecret = 1024;

Status Bad(const std::string& where, const std::string& why) {
  return Invalid("--meta '" + where + "': " + why);
}

std::optional<uint16_t> PortOf(std::string_view text) {
  unsigned port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(port);
}

bool IsHost(std::string_view host) {
  bool numbers = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (numbers) host = host.substr(1, host.size() - 2);
  return !host.empty() && std::all_of(host.begin(), host.end(), [numbers](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || (numbers ? c == ':' : c == '-' || c == '_');
  });
}

// "host:port" of "host:port" or "host".
Result<std::string> ServerOf(const std::string& where, std::string_view server) {
  size_t behind_host = server.empty() || server[0] != '[' ? 0 : server.find(']');
  size_t colon =
      behind_host == std::string_view::npos ? behind_host : server.find(':', behind_host);
  std::string_view host = server.substr(0, colon);
  if (!IsHost(host)) {
    return Bad(where, "'" + std::string(server) + "' is no server; expected is host:port");
  }
  if (colon == std::string_view::npos) return std::string(host) + kDefaultPort;
  if (!PortOf(server.substr(colon + 1))) {
    return Bad(where, "'" + std::string(server.substr(colon + 1)) +
                          "' is no port; expected is a number from 1 to 65535");
  }
  return std::string(server);
}

Status InterpretServers(const std::string& where, MetaOptions* options) {
  options->kind = MetaKind::kZookeeper;
  std::string_view rest = std::string_view(where).substr(kScheme.size());
  size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view prefix = rest.substr(slash);
  rest = rest.substr(0, slash);
  for (bool more = true; more;) {
    size_t comma = std::min(rest.find(','), rest.size());
    ASSIGN_OR_RETURN(std::string server, ServerOf(where, rest.substr(0, comma)));
    options->servers += (options->servers.empty() ? "" : ",") + server;
    more = comma < rest.size();
    rest = more ? rest.substr(comma + 1) : "";
  }
  if (prefix.size() <= 1) return OkStatus();
  options->prefix = prefix;
  Status checked = meta::zookeeper::Paths::CheckPrefix(prefix);
  return checked.ok() ? OkStatus() : Bad(where, checked.text());
}

Status InterpretAuto(const std::string& where, MetaOptions* options) {
  options->kind = MetaKind::kAuto;
  if (where.size() > kAuto.size()) {
    std::optional<uint16_t> port = PortOf(std::string_view(where).substr(kAuto.size() + 1));
    if (!port) return Bad(where, "expected is auto or auto:PORT, with a number from 1 to 65535");
    options->port = *port;
  }
  options->servers = Format("127.0.0.1:%u", options->port);
  return OkStatus();
}

Status InterpretWhere(const std::string& where, MetaOptions* options) {
  if (where == "local") return OkStatus();
  if (where.rfind(kScheme, 0) == 0) return InterpretServers(where, options);
  if (where == kAuto || where.rfind(std::string(kAuto) + ":", 0) == 0) {
    return InterpretAuto(where, options);
  }
  return Bad(where, "expected is local, auto, auto:PORT or zookeeper://HOST:PORT,HOST:PORT/PREFIX");
}

Status InterpretHeap(const std::string& said, uint64_t memory_limit, bool resumed,
                     MetaOptions* options) {
  Result<uint64_t> size = ParseSize(said);
  if (!size.ok()) return {size.status().code(), "--meta-heap: " + size.status().text()};
  options->heap_bytes = *size;
  options->heap_said = true;
  if (*size < kMinHeap || (*size > memory_limit && !resumed)) {
    return Limit("--meta-heap: " + PrintSize(*size) + ": it must be between " +
                 PrintSize(kMinHeap) + " and the memory of this machine (or cgroup), " +
                 PrintSize(memory_limit));
  }
  return OkStatus();
}

Status InterpretSessionTimeout(const std::string& said, MetaOptions* options) {
  Result<int64_t> ms = ParseDuration(said);
  if (!ms.ok()) return {ms.status().code(), "--meta-session-timeout: " + ms.status().text()};
  if (*ms < kMinSessionMs || *ms > kMaxSessionMs) {
    return Limit("--meta-session-timeout: " + PrintDuration(*ms) + ": it must be between " +
                 PrintDuration(kMinSessionMs) + " and " + PrintDuration(kMaxSessionMs));
  }
  options->session_timeout_ms = static_cast<uint32_t>(*ms);
  return OkStatus();
}

Status SecretError(const std::string& path, const std::string& why) {
  return Invalid("secret " + path + ": " + why);
}

}  // namespace

Result<std::string> ReadSecret(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0) return ErrnoStatus("secret " + path, errno);
  if (!S_ISREG(info.st_mode)) return SecretError(path, "it is no file");
  if (info.st_uid != geteuid()) {
    return Status(Code::kPermission,
                  Format("secret %s: it belongs to uid %u, this is uid %u; make a copy of your own",
                         path.c_str(), info.st_uid, geteuid()));
  }
  if ((info.st_mode & 077) != 0) {
    return Status(
        Code::kPermission,
        Format("secret %s: others than its owner may use it (mode %04o); type: chmod 600 %s",
               path.c_str(), info.st_mode & 07777, path.c_str()));
  }
  std::string text(kMaxSecret + 1, '\0');
  ssize_t size = read(file.get(), text.data(), text.size());
  if (size < 0) return ErrnoStatus("secret " + path, errno);
  text.resize(static_cast<size_t>(size));
  if (text.size() > kMaxSecret) {
    return SecretError(path, Format("it is longer than %zu bytes", kMaxSecret));
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  size_t colon = text.find(':');
  if (colon == 0 || colon == std::string::npos || colon + 1 == text.size() ||
      text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return SecretError(path, "expected is one line: user:secret");
  }
  return text;
}

std::string DefaultMetaFolder(uint32_t uid, uint16_t port) {
  if (uid == 0 && access("/var/run", W_OK | X_OK) == 0) {
    return Format("/var/run/vineyard-zookeeper-%u", port);
  }
  // Not in XDG_RUNTIME_DIR: not all daemons of a user have it, and all must meet.
  return Format("/tmp/vineyard-%u/zookeeper-%u", uid, port);
}

Result<MetaOptions> InterpretMeta(const SaidOfMeta& said, uint64_t memory_limit, bool resumed,
                                  std::vector<std::string>* warnings) {
  MetaOptions options;
  RETURN_IF_ERROR(InterpretWhere(said.where, &options));
  auto ignore = [&](const char* flag, const std::string& value) {
    if (!value.empty()) {
      warnings->push_back(std::string(flag) + " has no effect with --meta " + said.where +
                          "; ignored");
    }
  };
  bool is_cluster = options.kind != MetaKind::kLocal, is_auto = options.kind == MetaKind::kAuto;
  if (is_auto && !said.auth.empty()) {
    return Invalid("--meta-auth: " + said.where +
                   " makes a secret of its own; give --meta zookeeper://" + options.servers +
                   " to use yours, or leave --meta-auth out");
  }
  if (!is_cluster) {
    ignore("--meta-auth", said.auth);
    ignore("--meta-session-timeout", said.session_timeout);
  } else {
    if (!said.auth.empty()) {
      options.auth_file = std::filesystem::absolute(said.auth).lexically_normal().string();
      if (!resumed) {
        Result<std::string> secret = ReadSecret(options.auth_file);
        if (!secret.ok()) {
          return Status(secret.status().code(), "--meta-auth: " + secret.status().text());
        }
        options.auth = std::move(*secret);
      }
    }
    if (!said.session_timeout.empty()) {
      RETURN_IF_ERROR(InterpretSessionTimeout(said.session_timeout, &options));
    }
  }
  if (!is_auto) {
    ignore("--meta-heap", said.heap);
    ignore("--meta-dir", said.folder);
    return options;
  }
  if (!said.heap.empty()) {
    RETURN_IF_ERROR(InterpretHeap(said.heap, memory_limit, resumed, &options));
  }
  options.own_folder = said.folder.empty();
  options.folder = DefaultMetaFolder(geteuid(), options.port);
  if (!said.folder.empty()) {
    options.folder = std::filesystem::absolute(said.folder).lexically_normal().string();
  }
  return options;
}

std::string MetaOptions::Text() const {
  switch (kind) {
    case MetaKind::kLocal:
      return "local";
    case MetaKind::kZookeeper:
      return std::string(kScheme) + servers + prefix;
    case MetaKind::kAuto:
      return Format("auto:%u", port);
  }
  return "";
}

std::vector<std::string> MetaOptions::ToArguments() const {
  std::vector<std::string> arguments = {"--meta=" + Text()};
  if (kind == MetaKind::kLocal) return arguments;
  arguments.push_back(Format("--meta-session-timeout=%ums", session_timeout_ms));
  if (!auth_file.empty()) arguments.push_back("--meta-auth=" + auth_file);
  if (kind != MetaKind::kAuto) return arguments;
  if (heap_said) arguments.push_back("--meta-heap=" + std::to_string(heap_bytes));
  if (!own_folder) arguments.push_back("--meta-dir=" + folder);
  return arguments;
}

}  // namespace vineyard::daemon

#include "daemon/roots_own.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>

namespace vineyard::daemon {
namespace {

constexpr const char* kInherited[] = {"LANG=", "LC_ALL=", "TZ="};
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kRule = "; root runs only what nobody else can change";

// `next` is what of this folder is on the way; empty: this is the end.
Status CheckStep(const std::filesystem::path& step, const std::filesystem::path& next) {
  struct stat info;
  if (stat(step.c_str(), &info) != 0) return ErrnoStatus(step.string(), errno);
  if (info.st_uid != 0) {
    return {Code::kPermission, Format("%s belongs to uid %u", step.c_str(), info.st_uid) + kRule};
  }
  // What is root's in a sticky folder can be replaced by root only; what is not there yet, by anybody.
  std::error_code ignored;
  bool kept = (info.st_mode & S_ISVTX) != 0 && !next.empty() &&
              std::filesystem::exists(std::filesystem::symlink_status(next, ignored));
  if ((info.st_mode & 022) != 0 && !kept) {
    return {Code::kPermission, Format("others than root may write to %s (mode %04o)", step.c_str(),
                                      info.st_mode & 07777) +
                                   kRule};
  }
  return OkStatus();
}

// Every folder from the root on, then the file; as far as they exist.
Status CheckSteps(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> steps;
  std::filesystem::path step;
  for (const std::filesystem::path& name : path) {
    step /= name;
    steps.push_back(step);
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    std::error_code ignored;
    if (!std::filesystem::exists(std::filesystem::symlink_status(steps[i], ignored))) break;
    RETURN_IF_ERROR(CheckStep(steps[i], i + 1 < steps.size() ? steps[i + 1] : ""));
  }
  return OkStatus();
}

// One of a class path.
Result<std::string> RunnableEntry(const std::string& entry) {
  bool all_jars = entry.size() >= 2 && entry.compare(entry.size() - 2, 2, "/*") == 0;
  if (!all_jars) return RunnablePath(entry);
  ASSIGN_OR_RETURN(std::string folder, RunnablePath(entry.substr(0, entry.size() - 1)));
  std::error_code error;
  for (const auto& jar : std::filesystem::directory_iterator(folder, error)) {
    RETURN_IF_ERROR(RunnablePath(jar.path().string()).status());
  }
  return folder + "/*";
}

}  // namespace

Result<std::string> RunnablePath(const std::string& path) {
  if (geteuid() != 0) return path;
  if (path.empty() || path[0] != '/') {
    return Status(Code::kPermission, "'" + path + "' is no absolute path" + kRule);
  }
  std::error_code error;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  if (error) return Status(Code::kPermission, path + ": " + error.message());
  if (!real.has_filename()) real = real.parent_path();  // it ended in a slash
  RETURN_IF_ERROR(CheckSteps(real));
  return real.string();
}

Result<std::string> RunnableClassPath(const std::string& path) {
  if (geteuid() != 0) return path;
  std::string result;
  for (size_t at = 0; at <= path.size();) {
    size_t colon = std::min(path.find(':', at), path.size());
    ASSIGN_OR_RETURN(std::string entry, RunnableEntry(path.substr(at, colon - at)));
    result += (result.empty() ? "" : ":") + entry;
    at = colon + 1;
  }
  return result;
}

std::vector<std::string> RunnableEnvironment() {
  std::vector<std::string> environment;
  bool is_root = geteuid() == 0;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string variable = *entry;
    bool harmless = std::any_of(std::begin(kInherited), std::end(kInherited),
                                [&](const char* start) { return variable.rfind(start, 0) == 0; });
    if (!is_root || harmless) environment.push_back(variable);
  }
  if (is_root) environment.emplace_back(kPath);
  return environment;
}

}  // namespace vineyard::daemon

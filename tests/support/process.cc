#include "tests/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace vineyard::testing {

TempFolder::TempFolder() {
  char name[] = "/tmp/vy-XXXXXX";
  if (mkdtemp(name) == nullptr) std::abort();
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

void AsUser(unsigned uid, const std::function<void()>& what) {
  std::thread([&] {
    // Not seteuid(), which changes every thread.
    if (syscall(SYS_setresuid, -1, uid, -1) != 0) std::abort();
    what();
  }).join();
}

std::vector<std::string> Vineyardd::Defaults(const std::string& socket) {
  return {"--size=64Mi", "--meta=local", "--log-level=debug", "--socket=" + socket};
}

Vineyardd::Vineyardd(const std::string& socket, const std::vector<std::string>& arguments) {
  std::vector<std::string> all = Defaults(socket);
  all.insert(all.end(), arguments.begin(), arguments.end());
  Start({all});
}

Vineyardd::Vineyardd(const Bare& bare) { Start(bare); }

void Vineyardd::Start(const Bare& bare) {
  const char* program = bare.program.empty() ? std::getenv("VINEYARDD") : bare.program.c_str();
  if (program == nullptr) {
    ADD_FAILURE() << "VINEYARDD is not set";
    std::abort();
  }
  // Orphans come to this process, so that it can wait for a daemon whose keeper is dead.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) std::abort();
  std::vector<const char*> argv = {program};
  for (const std::string& argument : bare.arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  std::vector<const char*> envp;
  for (char** entry = environ; *entry != nullptr; ++entry) envp.push_back(*entry);
  for (const std::string& entry : bare.environment) envp.push_back(entry.c_str());
  envp.push_back(nullptr);
  first_ = fork();
  if (first_ == 0) {
    setpgid(0, 0);  // so that all of its processes can be killed at once
    if (bare.descriptor_limit != 0) {
      rlimit limit{bare.descriptor_limit, bare.descriptor_limit};
      setrlimit(RLIMIT_NOFILE, &limit);
    }
    dup2(output[1], STDERR_FILENO);
    dup2(output[1], STDOUT_FILENO);
    if (bare.in_child && !bare.in_child()) _exit(126);
    execve(program, const_cast<char**>(argv.data()), const_cast<char**>(envp.data()));
    _exit(127);
  }
  setpgid(first_, first_);
  close(output[1]);
  keeper_ = first_;
  reader_ = std::thread([this, fd = output[0]] { Drain(fd); });
}

void Vineyardd::Drain(int fd) {
  std::string partial;
  char buffer[4096];
  ssize_t size;
  while ((size = read(fd, buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR)) {
    if (size < 0) continue;
    partial.append(buffer, static_cast<size_t>(size));
    std::lock_guard lock(mutex_);
    for (size_t end; (end = partial.find('\n')) != std::string::npos;) {
      lines_.push_back(partial.substr(0, end));
      partial.erase(0, end + 1);
    }
    changed_.notify_all();
  }
  close(fd);
  std::lock_guard lock(mutex_);
  if (!partial.empty()) lines_.push_back(partial);
  ended_ = true;
  changed_.notify_all();
}

std::string Vineyardd::WaitForLine(const std::string& text) {
  std::unique_lock lock(mutex_);
  auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    while (next_line_ < lines_.size()) {
      const std::string& line = lines_[next_line_++];
      if (line.find(text) != std::string::npos) return line;
    }
    if (ended_ || changed_.wait_until(lock, deadline) == std::cv_status::timeout) return "";
  }
}

bool Vineyardd::WaitUntilReady() {
  if (WaitUntilReadyOrEnded()) return true;
  ADD_FAILURE() << "vineyardd is not ready; its log:\n" << log();
  return false;
}

bool Vineyardd::WaitUntilReadyOrEnded() {
  std::string line = WaitForLine(" ready: ");
  size_t pid = line.find("pid "), keeper = line.find("keeper ");
  if (pid == std::string::npos || keeper == std::string::npos) return false;
  daemon_ = std::atoi(line.c_str() + pid + 4);
  keeper_ = std::atoi(line.c_str() + keeper + 7);
  return true;
}

int Vineyardd::WaitForFirst() {
  int status = 0;
  while (!reaped_ && waitpid(first_, &status, 0) < 0 && errno == EINTR) {
  }
  if (!reaped_) exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  reaped_ = true;
  return exit_code_;
}

int Vineyardd::WaitForEnd() {
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return ended_; })) {
      ADD_FAILURE() << "vineyardd does not end";
      return -1;
    }
  }
  int code = WaitForFirst();
  while (waitpid(-first_, nullptr, 0) > 0) {  // and its orphans
  }
  return code;
}

int Vineyardd::Terminate() {
  kill(keeper_, SIGTERM);
  return WaitForEnd();
}

void Vineyardd::KillAll() { kill(-first_, SIGKILL); }

std::string Vineyardd::log() {
  std::lock_guard lock(mutex_);
  std::string all;
  for (const std::string& line : lines_) all += line + "\n";
  return all;
}

Vineyardd::~Vineyardd() {
  bool ended;
  {
    std::lock_guard lock(mutex_);
    ended = ended_;
  }
  if (!ended) KillAll();
  WaitForEnd();
  reader_.join();
  if (::testing::Test::HasFailure()) std::fprintf(stderr, "vineyardd said:\n%s", log().c_str());
}

namespace {

constexpr char kMemory[] = "/memfd:vineyard.";

// Of a process, by its open descriptors and by its map.
void AddMemoryFiles(const std::string& process, std::set<uint64_t>* files) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(process + "/fd", error)) {
    std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    struct stat info;
    if (target.rfind(kMemory, 0) == 0 && stat(entry.path().c_str(), &info) == 0) {
      files->insert(info.st_ino);
    }
  }
  // address perms offset device inode path
  std::ifstream maps(process + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(kMemory) == std::string::npos) continue;
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    files->insert(std::strtoull(word.c_str(), nullptr, 10));
  }
}

}  // namespace

std::set<uint64_t> Vineyardd::MemoryFiles() const {
  std::set<uint64_t> files;
  AddMemoryFiles("/proc/" + std::to_string(daemon_), &files);
  return files;
}

std::set<uint64_t> InUse(const std::set<uint64_t>& files) {
  std::set<uint64_t> all, found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (std::isdigit(static_cast<unsigned char>(entry.path().filename().c_str()[0])) != 0) {
      AddMemoryFiles(entry.path().string(), &all);
    }
  }
  std::set_intersection(files.begin(), files.end(), all.begin(), all.end(),
                        std::inserter(found, found.end()));
  return found;
}

std::string OtherVineyardd() { return std::string(std::getenv("VINEYARDD")) + "_other"; }

bool IsRunning(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);  // empty where it ended between open and read
  size_t behind_name = text.rfind(')');
  return behind_name != std::string::npos && behind_name + 2 < text.size() &&
         text[behind_name + 2] != 'Z' && text[behind_name + 2] != 'X';
}

}  // namespace vineyard::testing

#include "tests/support/service_manager.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/kcmp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace vineyard::testing {
namespace {

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool IsSameOpenFile(int one, int other) {
  return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, one, other) == 0;
}

std::string ValueOf(const std::string& message, const std::string& key) {
  size_t at = ("\n" + message).find("\n" + key + "=");
  if (at == std::string::npos) return "";
  size_t begin = at + key.size() + 1;
  return message.substr(begin, message.find('\n', begin) - begin);
}

// Descriptor 3 and so on, for a program that begins now.
bool PassAll(const std::vector<int>& fds) {
  std::vector<int> away;
  for (int fd : fds) away.push_back(fcntl(fd, F_DUPFD_CLOEXEC, 3 + static_cast<int>(fds.size())));
  for (size_t i = 0; i < away.size(); ++i) {
    if (dup2(away[i], 3 + static_cast<int>(i)) < 0) return false;
  }
  return true;
}

}  // namespace

ServiceManager::ServiceManager(const std::string& path, size_t most)
    : path_(path), most_(most), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address = AddressOf(path);
  EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  thread_ = std::thread([this] { Serve(); });
}

ServiceManager::~ServiceManager() {
  GoOn();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  shutdown(socket_.get(), SHUT_RD);  // wakes it
  thread_.join();
}

Vineyardd::Bare ServiceManager::Start(const std::vector<std::string>& arguments) {
  Settle();
  std::lock_guard lock(mutex_);
  std::vector<int> fds;
  std::string names;
  for (const auto& [name, fd] : kept_) {
    fds.push_back(fd.get());
    names += (names.empty() ? "" : ":") + name;
  }
  Vineyardd::Bare bare;
  // Only the process itself knows its number.
  bare.program = "/bin/sh";
  bare.arguments = {"-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", std::getenv("VINEYARDD")};
  bare.arguments.insert(bare.arguments.end(), arguments.begin(), arguments.end());
  bare.environment = {"NOTIFY_SOCKET=" + path_, "FDSTORE=" + std::to_string(most_),
                      "LISTEN_FDS=" + std::to_string(fds.size()), "LISTEN_FDNAMES=" + names,
                      "LISTEN_PID=0"};
  bare.in_child = [fds] { return PassAll(fds); };
  return bare;
}

void ServiceManager::Settle() {
  uint64_t number;
  {
    std::lock_guard lock(mutex_);
    number = ++asked_;
  }
  // Behind everything that is in the queue.
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = AddressOf(path_);
  EXPECT_EQ(
      sendto(fd.get(), "SETTLE=1", 8, 0, reinterpret_cast<sockaddr*>(&address), sizeof address), 8);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return settled_ >= number; });
}

void ServiceManager::Hang() {
  Settle();
  std::lock_guard lock(mutex_);
  hangs_ = true;
}

void ServiceManager::GoOn() {
  std::lock_guard lock(mutex_);
  hangs_ = false;
  changed_.notify_all();
}

void ServiceManager::Serve() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !hangs_; });
      if (stopping_) return;
    }
    Take();
  }
}

void ServiceManager::Take() {
  char text[4096];
  alignas(cmsghdr) char control[1024];
  iovec part{text, sizeof text};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  // Where it hangs by then the message stays in the queue.
  ssize_t size = recvmsg(socket_.get(), &header, MSG_PEEK);
  std::unique_lock lock(mutex_);
  if (hangs_ || size < 0) return;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  size = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  std::vector<Fd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  std::string message(text, static_cast<size_t>(size));
  std::string name = ValueOf(message, "FDNAME");
  if (ValueOf(message, "FDSTOREREMOVE") == "1") {
    std::erase_if(kept_, [&](const auto& each) { return each.first == name; });
  } else if (ValueOf(message, "FDSTORE") == "1") {
    EXPECT_EQ(ValueOf(message, "FDPOLL"), "0") << "else it would watch what it keeps";
    for (Fd& fd : fds) Keep(name, std::move(fd));
  } else if (!ValueOf(message, "SETTLE").empty()) {
    ++settled_;
  }
  changed_.notify_all();
}

void ServiceManager::Keep(const std::string& name, Fd fd) {
  for (const auto& each : kept_) {
    if (IsSameOpenFile(each.second.get(), fd.get())) return;
  }
  if (kept_.size() >= most_) {
    ++refused_;
    return;
  }
  kept_.emplace_back(name, std::move(fd));
}

std::multiset<std::string> ServiceManager::names() {
  std::lock_guard lock(mutex_);
  std::multiset<std::string> names;
  for (const auto& each : kept_) names.insert(each.first);
  return names;
}

std::vector<std::string> ServiceManager::NamesOf(const std::string& prefix) {
  std::vector<std::string> found;
  for (const std::string& name : names()) {
    if (name.rfind(prefix, 0) == 0) found.push_back(name);
  }
  return found;
}

void ServiceManager::Lose(const std::string& name) {
  std::lock_guard lock(mutex_);
  EXPECT_EQ(std::erase_if(kept_, [&](const auto& each) { return each.first == name; }), 1u);
}

size_t ServiceManager::refused() {
  std::lock_guard lock(mutex_);
  return refused_;
}

std::set<uint64_t> ServiceManager::FilesBut(const std::string& prefix) {
  std::lock_guard lock(mutex_);
  std::set<uint64_t> files;
  for (const auto& each : kept_) {
    struct stat info {};
    if (each.first.rfind(prefix, 0) == 0) continue;
    if (fstat(each.second.get(), &info) == 0) files.insert(info.st_ino);
  }
  return files;
}

}  // namespace vineyard::testing

// A service manager as a daemon sees it: the datagram socket of NOTIFY_SOCKET, and what came there.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>

#include "core/base/fd.h"
#include "tests/support/process.h"

namespace vineyard::testing {

class NotifySocket {
 public:
  // A path, or "@name" for Linux's abstract names.
  explicit NotifySocket(const std::string& name) : name_(name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0) << name;
    int on = 1;  // as systemd does, which asks who speaks
    EXPECT_EQ(setsockopt(fd_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  }

  std::string variable() const { return "NOTIFY_SOCKET=" + name_; }

  struct Message {
    std::map<std::string, std::string> values;
    pid_t sender = 0;
    int count(const char* key) const { return static_cast<int>(values.count(key)); }
    std::string at(const char* key) const { return count(key) != 0 ? values.at(key) : ""; }
  };

  // The next one that has this key; sender 0: none came.
  Message WaitFor(const char* key) {
    auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      pollfd watched{fd_.get(), POLLIN, 0};
      if (poll(&watched, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) return {};
      Message message = Take();
      if (message.count(key) != 0) return message;
    }
  }

  bool IsEmpty() {
    pollfd watched{fd_.get(), POLLIN, 0};
    return poll(&watched, 1, 0) == 0;
  }

 private:
  Message Take() {
    char text[4096], control[256];
    iovec part{text, sizeof text};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = recvmsg(fd_.get(), &header, 0);
    Message message;
    cmsghdr* credentials = CMSG_FIRSTHDR(&header);
    if (credentials != nullptr && credentials->cmsg_type == SCM_CREDENTIALS) {
      ucred who{};
      std::memcpy(&who, CMSG_DATA(credentials), sizeof who);
      message.sender = who.pid;
    }
    std::string rest(text, size < 0 ? 0 : static_cast<size_t>(size));
    while (!rest.empty()) {
      size_t end = std::min(rest.find('\n'), rest.size());
      size_t equal = rest.find('=');
      message.values[rest.substr(0, equal)] = rest.substr(equal + 1, end - equal - 1);
      rest.erase(0, end + 1);
    }
    return message;
  }

  const std::string name_;
  Fd fd_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

}  // namespace vineyard::testing

// Users of one machine's ZooKeeper, each a process of its own, on a port and in a folder of the test.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/meta/zookeeper/probe.h"
#include "daemon/meta_options.h"
#include "tests/support/child.h"
#include "tests/support/process.h"
#include "tests/support/zookeeper_server.h"

namespace vineyard::daemon {

inline constexpr int64_t kJoinMs = 100'000;

struct Machine {
  Machine();
  // Kills a server that a test has left.
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  // Processes of the server, by their command line.
  std::vector<pid_t> Servers() const;
  // Waits until one has begun, and until none lives.
  pid_t AwaitServer() const;
  void AwaitNoServer() const;
  bool HasFiles() const;
  // The server's secret.
  std::string Auth() const;
  // By a session of its own, with the secret.
  Status Read(const std::string& path) const;
  Status Create(const std::string& path) const;

  testing::TempFolder folder;
  MetaOptions options;
};

// Joins when it is told to.
class Member {
 public:
  // `before`: in its process, first of all; false: it ends.
  explicit Member(const MetaOptions& options, const std::function<bool()>& before = {},
                  int64_t join_ms = kJoinMs);
  ~Member();

  void Begin() { child_.Say('j'); }
  // Whether it has joined; else error() says why not.
  bool AwaitJoined();
  bool Join() {
    Begin();
    return AwaitJoined();
  }
  bool is_foreign() const { return word_ == 'f'; }
  const std::string& error() const { return error_; }
  // Whether the server was dead and serves again.
  bool Revive();
  // Gives it a watchdog that is told that nothing has been reachable for an hour.
  void Watch();
  void Leave();
  void Kill() { child_.Kill(); }

 private:
  testing::TempFolder folder_;
  testing::Child child_;
  char word_ = 0;
  std::string error_;
};

}  // namespace vineyard::daemon

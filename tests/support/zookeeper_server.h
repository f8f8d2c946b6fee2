// A real ZooKeeper, with a folder of its own, on free ports of 127.0.0.1. It dies with the thread
// that started it.
//
// It is started from Debian's packages libzookeeper-java and default-jre-headless, or by `java` and
// the jars of the environment variable ZOOKEEPER_CLASSPATH; without them a test fails. ZOOKEEPER_HEAP says how much
// memory it may take, else 256m.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace vineyard::testing {

// Sessions last 2 to 20 ticks, whatever a client asks for.
inline constexpr int kZooKeeperTickMs = 500;

class ZooKeeperServer {
 public:
  // Runs and serves when this returns.
  ZooKeeperServer();
  // One of an ensemble; begins nothing. `members` are the lines server.N of all.
  ZooKeeperServer(int id, uint16_t port, std::vector<std::string> members);
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  // "127.0.0.1:port", the same for all of its life.
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }

  void Kill();      // SIGKILL, and waits for its end
  void Stop();      // SIGSTOP: it answers nothing, and connections stay
  void Continue();  // SIGCONT
  // Kills it if it runs, begins anew with the same data and waits until it serves.
  void Restart();
  // The same without its data.
  void Wipe();

  // Only begins it: a member of an ensemble serves when a majority runs.
  void Start();
  // Waits until a session can be opened.
  void WaitUntilReady();
  // "standalone", "leader" or "follower"; empty: it does not answer or has no majority.
  std::string Mode() const;
  // How many watches it keeps for its clients.
  int Watches() const;

 private:
  void Configure();
  // What stands behind `key` in the answer to one of its four-letter commands; empty: nothing.
  std::string Says(const char* command, const std::string& key) const;

  TempFolder folder_;
  int id_ = 0;  // 0: alone
  uint16_t port_ = 0;
  std::vector<std::string> members_;
  pid_t pid_ = 0;
};

class ZooKeeperEnsemble {
 public:
  explicit ZooKeeperEnsemble(int size = 3);

  std::string address() const;  // of all
  ZooKeeperServer& server(size_t i) { return *servers_[i]; }
  size_t size() const { return servers_.size(); }
  // Waits until one of them leads; its number.
  size_t Leader() const;
  // One that follows now.
  size_t Follower() const;

 private:
  size_t WithMode(const std::string& mode) const;
  std::vector<std::unique_ptr<ZooKeeperServer>> servers_;
};

// A port of 127.0.0.1 that nobody listens on, below those that the system hands out.
uint16_t FreePort();

}  // namespace vineyard::testing

// This file is the only place where a daemon looks after the ZooKeeper that it shares with others: a
// server that is dead is started again, on the same data.
//
// Thread-confined to the daemon's loop, but for what its thread does, which may wait for seconds.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "daemon/auto_zookeeper.h"
#include "daemon/meta_options.h"

namespace vineyard::daemon {

class ZookeeperWatchdog {
 public:
  // Does nothing, ever, unless options.shares_server.
  explicit ZookeeperWatchdog(const MetaOptions& options);
  ~ZookeeperWatchdog() { Stop(); }
  ZookeeperWatchdog(const ZookeeperWatchdog&) = delete;
  ZookeeperWatchdog& operator=(const ZookeeperWatchdog&) = delete;

  // Call it every 100 ms or so. When the service has not been reachable for a second, the thread
  // looks whether the server is dead; while it stays away, again and again, with growing pauses.
  void Tick(int64_t now_ns, bool is_reachable);
  // Ends the thread, within milliseconds. May be called twice; what comes after is nothing.
  void Stop();

 private:
  void Look();

  const MetaOptions options_;
  AutoZookeeper zookeeper_;  // of the thread, while it runs
  bool stopped_ = false;
  int64_t away_since_ns_ = 0;  // 0: it is reachable
  int64_t next_look_ns_ = 0;
  int64_t pause_ns_ = 0;

  std::thread thread_;
  std::atomic<bool> busy_ = false;  // its release tells that the thread is done with zookeeper_
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
};

}  // namespace vineyard::daemon

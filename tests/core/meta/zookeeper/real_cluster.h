// Services of one cluster, each with a session of its own, over one real server of the process; every cluster has
// a prefix of its own.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "core/meta/zookeeper/service.h"
#include "tests/core/meta/cluster.h"
#include "tests/support/zookeeper_server.h"

namespace vineyard::meta::zookeeper {

inline testing::ZooKeeperServer& SharedServer() {
  static testing::ZooKeeperServer server;
  return server;
}

class RealCluster : public Cluster {
 public:
  RealCluster() : prefix_("/test/" + NewUuid()) {}
  std::unique_ptr<Service> Join(uint64_t instance, Loop* loop) override {
    ServiceOptions options;
    options.connection.servers = servers_.empty() ? SharedServer().address() : servers_;
    options.connection.session_timeout_ms = 4000;
    options.prefix = prefix_;
    options.self.number = instance;
    options.self.host = "here";
    std::optional<vineyard::Status> ready;
    auto service = std::make_unique<ZookeeperService>(
        options, loop->post(), [&](vineyard::Status status) { ready = std::move(status); });
    EXPECT_TRUE(loop->RunUntil([&] { return ready.has_value(); }, [&] { service->Tick(MonotonicNs()); }));
    EXPECT_TRUE(ready && ready->ok()) << (ready ? ready->ToString() : service->health().text);
    return service;
  }
  const std::string& prefix() const { return prefix_; }
  // Another way to the same server.
  void set_servers(std::string servers) { servers_ = std::move(servers); }

 private:
  const std::string prefix_;
  std::string servers_;
};

}  // namespace vineyard::meta::zookeeper

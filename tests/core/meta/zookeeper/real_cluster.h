// Services of one cluster, each with a session of its own, over one real server of the process; every cluster has
// a prefix of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

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
  RealCluster() : servers_(SharedServer().address()) {}
  explicit RealCluster(std::string servers) : servers_(std::move(servers)) {}

  ServiceOptions OptionsOf(uint64_t instance) const {
    ServiceOptions options;
    options.connection.servers = servers_;
    options.connection.session_timeout_ms = 2000;
    options.prefix = prefix_;
    options.log = log_;
    options.self.number = instance;
    options.self.host = "here";
    return options;
  }
  std::unique_ptr<ZookeeperService> Begin(ServiceOptions options, testing::Loop* loop,
                                          ZookeeperService::Ready ready) {
    return std::make_unique<ZookeeperService>(
        std::move(options), [loop](std::function<void()> what) { loop->Post(std::move(what)); },
        std::move(ready));
  }
  std::unique_ptr<Service> Join(uint64_t instance, testing::Loop* loop) override {
    std::optional<vineyard::Status> ready;
    auto service = Begin(OptionsOf(instance), loop,
                         [&](vineyard::Status status) { ready = std::move(status); });
    auto tick = loop->tick;
    loop->tick = [&] {
      service->Tick(MonotonicNs());
      if (tick) tick();
    };
    loop->RunUntil([&] { return ready.has_value(); });
    loop->tick = tick;
    EXPECT_TRUE(ready && ready->ok()) << (ready ? ready->ToString() : service->health().text);
    return service;
  }
  const std::string& prefix() const { return prefix_; }
  LogLimits log_;
  std::string servers_;

 private:
  const std::string prefix_ = "/test/" + NewUuid();
};

}  // namespace vineyard::meta::zookeeper

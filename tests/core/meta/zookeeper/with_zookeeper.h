// A ZooKeeper of its own for each test, and connections to it that are used as if they waited.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/meta/zookeeper/connection.h"
#include "tests/support/loop.h"
#include "tests/support/zookeeper_server.h"

namespace vineyard::meta::zookeeper {

inline constexpr uint32_t kLongMs = 10'000, kShortMs = 3000;

class ZooKeeper : public ::testing::Test {
 protected:
  // A connection that says what happens to it.
  struct Client {
    std::unique_ptr<Connection> connection;
    std::vector<State> states;
    Connection* operator->() const { return connection.get(); }
    State state() const { return connection->state(); }
  };

  ZooKeeper() {
    loop.tick = [this] {
      for (auto& client : clients_) {
        if (client->connection != nullptr) client->connection->Tick(MonotonicNs());
      }
    };
  }
  ~ZooKeeper() override {
    for (auto& client : clients_) client->connection = nullptr;
    EXPECT_TRUE(Connection::JoinClosed(Deadline::After(100'000)));
  }

  Client& Open(const std::string& address, uint32_t timeout_ms = kLongMs,
               const std::string& digest_auth = "") {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    auto opened = Connection::Open(
        {address, timeout_ms, digest_auth},
        [this](std::function<void()> what) { loop.Post(std::move(what)); },
        [&client](State state) { client.states.push_back(state); });
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    client.connection = std::move(*opened);
    return client;
  }
  Client& Connect(const std::string& address, uint32_t timeout_ms = kLongMs,
                  const std::string& digest_auth = "") {
    Client& client = Open(address, timeout_ms, digest_auth);
    Await(client, State::kConnected);
    return client;
  }
  void Await(Client& client, State state) {
    loop.RunUntil([&] { return client.state() == state; });
  }

  MultiResult Multi(Client& client, std::vector<Op> ops) {
    std::optional<MultiResult> result;
    client->Multi(std::move(ops), Deadline::Never(), [&](MultiResult r) { result = std::move(r); });
    loop.RunUntil([&] { return result.has_value(); });
    return std::move(*result);
  }
  Result<Node> Get(Client& client, const std::string& path, Connection::OnEvent watch = {}) {
    std::optional<Result<Node>> result;
    client->Get(
        path, Deadline::Never(), [&](Result<Node> r) { result.emplace(std::move(r)); },
        std::move(watch));
    loop.RunUntil([&] { return result.has_value(); });
    return std::move(*result);
  }
  // What a node holds, or why nobody knows.
  std::string Data(Client& client, const std::string& path) {
    Result<Node> node = Get(client, path);
    return node.ok() ? node->data : node.status().ToString();
  }
  Result<Stat> Exists(Client& client, const std::string& path, Connection::OnEvent watch = {}) {
    std::optional<Result<Stat>> result;
    client->Exists(
        path, Deadline::Never(), [&](Result<Stat> r) { result.emplace(std::move(r)); },
        std::move(watch));
    loop.RunUntil([&] { return result.has_value(); });
    return std::move(*result);
  }
  // The session that an ephemeral node belongs to; -1: it is not there.
  int64_t Owner(Client& client, const std::string& path) {
    Result<Stat> stat = Exists(client, path);
    return stat.ok() ? stat->ephemeral_owner : -1;
  }
  Result<Children> List(Client& client, const std::string& path, Connection::OnEvent watch = {}) {
    std::optional<Result<Children>> result;
    client->GetChildren(
        path, Deadline::Never(), [&](Result<Children> r) { result.emplace(std::move(r)); },
        std::move(watch));
    loop.RunUntil([&] { return result.has_value(); });
    return std::move(*result);
  }
  // Sets a watch for it, whether it is there or not.
  void Watch(Client& client, const std::string& path, std::vector<WatchEvent>* events) {
    Status status = Get(client, path, Into(events)).status();
    if (status.code() == Code::kNotFound) status = Exists(client, path, Into(events)).status();
    EXPECT_TRUE(status.ok() || status.code() == Code::kNotFound) << status.ToString();
  }
  // Waits until the server has this node, as another client sees it.
  void AwaitNode(Client& client, const std::string& path) {
    auto created = std::make_shared<bool>(false);  // the watch may outlive this
    if (Exists(client, path, [created](WatchEvent) { *created = true; }).ok()) return;
    loop.RunUntil([&] { return *created; });
  }
  // A callback that notes what it is told.
  static Connection::OnEvent Into(std::vector<WatchEvent>* events) {
    return [events](WatchEvent event) { events->push_back(event); };
  }

  testing::ZooKeeperServer server;
  testing::Loop loop;

 private:
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace vineyard::meta::zookeeper

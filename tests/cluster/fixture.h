// What the tests of a cluster share: one real ZooKeeper, two daemons, a client of each.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vineyard/cluster.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/capi/fixture.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/zookeeper_server.h"

namespace vineyard::testing {

// One daemon and a client of it.
class Member {
 public:
  Member(const std::string& socket, const std::string& meta) : socket_(socket) {
    Vineyardd::Bare bare;
    bare.arguments = {"--socket=" + socket, "--size=64Mi", "--meta=" + meta, "--log-level=debug"};
    if (meta != "local") bare.arguments.emplace_back("--meta-session-timeout=2s");
    daemon = std::make_unique<Vineyardd>(bare);
    EXPECT_TRUE(daemon->WaitUntilReady()) << daemon->log();
    client = ConnectTo(socket_);
    EXPECT_OK(vineyard_client_instance(client, &number));
  }
  ~Member() { vineyard_client_release(client); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  vineyard_client* Another(int64_t timeout_ms) const { return ConnectTo(socket_, timeout_ms); }

  std::unique_ptr<Vineyardd> daemon;
  vineyard_client* client = nullptr;
  uint64_t number = 0;

 private:
  const std::string socket_;
};

inline int32_t Persist(vineyard_client* client, vineyard_id id) {
  return vineyard_object_persist(client, &id, 1);
}
inline vineyard_id Persisted(vineyard_client* client, std::string_view bytes) {
  vineyard_id id = Put(client, bytes);
  EXPECT_OK(Persist(client, id));
  return id;
}
// Knows what was changed anywhere before.
inline void Sync(vineyard_client* client) { EXPECT_OK(vineyard_client_sync(client, -1, nullptr)); }
inline std::string NameOf(int32_t status) { return vineyard_status_name(status); }

// 0: nobody has it.
inline vineyard_id Named(vineyard_client* client, const char* name) {
  vineyard_name_get_options options = VINEYARD_NAME_GET_OPTIONS_INIT;
  options.latest = 1;
  vineyard_id id = VINEYARD_ID_INVALID;
  int32_t status = vineyard_name_get_with(client, name, &options, &id, nullptr);
  EXPECT_TRUE(status == VINEYARD_OK || status == VINEYARD_E_NOT_FOUND) << vineyard_error_text();
  return id;
}

// The daemon of this client has noticed that the server is away.
inline void WaitUntilStale(vineyard_client* client) {
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (Number(client, "meta_stale_since_ms") == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    poll(nullptr, 0, 5);
  }
}

// A daemon whose link to the server can be cut, and its clients' not.
struct Side {
  Side(const std::string& socket, uint16_t port)
      : proxy(port), member(socket, "zookeeper://" + proxy.address() + "/test") {}
  TcpProxy proxy;
  Member member;
};

class ClusterTest : public ::testing::Test {
 protected:
  std::string meta() const { return "zookeeper://" + server_.address() + "/test"; }
  std::unique_ptr<Member> Join(const std::string& name) {
    return std::make_unique<Member>(folder_ / name, meta());
  }

  TempFolder folder_;
  ZooKeeperServer server_;
  std::unique_ptr<Member> a_ = Join("a"), b_ = Join("b");
  vineyard_client* const a = a_->client;
  vineyard_client* const b = b_->client;
};

}  // namespace vineyard::testing

// A client of a daemon that does what the test says.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/client/client.h"
#include "tests/support/fake_daemon.h"

namespace vineyard::client {

using testing::Fake;
using testing::FakeConnection;
using testing::FakeDaemon;
using testing::FakeMemory;
using testing::FakeRequest;
using testing::ServeNothing;

// A connected client; the test's script answers what it asks.
class Connected {
 public:
  explicit Connected(const std::string& path, int64_t timeout_ms = 30'000,
                     int32_t (*keep_waiting)() = nullptr) {
    ConnectOptions options;
    options.path = path;
    options.timeout_ms = timeout_ms;
    options.keep_waiting = keep_waiting;
    Result<Client*> client = Client::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status().ToString();
    client_ = client.ok() ? *client : nullptr;
  }
  ~Connected() { client_->Release(); }
  Client* operator->() { return client_; }

 private:
  Client* client_;
};

}  // namespace vineyard::client

// What the tests of the C interface share: a daemon, a client, and the calls that every test makes.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <vineyard/vineyard.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/process.h"

#define ASSERT_OK(call)                                                      \
  do {                                                                       \
    int32_t ok_status = (call);                                              \
    ASSERT_EQ(ok_status, VINEYARD_OK)                                        \
        << vineyard_status_name(ok_status) << ": " << vineyard_error_text(); \
  } while (false)
#define EXPECT_OK(call)                                                      \
  do {                                                                       \
    int32_t ok_status = (call);                                              \
    EXPECT_EQ(ok_status, VINEYARD_OK)                                        \
        << vineyard_status_name(ok_status) << ": " << vineyard_error_text(); \
  } while (false)

namespace vineyard::testing {

inline vineyard_client* ConnectTo(const std::string& socket, int64_t timeout_ms = 0) {
  vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
  options.timeout_ms = timeout_ms;
  vineyard_client* client = nullptr;
  EXPECT_OK(vineyard_client_connect(socket.c_str(), &options, &client));
  return client;
}

inline vineyard_id Put(vineyard_client* client, std::string_view bytes,
                       int32_t kind = VINEYARD_BLOB_BUFFER) {
  vineyard_id id = VINEYARD_ID_INVALID;
  EXPECT_OK(vineyard_blob_put(client, bytes.data(), bytes.size(), kind, &id));
  return id;
}

inline std::string BytesOf(const vineyard_blob* blob) {
  return {static_cast<const char*>(vineyard_blob_data(blob)), vineyard_blob_length(blob)};
}

inline std::string Get(vineyard_client* client, vineyard_id id) {
  vineyard_blob* blob = nullptr;
  int32_t status = vineyard_blob_get(client, id, &blob);
  if (status != VINEYARD_OK) return vineyard_status_name(status);
  std::string bytes = BytesOf(blob);
  vineyard_blob_release(blob);
  return bytes;
}

inline int32_t Exists(vineyard_client* client, vineyard_id id) {
  int32_t exists = -1;
  EXPECT_OK(vineyard_object_exists(client, id, &exists));
  return exists;
}

inline int32_t Delete(vineyard_client* client, vineyard_id id) {
  return vineyard_object_delete(client, &id, 1, nullptr);
}

// A number that the daemon reports of itself.
inline uint64_t Number(vineyard_client* client, std::string_view wanted) {
  vineyard_info* info = nullptr;
  EXPECT_OK(vineyard_client_get_info(client, &info));
  uint64_t number = UINT64_MAX;
  for (uint64_t i = 0; i < vineyard_info_count(info); ++i) {
    const char* name = nullptr;
    const vineyard_value* value = nullptr;
    EXPECT_OK(vineyard_info_at(info, i, &name, &value));
    if (name == wanted && value->type == VINEYARD_VALUE_UINT64) number = value->as.uint64;
  }
  vineyard_info_release(info);
  return number;
}

// Asks again and again until the number is this one. False: it never became it.
inline bool WaitForNumber(vineyard_client* client, std::string_view name, uint64_t wanted) {
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (Number(client, name) != wanted) {
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << name << " is " << Number(client, name) << ", not " << wanted;
      return false;
    }
    poll(nullptr, 0, 5);
  }
  return true;
}

// Metadata with members given by id.
inline vineyard_id PutObject(vineyard_client* client, const char* type,
                             const std::vector<std::pair<std::string, vineyard_id>>& members,
                             const char* name = nullptr) {
  vineyard_meta* meta = nullptr;
  EXPECT_OK(vineyard_meta_create(type, &meta));
  for (const auto& [key, id] : members) EXPECT_OK(vineyard_meta_add_id(meta, key.c_str(), id));
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.name = name;
  vineyard_id id = VINEYARD_ID_INVALID;
  EXPECT_OK(vineyard_object_put(client, meta, &options, &id));
  vineyard_meta_release(meta);
  return id;
}

class WithDaemon : public ::testing::Test {
 protected:
  WithDaemon() { EXPECT_TRUE(daemon_.WaitUntilReady()) << daemon_.log(); }
  vineyard_client* Connect(int64_t timeout_ms = 0) { return ConnectTo(socket_, timeout_ms); }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_};
};

class WithClient : public WithDaemon {
 protected:
  ~WithClient() override { vineyard_client_release(client_); }
  vineyard_client* client_ = Connect();
};

}  // namespace vineyard::testing

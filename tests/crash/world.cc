#include "tests/crash/world.h"

#include <gmock/gmock.h>

#include <ctime>

#include "core/client/client.h"
#include "core/client/verify.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kStride = 16;
#else
constexpr int64_t kStride = 1;
#endif

namespace vineyard::testing {

int64_t FirstPoint() { return 1 + time(nullptr) / (24 * 3600) % kStride; }
int64_t NextPoint(int64_t point) { return point + kStride; }
int64_t NextInstruction(int64_t point) { return point + (kStride == 1 ? 1 : 101); }

World::World(const std::vector<std::string>& arguments) : daemon_(socket_, arguments) {
  EXPECT_TRUE(daemon_.WaitUntilReady());
  client_ = ConnectTo(socket_);
}

World::~World() { vineyard_client_release(client_); }

vineyard_id World::Keep(const std::string& bytes) {
  vineyard_id id = Put(client_, bytes);
  kept_[id] = bytes;
  return id;
}

void World::CheckKept() {
  for (const auto& [id, bytes] : kept_) EXPECT_TRUE(Get(client_, id) == bytes);
}

void World::CheckAudit() {
  client::ConnectOptions options;
  options.path = socket_;
  Result<client::Client*> connected = client::Client::Connect(options);
  ASSERT_TRUE(connected.ok()) << connected.status().ToString();
  client::Client* client = *connected;
  auto end = std::chrono::steady_clock::now() + kPatience;
  wire::AuditAnswer audit;
  do {
    Result<wire::AuditAnswer> answer = client->Audit();
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    audit = std::move(*answer);
    if (audit.count > 0) poll(nullptr, 0, 5);
  } while (audit.count > 0 && std::chrono::steady_clock::now() < end);
  EXPECT_THAT(audit.problems, ::testing::IsEmpty());
  client::Verified verified;
  Status status = client::VerifyAll(
      client, /*audience=*/1, &verified,
      [](const Status& problem) { ADD_FAILURE() << problem.text(); }, [](uint64_t, uint64_t) {});
  EXPECT_TRUE(status.ok()) << status.ToString();
  client->Release();
}

void World::Disconnect() {
  vineyard_client_release(client_);
  client_ = nullptr;
}

void World::CheckEnd(int exit_code) {
  std::set<uint64_t> files = daemon_.MemoryFiles();
  Disconnect();
  EXPECT_EQ(daemon_.Terminate(), exit_code);
  EXPECT_THAT(InUse(files), ::testing::IsEmpty());
  EXPECT_FALSE(Exists(socket_));
}

}  // namespace vineyard::testing

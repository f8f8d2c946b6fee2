// A daemon that drops what nobody uses, as readers see it.
#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

class Evicting : public ::testing::Test {
 protected:
  Evicting() {
    EXPECT_TRUE(daemon_.WaitUntilReady()) << daemon_.log();
    client_ = ConnectTo(socket_);
  }
  ~Evicting() override { vineyard_client_release(client_); }

  uint64_t Evictions() { return Number(client_, "evictions"); }
  // Puts megabytes until so many trees more were dropped.
  void Fill(uint64_t evictions) {
    uint64_t wanted = Evictions() + evictions;
    for (int i = 0; i < 1000 && Evictions() < wanted; ++i) {
      fillers_.push_back(Put(client_, std::string(1 << 20, static_cast<char>(i))));
    }
    EXPECT_GE(Evictions(), wanted);
  }
  uint64_t Requests(vineyard_client* client) {
    vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
    EXPECT_OK(vineyard_client_get_statistics(client, &statistics));
    return statistics.requests;
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_, {"--evict=drop"}};
  vineyard_client* client_ = nullptr;
  std::vector<vineyard_id> fillers_;
};

TEST_F(Evicting, MembersOfAPinnedRootKeepTheirBytesWhileOthersGo) {
  const std::string large(3 << 20, 'L');
  vineyard_id leased = Put(client_, large, VINEYARD_BLOB_BYTES), small = Put(client_, "small");
  vineyard_id middle = PutObject(client_, "test::Middle", {{"large", leased}, {"x", small}});
  vineyard_id root =
      PutObject(client_, "test::Root", {{"middle", middle}, {"y", small}, {"large", leased}});
  vineyard_client* reader = ConnectTo(socket_);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(reader, root, &object));
  auto compare = [&] {
    vineyard_object* held = nullptr;
    ASSERT_OK(vineyard_object_member(object, "middle", &held));
    for (auto [parent, name, wanted] :
         {std::tuple{object, "large", &large}, std::tuple{held, "large", &large}}) {
      vineyard_blob* blob = nullptr;
      ASSERT_OK(vineyard_object_member_blob(parent, name, &blob));
      EXPECT_TRUE(BytesOf(blob) == *wanted);
      vineyard_blob_release(blob);
    }
    for (auto [parent, name] : {std::pair{object, "y"}, std::pair{held, "x"}}) {
      vineyard_blob* blob = nullptr;
      ASSERT_OK(vineyard_object_member_blob(parent, name, &blob));
      EXPECT_EQ(BytesOf(blob), "small");
      vineyard_blob_release(blob);
    }
    vineyard_object_release(held);
  };
  compare();  // maps the segments
  uint64_t requests = Requests(reader);
  Fill(70);  // each of them older than those that came after it
  compare();
  EXPECT_EQ(Exists(client_, root), 1);
  EXPECT_EQ(Exists(client_, fillers_[0]), 0);

  ASSERT_OK(Delete(client_, root));
  EXPECT_EQ(Exists(client_, root), 0);
  Fill(70);
  compare();
  EXPECT_EQ(Requests(reader), requests) << "all of it was read without a message";

  uint64_t pinned = Number(client_, "memory_pinned");
  EXPECT_GT(pinned, 0u);
  vineyard_object_release(object);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
  EXPECT_EQ(Number(client_, "memory_pinned"), 0u);
  Fill(70);  // goes on, with the memory that came back
  EXPECT_EQ(Exists(client_, leased), 0);
  vineyard_client_release(reader);
}

TEST_F(Evicting, WhatIsAllHeldLeavesNoRoomAndTheErrorSaysSo) {
  std::vector<vineyard_blob*> held;
  int32_t status = VINEYARD_OK;
  for (int i = 0; status == VINEYARD_OK && i < 100; ++i) {
    std::string bytes(1 << 20, static_cast<char>(i));
    vineyard_id id = 0;
    status = vineyard_blob_put(client_, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
    if (status != VINEYARD_OK) break;
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_blob_get(client_, id, &blob));
    held.push_back(blob);
  }
  EXPECT_EQ(status, VINEYARD_E_OUT_OF_MEMORY);
  EXPECT_NE(std::string(vineyard_error_text()).find("are held by readers"), std::string::npos)
      << vineyard_error_text();
  EXPECT_EQ(Evictions(), 0u);
  for (size_t i = 0; i < held.size(); ++i) {
    EXPECT_TRUE(BytesOf(held[i]) == std::string(1 << 20, static_cast<char>(i)));
    vineyard_blob_release(held[i]);
  }
  Fill(1);
}

}  // namespace
}  // namespace vineyard::testing

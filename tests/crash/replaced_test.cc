// A daemon that is another one than before, with other memory, and clients that end while they write: each
// was a way to damage what others had stored.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

constexpr size_t kLarge = 150'000;  // too large to travel in a message

class Replaced : public WithClient {
 protected:
  // Another store at the same socket.
  void Replace(bool killed) {
    if (killed) {
      daemon_.KillAll();
      daemon_.WaitForEnd();
    } else {
      EXPECT_EQ(daemon_.Terminate(), 0);
    }
    next_ = std::make_unique<Vineyardd>(socket_);
    ASSERT_TRUE(next_->WaitUntilReady());
  }
  std::unique_ptr<Vineyardd> next_;
};

// The first large put went into the memory of the store before, over what was read there.
void LargePutsGoIntoTheNewStore(vineyard_client* client, const std::string& socket,
                                vineyard_blob* held) {
  for (char c : {'a', 'b', 'c'}) {
    std::string bytes(kLarge, c);
    vineyard_id id = Put(client, bytes);
    EXPECT_EQ(Get(client, id), bytes);
    vineyard_client* other = ConnectTo(socket);
    EXPECT_EQ(Get(other, id), bytes);
    vineyard_client_release(other);
    EXPECT_EQ(BytesOf(held), std::string(kLarge, 'x'));
  }
}

TEST_F(Replaced, LargePutsGoIntoTheNewStoreAfterATerm) {
  vineyard_blob* held = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, Put(client_, std::string(kLarge, 'x')), &held));
  Replace(/*killed=*/false);
  LargePutsGoIntoTheNewStore(client_, socket_, held);
  vineyard_blob_release(held);
}

TEST_F(Replaced, LargePutsGoIntoTheNewStoreAfterTwoDeaths) {
  vineyard_blob* held = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, Put(client_, std::string(kLarge, 'x')), &held));
  Replace(/*killed=*/true);
  LargePutsGoIntoTheNewStore(client_, socket_, held);
  vineyard_blob_release(held);
}

// Who only reads asks nobody, and went on reading in the store before.
TEST_F(Replaced, AReaderNoticesThatItsStoreHasEnded) {
  vineyard_client* reader = ConnectTo(socket_);
  vineyard_id id = Put(client_, "old");
  ASSERT_OK(vineyard_name_put(client_, "name", id, nullptr, nullptr));
  vineyard_blob* held = nullptr;
  ASSERT_OK(vineyard_blob_get(reader, id, &held));
  EXPECT_EQ(vineyard_client_is_connected(reader), 1);
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_EQ(vineyard_client_is_connected(reader), 0);
  vineyard_blob* again = nullptr;
  EXPECT_EQ(vineyard_blob_get(reader, id, &again), VINEYARD_E_UNAVAILABLE);

  next_ = std::make_unique<Vineyardd>(socket_);
  ASSERT_TRUE(next_->WaitUntilReady());
  EXPECT_EQ(Get(reader, id), "not found");
  vineyard_id new_id = Put(client_, "new"), found = VINEYARD_ID_INVALID;
  ASSERT_OK(vineyard_name_put(client_, "name", new_id, nullptr, nullptr));
  ASSERT_OK(vineyard_name_get(reader, "name", 0, &found, nullptr));
  EXPECT_EQ(found, new_id);
  EXPECT_EQ(vineyard_client_is_connected(reader), 1);
  EXPECT_EQ(BytesOf(held), "old");
  vineyard_blob_release(held);
  vineyard_client_release(reader);
}

// A close gave the leases back, and memory that somebody could still write became another's object. Now it
// gives them back when what is written there is no memory of the store any more.
TEST_F(Replaced, WhatAWriterMayWriteIsNobodyElsesAfterAClose) {
  vineyard_client* closed = ConnectTo(socket_);
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(closed, 1'000'000, VINEYARD_BLOB_BUFFER, &writer));
  char* bytes = static_cast<char*>(vineyard_blob_writer_data(writer));
  ASSERT_OK(vineyard_client_close(closed));
  EXPECT_EQ(vineyard_blob_writer_data(writer), nullptr);
  std::vector<vineyard_id> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(Put(client_, std::string(kLarge, 'x')));
  std::fill(bytes, bytes + 1'000'000, '!');
  for (vineyard_id id : ids) EXPECT_EQ(Get(client_, id), std::string(kLarge, 'x'));
  EXPECT_EQ(vineyard_blob_writer_seal(writer), VINEYARD_E_INVALID);
  EXPECT_EQ(Number(client_, "leases"), 0u);
  vineyard_blob_writer_release(writer);
  vineyard_client_release(closed);
}

// A put of another thread wrote through a null pointer.
TEST_F(Replaced, ACloseDuringLargePutsIsAnErrorOfThose) {
  for (int round = 0; round < 10; ++round) {
    vineyard_client* client = ConnectTo(socket_);
    std::atomic<int> running{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        std::string bytes(70'000, 'x');
        vineyard_id id = VINEYARD_ID_INVALID;
        int32_t status;
        while ((status = vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER,
                                           &id)) == VINEYARD_OK) {
          running.fetch_add(1);
          EXPECT_OK(Delete(client_, id));
        }
        EXPECT_TRUE(status == VINEYARD_E_INVALID || status == VINEYARD_E_UNKNOWN)
            << vineyard_status_name(status) << ": " << vineyard_error_text();
      });
    }
    while (running.load() < 20) std::this_thread::yield();
    EXPECT_OK(vineyard_client_close(client));
    for (std::thread& thread : threads) thread.join();
    vineyard_client_release(client);
  }
  EXPECT_TRUE(WaitForNumber(client_, "leases", 0));
}

}  // namespace
}  // namespace vineyard::testing

// Keeper and daemon die together, in the middle of work: readers keep what they hold, nothing else stays, and
// whoever starts next finds nothing in the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr size_t kLarge = 3'000'000;

class BothDeaths : public WithDaemon {
 protected:
  // Neither of them sees the other die.
  void KillBothFrozen() {
    kill(daemon_.keeper(), SIGSTOP);
    kill(daemon_.daemon(), SIGSTOP);
    daemon_.KillAll();
    daemon_.WaitForEnd();
    EXPECT_FALSE(IsRunning(daemon_.keeper()));
    EXPECT_FALSE(IsRunning(daemon_.daemon()));
  }
};

TEST_F(BothDeaths, ReadersKeepWhatTheyHoldAndNothingStaysAfterThem) {
  // A process that has written, and one that reads, so that this one has nothing of the store.
  Child reader([&](Talk& talk) {
    vineyard_client* client = nullptr;
    vineyard_id id = 0;
    vineyard_blob* blob = nullptr;
    std::string bytes(kLarge, 'k');
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    CHILD_CHECK(vineyard_blob_put(client, bytes.data(), kLarge, VINEYARD_BLOB_BUFFER, &id) ==
                VINEYARD_OK);
    CHILD_CHECK(vineyard_blob_get(client, id, &blob) == VINEYARD_OK);
    CHILD_CHECK(vineyard_memory_is_shared(vineyard_blob_data(blob), kLarge) == 1);
    talk.Say('h');
    CHILD_CHECK(talk.Hear() == 'd');
    CHILD_CHECK(BytesOf(blob) == bytes);
    // What needs the daemon fails, and says why; what it holds is still right.
    vineyard_id lost = 0;
    CHILD_CHECK(vineyard_blob_put(client, "x", 1, VINEYARD_BLOB_BUFFER, &lost) ==
                VINEYARD_E_UNAVAILABLE);
    CHILD_CHECK(std::string(vineyard_error_text()).find(socket_) != std::string::npos);
    CHILD_CHECK(BytesOf(blob) == bytes);
    talk.Say('r');
    CHILD_CHECK(talk.Hear() == 'l');
    vineyard_blob_release(blob);
    vineyard_client_release(client);
    talk.Say('n');
    talk.Hear();
    return 0;
  });
  ASSERT_EQ(reader.Hear(), 'h');
  std::set<uint64_t> memory = daemon_.MemoryFiles();
  EXPECT_GE(memory.size(), 5u) << "state, index, directory, pins, a segment";
  KillBothFrozen();
  std::set<uint64_t> held = InUse(memory);
  EXPECT_THAT(held, Not(IsEmpty())) << "by the reader";
  EXPECT_LT(held.size(), memory.size()) << "what nobody but the daemon had is gone at once";
  reader.Say('d');
  ASSERT_EQ(reader.Hear(), 'r');
  reader.Say('l');
  ASSERT_EQ(reader.Hear(), 'n');
  EXPECT_THAT(InUse(memory), IsEmpty()) << "though the process that read still runs";
  reader.Say('e');
  EXPECT_EQ(reader.Wait(), 0);
}

TEST_F(BothDeaths, UnderLoadLeaveNothingInTheWayOfTheNextStart) {
  std::atomic<bool> stop{false};
  std::atomic<int> puts{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&, i] {
      vineyard_client* client = Connect();
      std::string bytes(i == 0 ? kLarge / 10 : 100, static_cast<char>('a' + i));
      while (!stop) {
        vineyard_id id = 0;
        int32_t status =
            vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
        // Of one that was sent nobody knows any more whether it was done.
        EXPECT_THAT(status, AnyOf(VINEYARD_OK, VINEYARD_E_UNAVAILABLE, VINEYARD_E_UNKNOWN))
            << vineyard_error_text();
        if (status != VINEYARD_OK) continue;
        ++puts;
        // The store that has it may be the one before.
        EXPECT_THAT(Get(client, id), AnyOf(bytes, "not found", "unavailable"));
        vineyard_object_delete(client, &id, 1, nullptr);
      }
      vineyard_client_release(client);
    });
  }
  std::unique_ptr<Vineyardd> run;
  std::set<uint64_t> memory;
  Vineyardd* current = &daemon_;
  for (int round = 0; round < 4; ++round) {
    int before = puts;
    while (puts < before + 20) std::this_thread::yield();
    memory.merge(current->MemoryFiles());
    kill(current->daemon(), SIGSTOP);
    current->KillAll();
    current->WaitForEnd();
    run = std::make_unique<Vineyardd>(socket_);
    current = run.get();
    ASSERT_TRUE(current->WaitUntilReady());
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_THAT(InUse(memory), IsEmpty()) << "of the four stores that died";
  EXPECT_EQ(current->Terminate(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

// The session of before is none of the next store's: it begins anew, and says so to who asks.
TEST_F(BothDeaths, AClientOfBeforeHasANewSession) {
  RawClient before(socket_);
  ASSERT_TRUE(before.Hello(7).ok());
  auto put = before.PutBytes("before", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok());
  KillBothFrozen();
  EXPECT_TRUE(before.Ended());
  RawClient nobody(socket_);
  EXPECT_FALSE(nobody.connected());
  EXPECT_EQ(nobody.error(), ECONNREFUSED);
  Vineyardd next(socket_);
  ASSERT_TRUE(next.WaitUntilReady());
  RawClient again(socket_);
  auto welcome = again.Hello(7);
  ASSERT_TRUE(welcome.ok()) << welcome.status().ToString();
  EXPECT_FALSE(welcome->resumed);
  EXPECT_EQ(again.files.size(), 3u) << "files of the new store";
  EXPECT_EQ(again.Find(put->id).status().code(), Code::kNotFound);
  EXPECT_TRUE(again.PutBytes("after", 1).status().ok()) << "and number 1 is no repeat";
  EXPECT_THAT(next.log(), Not(HasSubstr("adopted")));
  again.Close();
  EXPECT_EQ(next.Terminate(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace vineyard::testing

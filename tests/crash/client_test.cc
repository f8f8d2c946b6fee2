// The deaths of clients, and what clients see of the deaths of others.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"

namespace vineyard::testing {
namespace {

class ClientDeath : public WithClient {
 protected:
  // In a child.
  vineyard_client* ConnectInChild() {
    vineyard_client* client = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    return client;
  }
};

TEST_F(ClientDeath, WhileItWritesGivesItsLeasesBack) {
  uint64_t used = Number(client_, "memory_used"), sessions = Number(client_, "sessions");
  Child child([&](Talk& talk) {
    vineyard_client* client = ConnectInChild();
    vineyard_blob_writer* writer = nullptr;
    CHILD_CHECK(vineyard_blob_writer_create(client, 1 << 20, VINEYARD_BLOB_BUFFER, &writer) ==
                VINEYARD_OK);
    std::memset(vineyard_blob_writer_data(writer), 1, 1000);
    talk.Say('w');
    talk.Hear();
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'w');
  EXPECT_EQ(Number(client_, "leases"), 1u);
  child.Kill();
  EXPECT_TRUE(WaitForNumber(client_, "leases", 0));
  EXPECT_TRUE(WaitForNumber(client_, "sessions", sessions));
  EXPECT_EQ(Number(client_, "memory_used"), used);
}

TEST_F(ClientDeath, WhileItReadsGivesItsPinsBack) {
  vineyard_id id = Put(client_, std::string(1 << 20, 'x'));
  Child child([&](Talk& talk) {
    vineyard_client* client = ConnectInChild();
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_blob_get(client, id, &blob) == VINEYARD_OK);
    talk.Say('r');
    talk.Hear();
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'r');
  ASSERT_OK(Delete(client_, id));
  EXPECT_EQ(Number(client_, "deferred"), 1u);
  child.Kill();
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(ClientDeath, AStoppedReaderKeepsItsPins) {
  vineyard_id id = Put(client_, "stays");
  Child child([&](Talk& talk) {
    vineyard_client* client = ConnectInChild();
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_blob_get(client, id, &blob) == VINEYARD_OK);
    talk.Say('r');
    CHILD_CHECK(talk.Hear() == 'g');
    CHILD_CHECK(BytesOf(blob) == "stays");
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'r');
  kill(child.pid(), SIGSTOP);
  ASSERT_OK(Delete(client_, id));
  for (int i = 0; i < 50; ++i) Put(client_, std::string(100, 'y'));
  EXPECT_EQ(Number(client_, "deferred"), 1u);
  kill(child.pid(), SIGCONT);
  child.Say('g');
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(ClientDeath, TheSecondReaderReadsOnWhileTheFirstDeletes) {
  std::string bytes(300000, 'z');
  vineyard_id id = Put(client_, bytes);
  Child child([&](Talk& talk) {
    vineyard_client* client = ConnectInChild();
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_blob_get(client, id, &blob) == VINEYARD_OK);
    CHILD_CHECK(vineyard_memory_is_shared(vineyard_blob_data(blob), bytes.size()) == 1);
    vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
    CHILD_CHECK(vineyard_client_get_statistics(client, &statistics) == VINEYARD_OK);
    CHILD_CHECK(statistics.copied_payload_bytes == 0);
    talk.Say('r');
    CHILD_CHECK(talk.Hear() == 'd');
    CHILD_CHECK(BytesOf(blob) == bytes);
    vineyard_blob* again = nullptr;
    CHILD_CHECK(vineyard_blob_get(client, id, &again) == VINEYARD_E_NOT_FOUND);
    vineyard_blob_release(blob);
    talk.Say('e');
    talk.Hear();
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'r');
  ASSERT_OK(Delete(client_, id));
  Put(client_, std::string(300000, 'n'));  // would take the memory
  child.Say('d');
  ASSERT_EQ(child.Hear(), 'e');
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
  child.Say('e');
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(ClientDeath, AtAnyPointLeavesNothingBehind) {
  vineyard_id common = Put(client_, "common");
  uint64_t sessions = Number(client_, "sessions");
  for (int round = 0; round < 25; ++round) {
    Child child([&](Talk& talk) -> int {
      vineyard_client* client = ConnectInChild();
      talk.Say('g');
      for (int i = 0;; ++i) {
        vineyard_blob* blob = nullptr;
        vineyard_id id = 0;
        CHILD_CHECK(vineyard_blob_get(client, common, &blob) == VINEYARD_OK);
        std::string bytes(i % 3 == 0 ? 100000 : 100, 'c');
        CHILD_CHECK(vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BYTES,
                                      &id) == VINEYARD_OK);
        CHILD_CHECK(vineyard_object_delete(client, &id, 1, nullptr) == VINEYARD_OK);
        if (i % 2 == 0) vineyard_blob_release(blob);
      }
    });
    ASSERT_EQ(child.Hear(), 'g');
    for (int i = 0; i < round * 3; ++i) Get(client_, Put(client_, "x"));
    child.Kill();
    ASSERT_TRUE(WaitForNumber(client_, "sessions", sessions));
    EXPECT_EQ(Number(client_, "leases"), 0u);
    EXPECT_EQ(Get(client_, common), "common");
    ASSERT_OK(vineyard_client_clear(client_, nullptr));
    ASSERT_TRUE(WaitForNumber(client_, "deferred", 0));
    EXPECT_EQ(Number(client_, "memory_used"), 0u);
    common = Put(client_, "common");
  }
}

// ---- the daemon dies ---------------------------------------------------------------------------------

class DaemonDeath : public ClientDeath {
 protected:
  // Returns when it runs no more, which is later than when the signal is sent.
  void StopDaemon() {
    kill(daemon_.daemon(), SIGSTOP);
    std::string path = "/proc/" + std::to_string(daemon_.daemon()) + "/status";
    std::string state;
    while (state.find("State:\tT") == std::string::npos) {
      std::ifstream file(path);
      state.assign(std::istreambuf_iterator<char>(file), {});
      ASSERT_FALSE(state.empty());
    }
  }
  void KillDaemon() {
    kill(daemon_.daemon(), SIGKILL);
    ASSERT_TRUE(daemon_.WaitUntilReady()) << daemon_.log();
  }
};

TEST_F(DaemonDeath, GetsGoOnWithoutIt) {
  vineyard_id id = Put(client_, "there");
  EXPECT_EQ(Get(client_, id), "there");
  StopDaemon();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Get(client_, id), "there");
  kill(daemon_.daemon(), SIGCONT);
}

TEST_F(DaemonDeath, AStoppedDaemonTimesOutAndTheClientGoesOnAfterwards) {
  vineyard_client* hurried = Connect(/*timeout_ms=*/50);
  StopDaemon();
  vineyard_id id = 0;
  int32_t exists = 0;
  EXPECT_EQ(vineyard_object_exists(hurried, 12, &exists), VINEYARD_E_TIMEOUT);
  // What changes something was sent, and may be applied yet.
  EXPECT_EQ(vineyard_blob_put(hurried, "x", 1, VINEYARD_BLOB_BUFFER, &id), VINEYARD_E_UNKNOWN);
  kill(daemon_.daemon(), SIGCONT);
  int32_t status;
  do {
    status = vineyard_blob_put(hurried, "y", 1, VINEYARD_BLOB_BUFFER, &id);
  } while (status == VINEYARD_E_UNKNOWN);
  EXPECT_EQ(status, VINEYARD_OK) << vineyard_error_text();
  EXPECT_EQ(Get(hurried, id), "y");
  vineyard_client_release(hurried);
}

TEST_F(DaemonDeath, AWriterSealsAfterIt) {
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 200000, VINEYARD_BLOB_BYTES, &writer));
  std::memset(vineyard_blob_writer_data(writer), 'a', 100000);
  KillDaemon();
  std::memset(static_cast<char*>(vineyard_blob_writer_data(writer)) + 100000, 'b', 100000);
  ASSERT_OK(vineyard_blob_writer_seal(writer));
  EXPECT_TRUE(Get(client_, vineyard_blob_writer_id(writer)) ==
              std::string(100000, 'a') + std::string(100000, 'b'));
  vineyard_blob_writer_release(writer);
}

TEST_F(DaemonDeath, AWaitGoesOnInTheNextOne) {
  vineyard_client* other = Connect();
  vineyard_id found = 0;
  std::thread waiter([&] { EXPECT_OK(vineyard_name_get(other, "later", -1, &found, nullptr)); });
  KillDaemon();
  vineyard_id id = Put(client_, "x");
  ASSERT_OK(vineyard_name_put(client_, "later", id, nullptr, nullptr));
  waiter.join();
  EXPECT_EQ(found, id);
  vineyard_client_release(other);
}

// Each put is answered once, however often the reply was lost with the daemon: as many objects as
// answers, and each of them with its bytes.
TEST_F(DaemonDeath, APutWhoseReplyWasLostMakesOneObject) {
  constexpr int kThreads = 3;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  std::vector<std::vector<vineyard_id>> ids(kThreads);
  std::atomic<uint64_t> answers[kThreads] = {};
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      vineyard_client* client = Connect();
      while (!stop) {
        vineyard_id id = 0;
        std::string bytes = std::to_string(t) + ":" + std::to_string(ids[t].size());
        int32_t status =
            vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
        EXPECT_EQ(status, VINEYARD_OK) << vineyard_error_text();
        ids[t].push_back(id);
        ++answers[t];
      }
      vineyard_client_release(client);
    });
  }
  for (int i = 0; i < 6; ++i) {
    // A request that two daemons die of is not sent a third time: whatever was under way at the last death
    // has its answer before the next, and the one answer more may be an older one.
    for (std::atomic<uint64_t>& count : answers) {
      uint64_t before = count;
      for (int k = 0; k < 100'000 && count < before + 2; ++k) poll(nullptr, 0, 1);
    }
    KillDaemon();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  uint64_t objects = 0;
  for (size_t t = 0; t < kThreads; ++t) {
    for (size_t i = 0; i < ids[t].size(); ++i) {
      EXPECT_EQ(Get(client_, ids[t][i]), std::to_string(t) + ":" + std::to_string(i));
    }
    objects += ids[t].size();
  }
  EXPECT_EQ(Number(client_, "blobs"), objects);
}

// By the counter in it, which blobs and objects share.
uint64_t CounterOf(vineyard_id id) { return id & ((uint64_t{1} << 40) - 1); }

TEST_F(DaemonDeath, NoIdIsUsedTwiceWhateverWasDeletedBeforeIt) {
  uint64_t highest = 0;
  auto put_all = [&] {
    vineyard_blob_writer* writer = nullptr;
    EXPECT_OK(vineyard_blob_writer_create(client_, 100000, VINEYARD_BLOB_BYTES, &writer));
    std::vector<uint64_t> counters = {CounterOf(vineyard_blob_writer_id(writer))};
    vineyard_blob_writer_release(writer);  // never sealed
    vineyard_id blob = Put(client_, "blob");
    counters.push_back(CounterOf(blob));
    counters.push_back(CounterOf(PutObject(client_, "test::Thing", {{"m", blob}})));
    for (uint64_t counter : counters) {
      EXPECT_GT(counter, highest);
      highest = std::max(highest, counter);
    }
  };
  for (int round = 0; round < 3; ++round) {
    put_all();
    ASSERT_OK(vineyard_client_clear(client_, nullptr));
    EXPECT_EQ(Number(client_, "objects") + Number(client_, "blobs") + Number(client_, "leases"),
              0u);
    KillDaemon();
    put_all();
    ASSERT_OK(vineyard_client_clear(client_, nullptr));
  }
}

TEST_F(DaemonDeath, WithItsKeeperTakesTheObjectsButNotTheViews) {
  vineyard_id id = Put(client_, "old");
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, id, &blob));
  daemon_.KillAll();
  daemon_.WaitForEnd();
  vineyard_id lost = 0;
  EXPECT_NE(vineyard_blob_put(client_, "x", 1, VINEYARD_BLOB_BUFFER, &lost), VINEYARD_OK);
  EXPECT_EQ(vineyard_client_is_connected(client_), 0);
  Vineyardd next(socket_);
  ASSERT_TRUE(next.WaitUntilReady()) << next.log();
  vineyard_id fresh = Put(client_, "new");
  EXPECT_EQ(Get(client_, fresh), "new");
  EXPECT_EQ(Get(client_, id), "not found");
  EXPECT_EQ(BytesOf(blob), "old");
  vineyard_blob_release(blob);
  EXPECT_EQ(vineyard_client_is_connected(client_), 1);
  vineyard_client_release(std::exchange(client_, nullptr));
}

}  // namespace
}  // namespace vineyard::testing

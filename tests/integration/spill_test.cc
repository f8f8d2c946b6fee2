// A daemon with --evict spill: more is put than there is memory, and all of it is read again, by whom and
// whatever dies meanwhile.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"

namespace vineyard::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Spill : public ::testing::Test {
 protected:
  Spill() { EXPECT_TRUE(daemon_.WaitUntilReady()) << daemon_.log(); }
  ~Spill() override { vineyard_client_release(client_); }

  vineyard_client* client() {
    if (client_ == nullptr) client_ = ConnectTo(socket_);
    return client_;
  }
  static std::string Bytes(uint64_t size, int i) {
    return std::string(size, static_cast<char>('a' + i % 26)) + std::to_string(i);
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(spilled_)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }
  // Three times what there is room for.
  std::vector<vineyard_id> PutMuch() {
    std::vector<vineyard_id> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(Put(client(), Bytes(10 << 20, i)));
    return ids;
  }
  void ExpectAll(const std::vector<vineyard_id>& ids) {
    for (size_t i = 0; i < ids.size(); ++i) {
      EXPECT_TRUE(Get(client(), ids[i]) == Bytes(10 << 20, static_cast<int>(i)))
          << "of number " << i;
    }
  }
  std::string MakeFolder() {
    fs::create_directory(spilled_);
    return spilled_;
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock", spilled_ = folder_ / "spilled";
  Vineyardd daemon_{socket_, {"--spill-path=" + MakeFolder()}};
  vineyard_client* client_ = nullptr;
};

TEST_F(Spill, ThreeTimesTheMemoryIsPutAndRead) {
  std::vector<vineyard_id> ids = PutMuch();
  EXPECT_GT(Number(client(), "spilled_bytes"), 100u << 20);
  for (vineyard_id id : ids) EXPECT_EQ(Exists(client(), id), 1);
  EXPECT_EQ(Number(client(), "loads"), 0u) << "to know that they exist nobody reads them";
  ExpectAll(ids);
  EXPECT_GT(Number(client(), "loads"), 10u);
  uint64_t deleted = 0;
  ASSERT_OK(vineyard_client_clear(client(), &deleted));
  EXPECT_EQ(deleted, 20u);
  EXPECT_TRUE(WaitForNumber(client(), "spilled_blobs", 0));
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (!Files().empty() && std::chrono::steady_clock::now() < end) poll(nullptr, 0, 5);
  EXPECT_TRUE(Files().empty());
}

TEST_F(Spill, WhatAReaderHoldsIsNotMoved) {
  vineyard_id id = Put(client(), Bytes(10 << 20, 0));
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(client(), id, &blob));
  const void* data = vineyard_blob_data(blob);
  std::vector<vineyard_id> ids = PutMuch();
  EXPECT_TRUE(BytesOf(blob) == Bytes(10 << 20, 0));
  vineyard_blob* again = nullptr;
  ASSERT_OK(vineyard_blob_get(client(), id, &again));
  EXPECT_EQ(vineyard_blob_data(again), data);
  vineyard_blob_release(again);
  vineyard_blob_release(blob);
}

TEST_F(Spill, AMemberComesWithItsRoot) {
  vineyard_id leaf = Put(client(), Bytes(10 << 20, 3));
  vineyard_id root =
      PutObject(client(), "test::Root",
                {{"inner", PutObject(client(), "test::Inner", {{"leaf", leaf}})}}, "root");
  PutMuch();
  vineyard_id found = 0;
  ASSERT_OK(vineyard_name_get(client(), "root", 0, &found, nullptr));
  EXPECT_EQ(found, root);
  vineyard_object *object = nullptr, *inner = nullptr;
  ASSERT_OK(vineyard_object_get(client(), root, &object));
  uint64_t loads = Number(client(), "loads");
  ASSERT_OK(vineyard_object_member(object, "inner", &inner));
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_object_member_blob(inner, "leaf", &blob));
  EXPECT_TRUE(BytesOf(blob) == Bytes(10 << 20, 3));
  EXPECT_EQ(Number(client(), "loads"), loads) << "there is nothing to wait for below a root";
  vineyard_blob_release(blob);
  vineyard_object_release(inner);
  vineyard_object_release(object);
}

TEST_F(Spill, AKilledDaemonLosesNothingThatIsSpilled) {
  std::vector<vineyard_id> ids = PutMuch();
  kill(daemon_.daemon(), SIGKILL);
  ASSERT_TRUE(daemon_.WaitUntilReady());
  ExpectAll(ids);
  kill(daemon_.keeper(), SIGKILL);
  ASSERT_TRUE(daemon_.WaitUntilReady());
  ExpectAll(ids);
}

TEST_F(Spill, KilledWhileItSpillsItLosesNothing) {
  std::vector<vineyard_id> ids;
  for (int round = 0; round < 5; ++round) {
    std::thread killer([this, round] {
      poll(nullptr, 0, 20 * round);  // anywhere
      kill(daemon_.daemon(), SIGKILL);
    });
    for (int i = 0; i < 6; ++i) {
      ids.push_back(Put(client(), Bytes(10 << 20, static_cast<int>(ids.size()))));
    }
    killer.join();
    ASSERT_TRUE(daemon_.WaitUntilReady());
  }
  ExpectAll(ids);
}

TEST_F(Spill, AFolderThatIsGoneLosesNothingThatIsInMemory) {
  vineyard_id id = Put(client(), Bytes(30 << 20, 1));
  fs::remove_all(spilled_);
  vineyard_blob_writer* writer = nullptr;
  EXPECT_EQ(vineyard_blob_writer_create(client(), 40 << 20, VINEYARD_BLOB_BUFFER, &writer),
            VINEYARD_E_OUT_OF_MEMORY);
  EXPECT_THAT(vineyard_error_text(), HasSubstr("No such file or directory"));
  EXPECT_TRUE(Get(client(), id) == Bytes(30 << 20, 1));
  EXPECT_FALSE(daemon_.WaitForLine("nothing is spilled").empty());
}

TEST_F(Spill, ManyReadersAndWritersInLittleMemoryAllGetAnAnswer) {
  std::vector<vineyard_id> ids = PutMuch();
  std::atomic<int> gets{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      vineyard_client* mine = ConnectTo(socket_, 60'000);
      for (int i = 0; i < 20; ++i) {
        size_t which = static_cast<size_t>((t * 7 + i * 3) % 20);
        vineyard_blob* blob = nullptr;
        int32_t status = vineyard_blob_get(mine, ids[which], &blob);
        // Four of 10 MiB fit, as long as they are not held in unlucky places: else an error says so.
        if (status == VINEYARD_E_OUT_OF_MEMORY || status == VINEYARD_E_TIMEOUT) continue;
        EXPECT_EQ(status, VINEYARD_OK) << vineyard_error_text();
        if (status != VINEYARD_OK) break;
        EXPECT_TRUE(BytesOf(blob) == Bytes(10 << 20, static_cast<int>(which)));
        vineyard_blob_release(blob);
        ++gets;
      }
      vineyard_client_release(mine);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(gets.load(), 40);
}

TEST_F(Spill, TheEndLeavesNothingInTheFolder) {
  PutMuch();
  EXPECT_FALSE(Files().empty());
  vineyard_client_release(std::exchange(client_, nullptr));
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_TRUE(fs::is_empty(spilled_));
}

TEST_F(Spill, TheNextStartRemovesWhatTwoDeathsLeft) {
  PutMuch();
  vineyard_client_release(std::exchange(client_, nullptr));
  daemon_.KillAll();
  daemon_.WaitForEnd();
  EXPECT_FALSE(Files().empty());
  Vineyardd next(socket_, {"--spill-path=" + spilled_});
  ASSERT_TRUE(next.WaitUntilReady());
  EXPECT_TRUE(Files().empty());
}

TEST_F(Spill, AFullDiskIsAnErrorThatSaysSo) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small disk";
  TempFolder small;
  if (mount("tmpfs", small.path().c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "nothing can be mounted here";
  }
  std::string socket = folder_ / "w.sock";
  {
    Vineyardd daemon(socket, {"--spill-path=" + small.path()});
    ASSERT_TRUE(daemon.WaitUntilReady());
    vineyard_client* client = ConnectTo(socket);
    std::vector<vineyard_id> ids;
    int32_t status = VINEYARD_OK;
    for (int i = 0; i < 12 && status == VINEYARD_OK; ++i) {
      std::string bytes = Bytes(10 << 20, i);
      vineyard_id id = 0;
      status = vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
      if (status == VINEYARD_OK) ids.push_back(id);
    }
    EXPECT_EQ(status, VINEYARD_E_OUT_OF_MEMORY);
    EXPECT_THAT(vineyard_error_text(), HasSubstr("No space left on device"));
    ASSERT_GE(ids.size(), 5u);
    for (size_t i = 0; i < ids.size(); ++i) {
      vineyard_blob* blob = nullptr;
      status = vineyard_blob_get(client, ids[i], &blob);
      if (status == VINEYARD_E_OUT_OF_MEMORY)
        continue;  // on the disk, and there is no room to exchange it
      ASSERT_EQ(status, VINEYARD_OK) << vineyard_error_text();
      EXPECT_TRUE(BytesOf(blob) == Bytes(10 << 20, static_cast<int>(i)));
      vineyard_blob_release(blob);
    }
    vineyard_client_release(client);
  }
  umount2(small.path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace vineyard::testing

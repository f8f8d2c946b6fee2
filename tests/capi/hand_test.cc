// evict, load, pin and unpin: where an object lies because a program says so.
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"

namespace vineyard::testing {
namespace {

class ByHand : public ::testing::Test {
 protected:
  ByHand() {
    EXPECT_TRUE(daemon_.WaitUntilReady()) << daemon_.log();
    client_ = ConnectTo(socket_);
    other_ = ConnectTo(socket_);
  }
  ~ByHand() override {
    vineyard_client_release(other_);
    vineyard_client_release(client_);
  }
  std::string Large() { return std::string(5 << 20, 'L'); }
  // Of a blob of 5 MiB, with a small one beside it.
  vineyard_id PutTree() {
    vineyard_id large = Put(client_, Large()), small = Put(client_, "small");
    return PutObject(client_, "test::Root", {{"large", large}, {"small", small}});
  }
  void ExpectBytes(vineyard_id root) {
    vineyard_object* object = nullptr;
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_object_get(other_, root, &object));
    ASSERT_OK(vineyard_object_member_blob(object, "large", &blob));
    EXPECT_TRUE(BytesOf(blob) == Large());
    vineyard_blob_release(blob);
    vineyard_object_release(object);
  }
  void ExpectInUse(vineyard_id id, pid_t by) {
    EXPECT_EQ(vineyard_object_evict(other_, id), VINEYARD_E_IN_USE);
    std::string text = vineyard_error_text();
    EXPECT_NE(text.find("pid " + std::to_string(by) + " "), std::string::npos) << text;
    EXPECT_EQ(Spilled(), 0u);
  }
  uint64_t Spilled() { return Number(client_, "spilled_blobs"); }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_, {"--spill-path=" + folder_.path(), "--spill-upper-rate=1"}};
  vineyard_client *client_ = nullptr, *other_ = nullptr;
};

TEST_F(ByHand, ATreeIsEvictedLoadedAndRead) {
  vineyard_id root = PutTree();
  uint64_t used = Number(client_, "memory_used");
  ASSERT_OK(vineyard_object_evict(client_, root));
  EXPECT_EQ(Spilled(), 2u);
  EXPECT_LT(Number(client_, "memory_used"), used - (5 << 20));
  ASSERT_OK(vineyard_object_evict(client_, root));
  EXPECT_EQ(Exists(other_, root), 1);
  EXPECT_EQ(Spilled(), 2u);
  ASSERT_OK(vineyard_object_load(client_, root));
  EXPECT_EQ(Spilled(), 0u);
  EXPECT_EQ(Number(client_, "loads"), 1u);
  ASSERT_OK(vineyard_object_load(client_, root));
  ExpectBytes(root);
  EXPECT_EQ(Number(client_, "loads"), 1u) << "it was there";
  ASSERT_OK(vineyard_object_evict(other_, root));  // nobody holds what was only loaded
  ExpectBytes(root);
}

TEST_F(ByHand, APinKeepsATreeInMemoryUntilItsLastUnpin) {
  vineyard_id root = PutTree();
  ASSERT_OK(vineyard_object_evict(client_, root));
  ASSERT_OK(vineyard_object_pin(client_, root));
  EXPECT_EQ(Spilled(), 0u) << "it was loaded first";
  ASSERT_OK(vineyard_object_pin(client_, root));
  ExpectInUse(root, getpid());
  ASSERT_OK(vineyard_object_unpin(client_, root));
  ExpectInUse(root, getpid());
  EXPECT_EQ(vineyard_object_unpin(other_, root), VINEYARD_E_NOT_FOUND) << "another client's";
  ASSERT_OK(vineyard_object_unpin(client_, root));
  EXPECT_EQ(vineyard_object_unpin(client_, root), VINEYARD_E_NOT_FOUND);
  ASSERT_OK(vineyard_object_evict(other_, root));
}

TEST_F(ByHand, WhatIsPinnedStaysWhenThereIsNoRoom) {
  vineyard_id root = PutTree(), free = PutTree();
  ASSERT_OK(vineyard_object_pin(client_, root));
  uint64_t pinned = Number(client_, "memory_pinned");
  EXPECT_GT(pinned, 5u << 20);
  for (int i = 0; i < 10; ++i) Put(other_, std::string(10 << 20, 'x'));
  EXPECT_GT(Spilled(), 5u);
  uint64_t loads = Number(client_, "loads");
  ExpectBytes(root);
  EXPECT_EQ(Number(client_, "loads"), loads);
  ExpectBytes(free);
  EXPECT_EQ(Number(client_, "loads"), loads + 1);
}

TEST_F(ByHand, WhatIsPinnedAndDeletedKeepsItsMemoryUntilItIsUnpinned) {
  vineyard_id blob = Put(client_, Large());
  ASSERT_OK(vineyard_object_pin(client_, blob));
  ASSERT_OK(Delete(other_, blob));
  EXPECT_EQ(Exists(client_, blob), 0);
  EXPECT_EQ(Number(client_, "deferred"), 1u);
  EXPECT_EQ(vineyard_object_pin(client_, blob), VINEYARD_E_NOT_FOUND);
  ASSERT_OK(vineyard_object_unpin(client_, blob));
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(ByHand, PinsEndWithTheirClientAndWithItsProcess) {
  vineyard_id root = PutTree();
  vineyard_client* third = ConnectTo(socket_);
  ASSERT_OK(vineyard_object_pin(third, root));
  ExpectInUse(root, getpid());
  vineyard_client_close(third);
  ASSERT_OK(vineyard_object_evict(other_, root));
  EXPECT_EQ(vineyard_object_pin(third, root), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_object_unpin(third, root), VINEYARD_E_INVALID);
  vineyard_client_release(third);

  ASSERT_OK(vineyard_object_load(client_, root));
  Child child([&](Talk& talk) {
    vineyard_client* client = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    CHILD_CHECK(vineyard_object_pin(client, root) == VINEYARD_OK);
    talk.Say('p');
    talk.Hear();
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'p');
  ExpectInUse(root, child.pid());
  child.Kill();
  ASSERT_TRUE(WaitForNumber(client_, "sessions", 2));
  ASSERT_OK(vineyard_object_evict(other_, root));
}

TEST_F(ByHand, PinsSurviveADaemonThatIsKilled) {
  vineyard_id root = PutTree();
  ASSERT_OK(vineyard_object_pin(client_, root));
  kill(daemon_.daemon(), SIGKILL);
  ASSERT_TRUE(daemon_.WaitUntilReady());
  ExpectInUse(root, getpid());
  ASSERT_OK(vineyard_object_unpin(client_, root));
  ASSERT_OK(vineyard_object_evict(other_, root));
}

TEST_F(ByHand, AChildHasPinnedNothingAndTakesNoPinAway) {
  vineyard_id root = PutTree();
  ASSERT_OK(vineyard_object_pin(client_, root));
  Child child([&](Talk&) {
    CHILD_CHECK(vineyard_object_unpin(client_, root) == VINEYARD_E_NOT_FOUND);
    CHILD_CHECK(vineyard_object_pin(client_, root) == VINEYARD_OK);
    CHILD_CHECK(vineyard_object_unpin(client_, root) == VINEYARD_OK);
    vineyard_client_release(client_);
    return 0;
  });
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(WaitForNumber(client_, "sessions", 2));
  ExpectInUse(root, getpid());
  ASSERT_OK(vineyard_object_unpin(client_, root));
  ASSERT_OK(vineyard_object_evict(other_, root));
}

TEST_F(ByHand, WhatIsNoObjectIsAnError) {
  vineyard_id gone = PutTree();
  ASSERT_OK(Delete(client_, gone));
  for (auto call : {vineyard_object_evict, vineyard_object_load, vineyard_object_pin}) {
    EXPECT_EQ(call(client_, gone), VINEYARD_E_NOT_FOUND);
    EXPECT_EQ(call(nullptr, gone), VINEYARD_E_INVALID);
  }
  EXPECT_EQ(vineyard_object_unpin(nullptr, gone), VINEYARD_E_INVALID);
  for (auto call :
       {vineyard_object_evict, vineyard_object_load, vineyard_object_pin, vineyard_object_unpin}) {
    EXPECT_OK(call(client_, VINEYARD_ID_EMPTY_BLOB));
  }
}

TEST_F(WithDaemon, WithoutAPlaceForFilesNothingIsEvictedByHand) {
  vineyard_client* client = Connect();
  vineyard_id id = Put(client, "x");
  EXPECT_EQ(vineyard_object_evict(client, id), VINEYARD_E_UNSUPPORTED);
  EXPECT_NE(std::string(vineyard_error_text()).find("--spill-path"), std::string::npos);
  EXPECT_OK(vineyard_object_load(client, id));
  EXPECT_OK(vineyard_object_pin(client, id));
  EXPECT_OK(vineyard_object_unpin(client, id));
  vineyard_client_release(client);
}

// With --evict drop a pin by hand keeps what would be dropped.
TEST(ByHandDropping, WhatIsPinnedIsNotDropped) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock", {"--evict=drop"});
  ASSERT_TRUE(daemon.WaitUntilReady());
  vineyard_client* client = ConnectTo(folder / "v.sock");
  vineyard_id pinned = Put(client, std::string(5 << 20, 'p')),
              free = Put(client, std::string(5 << 20, 'f'));
  ASSERT_OK(vineyard_object_pin(client, pinned));
  for (int i = 0; i < 10; ++i) Put(client, std::string(10 << 20, 'x'));
  EXPECT_EQ(Exists(client, pinned), 1);
  EXPECT_EQ(Exists(client, free), 0);
  vineyard_client_release(client);
}

}  // namespace
}  // namespace vineyard::testing

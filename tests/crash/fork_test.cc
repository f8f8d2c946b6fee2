// Forks with live views: parent and child drop them in either order, and neither takes the other's
// bytes away.
#include <fcntl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"

namespace vineyard::testing {
namespace {

class Fork : public WithClient {
 protected:
  vineyard_blob* View(vineyard_id id) {
    vineyard_blob* blob = nullptr;
    EXPECT_OK(vineyard_blob_get(client_, id, &blob));
    return blob;
  }
};

TEST_F(Fork, TheChildReadsWhatTheParentHasReleasedAndDeleted) {
  vineyard_id id = Put(client_, "inherited");
  vineyard_blob* blob = View(id);
  Child child([&](Talk& talk) {
    CHILD_CHECK(talk.Hear() == 'd');
    CHILD_CHECK(BytesOf(blob) == "inherited");
    vineyard_blob_release(blob);
    return 0;
  });
  vineyard_blob_release(blob);
  ASSERT_OK(Delete(client_, id));
  for (int i = 0; i < 50; ++i) Put(client_, "would take");
  EXPECT_EQ(Number(client_, "deferred"), 1u);
  child.Say('d');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0)) << "the child is gone";
}

TEST_F(Fork, TheParentReadsWhatTheChildHasReleased) {
  vineyard_id id = Put(client_, "inherited");
  vineyard_blob* blob = View(id);
  Child child([&](Talk&) {
    vineyard_blob_release(blob);
    return 0;
  });
  EXPECT_EQ(child.Wait(), 0);
  ASSERT_OK(Delete(client_, id));
  for (int i = 0; i < 50; ++i) Put(client_, "would take");
  EXPECT_EQ(Number(client_, "deferred"), 1u);
  EXPECT_EQ(BytesOf(blob), "inherited");
  vineyard_blob_release(blob);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(Fork, AViewGotAfterTheForkIsReleasedAtOnce) {
  vineyard_id id = Put(client_, "later");
  Child child([&](Talk& talk) {
    talk.Hear();
    return 0;
  });
  vineyard_blob* blob = View(id);
  ASSERT_OK(Delete(client_, id));
  vineyard_blob_release(blob);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(Fork, AChildThatExecsHoldsNothing) {
  vineyard_id id = Put(client_, "inherited");
  vineyard_blob* blob = View(id);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[0], 0);
    execlp("cat", "cat", static_cast<char*>(nullptr));
    _exit(127);
  }
  vineyard_blob_release(blob);
  ASSERT_OK(Delete(client_, id));
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0)) << "though the process still runs";
  close(ends[0]);
  close(ends[1]);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
}

TEST_F(Fork, TheChildHasASessionOfItsOwnOverTheSameClient) {
  vineyard_id id = Put(client_, "parent's");
  uint64_t sessions = Number(client_, "sessions");
  Child child([&](Talk& talk) {
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_blob_get(client_, id, &blob) == VINEYARD_OK);
    CHILD_CHECK(BytesOf(blob) == "parent's");
    vineyard_blob_release(blob);
    vineyard_id mine = 0;
    CHILD_CHECK(vineyard_blob_put(client_, "child's", 7, VINEYARD_BLOB_BUFFER, &mine) ==
                VINEYARD_OK);
    CHILD_CHECK(vineyard_name_put(client_, "mine", mine, nullptr, nullptr) == VINEYARD_OK);
    talk.Say('p');
    talk.Hear();
    vineyard_client_release(client_);
    return 0;
  });
  ASSERT_EQ(child.Hear(), 'p');
  EXPECT_EQ(Number(client_, "sessions"), sessions + 1);
  vineyard_id mine = 0;
  ASSERT_OK(vineyard_name_get(client_, "mine", 0, &mine, nullptr));
  EXPECT_EQ(Get(client_, mine), "child's");
  child.Say('e');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(WaitForNumber(client_, "sessions", sessions));
  EXPECT_EQ(Get(client_, id), "parent's");
}

TEST_F(Fork, WritersBelongToTheParent) {
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 100000, VINEYARD_BLOB_BUFFER, &writer));
  Child child([&](Talk&) {
    CHILD_CHECK(vineyard_blob_writer_data(writer) == nullptr);
    CHILD_CHECK(vineyard_blob_writer_seal(writer) == VINEYARD_E_FORKED);
    CHILD_CHECK(vineyard_blob_writer_shrink(writer, 1) == VINEYARD_E_FORKED);
    CHILD_CHECK(vineyard_blob_writer_abort(writer) == VINEYARD_E_FORKED);
    vineyard_blob_writer_release(writer);
    return 0;
  });
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(Number(client_, "leases"), 1u);
  std::memset(vineyard_blob_writer_data(writer), 'p', 100000);
  ASSERT_OK(vineyard_blob_writer_seal(writer));
  EXPECT_TRUE(Get(client_, vineyard_blob_writer_id(writer)) == std::string(100000, 'p'));
  vineyard_blob_writer_release(writer);
}

TEST_F(Fork, MembersAreReachedThroughAnInheritedRoot) {
  vineyard_id large = Put(client_, std::string(100000, 'L'));  // in a segment not mapped yet
  vineyard_id root =
      PutObject(client_, "test::Root", {{"small", Put(client_, "S")}, {"large", large}});
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(client_, root, &object));
  Child child([&](Talk& talk) {
    CHILD_CHECK(talk.Hear() == 'd');
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_object_member_blob(object, "small", &blob) == VINEYARD_OK);
    CHILD_CHECK(BytesOf(blob) == "S");
    vineyard_blob_release(blob);
    CHILD_CHECK(vineyard_object_member_blob(object, "large", &blob) == VINEYARD_OK);
    CHILD_CHECK(BytesOf(blob) == std::string(100000, 'L'));
    vineyard_object_release(object);
    CHILD_CHECK(BytesOf(blob) == std::string(100000, 'L'));
    vineyard_blob_release(blob);
    return 0;
  });
  vineyard_object_release(object);
  ASSERT_OK(Delete(client_, root));
  Put(client_, std::string(100000, 'N'));
  child.Say('d');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(Fork, AGrandchildHoldsWhatItsGrandparentReleased) {
  vineyard_id id = Put(client_, "inherited");
  vineyard_blob* blob = View(id);
  Child child([&](Talk& talk) {
    pid_t pid = fork();
    if (pid != 0) {
      int status = 0;
      waitpid(pid, &status, 0);
      return WEXITSTATUS(status);
    }
    CHILD_CHECK(talk.Hear() == 'd');
    CHILD_CHECK(BytesOf(blob) == "inherited");
    return 0;
  });
  vineyard_blob_release(blob);
  ASSERT_OK(Delete(client_, id));
  for (int i = 0; i < 50; ++i) Put(client_, "would take");
  child.Say('d');
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(Fork, TheChildReadsOnWhenItsParentIsKilled) {
  vineyard_id id = Put(client_, "inherited");
  Child parent([&](Talk& talk) {
    vineyard_client* client = nullptr;
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    CHILD_CHECK(vineyard_blob_get(client, id, &blob) == VINEYARD_OK);
    if (fork() == 0) {
      talk.Say('r');
      CHILD_CHECK(talk.Hear() == 'd');
      talk.Say(BytesOf(blob) == "inherited" ? 'y' : 'n');
      talk.Hear();
      _exit(0);
    }
    pause();
    return 0;
  });
  ASSERT_EQ(parent.Hear(), 'r');
  kill(parent.pid(), SIGKILL);
  ASSERT_OK(Delete(client_, id));
  for (int i = 0; i < 50; ++i) Put(client_, "would take");
  EXPECT_EQ(Number(client_, "deferred"), 1u);
  parent.Say('d');
  EXPECT_EQ(parent.Hear(), 'y');
  parent.Say('e');
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(Fork, OtherThreadsMayBeAnywhere) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's allocator may be locked by another thread at a fork";
#endif
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        vineyard_id id = Put(client_, std::string(i % 8 == 0 ? 70000 : 10, 'a'));
        vineyard_blob* blob = nullptr;
        EXPECT_OK(vineyard_blob_get(client_, id, &blob));
        vineyard_blob_release(blob);
        EXPECT_OK(Delete(client_, id));
        if (t == 0) Number(client_, "blobs");
      }
    });
  }
  for (int round = 0; round < 15; ++round) {
    vineyard_id id = Put(client_, "x");
    vineyard_blob* blob = View(id);
    Child child([&](Talk&) {
      CHILD_CHECK(BytesOf(blob) == "x");
      vineyard_blob_release(blob);
      vineyard_id mine = 0;
      CHILD_CHECK(vineyard_blob_put(client_, "y", 1, VINEYARD_BLOB_BUFFER, &mine) == VINEYARD_OK);
      vineyard_blob* own = nullptr;
      CHILD_CHECK(vineyard_blob_get(client_, mine, &own) == VINEYARD_OK);
      vineyard_blob_release(own);
      CHILD_CHECK(vineyard_object_delete(client_, &mine, 1, nullptr) == VINEYARD_OK);
      vineyard_client_release(client_);
      return 0;
    });
    vineyard_blob_release(blob);
    ASSERT_OK(Delete(client_, id));
    EXPECT_EQ(child.Wait(), 0);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
  EXPECT_EQ(Number(client_, "blobs"), 0u);
}

pid_t ForkWithoutHandlers() { return static_cast<pid_t>(syscall(SYS_fork)); }

TEST_F(Fork, AForkThatRanNoHandlersIsSeen) {
  vineyard_id id = Put(client_, "parent's");
  vineyard_blob* blob = View(id);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(client_, PutObject(client_, "test::Thing", {{"m", id}}), &object));
  Child child(
      [&](Talk&) {
        CHILD_CHECK(vineyard_blob_data(blob) == nullptr);
        CHILD_CHECK(std::strstr(vineyard_error_text(), "forked") != nullptr);
        vineyard_blob* shared = nullptr;
        CHILD_CHECK(vineyard_blob_share(blob, &shared) == VINEYARD_E_FORKED);
        CHILD_CHECK(vineyard_blob_get(client_, id, &shared) == VINEYARD_E_FORKED);
        vineyard_id member = 0;
        CHILD_CHECK(vineyard_object_member_id(object, "m", &member) == VINEYARD_E_FORKED);
        CHILD_CHECK(vineyard_blob_put(client_, "x", 1, VINEYARD_BLOB_BUFFER, &member) ==
                    VINEYARD_E_FORKED);
        vineyard_blob_release(blob);
        vineyard_object_release(object);
        return 0;
      },
      ForkWithoutHandlers);
  EXPECT_EQ(child.Wait(), 0);
  ASSERT_OK(vineyard_client_clear(client_, nullptr));
  for (int i = 0; i < 50; ++i) Put(client_, "would take");
  EXPECT_EQ(BytesOf(blob), "parent's") << "nothing was released";
  vineyard_blob_release(blob);
  vineyard_object_release(object);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

}  // namespace
}  // namespace vineyard::testing

// Kills keeper and daemon at the beginning and end of every system call in which one takes over from the
// other: a start, an adoption, a succession. One death loses nothing; a second one before the first is
// repaired may lose everything, and leaves nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <memory>

#include "tests/crash/world.h"
#include "tests/support/service_manager.h"
#include "tests/support/tracer.h"

namespace vineyard::testing {
namespace {

// Where the daemon was killed and its successor adopts: the successor dies, the third one finishes.
TEST(KeeperPoints, AdoptionByTheNextDaemon) {
  int64_t points = 0;
  for (int64_t point = FirstPoint();; point = NextPoint(point)) {
    World world;
    vineyard_id kept = world.Keep(std::string(100'000, 'k'));
    vineyard_id tree = PutObject(world.client(), "t", {{"m", kept}}, "name");
    vineyard_blob_writer* writer = nullptr;  // a lease, which lives on
    ASSERT_OK(vineyard_blob_writer_create(world.client(), 100'000, VINEYARD_BLOB_BUFFER, &writer));
    Trace trace;
    trace.process = world.daemon().keeper();
    trace.of_children = true;
    trace.kill_at = point;
    Traced traced = RunTraced(trace, [&] {
      kill(world.daemon().daemon(), SIGKILL);
      // Waits for whoever serves next. A request that two daemons die of is not sent a third time.
      vineyard_info* info = nullptr;
      int32_t status = vineyard_client_get_info(world.client(), &info);
      if (status == VINEYARD_E_UNAVAILABLE)
        status = vineyard_client_get_info(world.client(), &info);
      EXPECT_OK(status);
      vineyard_info_release(info);
    });
    SCOPED_TRACE("killed at point " + std::to_string(point) + ", system call " + traced.where);
    EXPECT_OK(vineyard_blob_writer_seal(writer));
    vineyard_blob_writer_release(writer);
    while (Number(world.client(), "pid") != static_cast<uint64_t>(world.daemon().daemon())) {
      ASSERT_TRUE(world.daemon().WaitUntilReady());
    }
    EXPECT_EQ(Exists(world.client(), tree), 1);
    EXPECT_EQ(Number(world.client(), "blobs"), 2u);
    EXPECT_EQ(Number(world.client(), "names"), 1u);
    world.CheckKept();
    world.CheckAudit();
    world.CheckEnd();
    if (::testing::Test::HasFailure()) return;
    points = std::max(points, traced.steps);
    if (!traced.killed) break;
  }
  EXPECT_GT(points, 20);
  ::testing::Test::RecordProperty("points", static_cast<int>(points));
}

// Where the keeper is killed and the daemon becomes the keeper: it dies, too, before it has cloned a daemon or
// after.
TEST(KeeperPoints, SuccessionInWhichTheSuccessorDies) {
  int64_t points = 0, ends = 0;
  for (int64_t point = FirstPoint();; point = NextPoint(point)) {
    World world;
    world.Keep("lost with the second death");
    std::set<uint64_t> files = world.daemon().MemoryFiles();
    Trace trace;
    trace.process = world.daemon().daemon();
    trace.kill_at = point;
    bool serves = false;
    Traced traced = RunTraced(trace, [&] {
      kill(world.daemon().keeper(), SIGKILL);
      serves = world.daemon().WaitUntilReadyOrEnded();
    });
    SCOPED_TRACE("killed at point " + std::to_string(point) + ", system call " + traced.where);
    if (serves) {
      // A daemon that was killed after its clone was ready is its keeper: the clone takes over.
      vineyard_info* info = nullptr;
      int32_t status = vineyard_client_get_info(world.client(), &info);
      if (status == VINEYARD_E_UNAVAILABLE)
        status = vineyard_client_get_info(world.client(), &info);
      EXPECT_OK(status);
      vineyard_info_release(info);
      while (Number(world.client(), "pid") != static_cast<uint64_t>(world.daemon().daemon())) {
        ASSERT_TRUE(world.daemon().WaitUntilReady());
      }
      world.CheckKept();
      world.CheckAudit();
      world.CheckEnd(-SIGKILL);
    } else {
      ++ends;
      EXPECT_TRUE(traced.killed);
      world.daemon().WaitForEnd();
      world.Disconnect();  // who reads keeps what it holds
      EXPECT_THAT(InUse(files), ::testing::IsEmpty());
      Vineyardd next(world.socket());
      EXPECT_TRUE(next.WaitUntilReady());
      EXPECT_EQ(next.Terminate(), 0);
    }
    if (::testing::Test::HasFailure()) return;
    points = std::max(points, traced.steps);
    if (!traced.killed) break;
  }
  EXPECT_GT(points, 100) << "to exec and to begin as a keeper takes more";
  EXPECT_GT(ends, 0);
  ::testing::Test::RecordProperty("points", static_cast<int>(points));
}

// From its first instruction on: either there was never a daemon, or there is one that takes over.
TEST(KeeperPoints, Start) {
  int64_t points = 0;
  TempFolder folder;
  std::string socket = folder / "v.sock";
  for (int64_t point = FirstPoint();; point = NextPoint(point)) {
    Vineyardd::Bare bare;
    bare.arguments = Vineyardd::Defaults(socket);
    bare.in_child = [] { return raise(SIGSTOP) == 0; };
    Vineyardd daemon(bare);
    int status = 0;
    ASSERT_EQ(waitpid(daemon.first(), &status, WUNTRACED), daemon.first());
    ASSERT_TRUE(WIFSTOPPED(status));
    Trace trace;
    trace.process = daemon.first();
    trace.kill_at = point;
    trace.on_traced = [&] { kill(daemon.first(), SIGCONT); };
    bool serves = false;
    Traced traced = RunTraced(trace, [&] { serves = daemon.WaitUntilReadyOrEnded(); });
    SCOPED_TRACE("killed at point " + std::to_string(point) + ", system call " + traced.where);
    EXPECT_TRUE(serves || traced.killed);
    if (serves) {
      vineyard_client* client = ConnectTo(socket);
      EXPECT_EQ(Get(client, Put(client, "x")), "x");
      vineyard_client_release(client);
    }
    daemon.KillAll();
    daemon.WaitForEnd();
    if (::testing::Test::HasFailure()) return;
    points = std::max(points, traced.steps);
    if (!traced.killed) break;
  }
  EXPECT_GT(points, 20);
  ::testing::Test::RecordProperty("points", static_cast<int>(points));
  Vineyardd last(socket);
  EXPECT_TRUE(last.WaitUntilReady()) << "a dead one's socket is in nobody's way";
  EXPECT_EQ(last.Terminate(), 0);
}

// Both died, and the next start, which the service manager hands everything to, dies half way: the one after
// it has everything.
TEST(KeeperPoints, StartFromTheServiceManager) {
  int64_t points = 0;
  TempFolder folder, manager_folder;
  std::string socket = folder / "v.sock";
  ServiceManager manager(manager_folder / "notify");
  auto daemon = std::make_unique<Vineyardd>(manager.Start(Vineyardd::Defaults(socket)));
  ASSERT_TRUE(daemon->WaitUntilReady());
  vineyard_client* client = ConnectTo(socket);
  std::string bytes(300'000, 'k');
  vineyard_blob* held = nullptr;
  vineyard_id kept = Put(client, bytes), deleted = Put(client, bytes);
  ASSERT_OK(vineyard_blob_get(client, deleted, &held));
  ASSERT_OK(Delete(client, deleted));
  for (int64_t point = FirstPoint();; point = NextPoint(point)) {
    daemon->KillAll();
    daemon->WaitForEnd();
    Vineyardd::Bare bare = manager.Start(Vineyardd::Defaults(socket));
    bare.in_child = [passes = bare.in_child] { return passes() && raise(SIGSTOP) == 0; };
    Vineyardd starter(bare);
    int status = 0;
    ASSERT_EQ(waitpid(starter.first(), &status, WUNTRACED), starter.first());
    ASSERT_TRUE(WIFSTOPPED(status));
    Trace trace;
    trace.process = starter.first();
    trace.kill_at = point;
    trace.on_traced = [&] { kill(starter.first(), SIGCONT); };
    Traced traced = RunTraced(trace, [&] { starter.WaitUntilReadyOrEnded(); });
    SCOPED_TRACE("killed at point " + std::to_string(point) + ", system call " + traced.where);
    starter.KillAll();
    starter.WaitForEnd();
    daemon = std::make_unique<Vineyardd>(manager.Start(Vineyardd::Defaults(socket)));
    ASSERT_TRUE(daemon->WaitUntilReady());
    vineyard_id next = Put(client, bytes);
    EXPECT_TRUE(Get(client, next) == bytes);
    EXPECT_OK(Delete(client, next));
    EXPECT_TRUE(Get(client, kept) == bytes);
    EXPECT_TRUE(BytesOf(held) == bytes);
    EXPECT_EQ(Exists(client, deleted), 0);
    EXPECT_GE(Number(client, "deferred"), 1u);
    if (::testing::Test::HasFailure()) return;
    points = std::max(points, traced.steps);
    if (!traced.killed) break;
  }
  EXPECT_GT(points, 50);
  ::testing::Test::RecordProperty("points", static_cast<int>(points));
  vineyard_blob_release(held);
  vineyard_client_release(client);
  EXPECT_EQ(daemon->Terminate(), 0);
  manager.Settle();
  EXPECT_THAT(manager.names(), ::testing::IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace vineyard::testing

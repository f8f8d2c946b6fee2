// Kills the daemon at the beginning and at the end of every system call that it makes for an operation:
// the client's call succeeds all the same, is applied once, and nothing is lost, leaked or left behind.
// (The stores between them are enumerated inside one process: tests/core/store/crash_points_test.cc.)
#include <gtest/gtest.h>

#include <filesystem>

#include "core/shm/layout.h"
#include "tests/crash/world.h"
#include "tests/support/tracer.h"

namespace vineyard::testing {
namespace {

struct Scenario {
  std::vector<std::string> arguments = {};
  bool keeps = true;   // two blobs are there before, and after
  int64_t stride = 1;  // of many like points only every so many-th is looked at
  std::function<void(World&)> prepare = [](World&) {};
  std::function<void(World&)> operation;
  std::function<void(World&)> verify = [](World&) {};
};

// The daemon dies once; the one after it finishes.
void KillDaemonAtEveryPoint(const Scenario& scenario) {
  int64_t points = 0;
  for (int64_t point = FirstPoint();; point = NextPoint(point + scenario.stride - 1)) {
    World world(scenario.arguments);
    if (scenario.keeps) {
      world.Keep("small");
      world.Keep(std::string(100'000, 'k'));
    }
    scenario.prepare(world);
    Trace trace;
    trace.process = world.daemon().daemon();
    trace.kill_at = point;
    Traced traced = RunTraced(trace, [&] { scenario.operation(world); });
    SCOPED_TRACE("killed at point " + std::to_string(point) + ", system call " + traced.where);
    if (traced.killed) {
      ASSERT_TRUE(world.daemon().WaitUntilReady());
    }
    scenario.verify(world);
    world.CheckKept();
    world.CheckAudit();
    world.CheckEnd();
    if (::testing::Test::HasFailure()) return;
    points = std::max(points, traced.steps);
    if (!traced.killed) break;
  }
  EXPECT_GE(points, 4) << "fewer system calls than to read a request and to answer it";
  ::testing::Test::RecordProperty("points", static_cast<int>(points));
}

void ExpectCounts(World& world, uint64_t objects, uint64_t blobs, uint64_t names) {
  EXPECT_EQ(Number(world.client(), "objects"), objects);
  EXPECT_EQ(Number(world.client(), "blobs"), blobs + 2) << "two were there before";
  EXPECT_EQ(Number(world.client(), "names"), names);
}

TEST(DaemonPoints, PutOfASmallBlob) {
  Scenario scenario;
  scenario.operation = [](World& world) { world.id("new") = Put(world.client(), "new"); };
  scenario.verify = [](World& world) {
    EXPECT_EQ(Get(world.client(), world.id("new")), "new");
    ExpectCounts(world, 0, 1, 0);
  };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, PutOfALargeBlob) {
  Scenario scenario;
  // 3 MiB: a new segment, made and populated by another thread of the daemon.
  scenario.operation = [](World& world) {
    world.id("new") = Put(world.client(), std::string(3 << 20, 'n'));
  };
  scenario.verify = [](World& world) {
    EXPECT_TRUE(Get(world.client(), world.id("new")) == std::string(3 << 20, 'n'));
    ExpectCounts(world, 0, 1, 0);
    EXPECT_EQ(Number(world.client(), "leases"), 0u);
  };
  KillDaemonAtEveryPoint(scenario);
}

// Its segment, and with the first such put the store of those who read it, are of an audience of their own.
TEST(DaemonPoints, PutsThatOthersMayRead) {
  Scenario scenario;
  scenario.operation = [](World& world) {
    vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
    options.share = VINEYARD_SHARE_ALL;
    for (const auto& [name, size] : {std::pair("small", 10), {"large", 3 << 20}}) {
      std::string bytes(size, 's');
      vineyard_meta* object = nullptr;
      ASSERT_OK(vineyard_meta_create("t", &object));
      ASSERT_OK(
          vineyard_meta_add_bytes(object, "m", bytes.data(), bytes.size(), VINEYARD_BLOB_BYTES));
      ASSERT_OK(vineyard_object_put(world.client(), object, &options, &world.id(name)));
      vineyard_meta_release(object);
    }
    EXPECT_OK(Delete(world.client(), world.id("small")));
  };
  scenario.verify = [](World& world) {
    EXPECT_EQ(Exists(world.client(), world.id("large")), 1);
    EXPECT_EQ(Exists(world.client(), world.id("small")), 0);
    ExpectCounts(world, 0, 0, 0);  // of what only this user reads
    vineyard_object* large = nullptr;
    ASSERT_OK(vineyard_object_get(world.client(), world.id("large"), &large));
    vineyard_blob* bytes = nullptr;
    ASSERT_OK(vineyard_object_member_blob(large, "m", &bytes));
    EXPECT_TRUE(BytesOf(bytes) == std::string(3 << 20, 's'));
    vineyard_blob_release(bytes);
    vineyard_object_release(large);
  };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, PutOfATreeThatTakesANameOver) {
  Scenario scenario;
  scenario.prepare = [](World& world) {
    world.id("old") = PutObject(world.client(), "old", {}, "name");
  };
  scenario.operation = [](World& world) {
    vineyard_meta *tree = nullptr, *below = nullptr;
    ASSERT_OK(vineyard_meta_create("tree", &tree));
    ASSERT_OK(vineyard_meta_create("below", &below));
    std::string bytes(100'000, 'b');
    ASSERT_OK(
        vineyard_meta_add_bytes(below, "leased", bytes.data(), bytes.size(), VINEYARD_BLOB_BYTES));
    ASSERT_OK(vineyard_meta_add_bytes(below, "inline", "x", 1, VINEYARD_BLOB_BUFFER));
    ASSERT_OK(vineyard_meta_add_meta(tree, "below", below));
    ASSERT_OK(vineyard_meta_add_id(tree, "old", world.id("old")));
    vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
    options.name = "name";
    options.replace = 1;
    ASSERT_OK(vineyard_object_put(world.client(), tree, &options, &world.id("new")));
    vineyard_meta_release(below);
    vineyard_meta_release(tree);
  };
  scenario.verify = [](World& world) {
    vineyard_id named = 0;
    ASSERT_OK(vineyard_name_get(world.client(), "name", 0, &named, nullptr));
    EXPECT_EQ(named, world.id("new"));
    ExpectCounts(world, 3, 2, 1);
    EXPECT_EQ(Number(world.client(), "leases"), 0u);
  };
  KillDaemonAtEveryPoint(scenario);
}

// The next slots and a directory of twice the size, with a mapping of each client's that is too short for them.
TEST(DaemonPoints, GrowthOfIndexAndDirectory) {
  Scenario scenario;
  scenario.prepare = [](World& world) {
    vineyard_meta* full = nullptr;
    ASSERT_OK(vineyard_meta_create("full", &full));
    for (uint64_t i = 0; i + 4 < shm::kSlotStep; ++i) {
      ASSERT_OK(
          vineyard_meta_add_bytes(full, std::to_string(i).c_str(), "x", 1, VINEYARD_BLOB_BYTES));
    }
    ASSERT_OK(vineyard_object_put(world.client(), full, nullptr, &world.id("full")));
    vineyard_meta_release(full);
    EXPECT_EQ(Number(world.client(), "slots"), shm::kSlotStep);
  };
  scenario.operation = [](World& world) {
    for (int i = 0; i < 3; ++i) world.id("new") = Put(world.client(), "new");
  };
  scenario.verify = [](World& world) {
    EXPECT_EQ(Get(world.client(), world.id("new")), "new");
    EXPECT_EQ(Exists(world.client(), world.id("full")), 1);
    EXPECT_EQ(Number(world.client(), "slots"), 2 * shm::kSlotStep);
    ExpectCounts(world, 1, shm::kSlotStep - 4 + 3, 0);
  };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, DeleteOfATreeWithNameAndLabels) {
  Scenario scenario;
  scenario.prepare = [](World& world) {
    vineyard_id leaf = Put(world.client(), "leaf");
    world.id("root") = PutObject(world.client(), "t", {{"a", leaf}, {"b", leaf}}, "name");
    ASSERT_OK(vineyard_label_set(world.client(), world.id("root"), "k", "v"));
  };
  scenario.operation = [](World& world) { EXPECT_OK(Delete(world.client(), world.id("root"))); };
  scenario.verify = [](World& world) {
    EXPECT_EQ(Exists(world.client(), world.id("root")), 0);
    ExpectCounts(world, 0, 0, 0);
  };
  KillDaemonAtEveryPoint(scenario);
}

// The bytes of what is deleted go when the last reader lets go.
TEST(DaemonPoints, FreeOfWhatAReaderLetGo) {
  Scenario scenario;
  scenario.operation = [](World& world) {
    vineyard_id id = Put(world.client(), std::string(200'000, 'r'));
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_blob_get(world.client(), id, &blob));
    EXPECT_OK(Delete(world.client(), id));
    EXPECT_TRUE(BytesOf(blob) == std::string(200'000, 'r'));
    vineyard_blob_release(blob);
    EXPECT_TRUE(WaitForNumber(world.client(), "deferred", 0));
  };
  scenario.verify = [](World& world) { ExpectCounts(world, 0, 0, 0); };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, NamesAndLabels) {
  Scenario scenario;
  scenario.prepare = [](World& world) { world.id("object") = PutObject(world.client(), "t", {}); };
  scenario.operation = [](World& world) {
    EXPECT_OK(vineyard_name_put(world.client(), "a", world.id("object"), nullptr, nullptr));
    EXPECT_OK(vineyard_label_set(world.client(), world.id("object"), "k", "v"));
    EXPECT_OK(vineyard_name_drop(world.client(), "a", nullptr));
  };
  scenario.verify = [](World& world) { ExpectCounts(world, 1, 0, 0); };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, SessionThatBeginsAndEnds) {
  Scenario scenario;
  scenario.operation = [](World& world) {
    vineyard_client* other = ConnectTo(world.socket());
    // Memory for its pins and a lease are granted.
    vineyard_id id = Put(other, "of another");
    EXPECT_EQ(Get(other, id), "of another");
    vineyard_blob_writer* writer = nullptr;
    ASSERT_OK(vineyard_blob_writer_create(other, 100'000, VINEYARD_BLOB_BUFFER, &writer));
    vineyard_blob_writer_release(writer);
    vineyard_client_release(other);
    EXPECT_TRUE(WaitForNumber(world.client(), "sessions", 1));
  };
  scenario.verify = [](World& world) {
    ExpectCounts(world, 0, 1, 0);
    EXPECT_EQ(Number(world.client(), "leases"), 0u);
  };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, Eviction) {
  Scenario scenario;
  scenario.arguments = {"--size", "8Mi", "--evict", "drop"};
  scenario.keeps = false;
  scenario.prepare = [](World& world) {
    for (int i = 0; i < 4; ++i) Put(world.client(), std::string(1 << 20, 'e'));
  };
  scenario.operation = [](World& world) {
    // For each there is room only where something else was.
    for (int i = 0; i < 3; ++i) world.id("new") = Put(world.client(), std::string(3 << 20, 'n'));
  };
  scenario.verify = [](World& world) {
    EXPECT_TRUE(Get(world.client(), world.id("new")) == std::string(3 << 20, 'n'));
    EXPECT_LT(Number(world.client(), "blobs"), 7u) << "7 MiB and more do not fit";
  };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, SpillAndLoad) {
  TempFolder folder;
  Scenario scenario;
  scenario.arguments = {"--size", "8Mi", "--spill-path", folder.path()};
  scenario.stride = 5;  // a disk is waited for at each
  scenario.prepare = [](World& world) {
    for (int i = 0; i < 2; ++i) world.Keep(std::string(3 << 20, static_cast<char>('s' + i)));
    world.id("first") = Put(world.client(), std::string(1 << 20, 'f'));
  };
  scenario.operation = [](World& world) {
    // For each there is room only where something else was.
    world.id("new") = Put(world.client(), std::string(4 << 20, 'n'));
    EXPECT_TRUE(Get(world.client(), world.id("first")) == std::string(1 << 20, 'f'));
    world.CheckKept();
  };
  scenario.verify = [](World& world) {
    EXPECT_TRUE(Get(world.client(), world.id("new")) == std::string(4 << 20, 'n'));
    EXPECT_TRUE(Get(world.client(), world.id("first")) == std::string(1 << 20, 'f'));
  };
  KillDaemonAtEveryPoint(scenario);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "each has taken its files along";
}

TEST(DaemonPoints, Trim) {
  Scenario scenario;
  scenario.prepare = [](World& world) {
    vineyard_id id = Put(world.client(), std::string(5 << 20, 't'));
    ASSERT_OK(Delete(world.client(), id));
  };
  scenario.operation = [](World& world) {
    EXPECT_OK(vineyard_client_trim(world.client(), nullptr));
  };
  scenario.verify = [](World& world) {
    ExpectCounts(world, 0, 0, 0);
    EXPECT_LE(Number(world.client(), "segments"), 2u)
        << "that of the large blob is the host's again";
  };
  KillDaemonAtEveryPoint(scenario);
}

TEST(DaemonPoints, Clear) {
  Scenario scenario;
  scenario.keeps = false;
  scenario.prepare = [](World& world) {
    PutObject(world.client(), "t", {{"m", Put(world.client(), "m")}}, "name");
    for (int i = 0; i < 80; ++i) Put(world.client(), "more than one commit takes");
  };
  scenario.operation = [](World& world) {
    EXPECT_OK(vineyard_client_clear(world.client(), nullptr));
  };
  scenario.verify = [](World& world) {
    EXPECT_EQ(Number(world.client(), "objects") + Number(world.client(), "blobs"), 0u);
    EXPECT_EQ(Number(world.client(), "memory_used"), 0u);
  };
  KillDaemonAtEveryPoint(scenario);
}

}  // namespace
}  // namespace vineyard::testing

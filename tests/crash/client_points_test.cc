// Kills a client at the beginning and end of every system call of an operation, and in the middle of a
// get after every single instruction: the daemon takes back what it held, and what it put is there whole
// or not at all.
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>

#include "tests/crash/world.h"
#include "tests/support/child.h"
#include "tests/support/tracer.h"

namespace vineyard::testing {
namespace {

struct Life {
  std::function<void(World&)> prepare = [](World&) {};
  // In the child, which is traced from behind `connected` on; nothing of gtest may be used.
  std::function<void(World&, vineyard_client*)> operation;
  // `whole`: the client got to the end.
  std::function<void(World&, bool whole)> verify = [](World&, bool) {};
  bool connects_itself = false;
  Trace::Steps steps = Trace::Steps::kSystemCalls;
};

// One daemon for all of them: it has to be in order after each.
void KillClientAtEveryPoint(const Life& life) {
  signal(SIGPIPE, SIG_IGN);  // a client may be dead before it is told to begin
  World world;
  world.Keep("small");
  world.Keep(std::string(100'000, 'k'));
  life.prepare(world);
  int64_t points = 0;
  auto next = life.steps == Trace::Steps::kInstructions ? NextInstruction : NextPoint;
  for (int64_t point = FirstPoint();; point = next(point)) {
    Child child([&](Talk& talk) {
      vineyard_client* client = nullptr;
      if (!life.connects_itself) {
        CHILD_CHECK(vineyard_client_connect(world.socket().c_str(), nullptr, &client) ==
                    VINEYARD_OK);
      }
      // The memory that it needs is mapped and granted then: what is left is the protocol alone.
      if (life.steps == Trace::Steps::kInstructions) life.operation(world, client);
      talk.Say('r');
      CHILD_CHECK(talk.Hear() == 'g');
      life.operation(world, client);
      talk.Say('d');
      talk.Hear();
      return 0;
    });
    ASSERT_EQ(child.Hear(), 'r');
    Trace trace;
    trace.process = child.pid();
    trace.steps = life.steps;
    trace.kill_at = point;
    char heard = 0;
    Traced traced = RunTraced(trace, [&] {
      child.Say('g');
      heard = child.Hear();
    });
    SCOPED_TRACE("killed at point " + std::to_string(point) + ", " + traced.where);
    child.Kill();
    ASSERT_TRUE(WaitForNumber(world.client(), "sessions", 1));
    EXPECT_EQ(Number(world.client(), "leases"), 0u);
    EXPECT_EQ(Number(world.client(), "memory_pinned"), 0u);
    world.CheckKept();
    // Audits read everything: after each system call, and now and then between instructions.
    if (life.steps == Trace::Steps::kSystemCalls || point % 50 == 1) world.CheckAudit();
    life.verify(world, heard == 'd');
    if (::testing::Test::HasFailure()) return;
    points = std::max(points, traced.steps);
    if (!traced.killed) {
      EXPECT_EQ(heard, 'd');
      break;
    }
  }
  EXPECT_GT(points, 3);
  ::testing::Test::RecordProperty("points", static_cast<int>(points));
  world.CheckAudit();
  world.CheckEnd();
}

#define CHILD_OK(call) CHILD_CHECK((call) == VINEYARD_OK)

// After each: what was put is deleted again, so that the next one finds the same.
void ExpectBlobs(World& world, bool whole, uint64_t least, uint64_t most) {
  uint64_t blobs = Number(world.client(), "blobs") - 2;
  EXPECT_GE(blobs, whole ? most : least);
  EXPECT_LE(blobs, most);
}

TEST(ClientPoints, ConnectGetAndClose) {
  Life life;
  life.connects_itself = true;
  life.prepare = [](World& world) { world.id("kept") = Put(world.client(), "read by all"); };
  life.operation = [](World& world, vineyard_client*) {
    vineyard_client* client = nullptr;
    CHILD_OK(vineyard_client_connect(world.socket().c_str(), nullptr, &client));
    vineyard_blob* blob = nullptr;
    CHILD_OK(vineyard_blob_get(client, world.id("kept"), &blob));
    CHILD_CHECK(BytesOf(blob) == "read by all");
    vineyard_blob_release(blob);
    vineyard_client_release(client);
  };
  life.verify = [](World& world, bool) {
    EXPECT_EQ(Get(world.client(), world.id("kept")), "read by all");
  };
  KillClientAtEveryPoint(life);
}

TEST(ClientPoints, PutOfASmallTree) {
  Life life;
  life.operation = [](World&, vineyard_client* client) {
    vineyard_meta* tree = nullptr;
    CHILD_OK(vineyard_meta_create("tree", &tree));
    CHILD_OK(vineyard_meta_add_bytes(tree, "a", "x", 1, VINEYARD_BLOB_BUFFER));
    CHILD_OK(vineyard_meta_add_bytes(tree, "b", "y", 1, VINEYARD_BLOB_BYTES));
    vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
    options.name = "tree";
    vineyard_id id = 0;
    CHILD_OK(vineyard_object_put(client, tree, &options, &id));
    vineyard_meta_release(tree);
  };
  life.verify = [](World& world, bool whole) {
    vineyard_id id = 0;
    bool named = vineyard_name_get(world.client(), "tree", 0, &id, nullptr) == VINEYARD_OK;
    EXPECT_TRUE(named || !whole);
    EXPECT_EQ(Number(world.client(), "objects"), named ? 1u : 0u);
    EXPECT_EQ(Number(world.client(), "blobs"), named ? 4u : 2u);
    if (named) EXPECT_OK(Delete(world.client(), id));
  };
  KillClientAtEveryPoint(life);
}

TEST(ClientPoints, PutOfALargeBlobByItsWriter) {
  Life life;
  life.operation = [](World&, vineyard_client* client) {
    vineyard_blob_writer* writer = nullptr;
    CHILD_OK(vineyard_blob_writer_create(client, 300'000, VINEYARD_BLOB_BYTES, &writer));
    std::memset(vineyard_blob_writer_data(writer), 'w', 300'000);
    CHILD_OK(vineyard_blob_writer_shrink(writer, 200'000));
    CHILD_OK(vineyard_blob_writer_seal(writer));
    vineyard_blob_writer_release(writer);
  };
  life.verify = [](World& world, bool whole) {
    ExpectBlobs(world, whole, 0, 1);
    vineyard_list* list = nullptr;
    ASSERT_OK(vineyard_list_open(world.client(), "vineyard::Blob", 1000, &list));
    vineyard_id id = 0;
    while (vineyard_list_next(list, &id) == VINEYARD_OK && id != VINEYARD_ID_INVALID) {
      std::string bytes = Get(world.client(), id);
      if (bytes.size() != 200'000) continue;
      EXPECT_TRUE(bytes == std::string(200'000, 'w'));
      EXPECT_OK(Delete(world.client(), id));
    }
    vineyard_list_release(list);
  };
  KillClientAtEveryPoint(life);
}

TEST(ClientPoints, DeleteOfATree) {
  Life life;
  auto put = [](World& world) {
    world.id("tree") = PutObject(world.client(), "t", {{"m", Put(world.client(), "m")}}, "tree");
  };
  life.prepare = put;
  life.operation = [](World& world, vineyard_client* client) {
    vineyard_id id = world.id("tree");
    CHILD_OK(vineyard_object_delete(client, &id, 1, nullptr));
  };
  life.verify = [put](World& world, bool whole) {
    bool there = Exists(world.client(), world.id("tree")) != 0;
    EXPECT_FALSE(there && whole);
    EXPECT_EQ(Number(world.client(), "blobs"), there ? 3u : 2u);
    EXPECT_EQ(Number(world.client(), "names"), there ? 1u : 0u);
    if (!there) put(world);
  };
  KillClientAtEveryPoint(life);
}

// A child of the client that reads on, and both die.
TEST(ClientPoints, ForkOfAClientThatReads) {
  Life life;
  life.prepare = [](World& world) { world.id("kept") = Put(world.client(), "read by both"); };
  life.operation = [](World& world, vineyard_client* client) {
    vineyard_blob* blob = nullptr;
    CHILD_OK(vineyard_blob_get(client, world.id("kept"), &blob));
    pid_t child = fork();
    if (child == 0) {
      vineyard_blob* again = nullptr;
      bool good = BytesOf(blob) == "read by both" &&
                  vineyard_blob_get(client, world.id("kept"), &again) == VINEYARD_OK;
      _exit(good ? 0 : 1);
    }
    vineyard_blob_release(blob);
    int status = 0;
    CHILD_CHECK(waitpid(child, &status, 0) == child && status == 0);
  };
  life.verify = [](World& world, bool) {
    EXPECT_EQ(Get(world.client(), world.id("kept")), "read by both");
  };
  KillClientAtEveryPoint(life);
}

// The pin protocol, at every instruction of it: no system call tells where a pin is counted.
TEST(ClientPoints, EveryInstructionOfAGetAndRelease) {
  Life life;
  life.steps = Trace::Steps::kInstructions;
  life.prepare = [](World& world) { world.id("kept") = Put(world.client(), "read by all"); };
  life.operation = [](World& world, vineyard_client* client) {
    vineyard_blob* blob = nullptr;
    CHILD_OK(vineyard_blob_get(client, world.id("kept"), &blob));
    vineyard_blob_release(blob);
  };
  life.verify = [](World& world, bool) {
    // Whoever held it is gone, and with it its pin: what is deleted goes at once.
    EXPECT_OK(Delete(world.client(), world.id("kept")));
    EXPECT_EQ(Number(world.client(), "deferred"), 0u);
    world.id("kept") = Put(world.client(), "read by all");
  };
  KillClientAtEveryPoint(life);
}

}  // namespace
}  // namespace vineyard::testing

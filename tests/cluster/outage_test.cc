// A cluster of which something is away: the server, a daemon, an instance, the data.
#include <csignal>

#include "tests/cluster/fixture.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(ClusterTest, WhileTheServerIsAwayOwnObjectsGoOnAndTheRestSaysSo) {
  vineyard_id shared = Persisted(b, "shared");
  Sync(a);
  vineyard_watch* watch = nullptr;
  ASSERT_OK(vineyard_watch_open(a, nullptr, &watch));
  server_.Kill();
  vineyard_client* hasty = a_->Another(1500);
  vineyard_id id = Put(a, "local");
  EXPECT_EQ(Get(a, id), "local");
  EXPECT_EQ(Exists(a, shared), 1) << "what is known is served";
  WaitUntilStale(a);  // before that a change may be on its way, and its outcome unknown
  EXPECT_EQ(NameOf(Persist(hasty, id)), "unavailable");
  EXPECT_EQ(NameOf(Delete(hasty, shared)), "unavailable");
  vineyard_object* object = nullptr;
  EXPECT_EQ(NameOf(vineyard_object_get(hasty, id + 1000, &object)), "unavailable") << "no miss";
  EXPECT_GT(Number(a, "meta_stale_since_ms"), 0u);
  ASSERT_OK(vineyard_object_get(a, shared, &object));
  EXPECT_GT(vineyard_object_stale_since_ms(object), 0u);
  vineyard_object_release(object);
  vineyard_event event = VINEYARD_EVENT_INIT;
  EXPECT_EQ(NameOf(vineyard_watch_next(watch, 500, &event)), "unavailable")
      << "not: nothing happened";
  EXPECT_THAT(vineyard_error_text(), HasSubstr("hears of no changes"));

  server_.Restart();
  EXPECT_TRUE(WaitForNumber(a, "meta_stale_since_ms", 0));
  EXPECT_TRUE(WaitForNumber(b, "meta_stale_since_ms", 0));
  ASSERT_OK(Persist(a, id));
  EXPECT_EQ(Exists(b, id), 1);
  do {
    ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));  // it goes on
  } while (event.kind != VINEYARD_EVENT_CREATED);
  EXPECT_EQ(event.id, id);
  vineyard_watch_release(watch);
  vineyard_client_release(hasty);
}

TEST_F(ClusterTest, APutThatTheClusterCanNotTakeLeavesNothing) {
  vineyard_id there = Persisted(b, "there");
  EXPECT_EQ(Exists(a, there), 1);
  uint64_t before = Number(a, "objects") + Number(a, "blobs");
  server_.Kill();
  vineyard_client* hasty = a_->Another(1500);
  vineyard_meta* meta = nullptr;
  ASSERT_OK(vineyard_meta_create("pair", &meta));
  ASSERT_OK(vineyard_meta_add_id(meta, "second", there));
  ASSERT_OK(vineyard_meta_add_bytes(meta, "first", "new", 3, VINEYARD_BLOB_BUFFER));
  vineyard_id pair = VINEYARD_ID_INVALID;
  int32_t status = vineyard_object_put(hasty, meta, nullptr, &pair);
  EXPECT_TRUE(status == VINEYARD_E_UNAVAILABLE || status == VINEYARD_E_UNKNOWN) << NameOf(status);
  server_.Restart();
  EXPECT_TRUE(WaitForNumber(a, "meta_stale_since_ms", 0));
  if (status == VINEYARD_E_UNAVAILABLE) {
    EXPECT_EQ(Number(a, "objects") + Number(a, "blobs"), before);
  }
  vineyard_meta_release(meta);
  vineyard_client_release(hasty);
}

TEST_F(ClusterTest, AKilledDaemonComesBackWithItsObjectsAndItsNumber) {
  vineyard_id kept = Persisted(a, "kept"), gone = Persisted(a, "gone");
  ASSERT_OK(vineyard_name_put(a, "kept", kept, nullptr, nullptr));
  kill(a_->daemon->daemon(), SIGKILL);
  ASSERT_OK(Delete(b, gone));  // whoever is there
  ASSERT_TRUE(a_->daemon->WaitUntilReady());
  Sync(a);
  EXPECT_EQ(Get(a, kept), "kept");
  EXPECT_TRUE(WaitForNumber(a, "blobs", 1));
  EXPECT_EQ(Exists(a, gone), 0);
  uint64_t number = 0;
  ASSERT_OK(vineyard_client_instance(a, &number));
  EXPECT_EQ(number, a_->number);
  EXPECT_EQ(Named(b, "kept"), kept);
  vineyard_id later = Persisted(a, "later");
  EXPECT_EQ(Exists(b, later), 1);
}

TEST_F(ClusterTest, AStoppedDaemonIsFencedAndComesBack) {
  vineyard_id id = Persisted(a, "x");
  EXPECT_EQ(Exists(b, id), 1);
  kill(a_->daemon->daemon(), SIGSTOP);
  // Others take it for lost.
  vineyard_watch* watch = nullptr;
  ASSERT_OK(vineyard_watch_open(b, nullptr, &watch));
  vineyard_event event = VINEYARD_EVENT_INIT;
  do {
    ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  } while (event.kind != VINEYARD_EVENT_LOST);
  EXPECT_EQ(event.instance, a_->number);
  vineyard_blob* blob = nullptr;
  EXPECT_EQ(NameOf(vineyard_blob_get(b, id, &blob)), "lost");
  kill(a_->daemon->daemon(), SIGCONT);
  do {
    ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  } while (event.kind != VINEYARD_EVENT_JOINED);
  EXPECT_EQ(event.instance, a_->number);
  EXPECT_EQ(Get(a, id), "x");
  EXPECT_EQ(NameOf(vineyard_blob_get(b, id, &blob)), "remote");
  vineyard_watch_release(watch);
}

TEST_F(ClusterTest, WhatALostInstanceHadIsToldApartAndForgotten) {
  vineyard_id id = Persisted(a, "x"), pair = PutObject(b, "pair", {{"first", id}});
  EXPECT_EQ(NameOf(vineyard_instance_forget(b, a_->number)), "in use") << "it is alive";
  a_->daemon->KillAll();
  vineyard_instance instance = VINEYARD_INSTANCE_INIT;
  do {
    vineyard_instance_list* list = nullptr;
    ASSERT_OK(vineyard_instance_list_get(b, &list));
    for (uint64_t i = 0; i < vineyard_instance_list_count(list); ++i) {
      ASSERT_OK(vineyard_instance_list_at(list, i, &instance));
      if (instance.number == a_->number) break;
    }
    vineyard_instance_list_release(list);
  } while (instance.state != VINEYARD_INSTANCE_LOST);
  EXPECT_GT(instance.since_ms, 0u);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(b, pair, &object));  // its metadata is there
  vineyard_blob* blob = nullptr;
  EXPECT_EQ(NameOf(vineyard_object_member_blob(object, "first", &blob)), "lost");
  EXPECT_THAT(vineyard_error_text(), HasSubstr(std::to_string(a_->number)));
  vineyard_object_release(object);
  ASSERT_OK(vineyard_instance_forget(b, a_->number));
  EXPECT_EQ(Exists(b, id), 0);
  EXPECT_EQ(Number(b, "cluster_instances"), 1u);
}

TEST_F(ClusterTest, AfterTheDataWasWipedAllIsPublishedAgain) {
  vineyard_id x = Persisted(a, "x"), y = Persisted(b, "y");
  vineyard_id pair = PutObject(a, "pair", {{"first", x}, {"second", y}});
  ASSERT_OK(vineyard_name_put(b, "pair", pair, nullptr, nullptr));
  ASSERT_OK(vineyard_label_set(b, pair, "k", "v"));
  Sync(a);
  server_.Wipe();
  for (const auto& member : {a_.get(), b_.get()}) {
    EXPECT_NE(member->daemon->WaitForLine("joining again"), "");
    EXPECT_NE(member->daemon->WaitForLine("of cluster"), "");
  }
  EXPECT_TRUE(WaitForNumber(a, "cluster_trees", 3));
  EXPECT_TRUE(WaitForNumber(b, "cluster_trees", 3));
  EXPECT_TRUE(WaitForNumber(b, "cluster_names", 1));
  EXPECT_EQ(Named(b, "pair"), pair);
  EXPECT_EQ(Exists(b, pair), 1);
  vineyard_id later = Persisted(a, "later");
  EXPECT_TRUE(later != x && later != pair);
  EXPECT_EQ(Exists(b, later), 1);
}

// It waits for a change of the same object that waits for the server.
TEST_F(ClusterTest, WhoWaitsForAnotherChangeIsAnsweredAtItsOwnDeadline) {
  vineyard_id id = Put(a, "x");
  server_.Stop();
  int32_t persisted = VINEYARD_OK;
  std::thread patient([&] { persisted = Persist(a, id); });
  vineyard_client* hasty = a_->Another(1500);
  EXPECT_TRUE(WaitForNumber(hasty, "meta_changes_under_way", 1));
  EXPECT_EQ(NameOf(Delete(hasty, id)), "unavailable");
  EXPECT_THAT(vineyard_error_text(), HasSubstr("another change"));
  server_.Continue();
  patient.join();
  EXPECT_OK(persisted);
  vineyard_client_release(hasty);
}

// Without a cluster the same holds for one instance.
TEST(Alone, WhatIsPersistedIsSoBehindADaemonThatWasKilled) {
  TempFolder folder;
  Member alone(folder / "v.sock", "local");
  vineyard_id blob = Put(alone.client, "x");
  vineyard_id id = PutObject(alone.client, "t", {{"m", blob}}, "n");
  ASSERT_OK(Persist(alone.client, id));
  ASSERT_OK(vineyard_label_set(alone.client, id, "k", "v"));
  kill(alone.daemon->daemon(), SIGKILL);
  ASSERT_TRUE(alone.daemon->WaitUntilReady());
  EXPECT_TRUE(WaitForNumber(alone.client, "cluster_names", 1));
  EXPECT_EQ(Named(alone.client, "n"), id);
  EXPECT_EQ(NameOf(Delete(alone.client, blob)), "in use") << "it was persisted with its parent";
  ASSERT_OK(vineyard_name_drop(alone.client, "n", nullptr));
  ASSERT_OK(Delete(alone.client, id));
  EXPECT_TRUE(WaitForNumber(alone.client, "memory_used", 0));
  EXPECT_EQ(Number(alone.client, "cluster_objects"), 0u);
}

TEST(Alone, ADeleteOfWhatIsPersistedAndWhatIsNotTakesBoth) {
  TempFolder folder;
  Member alone(folder / "v.sock", "local");
  vineyard_id both[] = {Persisted(alone.client, "x"), Put(alone.client, "y")};
  ASSERT_OK(vineyard_object_delete(alone.client, both, 2, nullptr));
  EXPECT_EQ(Exists(alone.client, both[0]), 0);
  EXPECT_EQ(Exists(alone.client, both[1]), 0);
}

}  // namespace
}  // namespace vineyard::testing

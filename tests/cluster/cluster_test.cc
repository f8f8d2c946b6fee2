// Two instances and a real ZooKeeper: what a client of one sees of the other.
#include <pthread.h>

#include <csignal>
#include <thread>

#include "tests/cluster/fixture.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;

constexpr size_t kSmallStack = size_t{256} << 10;

TEST_F(ClusterTest, MetadataOfAnObjectIsServedByEveryInstanceAndItsPayloadByItsOwnAlone) {
  vineyard_id blob = Put(a, "payload");
  vineyard_id id = PutObject(a, "test::Thing", {{"part", blob}});
  ASSERT_OK(Persist(a, id));
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(b, id, &object));
  EXPECT_STREQ(vineyard_object_type_name(object), "test::Thing");
  EXPECT_EQ(vineyard_object_is_remote(object), 1);
  EXPECT_EQ(vineyard_object_is_persisted(object), 1);
  EXPECT_EQ(vineyard_object_instance(object), a_->number);
  EXPECT_EQ(vineyard_object_nbytes(object), 7u);
  vineyard_object* part = nullptr;
  ASSERT_OK(vineyard_object_member(object, "part", &part));
  EXPECT_EQ(vineyard_object_nbytes(part), 7u);
  vineyard_blob* bytes = nullptr;
  EXPECT_EQ(NameOf(vineyard_object_member_blob(object, "part", &bytes)), "remote");
  EXPECT_THAT(vineyard_error_text(), HasSubstr(std::to_string(a_->number)));
  vineyard_object_release(part);
  vineyard_object_release(object);
  EXPECT_EQ(Get(a, blob), "payload");
}

TEST_F(ClusterTest, WhatIsNotPersistedIsNobodyElses) {
  vineyard_id id = Put(a, "mine");
  EXPECT_EQ(Exists(b, id), 0);
  ASSERT_OK(Persist(a, id));
  EXPECT_EQ(Exists(b, id), 1) << "at once, since a miss asks";
}

TEST_F(ClusterTest, AnObjectThatReachesAnotherInstanceIsPersistedByItsPut) {
  vineyard_id there = Persisted(b, "there"), here = Put(a, "here");
  vineyard_id pair = PutObject(a, "pair", {{"first", here}, {"second", there}});
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(a, pair, &object));
  EXPECT_EQ(vineyard_object_is_remote(object), 0);
  EXPECT_EQ(vineyard_object_is_persisted(object), 1);
  EXPECT_EQ(vineyard_object_nbytes(object), 9u);
  int32_t global = 0;
  EXPECT_OK(vineyard_object_is_global(object, &global));
  EXPECT_EQ(global, 1);
  vineyard_object_release(object);

  // Of the same pair each has its own half.
  ASSERT_OK(vineyard_object_get(b, pair, &object));
  vineyard_blob* blob = nullptr;
  EXPECT_EQ(NameOf(vineyard_object_member_blob(object, "first", &blob)), "remote");
  ASSERT_OK(vineyard_object_member_blob(object, "second", &blob));
  EXPECT_EQ(BytesOf(blob), "there");
  vineyard_blob_release(blob);
  vineyard_object_release(object);

  // Not itself: what it is a member of.
  vineyard_id above = PutObject(a, "above", {{"pair", pair}});
  EXPECT_EQ(Exists(b, above), 1);
}

// Whoever asks for it may have as little stack as a thread of another language.
TEST_F(ClusterTest, AChainOfAnyLengthIsLookedThroughForOtherInstances) {
  constexpr int kLinks = 5000;
  vineyard_id last = Put(a, "end");
  for (int i = 0; i < kLinks; ++i) last = PutObject(a, "link", {{"next", last}});
  ASSERT_OK(Persist(a, last));
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(b, last, &object));
  ASSERT_EQ(vineyard_object_is_remote(object), 1);
  pthread_attr_t small;
  pthread_attr_init(&small);
  ASSERT_EQ(pthread_attr_setstacksize(&small, kSmallStack), 0);
  pthread_t thread;
  auto ask = [](void* asked) -> void* {
    int32_t global = -1;
    EXPECT_OK(vineyard_object_is_global(static_cast<vineyard_object*>(asked), &global));
    EXPECT_EQ(global, 0);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &small, ask, object), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
  vineyard_object_release(object);
}

TEST_F(ClusterTest, AMemberThatIsNotPersistedIsNamedAndNothingIsStored) {
  vineyard_id there = Put(b, "there");
  uint64_t before = Number(a, "objects") + Number(a, "blobs");
  vineyard_meta* meta = nullptr;
  ASSERT_OK(vineyard_meta_create("pair", &meta));
  ASSERT_OK(vineyard_meta_add_id(meta, "second", there));
  ASSERT_OK(vineyard_meta_add_bytes(meta, "first", "new", 3, VINEYARD_BLOB_BUFFER));
  vineyard_id pair = VINEYARD_ID_INVALID;
  EXPECT_EQ(NameOf(vineyard_object_put(a, meta, nullptr, &pair)), "not found");
  EXPECT_THAT(vineyard_error_text(), HasSubstr("'second'"));
  EXPECT_THAT(vineyard_error_text(), HasSubstr(std::to_string(b_->number)));
  EXPECT_THAT(vineyard_error_text(), HasSubstr("persist"));
  EXPECT_EQ(Number(a, "objects") + Number(a, "blobs"), before);
  ASSERT_OK(Persist(b, there));
  EXPECT_OK(vineyard_object_put(a, meta, nullptr, &pair));
  vineyard_meta_release(meta);
}

TEST_F(ClusterTest, PersistIsIdempotentAndTakesManyAtOnce) {
  std::vector<vineyard_id> ids;
  for (int i = 0; i < 3000; ++i) ids.push_back(Put(a, "x"));
  ASSERT_OK(vineyard_object_persist(a, ids.data(), ids.size()));
  ASSERT_OK(vineyard_object_persist(a, ids.data(), ids.size()));
  EXPECT_TRUE(WaitForNumber(b, "cluster_objects", 3000));
}

// ---- names ----

// With their links they are more than one change may hold.
TEST_F(ClusterTest, ManyObjectsThatShareAMemberArePersistedByOneCall) {
  vineyard_id shared = Persisted(a, "shared");
  std::vector<vineyard_id> ids;
  for (int i = 0; i < 2000; ++i) ids.push_back(PutObject(a, "holder", {{"m", shared}}));
  ASSERT_OK(vineyard_object_persist(a, ids.data(), ids.size()));
  Sync(b);
  EXPECT_EQ(Exists(b, ids.back()), 1);
  EXPECT_EQ(NameOf(Delete(b, shared)), "in use");
}

TEST_F(ClusterTest, ANameIsTheClustersAndGoesWithItsObject) {
  vineyard_id id = Persisted(a, "x");
  const char* name = "a name/with \xf0\x9f\x8d\x87 and spaces";
  ASSERT_OK(vineyard_name_put(b, name, id, nullptr, nullptr));
  EXPECT_EQ(Named(a, name), id);
  EXPECT_EQ(Named(b, name), id);
  vineyard_id other = Persisted(b, "y");
  EXPECT_EQ(NameOf(vineyard_name_put(a, name, other, nullptr, nullptr)), "exists");
  EXPECT_THAT(vineyard_error_text(), HasSubstr("has it"));
  ASSERT_OK(Delete(b, id));
  EXPECT_EQ(Named(a, name), VINEYARD_ID_INVALID);
  EXPECT_EQ(Named(b, name), VINEYARD_ID_INVALID);
}

TEST_F(ClusterTest, ANameOfTheHostBecomesTheClustersWithItsObject) {
  vineyard_id id = PutObject(a, "t", {}, "n");
  EXPECT_EQ(Named(b, "n"), VINEYARD_ID_INVALID);
  ASSERT_OK(Persist(a, id));
  EXPECT_EQ(Named(b, "n"), id);
  ASSERT_OK(vineyard_name_drop(b, "n", nullptr));
  EXPECT_EQ(Named(a, "n"), VINEYARD_ID_INVALID);
}

TEST_F(ClusterTest, OfTwoThatRaceForANameOneWinsAndTheOtherLearnsWho) {
  vineyard_id x = Persisted(a, "x"), y = Persisted(b, "y");
  for (int round = 0; round < 20; ++round) {
    std::string name = "n" + std::to_string(round);
    int32_t first = 0, second = 0;
    std::string why;
    std::thread other([&] {
      second = vineyard_name_put(b, name.c_str(), y, nullptr, nullptr);
      if (second != VINEYARD_OK) why = vineyard_error_text();
    });
    first = vineyard_name_put(a, name.c_str(), x, nullptr, nullptr);
    if (first != VINEYARD_OK) why = vineyard_error_text();
    other.join();
    EXPECT_NE(first == VINEYARD_OK, second == VINEYARD_OK);
    EXPECT_EQ(std::min(first, second), VINEYARD_E_EXISTS);
    vineyard_id winner = first == VINEYARD_OK ? x : y;
    EXPECT_EQ(Named(a, name.c_str()), winner);
    char text[VINEYARD_ID_TEXT_SIZE];
    uint64_t size = sizeof text;
    ASSERT_OK(vineyard_id_print(winner, text, &size));
    EXPECT_THAT(why, HasSubstr(text));
  }
}

TEST_F(ClusterTest, WhoWaitsForANameHearsOfTheOtherInstance) {
  std::thread later([this] {
    vineyard_id id = Persisted(b, "late");
    EXPECT_OK(vineyard_name_put(b, "late", id, nullptr, nullptr));
  });
  vineyard_id id = VINEYARD_ID_INVALID;
  uint64_t revision = 0;
  EXPECT_OK(vineyard_name_get(a, "late", 60'000, &id, &revision));
  later.join();
  vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
  options.compare = 1;
  options.expect = revision;
  EXPECT_OK(vineyard_name_drop(a, "late", &options));
}

// ---- delete ----

TEST_F(ClusterTest, ADeleteFromAnywhereTakesTheBytesWhenTheLastReaderLetsGo) {
  vineyard_id id = Persisted(a, std::string(100'000, 'x'));
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(a, id, &blob));
  ASSERT_OK(Delete(b, id));
  Sync(a);
  EXPECT_EQ(Exists(a, id), 0);
  EXPECT_EQ(Exists(b, id), 0);
  EXPECT_EQ(BytesOf(blob), std::string(100'000, 'x'));
  EXPECT_GE(Number(a, "memory_used"), 100'000u);
  vineyard_blob_release(blob);
  EXPECT_TRUE(WaitForNumber(a, "memory_used", 0));
}

// Once what is the cluster's went, and then the store refused the rest.
TEST_F(ClusterTest, ADeleteThatIsRefusedDeletesNothing) {
  vineyard_id kept = Persisted(a, "kept"), there = Persisted(b, "there");
  Sync(a);
  vineyard_blob_writer* writing = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(a, 8, VINEYARD_BLOB_BUFFER, &writing));
  vineyard_id open = vineyard_blob_writer_id(writing);
  for (vineyard_id other :
       {vineyard_id{0x8000000000001234}, vineyard_id{VINEYARD_ID_EMPTY_BLOB}, open}) {
    vineyard_id all[] = {kept, there, other};
    EXPECT_NE(vineyard_object_delete(a, all, 3, nullptr), VINEYARD_OK) << other;
    EXPECT_EQ(Exists(a, kept), 1);
    EXPECT_EQ(Exists(b, there), 1);
  }
  vineyard_blob_writer_release(writing);
}

TEST_F(ClusterTest, WhatOthersLinkToIsNotDeletedUnlessForced) {
  vineyard_id there = Persisted(b, "there");
  vineyard_id pair = PutObject(a, "pair", {{"second", there}});
  Sync(b);
  EXPECT_EQ(NameOf(Delete(b, there)), "in use");
  EXPECT_THAT(vineyard_error_text(), HasSubstr("links to it"));
  // Also an object that only its own instance knows.
  vineyard_id known = Persisted(a, "known"), parent = PutObject(a, "t", {{"m", known}});
  EXPECT_EQ(NameOf(Delete(a, known)), "in use");
  ASSERT_OK(Delete(a, parent));
  EXPECT_EQ(Exists(a, known), 1) << "persisted on its own, it does not go with a parent";
  EXPECT_OK(Delete(a, known));

  vineyard_delete_options options = VINEYARD_DELETE_OPTIONS_INIT;
  options.force = 1;
  ASSERT_OK(vineyard_object_delete(b, &there, 1, &options));
  Sync(a);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(a, pair, &object));
  vineyard_object* member = nullptr;
  EXPECT_EQ(NameOf(vineyard_object_member(object, "second", &member)), "not found");
  vineyard_object_release(object);
}

TEST_F(ClusterTest, LabelsAreTheClusters) {
  vineyard_id id = Persisted(a, "x");
  ASSERT_OK(vineyard_label_set(b, id, "color", "red"));
  Sync(a);
  for (vineyard_client* client : {a, b}) {
    vineyard_labels* labels = nullptr;
    ASSERT_OK(vineyard_labels_get(client, id, &labels));
    ASSERT_EQ(vineyard_labels_count(labels), 1u);
    const char *key = nullptr, *value = nullptr;
    EXPECT_OK(vineyard_labels_at(labels, 0, &key, &value));
    EXPECT_EQ(std::string(key) + value, "colorred");
    vineyard_labels_release(labels);
    vineyard_list_options options = VINEYARD_LIST_OPTIONS_INIT;
    options.label = "color";
    vineyard_list* list = nullptr;
    ASSERT_OK(vineyard_list_open_with(client, "*", &options, &list));
    vineyard_id found = VINEYARD_ID_INVALID;
    EXPECT_OK(vineyard_list_next(list, &found));
    EXPECT_EQ(found, id);
    EXPECT_OK(vineyard_list_next(list, &found));
    EXPECT_EQ(found, VINEYARD_ID_INVALID);
    vineyard_list_release(list);
  }
}

// Once the owner did not read what the others did.
TEST_F(ClusterTest, LabelsThatFindNoMemoryAtTheOwnerAreStillItsOwn) {
  vineyard_id id = Persisted(a, "x");
  ASSERT_OK(vineyard_label_set(a, id, "old", "1"));
  for (uint64_t size = 16 << 20; size >= 16; size /= 4) {
    const std::string bytes(size, 'x');
    vineyard_id filler = VINEYARD_ID_INVALID;
    while (vineyard_blob_put(a, bytes.data(), size, VINEYARD_BLOB_BUFFER, &filler) == VINEYARD_OK) {
    }
  }
  ASSERT_OK(vineyard_label_set(b, id, "long", std::string(60'000, 'v').c_str()));
  Sync(a);
  for (vineyard_client* client : {a, b}) {
    vineyard_labels* labels = nullptr;
    ASSERT_OK(vineyard_labels_get(client, id, &labels));
    EXPECT_EQ(vineyard_labels_count(labels), 2u);
    vineyard_labels_release(labels);
    vineyard_list_options options = VINEYARD_LIST_OPTIONS_INIT;
    options.label = "long";
    vineyard_list* list = nullptr;
    ASSERT_OK(vineyard_list_open_with(client, "*", &options, &list));
    vineyard_id found = VINEYARD_ID_INVALID;
    EXPECT_OK(vineyard_list_next(list, &found));
    EXPECT_EQ(found, id);
    vineyard_list_release(list);
  }
}

TEST_F(ClusterTest, ListsHoldThisInstancesObjectsAndWhatTheClusterKnowsEachOnce) {
  std::vector<vineyard_id> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(Persisted(a, "x"));
    all.push_back(Persisted(b, "y"));
  }
  Put(b, "b's alone");
  all.push_back(Put(a, "a's alone"));
  Sync(a);
  std::sort(all.begin(), all.end());
  for (uint64_t page : {1, 2, 3, 1000}) {
    vineyard_list_options options = VINEYARD_LIST_OPTIONS_INIT;
    options.page = page;
    vineyard_list* list = nullptr;
    ASSERT_OK(vineyard_list_open_with(a, "vineyard::Blob", &options, &list));
    std::vector<vineyard_id> seen;
    vineyard_id id = VINEYARD_ID_INVALID;
    while (vineyard_list_next(list, &id) == VINEYARD_OK && id != VINEYARD_ID_INVALID) {
      seen.push_back(id);
    }
    EXPECT_EQ(seen, all) << "pages of " << page;
    vineyard_list_release(list);
  }
  vineyard_types* types = nullptr;
  ASSERT_OK(vineyard_types_get(a, &types));
  const char* name = nullptr;
  uint64_t count = 0;
  EXPECT_OK(vineyard_types_at(types, 0, &name, &count));
  EXPECT_EQ(count, all.size());
  vineyard_types_release(types);
}

// ---- positions and events ----

TEST_F(ClusterTest, ATokenReadsOnesOwnWritesOnAnotherInstance) {
  for (int i = 0; i < 20; ++i) {
    vineyard_id id = Persisted(a, "x");
    vineyard_position position;
    ASSERT_OK(vineyard_client_revision(a, &position));
    ASSERT_OK(vineyard_client_wait_revision(b, &position, 60'000));
    EXPECT_EQ(Number(b, "cluster_objects"), static_cast<uint64_t>(i + 1));
    EXPECT_EQ(Exists(b, id), 1);
  }
}

TEST_F(ClusterTest, AWatchTellsWhatHappensAndGoesOnBehindARestart) {
  vineyard_watch* watch = nullptr;
  ASSERT_OK(vineyard_watch_open(b, nullptr, &watch));
  vineyard_event event = VINEYARD_EVENT_INIT;
  EXPECT_EQ(NameOf(vineyard_watch_next(watch, 0, &event)), "timeout");
  vineyard_id id = Persisted(a, "x");
  ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  EXPECT_EQ(event.kind, VINEYARD_EVENT_CREATED);
  EXPECT_EQ(event.id, id);
  EXPECT_EQ(event.instance, a_->number);
  ASSERT_OK(vineyard_name_put(a, "n", id, nullptr, nullptr));
  ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  EXPECT_EQ(event.kind, VINEYARD_EVENT_NAMED);
  EXPECT_STREQ(event.name, "n");
  kill(a_->daemon->daemon(), SIGKILL);
  ASSERT_TRUE(a_->daemon->WaitUntilReady());
  ASSERT_OK(Delete(b, id));
  do {
    ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  } while (event.kind != VINEYARD_EVENT_DROPPED);
  ASSERT_OK(vineyard_watch_next(watch, 60'000, &event));
  EXPECT_EQ(event.kind, VINEYARD_EVENT_DELETED);
  EXPECT_EQ(event.id, id);
  vineyard_watch_release(watch);
}

}  // namespace
}  // namespace vineyard::testing

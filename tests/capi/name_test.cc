#include <poll.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>

#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

class Name : public WithClient {
 protected:
  int32_t Give(const char* name, vineyard_id id, uint64_t* revision = nullptr) {
    return vineyard_name_put(client_, name, id, nullptr, revision);
  }
  vineyard_id Find(const char* name) {
    vineyard_id id = 0;
    uint64_t revision = 0;
    int32_t status = vineyard_name_get(client_, name, 0, &id, &revision);
    return status == VINEYARD_OK ? id : 0;
  }
};

TEST_F(Name, IsFoundByWhoeverAsks) {
  vineyard_id id = Put(client_, "x");
  uint64_t revision = 0, found_revision = 0;
  ASSERT_OK(Give("n\xc3\xa4me \xf0\x9f\x98\x80", id, &revision));
  vineyard_client* other = Connect();
  vineyard_id found = 0;
  ASSERT_OK(vineyard_name_get(other, "n\xc3\xa4me \xf0\x9f\x98\x80", 0, &found, &found_revision));
  EXPECT_EQ(found, id);
  EXPECT_EQ(found_revision, revision);
  vineyard_client_release(other);
}

TEST_F(Name, IsGivenWithThePut) {
  vineyard_id id = PutObject(client_, "test::Thing", {}, "given");
  EXPECT_EQ(Find("given"), id);
}

TEST_F(Name, TakenIsAnErrorUnlessItMayBeReplaced) {
  vineyard_id a = Put(client_, "a"), b = Put(client_, "b");
  ASSERT_OK(Give("name", a));
  EXPECT_EQ(Give("name", b), VINEYARD_E_EXISTS);
  EXPECT_EQ(Find("name"), a);
  vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
  options.replace = 1;
  ASSERT_OK(vineyard_name_put(client_, "name", b, &options, nullptr));
  EXPECT_EQ(Find("name"), b);
}

TEST_F(Name, IsComparedBeforeItIsSet) {
  vineyard_id a = Put(client_, "a"), b = Put(client_, "b");
  vineyard_name_options compare = VINEYARD_NAME_OPTIONS_INIT;
  compare.compare = 1;
  compare.expect = VINEYARD_REVISION_NONE;
  uint64_t revision = 0;
  ASSERT_OK(vineyard_name_put(client_, "name", a, &compare, &revision));
  EXPECT_EQ(vineyard_name_put(client_, "name", b, &compare, nullptr), VINEYARD_E_CONFLICT);
  compare.expect = revision + 1000;
  EXPECT_EQ(vineyard_name_put(client_, "name", b, &compare, nullptr), VINEYARD_E_CONFLICT);
  compare.expect = revision;
  ASSERT_OK(vineyard_name_put(client_, "name", b, &compare, &revision));
  EXPECT_EQ(Find("name"), b);
  compare.expect = revision - 1;
  EXPECT_EQ(vineyard_name_drop(client_, "name", &compare), VINEYARD_E_CONFLICT);
  compare.expect = revision;
  EXPECT_OK(vineyard_name_drop(client_, "name", &compare));
  EXPECT_EQ(vineyard_name_drop(client_, "name", nullptr), VINEYARD_E_NOT_FOUND);
}

TEST_F(Name, OfADeletedObjectIsGone) {
  vineyard_id id = Put(client_, "x");
  ASSERT_OK(Give("name", id));
  ASSERT_OK(Delete(client_, id));
  vineyard_id found = 0;
  EXPECT_EQ(vineyard_name_get(client_, "name", 0, &found, nullptr), VINEYARD_E_NOT_FOUND);
}

TEST_F(Name, BadOnesAreRefused) {
  vineyard_id id = Put(client_, "x");
  EXPECT_EQ(Give("", id), VINEYARD_E_INVALID);
  EXPECT_EQ(Give("\xff", id), VINEYARD_E_INVALID);
  EXPECT_EQ(Give(std::string(1025, 'x').c_str(), id), VINEYARD_E_LIMIT);
  EXPECT_OK(Give(std::string(1024, 'x').c_str(), id));
  EXPECT_EQ(Give("name", 12345), VINEYARD_E_NOT_FOUND);
}

TEST_F(Name, IsWaitedForUntilItIsGiven) {
  vineyard_client* other = Connect();
  vineyard_id id = Put(client_, "x"), found = 0;
  std::thread waiter([&] { EXPECT_OK(vineyard_name_get(other, "later", -1, &found, nullptr)); });
  ASSERT_OK(Give("later", id));
  waiter.join();
  EXPECT_EQ(found, id);
  EXPECT_EQ(vineyard_name_get(other, "never", 20, &found, nullptr), VINEYARD_E_TIMEOUT);
  vineyard_client_release(other);
}

TEST_F(Name, AnObjectIsWaitedForUntilItIsSealed) {
  vineyard_client* other = Connect();
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 100, VINEYARD_BLOB_BUFFER, &writer));
  vineyard_id id = vineyard_blob_writer_id(writer);
  EXPECT_EQ(vineyard_object_wait(other, id, 20), VINEYARD_E_TIMEOUT);
  std::thread waiter([&] { EXPECT_OK(vineyard_object_wait(other, id, -1)); });
  ASSERT_OK(vineyard_blob_writer_seal(writer));
  waiter.join();
  vineyard_blob_writer_release(writer);
  vineyard_client_release(other);
}

// ---- how waits end ---------------------------------------------------------------------------------

TEST_F(Name, AWaitOfMinusOneEndsAtTheClientsDefault) {
  vineyard_client* hurried = Connect(/*timeout_ms=*/50);
  vineyard_id id = 0;
  EXPECT_EQ(vineyard_name_get(hurried, "never", -1, &id, nullptr), VINEYARD_E_TIMEOUT);
  EXPECT_EQ(vineyard_object_wait(hurried, 4711, -1), VINEYARD_E_TIMEOUT);
  EXPECT_EQ(vineyard_object_wait(hurried, 4711, 0), VINEYARD_E_TIMEOUT);
  vineyard_client_release(hurried);
}

constexpr int64_t kLongMs = int64_t{24} * 3600 * 1000;

// Runs `wait` in a thread, and sends it signals once the daemon knows of the wait; its status.
template <typename Wait>
int32_t Signalled(vineyard_client* observer, Wait wait) {
  struct sigaction action = {}, before = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, &before);
  std::atomic<bool> done{false};
  int32_t status = VINEYARD_OK;
  std::thread waiter([&] {
    status = wait();
    done = true;
  });
  WaitForNumber(observer, "waits", 1);
  while (!done) {  // one that comes just before the sleep is not noticed
    pthread_kill(waiter.native_handle(), SIGUSR1);
    poll(nullptr, 0, 1);
  }
  waiter.join();
  sigaction(SIGUSR1, &before, nullptr);
  return status;
}

TEST_F(Name, ASignalEndsAWait) {
  vineyard_client* other = Connect();
  vineyard_id id = 4711;
  EXPECT_EQ(
      Signalled(client_, [&] { return vineyard_name_get(other, "never", kLongMs, &id, nullptr); }),
      VINEYARD_E_INTERRUPTED);
  EXPECT_EQ(id, 4711u);
  WaitForNumber(client_, "waits", 1);  // the daemon still waits for it; the connection goes on
  vineyard_client_release(other);
  WaitForNumber(client_, "waits", 0);
  other = Connect();
  EXPECT_EQ(Signalled(client_, [&] { return vineyard_object_wait(other, 12345, kLongMs); }),
            VINEYARD_E_INTERRUPTED);
  vineyard_client_release(other);
}

std::atomic<int> asked, patience;

TEST_F(Name, TheCallersHookDecidesWhetherAWaitGoesOn) {
  asked = 0;
  patience = 3;
  vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
  options.keep_waiting = [] { return ++asked < patience ? 1 : 0; };
  vineyard_client* other = nullptr;
  ASSERT_OK(vineyard_client_connect(socket_.c_str(), &options, &other));
  vineyard_id id = 0;
  EXPECT_EQ(vineyard_name_get(other, "never", kLongMs, &id, nullptr), VINEYARD_E_INTERRUPTED);
  EXPECT_EQ(asked, 3) << "without any signal";
  // Where there is a hook a signal alone ends nothing.
  vineyard_client_release(other);
  WaitForNumber(client_, "waits", 0);
  patience = 1 << 30;
  ASSERT_OK(vineyard_client_connect(socket_.c_str(), &options, &other));
  asked = 0;
  int32_t status = Signalled(client_, [&] {
    int32_t first = vineyard_name_get(other, "never", 300, &id, nullptr);
    return asked > 0 ? first : VINEYARD_E_INTERNAL;
  });
  EXPECT_EQ(status, VINEYARD_E_TIMEOUT);
  vineyard_client_release(other);
}

TEST_F(Name, ListsAreInByteOrderAndWhole) {
  constexpr int kNames = 2500;  // more than two pages
  vineyard_id id = Put(client_, "x");
  for (int i = 0; i < kNames; ++i) ASSERT_OK(Give(("n" + std::to_string(10000 + i)).c_str(), id));
  ASSERT_OK(Give("other", id));
  vineyard_name_list* list = nullptr;
  ASSERT_OK(vineyard_name_list_open(client_, "n*", &list));
  const char* name = nullptr;
  std::string before;
  int count = 0;
  while (true) {
    vineyard_id found = 0;
    uint64_t revision = 0;
    ASSERT_OK(vineyard_name_list_next(list, &name, &found, &revision));
    if (name == nullptr) break;
    EXPECT_LT(before, name);
    EXPECT_EQ(found, id);
    before = name;
    ++count;
  }
  EXPECT_EQ(count, kNames);
  vineyard_name_list_release(list);
}

TEST_F(Name, ListsOfObjectsMatchBasesAndComeInPages) {
  std::set<vineyard_id> tuples, found;
  for (int i = 0; i < 25; ++i) {
    tuples.insert(PutObject(client_, i % 2 == 0 ? "vineyard::Pair" : "vineyard::Tuple", {}));
  }
  PutObject(client_, "vineyard::Dict", {});
  vineyard_list* list = nullptr;
  ASSERT_OK(vineyard_list_open(client_, "vineyard::Tup*", 7, &list));
  for (vineyard_id id = 0;;) {
    ASSERT_OK(vineyard_list_next(list, &id));
    if (id == VINEYARD_ID_INVALID) break;
    EXPECT_TRUE(found.insert(id).second);
  }
  EXPECT_EQ(found, tuples);
  vineyard_list_release(list);

  vineyard_types* types = nullptr;
  ASSERT_OK(vineyard_types_get(client_, &types));
  uint64_t pairs = 0;
  for (uint64_t i = 0; i < vineyard_types_count(types); ++i) {
    const char* name = nullptr;
    uint64_t count = 0;
    ASSERT_OK(vineyard_types_at(types, i, &name, &count));
    if (std::string(name) == "vineyard::Pair") pairs = count;
  }
  EXPECT_EQ(pairs, 13u);
  vineyard_types_release(types);
}

TEST_F(Name, LabelsAreSetReadAndTakenAway) {
  vineyard_id id = Put(client_, "x");
  vineyard_labels* labels = nullptr;
  ASSERT_OK(vineyard_labels_get(client_, id, &labels));
  EXPECT_EQ(vineyard_labels_count(labels), 0u);
  vineyard_labels_release(labels);
  ASSERT_OK(vineyard_label_set(client_, id, "color", "red"));
  ASSERT_OK(vineyard_label_set(client_, id, "size", "xl"));
  ASSERT_OK(vineyard_label_set(client_, id, "color", "blue"));
  ASSERT_OK(vineyard_label_set(client_, id, "size", nullptr));
  ASSERT_OK(vineyard_labels_get(client_, id, &labels));
  ASSERT_EQ(vineyard_labels_count(labels), 1u);
  const char *key = nullptr, *value = nullptr;
  ASSERT_OK(vineyard_labels_at(labels, 0, &key, &value));
  EXPECT_STREQ(key, "color");
  EXPECT_STREQ(value, "blue");
  EXPECT_EQ(vineyard_labels_at(labels, 1, &key, &value), VINEYARD_E_NOT_FOUND);
  vineyard_labels_release(labels);
  EXPECT_EQ(vineyard_labels_get(client_, 12345, &labels), VINEYARD_E_NOT_FOUND);
}

TEST_F(Name, ClearDeletesEverythingAndTrimAnswers) {
  vineyard_blob* blob = nullptr;
  vineyard_id id = Put(client_, "kept by its view");
  ASSERT_OK(vineyard_blob_get(client_, id, &blob));
  PutObject(client_, "test::Thing", {{"m", Put(client_, "m")}});
  uint64_t count = 0;
  ASSERT_OK(vineyard_client_clear(client_, &count));
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(Exists(client_, id), 0);
  EXPECT_EQ(BytesOf(blob), "kept by its view");
  vineyard_blob_release(blob);
  uint64_t bytes = 0;
  ASSERT_OK(vineyard_client_trim(client_, &bytes));
}

}  // namespace
}  // namespace vineyard::testing

// The part of the C interface about more than one instance, against a daemon that says what the test says.
#include <poll.h>

#include <functional>
#include <map>
#include <string>

#include "core/object/pack.h"
#include "core/object/record.h"
#include "tests/capi/fixture.h"
#include "tests/support/fake_daemon.h"

namespace vineyard::testing {
namespace {

using wire::MessageType;

constexpr uint64_t kThere = 9;
constexpr ObjectId kArray = MakeId(false, kThere, 1), kBuffer = MakeId(true, kThere, 2);

class Cluster : public ::testing::Test {
 protected:
  ~Cluster() override { vineyard_client_release(client_); }

  void On(MessageType type, std::function<void(FakeConnection&, const FakeRequest&)> answer) {
    answers_[type] = std::move(answer);
  }
  // An array of 8 float64 on another instance.
  void KnowArray(wire::OwnerState state, uint64_t stale_since_ms = 0) {
    std::string fields;
    Packer(&fields).Map(3).String("shape_").Array(1).Uint(8);
    Packer(&fields).String("value_type_").String("float64").String("order_").String("C");
    record_ = EncodeRecord(kArray, "vineyard::Array", 64, kThere, {{"buffer_", kBuffer}}, fields);
    On(MessageType::kFind, [=, this](FakeConnection& c, const FakeRequest& r) {
      wire::FindAnswer answer;
      answer.kind = wire::FindAnswer::Kind::kRemote;
      answer.remote.instance = kThere;
      answer.remote.owner = state;
      answer.remote.since_ms = 1'700'000'000'000;
      answer.remote.host = "faraway";
      answer.remote.stale_since_ms = stale_since_ms;
      answer.remote.nodes.resize(2);
      answer.remote.nodes[0].id = kArray;
      answer.remote.nodes[0].record = record_;
      answer.remote.nodes[1].id = kBuffer;
      answer.remote.nodes[1].value_size = 64;
      c.Answer(r, answer);
    });
  }
  vineyard_client* client() {
    if (client_ == nullptr) client_ = ConnectTo(fake_.daemon.path());
    return client_;
  }

 private:
  void Serve(FakeConnection& c) {
    for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
      auto answer = answers_.find(r.type());
      if (answer != answers_.end()) answer->second(c, r);
    }
  }

  std::map<MessageType, std::function<void(FakeConnection&, const FakeRequest&)>> answers_;
  std::string record_;
  Fake fake_{{{false, [this](FakeConnection& c) { Serve(c); }}}};
  vineyard_client* client_ = nullptr;
};

TEST_F(Cluster, AnObjectElsewhereIsMetadata) {
  KnowArray(wire::OwnerState::kAlive, 1'700'000'000'555);
  vineyard_object* array = nullptr;
  ASSERT_OK(vineyard_object_get(client(), kArray, &array));
  EXPECT_EQ(vineyard_object_is_remote(array), 1);
  EXPECT_EQ(vineyard_object_instance(array), kThere);
  EXPECT_EQ(vineyard_object_is_persisted(array), 1);
  EXPECT_EQ(vineyard_object_owner_state(array), VINEYARD_INSTANCE_ALIVE);
  EXPECT_EQ(vineyard_object_owner_since_ms(array), 1'700'000'000'000u);
  EXPECT_STREQ(vineyard_object_owner_host(array), "faraway");
  EXPECT_EQ(vineyard_object_stale_since_ms(array), 1'700'000'000'555u);
  int32_t global = -1;
  EXPECT_OK(vineyard_object_is_global(array, &global));
  EXPECT_EQ(global, 0);
  vineyard_object* buffer = nullptr;
  ASSERT_OK(vineyard_object_member(array, "buffer_", &buffer));
  vineyard_object_release(array);
  EXPECT_EQ(vineyard_object_nbytes(buffer), 64u);
  EXPECT_EQ(vineyard_object_is_remote(buffer), 1);
  vineyard_object_release(buffer);
}

TEST_F(Cluster, APayloadElsewhereIsAnErrorThatNamesObjectAndOwner) {
  KnowArray(wire::OwnerState::kAlive);
  vineyard_object* array = nullptr;
  ASSERT_OK(vineyard_object_get(client(), kArray, &array));
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  EXPECT_EQ(vineyard_object_tensor(array, &tensor), VINEYARD_E_REMOTE);
  std::string text = vineyard_error_text();
  for (const std::string& part : {PrintId(kArray), PrintId(kBuffer), std::string("instance 9"),
                                  std::string("host faraway")}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in: " << text;
  }
  vineyard_blob* blob = nullptr;
  EXPECT_EQ(vineyard_object_member_blob(array, "buffer_", &blob), VINEYARD_E_REMOTE);
  EXPECT_EQ(blob, nullptr);
  vineyard_object_release(array);
}

TEST_F(Cluster, APayloadOfALostInstanceIsLost) {
  KnowArray(wire::OwnerState::kLost);
  vineyard_object* array = nullptr;
  ASSERT_OK(vineyard_object_get(client(), kArray, &array));
  EXPECT_EQ(vineyard_object_owner_state(array), VINEYARD_INSTANCE_LOST);
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  EXPECT_EQ(vineyard_object_tensor(array, &tensor), VINEYARD_E_LOST);
  std::string text = vineyard_error_text();
  EXPECT_NE(text.find("instance 9 on host faraway is gone since 2023-11-14 22:13:20"),
            std::string::npos)
      << text;
  EXPECT_EQ(vineyard_status_is_retryable(VINEYARD_E_LOST), 0);
  vineyard_object_release(array);
}

TEST_F(Cluster, InstancesAreListed) {
  On(MessageType::kInstances, [](FakeConnection& c, const FakeRequest& r) {
    wire::InstancesAnswer answer;
    answer.instances.push_back({7, wire::OwnerState::kAlive, 1, 2, 3, 4, "here", "/s", "e:1"});
    answer.instances.push_back({9, wire::OwnerState::kLost, 10, 20, 30, 40, "faraway", "/t", ""});
    c.Answer(r, answer);
  });
  vineyard_instance_list* list = nullptr;
  ASSERT_OK(vineyard_instance_list_get(client(), &list));
  ASSERT_EQ(vineyard_instance_list_count(list), 2u);
  vineyard_instance instance = VINEYARD_INSTANCE_INIT;
  ASSERT_OK(vineyard_instance_list_at(list, 1, &instance));
  EXPECT_EQ(instance.struct_size, sizeof instance);
  EXPECT_EQ(instance.number, 9u);
  EXPECT_EQ(instance.state, VINEYARD_INSTANCE_LOST);
  EXPECT_EQ(instance.since_ms, 10u);
  EXPECT_EQ(instance.memory_limit, 20u);
  EXPECT_EQ(instance.epoch, 30u);
  EXPECT_EQ(instance.uid, 40u);
  EXPECT_STREQ(instance.host, "faraway");
  EXPECT_STREQ(instance.socket, "/t");
  EXPECT_STREQ(instance.endpoint, "");
  vineyard_instance older = VINEYARD_INSTANCE_INIT;
  older.struct_size = offsetof(vineyard_instance, since_ms);
  ASSERT_OK(vineyard_instance_list_at(list, 0, &older));
  EXPECT_EQ(older.number, 7u);
  EXPECT_EQ(older.host, nullptr) << "an older caller has no room for it";
  EXPECT_EQ(vineyard_instance_list_at(list, 2, &instance), VINEYARD_E_NOT_FOUND);
  vineyard_instance_list_release(list);
}

TEST_F(Cluster, AnInstanceIsForgotten) {
  uint64_t number = 0;
  On(MessageType::kForgetInstance, [&](FakeConnection& c, const FakeRequest& r) {
    Arena arena;
    number = wire::ForgetInstance::Decode(*Unpack(r.body, &arena))->number;
    c.AnswerMutation(r, kInvalidId);
  });
  EXPECT_OK(vineyard_instance_forget(client(), 9));
  EXPECT_EQ(number, 9u);
  EXPECT_EQ(vineyard_instance_forget(client(), 0), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_instance_forget(client(), UINT64_MAX), VINEYARD_E_INVALID);
}

TEST_F(Cluster, APositionIsAskedForAndWaitedFor) {
  wire::Sync asked;
  On(MessageType::kSync, [&](FakeConnection& c, const FakeRequest& r) {
    Arena arena;
    asked = *wire::Sync::Decode(*Unpack(r.body, &arena));
    if (asked.at_least.entries == 99) {
      c.Send(r.header, wire::EncodeError({Code::kTimeout, "not within 10 ms"}));
    } else {
      c.Answer(r, wire::SyncAnswer{{2, 20}});
    }
  });
  vineyard_position position = {0, 0};
  ASSERT_OK(vineyard_client_revision(client(), &position));
  EXPECT_EQ(asked.kind, wire::Sync::Kind::kNow);
  EXPECT_EQ(position.generation, 2u);
  EXPECT_EQ(position.entries, 20u);
  ASSERT_OK(vineyard_client_wait_revision(client(), &position, -1));
  EXPECT_EQ(asked.kind, wire::Sync::Kind::kAtLeast);
  EXPECT_EQ(asked.at_least.generation, 2u);
  EXPECT_EQ(asked.at_least.entries, 20u);
  ASSERT_OK(vineyard_client_sync(client(), 20'000, nullptr));
  EXPECT_EQ(asked.kind, wire::Sync::Kind::kBarrier);
  position.entries = 99;
  EXPECT_EQ(vineyard_client_wait_revision(client(), &position, 10), VINEYARD_E_TIMEOUT);
  EXPECT_EQ(vineyard_client_wait_revision(client(), &position, -2), VINEYARD_E_INVALID);
}

TEST_F(Cluster, AListIsOfAnInstanceAndALabel) {
  std::string body;
  On(MessageType::kList, [&](FakeConnection& c, const FakeRequest& r) {
    body = r.body;
    wire::ListAnswer answer;
    answer.ids = {kArray};
    c.Answer(r, answer);
  });
  vineyard_list_options options = VINEYARD_LIST_OPTIONS_INIT;
  options.instance = 9;
  options.label = "color";
  options.value = "blue";
  options.page = 5;
  vineyard_list* list = nullptr;
  ASSERT_OK(vineyard_list_open_with(client(), "vineyard::*", &options, &list));
  vineyard_id id = 0;
  ASSERT_OK(vineyard_list_next(list, &id));
  EXPECT_EQ(id, kArray);
  ASSERT_OK(vineyard_list_next(list, &id));
  EXPECT_EQ(id, VINEYARD_ID_INVALID);
  vineyard_list_release(list);
  Arena arena;
  wire::List asked = *wire::List::Decode(*Unpack(body, &arena));
  EXPECT_EQ(asked.type_glob, "vineyard::*");
  EXPECT_EQ(asked.instance, 9u);
  EXPECT_EQ(asked.label, "color");
  EXPECT_EQ(asked.value, "blue");
  EXPECT_EQ(asked.limit, 5u);
  options.label = nullptr;
  EXPECT_EQ(vineyard_list_open_with(client(), "*", &options, &list), VINEYARD_E_INVALID);
  EXPECT_EQ(list, nullptr);
}

TEST_F(Cluster, ANameIsAskedForAsOfNow) {
  bool latest = false;
  On(MessageType::kFind, [&](FakeConnection& c, const FakeRequest& r) {
    Arena arena;
    latest = wire::Find::Decode(*Unpack(r.body, &arena))->latest;
    wire::FindAnswer answer;
    answer.kind = wire::FindAnswer::Kind::kName;
    answer.name = {kArray, 6};
    c.Answer(r, answer);
  });
  vineyard_name_get_options options = VINEYARD_NAME_GET_OPTIONS_INIT;
  vineyard_id id = 0;
  uint64_t revision = 0;
  ASSERT_OK(vineyard_name_get_with(client(), "far", &options, &id, &revision));
  EXPECT_FALSE(latest);
  options.latest = 1;
  ASSERT_OK(vineyard_name_get_with(client(), "far", &options, &id, &revision));
  EXPECT_TRUE(latest);
  EXPECT_EQ(id, kArray);
  EXPECT_EQ(revision, 6u);
  options.reserved = 1;
  EXPECT_EQ(vineyard_name_get_with(client(), "far", &options, &id, nullptr), VINEYARD_E_VERSION);
}

TEST(ClusterWatch, AnswersEventsAndWhereItIs) {
  Fake fake({{false, [](FakeConnection&) {}},  // the client's connection
             {false, [](FakeConnection& c) {
                FakeRequest r = c.Receive();
                wire::WatchAnswer answer;
                answer.events.push_back({wire::EventKind::kNamed, kArray, 0, "blue"});
                answer.position = {3, 31};
                c.Answer(r, answer);
                ServeNothing(c);
              }}});
  vineyard_client* client = ConnectTo(fake.daemon.path());
  vineyard_position position = {3, 30};
  vineyard_watch* watch = nullptr;
  ASSERT_OK(vineyard_watch_open(client, &position, &watch));
  EXPECT_GE(vineyard_watch_fd(watch), 0);
  vineyard_event event{};
  EXPECT_EQ(vineyard_watch_next(watch, 20'000, &event), VINEYARD_E_INVALID)
      << "struct_size is not set";
  event = VINEYARD_EVENT_INIT;
  ASSERT_OK(vineyard_watch_next(watch, 20'000, &event));
  EXPECT_EQ(event.kind, VINEYARD_EVENT_NAMED);
  EXPECT_EQ(event.id, kArray);
  EXPECT_STREQ(event.name, "blue");
  ASSERT_OK(vineyard_watch_position(watch, &position));
  EXPECT_EQ(position.generation, 3u);
  EXPECT_EQ(position.entries, 31u);
  EXPECT_EQ(vineyard_watch_next(watch, 0, &event), VINEYARD_E_TIMEOUT);
  EXPECT_EQ(vineyard_watch_next(watch, -2, &event), VINEYARD_E_INVALID);
  vineyard_watch_release(watch);
  vineyard_client_release(client);
}

TEST(ClusterMisuse, NullIsAnErrorOrNothing) {
  vineyard_instance instance = VINEYARD_INSTANCE_INIT;
  vineyard_event event = VINEYARD_EVENT_INIT;
  vineyard_position position = {1, 1};
  vineyard_instance_list* instances = nullptr;
  vineyard_list* list = nullptr;
  vineyard_watch* watch = nullptr;
  vineyard_id id = 0;
  int32_t global = 0;
  for (int32_t status :
       {vineyard_object_is_global(nullptr, &global),
        vineyard_instance_list_get(nullptr, &instances),
        vineyard_instance_list_at(nullptr, 0, &instance), vineyard_instance_forget(nullptr, 1),
        vineyard_client_revision(nullptr, &position), vineyard_client_sync(nullptr, 0, nullptr),
        vineyard_client_wait_revision(nullptr, &position, 0),
        vineyard_list_open_with(nullptr, "*", nullptr, &list),
        vineyard_name_get_with(nullptr, "n", nullptr, &id, nullptr),
        vineyard_watch_open(nullptr, &position, &watch), vineyard_watch_next(nullptr, 0, &event),
        vineyard_watch_position(nullptr, &position)}) {
    EXPECT_EQ(status, VINEYARD_E_INVALID);
  }
  EXPECT_EQ(vineyard_object_is_remote(nullptr), 0);
  EXPECT_EQ(vineyard_object_owner_state(nullptr), VINEYARD_INSTANCE_ALIVE);
  EXPECT_EQ(vineyard_object_owner_since_ms(nullptr), 0u);
  EXPECT_EQ(vineyard_object_stale_since_ms(nullptr), 0u);
  EXPECT_STREQ(vineyard_object_owner_host(nullptr), "");
  EXPECT_EQ(vineyard_instance_list_count(nullptr), 0u);
  EXPECT_EQ(vineyard_watch_fd(nullptr), -1);
  vineyard_instance_list_release(nullptr);
  vineyard_watch_release(nullptr);
}

}  // namespace
}  // namespace vineyard::testing

// What a client makes of a daemon's answers about other instances.
#include "core/client/remote.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/client/object_view.h"
#include "core/client/tree_put.h"
#include "core/object/pack.h"
#include "core/object/record.h"
#include "tests/core/client/fake_daemon.h"

namespace vineyard::client {
namespace {

using wire::MessageType;

constexpr uint64_t kHere = FakeMemory::kInstance, kThere = 9;
constexpr ObjectId kRoot = MakeId(false, kThere, 1), kBuffer = MakeId(true, kThere, 2),
                   kMember = MakeId(false, kThere, 3), kOther = MakeId(false, kThere, 77),
                   kLocal = MakeId(false, kHere, 5);

std::string RecordOf(ObjectId id, uint64_t instance, const std::vector<Member>& members = {}) {
  std::string fields;
  Packer(&fields).Map(1).String("x").Uint(5);
  return EncodeRecord(id, "t::Thing", 100, instance, members, fields);
}

// A daemon that knows of what the test says, and counts what it is asked.
class Remote : public ::testing::Test {
 protected:
  using Kind = wire::FindAnswer::Kind;

  // Before the first request.
  void Know(ObjectId id, const wire::RemoteObject& object) {
    wire::FindAnswer answer;
    answer.kind = Kind::kRemote;
    answer.remote = object;
    answers_[id].clear();
    answer.Encode(&answers_[id]);
  }
  wire::RemoteObject There(std::vector<wire::RemoteNode> nodes) {
    wire::RemoteObject object;
    object.instance = kThere;
    object.host = "faraway";
    object.nodes = std::move(nodes);
    return object;
  }
  wire::RemoteNode Node(ObjectId id, const std::vector<Member>& members = {}) {
    records_.push_back(std::make_unique<std::string>(RecordOf(id, kThere, members)));
    wire::RemoteNode node;
    node.id = id;
    node.record = *records_.back();
    return node;
  }
  static wire::RemoteNode Blob(ObjectId id, BlobKind kind, uint64_t value_size) {
    wire::RemoteNode node;
    node.id = id;
    node.kind = kind;
    node.value_size = value_size;
    return node;
  }
  void PutHere(ObjectId id, const std::vector<Member>& members, uint8_t flags = 0) {
    uint32_t slot = next_slot_++;
    fake_.memory.AddObject(slot, id, RecordOf(id, kHere, members), shm::SlotKind::kObject);
    uint64_t detail = fake_.memory.slot(slot).fields[3].load();
    fake_.memory.slot(slot).fields[3].store(detail | static_cast<uint64_t>(flags) << 56);
  }

  Client& client() {
    if (client_ == nullptr) client_ = std::make_unique<Connected>(fake_.daemon.path());
    return *client_->operator->();
  }
  std::unique_ptr<ObjectView> Get(ObjectId id) {
    Result<std::unique_ptr<ObjectView>> view = ObjectView::Get(client().shared_from_this(), id);
    EXPECT_TRUE(view.ok()) << view.status().ToString();
    return view.ok() ? std::move(view).value() : nullptr;
  }
  FakeMemory* fake_memory() { return &fake_.memory; }
  uint64_t Requests() { return client().statistics().requests; }

  wire::Find asked_;  // last
  std::map<ObjectId, std::string> answers_;
  bool only_waits_ = false;                                        // are answered with them
  std::function<void(FakeConnection&, const FakeRequest&)> also_;  // answers everything else

 private:
  void Serve(FakeConnection& c) {
    for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
      if (r.type() == MessageType::kGrant) {
        c.AnswerEmpty(r);
      } else if (r.type() == MessageType::kSegment) {
        std::string body;
        wire::SegmentAnswer{FakeMemory::kSegmentSize}.Encode(&body);
        c.Send(r.header, body, {fake_.memory.segment_fd.get()});
      } else if (r.type() == MessageType::kFind || r.type() == MessageType::kWait) {
        Arena arena;
        asked_ = *wire::Find::Decode(*Unpack(r.body, &arena));
        name_ = asked_.name;
        asked_.name = name_;
        auto known = answers_.find(asked_.name.empty() ? asked_.id : 0);
        bool too_early = only_waits_ && r.type() == MessageType::kFind;
        c.Send(r.header, known != answers_.end() && !too_early
                             ? known->second
                             : wire::EncodeError(NotFound("it is not there, says the test")));
      } else if (also_) {
        also_(c, r);
      }
    }
  }

  std::string name_;
  uint32_t next_slot_ = 3;
  std::vector<std::unique_ptr<std::string>> records_;
  Fake fake_{{{false, [this](FakeConnection& c) { Serve(c); }}}};
  std::unique_ptr<Connected> client_;
};

TEST_F(Remote, AnObjectIsItsMetadata) {
  Know(kRoot, There({Node(kRoot, {{"buffer_", kBuffer}}), Blob(kBuffer, BlobKind::kBytes, 13)}));
  auto root = Get(kRoot);
  ASSERT_NE(root, nullptr);
  ASSERT_NE(root->remote(), nullptr);
  EXPECT_EQ(root->type_name(), "t::Thing");
  EXPECT_EQ(root->nbytes(), 100u);
  EXPECT_EQ(root->instance(), kThere);
  EXPECT_TRUE(root->is_persisted());
  EXPECT_EQ((*root->Field("x"))->as.uint64, 5u);
  EXPECT_EQ(*root->MemberId("buffer_"), kBuffer);
}

TEST_F(Remote, MembersOfTheSameTreeTakeNoMessage) {
  Know(kRoot, There({Node(kRoot, {{"member", kMember}}), Node(kMember, {{"buffer_", kBuffer}}),
                     Blob(kBuffer, BlobKind::kBytes, 13)}));
  auto root = Get(kRoot);
  ASSERT_NE(root, nullptr);
  uint64_t before = Requests();
  auto member = root->Member(kMember);
  ASSERT_TRUE(member.ok()) << member.status().ToString();
  root.reset();  // what the daemon said stays while a member of it is used
  auto blob = (*member)->Member(kBuffer);
  ASSERT_TRUE(blob.ok()) << blob.status().ToString();
  EXPECT_EQ((*blob)->type_name(), "vineyard::Blob");
  EXPECT_EQ((*blob)->nbytes(), 28u);
  EXPECT_EQ((*(*blob)->Field("value_length_"))->as.uint64, 13u);
  EXPECT_EQ((*blob)->instance(), kThere);
  EXPECT_EQ(Requests(), before);
}

TEST_F(Remote, MembersOfOtherTreesAreAskedFor) {
  Know(kRoot, There({Node(kRoot, {{"other", kOther}, {"gone", kMember}})}));
  Know(kOther, There({Node(kOther)}));
  auto root = Get(kRoot);
  ASSERT_NE(root, nullptr);
  auto other = root->Member(kOther);
  ASSERT_TRUE(other.ok()) << other.status().ToString();
  EXPECT_EQ((*other)->id(), kOther);
  EXPECT_EQ(asked_.id, kOther);
  EXPECT_EQ(root->Member(kMember).status().code(), Code::kNotFound);
}

TEST_F(Remote, MembersThatAreHereAreReadFromMemory) {
  PutHere(kLocal, {});
  Know(kRoot, There({Node(kRoot, {{"local", kLocal}})}));
  auto root = Get(kRoot);
  ASSERT_NE(root, nullptr);
  auto local = root->Member(kLocal);
  ASSERT_TRUE(local.ok()) << local.status().ToString();
  EXPECT_EQ((*local)->remote(), nullptr);
  EXPECT_EQ((*local)->instance(), kHere);
  EXPECT_EQ(asked_.id, kRoot);
}

TEST_F(Remote, AnObjectThatIsHereHasMembersElsewhere) {
  PutHere(kLocal, {{"root", kRoot}, {"buffer_", kBuffer}}, shm::kPersisted | shm::kRemote);
  Know(kRoot, There({Node(kRoot)}));
  Know(kBuffer, There({Blob(kBuffer, BlobKind::kBuffer, 64)}));
  auto local = Get(kLocal);
  ASSERT_NE(local, nullptr);
  EXPECT_EQ(local->remote(), nullptr);
  EXPECT_TRUE(local->is_persisted());
  EXPECT_TRUE(*local->IsGlobal());
  auto member = local->Member(kRoot);
  ASSERT_TRUE(member.ok()) << member.status().ToString();
  EXPECT_NE((*member)->remote(), nullptr);
  EXPECT_EQ(local->MemberBlob(kBuffer).status().code(), Code::kRemote);
}

TEST_F(Remote, AnErrorAboutAPayloadNamesItAndItsOwner) {
  Know(kRoot, There({Node(kRoot, {{"buffer_", kBuffer}}), Blob(kBuffer, BlobKind::kBuffer, 64)}));
  Know(kBuffer, There({Blob(kBuffer, BlobKind::kBuffer, 64)}));
  const std::string text = "blob " + PrintId(kBuffer) +
                           ": its payload is in the memory of instance 9 on host faraway; "
                           "read it through the vineyardd there";
  auto root = Get(kRoot);
  ASSERT_NE(root, nullptr);
  for (const Status& status :
       {root->MemberBlob(kBuffer).status(), (*root->Member(kBuffer))->Blob().status(),
        client().GetView(kBuffer).status()}) {
    EXPECT_EQ(status.code(), Code::kRemote);
    EXPECT_EQ(status.text(), text);
  }
  EXPECT_EQ(root->Blob().status().code(), Code::kType);
}

TEST_F(Remote, APayloadIsLostWithItsInstance) {
  wire::RemoteObject lost = There({Blob(kBuffer, BlobKind::kBuffer, 64)});
  lost.owner = wire::OwnerState::kLost;
  lost.since_ms = 1'700'000'000'000;
  lost.stale_since_ms = 1'700'000'001'000;
  Know(kBuffer, lost);
  auto blob = Get(kBuffer);
  ASSERT_NE(blob, nullptr);
  EXPECT_EQ(blob->remote()->owner(), wire::OwnerState::kLost);
  EXPECT_EQ(blob->remote()->stale_since_ms(), 1'700'000'001'000u);
  Status status = blob->Blob().status();
  EXPECT_EQ(status.code(), Code::kLost);
  EXPECT_NE(status.text().find("instance 9 on host faraway is gone since 2023-11-14 22:13:20 UTC"),
            std::string::npos)
      << status.text();
}

TEST_F(Remote, AnAnswerAboutAnotherObjectIsNone) {
  Know(kRoot, There({Node(kOther)}));
  EXPECT_EQ(client().GetView(kRoot).status().code(), Code::kProtocol);
  wire::FindAnswer name;
  name.kind = Kind::kName;
  name.Encode(&answers_[kMember]);
  EXPECT_EQ(client().GetView(kMember).status().code(), Code::kProtocol);
  wire::RemoteObject wrong = There({Node(kOther)});
  wrong.nodes[0].id = kOther + 1;
  Know(kOther + 1, wrong);
  EXPECT_EQ(ObjectView::Get(client().shared_from_this(), kOther + 1).status().code(),
            Code::kCorrupt);
}

TEST_F(Remote, AnObjectIsGlobalWhenItReachesAnotherInstance) {
  PutHere(kLocal, {});
  Know(kRoot, There({Node(kRoot, {{"member", kMember}}), Node(kMember, {{"other", kOther}})}));
  Know(kOther, There({Node(kOther, {{"local", kLocal}, {"gone", kOther + 1}})}));
  EXPECT_TRUE(*Get(kRoot)->IsGlobal());  // by a member of a member, in another tree
  Know(kOther, There({Node(kOther, {{"gone", kOther + 1}})}));
  EXPECT_FALSE(*Get(kRoot)->IsGlobal());
  EXPECT_FALSE(*Get(kLocal)->IsGlobal());
}

TEST_F(Remote, AnObjectElsewhereExists) {
  Know(kRoot, There({Node(kRoot)}));
  EXPECT_TRUE(*client().Exists(kRoot));
  EXPECT_FALSE(*client().Exists(kOther));
  EXPECT_TRUE(client().Wait(kRoot, 1000).ok());
  EXPECT_EQ(client().Wait(kOther, 0).code(), Code::kTimeout);
}

TEST_F(Remote, LabelsOfAnObjectElsewhere) {
  wire::RemoteObject labelled = There({Node(kRoot)});
  labelled.labels = {{"color", "blue"}, {"shape", "round"}};
  Know(kRoot, labelled);
  Result<Labels> labels = client().GetLabels(kRoot);
  ASSERT_TRUE(labels.ok()) << labels.status().ToString();
  EXPECT_EQ(*labels, (Labels{{"color", "blue"}, {"shape", "round"}}));
  EXPECT_TRUE(asked_.labels);
}

TEST_F(Remote, ANameOfTheCluster) {
  wire::FindAnswer answer;
  answer.kind = Kind::kName;
  answer.name = {kRoot, 12};
  answer.Encode(&answers_[0]);
  Result<NamedObject> found = client().GetName("far", 0);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->id, kRoot);
  EXPECT_EQ(found->revision, 12u);
  EXPECT_EQ(found->name, "far");
  EXPECT_FALSE(asked_.latest);
  Know(0, There({Node(kRoot)}));
  EXPECT_EQ(client().GetName("far", 0).status().code(), Code::kProtocol);
}

TEST_F(Remote, TheLatestOfANameIsAskedForThoughItIsInMemory) {
  FakeMemory& memory = *fake_memory();
  memory.SetSlot(40, shm::HashName("near", 4), shm::SlotKind::kName,
                 EncodeName({"near", kLocal, 1}));
  memory.AddCell(shm::HashNameKey(shm::HashName("near", 4)), 40);
  EXPECT_EQ(client().GetName("near", 0)->id, kLocal);
  wire::FindAnswer answer;
  answer.kind = Kind::kName;
  answer.name = {kRoot, 12};
  answer.Encode(&answers_[0]);
  EXPECT_EQ(client().GetName("near", 0)->id, kLocal);
  EXPECT_EQ(client().GetName("near", 0, /*latest=*/true)->id, kRoot);
  EXPECT_TRUE(asked_.latest);
  answers_[0].clear();
  wire::FindAnswer here;
  here.slot = 40;
  here.word = memory.slot(40).word.load();
  here.Encode(&answers_[0]);
  EXPECT_EQ(client().GetName("near", 0, /*latest=*/true)->id, kLocal);
}

TEST_F(Remote, ANameOfTheClusterIsWaitedFor) {
  wire::FindAnswer answer;
  answer.kind = Kind::kName;
  answer.name = {kRoot, 12};
  answer.Encode(&answers_[0]);
  only_waits_ = true;
  EXPECT_EQ(client().GetName("far", 0).status().code(), Code::kNotFound);
  Result<NamedObject> found = client().GetName("far", 20'000, /*latest=*/true);
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->id, kRoot);
  EXPECT_EQ(found->revision, 12u);
  EXPECT_TRUE(asked_.latest);
}

// ---- other messages --------------------------------------------------------------------------------

TEST_F(Remote, AListSaysWhichObjectsAreWanted) {
  std::string body;
  also_ = [&](FakeConnection& c, const FakeRequest& r) {
    if (r.type() != MessageType::kList) return;
    body = r.body;
    wire::ListAnswer answer;
    answer.ids = {kRoot, kOther};
    c.Answer(r, answer);
  };
  Result<Client::Page> page = client().List({"t::*", kThere, "color", "blue"}, "cursor", 17);
  ASSERT_TRUE(page.ok()) << page.status().ToString();
  EXPECT_EQ(page->ids, (std::vector<ObjectId>{kRoot, kOther}));
  Arena arena;
  wire::List asked = *wire::List::Decode(*Unpack(body, &arena));
  EXPECT_EQ(asked.type_glob, "t::*");
  EXPECT_EQ(asked.after, "cursor");
  EXPECT_EQ(asked.limit, 17u);
  EXPECT_EQ(asked.instance, kThere);
  EXPECT_EQ(asked.label, "color");
  EXPECT_EQ(asked.value, "blue");
}

TEST_F(Remote, InstancesAreListedAndForgotten) {
  uint64_t forgotten = 0;
  also_ = [&](FakeConnection& c, const FakeRequest& r) {
    if (r.type() == MessageType::kInstances) {
      wire::InstancesAnswer answer;
      answer.instances.push_back({kThere, wire::OwnerState::kLost, 5, 1 << 20, 3, 1000, "faraway",
                                  "/run/v.sock", "10.0.0.1:9600"});
      c.Answer(r, answer);
    } else if (r.type() == MessageType::kForgetInstance) {
      Arena arena;
      forgotten = wire::ForgetInstance::Decode(*Unpack(r.body, &arena))->number;
      EXPECT_NE(r.header.number, 0u);  // it is applied once
      c.AnswerMutation(r, kInvalidId);
    }
  };
  auto instances = client().ListInstances();
  ASSERT_TRUE(instances.ok()) << instances.status().ToString();
  ASSERT_EQ(instances->size(), 1u);
  EXPECT_EQ((*instances)[0].number, kThere);
  EXPECT_EQ((*instances)[0].state, wire::OwnerState::kLost);
  EXPECT_EQ((*instances)[0].socket, "/run/v.sock");
  EXPECT_TRUE(client().ForgetInstance(kThere).ok());
  EXPECT_EQ(forgotten, kThere);
}

TEST_F(Remote, WhatLiesElsewhereIsNeitherLoadedNorPinned) {
  Know(kRoot, There({Node(kRoot)}));
  EXPECT_EQ(client().Load(kRoot).code(), Code::kRemote);
  EXPECT_EQ(client().Pin(kRoot).code(), Code::kRemote);
  EXPECT_EQ(client().Unpin(kRoot).code(), Code::kNotFound);
}

TEST_F(Remote, ASyncSaysHowFarItsDaemonShallBeAndHowLongItIsWaitedFor) {
  std::string body;
  uint16_t patience = 0;
  also_ = [&](FakeConnection& c, const FakeRequest& r) {
    if (r.type() != MessageType::kSync) return;
    body = r.body;
    patience = r.header.patience;
    c.Answer(r, wire::SyncAnswer{{3, 44}});
  };
  wire::Sync question{wire::Sync::Kind::kAtLeast, {3, 40}};
  Result<wire::LogPosition> position = client().Sync(question, 5000);
  ASSERT_TRUE(position.ok()) << position.status().ToString();
  EXPECT_EQ(position->generation, 3u);
  EXPECT_EQ(position->entries, 44u);
  Arena arena;
  wire::Sync asked = *wire::Sync::Decode(*Unpack(body, &arena));
  EXPECT_EQ(asked.kind, wire::Sync::Kind::kAtLeast);
  EXPECT_EQ(asked.at_least.generation, 3u);
  EXPECT_EQ(asked.at_least.entries, 40u);
  EXPECT_GT(patience, 0u);
  EXPECT_LE(patience, 50u);
}

TEST_F(Remote, IdsOfAPutAreOfTheInstanceThatAnswered) {
  also_ = [&](FakeConnection& c, const FakeRequest& r) {
    if (r.type() == MessageType::kPut) c.AnswerMutation(r, MakeId(false, 1234, 8), 7);
  };
  auto root = *MetaBuilder::Create("t::Root"), member = *MetaBuilder::Create("t::Member");
  ASSERT_TRUE(root->AddMeta("member", member).ok());
  ObjectId id = kInvalidId;
  ASSERT_TRUE(PutTree(client().shared_from_this(), root, PutOptions{}, &id).ok());
  EXPECT_EQ(id, MakeId(false, 1234, 8));
  EXPECT_EQ(root->id(), id);
  EXPECT_EQ(member->id(), MakeId(false, 1234, 7));
}

}  // namespace
}  // namespace vineyard::client

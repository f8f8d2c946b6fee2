// What the store keeps for the cluster: marks, puts that wait for it, names and labels that mirror its.
#include "core/shm/layout.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr ObjectId kElsewhere = MakeId(/*blob=*/false, 77, 1);

class PersistTest : public StoreTest {
 protected:
  uint8_t FlagsOf(ObjectId id) { return store_->Look(id)->flags; }
  std::vector<ObjectId> Listed(const std::string& type) {
    auto page = store_->List(type, "", 100);
    EXPECT_TRUE(page.ok());
    return page->ids();
  }
  // A new blob, an object that was there and one of elsewhere, below one root.
  Result<Mutation> PutPending(ObjectId old, Request request = {}) {
    TreeMaker maker;
    maker.Object("pair", {maker.Blob("new")}, {old, kElsewhere});
    return Retry([&] { return store_->PutPending(request, maker.tree(), {{kElsewhere, 100}}); });
  }
};

TEST_F(PersistTest, FactsAreWhatTheSlotSays) {
  TreeMaker maker;
  uint64_t blob = maker.Blob("thirteen byte", BlobKind::kBytes);
  maker.Object("t", {blob});
  auto put = TryPut(maker.tree());
  ASSERT_TRUE(put.ok());
  auto facts = store_->Look(MakeId(true, store_->instance(), put->value));
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->kind, BlobKind::kBytes);
  EXPECT_EQ(facts->value_size, 13u);
  EXPECT_EQ(DecodeRecord(store_->Look(put->id)->record)->type_name, "t");
  EXPECT_FALSE(store_->Look(kElsewhere).has_value());
}

TEST_F(PersistTest, MarksOutliveTheDaemon) {
  ObjectId leaf = PutBlob("leaf"), root = PutObject("t", {leaf});
  ASSERT_TRUE(store_->MarkPersisted({root}, {root, leaf}).ok());
  Restart();
  EXPECT_EQ(FlagsOf(root), shm::kPersisted | shm::kHome);
  EXPECT_EQ(FlagsOf(leaf), shm::kPersisted);
  EXPECT_THAT(store_->WithFlags(shm::kHome), ElementsAre(root));
  ASSERT_TRUE(store_->Unmark({root, leaf}).ok());
  EXPECT_EQ(FlagsOf(root), 0);
  EXPECT_THAT(store_->WithFlags(shm::kPersisted | shm::kHome), IsEmpty());
}

TEST_F(PersistTest, ADeepDeleteSparesWhatTheClusterKnows) {
  ObjectId known = PutBlob("known"), other = PutBlob("other"),
           root = PutObject("t", {known, other});
  ASSERT_TRUE(store_->MarkPersisted({known}, {known}).ok());
  ASSERT_TRUE(store_->Delete({}, {root}, false, /*deep=*/true).ok());
  EXPECT_TRUE(Exists(known));
  EXPECT_FALSE(Exists(other));
}

TEST_F(PersistTest, APutThatWaitsForTheClusterIsInNoList) {
  ObjectId old = PutBlob("old");
  auto put = PutPending(old);
  ASSERT_TRUE(put.ok()) << put.status().ToString();
  EXPECT_THAT(Listed("pair"), IsEmpty());
  EXPECT_EQ(FlagsOf(put->id), shm::kPending | shm::kRemote);
  auto record = DecodeRecord(store_->Look(put->id)->record);
  EXPECT_EQ(record->nbytes, 100u + 3 + 3);
  EXPECT_EQ(record->members.back().id, kElsewhere);

  ObjectId blob = MakeId(true, store_->instance(), put->value);
  ASSERT_TRUE(store_->MarkPersisted({put->id}, {put->id, blob}).ok());
  EXPECT_THAT(Listed("pair"), ElementsAre(put->id));
  EXPECT_EQ(FlagsOf(put->id), shm::kPersisted | shm::kHome | shm::kRemote);
  EXPECT_EQ(FlagsOf(blob), shm::kPersisted);
  // Whoever takes it as a member reaches elsewhere, too.
  EXPECT_EQ(FlagsOf(PutObject("above", {put->id})), shm::kRemote);
}

TEST_F(PersistTest, AMemberThatNobodyKnowsIsRefused) {
  TreeMaker maker;
  maker.Object("pair", {}, {kElsewhere});
  EXPECT_EQ(TryPut(maker.tree()).status().code(), Code::kNotFound);
  EXPECT_EQ(store_->PutPending({}, maker.tree(), {}).status().code(), Code::kNotFound);
}

TEST_F(PersistTest, WhatTheClusterDidNotTakeGoesAndNothingElse) {
  ObjectId old = PutBlob("old");
  FakeClient client(store_.get(), 7);
  auto put = PutPending(old, {7, 1});
  ASSERT_TRUE(put.ok());
  ObjectId blob = MakeId(true, store_->instance(), put->value);
  Restart();
  EXPECT_THAT(store_->WithFlags(shm::kPending), UnorderedElementsAre(put->id, blob));
  client.Reconnect(store_.get());
  ASSERT_TRUE(store_->DropPending({7, 1}, {put->id, blob}).ok());
  EXPECT_FALSE(Exists(put->id));
  EXPECT_FALSE(Exists(blob));
  EXPECT_TRUE(Exists(old));
  // A repeat hears that there is none.
  EXPECT_EQ(store_->Repeated({7, 1})->value().id, kInvalidId);
  client.Die();
  store_->EndSession(7);
}

TEST_F(PersistTest, WhatTheClusterDidNotTakeGoesThoughWhoPutItIsGone) {
  ObjectId old = PutBlob("old");
  FakeClient client(store_.get(), 7);
  auto put = PutPending(old, {7, 1});
  ASSERT_TRUE(put.ok());
  client.Die();
  store_->EndSession(7);
  ASSERT_TRUE(
      store_->DropPending({7, 1}, {put->id, MakeId(true, store_->instance(), put->value)}).ok());
  EXPECT_FALSE(Exists(put->id));
  EXPECT_TRUE(Exists(old));
}

TEST_F(PersistTest, AnAnswerWithoutAChangeIsRepeated) {
  FakeClient client(store_.get(), 7);
  EXPECT_FALSE(store_->Repeated({7, 1})->has_value());
  ASSERT_TRUE(store_->Answer({7, 1}, {5, 6, 0}).ok());
  Restart();
  EXPECT_EQ(store_->Repeated({7, 1})->value().id, 5u);
  EXPECT_EQ(store_->Answer({7, 1}, {8, 9, 0})->value, 6u);
  client.Die();
  store_->EndSession(7);
}

TEST_F(PersistTest, AClustersNameHasItsRevisionAndReplacesTheHosts) {
  ObjectId a = PutBlob("a"), b = PutBlob("b");
  ASSERT_TRUE(store_->PutName({}, "n", a, false, UINT64_MAX).ok());
  EXPECT_FALSE(store_->ReadName("n")->is_clusters);
  auto shown = store_->MirrorName({}, "n", b, 4711);
  ASSERT_TRUE(shown.ok());
  EXPECT_EQ(shown->revision, 4711u);
  Restart();
  auto name = store_->ReadName("n");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->id, b);
  EXPECT_EQ(name->revision, 4711u);
  EXPECT_TRUE(name->is_clusters);
  EXPECT_THAT(store_->NamesOf(a), IsEmpty());
  EXPECT_EQ(store_->NamesOf(b).size(), 1u);
  ASSERT_TRUE(store_->MirrorDrop({}, "n").ok());
  EXPECT_EQ(store_->ReadName("n").status().code(), Code::kNotFound);
}

TEST_F(PersistTest, LabelsAreReplacedWhole) {
  ObjectId a = PutBlob("a");
  ASSERT_TRUE(store_->SetLabels({}, a, {{"old", "1"}}).ok());
  Labels labels = {{"k", "v"}, {"l", "w"}};
  ASSERT_TRUE(store_->MirrorLabels({}, a, labels).ok());
  EXPECT_EQ(store_->LabelsOf(a), labels);
  ASSERT_TRUE(store_->MirrorLabels({}, a, {}).ok());
  EXPECT_THAT(store_->LabelsOf(a), IsEmpty());
}

TEST_F(PersistTest, WhoIsLinkedToByOthersIsNamed) {
  ObjectId leaf = PutBlob("leaf"), a = PutObject("t", {leaf}), b = PutObject("t", {leaf});
  EXPECT_TRUE(store_->CheckUnlinked({leaf}, {a, b}).ok());
  Status linked = store_->CheckUnlinked({leaf}, {a});
  EXPECT_EQ(linked.code(), Code::kInUse);
  EXPECT_THAT(linked.text(), ::testing::HasSubstr(PrintId(b)));
}

}  // namespace
}  // namespace vineyard::store

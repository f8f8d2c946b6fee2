// What every metadata service does, whichever it is: to be instantiated once in a program, over a cluster.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/meta/service.h"
#include "tests/core/meta/cluster.h"
#include "tests/core/meta/is_complete.h"
#include "tests/core/meta/trees.h"

namespace vineyard::meta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kSelf = 7;
ObjectId Id(uint64_t counter) { return MakeId(false, kSelf, counter); }
ObjectId BlobId(uint64_t counter) { return MakeId(true, kSelf, counter); }

class ServiceTest : public ::testing::TestWithParam<MakeCluster> {
 protected:
  void SetUp() override {
    cluster_ = GetParam()();
    service_ = cluster_->Join(kSelf, &loop_);
    loop_.tick = [this] { service_->Tick(MonotonicNs()); };
    service_->on_event = [this](const Event& event) { events_.push_back(event); };
  }

  static Deadline Soon(int ms = 10000) { return Deadline::After(ms); }
  Result<Outcome> Commit(Change change, RequestId request = {}, bool repeated = false) {
    if (request.number == 0) request = {1, ++number_};
    std::optional<Result<Outcome>> answer;
    int calls = 0;
    service_->Commit({request, repeated, service_->applied()}, std::move(change), Soon(),
                     [&](Result<Outcome> outcome) {
                       ++calls;
                       answer = std::move(outcome);
                     });
    EXPECT_FALSE(answer.has_value()) << "called back inside the call";
    EXPECT_TRUE(Run([&] { return answer.has_value(); })) << "no answer";
    EXPECT_EQ(calls, 1);
    return answer ? *answer : Internal("no answer");
  }
  template <typename Call>
  Status Wait(Call call) {
    std::optional<Status> answer;
    call([&](Status status) { answer = std::move(status); });
    EXPECT_FALSE(answer.has_value()) << "called back inside the call";
    EXPECT_TRUE(Run([&] { return answer.has_value(); })) << "no answer";
    return answer ? *answer : Internal("no answer");
  }
  template <typename Condition>
  bool Run(Condition holds) {
    loop_.RunUntil(holds);
    return holds();
  }
  const Catalog& catalog() const { return service_->catalog(); }

  void PersistArray(uint64_t counter) {
    auto done = Commit(Persist{{ArrayTree(kSelf, counter)}});
    ASSERT_TRUE(done.ok()) << done.status().ToString();
  }
  // Tree `counter` with the members given, each a home.
  Result<Outcome> PersistLinking(uint64_t counter, const std::vector<uint64_t>& homes,
                                 bool again = false) {
    TreeMaker maker(kSelf);
    std::deque<std::string> names;
    std::vector<Member> members;
    for (uint64_t home : homes) {
      members.push_back({names.emplace_back("m" + std::to_string(home)), Id(home)});
      maker.LinkTo(Id(home), {Id(home)});
    }
    maker.Object(Id(counter), "vineyard::Tuple", members);
    return Commit(Persist{{maker.Bytes()}, again});
  }
  Result<Outcome> Put(const std::string& name, uint64_t counter, bool replace = false,
                      uint64_t expect = kAnyRevision) {
    return Commit(PutName{name, Id(counter), replace, expect});
  }
  std::vector<std::string> Names(std::string_view glob) {
    std::vector<std::string> names;
    std::string cursor;
    do {
      Catalog::NamePage page = catalog().ListNames(glob, cursor, 2);
      for (auto& [name, value] : page.names) names.push_back(name);
      cursor = page.cursor;
    } while (!cursor.empty());
    return names;
  }

  testing::Loop loop_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Service> service_;
  std::vector<Event> events_;
  uint64_t number_ = 0;
};

// ---- trees ---------------------------------------------------------------------------------------

TEST_P(ServiceTest, AFreshClusterHasThisInstanceAndNothingElse) {
  EXPECT_EQ(catalog().objects(), 0u);
  ASSERT_EQ(catalog().instances().size(), 1u);
  EXPECT_EQ(catalog().instances().at(kSelf), service_->self());
  EXPECT_FALSE(service_->self().lost);
  EXPECT_EQ(service_->health().stale_since_ms, 0);
}

TEST_P(ServiceTest, WhatIsPersistedIsKnownWithAllItsNodes) {
  auto done = Commit(Persist{{ArrayTree(kSelf, 1), ArrayTree(kSelf, 3)}});
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->value, 4u);
  EXPECT_GE(service_->applied(), done->revision);
  EXPECT_EQ(catalog().HomeOf(Id(1)), Id(1));
  EXPECT_EQ(catalog().HomeOf(BlobId(2)), Id(1));
  EXPECT_EQ(catalog().OwnerOf(BlobId(4)), kSelf);
  EXPECT_EQ(catalog().TreeOf(Id(1)), ArrayTree(kSelf, 1));
  EXPECT_TRUE(IsComplete(catalog(), Id(1)));
  EXPECT_EQ(catalog().HomeOf(Id(9)), std::nullopt);
  EXPECT_EQ(catalog().TreeOf(Id(9)), "");
}

TEST_P(ServiceTest, PersistedTwiceIsSaid) {
  PersistArray(1);
  auto again = Commit(Persist{{ArrayTree(kSelf, 3), ArrayTree(kSelf, 1)}});
  EXPECT_EQ(again.status().code(), Code::kExists);
  EXPECT_EQ(catalog().HomeOf(Id(3)), std::nullopt) << "all of a change, or nothing";
}

TEST_P(ServiceTest, ATreeLinksToAnEarlierOneOfTheSameChange) {
  TreeMaker tuple(kSelf);
  tuple.Object(Id(3), "vineyard::Tuple", {{"a", Id(1)}, {"b", BlobId(2)}})
      .LinkTo(Id(1), {Id(1), BlobId(2)});
  ASSERT_TRUE(Commit(Persist{{ArrayTree(kSelf, 1), tuple.Bytes()}}).ok());
  EXPECT_THAT(catalog().ReferrersOf(Id(1)), ElementsAre(Id(3)));
  EXPECT_TRUE(IsComplete(catalog(), Id(3)));
}

// Its member's tree, of which the member is a part, comes later: published again by another instance.
TEST_P(ServiceTest, WhoLinkedToAPartBeforeItsTreeWasThereKeepsIt) {
  TreeMaker first(kSelf);
  first.Object(Id(5), "vineyard::Tuple", {{"a", Id(3)}}).LinkTo(Id(3), {Id(3)});
  Persist persist{{first.Bytes()}};
  persist.again = true;
  ASSERT_TRUE(Commit(persist).ok());
  TreeMaker whole(kSelf);
  whole.Object(Id(1), "vineyard::Tuple", {{"a", Id(3)}}).Object(Id(3), "vineyard::Tuple", {});
  persist.trees = {whole.Bytes()};
  ASSERT_TRUE(Commit(persist).ok());
  EXPECT_THAT(catalog().ReferrersOf(Id(1)), ElementsAre(Id(5)));
  EXPECT_THAT(catalog().LinksOf(Id(5)), ElementsAre(Id(1)));
  EXPECT_EQ(Commit(Delete{{Id(1)}}).status().code(), Code::kInUse);
  ASSERT_TRUE(Commit(Delete{{Id(5)}}).ok());
  auto gone = Commit(Delete{{Id(1)}});
  EXPECT_TRUE(gone.ok()) << gone.status().ToString();
}

TEST_P(ServiceTest, ALinkToNothingIsRefusedWithTheMember) {
  auto done = PersistLinking(3, {1});
  EXPECT_EQ(done.status().code(), Code::kNotFound);
  EXPECT_THAT(done.status().text(), HasSubstr(PrintId(Id(1))));
  PersistArray(1);
  EXPECT_TRUE(PersistLinking(3, {1}).ok());
}

TEST_P(ServiceTest, ALinkToAHomeThatDoesNotHoldTheMemberIsRefused) {
  PersistArray(1);
  PersistArray(5);
  TreeMaker tuple(kSelf);
  tuple.Object(Id(9), "vineyard::Tuple", {{"a", BlobId(2)}}).LinkTo(Id(5), {BlobId(2)});
  EXPECT_EQ(Commit(Persist{{tuple.Bytes()}}).status().code(), Code::kNotFound);
}

TEST_P(ServiceTest, ATreeThatCanNotBeReadIsRefused) {
  EXPECT_EQ(Commit(Persist{{"garbage"}}).status().code(), Code::kVersion);
  EXPECT_EQ(Commit(Persist{{std::string("\x01garbage")}}).status().code(), Code::kCorrupt);
  EXPECT_EQ(catalog().objects(), 0u);
}

// ---- delete --------------------------------------------------------------------------------------

TEST_P(ServiceTest, DeletedIsGoneWithItsNodes) {
  PersistArray(1);
  auto done = Commit(Delete{{Id(1)}});
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->value, 2u);
  EXPECT_EQ(catalog().objects(), 0u);
  EXPECT_EQ(Commit(Delete{{Id(1)}}).status().code(), Code::kNotFound);
  PersistArray(1);  // as after an undo
  EXPECT_EQ(catalog().objects(), 2u);
}

TEST_P(ServiceTest, WhatOthersLinkToStays) {
  PersistArray(1);
  ASSERT_TRUE(PersistLinking(5, {1}).ok());
  auto done = Commit(Delete{{Id(1)}});
  EXPECT_EQ(done.status().code(), Code::kInUse);
  EXPECT_THAT(done.status().text(), HasSubstr(PrintId(Id(5))));
  EXPECT_EQ(catalog().HomeOf(Id(1)), Id(1));
  EXPECT_TRUE(Commit(Delete{{Id(1), Id(5)}}).ok()) << "both at once";
  EXPECT_EQ(catalog().objects(), 0u);
}

TEST_P(ServiceTest, ByForceTheReferrerIsIncomplete) {
  PersistArray(1);
  ASSERT_TRUE(PersistLinking(5, {1}).ok());
  ASSERT_TRUE(PersistLinking(6, {5}).ok());
  ASSERT_TRUE(Commit(Delete{{Id(1)}, /*force=*/true}).ok());
  EXPECT_FALSE(IsComplete(catalog(), Id(5)));
  EXPECT_FALSE(IsComplete(catalog(), Id(6)));
  EXPECT_TRUE(Commit(Delete{{Id(6)}}).ok());
  EXPECT_TRUE(Commit(Delete{{Id(5)}}).ok());
}

TEST_P(ServiceTest, ANodeGoesWithItsHomeOnly) {
  PersistArray(1);
  auto done = Commit(Delete{{BlobId(2)}, /*force=*/true});
  EXPECT_EQ(done.status().code(), Code::kInUse);
  EXPECT_THAT(done.status().text(), HasSubstr(PrintId(Id(1))));
}

// ---- names ---------------------------------------------------------------------------------------

TEST_P(ServiceTest, ANameIsPutReplacedAndDropped) {
  PersistArray(1);
  PersistArray(3);
  auto first = Put("n", 1);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(catalog().FindName("n"), (Name{Id(1), first->value}));
  auto taken = Put("n", 3);
  EXPECT_EQ(taken.status().code(), Code::kExists);
  EXPECT_THAT(taken.status().text(), HasSubstr(PrintId(Id(1))));
  auto second = Put("n", 3, /*replace=*/true);
  ASSERT_TRUE(second.ok());
  EXPECT_GT(second->value, first->value);
  EXPECT_EQ(catalog().FindName("n"), (Name{Id(3), second->value}));
  EXPECT_THAT(catalog().NamesOf(Id(1)), IsEmpty());
  EXPECT_THAT(catalog().NamesOf(Id(3)), ElementsAre("n"));
  auto dropped = Commit(DropName{"n"});
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(dropped->id, Id(3));
  EXPECT_EQ(catalog().FindName("n"), std::nullopt);
  EXPECT_EQ(Commit(DropName{"n"}).status().code(), Code::kNotFound);
  auto again = Put("n", 1);
  ASSERT_TRUE(again.ok());
  EXPECT_GT(again->value, second->value) << "a name that comes back is not the one that went";
}

TEST_P(ServiceTest, CompareAndSetOfANameIsByRevision) {
  PersistArray(1);
  PersistArray(3);
  auto made = Put("n", 1, true, /*expect=*/0);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(Put("n", 3, true, 0).status().code(), Code::kConflict);
  EXPECT_EQ(Put("n", 3, true, made->value + 1).status().code(), Code::kConflict);
  auto changed = Put("n", 3, true, made->value);
  ASSERT_TRUE(changed.ok());
  auto late = Commit(DropName{"n", made->value});
  EXPECT_EQ(late.status().code(), Code::kConflict);
  EXPECT_THAT(late.status().text(), HasSubstr(std::to_string(changed->value)));
  EXPECT_TRUE(Commit(DropName{"n", changed->value}).ok());
  EXPECT_EQ(Put("n", 1, true, changed->value).status().code(), Code::kConflict);
}

TEST_P(ServiceTest, ANameNeedsAnObjectAndGoesWithIt) {
  EXPECT_EQ(Put("n", 1).status().code(), Code::kNotFound);
  PersistArray(1);
  ASSERT_TRUE(Commit(PutName{"n", BlobId(2)}).ok()) << "a node has names, too";
  ASSERT_TRUE(Put("m", 1).ok());
  ASSERT_TRUE(Commit(Delete{{Id(1)}}).ok());
  EXPECT_THAT(Names("*"), IsEmpty());
}

TEST_P(ServiceTest, AnyTextIsAName) {
  PersistArray(1);
  std::vector<std::string> names = {"a b", "a/b/../c", "ключ", "🍇", "%41", std::string(1024, 'x'),
                                    "."};
  for (const std::string& name : names) ASSERT_TRUE(Put(name, 1).ok()) << name;
  for (const std::string& name : names) EXPECT_TRUE(catalog().FindName(name)) << name;
  EXPECT_EQ(Names("*").size(), names.size());
  EXPECT_EQ(Put(std::string(1025, 'x'), 1).status().code(), Code::kLimit);
  EXPECT_EQ(Put("", 1).status().code(), Code::kInvalid);
  EXPECT_EQ(Put("\xff", 1).status().code(), Code::kInvalid);
}

TEST_P(ServiceTest, NamesAreListedByPatternInPages) {
  PersistArray(1);
  for (const char* name : {"a1", "a2", "a3", "b1", "a"}) ASSERT_TRUE(Put(name, 1).ok());
  EXPECT_THAT(Names("a?"), ElementsAre("a1", "a2", "a3"));
  EXPECT_THAT(Names("*1"), ElementsAre("a1", "b1"));
  EXPECT_THAT(Names("c*"), IsEmpty());
}

// ---- labels --------------------------------------------------------------------------------------

TEST_P(ServiceTest, LabelsAreSetAndRemoved) {
  PersistArray(1);
  ASSERT_TRUE(Commit(SetLabels{Id(1), {{"a", "1"}, {"b", "2"}}}).ok());
  ASSERT_TRUE(Commit(SetLabels{Id(1), {{"a", ""}, {"c", "3"}}}).ok());
  auto tree = DecodeTree(catalog().TreeOf(Id(1)));
  ASSERT_TRUE(tree.ok());
  ASSERT_EQ(tree->labels.size(), 1u);
  EXPECT_EQ(tree->labels[0].second, (Labels{{"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(Commit(SetLabels{Id(9), {{"a", "1"}}}).status().code(), Code::kNotFound);
  EXPECT_EQ(Commit(SetLabels{Id(1), {{"", "1"}}}).status().code(), Code::kInvalid);
  ASSERT_TRUE(Put("n", 1).ok());
  ASSERT_TRUE(Commit(SetLabels{Id(1), {{"d", "4"}}}).ok());
  EXPECT_THAT(catalog().NamesOf(Id(1)), ElementsAre("n")) << "a name outlives a change of labels";
}

// ---- lists ---------------------------------------------------------------------------------------

TEST_P(ServiceTest, ObjectsAreListedByTypeInPages) {
  for (uint64_t counter : {1, 3, 5}) PersistArray(counter);
  ASSERT_TRUE(PersistLinking(7, {1}).ok());
  auto page = catalog().List({"vineyard::Array"}, "", 2);
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->ids(), ElementsAre(Id(1), Id(3)));
  page = catalog().List({"vineyard::Array"}, page->cursor, 2);
  EXPECT_THAT(page->ids(), ElementsAre(Id(5)));
  EXPECT_EQ(page->cursor, "");
  EXPECT_THAT(catalog().List({"vineyard::Sequence"}, "", 10)->ids(), ElementsAre(Id(7))) << "is-a";
  EXPECT_EQ(catalog().List({"*"}, "", 100)->ids().size(), 7u);
  EXPECT_EQ(catalog().List({"*", kSelf}, "", 100)->ids().size(), 7u);
  EXPECT_EQ(catalog().List({"*", kSelf + 1}, "", 100)->ids().size(), 0u);
  EXPECT_EQ(catalog().List({"*"}, "nonsense", 100).status().code(), Code::kInvalid);
  EXPECT_EQ(catalog().TypesBut(0).at("vineyard::Array"), 3u);
  EXPECT_EQ(catalog().TypesBut(kSelf).size(), 0u);
}

TEST_P(ServiceTest, ObjectsAreListedByLabel) {
  for (uint64_t counter : {1, 3, 5}) PersistArray(counter);
  ASSERT_TRUE(Commit(SetLabels{Id(1), {{"color", "red"}}}).ok());
  ASSERT_TRUE(Commit(SetLabels{Id(3), {{"color", "red"}}}).ok());
  ASSERT_TRUE(Commit(SetLabels{Id(5), {{"color", "blue"}}}).ok());
  auto list = [this](std::string_view label, std::string_view value, std::string_view after = "",
                     uint64_t limit = 10) {
    return *catalog().List({"*", 0, label, value}, after, limit);
  };
  EXPECT_THAT(list("color", "red").ids(), ElementsAre(Id(1), Id(3)));
  EXPECT_THAT(list("color", "").ids(), ElementsAre(Id(1), Id(3), Id(5)));
  EXPECT_TRUE(list("shape", "").ids().empty());
  auto page = list("color", "", "", 2);
  EXPECT_THAT(list("color", "", page.cursor).ids(), ElementsAre(Id(5)));
  ASSERT_TRUE(Commit(SetLabels{Id(1), {{"color", ""}}}).ok());
  ASSERT_TRUE(Commit(Delete{{Id(3)}}).ok());
  EXPECT_TRUE(list("color", "red").ids().empty());
  EXPECT_THAT(list("color", "").ids(), ElementsAre(Id(5)));
}

TEST_P(ServiceTest, AnEventTellsFromWhichRevisionOnItIsSo) {
  std::vector<Event> events;
  service_->on_event = [&](const Event& event) { events.push_back(event); };
  PersistArray(1);
  auto labelled = Commit(SetLabels{Id(1), {{"k", "v"}}});
  ASSERT_TRUE(labelled.ok());
  service_->on_event = nullptr;
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, Event::Kind::kCreated);
  EXPECT_EQ(events[1].kind, Event::Kind::kLabelled);
  EXPECT_EQ(events[1].id, Id(1));
  EXPECT_EQ(events[1].revision, labelled->revision);
  EXPECT_LT(events[0].revision, events[1].revision);
}

TEST_P(ServiceTest, WhatIsPublishedAgainMayLinkToWhatIsNotThere) {
  EXPECT_EQ(PersistLinking(7, {1}).status().code(), Code::kNotFound);
  auto done = PersistLinking(7, {1}, /*again=*/true);
  ASSERT_TRUE(done.ok()) << done.status().ToString();
  EXPECT_EQ(done->id, Id(7));
  EXPECT_FALSE(IsComplete(catalog(), Id(7)));
  PersistArray(1);
  EXPECT_TRUE(IsComplete(catalog(), Id(7)));
}

// ---- requests ------------------------------------------------------------------------------------

TEST_P(ServiceTest, ARepeatedRequestIsAnsweredAndNotApplied) {
  PersistArray(1);
  PersistArray(3);
  auto first = Commit(PutName{"n", Id(1)}, {9, 1});
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(Put("n", 3, /*replace=*/true).ok());
  auto repeated = Commit(PutName{"n", Id(1)}, {9, 1}, /*repeated=*/true);
  ASSERT_TRUE(repeated.ok()) << repeated.status().ToString();
  EXPECT_EQ(repeated->value, first->value);
  EXPECT_EQ(repeated->revision, first->revision);
  EXPECT_EQ(catalog().FindName("n")->id, Id(3));
  EXPECT_EQ(Commit(PutName{"n", Id(1)}, {9, 2}).status().code(), Code::kExists);
}

TEST_P(ServiceTest, RevisionsGrowAndAreWaitedFor) {
  auto first = Commit(Persist{{ArrayTree(kSelf, 1)}});
  auto second = Commit(Persist{{ArrayTree(kSelf, 3)}});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_LT(first->revision, second->revision);
  auto wait = [&](Revision revision, int ms) {
    return Wait([&](auto done) { service_->WaitFor(revision, Soon(ms), done); });
  };
  EXPECT_TRUE(wait(second->revision, 1000).ok());
  Revision next = service_->applied();
  ++next.entries;
  EXPECT_EQ(wait(next, 20).code(), Code::kTimeout);
  std::optional<Status> reached;
  service_->WaitFor(next, Soon(), [&](Status status) { reached = std::move(status); });
  PersistArray(5);
  EXPECT_TRUE(Run([&] { return reached.has_value(); }));
  EXPECT_TRUE(reached && reached->ok());
}

TEST_P(ServiceTest, SyncIsAnswered) {
  EXPECT_TRUE(Wait([&](auto done) { service_->Sync(Soon(), done); }).ok());
}

TEST_P(ServiceTest, EventsComeInOrder) {
  PersistArray(1);
  ASSERT_TRUE(Put("n", 1).ok());
  ASSERT_TRUE(Commit(Delete{{Id(1)}}).ok());
  std::vector<std::pair<Event::Kind, ObjectId>> seen;
  for (const Event& event : events_) {
    if (event.kind != Event::Kind::kJoined) seen.emplace_back(event.kind, event.id);
  }
  using Kind = Event::Kind;
  EXPECT_THAT(seen,
              ElementsAre(std::pair(Kind::kCreated, Id(1)), std::pair(Kind::kNamed, Id(1)),
                          std::pair(Kind::kDropped, Id(1)), std::pair(Kind::kDeleted, Id(1))));
}

TEST_P(ServiceTest, ALivingInstanceIsNotForgotten) {
  EXPECT_EQ(Commit(ForgetInstance{kSelf}).status().code(), Code::kInUse);
  EXPECT_EQ(Commit(ForgetInstance{kSelf + 1}).status().code(), Code::kNotFound);
}

TEST_P(ServiceTest, AfterTheEndEverythingIsUnavailable) {
  Revision next = service_->applied();
  ++next.entries;
  std::optional<Status> waiting;
  service_->WaitFor(next, Soon(), [&](Status status) { waiting = std::move(status); });
  service_->Stop();
  EXPECT_TRUE(Run([&] { return waiting.has_value(); }));
  EXPECT_EQ(waiting->code(), Code::kUnavailable);
  EXPECT_EQ(Commit(Persist{{ArrayTree(kSelf, 1)}}).status().code(), Code::kUnavailable);
  EXPECT_EQ(Wait([&](auto done) { service_->Sync(Soon(), done); }).code(), Code::kUnavailable);
  EXPECT_EQ(catalog().objects(), 0u);
}

}  // namespace
}  // namespace vineyard::meta

// Names, labels and lists.
#include <algorithm>

#include "core/store/store.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(StoreTest, ANameIsGivenOnceUnlessReplaced) {
  ObjectId a = PutBlob("a"), b = PutBlob("b");
  auto first = store_->PutName({}, "n", a, false, UINT64_MAX);
  ASSERT_TRUE(first.ok());
  auto second = store_->PutName({}, "n", b, false, UINT64_MAX);
  EXPECT_EQ(second.status().code(), Code::kExists);
  EXPECT_THAT(second.status().text(), HasSubstr(PrintId(a)));
  auto replaced = store_->PutName({}, "n", b, true, UINT64_MAX);
  ASSERT_TRUE(replaced.ok());
  EXPECT_GT(replaced->revision, first->revision);
  auto names = store_->ListNames("*", "", 10).names;
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0].id, b);
  EXPECT_EQ(names[0].revision, replaced->revision);
}

TEST_F(StoreTest, CompareAndSetOfANameNeedsTheRevision) {
  ObjectId a = PutBlob("a"), b = PutBlob("b");
  auto first = store_->PutName({}, "n", a, false, 0);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(store_->PutName({}, "n", b, false, 0).status().code(), Code::kConflict);
  auto second = store_->PutName({}, "n", b, false, first->revision);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(store_->PutName({}, "n", a, false, first->revision).status().code(), Code::kConflict);
  EXPECT_EQ(store_->DropName({}, "n", first->revision).status().code(), Code::kConflict);
  EXPECT_TRUE(store_->DropName({}, "n", second->revision).ok());
  EXPECT_FALSE(store_->FindName("n").ok());
}

TEST_F(StoreTest, ANameGoesWithItsObject) {
  ObjectId a = PutBlob("a");
  ASSERT_TRUE(store_->PutName({}, "x", a, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->PutName({}, "y", a, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", "v"}}).ok());
  ASSERT_TRUE(store_->Delete({}, {a}, false, true).ok());
  EXPECT_FALSE(store_->FindName("x").ok());
  EXPECT_EQ(Used(), 0u);
}

TEST_F(StoreTest, APutWithATakenNameStoresNothing) {
  TreeMaker first;
  first.Blob("a");
  first.Name("n");
  ObjectId a = Put(first);
  TreeMaker second;
  second.Blob("b");
  second.Name("n");
  EXPECT_EQ(TryPut(second.tree()).status().code(), Code::kExists);
  EXPECT_EQ(store_->Stats().blobs, 1u);
  second.Name("n", /*replace=*/true);
  ObjectId b = Put(second);
  EXPECT_NE(a, b);
  EXPECT_EQ(store_->ListNames("n", "", 10).names[0].id, b);
}

TEST_F(StoreTest, NamesThatCanNotBeAreRefused) {
  ObjectId a = PutBlob("a");
  EXPECT_EQ(store_->PutName({}, "", a, false, UINT64_MAX).status().code(), Code::kInvalid);
  EXPECT_EQ(store_->PutName({}, std::string(1025, 'n'), a, false, UINT64_MAX).status().code(),
            Code::kLimit);
  EXPECT_EQ(store_->PutName({}, "\xff", a, false, UINT64_MAX).status().code(), Code::kInvalid);
}

TEST_F(StoreTest, LabelsAreSetReplacedAndRemoved) {
  ObjectId a = PutBlob("a");
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", "v"}, {"l", "w"}}).ok());
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", "v2"}}).ok());
  store_->CheckInvariants();
  ASSERT_TRUE(store_->SetLabels({}, a, {{"k", ""}, {"l", ""}}).ok());
  EXPECT_EQ(store_->FindLabels(a).status().code(), Code::kNotFound);
}

// ---- lists ----

TEST_F(StoreTest, ListsMatchBasesAndComeInPages) {
  std::vector<ObjectId> arrays;
  for (int i = 0; i < 25; ++i) arrays.push_back(PutObject("vineyard::Array", {}));
  ObjectId tensor = PutObject("vineyard::Tensor", {});
  PutObject("other", {});
  std::vector<ObjectId> seen;
  std::string cursor;
  do {
    auto page = store_->List("vineyard::Tensor", cursor, 10);
    ASSERT_TRUE(page.ok());
    std::vector<ObjectId> ids = page->ids();
    EXPECT_LE(ids.size(), 10u);
    seen.insert(seen.end(), ids.begin(), ids.end());
    cursor = page->cursor;
  } while (!cursor.empty());
  arrays.push_back(tensor);
  EXPECT_EQ(seen, arrays);
}

TEST_F(StoreTest, APageGoesOnWhereTheLastEndedThoughItsLastObjectIsGone) {
  std::vector<ObjectId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(PutObject("t", {}));
  auto first = store_->List("t", "", 3);
  ASSERT_TRUE(first.ok());
  ASSERT_TRUE(store_->Delete({}, {ids[2]}, false, true).ok());
  auto second = store_->List("t", first->cursor, 3);
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(second->ids(), ElementsAre(ids[3], ids[4], ids[5]));
}

// A page of nothing has no last object to go on from.
TEST_F(StoreTest, APageOfNothingIsRefused) {
  PutBlob("x");
  EXPECT_EQ(store_->List("*", "", 0).status().code(), Code::kInvalid);
}

// ---- pages ----

TEST_F(StoreTest, NamesComeInPagesOfBytesToo) {
  ObjectId id = PutBlob("x");
  constexpr int kMany = 5000;
  for (int i = 0; i < kMany; ++i) {
    std::string name = Format("%05d", i) + std::string(1000, 'n');
    ASSERT_TRUE(Retry([&] { return store_->PutName({}, name, id, false, UINT64_MAX); }).ok());
  }
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    NamePage page = store_->ListNames("*", cursor, 1'000'000);
    for (const NameItem& item : page.names) seen.push_back(item.name);
    cursor = page.cursor;
    ++pages;
  } while (!cursor.empty());
  EXPECT_GT(pages, 2);
  EXPECT_EQ(seen.size(), static_cast<size_t>(kMany));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// A pattern that goes back and forth over long names took seconds of everybody's time.
TEST_F(StoreTest, ACostlyPatternEndsItsPageEarly) {
  ObjectId id = PutBlob("x");
  for (int i = 0; i < 200; ++i) {
    std::string name = std::string(1000, 'a') + std::to_string(i);
    ASSERT_TRUE(Retry([&] { return store_->PutName({}, name, id, false, UINT64_MAX); }).ok());
  }
  std::string pattern = "*" + std::string(500, 'a') + "b*", cursor;
  int pages = 0;
  do {
    NamePage page = store_->ListNames(pattern, cursor, 1000);
    EXPECT_TRUE(page.names.empty());
    cursor = page.cursor;
    ++pages;
  } while (!cursor.empty());
  EXPECT_GT(pages, 2);
}

TEST_F(StoreTest, TypesComeInPages) {
  constexpr int kMany = 5000;
  for (int i = 0; i < kMany; ++i) PutObject(Format("%05d", i) + std::string(900, 't'), {});
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    TypePage page = store_->ListTypes(cursor);
    for (const auto& [type, count] : page.types) {
      EXPECT_EQ(count, 1u);
      seen.push_back(type);
    }
    cursor = page.cursor;
    ++pages;
  } while (!cursor.empty());
  EXPECT_GT(pages, 2);
  EXPECT_EQ(seen.size(), static_cast<size_t>(kMany));
}

}  // namespace
}  // namespace vineyard::store

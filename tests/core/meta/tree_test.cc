#include "core/meta/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/meta/trees.h"

namespace vineyard::meta {
namespace {

using ::testing::HasSubstr;

const ObjectId kRoot = MakeId(false, 7, 1), kBlob = MakeId(true, 7, 2),
               kOther = MakeId(false, 8, 1), kMember = MakeId(true, 8, 2);

TreeMaker Pair() {
  TreeMaker maker(7);
  maker.Object(kRoot, "vineyard::Pair", {{"first_", kBlob}, {"second_", kMember}})
      .Blob(kBlob, 13, BlobKind::kBytes)
      .LinkTo(kOther, {kMember});
  return maker;
}

Code CodeOf(const TreeMaker& maker) {
  auto bytes = EncodeTree(maker.tree());
  return bytes.ok() ? DecodeTree(*bytes).status().code() : bytes.status().code();
}

TEST(Tree, ComesBackAsItWasWritten) {
  std::string bytes = Pair().Bytes();
  auto tree = DecodeTree(bytes);
  ASSERT_TRUE(tree.ok()) << tree.status().ToString();
  EXPECT_EQ(tree->owner, 7u);
  EXPECT_EQ(tree->home(), kRoot);
  ASSERT_EQ(tree->nodes.size(), 2u);
  EXPECT_EQ(tree->nodes[0].type_name, "vineyard::Pair");
  EXPECT_EQ(tree->nodes[1].type_name, "vineyard::Blob");
  EXPECT_EQ(tree->nodes[1].kind, BlobKind::kBytes);
  EXPECT_EQ(tree->nodes[1].value_size, 13u);
  ASSERT_EQ(tree->links.size(), 1u);
  EXPECT_EQ(tree->links[0].home, kOther);
  EXPECT_EQ(tree->links[0].ids, std::vector<ObjectId>{kMember});
  EXPECT_TRUE(tree->labels.empty());
}

TEST(Tree, LabelsChangeAndTheRestStays) {
  std::string bytes = Pair().Bytes();
  auto labelled = WithLabels(bytes, kRoot, {{"owner", "ann"}, {"stage", "raw"}});
  ASSERT_TRUE(labelled.ok());
  labelled = WithLabels(*labelled, kBlob, {{"k", "v"}});
  ASSERT_TRUE(labelled.ok());
  labelled = WithLabels(*labelled, kRoot, {{"stage", "done"}});
  ASSERT_TRUE(labelled.ok());
  auto tree = DecodeTree(*labelled);
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->nodes.size(), 2u);
  EXPECT_EQ(tree->links.size(), 1u);
  ASSERT_EQ(tree->labels.size(), 2u);
  EXPECT_EQ(tree->labels[0].first, kBlob);
  EXPECT_EQ(tree->labels[1].second, (Labels{{"stage", "done"}}));
  EXPECT_EQ(WithLabels(bytes, kMember, {}).status().code(), Code::kNotFound);
}

// Found by schema_fuzz: the count of pairs was one too high, and nobody could read the tree any more.
TEST(Tree, LabelsThatAForeignTreeSaysTwiceAreSaidOnceWhenTheyChange) {
  std::string bytes(1, static_cast<char>(kTreeVersion));
  Packer packer(&bytes);
  packer.Map(5).String("o").Uint(7).String("n").Array(1);
  packer.Array(3).Uint(kBlob).Uint(1).Uint(8);
  packer.String("l").Array(0).String("b").Array(0).String("b").Array(0);
  auto labelled = WithLabels(bytes, kBlob, {{"a", "b"}});
  ASSERT_TRUE(labelled.ok()) << labelled.status().ToString();
  auto tree = DecodeTree(*labelled);
  ASSERT_TRUE(tree.ok()) << tree.status().ToString();
  ASSERT_EQ(tree->labels.size(), 1u);
  EXPECT_EQ(tree->labels[0].second, (Labels{{"a", "b"}}));
}

TEST(Tree, KeysOfALaterBuildStayWhenLabelsChange) {
  std::string bytes(1, static_cast<char>(kTreeVersion));
  Packer packer(&bytes);
  packer.Map(4).String("o").Uint(7).String("n").Array(1);
  packer.Array(3).Uint(kBlob).Uint(1).Uint(8);
  packer.String("l").Array(0).String("later").Any(Value::Float64(2.5));
  auto labelled = WithLabels(bytes, kBlob, {{"a", "b"}});
  ASSERT_TRUE(labelled.ok()) << labelled.status().ToString();
  Arena arena;
  auto map = Unpack(std::string_view(*labelled).substr(1), &arena);
  ASSERT_TRUE(map.ok());
  ASSERT_NE(map->Find("later"), nullptr);
  EXPECT_EQ(map->Find("later")->as.float64, 2.5);
}

TEST(Tree, WhatCanNotBeOneIsCorrupt) {
  TreeMaker twice(7);
  twice.Blob(kBlob).Blob(kBlob);
  EXPECT_EQ(CodeOf(twice), Code::kCorrupt);
  TreeMaker linked_node(7);
  linked_node.Blob(kBlob).LinkTo(kOther, {kBlob});
  EXPECT_EQ(CodeOf(linked_node), Code::kCorrupt);
  TreeMaker two_links(7);
  two_links.Blob(kBlob).LinkTo(kOther, {kOther}).LinkTo(kOther, {kMember});
  EXPECT_EQ(CodeOf(two_links), Code::kCorrupt);
  TreeMaker empty_link(7);
  empty_link.Blob(kBlob).LinkTo(kOther, {});
  EXPECT_EQ(CodeOf(empty_link), Code::kCorrupt);
  TreeMaker no_id(7);
  no_id.Blob(kEmptyBlobId);
  EXPECT_EQ(CodeOf(no_id), Code::kCorrupt);
  EXPECT_EQ(DecodeTree("").status().code(), Code::kCorrupt);
  EXPECT_EQ(DecodeTree("\x02").status().code(), Code::kVersion);
}

TEST(Tree, ARecordOfAnotherObjectIsCorrupt) {
  std::string record = EncodeRecord(kOther, "t", 0, 7, {}, "\x80");
  Tree tree;
  tree.owner = 7;
  tree.nodes.resize(1);
  tree.nodes[0].id = kRoot;
  tree.nodes[0].record = record;
  auto bytes = EncodeTree(tree);
  ASSERT_TRUE(bytes.ok());
  EXPECT_THAT(DecodeTree(*bytes).status().ToString(), HasSubstr(PrintId(kOther)));
}

TEST(Tree, EveryTruncationIsRefused) {
  std::string bytes = Pair().Bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeTree(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

TEST(Tree, AboveTheLimitIsRefusedWithItsSize) {
  TreeMaker maker(7);
  for (uint64_t i = 1; i < 60000; ++i) maker.Blob(MakeId(true, 7, i));
  auto bytes = EncodeTree(maker.tree());
  EXPECT_EQ(bytes.status().code(), Code::kLimit);
  EXPECT_THAT(bytes.status().text(), HasSubstr("524288"));
}

}  // namespace
}  // namespace vineyard::meta

#include "core/meta/zookeeper/schema.h"

#include <gtest/gtest.h>

#include <set>

#include "core/object/pack.h"

namespace vineyard::meta::zookeeper {
namespace {

const ObjectId kId = MakeId(false, 7, 1);

TEST(Schema, PathsAreWhatIsWrittenInTheHeader) {
  Paths paths("/v");
  EXPECT_EQ(paths.Format(), "/v/format");
  EXPECT_EQ(paths.Entry(17, 12), "/v/log/17/e-0000000012");
  EXPECT_EQ(paths.NewEntry(17), "/v/log/17/e-");
  EXPECT_EQ(paths.Place(7), "/v/instances/p/7");
  EXPECT_EQ(paths.Fence(7, 3), "/v/instances/e/7.3");
  EXPECT_EQ(paths.ObjectBucket(10), "/v/objects/0a");
  EXPECT_EQ(BaseOf(paths.Tree(kId)), PrintId(kId));
  EXPECT_EQ(paths.LinkOf(kId, 9), paths.Tree(kId) + "/l-o0000000000000009");
  EXPECT_EQ(paths.NameOf(kId, "a b"), paths.Tree(kId) + "/n-a%20b");
  EXPECT_EQ(BaseOf(paths.Name("a/b")), "a%2Fb");
  EXPECT_EQ(Paths("").Log(), "/log");
}

TEST(Schema, BucketsAreUsedEvenly) {
  Paths paths("");
  std::set<std::string> ids, names;
  for (uint64_t i = 1; i <= 2000; ++i) {
    ids.insert(paths.Tree(MakeId(false, 7, i)).substr(0, 11));
    names.insert(paths.Name("name" + std::to_string(i)).substr(0, 9));
  }
  EXPECT_GT(ids.size(), 250u);
  EXPECT_GT(names.size(), 240u);
}

TEST(Schema, APrefixIsAPath) {
  for (const char* good : {"", "/a", "/a/b-c_d/e.f"})
    EXPECT_TRUE(Paths::CheckPrefix(good).ok()) << good;
  for (const char* bad : {"a", "/", "/a/", "//a", "/a//b", "/a b", "/.", "/a/../b", "/é",
                          "/zookeeper", "/zookeeper/x"}) {
    EXPECT_EQ(Paths::CheckPrefix(bad).code(), Code::kInvalid) << bad;
  }
}

TEST(Schema, NamesOfNodesAreReadBackAndStrangersAreNot) {
  for (const char* name : {"plain", "a b/c", "ключ", "%", "..", "🍇", "A_-z"}) {
    std::string escaped = EscapeName(name);
    EXPECT_EQ(UnescapeName(escaped), name);
    for (char c : escaped) EXPECT_TRUE(c > 32 && c < 127 && c != '/' && c != '.') << escaped;
  }
  for (const char* bad : {"", "%", "%4", "%zz", "a b", "%41", "%2f", "é"}) {
    EXPECT_EQ(UnescapeName(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(EntryOf("e-0000000012"), 12u);
  for (const char* bad : {"e-12", "e-", "x-0000000012", "e-00000000x2"})
    EXPECT_FALSE(EntryOf(bad)) << bad;
  EXPECT_EQ(IdOf(PrintId(kId)), kId);
  EXPECT_EQ(IdOf("stranger"), std::nullopt);
  EXPECT_EQ(FenceOf("7.3")->epoch, 3u);
  for (const char* bad : {"7", "7.", ".3", "7.3.1", "-7.3"}) EXPECT_FALSE(FenceOf(bad)) << bad;
}

TEST(Schema, BodiesComeBack) {
  auto format = DecodeFormat(Encode(ClusterFormat{1, "uuid"}));
  ASSERT_TRUE(format.ok());
  EXPECT_EQ(format->cluster, "uuid");
  auto log = DecodeLog(Encode(LogState{1700000000, 1699999999}));
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(log->oldest, 1699999999u);
  Instance instance{7, 3, true, 1700000000123, 1 << 30, 1000, "host", "/run/v.sock", "", "boot"};
  auto read = DecodeInstance(Encode(instance));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, instance);
  auto name = DecodeName(Encode(NameNode{"ключ", kId, kId, 5}));
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->name, "ключ");
  EXPECT_EQ(name->generation, 5u);
}

TEST(Schema, AnEntryComesBack) {
  Entry entry;
  entry.traces = {{Trace::Kind::kTreeCreated, false, kId, "", 0},
                  {Trace::Kind::kNamePut, false, kId, "n", 77}};
  entry.answers = {{{9, 1}, kId, 77}};
  auto read = DecodeEntry(Encode(entry));
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->traces.size(), 2u);
  EXPECT_EQ(read->traces[1].kind, Trace::Kind::kNamePut);
  EXPECT_EQ(read->traces[1].name, "n");
  EXPECT_EQ(read->traces[1].revision, 77u);
  ASSERT_EQ(read->answers.size(), 1u);
  EXPECT_EQ(read->answers[0].request, (RequestId{9, 1}));
}

TEST(Schema, WhatALaterBuildWroteIsOtherAndSaysWhetherItMatters) {
  std::string bytes = "\x01";
  Packer packer(&bytes);
  packer.Map(3).String("t").Array(2);
  packer.Array(2).Uint(99).Uint(1);
  packer.Array(3).Uint(98).Uint(0).String("anything");
  packer.String("a").Array(0).String("later").Null();
  auto entry = DecodeEntry(bytes);
  ASSERT_TRUE(entry.ok()) << entry.status().ToString();
  EXPECT_EQ(entry->traces[0].kind, Trace::Kind::kOther);
  EXPECT_TRUE(entry->traces[0].must_understand);
  EXPECT_FALSE(entry->traces[1].must_understand);
}

TEST(Schema, GarbageIsCorruptAndLaterVersionsAreSaid) {
  std::string good =
      Encode(Entry{{{Trace::Kind::kNamePut, false, kId, "n", 7}}, {{{9, 1}, kId, 7}}});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeEntry(std::string_view(good).substr(0, size)).ok()) << size;
  }
  good[0] = 2;
  EXPECT_EQ(DecodeEntry(good).status().code(), Code::kVersion);
  EXPECT_EQ(DecodeInstance("").status().code(), Code::kCorrupt);
  EXPECT_EQ(DecodeLog("\x01\x80").status().code(), Code::kCorrupt);
}

TEST(Schema, RevisionsOfANameGrowWithVersionAndGeneration) {
  EXPECT_LT(NameRevision(5, 0), NameRevision(5, 1));
  EXPECT_LT(NameRevision(5, 2147483647), NameRevision(6, 0));
  EXPECT_NE(NameRevision(0, 0), 0u) << "0 says that there is no name";
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

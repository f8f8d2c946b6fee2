#include "core/object/record.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/object/pack.h"
#include "core/object/types.h"

namespace vineyard {
namespace {

const ObjectId kId = MakeId(false, 7, 1);
const std::vector<Member> kMembers = {{"first_", MakeId(true, 7, 2)}, {"second_", kEmptyBlobId}};

std::string PackFields() {
  std::string fields;
  Packer(&fields).Map(2).String("value_").Float(2.0).String("shape_").Array(1).Int(5);
  return fields;
}
std::string Encoded() {
  return EncodeRecord(kId, "vineyard::Pair", 123, 7, kMembers, PackFields());
}

TEST(Record, ComesBackAsItWasWritten) {
  std::string bytes = Encoded();
  auto record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok()) << record.status().ToString();
  EXPECT_EQ(record->id, kId);
  EXPECT_EQ(record->type_name, "vineyard::Pair");
  EXPECT_EQ(record->nbytes, 123u);
  EXPECT_EQ(record->instance, 7u);
  ASSERT_EQ(record->members.size(), 2u);
  EXPECT_EQ(record->members[0].name, "first_");
  EXPECT_EQ(record->members[1].id, kEmptyBlobId);
  ASSERT_NE(record->fields.Find("value_"), nullptr);
  EXPECT_EQ(record->fields.Find("value_")->as.float64, 2.0);
}

TEST(Record, StaysReadableWhenItMoves) {
  std::string bytes = Encoded();
  Record moved;
  {
    auto record = DecodeRecord(bytes);
    ASSERT_TRUE(record.ok());
    moved = std::move(record).value();
  }
  ASSERT_NE(moved.fields.Find("shape_"), nullptr);
  EXPECT_EQ(moved.fields.Find("shape_")->as.items[0].as.int64, 5);
}

TEST(Record, WithoutMembersAndFieldsComesBack) {
  std::string bytes = EncodeRecord(kId, "t", 0, 1, {}, "\x80");
  auto record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_TRUE(record->members.empty());
  EXPECT_EQ(record->fields.size, 0u);
}

TEST(Record, LargestNumbersComeBack) {
  std::string bytes =
      EncodeRecord(UINT64_MAX, "t", UINT64_MAX, UINT64_MAX, {{"m", UINT64_MAX}}, "\x80");
  auto record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->id, UINT64_MAX);
  EXPECT_EQ(record->nbytes, UINT64_MAX);
  EXPECT_EQ(record->instance, UINT64_MAX);
  EXPECT_EQ(record->members[0].id, UINT64_MAX);
}

TEST(Record, FindMemberGoesByName) {
  std::string bytes = Encoded();
  auto record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->FindMember("second_"), &record->members[1]);
  EXPECT_EQ(record->FindMember("third_"), nullptr);
}

// Found by review: fields of the greatest depth that a put accepts made a record that was corrupt.
TEST(Record, FieldsMayUseTheWholeDepthOfAValue) {
  std::vector<Value> levels(2 * kMaxDepth);
  Value inner = Value::Map(nullptr, 0);
  for (uint32_t i = 1; i < kMaxDepth; ++i) {
    levels[2 * i] = Value::String("k");
    levels[2 * i + 1] = inner;
    inner = Value::Map(&levels[2 * i], 1);
  }
  ASSERT_TRUE(CheckValue(inner).ok());
  std::string fields;
  Packer(&fields).Any(inner);
  Arena arena;
  ASSERT_TRUE(Unpack(fields, &arena).ok());
  EXPECT_TRUE(DecodeRecord(EncodeRecord(kId, "t", 0, 1, {}, fields)).ok());
}

TEST(Record, KeysOfALaterReleaseAreIgnored) {
  std::string bytes = Encoded();
  ASSERT_EQ(bytes[1], '\x86');
  bytes[1] = '\x87';
  bytes += "\xa1z\x91\xc0";
  auto record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok()) << record.status().ToString();
  EXPECT_EQ(record->id, kId);
}

TEST(Record, PartsOfAMemberOfALaterReleaseAreIgnored) {
  std::string bytes(1, '\1');
  Packer packer(&bytes);
  packer.Map(6).String("i").Uint(1).String("t").String("t").String("n").Uint(0);
  packer.String("o").Uint(1).String("f").Map(0);
  packer.String("m").Array(1).Array(3).String("a").Uint(9).Null();
  auto record = DecodeRecord(bytes);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->members[0].id, 9u);
}

TEST(Record, AnotherVersionIsNamed) {
  std::string bytes = Encoded();
  bytes[0] = '\2';
  Status status = DecodeRecord(bytes).status();
  EXPECT_EQ(status.code(), Code::kVersion);
  EXPECT_EQ(status.text(), "record: version 2, this build reads 1");
}

TEST(Record, IsCorruptWhenItEndsAtAnyByte) {
  std::string bytes = Encoded();
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
    EXPECT_EQ(DecodeRecord({cut.data(), cut.size()}).status().code(), Code::kCorrupt) << size;
  }
  EXPECT_EQ(DecodeRecord(bytes + '\0').status().code(), Code::kCorrupt);
}

// One map of a record; `broken` says which part is written as null.
std::string WithBroken(char broken) {
  std::string bytes(1, '\1');
  Packer packer(&bytes);
  packer.Map(6);
  for (char key : {'i', 't', 'n', 'o', 'm', 'f'}) {
    packer.String({&key, 1});
    if (key == broken) {
      packer.Null();
    } else if (key == 't') {
      packer.String("t");
    } else if (key == 'm') {
      packer.Array(0);
    } else if (key == 'f') {
      packer.Map(0);
    } else {
      packer.Uint(1);
    }
  }
  return bytes;
}

TEST(Record, PartOfAnotherTypeIsCorrupt) {
  EXPECT_TRUE(DecodeRecord(WithBroken(0)).ok());
  for (char key : {'i', 't', 'n', 'o', 'm', 'f'}) {
    EXPECT_EQ(DecodeRecord(WithBroken(key)).status().code(), Code::kCorrupt) << key;
  }
}

TEST(Record, ThatIsNoMapIsCorrupt) {
  EXPECT_EQ(DecodeRecord("\x01\x90").status().code(), Code::kCorrupt);
  EXPECT_EQ(DecodeRecord("\x01\x80").status().code(), Code::kCorrupt);
}

TEST(Record, MemberThatIsNoPairIsCorrupt) {
  for (std::string member : {"\xc0", "\x90", "\x91\xa1m", "\x92\x01\x01", "\x92\xa1m\xc0",
                             "\x92\xa1m\xff", "\x81\xa1m\x01"}) {
    std::string bytes = WithBroken(0);
    bytes.replace(bytes.find("\xa1m\x90"), 3, "\xa1m\x91" + member);
    EXPECT_EQ(DecodeRecord(bytes).status().code(), Code::kCorrupt);
  }
}

// ---- names of what a put holds ----

Status CheckNames(const std::vector<Member>& members, const std::vector<std::string>& fields,
                  std::string_view type_name = "t") {
  std::vector<Value> items;
  for (const std::string& name : fields) {
    items.push_back(Value::String(name));
    items.push_back(Value::Null());
  }
  return CheckRecordNames(type_name, members, Value::Map(items.data(), fields.size()));
}

TEST(RecordNames, DifferentOnesAreAccepted) {
  EXPECT_TRUE(CheckNames({{"a", 1}, {"b", 1}}, {"c", "d"}).ok());
  EXPECT_TRUE(CheckNames({}, {}).ok());
}

TEST(RecordNames, TwiceIsRefusedAmongMembersAmongFieldsAndBetweenThem) {
  EXPECT_EQ(CheckNames({{"a", 1}, {"a", 2}}, {}).code(), Code::kInvalid);
  EXPECT_EQ(CheckNames({}, {"a", "a"}).code(), Code::kInvalid);
  Status status = CheckNames({{"a", 1}}, {"a"});
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_EQ(status.text(), "field or member 'a': it is there twice");
}

TEST(RecordNames, MustBeText) {
  EXPECT_EQ(CheckNames({{"", 1}}, {}).code(), Code::kInvalid);
  EXPECT_EQ(CheckNames({}, {""}).code(), Code::kInvalid);
  EXPECT_EQ(CheckNames({{"\xff", 1}}, {}).code(), Code::kInvalid);
  EXPECT_EQ(CheckNames({}, {std::string("a\0", 2)}).code(), Code::kInvalid);
  EXPECT_EQ(CheckNames({}, {}, "").code(), Code::kInvalid);
  EXPECT_EQ(CheckNames({}, {}, "\xff").code(), Code::kInvalid);
}

TEST(RecordNames, HaveALimit) {
  EXPECT_TRUE(CheckNames({}, {std::string(kMaxKey, 'k')}).ok());
  EXPECT_EQ(CheckNames({}, {std::string(kMaxKey + 1, 'k')}).code(), Code::kLimit);
  EXPECT_TRUE(CheckNames({}, {}, std::string(kMaxTypeName, 't')).ok());
  EXPECT_EQ(CheckNames({}, {}, std::string(kMaxTypeName + 1, 't')).code(), Code::kLimit);
}

TEST(RecordNames, TooManyMembersAreALimit) {
  std::vector<Member> members(kMaxMembers + 1, {"m", 1});
  EXPECT_EQ(CheckNames(members, {}).code(), Code::kLimit);
}

// ---- names and labels ----

TEST(NameRecord, ComesBackAsItWasWritten) {
  std::string bytes = EncodeName({"a name", kId, UINT64_MAX});
  auto name = DecodeName(bytes);
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(name->name, "a name");
  EXPECT_EQ(name->id, kId);
  EXPECT_EQ(name->revision, UINT64_MAX);
}

TEST(NameRecord, IsCorruptWhenItEndsAtAnyByte) {
  std::string bytes = EncodeName({"a name", kId, 5});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeName(bytes.substr(0, size)).status().code(), Code::kCorrupt) << size;
  }
}

TEST(NameRecord, WithoutAPartIsCorrupt) {
  EXPECT_EQ(DecodeName("\x01\x82\xa1n\xa1x\xa1i\x05").status().code(), Code::kCorrupt);
  EXPECT_EQ(DecodeName("\x01\x83\xa1n\x05\xa1i\x05\xa1r\x05").status().code(), Code::kCorrupt);
}

TEST(Labels, ComeBackInTheirOrder) {
  std::vector<std::pair<std::string, std::string>> labels = {
      {"z", "1"}, {"a", ""}, {"long", std::string(70000, 'x')}};
  auto read = DecodeLabels(EncodeLabels(labels));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, labels);
  EXPECT_TRUE(DecodeLabels(EncodeLabels({}))->empty());
}

TEST(Labels, ThatAreNotTextAreCorrupt) {
  EXPECT_EQ(DecodeLabels("\x01\x81\xa1k\x05").status().code(), Code::kCorrupt);
  EXPECT_EQ(DecodeLabels("\x01\x81\x05\xa1v").status().code(), Code::kCorrupt);
  EXPECT_EQ(DecodeLabels("\x01\x90").status().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace vineyard

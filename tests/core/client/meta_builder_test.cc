#include "core/client/meta_builder.h"

#include <gtest/gtest.h>

#include "core/object/pack.h"

namespace vineyard::client {
namespace {

std::shared_ptr<MetaBuilder> Make() { return *MetaBuilder::Create("test::Thing"); }

TEST(NameSet, HoldsEachNameOnce) {
  NameSet names;
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(names.Insert("name" + std::to_string(i)));
  for (int i = 0; i < 10000; ++i) EXPECT_FALSE(names.Insert("name" + std::to_string(i)));
  EXPECT_TRUE(names.Insert(""));
  EXPECT_FALSE(names.Insert(""));
}

TEST(MetaBuilder, AFieldAndAMemberShareOneNameSpace) {
  auto builder = Make();
  EXPECT_TRUE(builder->SetField("a", Value::Int64(1)).ok());
  EXPECT_EQ(builder->SetField("a", Value::Null()).code(), Code::kExists);
  EXPECT_EQ(builder->AddId("a", 5).code(), Code::kExists);
  EXPECT_TRUE(builder->AddId("b", 5).ok());
  EXPECT_EQ(builder->AddBytes("b", {}).code(), Code::kExists);
}

TEST(MetaBuilder, PacksFieldsInTheirOrder) {
  auto builder = Make();
  ASSERT_TRUE(builder->SetField("z", Value::Uint64(5)).ok());
  ASSERT_TRUE(builder->SetField("a", Value::String("text")).ok());
  std::string packed = builder->PackedFields();
  Arena arena;
  Result<Value> map = Unpack(packed, &arena);
  ASSERT_TRUE(map.ok());
  ASSERT_EQ(map->size, 2u);
  EXPECT_EQ(map->as.items[0].text(), "z");
  EXPECT_TRUE(map->as.items[1].is(ValueType::kUint64)) << "signedness is kept";
  EXPECT_EQ(map->as.items[3].text(), "text");
}

TEST(MetaBuilder, RefusesABadNameAndStaysAsItWas) {
  auto builder = Make();
  EXPECT_EQ(builder->SetField("", Value::Null()).code(), Code::kInvalid);
  EXPECT_EQ(builder->SetField("\xff", Value::Null()).code(), Code::kInvalid);
  EXPECT_EQ(builder->SetField(std::string(4097, 'x'), Value::Null()).code(), Code::kLimit);
  EXPECT_EQ(builder->SetField("a", Value::String("\xff")).code(), Code::kInvalid);
  EXPECT_TRUE(builder->SetField("a", Value::Null()).ok()) << "the name was not used up";
}

TEST(MetaBuilder, ValuesNestSixtyDeepAndNoMore) {
  std::vector<Value> levels(61);
  for (size_t i = 1; i < levels.size(); ++i) levels[i] = Value::List(&levels[i - 1], 1);
  auto builder = Make();
  EXPECT_TRUE(builder->SetField("fits", levels[60]).ok());
  Value deeper = Value::List(&levels[60], 1);
  EXPECT_EQ(builder->SetField("deeper", deeper).code(), Code::kLimit);
}

TEST(MetaBuilder, RefusesToContainItself) {
  auto a = Make(), b = Make(), c = Make();
  EXPECT_EQ(a->AddMeta("self", a).code(), Code::kInvalid);
  ASSERT_TRUE(a->AddMeta("b", b).ok());
  ASSERT_TRUE(b->AddMeta("c", c).ok());
  EXPECT_EQ(c->AddMeta("a", a).code(), Code::kInvalid);
  EXPECT_EQ(c->AddMeta("b", b).code(), Code::kInvalid);
  EXPECT_TRUE(a->AddMeta("c", c).ok()) << "twice below is not a cycle";
}

TEST(MetaBuilder, ABlobHasNoFields) {
  auto blob = MetaBuilder::CreateBlob({"x", 1, BlobKind::kBuffer});
  EXPECT_EQ(blob->SetField("a", Value::Null()).code(), Code::kInvalid);
  EXPECT_EQ(blob->AddId("a", 1).code(), Code::kInvalid);
}

TEST(MetaBuilder, TheInvalidIdIsNoMember) {
  EXPECT_EQ(Make()->AddId("a", kInvalidId).code(), Code::kInvalid);
}

}  // namespace
}  // namespace vineyard::client

// vineyard::MetaBuilder, vineyard::Object and the values of fields.
#include <cmath>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

using vineyard::FieldValue;
using vineyard::MetaBuilder;
using vineyard::Object;

// What is no field must not become one of another type.
enum Unscoped { kUnscoped };
template <class T>
constexpr bool kIsField = std::is_convertible_v<T, FieldValue>;
static_assert(kIsField<bool> && kIsField<signed char> && kIsField<unsigned char>);
static_assert(kIsField<int> && kIsField<unsigned long long> && kIsField<float> && kIsField<double>);
static_assert(!kIsField<char> && !kIsField<wchar_t> && !kIsField<char16_t> && !kIsField<char32_t>);
static_assert(!kIsField<Unscoped> && !kIsField<long double>);

class HppObject : public WithClient {};

TEST_F(HppObject, FieldsComeBackWithTheirTypes) {
  MetaBuilder builder("test::Thing");
  builder.set("null", nullptr)
      .set("bool", true)
      .set("least", std::numeric_limits<std::int64_t>::min())
      .set("most", std::numeric_limits<std::uint64_t>::max())
      .set("small", 7u)
      .set("short", short{-300})
      .set("float", -0.0)
      .set("float32", 0.5f)
      .set("text", OddText())
      .set("literal", "words")
      .set_bytes("bytes", vineyard::bytes_of(std::string_view("\xff\0", 2)));
  EXPECT_EQ(builder.id(), VINEYARD_ID_INVALID);
  vineyard::ObjectId id = client_.put(builder);
  EXPECT_EQ(builder.id(), id);
  EXPECT_ERROR(client_.put(builder), InvalidError);

  Object object = client_.get(id);
  EXPECT_EQ(object.type_name(), "test::Thing");
  EXPECT_EQ(object.id(), id);
  EXPECT_EQ(object.instance(), client_.instance());
  EXPECT_FALSE(object.is_persisted());
  EXPECT_FALSE(object.is_remote());
  EXPECT_FALSE(object.is_global());
  EXPECT_EQ(object.owner_state(), vineyard::InstanceState::kAlive);
  EXPECT_FALSE(object.stale_since().has_value());

  EXPECT_TRUE(object.field("null").is_null());
  EXPECT_TRUE(object.field<bool>("bool"));
  EXPECT_EQ(object.field<std::int64_t>("least"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(object.field<std::uint64_t>("most"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(object.field("small").type(), vineyard::FieldType::kUint64) << "signedness is kept";
  EXPECT_EQ(object.field<std::int64_t>("small"), 7);
  EXPECT_EQ(object.field<signed char>("small"), 7);
  EXPECT_EQ(object.field<short>("short"), -300);
  EXPECT_TRUE(std::signbit(object.field<double>("float")));
  EXPECT_EQ(object.field<double>("float32"), 0.5);
  EXPECT_EQ(object.field<std::string_view>("text"), OddText());
  EXPECT_EQ(object.field<std::string>("literal"), "words");
  EXPECT_EQ(vineyard::text_of(object.field<vineyard::span<const std::byte>>("bytes")),
            std::string_view("\xff\0", 2));
  EXPECT_EQ(object.field<FieldValue>("text"), FieldValue(OddText()));

  EXPECT_ERROR(object.field<std::int64_t>("most"), TypeError);
  EXPECT_ERROR(object.field<std::uint64_t>("least"), TypeError);
  EXPECT_ERROR(object.field<signed char>("short"), TypeError);
  EXPECT_ERROR(object.field<unsigned>("short"), TypeError);
  EXPECT_ERROR(object.field<double>("small"), TypeError);
  EXPECT_ERROR(object.field<bool>("small"), TypeError);
  EXPECT_ERROR(object.field<std::string>("bytes"), TypeError);
  EXPECT_ERROR(object.field<std::string>("none of these"), NotFoundError);
  EXPECT_ERROR(object.field("none of these"), NotFoundError);
  EXPECT_FALSE(object.find_field("none of these").has_value());
  EXPECT_EQ(object.find_field("small")->as_int64(), 7);
  EXPECT_ERROR(object.field(std::string_view("a\0", 2)), InvalidError);
}

TEST_F(HppObject, FieldsAndMembersKeepTheirOrder) {
  std::vector<std::string> names = {"z", "ä 😀", "a", "m"};
  MetaBuilder builder("test::Ordered");
  for (const std::string& name : names) builder.set(name, name);
  for (const std::string& name : names) {
    builder.add_bytes("member " + name, vineyard::bytes_of(name));
  }
  Object object = client_.get(client_.put(builder));
  std::vector<std::string> seen;
  for (auto [name, value] : object.fields()) {
    EXPECT_EQ(name, value.as_string());
    seen.emplace_back(name);
  }
  EXPECT_EQ(seen, names);
  EXPECT_EQ(object.members().size(), 4u);
  std::size_t i = 0;
  for (auto [name, id] : object.members()) {
    EXPECT_EQ(name, "member " + names[i]);
    EXPECT_EQ(id, object.member_id(name));
    EXPECT_EQ(object.member_at(i).blob().text(), names[i]);
    ++i;
  }
  EXPECT_ERROR(object.member_at(4), NotFoundError);
  EXPECT_EQ(object.nbytes(), names[0].size() + names[1].size() + 2);
}

TEST_F(HppObject, ANameIsSetOnce) {
  MetaBuilder builder("test::Thing");
  builder.set("x", 1);
  EXPECT_ERROR(builder.set("x", 2), ExistsError);
  EXPECT_ERROR(builder.set("\xff", 2), InvalidError);
  EXPECT_ERROR(builder.set(std::string(5000, 'n'), 2), LimitError);
  EXPECT_ERROR(builder.set("not utf-8", "\xff"), InvalidError);
  EXPECT_ERROR(MetaBuilder(std::string(2000, 't')), LimitError);
  builder.add("unknown", 12345);
  EXPECT_ERROR(client_.put(builder), NotFoundError);
}

TEST_F(HppObject, ATreeIsPutAtOnceAndReadByItsMembers) {
  std::string large(300'000, 'L');
  MetaBuilder shared("test::Shared");
  shared.add_bytes("large", vineyard::bytes_of(large), vineyard::PayloadKind::kBytes);
  vineyard::BlobWriter writer = client_.create_blob(8);
  *writer.as<double>().data() = 2.5;
  vineyard::ObjectId existing = client_.put_bytes("existing");
  MetaBuilder root("test::Root");
  root.add("existing", existing)
      .add("writer", writer)
      .add("shared", shared)
      .add("again", MetaBuilder("test::Inner").add("shared", shared))
      .add("blob", MetaBuilder::blob(vineyard::bytes_of(OddText())));
  vineyard::ObjectId id = client_.put(root);
  Object object = client_.get(id);
  // Each segment is mapped once, which takes a message.
  for (const char* name : {"existing", "writer"}) object.member_blob(name);
  object.member("shared").member_blob("large");
  std::uint64_t before = client_.statistics().requests;

  Object member = object.member("again").member("shared");
  EXPECT_EQ(member.id(), shared.id());
  EXPECT_EQ(object.member_id("shared"), shared.id()) << "one object in two places";
  Object outlives = object.member("shared");
  EXPECT_EQ(object.member_blob("writer").as<double>()[0], 2.5);
  EXPECT_EQ(object.member_blob("blob").text(), OddText());
  EXPECT_EQ(object.find_member("existing")->id(), existing);
  EXPECT_FALSE(object.find_member("none of these").has_value());
  EXPECT_ERROR(object.member("none of these"), NotFoundError);
  EXPECT_ERROR(object.member_blob("shared"), TypeError);
  EXPECT_ERROR(object.blob(), TypeError);
  EXPECT_EQ(client_.statistics().requests, before) << "reading takes no message";
  client_.remove(object.id());
  object = Object();
  EXPECT_EQ(outlives.member_blob("large").text(), large);
}

TEST_F(HppObject, AnEmptyHandleIsInvalid) {
  Object object, other = client_.get(client_.put(MetaBuilder("test::Thing").set("x", 1)));
  EXPECT_FALSE(object);
  EXPECT_EQ(object.type_name(), "");
  EXPECT_EQ(object.fields().size(), 0u);
  EXPECT_TRUE(object.members().begin() == object.members().end());
  EXPECT_ERROR(object.field("x"), InvalidError);
  EXPECT_ERROR(object.find_field("x"), InvalidError);
  EXPECT_ERROR(object.find_member("x"), InvalidError);
  EXPECT_ERROR(object.blob(), InvalidError);
  EXPECT_ERROR(object.tensor(), InvalidError);
  EXPECT_ERROR(MetaBuilder().set("x", 1), InvalidError);
  EXPECT_ERROR(client_.put(MetaBuilder()), InvalidError);
  Object& same = other;
  other = std::move(same);
  EXPECT_EQ(other.field<int>("x"), 1) << "a self-move keeps it";
  object = std::move(other);
  EXPECT_EQ(object.field<int>("x"), 1);
}

TEST_F(HppObject, APutNamesReplacesAndPersists) {
  vineyard::PutOptions options;
  options.name = "the name";
  options.persist = true;
  vineyard::ObjectId first = client_.put(MetaBuilder("test::Thing"), options);
  EXPECT_EQ(client_.get("the name").id(), first);
  EXPECT_TRUE(client_.get(first).is_persisted());
  EXPECT_ERROR(client_.put(MetaBuilder("test::Thing"), options), ExistsError);
  options.replace = true;
  EXPECT_NE(client_.put(MetaBuilder("test::Thing"), options), first);
  vineyard::ObjectId local = client_.put(MetaBuilder("test::Thing"));
  client_.persist(local);
  client_.persist(std::vector<vineyard::ObjectId>{local, first});
  EXPECT_TRUE(client_.get(local).is_persisted());
}

// ---- values ----

const FieldValue& Deep() {
  static const FieldValue value = FieldValue::Map{
      {"list", FieldValue::List{nullptr, true, -1, 2u, 2.5, "text", OddText()}},
      {"map", FieldValue::Map{{OddText(), FieldValue::Bytes{std::byte{0}, std::byte{255}}}}},
      {"nothing", FieldValue::List{}},
      {"none", FieldValue::Map{}},
  };
  return value;
}

TEST_F(HppObject, ListsAndMapsComeBackAsTheyWere) {
  Object object = client_.get(client_.put(MetaBuilder("test::Thing").set("deep", Deep())));
  vineyard::ValueView view = object.field("deep");
  EXPECT_EQ(FieldValue(view), Deep());
  EXPECT_EQ(view.size(), 4u);
  EXPECT_EQ(view.key_at(1), "map");
  EXPECT_EQ(view.value_at(1).size(), 1u);
  EXPECT_EQ(view.at("list").at(5).as_string(), "text");
  EXPECT_EQ(view.at("map").at(OddText()).as_bytes().size(), 2u);
  EXPECT_EQ(view.at("list").items().size(), 7u);
  EXPECT_EQ(view.at("nothing").items().begin(), view.at("nothing").items().end());
  std::map<vineyard::FieldType, int> types;
  for (vineyard::ValueView item : view.at("list").items()) ++types[item.type()];
  EXPECT_EQ(types[vineyard::FieldType::kString], 2);
  EXPECT_FALSE(view.find("no such key").has_value());
  EXPECT_ERROR(view.at("no such key"), NotFoundError);
  EXPECT_ERROR(view.at(std::size_t{0}), TypeError);
  EXPECT_ERROR(view.at("list").at("key"), TypeError);
  EXPECT_ERROR(view.at("list").at(7), NotFoundError);
  EXPECT_ERROR(view.key_at(4), NotFoundError);
  EXPECT_ERROR(view.as_int64(), TypeError);
  EXPECT_ERROR(view.items(), TypeError);

  // What was read can be stored as it is.
  Object copy = client_.get(client_.put(MetaBuilder("test::Thing").set("copy", view)));
  EXPECT_EQ(copy.field<FieldValue>("copy"), Deep());
}

TEST_F(HppObject, AValueIsWhatItWasMadeOf) {
  EXPECT_EQ(FieldValue().type(), vineyard::FieldType::kNull);
  EXPECT_EQ(FieldValue("text").type(), vineyard::FieldType::kString) << "and not a bool";
  EXPECT_EQ(FieldValue(1L).type(), vineyard::FieldType::kInt64);
  EXPECT_EQ(FieldValue(1ULL).type(), vineyard::FieldType::kUint64);
  EXPECT_EQ(FieldValue(1.0f).type(), vineyard::FieldType::kFloat64);
  EXPECT_NE(FieldValue(1), FieldValue(1u));
  FieldValue::Raw raw{Deep()};
  EXPECT_EQ(FieldValue(raw.view()), Deep());
  vineyard::ValueView none;
  EXPECT_TRUE(none.is_null());
  EXPECT_EQ(none.size(), 0u);
  EXPECT_ERROR(none.as_bool(), TypeError);
  EXPECT_ERROR(none.items(), TypeError);
  EXPECT_EQ(client_.get(client_.put(MetaBuilder("t").set("none", none))).field<FieldValue>("none"),
            FieldValue());
}

TEST_F(HppObject, AValueIsAsDeepAsAFieldAndNoDeeper) {
  FieldValue list = FieldValue::List{}, map = FieldValue::Map{};
  for (std::uint32_t depth = 1; depth < FieldValue::kMaxDepth; ++depth) {
    list = FieldValue::List{std::move(list), depth};
    map = FieldValue::Map{{"next", std::move(map)}, {"depth", depth}};
  }
  Object object = client_.get(client_.put(MetaBuilder("t").set("list", list).set("map", map)));
  EXPECT_EQ(FieldValue(object.field("list")).type(), vineyard::FieldType::kList);
  EXPECT_EQ(FieldValue(object.field("map")).type(), vineyard::FieldType::kMap);
  EXPECT_ERROR(FieldValue(FieldValue::List{list}), LimitError);
  EXPECT_ERROR(FieldValue(FieldValue::Map{{"map", map}}), LimitError);
  EXPECT_ERROR(FieldValue(FieldValue::List{map}), LimitError);

  // Regression: a million levels ended the process, where a value was copied, compared, or gone.
  std::vector<vineyard_value> levels(1'000'000);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    levels[i].type = VINEYARD_VALUE_LIST;
    levels[i].size = i == 0 ? 0 : 1;
    levels[i].as.items = i == 0 ? nullptr : &levels[i - 1];
  }
  const vineyard::ValueView deep(&levels.back());
  EXPECT_ERROR(FieldValue{deep}, LimitError);
  EXPECT_ERROR(MetaBuilder("t").set("deep", deep), LimitError);
}

// Regression: the builders of a tree ended one inside the other, and the process with them.
TEST_F(HppObject, BuildersOfATreeOfAnyDepthEnd) {
  MetaBuilder down("t"), shared("t");
  down.add("shared", shared);
  for (int i = 0; i < 200'000; ++i) {
    MetaBuilder above("t");
    above.add("below", down);
    if (i % 20'000 == 0) above.add("shared", shared);
    if (i % 2 == 0) above.add("again", down);
    down = std::move(above);
  }
  EXPECT_ERROR(client_.put(down), LimitError);
  down = MetaBuilder();

  MetaBuilder top("t");
  {
    MetaBuilder last("t");
    top.add("below", last);
    for (int i = 0; i < 200'000; ++i) {
      MetaBuilder below("t");
      last.add("below", below);
      last = std::move(below);
    }
  }
  top = MetaBuilder();
  EXPECT_NE(client_.put(shared), vineyard::kNoObject);
}

TEST_F(HppObject, IntegersAreReadByBothSignednessesWhereTheyFit) {
  const FieldValue values[] = {std::uint64_t{1} << 63, -1, 1};
  FieldValue::Raw big(values[0]), low(values[1]), one(values[2]);
  EXPECT_ERROR(big.view().as_int64(), TypeError);
  EXPECT_EQ(big.view().as_uint64(), std::uint64_t{1} << 63);
  EXPECT_ERROR(low.view().as_uint64(), TypeError);
  EXPECT_EQ(low.view().as_int64(), -1);
  EXPECT_EQ(one.view().as_uint64(), 1u);
}

}  // namespace
}  // namespace vineyard_hpp

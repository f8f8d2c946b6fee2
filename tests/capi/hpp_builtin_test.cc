// Strings and scalars as every language stores them.
#include <array>
#include <cmath>
#include <complex>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

using vineyard::FieldValue;
using vineyard::MetaBuilder;
using vineyard::Object;

constexpr std::size_t kLeaf = 16 * 1024;

// What a builder borrows must live until the put; a put takes what is gone after it.
constexpr auto kString = [](auto&& text) -> decltype(vineyard::build_string(
                                             static_cast<decltype(text)>(text))) { return {}; };
constexpr auto kArray =
    [](auto&& values) -> decltype(vineyard::build_array(static_cast<decltype(values)>(values))) {
  return {};
};
constexpr auto kTensor = [](auto&& values) -> decltype(vineyard::build_tensor(
                                               static_cast<decltype(values)>(values), {2})) {
  return {};
};
template <class T>
constexpr bool kText = std::is_invocable_v<decltype(kString), T>;
template <class T>
constexpr bool kRange = std::is_invocable_v<decltype(kArray), T>;
template <class T>
constexpr bool kShaped = std::is_invocable_v<decltype(kTensor), T>;
using Doubles = std::vector<double>;
using Pair = std::array<double, 2>;
static_assert(!kText<std::string> && !kText<const std::string> && !kText<vineyard::Text>);
static_assert(kText<std::string&> && kText<const std::string&> && kText<vineyard::Text&>);
static_assert(kText<std::string_view> && kText<const char*> && kText<const char (&)[3]>);
static_assert(!kRange<Doubles> && !kRange<const Doubles> && !kRange<Pair>);
static_assert(kRange<Doubles&> && kRange<const Doubles&> && kRange<Pair&> && kRange<double (&)[2]>);
static_assert(kRange<std::span<double>> && kRange<const std::span<const double, 2>>);
static_assert(kRange<vineyard::TensorView<double>> && kRange<std::initializer_list<double>&>);
static_assert(!kShaped<Doubles> && !kShaped<const Doubles> && !kShaped<Pair>);
static_assert(kShaped<Doubles&> && kShaped<const Doubles&> && kShaped<std::span<double>>);

class HppBuiltin : public WithClient {
 protected:
  Object Scalar(const FieldValue& value, const char* type) {
    MetaBuilder builder("vineyard::Scalar");
    builder.set("value_", value).set("value_type_", type).set("scalar_kind_", "numpy");
    return client_.get(client_.put(builder));
  }
  static std::vector<std::string> Names(const Object& object) {
    std::vector<std::string> names;
    for (auto [name, value] : object.fields()) names.emplace_back(name);
    for (auto [name, id] : object.members()) names.emplace_back(name);
    return names;
  }
};

TEST_F(HppBuiltin, TextIsAFieldUpTo16KiBAndABlobAbove) {
  for (const std::string& text : {std::string(), OddText(), std::string(kLeaf, 't')}) {
    Object object = client_.get(client_.put_string(text));
    EXPECT_EQ(object.type_name(), "vineyard::String");
    EXPECT_EQ(Names(object), std::vector<std::string>{"value_"});
    EXPECT_EQ(object.as_string(), text);
  }
  std::string text = OddText() + std::string(kLeaf, 't');
  Object object = client_.get(client_.put_string(text));
  EXPECT_EQ(Names(object), std::vector<std::string>{"buffer_"});
  EXPECT_EQ(object.as_string(), text);
  vineyard::Text in_place = object.as_text();
  EXPECT_TRUE(vineyard::is_shared_memory(in_place.view().data(), in_place.view().size()));
  vineyard::Text moved = std::move(in_place);
  std::string_view view = moved;
  EXPECT_EQ(view, text);
}

TEST_F(HppBuiltin, TextThatIsNotUtf8IsRefusedAtEveryLength) {
  const std::string bad[] = {"\x80",
                             "\xc0\x80",
                             "\xc3",
                             "\xe0\x80\x80",
                             "\xed\xa0\x80",
                             "\xf0\x80\x80\x80",
                             "\xf4\x90\x80\x80",
                             "\xf5\x80\x80\x80",
                             "\xe2\x82",
                             "\xf0\x9f\x98",
                             "\xc3(",
                             "\xe2(\xa1",
                             "\xf0\x9f(\x80",
                             "\xff"};
  for (const std::string& bytes : bad) {
    EXPECT_ERROR(client_.put_string(bytes), InvalidError);
    EXPECT_ERROR(client_.put_string(std::string(kLeaf, 't') + bytes), InvalidError);
    EXPECT_ERROR(client_.put_string(bytes + std::string(kLeaf, 't')), InvalidError);
  }
  const std::string good[] = {
      "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",     "\xed\x9f\xbf",
      "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", std::string(1, '\0')};
  for (const std::string& bytes : good) {
    EXPECT_NO_THROW(client_.put_string(bytes));
    EXPECT_NO_THROW(client_.put_string(std::string(kLeaf, 't') + bytes));
  }
}

TEST_F(HppBuiltin, ScalarsComeBackAsWhatTheyWere) {
  const std::vector<std::string> names = {"value_", "value_type_", "scalar_kind_"};
  Object none = client_.get(client_.put_scalar(nullptr));
  EXPECT_EQ(Names(none), names);
  EXPECT_EQ(none.field<std::string>("scalar_kind_"), "python");
  EXPECT_TRUE(none.is_none());
  Object yes = client_.get(client_.put_scalar(true));
  EXPECT_TRUE(yes.as_bool());
  EXPECT_FALSE(yes.is_none());
  EXPECT_ERROR(yes.as_int64(), TypeError);
  for (std::int64_t number : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                              std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_EQ(client_.get(client_.put_scalar(number)).as_int64(), number);
  }
  Object most = client_.get(client_.put_scalar(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(most.field<std::string>("value_type_"), "int");
  EXPECT_EQ(most.as_uint64(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_ERROR(most.as_int64(), TypeError);
  Object seven = client_.get(client_.put_scalar(7u));
  EXPECT_EQ(seven.as_int64(), 7);
  EXPECT_EQ(seven.field("value_").type(), vineyard::FieldType::kInt64) << "as Python's int";
  EXPECT_ERROR(client_.get(client_.put_scalar(-7)).as_uint64(), TypeError);
  Object half = client_.get(client_.put_scalar(0.5f));
  EXPECT_EQ(half.as_float64(), 0.5);
  EXPECT_ERROR(half.as_int64(), TypeError);
  EXPECT_ERROR(seven.as_float64(), TypeError);
  EXPECT_TRUE(std::signbit(client_.get(client_.put_scalar(-0.0)).as_float64()));
  EXPECT_TRUE(std::isnan(client_.get(client_.put_scalar(std::nan(""))).as_float64()));
  Object complex = client_.get(client_.put_scalar(std::complex<double>(1, -2)));
  EXPECT_EQ(complex.field<std::string>("value_type_"), "complex");
  EXPECT_EQ(complex.as_complex(), std::complex<double>(1, -2));
  EXPECT_ERROR(complex.as_float64(), TypeError);
  EXPECT_ERROR(half.as_complex(), TypeError);
}

TEST_F(HppBuiltin, ScalarsOfNumpyAreReadByTheirBits) {
  EXPECT_EQ(Scalar(0x3c00, "float16").as_float64(), 1.0);
  EXPECT_EQ(Scalar(0xbf800000u, "float32").as_float64(), -1.0);
  EXPECT_ERROR(Scalar(0x3c00, "float16").as_int64(), TypeError);
  EXPECT_EQ(Scalar(2.5, "float64").as_float64(), 2.5);
  EXPECT_EQ(Scalar(-3, "int8").as_int64(), -3);
  EXPECT_EQ(Scalar(200, "uint8").as_uint64(), 200u);
  EXPECT_TRUE(Scalar(true, "bool").as_bool());
  EXPECT_EQ(Scalar(FieldValue::List{0x3f800000, 0x40000000}, "complex64").as_complex(),
            std::complex<double>(1, 2));
  EXPECT_EQ(Scalar(FieldValue::List{1.5, -2.0}, "complex128").as_complex(),
            std::complex<double>(1.5, -2));
}

TEST_F(HppBuiltin, WhatIsSomethingElseIsATypeErrorThatSaysWhat) {
  Object text = client_.get(client_.put_string("text"));
  Object number = client_.get(client_.put_scalar(1));
  EXPECT_ERROR(text.as_int64(), TypeError);
  EXPECT_ERROR(text.is_none(), TypeError);
  EXPECT_ERROR(number.as_string(), TypeError);
  EXPECT_ERROR(Scalar(FieldValue::Bytes(9), "bigint").as_int64(), TypeError);
  try {
    number.as_string();
  } catch (const vineyard::TypeError& error) {
    std::string said = error.what();
    EXPECT_NE(said.find("vineyard::Scalar"), std::string::npos) << said;
    EXPECT_NE(said.find(vineyard::print_id(number.id())), std::string::npos) << said;
  }
}

TEST_F(HppBuiltin, ArraysAndTextAreMembersOfATree) {
  const std::vector<float> prices = {1.5f, 2.5f};
  Object object = client_.get(client_.put(MetaBuilder("example::Ticker")
                                              .set("symbol", "VY")
                                              .add("prices", vineyard::build_array(prices))
                                              .add("notes", vineyard::build_string("note"))
                                              .add("lots", vineyard::build_scalar(3))));
  EXPECT_EQ(object.member("prices").tensor<float>()[1], 2.5f);
  EXPECT_EQ(object.member("notes").as_string(), "note");
  EXPECT_EQ(object.member("lots").as_int64(), 3);
}

}  // namespace
}  // namespace vineyard_hpp

// Arrays of every element type, from C++ and back.
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

using vineyard::Element;
using vineyard::Float16;
using vineyard::MetaBuilder;
using vineyard::Object;
using vineyard::Order;

template <class... Types>
int CountReadable(const Object& object) {
  auto is_readable = [&](auto as) {
    try {
      object.tensor<decltype(as)>();
      return 1;
    } catch (const vineyard::TypeError&) {
      return 0;
    }
  };
  return (is_readable(Types{}) + ...);
}

// As how many of the element types an array can be read.
int ReadableTypes(const Object& object) {
  return CountReadable<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                       std::uint16_t, std::uint32_t, std::uint64_t, Float16, float, double, bool,
                       std::complex<float>, std::complex<double>>(object);
}

template <class T>
class HppTensorOf : public WithClient {
 protected:
  static std::vector<T> Values() {
    if constexpr (std::is_same_v<T, bool>) {
      return {};
    } else if constexpr (std::is_same_v<T, Float16>) {
      return {{0x0000}, {0x8000}, {0x3c00}, {0x7bff}, {0x7e01}, {0xfc00}};
    } else {
      return {T(0), T(1), std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max(),
              T(2), T(3)};
    }
  }
};
using Elements = testing::Types<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                                std::uint16_t, std::uint32_t, std::uint64_t, long long, Float16,
                                float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(HppTensorOf, Elements);

TYPED_TEST(HppTensorOf, ElementsAreReadInPlaceAndAsNothingElse) {
  const std::vector<TypeParam> values = this->Values();
  Object object = this->client_.get(this->client_.put_tensor(values, {2, 3}));
  vineyard::TensorView<TypeParam> tensor = object.tensor<TypeParam>();
  ASSERT_EQ(tensor.size(), 6u);
  EXPECT_EQ(vineyard::text_of(object.tensor().bytes()),
            vineyard::text_of(vineyard::bytes_of(values)));
  EXPECT_EQ(static_cast<const void*>(tensor.data()), object.tensor().bytes().data());
  EXPECT_TRUE(vineyard::is_shared_memory(tensor.data(), 6 * sizeof(TypeParam)));
  EXPECT_EQ(tensor.element(), vineyard::element_of_v<TypeParam>);
  EXPECT_EQ(vineyard::element_size(tensor.element()), sizeof(TypeParam));
  EXPECT_EQ(object.field<std::string>("value_type_"), vineyard::element_name(tensor.element()));
  EXPECT_EQ(ReadableTypes(object), 1);
}

class HppTensor : public WithClient {};

TEST_F(HppTensor, BoolsAreBytes) {
  const bool values[] = {true, false, true};
  Object object = client_.get(client_.put_array(values));
  vineyard::TensorView<bool> tensor = object.tensor<bool>();
  EXPECT_TRUE(tensor[0] && !tensor[1] && tensor[2]);
  EXPECT_EQ(object.field<std::string>("value_type_"), "bool");
}

// Regression: a reader in C++ looked at them as bool, which such bytes may not be.
TEST_F(HppTensor, ABoolThatSomebodyWroteAsAnotherByteThanOneIsTrue) {
  vineyard::BlobWriter writer = client_.create_blob(4);
  const std::uint8_t bytes[] = {0, 1, 2, 255};
  std::memcpy(writer.data(), bytes, sizeof bytes);
  Object object = client_.get(client_.put(vineyard::build_tensor<bool>(writer, {2, 2})));
  vineyard::TensorView<bool> tensor = object.tensor<bool>();
  static_assert(std::is_same_v<decltype(tensor)::value_type, vineyard::Bool>);
  EXPECT_EQ(std::vector<bool>(tensor.begin(), tensor.end()),
            (std::vector<bool>{false, true, true, true}));
  EXPECT_EQ(int{tensor(1, 0)} + int{tensor.at(1, 1)}, 2);
  const vineyard::Blob blob = object.member_blob("buffer_");
  EXPECT_TRUE(!blob.as<bool>()[0] && blob.as<bool>()[2]);
  EXPECT_EQ(tensor[3].byte, 255) << "and the byte is there for those who want it";
  int trues = 0;
  for (bool value : tensor.values()) trues += value ? 1 : 0;
  EXPECT_EQ(trues, 3);
}

// Field for field what python/vineyard/data/tensor.py writes.
TEST_F(HppTensor, TheRecordIsThatOfPython) {
  const std::pair<Element, const char*> descriptors[] = {
      {Element::kInt8, "|i1"},      {Element::kInt16, "<i2"},      {Element::kInt32, "<i4"},
      {Element::kInt64, "<i8"},     {Element::kUint8, "|u1"},      {Element::kUint16, "<u2"},
      {Element::kUint32, "<u4"},    {Element::kUint64, "<u8"},     {Element::kFloat16, "<f2"},
      {Element::kFloat32, "<f4"},   {Element::kFloat64, "<f8"},    {Element::kBool, "|b1"},
      {Element::kComplex64, "<c8"}, {Element::kComplex128, "<c16"}};
  for (auto [element, descriptor] : descriptors) {
    EXPECT_EQ(vineyard::detail::descriptor_of(element), descriptor);
  }
  Object object = client_.get(client_.put_tensor(std::vector<double>(6, 0.5), {2, 3}));
  EXPECT_EQ(object.type_name(), "vineyard::Tensor");
  std::vector<std::pair<std::string, vineyard::FieldValue>> fields;
  for (auto [name, value] : object.fields()) fields.emplace_back(name, value);
  using List = vineyard::FieldValue::List;
  // msgpack has one form of a number at or above 0: it is read as unsigned.
  const std::vector<std::pair<std::string, vineyard::FieldValue>> expected = {
      {"value_type_", "float64"},
      {"shape_", fields.at(1).second},
      {"order_", "C"},
      {"value_type_meta_", "<f8"},
      {"partition_index_", List{}}};
  EXPECT_EQ(fields, expected);
  EXPECT_EQ(object.field("shape_").at(std::size_t{0}).as_int64(), 2);
  EXPECT_EQ(object.field("shape_").at(1).as_int64(), 3);
  EXPECT_EQ(object.members().size(), 1u);
  EXPECT_EQ(object.member_blob("buffer_").kind(), vineyard::PayloadKind::kBuffer);
  EXPECT_EQ(client_.get(client_.put_array(std::vector<int>{1})).type_name(), "vineyard::Array");
}

TEST_F(HppTensor, IndexesFollowTheOrder) {
  const int rows[] = {0, 1, 2, 10, 11, 12}, columns[] = {0, 10, 1, 11, 2, 12};
  Object c = client_.get(client_.put_tensor(rows, {2, 3}));
  Object f = client_.get(client_.put_tensor(columns, {2, 3}, Order::kFortran));
  EXPECT_EQ(c.tensor().order(), Order::kC);
  EXPECT_EQ(f.tensor().order(), Order::kFortran);
  EXPECT_EQ(f.field<std::string>("order_"), "F");
  for (const Object* object : {&c, &f}) {
    vineyard::TensorView<int> tensor = object->tensor<int>();
    EXPECT_EQ(tensor.dimensions(), 2u);
    EXPECT_EQ(tensor.shape()[1], 3);
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 3; ++j) {
        EXPECT_EQ(tensor(i, j), 10 * i + j);
        EXPECT_EQ(tensor.at(i, j), 10 * i + j);
      }
    }
    EXPECT_ERROR(tensor.at(2, 0), InvalidError);
    EXPECT_ERROR(tensor.at(0, 3), InvalidError);
    EXPECT_ERROR(tensor.at(-1, 0), InvalidError);
    EXPECT_ERROR(tensor.at(0), InvalidError);
    EXPECT_ERROR(tensor.at(0, 0, 0), InvalidError);
  }
  const std::vector<int> cube(2 * 3 * 4, 7);
  EXPECT_EQ(client_.get(client_.put_tensor(cube, {2, 3, 4})).tensor<int>().at(1, 2, 3), 7);
}

TEST_F(HppTensor, WhatHasBothOrdersIsC) {
  const std::vector<int> three = {1, 2, 3};
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{3}, {1, 3}, {3, 1}, {1, 3, 1}}) {
    Object object = client_.get(client_.put_tensor(three, shape, Order::kFortran));
    EXPECT_EQ(object.field<std::string>("order_"), "C");
  }
  Object empty = client_.get(client_.put_tensor(std::vector<int>(), {2, 0, 2}, Order::kFortran));
  EXPECT_EQ(empty.field<std::string>("order_"), "C");
  EXPECT_TRUE(empty.tensor<int>().empty());
  EXPECT_EQ(empty.tensor().dimensions(), 3u);
  EXPECT_EQ(empty.tensor<int>().begin(), empty.tensor<int>().end());
}

TEST_F(HppTensor, OneElementMayHaveNoDimension) {
  Object object = client_.get(client_.put_tensor(std::vector<double>{2.5}, {}));
  vineyard::TensorView<double> tensor = object.tensor<double>();
  EXPECT_EQ(object.type_name(), "vineyard::Tensor");
  EXPECT_EQ(tensor.dimensions(), 0u);
  EXPECT_TRUE(tensor.shape().empty());
  EXPECT_EQ(tensor.size(), 1u);
  EXPECT_EQ(tensor(), 2.5);
  EXPECT_EQ(tensor.at(), 2.5);
}

TEST_F(HppTensor, AShapeThatIsNotThatOfItsValuesIsRefused) {
  const std::vector<int> six(6);
  EXPECT_ERROR(client_.put_tensor(six, {2, 2}), InvalidError);
  EXPECT_ERROR(client_.put_tensor(six, {-2, -3}), InvalidError);
  EXPECT_ERROR(client_.put_tensor(six, {}), InvalidError);
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_ERROR(client_.put_tensor(six, {huge, huge, 6}), InvalidError);
  EXPECT_NO_THROW(client_.put_tensor(std::vector<int>(), {0, huge}));
}

TEST_F(HppTensor, IsWrittenInPlace) {
  vineyard::BlobWriter writer = client_.create_blob(6 * sizeof(double));
  for (double& value : writer.as<double>()) value = 2.5;
  EXPECT_ERROR(vineyard::build_tensor<double>(writer, {7}), InvalidError);
  EXPECT_ERROR(vineyard::build_tensor<std::complex<double>>(writer, {2, 2}), InvalidError);
  Object object = client_.get(client_.put(vineyard::build_tensor<double>(writer, {2, 3})));
  EXPECT_EQ(object.tensor<double>().at(1, 2), 2.5);
  EXPECT_EQ(object.member_id("buffer_"), writer.id());
  EXPECT_EQ(client_.statistics().copied_payload_bytes, 0u);
  writer = vineyard::BlobWriter();
  EXPECT_ERROR(vineyard::build_tensor<double>(writer, {2, 3}), InvalidError);
}

TEST_F(HppTensor, AnArrayMayBeginInsideItsBlob) {
  const double values[] = {0, 1, 2, 3};
  auto build = [&](std::int64_t offset) {
    vineyard::FieldValue shape = vineyard::FieldValue::List{2};
    MetaBuilder builder("vineyard::Array");
    builder.set("value_type_", "float64").set("shape_", shape).set("order_", "C");
    builder.set("offset_", offset);
    builder.add_bytes("buffer_", vineyard::span<const std::byte>(
                                     reinterpret_cast<const std::byte*>(values), sizeof values));
    return client_.get(client_.put(builder));
  };
  Object part = build(8);
  EXPECT_EQ(part.tensor<double>()[1], 2.0);
  Object crooked = build(4);
  EXPECT_ERROR(crooked.tensor<double>(), TypeError);
  EXPECT_EQ(crooked.tensor().bytes().size(), 16u);
  Object behind = build(24);
  EXPECT_ERROR(behind.tensor<double>(), CorruptError);
}

TEST_F(HppTensor, AShapeWithAZeroHasNoElementHoweverLargeTheOthersAre) {
  constexpr std::int64_t kLarge = std::int64_t{1} << 40;
  const std::vector<double> none;
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{0, kLarge, kLarge}, {kLarge, 0, kLarge}, {kLarge, kLarge, 0}}) {
    Object object = client_.get(client_.put_tensor(none, shape));
    EXPECT_EQ(object.tensor<double>().size(), 0u);
  }
  EXPECT_ERROR(client_.put_tensor(none, {kLarge, kLarge}), InvalidError);
}

TEST_F(HppTensor, WhatIsNoArrayIsATypeError) {
  Object text = client_.get(client_.put_string("text"));
  EXPECT_ERROR(text.tensor<double>(), TypeError);
  EXPECT_ERROR(text.tensor(), TypeError);
  MetaBuilder other("vineyard::Array");
  other.set("value_type_", "other").set("shape_", vineyard::FieldValue::List{2});
  other.add_bytes("buffer_", vineyard::bytes_of("0123456789abcdef"));
  Object times = client_.get(client_.put(other));
  EXPECT_EQ(times.tensor().element(), Element::kOther);
  EXPECT_EQ(vineyard::text_of(times.tensor().bytes()), "0123456789abcdef");
  EXPECT_ERROR(times.tensor<std::int64_t>(), TypeError);
}

// The bits that IEEE 754 gives each of them: by arithmetic, but for what is no number.
TEST(HppFloat16, EveryOneOfThemIsExactAsAFloat) {
  for (unsigned bits = 0; bits < 0x10000u; ++bits) {
    const unsigned exponent = bits / 1024 % 32, fraction = bits % 1024;
    std::uint32_t wanted = 0x7f800000u | fraction * 8192;
    if (exponent < 31) {
      const int power = static_cast<int>(exponent) - 25;
      const double size =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, power);
      wanted = std::bit_cast<std::uint32_t>(static_cast<float>(size));
    }
    if (bits >= 0x8000u) wanted |= 0x80000000u;
    const float value = static_cast<float>(Float16{static_cast<std::uint16_t>(bits)});
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), wanted) << bits;
  }
}

TEST(HppFloat16, IsTheFloatItSays) {
  const std::pair<std::uint16_t, float> known[] = {
      {0x0000, 0.0f},           {0x3c00, 1.0f},           {0xc000, -2.0f},
      {0x7bff, 65504.f},        {0x0400, 6.1035156e-05f}, {0x0001, 5.9604645e-08f},
      {0x03ff, 6.0975552e-05f}, {0x3555, 0.33325195f},    {0x7c00, INFINITY},
      {0xfc00, -INFINITY}};
  for (auto [bits, value] : known) EXPECT_EQ(static_cast<float>(Float16{bits}), value) << bits;
  EXPECT_TRUE(std::signbit(static_cast<float>(Float16{0x8000})));
  EXPECT_TRUE(std::isnan(static_cast<float>(Float16{0x7e00})));
}

}  // namespace
}  // namespace vineyard_hpp

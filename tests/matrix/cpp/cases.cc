// This file is the only place that makes the values of the cases in C++, as a person would write them.
#include <cstring>
#include <iostream>
#include <limits>
#include <numeric>

#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace)

using Cases = std::vector<std::pair<std::string, Value>>;

// Bytes that differ where they stand: byte i is (7 i + i / 256) mod 256.
std::string Pattern(size_t size) {
  std::string made(size, '\0');
  for (size_t i = 0; i < size; ++i) made[i] = static_cast<char>(7 * i + i / 256);
  return made;
}

double Double(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// The bytes of numbers.
template <typename T>
std::string Raw(const std::vector<T>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T)};
}

template <typename T>
std::vector<T> Range(size_t count) {
  std::vector<T> made(count);
  std::iota(made.begin(), made.end(), T{0});
  return made;
}

std::string Repeated(const std::string& part, int times) {
  std::string made;
  for (int i = 0; i < times; ++i) made += part;
  return made;
}

Text TextOf(std::string text) { return {Buffer(std::move(text))}; }
Bytes BytesOf(std::string bytes, int32_t kind = VINEYARD_BLOB_BYTES) {
  return {Buffer(std::move(bytes)), kind};
}
BigInt BigIntOf(std::string bytes) { return {std::move(bytes)}; }
// 10 to the power of 30.
BigInt TenTo30() { return BigIntOf("\x0c\x9f\x2c\x9c\xd0\x46\x74\xed\xea\x40\0\0\0"s); }

Cases Scalars() {
  Cases cases = {
      {"none", {}},
      {"bool_true", true},
      {"bool_false", false},
      {"int_zero", 0},
      {"int_minus_one", -1},
      {"int_255", 255},
      {"int_int64_least", std::numeric_limits<int64_t>::min()},
      {"int_int64_greatest", std::numeric_limits<int64_t>::max()},
      {"int_2_63", uint64_t{1} << 63},
      {"int_uint64_greatest", std::numeric_limits<uint64_t>::max()},
      {"bigint_2_64", BigIntOf("\1"s + std::string(8, '\0'))},
      {"bigint_below_int64", BigIntOf("\xff\x7f"s + std::string(7, '\xff'))},
      {"bigint_2_127", BigIntOf("\0\x80"s + std::string(15, '\0'))},
      {"bigint_minus_2_127", BigIntOf("\x80"s + std::string(15, '\0'))},
      {"bigint_10_50",
       BigIntOf("\x44\x6c\x3b\x15\xf9\x92\x66\x87\xd2\xc4\x05\x34\xfd\xb5\x64\0\0\0\0\0\0"s)},
      {"bigint_minus_10_50",
       BigIntOf("\xbb\x93\xc4\xea\x06\x6d\x99\x78\x2d\x3b\xfa\xcb\x02\x4a\x9c\0\0\0\0\0\0"s)},
      {"float_zero", 0.0},
      {"float_minus_zero", -0.0},
      {"float_1_5", 1.5},
      {"float_inf", std::numeric_limits<double>::infinity()},
      {"float_minus_inf", -std::numeric_limits<double>::infinity()},
      {"float_nan", Double(0x7ff8000000000000)},
      {"float_nan_payload", Double(0x7ff8000000000123)},
      {"float_nan_signalling", Double(0xfff0000000000001)},
      {"float_least", std::numeric_limits<double>::denorm_min()},
      {"float_greatest", std::numeric_limits<double>::max()},
      {"complex", std::complex<double>(1, 2)},
      {"complex_edges", std::complex<double>(-0.0, Double(0x7ff8000000000123))},
      {"numpy_bool", Numpy{"bool", true}},
      {"numpy_float16", Numpy{"float16", uint64_t{0x3e00}}},
      {"numpy_float16_nan", Numpy{"float16", uint64_t{0x7e23}}},
      {"numpy_float32", Numpy{"float32", uint64_t{0x3fc00000}}},
      {"numpy_float32_minus_zero", Numpy{"float32", uint64_t{0x80000000}}},
      {"numpy_float32_nan", Numpy{"float32", uint64_t{0x7fc00123}}},
      {"numpy_float64", Numpy{"float64", -2.25}},
      {"numpy_complex64", Numpy{"complex64", uint64_t{0x3fc00000}, uint64_t{0x80000000}}},
      {"numpy_complex128", Numpy{"complex128", 1.5, -0.0}},
  };
  for (int bits : {8, 16, 32, 64}) {
    std::string of = std::to_string(bits);
    int64_t least = std::numeric_limits<int64_t>::min() >> (64 - bits);
    uint64_t greatest = std::numeric_limits<uint64_t>::max() >> (64 - bits);
    cases.emplace_back("numpy_int" + of + "_least", Numpy{"int" + of, least});
    cases.emplace_back("numpy_int" + of + "_greatest", Numpy{"int" + of, ~least});
    cases.emplace_back("numpy_uint" + of + "_greatest", Numpy{"uint" + of, greatest});
  }
  return cases;
}

Cases TextsAndBytes() {
  Cases cases = {
      {"str_empty", ""},
      {"str_ascii", "text"},
      {"str_nul", TextOf("NUL \0 inside"s)},
      {"str_emoji", "\U0001f347 \U0010ffff \u00e9"},
      {"str_last_of_each_length", "\u007f\u0080\u07ff\u0800\uffff\U00010000"},
      {"str_escapes", "\"\\\n\t\x01/'\x7f"},
      {"str_16384", TextOf(Repeated("x", 16384))},
      {"str_16385", TextOf(Repeated("x", 16385))},
      {"str_e_8192", TextOf(Repeated("\u00e9", 8192))},
      {"str_e_8193", TextOf(Repeated("\u00e9", 8193))},
      {"str_long", TextOf(Repeated("grape \U0001f347 ", 9091))},
      {"bytes_hello", BytesOf("Hello, World!")},
      {"bytes_100000", BytesOf(Pattern(100000))},
  };
  for (size_t size : {0, 1, 255, 256, 65535, 65536, 65537}) {
    std::string of = std::to_string(size);
    cases.emplace_back("bytes_" + of, BytesOf(Pattern(size)));
    cases.emplace_back("bytearray_" + of, BytesOf(Pattern(size), VINEYARD_BLOB_BYTEARRAY));
  }
  for (size_t size : {0, 1, 65536, 100000}) {
    cases.emplace_back("buffer_" + std::to_string(size),
                       BytesOf(Pattern(size), VINEYARD_BLOB_BUFFER));
  }
  return cases;
}

Cases Containers() {
  auto bytes = std::make_shared<const Value>(BytesOf("shared"));
  auto inner = std::make_shared<const Value>(List{{bytes}});
  List members, fields;
  for (uint32_t i = 0; i < 10000; ++i) {
    members.elements.push_back(BytesOf(Raw<uint32_t>({i})));
    fields.elements.push_back(int64_t{i});
  }
  Value deep = "leaf";
  for (int level = 0; level < 50; ++level) {
    if (level % 2 == 1) {
      deep = List{{std::move(deep), level}};
    } else {
      deep = Dict{{"below", std::move(deep)}};
    }
  }
  return {
      {"tuple_empty", Tuple{}},
      {"tuple_one", Tuple{{1}}},
      {"tuple_two", Tuple{{1, "b"}}},
      {"tuple_three", Tuple{{1, "b", Value()}}},
      {"pair_of_members", Tuple{{List{{1}}, BytesOf("second")}}},
      {"list_empty", List{}},
      {"list_of_two", List{{1, 2}}},
      {"list_leaves", List{{Value(), true, false, -1, std::numeric_limits<uint64_t>::max(),
                            std::numeric_limits<int64_t>::min(), 1.5, -0.0, "s", ""}}},
      {"list_scalars",
       List{{TenTo30(), 1, std::complex<double>(1, -2), "s", Numpy{"float32", uint64_t{0}}}}},
      {"list_of_texts", List{{TextOf(Repeated("x", 16384)), TextOf(Repeated("x", 16385))}}},
      {"list_of_bytes", List{{BytesOf(""), BytesOf("a"), BytesOf("b", VINEYARD_BLOB_BYTEARRAY),
                              BytesOf("c", VINEYARD_BLOB_BUFFER)}}},
      {"list_shared", List{{inner, inner, bytes}}},
      {"list_of_arrays",
       List{{Array{"int16", {2}, Raw<int16_t>({-1, 2})}, Array{"bool", {1}, "\1"}}}},
      {"list_10000_members", std::move(members)},
      {"list_10000_fields", std::move(fields)},
      {"tree_50_deep", std::move(deep)},
      {"dict_empty", Dict{}},
      {"dict_order", Dict{{"z", 1, "a", 2, "m", 3}}},
      {"dict_keys", Dict{{Value(), 0, true, 1, -7, 2, 1.5, 3, "", 4, BytesOf("k"), 5, Tuple{{1, 2}},
                          6, TenTo30(), 7, std::complex<double>(0, 2), 8}}},
      {"dict_values", Dict{{"i", 1, "l", List{{1, 2}}, "b", BytesOf("bytes"), "n",
                            Dict{{"a", Value()}}, "c", std::complex<double>(0, 1)}}},
      {"dict_unicode", Dict{{"\U0001f347", "grape", TextOf("\xc3\xa9 \0"s), "accent and NUL"}}},
      {"mixed", Dict{{"t", Tuple{{1, 2, List{{3, Tuple{{4}}}}}}, "d", Dict{{"e", Dict{}}}, "s",
                      List{{"x", Tuple{{"y", "z"}}}}, "none", List{{Value()}}}}},
  };
}

template <typename T>
void AddIntegers(Cases* cases) {
  constexpr T kLeast = std::numeric_limits<T>::min(), kGreatest = std::numeric_limits<T>::max();
  std::string type = (kLeast < 0 ? "int" : "uint") + std::to_string(8 * sizeof(T));
  std::vector<T> numbers = {0, 1, kGreatest};
  if (kLeast < 0) numbers = {kLeast, kGreatest, 0, 1, static_cast<T>(-1), 2};
  auto count = static_cast<int64_t>(numbers.size());
  cases->emplace_back("array_" + type, Array{type, {count}, Raw(numbers)});
}

Cases Arrays() {
  Cases cases = {
      {"array_bool", Array{"bool", {5}, "\1\0\1\1\0"s}},
      {"array_float16", Array{"float16", {4}, Raw<uint16_t>({0x3e00, 0x8000, 0x7c00, 0x7e23})}},
      {"array_float32",
       Array{"float32", {5}, Raw<uint32_t>({0x3fc00000, 1u << 31, 0x7f800000, 0x7fc00123, 1})}},
      {"array_float64", Array{"float64",
                              {5},
                              Raw<double>({1.5, -0.0, -std::numeric_limits<double>::infinity(),
                                           Double(0x7ff8000000000123), Double(1)})}},
      {"array_complex64",
       Array{"complex64", {2}, Raw<std::complex<float>>({{1.5f, -2.0f}, {-0.0f, 4.0f}})}},
      {"array_complex128",
       Array{"complex128", {2}, Raw<std::complex<double>>({{1.5, -2.0}, {-0.0, 4.0}})}},
      {"array_empty", Array{"float64", {0}, ""}},
      {"array_20000", Array{"int64", {20000}, Raw(Range<int64_t>(20000))}},
      {"tensor_c", Array{"int32", {2, 3}, Raw(Range<int32_t>(6))}},
      {"tensor_f", Array{"int32", {2, 3}, Raw(Range<int32_t>(6)), true}},
      {"tensor_3_f", Array{"float64", {2, 3, 4}, Raw(Range<double>(24)), true}},
      {"tensor_0", Array{"float64", {}, Raw<double>({2.5})}},
      {"tensor_empty", Array{"uint8", {2, 0, 3}, ""}},
      {"tensor_8", Array{"uint8", {1, 2, 1, 2, 1, 2, 1, 2}, Raw(Range<uint8_t>(16))}},
  };
  AddIntegers<int8_t>(&cases);
  AddIntegers<int16_t>(&cases);
  AddIntegers<int32_t>(&cases);
  AddIntegers<int64_t>(&cases);
  AddIntegers<uint8_t>(&cases);
  AddIntegers<uint16_t>(&cases);
  AddIntegers<uint32_t>(&cases);
  AddIntegers<uint64_t>(&cases);
  return cases;
}

// ---- metadata that is built by hand ----

void AddBytes(MetaBuilder* meta, const char* name, std::string_view bytes,
              vineyard::PayloadKind kind = vineyard::PayloadKind::kBytes) {
  meta->add_bytes(name, vineyard::bytes_of(bytes), kind);
}

void PutRegistered(const Client& client) {
  MetaBuilder sequence("vineyard::Sequence");
  SetValue(&sequence, "__elements_-size", Field(int64_t{2}));
  SetValue(&sequence, "__elements_-0", Field(int64_t{7}));
  AddBytes(&sequence, "__elements_-1", "seven");
  Put(client, "sequence", sequence);

  MetaBuilder list("vineyard::List");
  SetValue(&list, "__elements_-size", Field(int64_t{2}));
  MetaBuilder number = Encode(7), text = Encode("seven");
  list.add("__elements_-0", number).add("__elements_-1", text);
  Put(client, "list_leaf_members", list);

  std::string six = Raw(Range<int32_t>(6));
  const std::vector<vineyard_value> shape = {Field(int64_t{6})};
  MetaBuilder array("vineyard::Array");
  SetValue(&array, "value_type_", Field(std::string_view("int32")));
  SetValue(&array, "shape_", Field(shape));
  SetValue(&array, "my_note_", Field(std::string_view("ignore me")));
  AddBytes(&array, "buffer_", six, vineyard::PayloadKind::kBuffer);
  Put(client, "array_least_fields", array);

  MetaBuilder tensor("vineyard::Tensor<int32>");
  SetArrayFields(&tensor, Array{"int32", {2, 3}, ""});
  AddBytes(&tensor, "buffer_", six, vineyard::PayloadKind::kBuffer);
  Put(client, "tensor_parameters", tensor);

  // Elements 6 to 10 of an array of 20: a link to its blob.
  std::string numbers = Raw(Range<int64_t>(20));
  ObjectId whole = client.put_bytes(numbers);
  MetaBuilder part("vineyard::Array");
  SetArrayFields(&part, Array{"int64", {5}, ""});
  SetValue(&part, "offset_", Field(int64_t{6 * 8}));
  part.add("buffer_", whole);
  Put(client, "array_part", part);
}

void PutOwn(const Client& client) {
  using Items = std::vector<vineyard_value>;
  auto text = [](std::string_view of) { return Field(of); };
  const vineyard_value null = FieldOf(VINEYARD_VALUE_NULL);
  const std::string_view grape = "\U0001f347";

  MetaBuilder every("my::Every");
  const std::string mixed = "NUL \0 and "s + std::string(grape);
  const Items three = {Field(int64_t{3}), FieldOf(VINEYARD_VALUE_LIST)};
  const Items two = {Field(int64_t{2}), Field(three)};
  const Items k = {text("k"), null};
  const Items list = {Field(int64_t{1}), Field(two), Field(k, VINEYARD_VALUE_MAP)};
  const Items deepest = {Field(1.5), text("d"), Field("e", VINEYARD_VALUE_BYTES)};
  const Items c = {text("c"), Field(deepest)};
  const Items b = {text("b"), Field(c, VINEYARD_VALUE_MAP)};
  const Items map = {text("a"), Field(b, VINEYARD_VALUE_MAP), text(""),
                     FieldOf(VINEYARD_VALUE_MAP)};
  const std::pair<const char*, vineyard_value> fields[] = {
      {"null", null},
      {"yes", Field(true)},
      {"no", Field(false)},
      {"least", Field(std::numeric_limits<int64_t>::min())},
      {"greatest", Field(std::numeric_limits<uint64_t>::max())},
      {"zero", Field(int64_t{0})},
      {"float", Field(Double(0x7ff8000000000123))},
      {"text", text(mixed)},
      {"bytes", Field(std::string_view("\0\xff", 2), VINEYARD_VALUE_BYTES)},
      {"no bytes", FieldOf(VINEYARD_VALUE_BYTES)},
      {"list", Field(list)},
      {"map", Field(map, VINEYARD_VALUE_MAP)},
  };
  for (const auto& [name, value] : fields) SetValue(&every, name, value);
  Put(client, "meta_every_value", every);
  Put(client, "meta_empty", MetaBuilder("my::Nothing"));

  MetaBuilder unicode("mein::Gro\u00dfer \U0001f347");
  const Items numbers = {Field(int64_t{1}), Field(int64_t{2})};
  SetValue(&unicode, "gr\u00f6\u00dfe", Field(int64_t{1}));
  SetValue(&unicode, "\U0001f347", text("grape"));
  SetValue(&unicode, "\u957f\u5ea6", Field(numbers));
  AddBytes(&unicode, "\u6210\u5458", "m");
  MetaBuilder one = Encode(List{{1}});
  unicode.add("\u00e9\u0301", one);
  Put(client, "meta_unicode", unicode);

  const std::string bytes = Pattern(20000), long_text = Repeated("y", 20000);
  MetaBuilder long_fields("my::Long");
  SetValue(&long_fields, "bytes", Field(bytes, VINEYARD_VALUE_BYTES));
  SetValue(&long_fields, "text", Field(long_text));
  Put(client, "meta_long_field", long_fields);
}

}  // namespace

void WriteCases(const Client& client) {
  for (const Cases& cases : {Scalars(), TextsAndBytes(), Containers(), Arrays()}) {
    for (const auto& [name, value] : cases) Put(client, name, Encode(value));
  }
  PutRegistered(client);
  PutOwn(client);
}

}  // namespace matrix

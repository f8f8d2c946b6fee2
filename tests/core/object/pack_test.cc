#include "core/object/pack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace vineyard {
namespace {

std::string Pack(const Value& value) {
  std::string bytes;
  Packer(&bytes).Any(value);
  return bytes;
}

bool Same(const Value& a, const Value& b) {
  if (a.type != b.type || a.size != b.size) return false;
  switch (a.type) {
    case ValueType::kNull:
      return true;
    case ValueType::kBool:
      return a.as.boolean == b.as.boolean;
    case ValueType::kString:
    case ValueType::kBytes:
      return a.text() == b.text();
    case ValueType::kList:
    case ValueType::kMap:
      for (uint64_t i = 0; i < (a.is(ValueType::kMap) ? 2 : 1) * a.size; ++i) {
        if (!Same(a.as.items[i], b.as.items[i])) return false;
      }
      return true;
    default:
      return a.as.uint64 == b.as.uint64;  // bit for bit
  }
}

void ExpectRoundTrip(const Value& value) {
  ASSERT_TRUE(CheckValue(value).ok());
  std::string bytes = Pack(value);
  Arena arena;
  auto read = Unpack(bytes, &arena);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_TRUE(Same(value, *read)) << "type " << static_cast<int>(value.type) << " came back as "
                                  << static_cast<int>(read->type);
}

Status UnpackStatus(std::string_view bytes) {
  Arena arena;
  return Unpack(bytes, &arena).status();
}

// `depth` lists, one inside the other.
struct Nested {
  explicit Nested(uint32_t depth) : levels(depth) {
    for (uint32_t i = 0; i < depth; ++i) {
      levels[i] = Value::List(i == 0 ? nullptr : &levels[i - 1], i == 0 ? 0 : 1);
    }
  }
  const Value& root() const { return levels.back(); }
  std::vector<Value> levels;
};

TEST(Pack, NullAndBoolsComeBack) {
  ExpectRoundTrip(Value::Null());
  ExpectRoundTrip(Value::Bool(true));
  ExpectRoundTrip(Value::Bool(false));
}

TEST(Pack, IntegersComeBackWithTheirSignedness) {
  std::vector<int64_t> edges = {INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, 0, -1};
  for (int bit = 0; bit < 63; ++bit) {
    int64_t power = int64_t{1} << bit;
    for (int64_t edge : {power - 1, power, power + 1}) {
      edges.push_back(edge);
      edges.push_back(-edge);
    }
  }
  for (int64_t edge : edges) {
    ExpectRoundTrip(Value::Int64(edge));
    ExpectRoundTrip(Value::Uint64(static_cast<uint64_t>(edge)));
  }
}

TEST(Pack, UnsignedAndSignedFiveDiffer) {
  EXPECT_NE(Pack(Value::Int64(5)), Pack(Value::Uint64(5)));
  EXPECT_EQ(Pack(Value::Uint64(5)), std::string("\xd7\x01\0\0\0\0\0\0\0\x05", 10));
}

TEST(Pack, UintForReadersOfNumbersIsShort) {
  std::string bytes;
  Packer(&bytes).Uint(5);
  EXPECT_EQ(bytes, "\x05");
}

TEST(Pack, FloatsComeBackBitForBit) {
  using Limits = std::numeric_limits<double>;
  for (double value :
       {0.5, 1e300, Limits::min(), Limits::max(), Limits::lowest(), Limits::denorm_min(),
        Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), Limits::signaling_NaN()}) {
    ExpectRoundTrip(Value::Float64(value));
  }
  ExpectRoundTrip(Value::Float64(std::bit_cast<double>(0xfff8dead00000001)));
}

// Found by the fuzzer: msgpack's own packer writes 2.0 as the integer 2.
TEST(Pack, WholeFloatsStayFloats) {
  for (double value : {0.0, -0.0, 1.0, -1.0, 2.0, 4503599627370496.0, -9223372036854775808.0,
                       9223372036854775808.0, 18446744073709551616.0}) {
    ExpectRoundTrip(Value::Float64(value));
  }
}

TEST(Pack, TextAndBytesComeBackAtEveryLengthClass) {
  for (size_t size : {0, 1, 31, 32, 255, 256, 65535, 65536, 100000}) {
    std::string text(size, 'x');
    ExpectRoundTrip(Value::String(text));
    ExpectRoundTrip(Value::Bytes(text));
  }
  ExpectRoundTrip(Value::String(std::string_view("a\0b", 3)));
  ExpectRoundTrip(Value::Bytes("\xff\xfe"));
}

TEST(Pack, NullPointersOfEmptyValuesAreFine) {
  ExpectRoundTrip(Value::String({}));
  ExpectRoundTrip(Value::Bytes({}));
  ExpectRoundTrip(Value::List(nullptr, 0));
  ExpectRoundTrip(Value::Map(nullptr, 0));
}

TEST(Pack, ListsAndMapsComeBackAtEveryLengthClass) {
  for (uint64_t size : {0, 1, 15, 16, 65535, 65536}) {
    std::vector<Value> items(2 * size);
    std::vector<std::string> keys(2 * size);
    for (uint64_t i = 0; i < 2 * size; ++i) {
      keys[i] = "key" + std::to_string(i);
      items[i] = i % 2 == 0 ? Value::String(keys[i]) : Value::Uint64(i);
    }
    ExpectRoundTrip(Value::List(items.data(), size));
    ExpectRoundTrip(Value::Map(items.data(), size));
  }
}

TEST(Pack, EmptyContainersInsideOthersComeBack) {
  Value inner[] = {Value::List(nullptr, 0), Value::Map(nullptr, 0), Value::Null()};
  Value list = Value::List(inner, 3);
  Value pairs[] = {Value::String("a"), list, Value::String("b"), Value::Map(nullptr, 0)};
  ExpectRoundTrip(Value::Map(pairs, 2));
}

TEST(Pack, DeepestValueComesBack) { ExpectRoundTrip(Nested(kMaxDepth).root()); }

TEST(Pack, RawIsOneValueAmongOthers) {
  std::string inner = Pack(Value::Float64(2.0)), bytes;
  Packer(&bytes).Array(2).Raw(inner).Null();
  Arena arena;
  auto read = Unpack(bytes, &arena);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->as.items[0].as.float64, 2.0);
  EXPECT_TRUE(read->as.items[1].is(ValueType::kNull));
}

// ---- Unpack ----

TEST(Unpack, PlainPositiveIntegerIsSignedWhenItFits) {
  Arena arena;
  auto small = Unpack(std::string_view("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9), &arena);
  auto large = Unpack(std::string_view("\xcf\x80\0\0\0\0\0\0\0", 9), &arena);
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_TRUE(small->is(ValueType::kInt64));
  EXPECT_TRUE(large->is(ValueType::kUint64));
}

TEST(Unpack, FloatOf32BitsIsReadAsOneOf64) {
  Arena arena;
  auto read = Unpack(std::string_view("\xca\x3f\x80\0\0", 5), &arena);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->is(ValueType::kFloat64));
  EXPECT_EQ(read->as.float64, 1.0);
}

TEST(Unpack, TextPointsIntoTheBytes) {
  std::string bytes = Pack(Value::String("hello"));
  Arena arena;
  auto read = Unpack(bytes, &arena);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->as.data, bytes.data() + 1);
}

TEST(Unpack, ValueThatEndsTooEarlyIsCorruptAtEveryByte) {
  Value inner[] = {Value::Int64(-300),         Value::Uint64(5),         Value::Float64(1.5),
                   Value::String("some text"), Value::Bytes("\x01\x02"), Value::List(nullptr, 0)};
  Value pairs[] = {Value::String("list"), Value::List(inner, 6), Value::String("null"),
                   Value::Null()};
  std::string bytes = Pack(Value::Map(pairs, 2));
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own size, so that a read behind its end shows.
    std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
    EXPECT_EQ(UnpackStatus({cut.data(), cut.size()}).code(), Code::kCorrupt) << size;
  }
}

TEST(Unpack, TrailingBytesAreCorrupt) {
  std::string bytes = Pack(Value::Int64(1));
  EXPECT_EQ(UnpackStatus(bytes + '\0').code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus(bytes + bytes).code(), Code::kCorrupt);
}

TEST(Unpack, OneLevelTooDeepIsCorrupt) {
  EXPECT_TRUE(UnpackStatus(std::string(kMaxDepth - 1, '\x91') + '\x90').ok());
  EXPECT_EQ(UnpackStatus(std::string(kMaxDepth, '\x91') + '\x90').code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus(std::string(1 << 20, '\x91')).code(), Code::kCorrupt);
}

TEST(Unpack, LevelsSideBySideAreNotDeep) {
  EXPECT_TRUE(UnpackStatus("\xdc" + std::string("\x03\xe8", 2) + std::string(1000, '\x90')).ok());
}

TEST(Unpack, ByteThatMsgpackNeverUsesIsCorrupt) {
  EXPECT_EQ(UnpackStatus("\xc1").code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus("\x91\xc1").code(), Code::kCorrupt);
}

TEST(Unpack, ForeignExtensionTypesAreCorrupt) {
  EXPECT_EQ(UnpackStatus(std::string_view("\xd4\x01\0", 3)).code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus(std::string_view("\xd7\x02\0\0\0\0\0\0\0\0", 10)).code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus(std::string_view("\xd7\xff\0\0\0\0\0\0\0\0", 10)).code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus(std::string_view("\xc7\0\x01", 3)).code(), Code::kCorrupt);
}

TEST(Unpack, KeyThatIsNoStringIsCorrupt) {
  EXPECT_EQ(UnpackStatus("\x81\x01\xc0").code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus("\x81\xc0\xc0").code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus("\x81\x90\xc0").code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus("\x81\x91\xa1k\xc0").code(), Code::kCorrupt);
  EXPECT_EQ(UnpackStatus("\x81\xc4\x01k\xc0").code(), Code::kCorrupt);  // bytes
}

TEST(Unpack, CountsThatLieTakeNoMemory) {
  for (std::string head : {"\xdd", "\xdf"}) {
    for (const char* count : {"\xff\xff\xff\xff", "\x80\x00\x00\x01", "\x00\x00\x01\x00"}) {
      Arena arena;
      std::string bytes = head + std::string(count, 4) + std::string(100, '\xc0');
      EXPECT_EQ(Unpack(bytes, &arena).status().code(), Code::kCorrupt);
      EXPECT_EQ(arena.capacity(), 0u);
    }
  }
}

TEST(Unpack, CountsThatLieTogetherTakeNoMoreThanTheBytesAllow) {
  // Each list alone could be as long as the rest of the bytes; all of them together can not.
  std::string bytes;
  for (uint32_t i = 0; i < kMaxDepth; ++i) bytes += std::string("\xdd\0\0\x03\xe8", 5);
  bytes += std::string(1000, '\xc0');
  Arena arena;
  EXPECT_EQ(Unpack(bytes, &arena).status().code(), Code::kCorrupt);
  EXPECT_LE(arena.capacity(), 2 * bytes.size());
}

TEST(Unpack, LengthsThatLieAreCorrupt) {
  for (std::string head : {"\xdb", "\xc6", "\xc9"}) {
    EXPECT_EQ(UnpackStatus(head + "\xff\xff\xff\xff").code(), Code::kCorrupt);
    EXPECT_EQ(UnpackStatus(head + std::string("\0\0\0\x09", 4) + "12345678").code(),
              Code::kCorrupt);
  }
}

TEST(Unpack, MemoryIsBoundedByTheBytes) {
  std::string bytes = std::string("\xdd\0\x01\0\0", 5) + std::string(65536, '\xc0');
  Arena arena;
  ASSERT_TRUE(Unpack(bytes, &arena).ok());
  EXPECT_LE(arena.capacity(), bytes.size() + bytes.size() / 3 + 4096);
}

// ---- CheckValue ----

TEST(CheckValue, ContainersMayBeNestedToTheLimit) {
  EXPECT_TRUE(CheckValue(Nested(kMaxDepth).root()).ok());
  EXPECT_EQ(CheckValue(Nested(kMaxDepth + 1).root()).code(), Code::kLimit);
}

TEST(CheckValue, KeysMustBeStrings) {
  for (const Value& key : {Value::Null(), Value::Int64(1), Value::Bytes("k")}) {
    Value pair[] = {key, Value::Null()};
    EXPECT_EQ(CheckValue(Value::Map(pair, 1)).code(), Code::kInvalid);
  }
}

// Regression: C++ read the first of them, Java and Python the last.
TEST(CheckValue, AKeyIsThereOnce) {
  for (uint64_t size : {2, 12, 13, 1000}) {
    SCOPED_TRACE(size);
    std::vector<std::string> names;
    for (uint64_t i = 0; i < size; ++i) names.push_back("key" + std::to_string(i));
    std::vector<Value> pairs;
    for (const std::string& name : names) {
      pairs.push_back(Value::String(name));
      pairs.push_back(Value::Null());
    }
    EXPECT_TRUE(CheckValue(Value::Map(pairs.data(), size)).ok());
    pairs[2 * (size - 1)] = Value::String(names[0]);
    Status twins = CheckValue(Value::Map(pairs.data(), size));
    EXPECT_EQ(twins.code(), Code::kInvalid);
    EXPECT_THAT(twins.text(), ::testing::HasSubstr("there twice"));
  }
}

TEST(CheckValue, TextMustBeUtf8AndBytesNeedNot) {
  EXPECT_EQ(CheckValue(Value::String("\xff")).code(), Code::kInvalid);
  EXPECT_TRUE(CheckValue(Value::Bytes("\xff")).ok());
  Value pair[] = {Value::String("\xff"), Value::Null()};
  EXPECT_EQ(CheckValue(Value::Map(pair, 1)).code(), Code::kInvalid);
  Value list = Value::List(pair, 1);
  EXPECT_EQ(CheckValue(Value::List(&list, 1)).code(), Code::kInvalid);
}

TEST(CheckValue, SizeAbove32BitsIsALimit) {
  EXPECT_EQ(CheckValue(Value::Bytes({"x", uint64_t{1} << 32})).code(), Code::kLimit);
  EXPECT_EQ(CheckValue(Value::String({"x", uint64_t{1} << 32})).code(), Code::kLimit);
  Value item;
  EXPECT_EQ(CheckValue(Value::List(&item, uint64_t{1} << 32)).code(), Code::kLimit);
  EXPECT_EQ(CheckValue(Value::Map(&item, UINT64_MAX)).code(), Code::kLimit);
}

TEST(CheckValue, NullPointersWithASizeAreInvalid) {
  Value text = Value::String({});
  text.size = 1;
  EXPECT_EQ(CheckValue(text).code(), Code::kInvalid);
  text.type = ValueType::kBytes;
  EXPECT_EQ(CheckValue(text).code(), Code::kInvalid);
  EXPECT_EQ(CheckValue(Value::List(nullptr, 1)).code(), Code::kInvalid);
  EXPECT_EQ(CheckValue(Value::Map(nullptr, 1)).code(), Code::kInvalid);
}

TEST(CheckValue, TypesAndBoolsOutsideTheirRangeAreInvalid) {
  Value value;
  for (int type : {-1, 9, 1000}) {
    value.type = static_cast<ValueType>(type);
    EXPECT_EQ(CheckValue(value).code(), Code::kInvalid) << type;
  }
  value = Value::Bool(true);
  value.as.boolean = 2;
  EXPECT_EQ(CheckValue(value).code(), Code::kInvalid);
}

TEST(Unpack, HoldsNoMoreValuesThanAllowed) {
  std::string bytes;
  Packer(&bytes).Array(2).Array(3).Int(1).Int(2).Int(3).Map(1).String("k").Null();
  Arena arena;
  EXPECT_TRUE(Unpack(bytes, &arena, kMaxDepth, 7).ok());
  Status status = Unpack(bytes, &arena, kMaxDepth, 6).status();
  EXPECT_EQ(status.code(), Code::kLimit);
  EXPECT_EQ(status.text(), "more than 6 values");
}

}  // namespace
}  // namespace vineyard

#include "core/object/envelope.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

namespace vineyard {
namespace {

std::string Hex(const char* data, uint64_t size) {
  std::string text;
  for (uint64_t i = 0; i < size; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(data[i]) >> 4];
    text += kDigits[static_cast<unsigned char>(data[i]) & 15];
  }
  return text;
}

// What pickle.dumps(value, protocol=5) of CPython 3.11 writes in front of and behind the value.
struct Golden {
  BlobKind kind;
  uint64_t value_size;
  const char* before;
  const char* after;
};
constexpr Golden kGolden[] = {
    {BlobKind::kBytes, 0, "80059504000000000000004300", "942e"},
    {BlobKind::kBytes, 1, "80059505000000000000004301", "942e"},
    {BlobKind::kBytes, 2, "80059506000000000000004302", "942e"},
    {BlobKind::kBytes, 3, "80059507000000000000004303", "942e"},
    {BlobKind::kBytes, 4, "80059508000000000000004304", "942e"},
    {BlobKind::kBytes, 12, "8005951000000000000000430c", "942e"},
    {BlobKind::kBytes, 13, "8005951100000000000000430d", "942e"},
    {BlobKind::kBytes, 14, "8005951200000000000000430e", "942e"},
    {BlobKind::kBytes, 63, "8005954300000000000000433f", "942e"},
    {BlobKind::kBytes, 64, "80059544000000000000004340", "942e"},
    {BlobKind::kBytes, 65, "80059545000000000000004341", "942e"},
    {BlobKind::kBytes, 254, "800595020100000000000043fe", "942e"},
    {BlobKind::kBytes, 255, "800595030100000000000043ff", "942e"},
    {BlobKind::kBytes, 256, "80059507010000000000004200010000", "942e"},
    {BlobKind::kBytes, 257, "80059508010000000000004201010000", "942e"},
    {BlobKind::kBytes, 1000, "800595ef0300000000000042e8030000", "942e"},
    {BlobKind::kBytes, 4095, "800595061000000000000042ff0f0000", "942e"},
    {BlobKind::kBytes, 4096, "80059507100000000000004200100000", "942e"},
    {BlobKind::kBytes, 65500, "800595e3ff00000000000042dcff0000", "942e"},
    {BlobKind::kBytes, 65519, "800595f6ff00000000000042efff0000", "942e"},
    {BlobKind::kBytes, 65520, "800595f7ff00000000000042f0ff0000", "942e"},
    {BlobKind::kBytes, 65533, "800595040001000000000042fdff0000", "942e"},
    {BlobKind::kBytes, 65534, "800595050001000000000042feff0000", "942e"},
    {BlobKind::kBytes, 65535, "800595060001000000000042ffff0000", "942e"},
    {BlobKind::kBytes, 65536, "80054200000100", "942e"},
    {BlobKind::kBytes, 65537, "80054201000100", "942e"},
    {BlobKind::kBytes, 65551, "8005420f000100", "942e"},
    {BlobKind::kBytes, 70000, "80054270110100", "942e"},
    {BlobKind::kBytes, 1048576, "80054200001000", "942e"},
    {BlobKind::kBytes, 16777217, "80054201000001", "942e"},
    {BlobKind::kBytes, 4294967295, "800542ffffffff", "942e"},
    {BlobKind::kBytes, 4294967296, "80058e0000000001000000", "942e"},
    {BlobKind::kByteArray, 0, "8005950b00000000000000960000000000000000", "942e"},
    {BlobKind::kByteArray, 1, "8005950c00000000000000960100000000000000", "942e"},
    {BlobKind::kByteArray, 2, "8005950d00000000000000960200000000000000", "942e"},
    {BlobKind::kByteArray, 3, "8005950e00000000000000960300000000000000", "942e"},
    {BlobKind::kByteArray, 4, "8005950f00000000000000960400000000000000", "942e"},
    {BlobKind::kByteArray, 12, "8005951700000000000000960c00000000000000", "942e"},
    {BlobKind::kByteArray, 13, "8005951800000000000000960d00000000000000", "942e"},
    {BlobKind::kByteArray, 14, "8005951900000000000000960e00000000000000", "942e"},
    {BlobKind::kByteArray, 63, "8005954a00000000000000963f00000000000000", "942e"},
    {BlobKind::kByteArray, 64, "8005954b00000000000000964000000000000000", "942e"},
    {BlobKind::kByteArray, 65, "8005954c00000000000000964100000000000000", "942e"},
    {BlobKind::kByteArray, 254, "800595090100000000000096fe00000000000000", "942e"},
    {BlobKind::kByteArray, 255, "8005950a0100000000000096ff00000000000000", "942e"},
    {BlobKind::kByteArray, 256, "8005950b01000000000000960001000000000000", "942e"},
    {BlobKind::kByteArray, 257, "8005950c01000000000000960101000000000000", "942e"},
    {BlobKind::kByteArray, 1000, "800595f30300000000000096e803000000000000", "942e"},
    {BlobKind::kByteArray, 4095, "8005950a1000000000000096ff0f000000000000", "942e"},
    {BlobKind::kByteArray, 4096, "8005950b10000000000000960010000000000000", "942e"},
    {BlobKind::kByteArray, 65500, "800595e7ff00000000000096dcff000000000000", "942e"},
    {BlobKind::kByteArray, 65519, "800595faff00000000000096efff000000000000", "942e"},
    {BlobKind::kByteArray, 65520, "800595fbff00000000000096f0ff000000000000", "942e"},
    {BlobKind::kByteArray, 65533, "800595080001000000000096fdff000000000000", "942e"},
    {BlobKind::kByteArray, 65534, "800595090001000000000096feff000000000000", "942e"},
    {BlobKind::kByteArray, 65535, "8005950a0001000000000096ffff000000000000", "942e"},
    {BlobKind::kByteArray, 65536, "8005960000010000000000", "942e"},
    {BlobKind::kByteArray, 65537, "8005960100010000000000", "942e"},
    {BlobKind::kByteArray, 65551, "8005960f00010000000000", "942e"},
    {BlobKind::kByteArray, 70000, "8005967011010000000000", "942e"},
    {BlobKind::kByteArray, 1048576, "8005960000100000000000", "942e"},
    {BlobKind::kByteArray, 16777217, "8005960100000100000000", "942e"},
    {BlobKind::kByteArray, 4294967295, "800596ffffffff00000000", "942e"},
    {BlobKind::kByteArray, 4294967296, "8005960000000001000000", "942e"},
};

// Zeros that cost no memory until they are written.
class Zeros {
 public:
  explicit Zeros(uint64_t size) : size_(size) {
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data != MAP_FAILED) data_ = static_cast<char*>(data);
  }
  ~Zeros() {
    if (data_ != nullptr) munmap(data_, size_);
  }
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;
  char* data() const { return data_; }

 private:
  uint64_t size_;
  char* data_ = nullptr;
};

class PickleOfPython : public testing::TestWithParam<Golden> {};

TEST_P(PickleOfPython, IsWhatStandsAroundTheValue) {
  const Golden& golden = GetParam();
  Envelope envelope = EnvelopeOf(golden.kind, golden.value_size);
  uint64_t stored_size = envelope.stored_size(golden.value_size);
  Zeros memory(stored_size + 1);
  char* stored = memory.data();
  ASSERT_NE(stored, nullptr);
  WriteEnvelope(golden.kind, golden.value_size, stored);
  EXPECT_EQ(Hex(stored, envelope.before), golden.before);
  EXPECT_EQ(Hex(stored + stored_size - envelope.after, envelope.after), golden.after);
  // Neither the window nor what is behind the stored form was touched.
  if (golden.value_size > 0) {
    EXPECT_EQ(stored[envelope.before], 0);
    EXPECT_EQ(stored[envelope.before + golden.value_size - 1], 0);
  }
  EXPECT_EQ(stored[stored_size], 0);
}

INSTANTIATE_TEST_SUITE_P(Envelope, PickleOfPython, testing::ValuesIn(kGolden),
                         [](const auto& info) {
                           return std::string(info.param.kind == BlobKind::kBytes ? "Bytes"
                                                                                  : "ByteArray") +
                                  std::to_string(info.param.value_size);
                         });

TEST(Envelope, ThirteenBytesAreStoredAsTwentyEight) {
  EXPECT_EQ(EnvelopeOf(BlobKind::kBytes, 13).stored_size(13), 28u);
}

TEST(Envelope, BufferIsStoredAsItIs) {
  for (uint64_t size : {uint64_t{0}, uint64_t{13}, uint64_t{1} << 40}) {
    Envelope envelope = EnvelopeOf(BlobKind::kBuffer, size);
    EXPECT_EQ(envelope.stored_size(size), size);
    EXPECT_EQ(envelope.extent_size(size), size);
  }
  char byte = 'x';
  WriteEnvelope(BlobKind::kBuffer, 1, &byte);
  EXPECT_EQ(byte, 'x');
}

TEST(Envelope, WindowIsAlignedAtEveryLength) {
  for (BlobKind kind : {BlobKind::kBuffer, BlobKind::kBytes, BlobKind::kByteArray}) {
    for (uint64_t size = 0; size <= 70000; ++size) {
      Envelope envelope = EnvelopeOf(kind, size);
      ASSERT_EQ((envelope.skip() + envelope.before) % kPayloadAlignment, 0u) << size;
      ASSERT_LT(envelope.skip(), kPayloadAlignment) << size;
      ASSERT_EQ(envelope.extent_size(size), envelope.skip() + envelope.stored_size(size)) << size;
    }
  }
}

TEST(Envelope, ShrunkValueNeedsNoMoreThanTheLongerOne) {
  // A blob that is sealed with fewer bytes than were leased still fits its extent.
  for (BlobKind kind : {BlobKind::kBytes, BlobKind::kByteArray}) {
    uint64_t longest = 0;
    for (uint64_t size = 0; size <= 70000; ++size) {
      uint64_t rounded = RoundUp(EnvelopeOf(kind, size).extent_size(size), kPayloadAlignment);
      ASSERT_GE(rounded, longest) << size;
      longest = std::max(longest, rounded);
    }
  }
}

TEST(Envelope, EveryLengthOfAClassIsWrittenLikeItsGoldenOnes) {
  // Between two golden lengths only the counts differ: the same opcodes, counts read back.
  std::vector<char> stored(70100);
  for (BlobKind kind : {BlobKind::kBytes, BlobKind::kByteArray}) {
    for (uint64_t size = 0; size <= 70000; ++size) {
      Envelope envelope = EnvelopeOf(kind, size);
      WriteEnvelope(kind, size, stored.data());
      auto number = [&](uint64_t at, int bytes) {
        uint64_t value = 0;
        for (int i = 0; i < bytes; ++i) {
          value |= uint64_t{static_cast<unsigned char>(stored[at + i])} << (8 * i);
        }
        return value;
      };
      bool framed = size < 65536;
      int length_bytes = kind == BlobKind::kByteArray ? 8 : size < 256 ? 1 : 4;
      ASSERT_EQ(envelope.before, (framed ? 12 : 3) + length_bytes) << size;
      ASSERT_EQ(number(envelope.before - length_bytes, length_bytes), size);
      if (framed) {
        ASSERT_EQ(stored[2], '\x95') << size;
        ASSERT_EQ(number(3, 8) + 11, envelope.stored_size(size)) << size;
      }
    }
  }
}

}  // namespace
}  // namespace vineyard

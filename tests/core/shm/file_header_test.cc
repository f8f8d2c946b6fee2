#include "core/shm/file_header.h"

#include <gtest/gtest.h>

#include <cstring>

namespace vineyard::shm {
namespace {

FileHeader Good() { return MakeFileHeader(FileKind::kSegment, 7, 3); }
Code CheckAs(const FileHeader& header, bool writer = false) {
  return CheckFileHeader(header, FileKind::kSegment, writer).code();
}

TEST(FileHeader, ThatWasMadePasses) {
  for (FileKind kind :
       {FileKind::kIndex, FileKind::kDirectory, FileKind::kSegment, FileKind::kState}) {
    EXPECT_TRUE(CheckFileHeader(MakeFileHeader(kind, 7), kind, true).ok());
    EXPECT_TRUE(CheckFileHeader(MakeFileHeader(kind, 7), kind, false).ok());
  }
}

TEST(FileHeader, KeepsInstanceAndNumber) {
  EXPECT_EQ(Good().instance, 7u);
  EXPECT_EQ(Good().number, 3u);
}

TEST(FileHeader, BeginsWithTheMagicOfTheFormat) {
  FileHeader header = Good();
  EXPECT_EQ(std::memcmp(&header, "VINEYARD\1\0\0\0\4\3\2\1", 16), 0);
}

TEST(FileHeader, OfZerosIsCorrupt) { EXPECT_EQ(CheckAs(FileHeader{}), Code::kCorrupt); }

TEST(FileHeader, EveryByteOfTheMagicCounts) {
  for (size_t i = 0; i < sizeof(FileHeader::magic); ++i) {
    FileHeader header = Good();
    header.magic[i] = static_cast<char>(header.magic[i] ^ 1);
    EXPECT_EQ(CheckAs(header), Code::kCorrupt) << i;
  }
}

TEST(FileHeader, OfAnotherVersionNamesBothNumbers) {
  FileHeader header = Good();
  header.layout_version = 9;
  Status status = CheckFileHeader(header, FileKind::kSegment, false);
  EXPECT_EQ(status.code(), Code::kVersion);
  EXPECT_NE(status.text().find("layout version 9, this build knows 1"), std::string::npos);
}

TEST(FileHeader, OfAnotherByteOrderSaysSoEvenThoughItsVersionIsSwapped) {
  FileHeader header = Good();
  header.byte_order = 0x04030201;
  header.layout_version = 0x01000000;
  Status status = CheckFileHeader(header, FileKind::kSegment, false);
  EXPECT_EQ(status.code(), Code::kVersion);
  EXPECT_NE(status.text().find("byte order"), std::string::npos);
}

TEST(FileHeader, UnknownIncompatibleFeatureIsRefusedByAll) {
  for (int bit : {2, 31, 63}) {
    FileHeader header = Good();
    header.incompatible = uint64_t{1} << bit;
    EXPECT_EQ(CheckAs(header, false), Code::kVersion) << bit;
    EXPECT_EQ(CheckAs(header, true), Code::kVersion) << bit;
  }
}

TEST(FileHeader, UnknownCompatibleFeatureIsRefusedByWritersOnly) {
  FileHeader header = Good();
  header.compatible = uint64_t{1} << 63;
  EXPECT_EQ(CheckAs(header, false), Code::kOk);
  EXPECT_EQ(CheckAs(header, true), Code::kVersion);
}

TEST(FileHeader, OfAnotherKindIsCorrupt) {
  EXPECT_EQ(CheckFileHeader(Good(), FileKind::kIndex, false).code(), Code::kCorrupt);
}

TEST(FileHeader, OfOtherStructSizesIsAnotherVersion) {
  for (auto member : {&FileHeader::page_size, &FileHeader::slot_size, &FileHeader::header_size}) {
    FileHeader header = Good();
    header.*member *= 2;
    EXPECT_EQ(CheckAs(header), Code::kVersion);
  }
}

}  // namespace
}  // namespace vineyard::shm

#include "core/wire/frame.h"

#include <gtest/gtest.h>

namespace vineyard::wire {
namespace {

TEST(Frame, HeaderThatWasMadePasses) {
  EXPECT_TRUE(CheckHeader(MakeHeader(1, kMaxBody, 7, 9, kMaxDescriptors)).ok());
}

TEST(Frame, ForeignBytesAreAProtocolError) {
  FrameHeader header = MakeHeader(1, 0, 0, 0);
  header.magic[0] = 'G';
  EXPECT_EQ(CheckHeader(header).code(), Code::kProtocol);
}

TEST(Frame, AnotherVersionIsNamedWithBothNumbers) {
  FrameHeader header = MakeHeader(1, 0, 0, 0);
  header.version = 9;
  Status status = CheckHeader(header);
  EXPECT_EQ(status.code(), Code::kVersion);
  EXPECT_EQ(status.text(), "frame: protocol version 9, this side speaks 1");
}

TEST(Frame, BodyAboveTheLimitIsRefusedBeforeItIsRead) {
  EXPECT_EQ(CheckHeader(MakeHeader(1, kMaxBody + 1, 0, 0)).code(), Code::kLimit);
  EXPECT_EQ(CheckHeader(MakeHeader(1, UINT32_MAX, 0, 0)).code(), Code::kLimit);
}

TEST(Frame, ReservedBitsMustBeZero) {
  FrameHeader header = MakeHeader(1, 0, 0, 0);
  header.flags = 2;
  EXPECT_EQ(CheckHeader(header).code(), Code::kProtocol);
  EXPECT_EQ(CheckHeader(MakeHeader(1, 0, 0, 0, kMaxDescriptors + 1)).code(), Code::kProtocol);
}

}  // namespace
}  // namespace vineyard::wire

// vineyard::Blob and vineyard::BlobWriter.
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

class HppBlob : public WithClient {};

TEST_F(HppBlob, EveryKindReadsAsWhatWasPut) {
  for (auto kind : {vineyard::PayloadKind::kBuffer, vineyard::PayloadKind::kBytes,
                    vineyard::PayloadKind::kBytearray}) {
    vineyard::Blob blob = client_.get_blob(client_.put_bytes(OddText(), kind));
    EXPECT_EQ(blob.text(), OddText());
    EXPECT_EQ(blob.kind(), kind);
    EXPECT_EQ(blob.size(), OddText().size());
    EXPECT_GE(blob.stored().size(), blob.size());
    EXPECT_TRUE(vineyard::is_shared_memory(blob.data(), blob.size()));
    EXPECT_TRUE(vineyard::is_blob(blob.id()));
  }
  vineyard::Blob buffer = client_.get_blob(client_.put_bytes("plain"));
  EXPECT_EQ(buffer.stored().data(), buffer.data());
  EXPECT_ERROR(client_.put_bytes("x", static_cast<vineyard::PayloadKind>(9)), InvalidError);
}

TEST_F(HppBlob, IsReadAsElementsThatFit) {
  const std::vector<std::uint32_t> numbers = {1, 0xffffffff, 3};
  vineyard::ObjectId id = client_.put_bytes(numbers.data(), numbers.size() * 4);
  vineyard::Blob blob = client_.get_blob(id);
  vineyard::span<const std::uint32_t> read = blob.as<std::uint32_t>();
  EXPECT_EQ(std::vector<std::uint32_t>(read.begin(), read.end()), numbers);
  EXPECT_EQ(static_cast<const void*>(read.data()), blob.data()) << "in place";
  EXPECT_EQ(blob.as<char>().size(), 12u);
  EXPECT_ERROR(blob.as<std::uint64_t>(), TypeError);
  EXPECT_ERROR(vineyard::detail::elements_of<const std::uint32_t>(blob.data() + 1, 4), TypeError);
}

TEST_F(HppBlob, AnEmptyHandleHasNoBytes) {
  vineyard::Blob blob = client_.get_blob(client_.put_bytes("x"));
  vineyard::Blob other;
  other = std::move(blob);
  // What is promised of a handle that was moved from.
  // NOLINTBEGIN(clang-analyzer-cplusplus.Move,bugprone-use-after-move)
  EXPECT_FALSE(blob);
  EXPECT_EQ(blob.data(), nullptr);
  EXPECT_EQ(blob.text(), "");
  EXPECT_TRUE(blob.as<double>().empty());
  EXPECT_EQ(blob.id(), VINEYARD_ID_INVALID);
  EXPECT_ERROR(blob.share(), InvalidError);
  // NOLINTEND(clang-analyzer-cplusplus.Move,bugprone-use-after-move)
  vineyard::Blob& same = other;
  other = std::move(same);
  EXPECT_EQ(other.text(), "x") << "a self-move keeps it";
}

TEST_F(HppBlob, NoBytesAreABlob) {
  vineyard::Blob blob = client_.get_blob(client_.put_bytes(""));
  EXPECT_TRUE(blob);
  EXPECT_TRUE(blob.empty());
  EXPECT_TRUE(client_.get_blob(VINEYARD_ID_EMPTY_BLOB).empty());
}

TEST_F(HppBlob, ASharedHandleHoldsTheBytesByItself) {
  vineyard::ObjectId id = client_.put_bytes("shared");
  vineyard::Blob blob = client_.get_blob(id);
  vineyard::Blob shared = blob.share();
  const std::byte* data = blob.data();
  blob = vineyard::Blob();
  client_.remove(id);
  EXPECT_EQ(shared.data(), data);
  EXPECT_EQ(shared.text(), "shared");
}

TEST_F(HppBlob, IsWrittenInPlace) {
  vineyard::BlobWriter writer = client_.create_blob(1000 * sizeof(double));
  vineyard::span<double> numbers = writer.as<double>();
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  EXPECT_FALSE(client_.exists(writer.id()));
  EXPECT_ERROR(writer.shrink(9000), InvalidError);
  writer.shrink(500 * sizeof(double));
  EXPECT_ERROR(client_.remove(writer.id()), InUseError);
  vineyard::ObjectId id = writer.seal();
  EXPECT_EQ(id, writer.id());
  EXPECT_EQ(writer.data(), nullptr);
  EXPECT_ERROR(writer.bytes(), InvalidError);
  EXPECT_ERROR(writer.seal(), SealedError);
  EXPECT_ERROR(writer.abort(), SealedError);
  vineyard::Blob blob = client_.get_blob(id);
  EXPECT_EQ(blob.as<double>().size(), 500u);
  EXPECT_EQ(blob.as<double>()[499], 499.0);
  EXPECT_EQ(client_.statistics().copied_payload_bytes, 0u);
}

TEST_F(HppBlob, WhatWasNotSealedGoesWithItsWriter) {
  vineyard::ObjectId id;
  {
    vineyard::BlobWriter writer = client_.create_blob(64);
    id = writer.id();
    EXPECT_EQ(writer.bytes().size(), 64u);
  }
  EXPECT_FALSE(client_.exists(id));
  vineyard::BlobWriter writer = client_.create_blob(64), other;
  writer.abort();
  writer.abort();
  EXPECT_ERROR(writer.as<int>(), InvalidError);
  EXPECT_ERROR(writer.seal(), InvalidError);
  EXPECT_FALSE(other);
  EXPECT_ERROR(other.bytes(), InvalidError);
  EXPECT_ERROR(other.seal(), InvalidError);
  other = std::move(writer);
  EXPECT_TRUE(other);
}

TEST_F(HppBlob, OthersWaitForWhatIsBeingWritten) {
  vineyard::BlobWriter writer = client_.create_blob(4);
  std::memcpy(writer.data(), "done", 4);
  std::string read;
  std::thread waits([&] {
    vineyard::Client client = vineyard::Client::connect(socket_);
    client.wait(writer.id(), vineyard::testing::kPatience);
    read = client.get_blob(writer.id()).text();
  });
  writer.seal();
  waits.join();
  EXPECT_EQ(read, "done");
}

TEST_F(HppBlob, LargeMemoryIsCopied) {
  std::vector<char> from(3 << 20, 'c'), to(from.size());
  vineyard::copy_memory(to.data(), from.data(), from.size());
  EXPECT_EQ(from, to);
  EXPECT_FALSE(vineyard::is_shared_memory(to.data(), to.size()));
}

}  // namespace
}  // namespace vineyard_hpp

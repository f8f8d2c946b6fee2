#include "core/object/envelope.h"

#include <cstring>

namespace vineyard {
namespace {

// Opcodes of pickle protocol 5 (CPython's pickletools documents them).
constexpr char kProto = '\x80', kFrame = '\x95', kMemoize = '\x94', kStop = '.';
constexpr char kShortBinBytes = 'C', kBinBytes = 'B', kBinBytes8 = '\x8e', kByteArray8 = '\x96';
constexpr uint64_t kFrameLimit = 65536;  // from here on CPython writes the value outside of a frame
constexpr uint8_t kProtoSize = 2, kFrameSize = 9, kTailSize = 2;

void PutLittleEndian(char*& at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) *at++ = static_cast<char>(value >> (8 * i));
}

uint8_t LengthBytes(BlobKind kind, uint64_t value_size) {
  if (kind == BlobKind::kByteArray || value_size > UINT32_MAX) return 8;
  return value_size < 256 ? 1 : 4;
}

}  // namespace

Envelope EnvelopeOf(BlobKind kind, uint64_t value_size) {
  if (kind == BlobKind::kBuffer) return {};
  uint8_t frame = value_size < kFrameLimit ? kFrameSize : 0;
  uint8_t opcode = static_cast<uint8_t>(1 + LengthBytes(kind, value_size));
  return {static_cast<uint8_t>(kProtoSize + frame + opcode), kTailSize};
}

namespace {

// What stands in front of the value, at most kMostBefore bytes, and behind it.
constexpr uint8_t kMostBefore = kProtoSize + kFrameSize + 1 + 8;
constexpr char kTail[kTailSize] = {kMemoize, kStop};

void WriteHead(BlobKind kind, uint64_t value_size, char* at) {
  *at++ = kProto;
  *at++ = 5;
  if (value_size < kFrameLimit) {
    *at++ = kFrame;
    // A frame counts what follows its own header.
    uint64_t stored_size = EnvelopeOf(kind, value_size).stored_size(value_size);
    PutLittleEndian(at, stored_size - kProtoSize - kFrameSize, 8);
  }
  int length_bytes = LengthBytes(kind, value_size);
  *at++ = kind == BlobKind::kByteArray ? kByteArray8
          : length_bytes == 1          ? kShortBinBytes
          : length_bytes == 4          ? kBinBytes
                                       : kBinBytes8;
  PutLittleEndian(at, value_size, length_bytes);
}

}  // namespace

void WriteEnvelope(BlobKind kind, uint64_t value_size, char* stored) {
  if (kind == BlobKind::kBuffer) return;
  WriteHead(kind, value_size, stored);
  std::memcpy(stored + EnvelopeOf(kind, value_size).before + value_size, kTail, kTailSize);
}

bool EnvelopeIsGood(BlobKind kind, uint64_t value_size, const char* stored) {
  if (kind == BlobKind::kBuffer) return true;
  Envelope envelope = EnvelopeOf(kind, value_size);
  char head[kMostBefore];
  WriteHead(kind, value_size, head);
  return std::memcmp(stored, head, envelope.before) == 0 &&
         std::memcmp(stored + envelope.before + value_size, kTail, kTailSize) == 0;
}

}  // namespace vineyard

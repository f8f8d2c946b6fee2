// This file is the only place that knows how a message is cut out of the byte stream between client
// and daemon: 32 bytes of header, then a body of msgpack. Descriptors travel beside the first byte.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "core/base/result.h"

namespace vineyard::wire {

inline constexpr char kMagic[3] = {'V', 'Y', 'D'};
inline constexpr uint8_t kProtocolVersion = 1;
inline constexpr uint32_t kMaxBody = 80u << 20;  // a record of 64 MiB and what is around it
inline constexpr uint8_t kMaxDescriptors = 8;    // with one frame

struct FrameHeader {
  char magic[3];
  uint8_t version;
  uint16_t type;        // MessageType; an answer has kAnswer added
  uint8_t descriptors;  // that come with this frame
  uint8_t flags;        // kRepeated
  uint32_t body_size;
  uint16_t audience;  // of a request: whose store it is of; 0: that of the session (Welcome)
  uint16_t patience;  // of a request: tenths of a second that its sender waits at most; 0: not said
  uint64_t correlation;  // chosen by the client, repeated in the answer
  uint64_t number;       // of a mutating request (core/wire/messages.h); else 0
};
static_assert(sizeof(FrameHeader) == 32);
inline constexpr uint16_t kAnswer = 0x8000;
// In flags: this request was sent before, and its first sending may have been applied.
inline constexpr uint8_t kRepeated = 1;

// What a sender that waits so long puts in: rounded down, so that the answer comes while it waits.
constexpr uint16_t PatienceOfMs(int64_t wait_ms) {
  return static_cast<uint16_t>(wait_ms < 100 ? 1 : wait_ms > 6'553'500 ? 65535 : wait_ms / 100);
}

inline FrameHeader MakeHeader(uint16_t type, uint32_t body_size, uint64_t correlation,
                              uint64_t number, uint8_t descriptors = 0) {
  FrameHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kProtocolVersion;
  header.type = type;
  header.descriptors = descriptors;
  header.body_size = body_size;
  header.correlation = correlation;
  header.number = number;
  return header;
}

// Magic, version, sizes: whether the bytes behind this header may be read at all. kVersion when it
// is another protocol version of vineyard, kProtocol when it is not vineyard.
Status CheckHeader(const FrameHeader& header);

}  // namespace vineyard::wire

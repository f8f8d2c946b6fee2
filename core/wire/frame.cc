#include "core/wire/frame.h"

namespace vineyard::wire {

Status CheckHeader(const FrameHeader& header) {
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    return Protocol("frame: it does not start with the magic of vineyard");
  }
  if (header.version != kProtocolVersion) {
    return {Code::kVersion, Format("frame: protocol version %u, this side speaks %u",
                                   header.version, kProtocolVersion)};
  }
  if (header.body_size > kMaxBody) {
    return {Code::kLimit,
            Format("frame: body of %u bytes, at most %u are allowed", header.body_size, kMaxBody)};
  }
  if (header.descriptors > kMaxDescriptors || (header.flags & ~kRepeated) != 0) {
    return Protocol("frame: reserved bits of the header are set");
  }
  return OkStatus();
}

}  // namespace vineyard::wire

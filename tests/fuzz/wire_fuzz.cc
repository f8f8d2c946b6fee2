// Frames and messages of either side: any bytes are decoded or refused.
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/object/pack.h"
#include "core/wire/frame.h"
#include "core/wire/messages.h"

namespace {

using namespace vineyard;

template <typename... Messages>
void Requests(const Value& body) {
  (static_cast<void>(Messages::Decode(body)), ...);
}

template <typename... Messages>
void Answers(const wire::Answer& answer) {
  (static_cast<void>(Messages::Decode(answer)), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size >= sizeof(wire::FrameHeader)) {
    wire::FrameHeader header;
    std::memcpy(&header, data, sizeof header);
    static_cast<void>(wire::CheckHeader(header));
  }
  Arena arena;
  Result<Value> body = Unpack(bytes, &arena);
  if (body.ok()) {
    Requests<wire::Hello, wire::SegmentRequest, wire::Grant, wire::Find, wire::List,
             wire::ListNames, wire::Lease, wire::DropLease, wire::Delete, wire::PutName,
             wire::DropName, wire::SetLabels, wire::Persist>(*body);
    Result<Tree> tree = wire::DecodeTree(*body);
    if (tree.ok()) {
      // What was understood can be said again.
      std::string again;
      wire::EncodeTree(*tree, &again);
      Arena second;
      Result<Value> reread = Unpack(again, &second);
      if (!reread.ok() || !wire::DecodeTree(*reread).ok()) __builtin_trap();
    }
  }
  Result<wire::Answer> answer = wire::DecodeAnswer(bytes, &arena);
  if (answer.ok()) {
    Answers<wire::Welcome, wire::AuditAnswer, wire::SegmentAnswer, wire::FindAnswer,
            wire::ListAnswer, wire::ListTypesAnswer, wire::ListNamesAnswer, wire::StatusAnswer,
            wire::LeaseAnswer, wire::InstancesAnswer, wire::SyncAnswer, wire::WatchAnswer,
            wire::AttachAnswer, wire::AudiencesAnswer, wire::MutationAnswer>(*answer);
  }
  return 0;
}

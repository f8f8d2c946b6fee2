// A frame as it comes out of a socket: 32 bytes of header, then a body that is read as whatever
// its type says, as a request and as an answer. What is read can be written and comes back alike.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/object/pack.h"
#include "core/wire/frame.h"
#include "core/wire/messages.h"

namespace vineyard::wire {
namespace {

template <typename T>
void Request(const Value& body) {
  auto message = T::Decode(body);
  if (!message.ok()) return;
  std::string first, second;
  message->Encode(&first);
  Arena arena;
  auto value = Unpack(first, &arena);
  CHECK(value.ok());
  auto again = T::Decode(*value);
  CHECK(again.ok());
  again->Encode(&second);
  CHECK(first == second);
}

template <>
void Request<Tree>(const Value& body) {
  auto tree = DecodeTree(body);
  if (!tree.ok()) return;
  std::string first, second;
  EncodeTree(*tree, &first);
  Arena arena;
  auto value = Unpack(first, &arena);
  CHECK(value.ok());
  auto again = DecodeTree(*value);
  CHECK(again.ok());
  EncodeTree(*again, &second);
  CHECK(first == second);
}

template <typename T>
void Reply(std::string_view body) {
  Arena arena;
  auto answer = DecodeAnswer(body, &arena);
  if (!answer.ok()) return;
  auto message = T::Decode(*answer);
  if (!message.ok()) return;
  std::string first, second;
  message->Encode(&first);
  Arena again_arena;
  auto again_answer = DecodeAnswer(first, &again_arena);
  CHECK(again_answer.ok());
  auto again = T::Decode(*again_answer);
  CHECK(again.ok());
  again->Encode(&second);
  CHECK(first == second);
}

void ReadRequest(MessageType type, const Value& body) {
  switch (type) {
    case MessageType::kHello:
      return Request<Hello>(body);
    case MessageType::kSegment:
      return Request<SegmentRequest>(body);
    case MessageType::kGrant:
      return Request<Grant>(body);
    case MessageType::kFind:
    case MessageType::kWait:
      return Request<Find>(body);
    case MessageType::kLease:
      return Request<Lease>(body);
    case MessageType::kDropLease:
      return Request<DropLease>(body);
    case MessageType::kPut:
      return Request<Tree>(body);
    case MessageType::kDelete:
      return Request<Delete>(body);
    case MessageType::kPutName:
      return Request<PutName>(body);
    case MessageType::kDropName:
      return Request<DropName>(body);
    case MessageType::kListNames:
      return Request<ListNames>(body);
    case MessageType::kList:
      return Request<List>(body);
    case MessageType::kSetLabels:
      return Request<SetLabels>(body);
    case MessageType::kPersist:
      return Request<Persist>(body);
    case MessageType::kForgetInstance:
      return Request<ForgetInstance>(body);
    case MessageType::kSync:
      return Request<Sync>(body);
    case MessageType::kWatch:
      return Request<Watch>(body);
    case MessageType::kUpgrade:
      return Request<Upgrade>(body);
    case MessageType::kEvict:
      return Request<Evict>(body);
    default:
      return;
  }
}

void ReadReply(MessageType type, std::string_view body) {
  switch (type) {
    case MessageType::kHello:
      return Reply<Welcome>(body);
    case MessageType::kSegment:
      return Reply<SegmentAnswer>(body);
    case MessageType::kFind:
      return Reply<FindAnswer>(body);
    case MessageType::kLease:
      return Reply<LeaseAnswer>(body);
    case MessageType::kListNames:
      return Reply<ListNamesAnswer>(body);
    case MessageType::kList:
      return Reply<ListAnswer>(body);
    case MessageType::kListTypes:
      return Reply<ListTypesAnswer>(body);
    case MessageType::kStatus:
      return Reply<StatusAnswer>(body);
    case MessageType::kInstances:
      return Reply<InstancesAnswer>(body);
    case MessageType::kSync:
      return Reply<SyncAnswer>(body);
    case MessageType::kWatch:
      return Reply<WatchAnswer>(body);
    case MessageType::kAudit:
      return Reply<AuditAnswer>(body);
    case MessageType::kUpgrade:
      return Reply<UpgradeAnswer>(body);
    case MessageType::kAttach:
      return Reply<AttachAnswer>(body);
    case MessageType::kAudiences:
      return Reply<AudiencesAnswer>(body);
    default:
      return Reply<MutationAnswer>(body);
  }
}

}  // namespace
}  // namespace vineyard::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace wire = vineyard::wire;
  wire::FrameHeader header;
  if (size < sizeof header) return 0;
  std::memcpy(&header, data, sizeof header);
  if (!wire::CheckHeader(header).ok()) return 0;
  std::string_view body(reinterpret_cast<const char*>(data) + sizeof header, size - sizeof header);
  if ((header.type & wire::kAnswer) != 0) {
    wire::ReadReply(static_cast<wire::MessageType>(header.type & ~wire::kAnswer), body);
    return 0;
  }
  vineyard::Arena arena;
  auto value = vineyard::Unpack(body, &arena);
  if (value.ok()) wire::ReadRequest(static_cast<wire::MessageType>(header.type), *value);
  return 0;
}

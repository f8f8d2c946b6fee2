// Whatever a client says after its hello: the handler and the store behind it must answer, keep their
// invariants, and go on. An input is a list of requests: type, two bytes of length, body.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/shm/state_file.h"
#include "daemon/handler.h"

namespace {

using namespace vineyard;

constexpr uint64_t kSession = 7;

struct Target {
  std::unique_ptr<shm::StateFile> state;
  std::unique_ptr<store::Store> store;
  store::SessionFiles files;
  std::unique_ptr<daemon::Holds> holds;
  std::unique_ptr<daemon::Handler> handler;
  uint64_t number = 0;

  Target() {
    auto created = shm::StateFile::Create();
    CHECK(created.ok());
    state = std::move(created).value();
    store::Options options;
    options.size_bytes = 16 * kMiB;
    auto opened = store::Store::Open(state.get(), options);
    CHECK(opened.ok());
    store = std::move(opened).value();
    store::SessionInfo info;
    info.id = kSession;
    auto session = store->OpenSession(info);
    CHECK(session.ok());
    files = std::move(session).value();
    holds = std::make_unique<daemon::Holds>(store.get());
    handler = std::make_unique<daemon::Handler>(store.get(), holds.get(),
                                                [] { return wire::StatusAnswer{}; });
  }

  void Say(uint16_t type, std::string_view body) {
    wire::FrameHeader header = wire::MakeHeader(type, static_cast<uint32_t>(body.size()), 1, 0);
    if (wire::IsMutating(static_cast<wire::MessageType>(type))) header.number = ++number;
    daemon::Reply reply = handler->Handle(kSession, header, body);
    while (reply.kind == daemon::Reply::Kind::kGrow) {
      auto segment = store::Store::PrepareSegment(*store->GrowthWanted());
      CHECK(segment.ok());
      CHECK(store->AddSegment(std::move(segment).value()).ok());
      reply = handler->Handle(kSession, header, body);
    }
    CHECK(reply.kind != daemon::Reply::Kind::kAnswer || !reply.body.empty());
    holds->Release(kSession);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* target = new Target;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= 3) {
    auto type = static_cast<uint16_t>(static_cast<uint8_t>(rest[0]) % 24);
    size_t length =
        static_cast<uint8_t>(rest[1]) | static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8;
    rest.remove_prefix(3);
    std::string_view body = rest.substr(0, length);
    rest.remove_prefix(body.size());
    target->Say(type, body);
  }
  target->store->Tick(1);
  target->store->CheckInvariants();
  // A run starts from nothing, so that an input alone tells what happened.
  CHECK(target->store->Clear({kSession, ++target->number}).ok());
  return 0;
}

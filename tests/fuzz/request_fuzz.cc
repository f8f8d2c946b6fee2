// Whatever a client says after its hello: the handler, the store and the cluster of one behind it must
// answer, keep their invariants, and go on. An input is a list of requests: type, two bytes of length, body.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/meta/local.h"
#include "core/shm/state_file.h"
#include "daemon/handler.h"
#include "tests/fuzz/descriptors.h"

namespace {

using namespace vineyard;

constexpr uint64_t kSession = 7;

struct Target {
  Descriptors descriptors;
  std::unique_ptr<shm::StateFile> state;
  std::unique_ptr<store::Store> store;
  store::SessionFiles files;
  std::unique_ptr<daemon::Holds> holds;
  std::deque<std::function<void()>> tasks;  // what a loop would run
  std::unique_ptr<meta::LocalService> service;
  std::unique_ptr<daemon::Cluster> cluster;
  std::unique_ptr<daemon::Lookup> lookup;
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
    meta::Instance self;
    self.number = store->instance();
    service = std::make_unique<meta::LocalService>(
        self, [this](std::function<void()> task) { tasks.push_back(std::move(task)); });
    cluster = std::make_unique<daemon::Cluster>(store.get(), service.get(), state.get());
    service->on_event = [this](const meta::Event& event) { cluster->OnEvent(event); };
    lookup = std::make_unique<daemon::Lookup>(1, store.get(), service.get(), holds.get());
    handler = std::make_unique<daemon::Handler>(store.get(), cluster.get(), lookup.get(),
                                                [](uint64_t) { return wire::StatusAnswer{}; });
  }

  void RunTasks() {
    while (!tasks.empty()) {
      std::function<void()> task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }

  void Say(uint16_t type, std::string_view body) {
    wire::FrameHeader header = wire::MakeHeader(type, static_cast<uint32_t>(body.size()), 1, 0);
    if (wire::IsMutating(static_cast<wire::MessageType>(type))) header.number = ++number;
    bool answered = false;
    auto later = [&answered](const daemon::Reply&) {
      CHECK(!answered);
      answered = true;
    };
    daemon::Inquiry inquiry{kSession, header, body, Deadline::Never(), false};
    using Kind = daemon::Reply::Kind;
    daemon::Reply reply = handler->Handle(inquiry, later);
    while (reply.kind == Kind::kGrow || reply.kind == Kind::kSync || reply.kind == Kind::kPark) {
      RunTasks();
      if (reply.kind == Kind::kSync) {
        CHECK(!inquiry.synced);
        inquiry.synced = true;
      } else if (reply.kind == Kind::kGrow) {
        auto segment = store::Store::PrepareSegment(*store->GrowthWanted());
        CHECK(segment.ok());
        CHECK(store->AddSegment(std::move(segment).value()).ok());
      } else {
        CHECK(false);  // nothing is under way between two requests
      }
      reply = handler->Handle(inquiry, later);
    }
    RunTasks();
    CHECK(answered == (reply.kind == Kind::kLater));
    CHECK(reply.kind != daemon::Reply::Kind::kAnswer || !reply.body.empty());
    holds->Release(kSession);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Target target;  // of its own, so that an input alone tells what happened
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (rest.size() >= 3) {
    auto type = static_cast<uint16_t>(static_cast<uint8_t>(rest[0]) % 29);
    size_t length =
        static_cast<uint8_t>(rest[1]) | static_cast<size_t>(static_cast<uint8_t>(rest[2])) << 8;
    rest.remove_prefix(3);
    std::string_view body = rest.substr(0, length);
    rest.remove_prefix(body.size());
    target.Say(type, body);
  }
  target.store->Tick(1);
  target.store->CheckInvariants();
  target.Say(static_cast<uint16_t>(wire::MessageType::kClear), "\x90");
  target.store->CheckInvariants();
  return 0;
}

// A daemon that does what the test says and nothing else: it greets, then hands every connection to the
// test's script, on a thread of its own.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/wire/frame.h"
#include "core/wire/messages.h"
#include "tests/support/fake_memory.h"
#include "tests/support/process.h"

namespace vineyard::testing {

struct FakeRequest {
  bool ended = true;  // the client closed the connection instead
  wire::FrameHeader header{};
  std::string body;
  wire::MessageType type() const { return static_cast<wire::MessageType>(header.type); }
};

class FakeConnection {
 public:
  explicit FakeConnection(Fd fd) : fd_(std::move(fd)) {}
  FakeRequest Receive();
  // Receives until a request of this type.
  FakeRequest ReceiveType(wire::MessageType type);
  void Send(const wire::FrameHeader& request, std::string_view body,
            const std::vector<int>& descriptors = {});
  // {root id `id`, first counter `value`, revision 1}.
  void AnswerMutation(const FakeRequest& request, ObjectId id, uint64_t value = 1);
  template <typename Message>
  void Answer(const FakeRequest& request, const Message& message) {
    std::string body;
    message.Encode(&body);
    Send(request.header, body);
  }
  void AnswerEmpty(const FakeRequest& request) { Send(request.header, wire::EncodeEmpty()); }
  // Hello: as a new session, or as one that is known.
  void Welcome(FakeMemory* memory, bool resumed);
  void SendRaw(std::string_view bytes);
  // With a descriptor beside them, whatever they say.
  void SendBeside(std::string_view bytes, int descriptor);
  void Close() { fd_.Reset(); }

 private:
  bool ReadAll(char* to, size_t size);
  Fd fd_;
};

class FakeDaemon {
 public:
  // `scripts[i]` runs the i-th connection; connections beyond are not accepted.
  using Script = std::function<void(FakeConnection&)>;
  explicit FakeDaemon(std::vector<Script> scripts);
  ~FakeDaemon();

  const std::string& path() const { return path_; }
  FakeMemory& memory() { return memory_; }

 private:
  TempFolder folder_;
  std::string path_;
  FakeMemory memory_;
  Fd listener_;
  std::thread thread_;
};

inline FakeDaemon::Script Serve(FakeMemory** memory, std::function<void(FakeConnection&)> then,
                                bool resumed = false) {
  return [=](FakeConnection& connection) {
    connection.Welcome(*memory, resumed);
    then(connection);
  };
}

// Scripts need the daemon's memory, which exists before its thread runs.
struct Fake {
  explicit Fake(std::vector<std::pair<bool, std::function<void(FakeConnection&)>>> scripts)
      : daemon(Build(std::move(scripts))) {}
  std::vector<FakeDaemon::Script> Build(
      std::vector<std::pair<bool, std::function<void(FakeConnection&)>>> scripts) {
    std::vector<FakeDaemon::Script> built;
    for (auto& [resumed, script] : scripts) {
      built.push_back(Serve(&memory_pointer, std::move(script), resumed));
    }
    return built;
  }
  FakeMemory memory;
  FakeMemory* memory_pointer = &memory;
  FakeDaemon daemon;
};

inline void ServeNothing(FakeConnection& connection) {
  while (!connection.Receive().ended) {
  }
}

}  // namespace vineyard::testing

// A client that speaks the wire protocol and nothing more: for tests of the daemon itself, and for
// saying what no decent client would say.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "core/wire/frame.h"
#include "core/wire/messages.h"

namespace vineyard::testing {

// A frame that came, with its descriptors. Decoded messages point into it.
struct Received {
  bool ended = false;  // the connection ended instead
  wire::FrameHeader header{};
  std::string body;
  std::vector<Fd> descriptors;
  std::unique_ptr<Arena> arena = std::make_unique<Arena>();

  Result<wire::Answer> answer() const;
  // ok, or what the daemon answered instead; kUnavailable when the connection ended.
  Status status() const;
  template <typename T>
  Result<T> As() const {
    Result<wire::Answer> decoded = answer();
    if (!decoded.ok()) return decoded.status();
    return T::Decode(*decoded);
  }
};

// The body of a put of a blob of these bytes.
std::string PutOfBytes(std::string_view bytes);

class RawClient {
 public:
  // Connects; also where the path is too long for a socket address.
  explicit RawClient(const std::string& path);

  bool connected() const { return socket_.valid(); }
  int error() const { return error_; }  // errno of connect
  int fd() const { return socket_.get(); }
  void Close() { socket_.Reset(); }

  bool Send(std::string_view bytes);
  // With `audience` and `flags` in its header.
  bool SendFrame(wire::MessageType type, std::string_view body, uint64_t number = 0);
  Received Receive();
  // One request and its answer.
  template <typename T>
  Received Call(wire::MessageType type, const T& message, uint64_t number = 0) {
    std::string body;
    message.Encode(&body);
    return CallRaw(type, body, number);
  }
  Received CallRaw(wire::MessageType type, std::string_view body = "\x90", uint64_t number = 0);
  // The connection ends without another frame.
  bool Ended() { return Receive().ended; }

  // ---- what most tests say ----
  // Begins or resumes the session. The descriptors of a new one are kept, so that it lives.
  Result<wire::Welcome> Hello(uint64_t session);
  // The same with a token of another's choice.
  Result<wire::Welcome> Hello(uint64_t session, uint64_t token);
  // The descriptors are kept likewise, behind those that are there.
  Result<wire::AttachAnswer> Attach(const wire::Attach& attach);
  // A blob of these bytes, by one message.
  Received PutBytes(std::string_view bytes, uint64_t number);
  Received Find(ObjectId id);
  // A number of the daemon's status; UINT64_MAX: there is none.
  uint64_t Number(std::string_view name);
  // By name; without time-out: now.
  Received FindName(std::string_view name);

  uint16_t audience = 0;  // of the frames that are sent
  uint8_t flags = 0;
  std::vector<Fd> files;  // of the session: index, directory, pins
  Received last;          // what Hello was answered

 private:
  Fd socket_;
  int error_ = 0;
};

}  // namespace vineyard::testing

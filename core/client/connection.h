// This file is the only place that talks to the daemon: requests and answers of many threads over one
// socket, which is made again when the daemon died.
//
// One of the threads that wait reads the socket and hands answers to the others; no thread of our own
// runs. All that is shared is under mutex_, which nobody holds while sending, receiving or waiting;
// whoever does one of these for all has a flag for it (sending_, reading_, connecting_).
//
// Invariants:
//  1. At most one thread sends, one reads, one connects.
//  2. When nobody reads and somebody waits for an answer, one of those who wait has been woken.
//  3. A request is sent at most twice: once more after a reconnect, with the same number.
//  4. Number n goes out only when everything up to n - 64 is answered or given up. A number that was
//     given up while its request may still run counts as answered once its late answer came, or its
//     connection is gone. A lease that was given up is sent again even so: somebody must learn what
//     memory is to be dropped.
//  5. A daemon that does not know the session makes a new one under the same id: numbers start at 1
//     again, and what had been sent is of unknown outcome.
//  6. A change that was sent and whose answer nobody waited for has an unknown outcome, never a timeout:
//     the daemon may still apply it.
//  7. An exception leaves neither a flag set nor a Pending in the list.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/client/socket.h"
#include "core/client/wait.h"
#include "core/object/value.h"
#include "core/wire/messages.h"

namespace vineyard::client {

// A message on its way out: room for the frame's header, then the body that the caller appends.
struct Request {
  explicit Request(wire::MessageType message)
      : type(message), frame(sizeof(wire::FrameHeader), '\0') {}
  static Request WithoutBody(wire::MessageType message) {
    Request request(message);
    request.frame.push_back('\x90');  // an empty msgpack list
    return request;
  }
  template <typename Message>
  Request(wire::MessageType message, const Message& body) : Request(message) {
    body.Encode(&frame);
  }
  // `patience`: as in the header; 0: not said.
  void WriteHeader(uint64_t correlation, uint64_t number, bool is_repeated = false,
                   uint16_t patience = 0);

  wire::MessageType type;
  uint16_t audience = 0;  // as in the header
  std::string frame;
  std::string subject;  // of a wait: what for
};

// What came back; stays where it is, since `answer` points into it.
struct Reply {
  Reply() = default;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  Frame frame;
  Arena arena;
  wire::Answer answer;
};

class Connection {
 public:
  struct Options {
    std::string path;
    std::string client_name;
    uint32_t daemon_uid = 0;  // whose daemon is believed beside one's own and root's; 0: nobody's
  };
  // Told of each new session, with its three descriptors, before anybody uses it.
  using OnSession =
      std::function<Status(const wire::Welcome& welcome, const std::vector<Fd>& files)>;
  // Told of a lease that nobody waited for any more, and of whose store it is. Called with the lock: it may not
  // call back.
  using OnLateLease = std::function<void(ObjectId id, uint16_t audience)>;

  Connection(Options options, OnSession on_session, OnLateLease on_late_lease);
  ~Connection() = default;

  // Connects if it is not connected.
  Status Connect(const Patience& patience);
  // Sends the request, which may be moved from, and waits for its answer. The status is the daemon's,
  // when it answered.
  Status Call(Request* request, const Patience& patience, Reply* reply);
  // Says goodbye. Whoever waits fails with kInvalid.
  void Close();
  // In a child: closes the socket, which is the parent's. The object may only be leaked afterwards.
  void AbandonInChild();

  // Asks the kernel, too: whether the other end is there.
  bool IsAlive();
  uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }
  uint64_t reconnects() const { return reconnects_.load(std::memory_order_relaxed); }

 private:
  // What a thread sleeps for.
  enum class For {
    kNothing,
    kAnswer,  // or to become the one who reads
    kTurn,    // to send, or for somebody who connects
  };
  struct Pending {
    Request* request = nullptr;  // null: only waits
    const Patience* patience = nullptr;
    Reply* reply = nullptr;
    bool mutating = false;
    uint64_t correlation = 0;
    uint64_t number = 0;
    uint64_t sent_on = 0;  // generation; 0: none
    int sends = 0;
    bool answered = false;
    bool lost = false;  // its session is gone
    For sleeps = For::kNothing;
    Event event;
  };
  using Lock = std::unique_lock<std::mutex>;
  static constexpr int kMaxSends = 2;

  Status Run(Pending* pending);
  Status Step(Pending* pending, Lock& lock);
  Status Establish(Pending* pending, Lock& lock);
  Result<Socket> Handshake(const Patience& patience, wire::Welcome* welcome, Lock& lock);
  Result<Socket> Greet(const Patience& patience, wire::Welcome* welcome, bool* worth_another_try);
  Status SendRequest(Pending* pending, Lock& lock);
  Status SendAll(Socket* socket, std::string_view bytes, const Patience& patience, uint64_t* sent);
  Status Read(Pending* pending, Lock& lock);
  Status Sleep(Pending* pending, Lock& lock, For what);
  Status Progress(Pending* pending, Lock& lock);
  Status Dispatch(Socket* socket);
  Status NoAnswer(const Pending& pending) const;

  void NewSessionId();
  void Leave(Pending* pending);
  void GiveUp(Pending* pending);
  void RepeatGivenUp();
  void TakeLate(const Frame& frame);
  void SetSocket(std::shared_ptr<Socket> socket);
  void Disconnect(uint64_t generation);
  void SessionIsNew();
  void Answered(uint64_t number);
  void WakeReader();
  void WakeAll(For what);

  const Options options_;
  const OnSession on_session_;
  const OnLateLease on_late_lease_;
  uint64_t session_, token_[2];  // belongs to who connects

  std::atomic<uint64_t> requests_{0}, reconnects_{0};

  std::mutex mutex_;
  std::shared_ptr<Socket> socket_;  // null: not connected. Changed under ProcessMutex(), too
  uint64_t generation_ = 0;         // of socket_
  bool had_session_ = false;
  bool closed_ = false;
  bool sending_ = false, reading_ = false, connecting_ = false;
  std::vector<Pending*> pending_;
  uint64_t correlation_ = 0;
  uint64_t next_number_ = 1, lowest_ = 1;  // lowest number that is not answered
  uint64_t done_ = 0;                      // bit i: lowest_ + i is answered
  struct GivenUp {
    uint64_t correlation, number;
    int sends;
    std::string lease;  // the frame, when it asks for one
  };
  std::vector<GivenUp> given_up_;  // sent on this socket; leases also on the one before
};

}  // namespace vineyard::client

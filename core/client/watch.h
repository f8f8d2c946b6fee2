// This file is the only place that follows the cluster's changes: over a connection of its own, on which
// one request is under way whenever the daemon is there, so that a descriptor becomes readable with an
// event.
//
// Everything but Next() is a step of a state machine that does not wait:
//   cut off -> greeting -> idle -> asked -> idle ...   and from each back to cut off
//
// Invariants:
//  1. Events are handed out in order, and none is left out: after a reconnect the daemon is asked from
//     the place behind the last that came.
//  2. The descriptor is that of an epoll instance, the same for good. While nothing is asked it becomes
//     readable after kRetryMs, so that who waits for it comes and makes the next step.
// Thread-compatible; belongs to the process that made it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/client/client.h"
#include "core/client/socket.h"
#include "core/wire/messages.h"

namespace vineyard::client {

class Watch {
 public:
  using Event = wire::WatchAnswer::Event;
  static constexpr int64_t kRetryMs = 100;

  // Events behind a position; {0, 0}: behind what the daemon knows now.
  static Result<std::unique_ptr<Watch>> Open(const std::shared_ptr<Client>& client,
                                             wire::LogPosition after);

  // The next event, valid until the next call. kTimeout: there was none. kUnavailable: nor a daemon to
  // ask, or it can not ask; the watch goes on when there is one.
  Result<const Event*> Next(int64_t timeout_ms);
  // Readable: Next() has something to do.
  int fd() const { return epoll_.get(); }
  // Where another watch takes up what this one has not handed out. Events that came in one answer with
  // one that was not handed out yet come there again.
  wire::LogPosition position() const { return next_ < events_.size() ? before_ : after_; }
  // kForked: this is a child's.
  Status CheckOwner() const;

 private:
  enum class State { kCutOff, kGreeting, kIdle, kAsked };

  Watch(std::shared_ptr<Client> client, wire::LogPosition after);
  Status Prepare();
  Status Step();
  Status Connect();
  Status Ask();
  Status SendAll(const std::string& frame);
  Status Read();
  Status TakeWelcome(Frame frame);
  Status TakeAnswer(Frame frame);
  Status Outage();
  void CutOff();
  void ComeBackLater();

  const std::shared_ptr<Client> client_;
  const uint32_t stamp_;
  Fd epoll_, timer_;
  State state_ = State::kCutOff;
  std::optional<Socket> socket_;  // while not cut off
  uint64_t correlation_ = 0;
  Status outage_;         // what the daemon answered last instead of news
  int64_t asked_ns_ = 0;  // when it was asked again

  wire::LogPosition before_, after_;  // of the events
  std::vector<Event> events_;         // of the last answer
  size_t next_ = 0;                   // to be handed out
};

}  // namespace vineyard::client

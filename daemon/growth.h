// This file is the only place that prepares segments: by a thread of its own, because it takes long
// (every page is touched), which posts them to the loop. Requests that need the memory wait here meanwhile,
// in order; a client that has postponed much is not read from until they are done, so that it can not
// fill the daemon's memory meanwhile.
//
// Everything but the helper's own function is confined to the daemon's loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/store/store.h"
#include "daemon/asio.h"
#include "daemon/session.h"
#include "daemon/worker.h"

namespace vineyard::daemon {

// A request that failed for want of memory, or of a payload that is spilled.
struct Postponed {
  std::shared_ptr<Session> session;
  wire::FrameHeader request;
  std::string body;
  int64_t deadline_ns = INT64_MAX;
  bool synced = false;
};

class Growth {
 public:
  // `again`: does the request again; false: it still has to wait.
  using Again = std::function<bool(const Postponed&)>;

  Growth(asio::io_context* loop, store::Store* store, Again again)
      : loop_(loop), store_(store), again_(std::move(again)) {}

  // Starts the helper on what the store wants, unless it is busy.
  void Check();
  // Does postponed requests again: those that read, each; changes, up to one that still has to wait.
  void Retry();
  void Postpone(Postponed request);
  // The session is gone.
  void Drop(const Session& session);
  bool is_busy() const { return busy_ || !postponed_.empty(); }
  bool has_postponed() const { return !postponed_.empty(); }
  // Waits for the helper to end what it does.
  void Stop() { helper_.Stop(); }

 private:
  void OnPrepared(Result<shm::Segment> segment);
  void Count(const Postponed& request);

  asio::io_context* const loop_;
  store::Store* const store_;
  const Again again_;
  std::deque<Postponed> postponed_;
  std::unordered_map<const Session*, uint64_t> bytes_;  // of postponed_
  int64_t warned_ns_ = 0;
  bool busy_ = false;
  Worker helper_{"growth"};
};

}  // namespace vineyard::daemon

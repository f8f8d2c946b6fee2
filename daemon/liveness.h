// This file is the only place that finds out whether the process behind a closed connection is
// gone. A socket says nothing: the session lives as long as somebody holds its pin table. So
// sessions without a connection are probed, at once and then less and less often, until they come
// back or end. Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "core/store/store.h"
#include "daemon/asio.h"

namespace vineyard::daemon {

class Liveness {
 public:
  Liveness(asio::io_context* loop, store::Store* store) : store_(store), timer_(*loop) {}

  // The session has no connection (any more).
  void Watch(uint64_t session);
  // It has one again.
  void Forget(uint64_t session) { watched_.erase(session); }
  void Stop();

 private:
  struct Probe {
    int64_t next_ns;
    int64_t pause_ns;
  };
  void ProbeDue();
  void Arm();

  store::Store* const store_;
  asio::steady_timer timer_;
  bool stopped_ = false;
  std::unordered_map<uint64_t, Probe> watched_;
};

}  // namespace vineyard::daemon

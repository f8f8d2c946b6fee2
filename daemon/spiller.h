// This file is the only place that runs the store's work on spill files: by two threads, one for those who
// wait to read, one for all else, so that a get does not wait for the end of a long write.
// Everything but the jobs themselves is confined to the daemon's loop.
#pragma once

#include <functional>
#include <memory>

#include "core/store/store.h"
#include "daemon/asio.h"
#include "daemon/worker.h"

namespace vineyard::daemon {

class Spiller {
 public:
  // `on_done`: memory may have come free, or what somebody waits for may be there.
  Spiller(asio::io_context* loop, store::Store* store, std::function<void()> on_done)
      : loop_(loop), store_(store), on_done_(std::move(on_done)) {}

  // Hands out what the store wants to have done.
  void Check();
  bool is_busy() const { return busy_[0] || busy_[1]; }
  // Waits for the jobs under way to end.
  void Stop();

 private:
  void Begin(bool load, store::SpillJob job);
  void End(bool load, store::SpillJob job);

  asio::io_context* const loop_;
  store::Store* const store_;
  const std::function<void()> on_done_;
  bool busy_[2] = {false, false};  // by `load`
  Worker workers_[2] = {Worker("spill"), Worker("load")};
};

}  // namespace vineyard::daemon

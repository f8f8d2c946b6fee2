// This file is the only place that prepares segments: by a thread of its own, because it takes long
// (every page is touched), which posts them to the loop. Requests that need the memory wait here meanwhile,
// in order; a client that has postponed much is not read from until they are done, so that it can not
// fill the daemon's memory meanwhile.
//
// Everything but the helper's own function is confined to the daemon's loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "core/store/store.h"
#include "daemon/asio.h"
#include "daemon/session.h"

namespace vineyard::daemon {

// A request that failed for want of memory.
struct Postponed {
  std::shared_ptr<Session> session;
  wire::FrameHeader request;
  std::string body;
  int64_t deadline_ns = INT64_MAX;
  bool synced = false;
};

class Growth {
 public:
  // `retry`: does the request again; false: it still wants growth.
  using Retry = std::function<bool(const Postponed&)>;

  Growth(asio::io_context* loop, store::Store* store, Retry retry)
      : loop_(loop), store_(store), retry_(std::move(retry)) {}
  ~Growth() { Stop(); }

  // Starts the helper on what the store wants, unless it is busy.
  void Check();
  void Postpone(Postponed request);
  // The session is gone.
  void Drop(const Session& session);
  bool has_postponed() const { return !postponed_.empty(); }
  // Waits for the helper to end what it does.
  void Stop();

 private:
  void RunHelper();
  void OnPrepared(Result<shm::Segment> segment);
  void RetryAll();
  void Count(const Postponed& request);

  asio::io_context* const loop_;
  store::Store* const store_;
  const Retry retry_;
  std::deque<Postponed> postponed_;
  std::unordered_map<const Session*, uint64_t> bytes_;  // of postponed_
  bool busy_ = false;

  std::thread helper_;  // started with the first growth
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<store::GrowthPlan> plan_;  // guarded by mutex_
  bool stopping_ = false;                  // guarded by mutex_
};

}  // namespace vineyard::daemon

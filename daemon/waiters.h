// This file is the only place that keeps requests which wait for an object or a name, until it is
// there or their deadline has passed. Nothing is answered from inside a change of the store: what
// came is noted, and answered by Wake(). Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/object/ids.h"
#include "daemon/asio.h"
#include "daemon/session.h"

namespace vineyard::daemon {

struct Wait {
  std::shared_ptr<Session> session;
  wire::FrameHeader request;
  ObjectId id = kInvalidId;
  std::string name;         // not empty: wait for it, not for the id
  uint64_t timeout_ms = 0;  // as it was asked for
  int64_t deadline_ns = 0;
};

class Waiters {
 public:
  // True: it was answered.
  using TryAnswer = std::function<bool(const Wait&)>;

  Waiters(asio::io_context* loop, TryAnswer try_answer)
      : try_answer_(std::move(try_answer)), timer_(*loop) {}

  // kLimit when this session waits for too much already.
  Status Add(Wait wait);
  void Sealed(ObjectId id);
  void Named(std::string_view name);
  // Whatever is waited for may have come.
  void NoteAll();
  // Answers waits whose object or name has come.
  void Wake();
  // The session is gone.
  void Drop(const Session& session);
  // Answers all of them with this error.
  void FailAll(const Status& error);
  size_t size() const { return waits_.size(); }

 private:
  struct Entry;
  using Entries = std::list<Entry>;
  // Ordered: thousands may wait for one key, and each is taken out by its own place.
  using ByKey = std::multimap<std::string, Entries::iterator, std::less<>>;
  using ByDeadline = std::multimap<int64_t, Entries::iterator>;
  struct Entry {
    Wait wait;
    ByKey::iterator by_key;
    ByDeadline::iterator by_deadline;
  };

  void Note(std::string key);
  Entries::iterator Erase(Entries::iterator entry);
  void Expire();
  void Arm();

  const TryAnswer try_answer_;
  asio::steady_timer timer_;
  Entries waits_;
  ByKey by_key_;
  ByDeadline by_deadline_;
  std::vector<std::string> came_;
  std::unordered_map<const Session*, size_t> by_session_;
  int64_t armed_ns_ = 0;
};

}  // namespace vineyard::daemon

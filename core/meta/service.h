// This file is the only way from the daemon into the metadata of a cluster. Two implementations: `local`
// (one host, nothing outlives the daemon but what it publishes again) and `zookeeper`. Who uses it can not
// tell which it has.
//
// Thread-confined to the loop that was given at the start; every callback runs there, never inside the call
// that takes it, and exactly once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/meta/catalog.h"
#include "core/meta/model.h"

namespace vineyard::meta {

// Runs a function on the owner's loop, later. Any thread.
using Post = std::function<void(std::function<void()>)>;

// Whether the cluster can be asked now.
struct Health {
  int64_t stale_since_ms = 0;  // Unix time from which on what is known may be old; 0: it is not
  bool read_only = false;      // the log holds what this build does not understand
  std::string text;            // for people: "zookeeper 127.0.0.1:2181, connected"
};

class Service {
 public:
  using Committed = std::function<void(Result<Outcome>)>;
  using Synced = std::function<void(Status)>;
  virtual ~Service() = default;

  // As far as the log was read. Changes only between two turns of the loop.
  virtual const Catalog& catalog() const = 0;
  virtual Revision applied() const = 0;
  virtual Health health() const = 0;
  virtual const Instance& self() const = 0;
  // Set by the owner; called after the catalog shows it.
  std::function<void(const Event&)> on_event;

  // Applies a change whole, or not at all; but a delete of more than 1,000 names, links and trees, and the end of an
  // instance with as many, is applied in parts, names and links first: where it ends early it may be done in part.
  // The catalog shows the change when `done` runs. What was applied before is answered as it was then.
  //   what Catalog::Check says   as of now, not as of what the catalog knew
  //   kUnavailable               the cluster can not be asked; nothing was changed
  //   kUnknown                   the deadline passed, or the connection ended, while it or a part was on its way
  virtual void Commit(const Request& request, Change change, const Deadline& deadline,
                      Committed done) = 0;
  // After this the catalog shows everything that was committed anywhere before the call. kUnavailable when the
  // cluster can not be asked before the deadline.
  virtual void Sync(const Deadline& deadline, Synced done) = 0;
  // Once the catalog is at least that far. kTimeout; kNotFound where it is known to be of another log.
  virtual void WaitFor(Revision revision, const Deadline& deadline, Synced done) = 0;

  // Every 10 to 100 ms, so that deadlines pass.
  virtual void Tick(int64_t now_ns) = 0;
  // Leaves the cluster in order: others see this instance as lost at once. What is pending fails.
  virtual void Stop() = 0;
  // For a process that becomes another program: while the lock is held no thread of the service starts a thread, which
  // the kernel refuses during an exec. Waits for one that does, a few seconds at most.
  virtual std::unique_lock<std::mutex> HoldThreads() { return {}; }
};

}  // namespace vineyard::meta

// This file is the only place that remembers what happened in the cluster, and tells who watches.
//
// Invariants:
//  1. Everything that happened behind from_ is remembered; all events of one revision, or none.
//  2. A watch is answered once: with events, with none at its end, or dropped with its session.
// Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>

#include "core/meta/service.h"
#include "core/wire/messages.h"
#include "daemon/session.h"

namespace vineyard::daemon {

class Events {
 public:
  explicit Events(meta::Service* service) : service_(service) {}

  // The catalog is there; what came before is not known.
  void Begin();
  void Add(const meta::Event& event);
  // Answers at once when there is something to tell; else the request waits.
  void Watch(const std::shared_ptr<Session>& session, const wire::FrameHeader& request,
             const wire::Watch& watch);
  // Answers who waits for what has come. To be called behind changes.
  void Wake();
  void Tick(int64_t now_ns);
  void Drop(const Session& session);
  void FailAll(const Status& error);

 private:
  struct Past {
    meta::Revision revision;
    wire::WatchAnswer::Event event;
  };
  struct Waiting {
    std::shared_ptr<Session> session;
    wire::FrameHeader request;
    meta::Revision after;
    uint64_t limit = 0;
    int64_t until_ns = 0;
  };
  std::optional<wire::WatchAnswer> Behind(meta::Revision after, uint64_t limit) const;
  // Not ok: this daemon hears of no changes.
  Status CheckHearing() const;

  meta::Service* const service_;
  std::deque<Past> past_;
  meta::Revision from_;
  bool came_ = false;
  std::list<Waiting> waiting_;
};

}  // namespace vineyard::daemon

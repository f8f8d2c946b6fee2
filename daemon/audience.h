// This file is the only place that lists what serves one audience: its store, and what works for it. What is in
// one audience's store is nowhere else, so who is let in here sees nothing of another.
//
// Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/meta/service.h"
#include "core/shm/state_file.h"
#include "core/store/store.h"
#include "daemon/asio.h"
#include "daemon/cluster.h"
#include "daemon/events.h"
#include "daemon/growth.h"
#include "daemon/handler.h"
#include "daemon/holds.h"
#include "daemon/liveness.h"
#include "daemon/lookup.h"
#include "daemon/spiller.h"

namespace vineyard::daemon {

class Audience {
 public:
  // What it does not know how to do itself.
  struct Hooks {
    asio::io_context* loop = nullptr;
    Growth::Again again;                                         // a postponed request
    std::function<void(Audience&)> on_spilled;                   // memory came free, or was read
    std::function<wire::StatusAnswer(uint64_t session)> status;  // of the daemon, for who asks
    std::function<void(ObjectId)> on_sealed;                     // see Store
    std::function<void(std::string_view)> on_named;
    std::function<void(Audience&, const meta::Event&)> on_event;
    // A state that is listed from here on, or ends.
    std::function<void(shm::StateFile*)> on_state, on_state_end;
  };
  // They outlive it.
  struct Parts {
    shm::StateFile* state;
    store::Store* store;
    meta::Service* service;
  };

  Audience(uint16_t number, const shm::AudienceId& id, const Parts& parts, const Hooks& hooks);
  ~Audience();
  Audience(const Audience&) = delete;
  Audience& operator=(const Audience&) = delete;

  const uint16_t number;
  const shm::AudienceId id;
  shm::StateFile* const state;
  store::Store* const store;
  meta::Service* const service;
  Holds holds;
  Liveness liveness;
  Growth growth;
  Spiller spiller;
  Cluster cluster;
  Lookup lookup;
  Events events;
  Handler handler;
};

}  // namespace vineyard::daemon

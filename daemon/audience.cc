#include "daemon/audience.h"

namespace vineyard::daemon {

Audience::Audience(uint16_t its_number, const shm::AudienceId& its_id, const Parts& parts,
                   const Hooks& hooks)
    : number(its_number),
      id(its_id),
      state(parts.state),
      store(parts.store),
      service(parts.service),
      holds(store),
      liveness(hooks.loop, store),
      growth(hooks.loop, store, hooks.again),
      spiller(hooks.loop, store, [this, on_spilled = hooks.on_spilled] { on_spilled(*this); }),
      cluster(store, service, state),
      lookup(number, store, service, &holds),
      events(service),
      handler(store, &cluster, &lookup, hooks.status) {
  store->on_sealed = hooks.on_sealed;
  store->on_named = hooks.on_named;
  service->on_event = [this, on_event = hooks.on_event](const meta::Event& event) {
    on_event(*this, event);
  };
}

Audience::~Audience() {
  store->on_sealed = nullptr;
  store->on_named = nullptr;
  service->on_event = nullptr;
}

}  // namespace vineyard::daemon

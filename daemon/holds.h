// This file is the only place that remembers which slots the daemon holds for a client that has
// just been told of them, so that it can pin them: until its session's next frame, its end, or one
// second. Thread-confined to the daemon's loop.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/store/store.h"

namespace vineyard::daemon {

class Holds {
 public:
  explicit Holds(store::Store* store) : store_(store) {}

  void Hold(uint64_t session, uint32_t slot, int64_t now_ns);
  void Release(uint64_t session);
  // Lets go of what is older than a second.
  void Expire(int64_t now_ns);

 private:
  struct Held {
    uint32_t slot;
    int64_t since_ns;
  };
  store::Store* const store_;
  std::unordered_map<uint64_t, std::vector<Held>> held_;
};

}  // namespace vineyard::daemon

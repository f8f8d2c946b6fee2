// This file is the only place where a client compares bytes in memory with their checksums.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/result.h"
#include "core/client/client.h"

namespace vineyard::client {

struct Verified {
  uint64_t objects = 0, bytes = 0;                      // blobs and records that have a checksum
  uint64_t unchecked_objects = 0, unchecked_bytes = 0;  // and that have none
};

// An object and all below it that lies in this instance's memory. kCorrupt: its text names what does not
// have its checksum.
Status VerifyTree(Client* client, ObjectId id, Verified* verified);

// Whatever is sealed in the store of this audience, names and labels too. A problem is reported and does not
// end it. kNotFound: there is no such audience. `on_progress` is called now and then, with slots looked at and slots there are.
Status VerifyAll(Client* client, uint16_t audience, Verified* verified,
                 const std::function<void(const Status&)>& on_problem,
                 const std::function<void(uint64_t, uint64_t)>& on_progress);

}  // namespace vineyard::client

// This file is the only place that copies payloads.
#pragma once

#include <cstdint>

namespace vineyard::shm {

// memcpy, with stores that bypass the cache from 1 MiB on: nobody reads a payload back right after it
// was written. Does not overlap.
void CopyPayload(void* destination, const void* source, uint64_t size);

}  // namespace vineyard::shm

// The features of this build, in a file of their own: a test links another one instead, and has a build
// of another release (tests/integration/other_features.cc).
#include "core/shm/layout.h"

namespace vineyard::shm {

// 1: slots may be SPILLED, with a location in a file. 2: there may be stores beside the daemon's own, each
// with a state of its own, and segments that hold one payload.
const uint64_t kKnownIncompatible = 3;
const uint64_t kKnownCompatible = 0;

}  // namespace vineyard::shm

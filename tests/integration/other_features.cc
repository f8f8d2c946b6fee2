// Linked instead of core/shm/features.cc: a build that knows one incompatible feature more.
#include "core/shm/layout.h"

namespace vineyard::shm {

const uint64_t kKnownIncompatible = uint64_t{1} << 62 | 1;
const uint64_t kKnownCompatible = 0;

}  // namespace vineyard::shm

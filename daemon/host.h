// This file is the only place that asks, before anything is made, whether a daemon could serve at all
// where it was started: as whom, and with how many descriptors.
#pragma once

#include "core/base/status.h"

namespace vineyard::daemon {

// Raises the soft limit of descriptors. An error: why no daemon may begin here.
Status PrepareHost();

}  // namespace vineyard::daemon

// This file is the only place that looks, for vineyardd --doctor, whether what --meta names can be reached or
// started.
#pragma once

#include <vector>

#include "daemon/doctor.h"
#include "daemon/meta_options.h"

namespace vineyard::daemon {

// Waits a few seconds at most for each server.
std::vector<Finding> ExamineMetadata(const MetaOptions& options);

}  // namespace vineyard::daemon

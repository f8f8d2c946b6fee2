// This file is the only place that reads and prints sizes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace vineyard::daemon {

// "1073741824", "512Mi", "4Gi", "1.5GiB": units with an i are powers of 1024; "4G", "4GB": of 1000.
// In either case; a space before the unit is allowed.
Result<uint64_t> ParseSize(std::string_view text);

// "4 GiB", "1.5 MiB", "100 B": at most one digit behind the point.
std::string PrintSize(uint64_t bytes);

}  // namespace vineyard::daemon

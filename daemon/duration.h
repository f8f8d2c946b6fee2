// This file is the only place that reads and prints lengths of time as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace vineyard::daemon {

// "10s", "1.5 s", "500ms", "2min" (or 2m), "1h": milliseconds. A number without a unit is refused.
Result<int64_t> ParseDuration(std::string_view text);

// "10 s", "1.5 s", "500 ms": at most one digit behind the point.
std::string PrintDuration(int64_t ms);

}  // namespace vineyard::daemon

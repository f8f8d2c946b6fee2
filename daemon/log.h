// This file is the only place that decides how the daemon's log looks: lines on standard error,
// through spdlog. Everything else calls Log() of core/base/log.h.
#pragma once

#include <optional>
#include <string_view>

#include "core/base/log.h"

namespace vineyard::daemon {

// "debug", "info", "warning", "error".
std::optional<LogLevel> ParseLogLevel(std::string_view name);
std::string_view LogLevelName(LogLevel level);

// Sends every Log() from `level` on to standard error, with time and process.
void StartLog(LogLevel level);

}  // namespace vineyard::daemon

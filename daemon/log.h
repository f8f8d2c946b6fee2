// This file is the only place that decides how the daemon's log looks: lines on standard error,
// through spdlog, for people or for programs. Everything else calls Log() of core/base/log.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/log.h"

namespace vineyard::daemon {

// "debug", "info", "warning", "error".
std::optional<LogLevel> ParseLogLevel(std::string_view name);
std::string_view LogLevelName(LogLevel level);

enum class LogFormat { kText, kJson };
// "text", "json".
std::optional<LogFormat> ParseLogFormat(std::string_view name);
std::string_view LogFormatName(LogFormat format);

// Sends every Log() from `level` on to standard error, with time and process.
void StartLog(LogLevel level, LogFormat format);

// As it may be shown on a terminal, in one line: controls and what is no UTF-8 as \n, \x1b.
std::string EscapeControls(std::string_view text);
// What stands between the quotes of a JSON string; what is no UTF-8 becomes U+FFFD.
std::string EscapeJson(std::string_view text);

}  // namespace vineyard::daemon

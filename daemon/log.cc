#include "daemon/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace vineyard::daemon {
namespace {

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

void Write(LogLevel level, std::string_view line) {
  spdlog::default_logger_raw()->log(LevelOf(level),
                                    spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::string_view LogLevelName(LogLevel level) { return kNames[static_cast<size_t>(level)]; }

void StartLog(LogLevel level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("vineyardd"));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e %P %^%l%$ %v");
  spdlog::set_level(LevelOf(level));
  spdlog::flush_on(spdlog::level::debug);
  SetLogSink(&Write);
}

}  // namespace vineyard::daemon

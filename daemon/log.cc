#include "daemon/log.h"

#include <poll.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <utility>

#include "core/base/bytes.h"
#include "core/object/pack.h"

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

void WriteText(LogLevel level, std::string_view line) { Write(level, EscapeControls(line)); }
void WriteJson(LogLevel level, std::string_view line) { Write(level, EscapeJson(line)); }

// Standard error, which somebody may have stopped reading: a full pipe, or a terminal that is held. One line waits
// for room, those behind it are counted until there is some.
class PatientSink final : public spdlog::sinks::sink {
 public:
  explicit PatientSink(std::shared_ptr<sink> standard_error) : inner_(std::move(standard_error)) {}

  void log(const spdlog::details::log_msg& message) override {
    // relaxed, here and below: a number that is told to people.
    bool waits = lost_.load(std::memory_order_relaxed) == 0;
    pollfd entry = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&entry, 1, waits ? kPatienceMs : 0) < 1) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (uint64_t lost = lost_.exchange(0, std::memory_order_relaxed); lost > 0) {
      Log(LogLevel::kWarning, "%llu lines of the log are lost: nobody read standard error",
          static_cast<unsigned long long>(lost));
    }
    inner_->log(message);
  }
  void flush() override { inner_->flush(); }
  void set_pattern(const std::string& pattern) override { inner_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    inner_->set_formatter(std::move(formatter));
  }

 private:
  static constexpr int kPatienceMs = 1000;
  std::shared_ptr<sink> inner_;
  std::atomic<uint64_t> lost_{0};
};

// The length of the character that begins there; 0: it is none of UTF-8.
size_t CharacterAt(std::string_view text) {
  auto first = static_cast<unsigned char>(text[0]);
  size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return length <= text.size() && IsUtf8(text.substr(0, length)) ? length : 0;
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::string_view LogLevelName(LogLevel level) { return kNames[static_cast<size_t>(level)]; }

std::optional<LogFormat> ParseLogFormat(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

std::string_view LogFormatName(LogFormat format) {
  return format == LogFormat::kJson ? "json" : "text";
}

std::string EscapeControls(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    size_t length = CharacterAt(text);
    auto byte = static_cast<unsigned char>(text[0]);
    // Of the second page, too: a terminal takes U+009B for an escape.
    bool is_c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    if (byte == '\n') {
      escaped += "\\n";
    } else if (length == 0 || byte < 0x20 || byte == 0x7f || is_c1) {
      length = is_c1 ? 2 : 1;
      for (unsigned char each : text.substr(0, length)) escaped += Format("\\x%02x", each);
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return escaped;
}

std::string EscapeJson(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    size_t length = CharacterAt(text);
    auto byte = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      escaped += "\\ufffd";
      length = 1;
    } else if (byte < 0x20 || byte == 0x7f) {
      escaped += Format("\\u%04x", byte);
    } else {
      if (byte == '"' || byte == '\\') escaped += '\\';
      escaped += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return escaped;
}

void StartLog(LogLevel level, LogFormat format) {
  bool json = format == LogFormat::kJson;
  std::shared_ptr<spdlog::sinks::sink> standard_error;
  if (json) {
    standard_error = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    standard_error = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  }
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "vineyardd", std::make_shared<PatientSink>(std::move(standard_error))));
  spdlog::set_pattern(json
                          ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","pid":%P,"level":"%l","text":"%v"})"
                          : "%Y-%m-%d %H:%M:%S.%e %P %^%l%$ %v");
  spdlog::set_level(LevelOf(level));
  spdlog::flush_on(spdlog::level::debug);
  SetLogSink(json ? &WriteJson : &WriteText);
}

}  // namespace vineyard::daemon

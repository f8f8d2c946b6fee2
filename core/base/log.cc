#include "core/base/log.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>

namespace vineyard {
namespace {
// relaxed: installed once before any other thread exists.
std::atomic<LogSink> g_sink{nullptr};
}  // namespace

void SetLogSink(LogSink sink) { g_sink.store(sink, std::memory_order_relaxed); }

void Log(LogLevel level, const char* format, ...) {
  LogSink sink = g_sink.load(std::memory_order_relaxed);
  if (sink == nullptr) return;
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  size_t size = static_cast<size_t>(length);
  sink(level, std::string_view(line, size < sizeof line ? size : sizeof line - 1));
}

}  // namespace vineyard

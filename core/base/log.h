// This file is the only way in which core speaks to an operator. The daemon installs a sink;
// without one (in libvineyard.so) nothing is printed: a library does not write to its host's
// terminal.
#pragma once

#include <string_view>

namespace vineyard {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogSink = void (*)(LogLevel level, std::string_view line);
void SetLogSink(LogSink sink);
[[gnu::format(printf, 2, 3)]] void Log(LogLevel level, const char* format, ...);

}  // namespace vineyard

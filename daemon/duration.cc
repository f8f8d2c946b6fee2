#include "daemon/duration.h"

#include <charconv>
#include <cmath>

namespace vineyard::daemon {
namespace {

// 0: it is no unit.
double MsOf(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s" || unit == "sec") return 1000;
  if (unit == "m" || unit == "min") return 60'000;
  if (unit == "h") return 3'600'000;
  return 0;
}

}  // namespace

Result<int64_t> ParseDuration(std::string_view text) {
  Status bad = Invalid("duration '" + std::string(text.substr(0, 64)) +
                       "': expected a number with a unit, such as 10s, 1500ms or 2min");
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return bad;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (!unit.empty() && unit[0] == ' ') unit.remove_prefix(1);
  double ms = number * MsOf(unit);
  if (MsOf(unit) == 0) return bad;
  if (ms >= 9e15) return Limit("duration '" + std::string(text.substr(0, 64)) + "': too long");
  return static_cast<int64_t>(std::llround(ms));
}

std::string PrintDuration(int64_t ms) {
  if (ms < 1000) return Format("%lld ms", static_cast<long long>(ms));
  double seconds = std::round(static_cast<double>(ms) / 100) / 10;
  return Format(seconds == std::floor(seconds) ? "%.0f s" : "%.1f s", seconds);
}

}  // namespace vineyard::daemon

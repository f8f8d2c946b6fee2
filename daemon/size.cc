#include "daemon/size.h"

#include <cctype>
#include <charconv>
#include <cmath>

#include "core/base/bytes.h"

namespace vineyard::daemon {
namespace {

constexpr std::string_view kUnits = "kmgtp";

// The factor of a unit; 0: it is none.
double FactorOf(std::string_view unit) {
  std::string lower;
  for (char c : unit) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (!lower.empty() && lower.back() == 'b') lower.pop_back();
  if (lower.empty()) return 1;
  size_t power = kUnits.find(lower[0]);
  if (power == std::string_view::npos || lower.size() > 2) return 0;
  if (lower.size() == 2 && lower[1] != 'i') return 0;
  return std::pow(lower.size() == 2 ? 1024.0 : 1000.0, static_cast<double>(power + 1));
}

}  // namespace

Result<uint64_t> ParseSize(std::string_view text) {
  Status bad = Invalid("size '" + std::string(text.substr(0, 64)) +
                       "': expected a number with an optional unit, such as 512Mi, 4Gi or 4GB");
  double number = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || std::signbit(number)) return bad;
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (!unit.empty() && unit[0] == ' ') unit.remove_prefix(1);
  double factor = FactorOf(unit);
  if (factor == 0) return bad;
  double bytes = number * factor;
  // Whole numbers without a unit stay exact; above 2^53 nobody counts single bytes.
  if (bytes >= 9e18) return Limit("size '" + std::string(text.substr(0, 64)) + "': too large");
  return static_cast<uint64_t>(bytes);
}

std::string PrintSize(uint64_t bytes) {
  constexpr const char* kNames[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double number = static_cast<double>(bytes);
  size_t unit = 0;
  while (number >= 1024 && unit < 5) {
    number /= 1024;
    ++unit;
  }
  number = std::round(number * 10) / 10;
  return Format(number == std::floor(number) ? "%.0f %s" : "%.1f %s", number, kNames[unit]);
}

}  // namespace vineyard::daemon

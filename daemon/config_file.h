// This file is the only place that reads and writes what stands in a configuration file (TOML; the only
// include of toml++).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace vineyard::daemon {

// What stands behind a key. Sizes are texts, or numbers of bytes.
enum class SettingKind { kText, kSize, kTime, kAny };

struct KnownSetting {
  std::string name;  // with '-'; in the file it may have '_'
  SettingKind kind = SettingKind::kText;
  bool is_shown = true;  // people are told of it
};

struct Setting {
  std::string name;
  std::string value;  // as the command line would have it
  std::string where;  // "/etc/vineyardd.toml line 4"
};

// In the order of the file. An error names file, line and key, and says what was expected.
Result<std::vector<Setting>> ReadConfigFile(const std::string& path,
                                            const std::vector<KnownSetting>& known);

// As a string of TOML, with its quotes.
std::string QuoteForConfigFile(std::string_view text);

}  // namespace vineyard::daemon

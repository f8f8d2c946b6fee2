// This file is the only place that collects what the daemon was told, still as text: by the command line, by
// the environment, by the file of --config, in this order; and who told it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "daemon/meta_options.h"

namespace vineyard::daemon {

// Who said an option; what nobody said is not in here.
inline constexpr const char* kCommandLine = "the command line";
using Origins = std::map<std::string, std::string>;  // "size": "/etc/vineyardd.toml line 2"

struct Said {
  std::string socket, size, prefault;
  std::string evict, spill_path, spill_upper_rate = "0.8", spill_lower_rate = "0.3";
  std::string allow_uid, allow_gid, socket_mode, share, quota;
  std::string checksum = "small", log_level = "info", log_format = "text";
  SaidOfMeta meta;
  int lifeline = -1, keeper_state = -1, made_folders = 0;

  // Instead of a start.
  std::string fsck, upgrade;  // sockets
  bool check_config = false, doctor = false;
  std::optional<std::string> text;  // help or version: nothing else was looked at

  Origins origins;
  std::vector<std::string> warnings;  // of what has no effect
};

// `environment`: "NAME=value", as in environ.
Result<Said> Listen(const std::vector<std::string>& arguments,
                    const std::vector<std::string>& environment);

// An error about an option ("--size: ...") that somewhere else than on the command line was said: with the
// place in front.
Status WithOrigin(const Status& status, const Origins& origins);

std::optional<std::string> Lookup(const std::vector<std::string>& environment,
                                  const std::string& name);

}  // namespace vineyard::daemon

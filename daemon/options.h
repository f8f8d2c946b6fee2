// This file is the only place that knows what the options mean that people give the daemon, and prints them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/shm/os.h"
#include "core/store/store.h"
#include "core/wire/messages.h"
#include "daemon/access.h"
#include "daemon/log.h"
#include "daemon/meta_options.h"

namespace vineyard::daemon {

struct Options {
  std::string socket;  // absolute path
  uint32_t socket_mode = 0600;
  Access access;                          // who may connect
  wire::Share share = wire::Share::kUid;  // who may read what is put, where nothing else is said
  uint64_t quota_bytes = 0;               // memory of each user but the daemon's own
  uint64_t size_bytes = 0;
  uint64_t prefault_bytes = 0;
  MetaOptions meta;
  store::Eviction eviction = store::Eviction::kNone;
  std::string spill_path;  // absolute; empty: nothing is spilled
  // Shares of size_bytes: above the upper one the store spills until it is below the lower one.
  double spill_upper_rate = 0.8, spill_lower_rate = 0.3;
  uint64_t checksum_limit = kMiB;  // values up to this size have a checksum
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  // A pipe: when its other end is closed, daemon and keeper end. -1: none.
  int lifeline = -1;
  // Set by a daemon that becomes its own keeper: the descriptor of `state`. -1: a fresh start.
  int keeper_state = -1;
  // So many folders at the end of the socket's path were made by the keeper, which removes them.
  int made_folders = 0;

  // Said but without effect in this version; for the log.
  std::vector<std::string> warnings;

  // The command line that gives the same options again, without environment and file.
  std::vector<std::string> ToArguments() const;
};

// What the command line asks for: options, a text to print (help, version, the options in effect), to look
// at the machine, or at a daemon that runs.
struct Command {
  Options options;
  std::optional<std::string> text;
  std::optional<std::string> fsck, upgrade;  // the socket of that daemon
  bool doctor = false;
};

// Flags win over the environment (VINEYARD_<FLAG>), that over the file named by --config.
// `environment`: "NAME=value", as in environ. `memory_limit`: what --size may be at most.
Result<Command> ParseCommand(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment,
                             uint64_t memory_limit = shm::MemoryLimit());

// The socket when nobody names one. Makes no folder.
std::string DefaultSocket(uint32_t uid, const std::vector<std::string>& environment);

std::string_view ShareName(wire::Share share);
std::string_view EvictionName(store::Eviction eviction);
std::string_view ChecksumName(uint64_t limit);

}  // namespace vineyard::daemon

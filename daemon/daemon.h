// This file is the only place that puts the daemon together: the loop's thread runs it in the
// process that the keeper has cloned. It also turns this process into a keeper when its own has
// died.
#pragma once

#include <sys/types.h>

#include "daemon/options.h"

namespace vineyard::daemon {

// What the keeper leaves to the daemon it clones.
struct Inheritance {
  const Options* options = nullptr;
  int state = -1;       // descriptor of the state file
  int executable = -1;  // of the running program, which may have been replaced on disk
  int lock = -1;        // of the socket
  pid_t keeper = 0;
};

// Exit codes that the keeper understands; every other end is a death, and there is a next daemon.
inline constexpr int kStopped = 0;
inline constexpr int kUpgraded = 77;     // the keeper execs the program that `state` lists
inline constexpr int kCanNotStart = 78;  // nothing was ever kept: the keeper gives up

// Number of a descriptor of shm::Role::kKeeper: the program that takes over.
inline constexpr uint64_t kNextProgram = 5;

// Serves until SIGTERM. Returns the exit code.
int RunDaemon(const Inheritance& inheritance);

}  // namespace vineyard::daemon

// This file is the only place that knows how daemons come and go: the keeper, the process that a
// person starts, holds every descriptor of the store, clones the daemon into a process of its own
// that shares its descriptor table, and clones another when that one dies.
//
// Invariants:
//  1. The keeper has one thread and never looks at objects.
//  2. Whatever must survive a daemon is listed in the state file; the rest is closed before the
//  next
//     daemon starts, so that clients of the dead one learn of it.
//  3. It joins those who share the ZooKeeper of this machine (--meta auto) before the first daemon,
//     and leaves them after the last one.
//  4. Both end together: after SIGTERM (or the end of the lifeline) nothing is left.
#pragma once

#include <csignal>

#include "core/base/status.h"
#include "core/shm/state_file.h"
#include "daemon/options.h"

namespace vineyard::daemon {

// Numbers of Role::kKeeper.
inline constexpr uint64_t kLock = 1;  // of the socket
inline constexpr uint64_t kLifeline = 2;
inline constexpr uint64_t kZookeeperUsers = 3;  // `users` of daemon/auto_zookeeper.h
inline constexpr uint64_t kSecret = 4;          // a memfd: the digest secret of the cluster
// 5: kNextProgram, in daemon/daemon.h

// Returns the exit code of the program.
int RunKeeper(Options options);

// Replaces this process by a keeper that adopts `state`: same pid, same program. Returns only with
// the reason why not.
Status ExecKeeper(const Options& options, const shm::StateFile& state, int executable);

// Signals that end the daemon. The keeper blocks them; the daemon reads them from a descriptor.
sigset_t DaemonSignals();

}  // namespace vineyard::daemon

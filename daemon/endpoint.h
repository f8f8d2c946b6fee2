// This file is the only place that makes and removes the daemon's socket file.
//
// Beside the socket lies `<socket>.lock`, whose flock the running daemon (its keeper) holds: it
// decides who may replace a socket that somebody left behind, and tells whose it is: it holds the number of
// the daemon's process, of the keeper's before there is one. Both are gone after an orderly end.
#pragma once

#include <string>

#include "core/base/fd.h"
#include "core/base/result.h"

namespace vineyard::daemon {

struct Endpoint {
  Fd socket;  // listening
  Fd lock;
  int made_folders = 0;  // at the end of the path in front of the socket's name
};

// Makes the folder, takes the lock, replaces a stale socket, binds with mode 0600 and listens.
// kInUse: a daemon lives there. A path too long for a socket address is reached through its folder.
// REQUIRES: one thread (it changes the umask for a moment).
Result<Endpoint> OpenEndpoint(const std::string& path, uint32_t mode = 0600);

// The same where `listener` has come back from the service manager: it is kept where the path still leads to
// it, and endpoint.socket is invalid then; else nobody can connect to it any more.
Result<Endpoint> ReopenEndpoint(const std::string& path, uint32_t mode, int listener);

// What OpenEndpoint() would say, as well as that can be told without making anything that stays.
Status CheckEndpoint(const std::string& path);

// Writes this process into the lock file, for those who find the socket taken.
void SignEndpoint(int lock_fd);

// Removes socket and lock file, unless they belong to somebody else by now, and the folders that were made
// for them where nothing else is in there.
void RemoveEndpoint(const std::string& path, int lock_fd, int made_folders);

}  // namespace vineyard::daemon

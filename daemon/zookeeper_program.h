// This file is the only place that knows how a ZooKeeper server is run on this machine: where Java
// and its jars are, how it is configured, what it inherits.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace vineyard::daemon {

struct ServerFiles {
  std::string folder;
  std::string config() const { return folder + "/zoo.cfg"; }
  std::string data() const { return folder + "/data"; }
  std::string log() const { return folder + "/log"; }
};

// The command line. Java: of JAVA_HOME, else of PATH; jars: ZOOKEEPER_CLASSPATH, else where Debian
// has them. kNotFound names the packages that are missing; kPermission: see roots_own.h.
Result<std::vector<std::string>> ServerCommand(const ServerFiles& files, uint64_t heap_bytes);

// Writes its configuration: alone, at this port of 127.0.0.1.
Status ConfigureServer(const ServerFiles& files, uint16_t port);

// Starts it in a session of its own, so that no terminal ends it, with its output in the log file
// and one descriptor beside, a copy of `lock`. May be called by any thread. The caller reaps it.
Result<pid_t> SpawnServer(const std::vector<std::string>& command, const ServerFiles& files,
                          int lock);

// Ends every server of this folder that holds `lock_path` open. Another program is never hit.
void KillServers(const ServerFiles& files, const std::string& lock_path);

}  // namespace vineyard::daemon

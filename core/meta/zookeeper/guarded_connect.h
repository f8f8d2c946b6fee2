// This file is the only place that keeps a secret from another user who took the port of this user's server.
//
// The C client connects again by itself when its server is gone, and then says the secret to whoever listens at the
// port by then. Its connect() is the one of this file (the linker's --wrap=connect), which fails where the other end
// of a guarded port is another user's, before a byte was sent. It is the end of this very connection that is looked
// at: a port may have other owners before and after.
#pragma once

#include <cstdint>

namespace vineyard::meta::zookeeper {

// From now on, of all connections of the C client to this port of 127.0.0.1.
void GuardPort(uint16_t port);

// Whether this connection to a port of 127.0.0.1 leads to a socket of this process's user. REQUIRES: it is
// established.
bool IsOwnPeer(int fd);

}  // namespace vineyard::meta::zookeeper

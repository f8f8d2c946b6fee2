// This file is the only place that finds out whose a port of 127.0.0.1 is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vineyard::meta::zookeeper {

// The user who listens at this port of 127.0.0.1. `root`: in front of /proc, for tests.
std::optional<uint32_t> OwnerOfPort(uint16_t port, const std::string& root = "");

// The user at the other end of a connection from `port` of 127.0.0.1 to `server_port` there: who accepted it, or who
// listens as long as nobody did. Nothing: there is no such connection.
std::optional<uint32_t> OwnerOfPeer(uint16_t port, uint16_t server_port,
                                    const std::string& root = "");

}  // namespace vineyard::meta::zookeeper

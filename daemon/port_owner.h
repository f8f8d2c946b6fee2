// This file is the only place that finds out whose a listening port is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vineyard::daemon {

// The user who listens at this port of 127.0.0.1. `root`: in front of /proc, for tests.
std::optional<uint32_t> OwnerOfPort(uint16_t port, const std::string& root = "");

}  // namespace vineyard::daemon

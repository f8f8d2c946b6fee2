// This file is the only way into vineyardd --upgrade: a client that asks a running daemon to give its
// place, its memory and its options to the program that asks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/status.h"

namespace vineyard::tool {

// `understands`: whether this program takes the command line that the other one was given. Prints what
// became of it. Returns the exit status: 0, or 1 when the other program goes on.
int Upgrade(const std::string& socket,
            const std::function<Status(const std::vector<std::string>&)>& understands);

}  // namespace vineyard::tool

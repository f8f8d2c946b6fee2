// This file is the only way into vineyardd --fsck: a client that asks a running daemon for an audit of its books, and
// compares every byte of every audience with its checksum. Another user's than the daemon's sees and checks what it
// owns itself, and no books.
#pragma once

#include <string>

namespace vineyard::tool {

inline constexpr int kInOrder = 0, kDamaged = 1, kNotChecked = 2;

// Prints a report to standard output, progress to standard error where that is a terminal. Returns the
// exit status.
int Check(const std::string& socket);

}  // namespace vineyard::tool

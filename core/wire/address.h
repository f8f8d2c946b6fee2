// This file is the only place that knows where a daemon is found: the default path of its socket, the
// kernel's address of a path, and who nobody can be sure of.
#pragma once

#include <sys/un.h>

#include <cstdint>
#include <string>

#include "core/base/fd.h"
#include "core/base/status.h"

namespace vineyard::wire {

// The number of whoever has no number in this user namespace: it could be anybody.
inline constexpr uint32_t kOverflowUid = 65534, kOverflowGid = 65534;

// The socket of this user's daemon when nobody names one. `runtime_folder`: XDG_RUNTIME_DIR, null or
// empty when it is not set. Makes no folder.
std::string DefaultSocketPath(uint32_t uid, const char* runtime_folder);

// Whether a socket can be there, whatever descriptors a process has: kInvalid; kLimit: a file name of more than 82
// bytes, in a path of more than 107.
Status CheckSocketPath(const std::string& path);

// The address of a path. One that is too long goes through the descriptor of its folder, which must
// stay open while the address is used. `action` begins the text of an error: "connect /run/x.sock".
Status MakeAddress(const std::string& action, const std::string& path, sockaddr_un* address,
                   Fd* folder);

// "folder /a/b can not be searched by uid 7": the first one on the way to `path` that this process has no
// permission for. Empty: there is none. Changes errno.
std::string ClosedFolder(const std::string& path);

}  // namespace vineyard::wire

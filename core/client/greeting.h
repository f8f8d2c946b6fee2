// This file is the only place that lists what is common to all greetings of a daemon, whoever makes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/client/connection.h"
#include "core/client/socket.h"
#include "core/wire/messages.h"

namespace vineyard::client {

// Whoever listens says what lies in memory, pickles too: another user may not, though the path may be his.
// Nor for root, who has most to lose: a path that he names may lead to anybody. `trusted`: the user whose daemon
// the caller wants; 0: nobody said.
Status CheckDaemon(const Socket& socket, const std::string& path, uint32_t trusted);
// All but the session, which is the caller's.
wire::Hello MakeHello(std::string_view client_name);
void NewSessionId(uint64_t* session, uint64_t token[2]);
Status ReadWelcome(Reply* reply, wire::Welcome* welcome);

}  // namespace vineyard::client

#include "daemon/port_owner.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace vineyard::daemon {
namespace {

constexpr const char* kListening = "0A";

// Whether a connection to 127.0.0.1 may come to a socket at this address, as the kernel prints it:
// that address itself, or any; the same in an IPv6 address.
bool Covers(const std::string& address) {
  return address == "0100007F" || address == "00000000" ||
         address == "0000000000000000FFFF00000100007F" || address == std::string(32, '0');
}

}  // namespace

std::optional<uint32_t> OwnerOfPort(uint16_t port, const std::string& root) {
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream table(root + file);
    std::string line;
    std::getline(table, line);  // names of the columns
    while (std::getline(table, line)) {
      std::istringstream words(line);
      std::string number, local, remote, state, queues, timer, retransmissions;
      uint32_t uid = 0;
      words >> number >> local >> remote >> state >> queues >> timer >> retransmissions >> uid;
      size_t colon = local.find(':');
      if (!words || state != kListening || colon == std::string::npos) continue;
      if (std::strtoul(local.c_str() + colon + 1, nullptr, 16) != port) continue;
      if (Covers(local.substr(0, colon))) return uid;
    }
  }
  return std::nullopt;
}

}  // namespace vineyard::daemon

#include "core/meta/zookeeper/port_owner.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string_view>

namespace vineyard::meta::zookeeper {
namespace {

constexpr const char* kListening = "0A";

// One end of a socket, as the kernel prints it.
struct End {
  explicit End(const std::string& text) {
    size_t colon = text.find(':');
    if (colon == std::string::npos) return;
    address = text.substr(0, colon);
    port = static_cast<uint16_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 16));
  }
  // 127.0.0.1, maybe as an IPv6 address.
  bool IsLoopback() const {
    return address == "0100007F" || address == "0000000000000000FFFF00000100007F";
  }
  bool IsAny() const { return address == "00000000" || address == std::string(32, '0'); }

  std::string address;
  uint16_t port = 0;
};

struct Row {
  End local, remote;
  std::string_view state;
  uint32_t uid;
  uint64_t inode;  // 0: no process has it yet
};

// The first row that `is_it`, of both families.
std::optional<uint32_t> UidOf(const std::string& root,
                              const std::function<bool(const Row&)>& is_it) {
  for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream table(root + file);
    std::string line;
    std::getline(table, line);  // names of the columns
    while (std::getline(table, line)) {
      std::istringstream words(line);
      std::string number, local, remote, state, queues, timer, retransmissions, timeout;
      uint32_t uid = 0;
      uint64_t inode = 0;
      words >> number >> local >> remote >> state >> queues >> timer >> retransmissions >> uid >>
          timeout >> inode;
      if (!words) continue;
      if (is_it(Row{End(local), End(remote), state, uid, inode})) return uid;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint32_t> OwnerOfPort(uint16_t port, const std::string& root) {
  return UidOf(root, [port](const Row& row) {
    return row.state == kListening && row.local.port == port &&
           (row.local.IsLoopback() || row.local.IsAny());
  });
}

std::optional<uint32_t> OwnerOfPeer(uint16_t port, uint16_t server_port, const std::string& root) {
  bool is_accepted = false;
  std::optional<uint32_t> owner = UidOf(root, [&](const Row& row) {
    bool is_it = row.local.port == server_port && row.local.IsLoopback() &&
                 row.remote.port == port && row.remote.IsLoopback() && row.state != kListening;
    if (is_it) is_accepted = row.inode != 0;
    return is_it;
  });
  // What waits to be accepted ends with the socket that listens: whoever listens now has it.
  if (owner && !is_accepted) return OwnerOfPort(server_port, root);
  return owner;
}

}  // namespace vineyard::meta::zookeeper

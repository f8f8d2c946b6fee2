// This file is the only place that decides who may connect, and what of whose one may read and change.
//
// The trust line is the uid: processes of one user can do to each other whatever they like, and root and the
// daemon's own user to everybody.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/shm/state_file.h"

namespace vineyard::daemon {

// Who is at the other end of a connection, as the kernel knew when it was made.
struct Peer {
  uint32_t uid = 0, gid = 0, pid = 0;
  std::vector<uint32_t> groups;  // sorted; gid among them
};
Result<Peer> PeerOf(const Fd& socket);

// Beside the daemon's own user, and root.
struct Access {
  bool all = false;
  std::vector<uint32_t> uids, gids;
  bool is_own_only() const { return !all && uids.empty() && gids.empty(); }
};
// Clients put the socket's path in front of what it says.
Status CheckPeer(const Access& access, const Peer& peer);

// Root stands for the daemon's user.
bool IsDaemonsUser(const Peer& peer);
uint32_t UserOf(const Peer& peer);
bool IsInGroup(const Peer& peer, uint32_t gid);
bool MayRead(const Peer& peer, const shm::AudienceId& audience);
inline bool MayChange(const Peer& peer, const shm::AudienceId& audience) {
  return UserOf(peer) == audience.uid;
}
// The daemon's user does not find what is for others alone; it may verify it.
inline bool MayAttach(const Peer& peer, const shm::AudienceId& audience) {
  return MayRead(peer, audience) || IsDaemonsUser(peer);
}
// For people: "uid 1000", "group 100 of uid 1000", "everybody, by uid 1000".
std::string PrintAudience(const shm::AudienceId& audience);

}  // namespace vineyard::daemon

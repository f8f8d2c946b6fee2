#include "daemon/access.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/bytes.h"
#include "core/wire/address.h"

namespace vineyard::daemon {

Result<Peer> PeerOf(const Fd& socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ErrnoStatus("peer credentials", errno);
  }
  Peer peer{credentials.uid, credentials.gid, static_cast<uint32_t>(credentials.pid), {}};
  static_assert(sizeof(gid_t) == sizeof(uint32_t));
  peer.groups.resize(32);
  for (;;) {
    size = static_cast<socklen_t>(peer.groups.size() * sizeof(uint32_t));
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size) == 0) break;
    if (errno != ERANGE) return ErrnoStatus("peer groups", errno);
    peer.groups.resize(size / sizeof(uint32_t));
  }
  peer.groups.resize(size / sizeof(uint32_t));
  peer.groups.push_back(peer.gid);
  // Of whoever has no number in this user namespace: it could be any.
  std::erase(peer.groups, wire::kOverflowGid);
  std::sort(peer.groups.begin(), peer.groups.end());
  return peer;
}

bool IsDaemonsUser(const Peer& peer) { return peer.uid == 0 || peer.uid == geteuid(); }
uint32_t UserOf(const Peer& peer) { return IsDaemonsUser(peer) ? geteuid() : peer.uid; }

bool IsInGroup(const Peer& peer, uint32_t gid) {
  return std::binary_search(peer.groups.begin(), peer.groups.end(), gid);
}

// Root is let in, and nobody is told so: a client of root's takes no daemon but root's.
Status CheckPeer(const Access& access, const Peer& peer) {
  if (peer.uid == wire::kOverflowUid) {
    return {Code::kPermission,
            Format("the peer's uid is %u, which stands for every user that has no number "
                   "here; use a user that has one",
                   peer.uid)};
  }
  auto has = [](const std::vector<uint32_t>& list, uint32_t id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  if (IsDaemonsUser(peer) || access.all || has(access.uids, peer.uid) ||
      std::any_of(access.gids.begin(), access.gids.end(),
                  [&](uint32_t gid) { return IsInGroup(peer, gid); })) {
    return OkStatus();
  }
  if (access.is_own_only()) {
    return {Code::kPermission, Format("this daemon serves uid %u, not uid %u; start a vineyardd of "
                                      "your own with another --socket",
                                      geteuid(), peer.uid)};
  }
  return {Code::kPermission,
          Format("this daemon does not serve uid %u: neither --allow-uid nor --allow-gid names it; "
                 "start a vineyardd of your own with another --socket",
                 peer.uid)};
}

bool MayRead(const Peer& peer, const shm::AudienceId& audience) {
  switch (audience.kind) {
    case shm::AudienceKind::kAll:
      return true;
    case shm::AudienceKind::kGid:
      if (IsInGroup(peer, audience.gid)) return true;
      break;
    case shm::AudienceKind::kUid:
      break;
  }
  return UserOf(peer) == audience.uid;
}

std::string PrintAudience(const shm::AudienceId& audience) {
  switch (audience.kind) {
    case shm::AudienceKind::kAll:
      return Format("everybody, by uid %u", audience.uid);
    case shm::AudienceKind::kGid:
      return Format("group %u, by uid %u", audience.gid, audience.uid);
    case shm::AudienceKind::kUid:
      break;
  }
  return Format("uid %u", audience.uid);
}

}  // namespace vineyard::daemon

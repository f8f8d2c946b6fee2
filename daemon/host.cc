#include "daemon/host.h"

#include <sys/resource.h>
#include <unistd.h>

#include "core/wire/address.h"

namespace vineyard::daemon {
namespace {

// Its own clients could not be told from strangers.
Status CheckUser() {
  if (geteuid() != wire::kOverflowUid) return OkStatus();
  return {
      Code::kPermission,
      Format(
          "a daemon can not run as uid %u: that is how user namespaces show every user who has no "
          "number in them, so it could not tell its own clients from strangers; run it as another "
          "user",
          wire::kOverflowUid)};
}

}  // namespace

Status PrepareHost() {
  RETURN_IF_ERROR(CheckUser());
  return OkStatus();
}

}  // namespace vineyard::daemon

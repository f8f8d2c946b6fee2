#include "daemon/host.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "core/wire/address.h"

namespace vineyard::daemon {
namespace {

// The daemon's own take about 20, growing memory a few more, a client two; see also Reserve() of the server.
constexpr rlim_t kFewestDescriptors = 64;

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

Status RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus("limit of descriptors", errno);
  if (limit.rlim_max < kFewestDescriptors) {
    return {
        Code::kHostMemory,
        Format(
            "the limit of descriptors is %llu (see ulimit -Hn), a daemon needs at least %llu, and "
            "two for each client beyond a dozen; start it with a higher one",
            static_cast<unsigned long long>(limit.rlim_max),
            static_cast<unsigned long long>(kFewestDescriptors))};
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus("limit of descriptors", errno);
  return OkStatus();
}

}  // namespace

Status PrepareHost() {
  RETURN_IF_ERROR(CheckUser());
  return RaiseDescriptorLimit();
}

}  // namespace vineyard::daemon

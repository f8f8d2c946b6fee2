#include "daemon/metadata.h"

#include <unistd.h>

#include <climits>
#include <cstdio>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/meta/local.h"
#include "core/meta/zookeeper/service.h"

namespace vineyard::daemon {
namespace {

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// The text of a cluster's uuid, as the service has it.
std::string PrintCluster(const uint64_t (&cluster)[2]) {
  return Format("%016llx%016llx", static_cast<unsigned long long>(cluster[0]),
                static_cast<unsigned long long>(cluster[1]));
}

bool ParseCluster(const std::string& text, uint64_t (&cluster)[2]) {
  unsigned long long high = 0, low = 0;
  if (text.size() != 32 || std::sscanf(text.c_str(), "%16llx%16llx", &high, &low) != 2)
    return false;
  cluster[0] = high;
  cluster[1] = low;
  return true;
}

std::unique_ptr<meta::Service> StartLocal(meta::Instance self, MetadataOwner owner) {
  self.since_ms = UnixMs();
  auto service = std::make_unique<meta::LocalService>(std::move(self), owner.post);
  // What it knew ended with the daemon before.
  owner.post([serving = std::move(owner.on_serving)] { serving(/*is_new_cluster=*/true); });
  return service;
}

std::unique_ptr<meta::Service> StartZookeeper(const Options& options, const meta::Instance& self,
                                              shm::StateFile* state, MetadataOwner owner) {
  meta::zookeeper::ServiceOptions wanted;
  wanted.connection.servers = options.meta.servers;
  wanted.connection.session_timeout_ms = options.meta.session_timeout_ms;
  wanted.connection.digest_auth = options.meta.auth;
  if (options.meta.shares_server) wanted.connection.own_port = options.meta.port;
  wanted.prefix = options.meta.prefix;
  wanted.self = self;
  shm::StateHeader& header = state->header();
  wanted.seen = {header.log_seen[0], header.log_seen[1]};
  if (self.number != 0) wanted.cluster = PrintCluster(header.cluster);

  // What is called knows the service, which knows what it calls.
  auto made = std::make_shared<meta::zookeeper::ZookeeperService*>(nullptr);
  auto serving = [made, state, owner, fresh = self.number == 0](bool is_new) {
    meta::zookeeper::ZookeeperService& service = **made;
    shm::StateHeader& known = state->header();
    uint64_t number = service.self().number;
    if (fresh && state->Lookup(shm::Role::kIndex) == std::nullopt) {
      known.instance = known.header.instance = number;
    } else if (number != known.instance) {
      service.on_event = nullptr;  // this cluster says nothing of what is here
      return owner.on_failed(
          {Code::kConflict,
           Format("metadata: another instance of cluster %s has this one's number, %llu; restart "
                  "vineyardd, with its objects put anew, to join",
                  service.cluster().c_str(), static_cast<unsigned long long>(known.instance))});
    }
    is_new = is_new || PrintCluster(known.cluster) != service.cluster();
    if (!ParseCluster(service.cluster(), known.cluster)) {
      Log(LogLevel::kWarning, "metadata: cluster '%s' has no uuid", service.cluster().c_str());
    }
    owner.on_serving(is_new);
  };
  auto ready = [serving, owner](const Status& status) {
    status.ok() ? serving(false) : owner.on_failed(status);
  };
  auto service =
      std::make_unique<meta::zookeeper::ZookeeperService>(std::move(wanted), owner.post, ready);
  *made = service.get();
  service->on_replaced = owner.on_replaced;
  service->on_new_cluster = [serving] { serving(true); };
  return service;
}

}  // namespace

std::unique_ptr<meta::Service> StartMetadata(const Options& options, bool is_fresh,
                                             shm::StateFile* state, MetadataOwner owner) {
  meta::Instance self;
  self.host = HostName();
  self.socket = options.socket;
  self.memory_limit = options.size_bytes;
  self.uid = geteuid();
  bool is_local = options.meta.kind == MetaKind::kLocal;
  if (is_local || !is_fresh) self.number = state->header().instance;
  return is_local ? StartLocal(std::move(self), std::move(owner))
                  : StartZookeeper(options, self, state, std::move(owner));
}

void AwaitMetadataEnd() { meta::zookeeper::Connection::JoinClosed(Deadline::After(1000)); }

}  // namespace vineyard::daemon

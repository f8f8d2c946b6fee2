#include "daemon/doctor_metadata.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/meta/zookeeper/probe.h"
#include "daemon/zookeeper_program.h"

namespace vineyard::daemon {
namespace {

using Weight = Finding::Weight;

constexpr int kConnectMs = 3000;

Status Connect(const addrinfo& address) {
  Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus("socket", errno);
  int error = connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd watched{fd.get(), POLLOUT, 0};
    if (poll(&watched, 1, kConnectMs) <= 0) {
      return {Code::kTimeout, Format("no answer within %d s", kConnectMs / 1000)};
    }
    socklen_t size = sizeof error;
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  return error == 0 ? OkStatus() : ErrnoStatus("connect", error);
}

// host:port; a host of numbers may stand in brackets.
Status Reach(const std::string& server) {
  size_t colon = server.rfind(':');
  std::string host = server.substr(0, colon), port = server.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return {Code::kNotFound, gai_strerror(error)};
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  Status last;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    last = Connect(*address);
    if (last.ok()) break;
  }
  return last;
}

std::vector<Finding> OfCluster(const MetaOptions& options) {
  std::vector<Finding> findings;
  size_t reached = 0;
  std::string rest = options.servers;
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(','), rest.size());
    std::string server = rest.substr(0, comma);
    rest.erase(0, comma + 1);
    Status status = Reach(server);
    reached += status.ok() ? 1 : 0;
    findings.push_back({status.ok() ? Weight::kFine : Weight::kHint, "ZooKeeper",
                        server + ": " + (status.ok() ? "is reached" : status.text())});
  }
  if (reached == 0) {
    findings.push_back({Weight::kProblem, "ZooKeeper",
                        "no server of --meta " + options.Text() +
                            " is reached; start them, correct --meta, or open the firewall"});
  }
  return findings;
}

// The ZooKeeper of this machine: it answers, or can be started.
Finding OfMachine(const MetaOptions& options) {
  Result<meta::zookeeper::Probe> probe =
      meta::zookeeper::Probe::Open(options.port, "", Deadline::After(kConnectMs));
  if (probe.ok()) return {Weight::kFine, "ZooKeeper", "one answers at " + options.servers};
  if (probe.status().code() != Code::kUnavailable) {
    return {Weight::kProblem, "ZooKeeper",
            "what listens at " + options.servers + " is not to be used: " + probe.status().text() +
                "; choose another port: --meta auto:PORT"};
  }
  Result<std::vector<std::string>> command =
      ServerCommand(ServerFiles{options.folder}, options.heap_bytes);
  if (!command.ok()) return {Weight::kProblem, "ZooKeeper", command.status().text()};
  return {Weight::kFine, "ZooKeeper",
          "none answers at " + options.servers + ": one is started, by " + command->front()};
}

}  // namespace

std::vector<Finding> ExamineMetadata(const MetaOptions& options) {
  switch (options.kind) {
    case MetaKind::kLocal:
      return {{Weight::kFine, "metadata", "kept by the daemon, for this host"}};
    case MetaKind::kZookeeper:
      return OfCluster(options);
    case MetaKind::kAuto:
      return {OfMachine(options)};
  }
  return {};
}

}  // namespace vineyard::daemon

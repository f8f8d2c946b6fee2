// This file is the only place that speaks ZooKeeper's protocol itself: for a process that may have
// one thread only, where the C client brings several.
//
// A Probe is a short session with the server at a port of this machine. It asks one thing at a time
// and waits for the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/result.h"

namespace vineyard::meta::zookeeper {

class Probe {
 public:
  // `digest_auth`: "user:secret"; empty: none. kUnavailable: nobody listens. kTimeout: somebody
  // does, and opens no session; a server that is about to serve does so. kProtocol: what answers is
  // no ZooKeeper. kPermission: the server refuses the secret.
  // `go_on` is asked at least every 100 ms of all waits, from now on: false ends them with kInterrupted.
  using GoOn = std::function<bool()>;
  static Result<Probe> Open(uint16_t port, const std::string& digest_auth, const Deadline& deadline,
                            GoOn go_on = {});
  // Ends the session.
  ~Probe();
  Probe(Probe&&) = default;
  Probe& operator=(Probe&&) = delete;

  // Whether it may read this node: kNotFound, kPermission.
  Status Read(const std::string& path, const Deadline& deadline);
  // Makes a node without data; with a secret, for those who know it, else for everybody. kExists,
  // kPermission, kNotFound (its parent).
  Status Create(const std::string& path, const Deadline& deadline);

 private:
  Probe(Fd fd, std::string server, GoOn go_on)
      : fd_(std::move(fd)), server_(std::move(server)), go_on_(std::move(go_on)) {}
  // Sends a request and takes its reply, which must be ok.
  Status Ask(int32_t number, int32_t type, std::string_view body, const std::string& what,
             const Deadline& deadline);
  Status Send(std::string_view frame, const Deadline& deadline);
  Result<std::string> Receive(const Deadline& deadline);

  Fd fd_;
  std::string server_;  // for messages
  GoOn go_on_;
  int32_t number_ = 0;
  bool has_auth_ = false;
  bool open_ = false;
};

}  // namespace vineyard::meta::zookeeper

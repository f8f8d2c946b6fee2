// This file is the only place that knows what a number of ZooKeeper means: whether the server said
// it, and what has become of what was asked.
#pragma once

#include <string_view>

#include "core/base/status.h"

namespace vineyard::meta::zookeeper {

// Those that we say ourselves.
inline constexpr int kOk = 0;
inline constexpr int kDeadlinePassed = -7;
inline constexpr int kNeverSent = -9;
inline constexpr int kNoNode = -101;
inline constexpr int kSessionExpired = -112;
inline constexpr int kAuthenticationFailed = -115;
inline constexpr int kClosing = -116;
// Of the other ops of a refused multi.
inline constexpr int kNotTried = -2;

// The server said it, so that it had the session at that time. Else the C client did, or we.
bool IsAnswer(int error);

// What was asked, for a message and for what an error means.
struct Asked {
  std::string_view servers;
  std::string_view what;  // "get /a/b"
  bool write;
  bool sent;  // to the C client at least
};

// "zookeeper 127.0.0.1:2181: create /a/b: the node exists". REQUIRES: error != kOk.
Status StatusOf(int error, const Asked& asked);
// Of a node of the cluster that this daemon should be able to read: with what to do.
Status MayNotRead(const Status& refused);

}  // namespace vineyard::meta::zookeeper

// This file is the only place of the client that calls the kernel about sockets: one stream to the
// daemon, which carries frames and, beside them, descriptors.
//
// Invariants:
//  1. Descriptors arrive in the order of the frames that they belong to, each no later than the first
//     byte of its frame.
//  2. Nothing here waits: WaitForSocket() does.
// Thread-compatible: one thread may send while another receives.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/client/wait.h"
#include "core/wire/frame.h"

namespace vineyard::client {

struct Frame {
  wire::FrameHeader header{};
  std::string body;
  std::vector<Fd> descriptors;
};

class Socket {
 public:
  // Connects to a listening socket, waiting for room in its queue. Paths that are too long for the
  // kernel's address are reached through /proc/self/fd.
  static Result<Socket> Connect(const std::string& path, const Patience& patience);

  int fd() const { return fd_.get(); }
  // Who has called listen() on the other side.
  Result<uint32_t> PeerUid() const;
  // Sends what fits. Returns bytes sent, 0 when there is no room; kUnavailable: the peer is gone.
  Result<uint64_t> Send(std::string_view bytes);
  // Reads what is there. False: nothing. kUnavailable: the peer is gone.
  Result<bool> Receive();
  // The next whole frame of what was read. False: not yet. An error: the stream is not to be used on.
  Result<bool> Next(Frame* frame);
  // False: the peer has closed its end, or is gone.
  bool HasPeer() const;
  // No more bytes in either direction; whoever waits for the socket wakes up.
  void Shutdown();

 private:
  explicit Socket(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
  std::string in_;  // [begin_, end_) was read and not taken yet
  size_t begin_ = 0, end_ = 0;
  std::deque<Fd> descriptors_;
};

}  // namespace vineyard::client

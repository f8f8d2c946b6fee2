// A link that a test can cut: forwards connections to a port of 127.0.0.1, or does worse.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace vineyard::testing {

class TcpProxy {
 public:
  explicit TcpProxy(uint16_t target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::string address() const;  // "127.0.0.1:port"

  // What happens from now on; each is in force when it returns.
  void Forward();            // everything, also what waited
  void Freeze();             // nothing passes and nobody is told; it waits
  void DropReplies();        // requests pass, what is answered is thrown away
  void Delay(int delay_ms);  // everything, so much later in both directions
  void Refuse();             // ends all connections, and new ones at once
  // Ends those that are; new ones are treated as before.
  void Disconnect();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vineyard::testing

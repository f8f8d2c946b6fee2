// A link to a ZooKeeper that a test can cut: forwards connections to a port of 127.0.0.1, or does worse. Requests
// pass whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

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
  // Those that are stand still until Forward(), also when their client is gone; new ones are treated as before.
  void FreezeThese();

  // Asked in front of each request what becomes of it, on the proxy's thread; {}: nobody is asked.
  enum class Then {
    kPass,
    kPassAndDropReplies,  // DropReplies() from here on
    kPassAndRefuse,       // Refuse() from here on
    kRefuse,              // likewise, and this one is lost
    kFreeze,              // it and what is behind it on its connection, as by FreezeThese()
  };
  // Without its length: four bytes that number it, four of its type, paths as they are.
  using OnRequest = std::function<Then(std::string_view request)>;
  void Watch(OnRequest on_request);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vineyard::testing

// This file is the only place that keeps a callback from running after its owner is gone.
#pragma once

#include <memory>
#include <utility>

namespace vineyard::meta::zookeeper {

// A member of the owner. What it wraps does nothing once the owner, or what it did so far, is over.
class Guard {
 public:
  template <typename Function>
  auto operator()(Function function) const {
    return [alive = std::weak_ptr<int>(alive_),
            function = std::move(function)](auto&&... arguments) mutable {
      if (!alive.expired()) function(std::forward<decltype(arguments)>(arguments)...);
    };
  }
  // Drops all callbacks so far.
  void Renew() { alive_ = std::make_shared<int>(0); }

 private:
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace vineyard::meta::zookeeper

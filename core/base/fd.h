// This file is the only place that owns a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace vineyard {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  ~Fd() { Reset(); }
  Fd(Fd&& other) noexcept : number_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      number_ = other.Release();
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return number_; }
  bool valid() const { return number_ >= 0; }
  // The caller owns the number from here on.
  int Release() { return std::exchange(number_, -1); }
  void Reset() {
    // close's error is of no use here: on Linux the descriptor is gone even after EINTR.
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

}  // namespace vineyard

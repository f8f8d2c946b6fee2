// This file is the only place that knows how much memory several stores may have together: all of a daemon,
// those of one user. Thread-confined, as they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>

namespace vineyard::store {

class Budget {
 public:
  // `of`: for people, "uid 1000". What is taken here is taken of `parent`, too.
  Budget(std::string of, uint64_t limit, Budget* parent = nullptr)
      : of_(std::move(of)), limit_(limit), parent_(parent) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  const std::string& of() const { return of_; }
  uint64_t limit() const { return limit_; }
  uint64_t taken() const { return taken_; }
  uint64_t free() const {
    uint64_t own = limit_ - charged();
    return parent_ == nullptr ? own : std::min(own, parent_->free());
  }
  void Take(uint64_t bytes) {
    taken_ += bytes;
    if (parent_ != nullptr) parent_->Take(bytes);
  }
  void Give(uint64_t bytes) {
    taken_ -= std::min(taken_, bytes);
    if (parent_ != nullptr) parent_->Give(bytes);
  }
  // Bytes that were deleted and that this user keeps from being freed, in stores of others.
  uint64_t pinned() const { return pinned_; }
  void set_pinned(uint64_t bytes) { pinned_ = bytes; }
  // Of its limit, at most all.
  uint64_t charged() const { return std::min(limit_, taken_ + pinned_); }
  bool is_whole() const { return parent_ == nullptr; }
  bool is_exceeded() const { return taken_ + pinned_ > limit_; }

  // Asks all stores but the one that asks for memory that they do not use. True: some came free.
  bool Reclaim(uint64_t bytes, const void* asks) const {
    if (parent_ != nullptr) return parent_->Reclaim(bytes, asks);
    return reclaim && reclaim(bytes, asks);
  }
  std::function<bool(uint64_t bytes, const void* asks)> reclaim;  // of the one without a parent

 private:
  const std::string of_;
  const uint64_t limit_;
  Budget* const parent_;
  uint64_t taken_ = 0, pinned_ = 0;
};

}  // namespace vineyard::store

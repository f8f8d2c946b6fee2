// This file is the only place that does something at the end of a scope, however the scope ends.
#pragma once

#include <utility>

namespace vineyard {

template <typename Do>
class AtEnd {
 public:
  explicit AtEnd(Do what) : what_(std::move(what)) {}
  ~AtEnd() { what_(); }  // it may run while an exception is under way, and throws none
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  Do what_;
};

}  // namespace vineyard

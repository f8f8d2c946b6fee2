// Lets large allocations of the calling thread fail, in this test executable.
#pragma once

#include <cstddef>

namespace vineyard::client {

// While it lives, `new` of more than `largest` bytes throws std::bad_alloc in this thread.
class NoMemoryAbove {
 public:
  explicit NoMemoryAbove(size_t largest);
  ~NoMemoryAbove();
  NoMemoryAbove(const NoMemoryAbove&) = delete;
  NoMemoryAbove& operator=(const NoMemoryAbove&) = delete;
};

}  // namespace vineyard::client

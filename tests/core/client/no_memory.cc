#include "tests/core/client/no_memory.h"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

thread_local size_t largest_new = SIZE_MAX;

}  // namespace

// All forms that may be mixed with each other, so that what one takes another gives back.
void* operator new(size_t size) {
  void* memory = size > largest_new ? nullptr : std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return size > largest_new ? nullptr : std::malloc(size > 0 ? size : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace vineyard::client {

NoMemoryAbove::NoMemoryAbove(size_t largest) { largest_new = largest; }
NoMemoryAbove::~NoMemoryAbove() { largest_new = SIZE_MAX; }

}  // namespace vineyard::client

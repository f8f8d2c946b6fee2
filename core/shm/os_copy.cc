#include "core/shm/os_copy.h"

#include <cstring>

#include "core/base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vineyard::shm {
namespace {

constexpr uint64_t kStreamFrom = kMiB;
constexpr uint64_t kLine = 64;

#if defined(__x86_64__)
// Whole lines into a destination that starts at one.
void StreamLines(char* to, const char* from, uint64_t lines) {
  for (; lines > 0; --lines, to += kLine, from += kLine) {
    const auto* in = reinterpret_cast<const __m128i*>(from);
    auto* out = reinterpret_cast<__m128i*>(to);
    __m128i a = _mm_loadu_si128(in), b = _mm_loadu_si128(in + 1);
    __m128i c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);
    _mm_stream_si128(out, a);
    _mm_stream_si128(out + 1, b);
    _mm_stream_si128(out + 2, c);
    _mm_stream_si128(out + 3, d);
  }
  _mm_sfence();  // streamed stores are weakly ordered: before whatever publishes the bytes
}
#else
void StreamLines(char* to, const char* from, uint64_t lines) {
  std::memcpy(to, from, lines * kLine);
}
#endif

}  // namespace

void CopyPayload(void* destination, const void* source, uint64_t size) {
  auto* to = static_cast<char*>(destination);
  const auto* from = static_cast<const char*>(source);
  if (size < kStreamFrom) {
    if (size > 0) std::memcpy(to, from, size);
    return;
  }
  uint64_t head = -reinterpret_cast<uintptr_t>(to) % kLine;
  std::memcpy(to, from, head);
  uint64_t lines = (size - head) / kLine, done = head + lines * kLine;
  StreamLines(to + head, from + head, lines);
  std::memcpy(to + done, from + done, size - done);
}

}  // namespace vineyard::shm

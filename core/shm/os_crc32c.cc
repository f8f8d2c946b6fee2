// crc32c of shm/os.h: with the processor's own instruction where it has one, else by table.
//
// The instruction answers after three cycles and can begin one every cycle: three runs of kRun bytes
// are summed side by side. A sum is linear, so that of A followed by B is that of A, moved on over as
// many zeros as B has bytes, xor that of B begun at zero (Mark Adler's crc32c.c does the same).
#include <array>
#include <cstring>

#include "core/shm/os.h"

namespace vineyard::shm {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t ByTable(const unsigned char* data, uint64_t size, uint32_t crc) {
  for (; size > 0; ++data, --size) crc = (crc >> 8) ^ kTable[(crc ^ *data) & 0xff];
  return crc;
}

#if defined(__x86_64__)
constexpr uint64_t kRun = 1024;

// A sum moved on over kRun zero bytes, as the xor of four entries, one for each byte of it.
struct Mover {
  uint32_t entries[4][256] = {};
  constexpr uint32_t operator()(uint32_t crc) const {
    return entries[0][crc & 0xff] ^ entries[1][crc >> 8 & 0xff] ^ entries[2][crc >> 16 & 0xff] ^
           entries[3][crc >> 24];
  }
};

constexpr Mover MakeMover() {
  uint32_t bits[32] = {};  // what becomes of each bit
  for (int bit = 0; bit < 32; ++bit) {
    uint32_t crc = uint32_t{1} << bit;
    for (uint64_t i = 0; i < kRun; ++i) crc = (crc >> 8) ^ kTable[crc & 0xff];
    bits[bit] = crc;
  }
  Mover mover;
  for (int byte = 0; byte < 4; ++byte) {
    for (uint32_t value = 0; value < 256; ++value) {
      for (int bit = 0; bit < 8; ++bit) {
        if ((value >> bit & 1) != 0) mover.entries[byte][value] ^= bits[8 * byte + bit];
      }
    }
  }
  return mover;
}
constexpr Mover kMoveRun = MakeMover();

uint64_t WordAt(const unsigned char* data) {
  uint64_t word;
  std::memcpy(&word, data, 8);
  return word;
}

__attribute__((target("sse4.2"))) uint32_t ByInstruction(const unsigned char* data, uint64_t size,
                                                         uint32_t crc) {
  uint64_t wide = crc;
  for (; size >= 3 * kRun; data += 3 * kRun, size -= 3 * kRun) {
    uint64_t second = 0, third = 0;
    for (const unsigned char* at = data; at != data + kRun; at += 8) {
      wide = __builtin_ia32_crc32di(wide, WordAt(at));
      second = __builtin_ia32_crc32di(second, WordAt(at + kRun));
      third = __builtin_ia32_crc32di(third, WordAt(at + 2 * kRun));
    }
    wide = kMoveRun(static_cast<uint32_t>(wide)) ^ second;
    wide = kMoveRun(static_cast<uint32_t>(wide)) ^ third;
  }
  for (; size >= 8; data += 8, size -= 8) wide = __builtin_ia32_crc32di(wide, WordAt(data));
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; ++data, --size) crc = __builtin_ia32_crc32qi(crc, *data);
  return crc;
}
const bool kHaveInstruction = __builtin_cpu_supports("sse4.2");
#endif

}  // namespace

uint32_t Crc32c(const void* data, uint64_t size, uint32_t crc) {
  const auto* bytes = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
  if (kHaveInstruction) return ~ByInstruction(bytes, size, ~crc);
#endif
  return ~ByTable(bytes, size, ~crc);
}

uint32_t Crc32cByTable(const void* data, uint64_t size, uint32_t crc) {
  return ~ByTable(static_cast<const unsigned char*>(data), size, ~crc);
}

}  // namespace vineyard::shm

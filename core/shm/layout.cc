#include "core/shm/layout.h"

#include <cstring>

#include "core/base/bytes.h"

namespace vineyard::shm {
namespace {
// Keeps the three kinds of keys of one directory apart.
constexpr uint64_t kNameSalt = 0x6e616d6573000001ULL;
constexpr uint64_t kLabelsSalt = 0x6c6162656c000001ULL;
}  // namespace

uint64_t HashObject(uint64_t id) { return MixBits(id); }
uint64_t HashNameKey(uint64_t name_hash) { return MixBits(name_hash ^ kNameSalt); }
uint64_t HashLabels(uint64_t object_id) { return MixBits(object_id ^ kLabelsSalt); }

uint64_t HashName(const char* name, uint64_t size) {
  uint64_t hash = MixBits(size + 1);
  for (; size >= 8; name += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, name, 8);
    hash = MixBits(hash ^ word);
  }
  uint64_t last = 0;
  if (size > 0) std::memcpy(&last, name, size);
  hash = MixBits(hash ^ last);
  return hash == 0 ? 1 : hash;
}

}  // namespace vineyard::shm

// What becomes of free memory: operations replayed on the allocator alone, sizes log-uniform from 64 B to
// 16 MiB, 80 % full, always the same.
//
//   fragmentation [VINEYARDD [OPERATIONS]]     starts nothing; prints one line of JSON a figure
#include <cmath>
#include <random>
#include <utility>

#include "bench/c/bench.h"
#include "core/base/bytes.h"
#include "core/shm/extents.h"
#include "core/shm/layout.h"

namespace {

using namespace vineyard;

void Replay(uint64_t capacity, const char* name, uint64_t operations) {
  shm::Extents extents;
  extents.AddRange(shm::MakeLocation(1, 0), capacity);
  std::mt19937_64 random(42);
  std::vector<std::pair<uint64_t, uint64_t>> live;  // location, size
  auto free_one = [&] {
    size_t i = random() % live.size();
    extents.Free(live[i].first, live[i].second);
    live[i] = live.back();
    live.pop_back();
  };
  double worst = 0, sum = 0;
  uint64_t looks = 0, calls = 0, failed = 0;
  double start = NowNs();
  for (uint64_t i = 0; i < operations; ++i) {
    if (extents.allocated() >= capacity / 10 * 8) {
      free_one();
    } else {
      double exponent = 18 * static_cast<double>(random() >> 11) * 0x1p-53;
      auto size = static_cast<uint64_t>(64 * std::exp2(exponent));
      ++calls;
      if (auto location = extents.Allocate(size)) {
        live.emplace_back(*location, size);
      } else {
        ++failed;
        free_one();
      }
    }
    if (i < operations / 10 || i % 10'000 != 0) continue;  // warm
    double small =
        100.0 * static_cast<double>(extents.FreeBelow(kMiB)) / static_cast<double>(capacity);
    worst = std::max(worst, small);
    sum += small;
    ++looks;
  }
  double ns = (NowNs() - start) / static_cast<double>(operations);
  extents.CheckInvariants();
  std::string of = std::string(" of ") + name;
  PrintFigure("free in pieces below 1 MiB" + of + ", worst", worst, "%", 10);
  PrintFigure("free in pieces below 1 MiB" + of + ", mean", sum / static_cast<double>(looks), "%",
              10);
  PrintPlain("allocations that fit no free piece" + of,
             100.0 * static_cast<double>(failed) / static_cast<double>(calls), "%");
  PrintPlain("allocate or free one" + of, ns, "ns");
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t operations = argc > 2 ? strtoull(argv[2], nullptr, 10) : 10'000'000;
  Replay(kGiB, "1 GiB", operations);
  Replay(16 * kGiB, "16 GiB", operations);
  return 0;
}

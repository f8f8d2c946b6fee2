#include "daemon/words.h"

#include <algorithm>
#include <cstddef>

namespace vineyard::daemon {
namespace {

// Letters left out, added, changed or swapped with their neighbours.
size_t Slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> best(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        best[i][j] = i + j;
        continue;
      }
      size_t changed = a[i - 1] == b[j - 1] ? 0 : 1;
      best[i][j] = std::min({best[i - 1][j - 1] + changed, best[i - 1][j] + 1, best[i][j - 1] + 1});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) best[i][j] = std::min(best[i][j], best[i - 2][j - 2] + 1);
    }
  }
  return best[a.size()][b.size()];
}

}  // namespace

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kMostSlips = 2, kLongest = 64;  // of a word that is looked at
  if (word.size() > kLongest) return "";
  const std::string* nearest = nullptr;
  size_t fewest = kMostSlips + 1;
  for (const std::string& candidate : known) {
    size_t slips = Slips(word, candidate);
    if (slips >= fewest) continue;
    fewest = slips;
    nearest = &candidate;
  }
  return nearest == nullptr ? "" : "; did you mean " + *nearest + "?";
}

}  // namespace vineyard::daemon

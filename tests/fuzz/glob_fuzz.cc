// GlobMatches against a table filled in by the definition, cell by cell. First line of the input:
// the pattern; the rest: the text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/base/check.h"
#include "core/object/types.h"

namespace {

// Of the pattern from `at` on: how long its first item is, and whether it takes `c`. By the book,
// without any of the shortcuts of the real one.
size_t Item(std::string_view glob, size_t at, unsigned char c, bool* takes) {
  if (glob[at] == '\\' && at + 1 < glob.size()) {
    *takes = static_cast<unsigned char>(glob[at + 1]) == c;
    return 2;
  }
  if (glob[at] == '?') {
    *takes = true;
    return 1;
  }
  *takes = static_cast<unsigned char>(glob[at]) == c;
  if (glob[at] != '[') return 1;
  size_t first = at + 1;
  bool negated = first < glob.size() && (glob[first] == '!' || glob[first] == '^');
  if (negated) ++first;
  if (first >= glob.size()) return 1;
  size_t close = glob.find(']', first + 1);
  if (close == std::string_view::npos) return 1;
  bool found = false;
  for (size_t i = first; i < close;) {
    unsigned char low = static_cast<unsigned char>(glob[i]);
    if (i + 2 < close && glob[i + 1] == '-') {
      found = found || (low <= c && c <= static_cast<unsigned char>(glob[i + 2]));
      i += 3;
    } else {
      found = found || low == c;
      ++i;
    }
  }
  *takes = found != negated;
  return close + 1 - at;
}

bool Expected(std::string_view glob, std::string_view text) {
  // match[g][t]: glob from g on matches text from t on.
  std::vector<std::vector<char>> match(glob.size() + 1, std::vector<char>(text.size() + 1));
  match[glob.size()][text.size()] = 1;
  for (size_t g = glob.size(); g-- > 0;) {
    for (size_t t = text.size() + 1; t-- > 0;) {
      if (glob[g] == '*') {
        match[g][t] = match[g + 1][t] || (t < text.size() && match[g][t + 1]);
      } else if (t < text.size()) {
        bool takes = false;
        size_t length = Item(glob, g, static_cast<unsigned char>(text[t]), &takes);
        match[g][t] = takes && match[g + length][t + 1];
      }
    }
  }
  return match[0][0] != 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), std::min<size_t>(size, 300));
  size_t end = std::min(input.find('\n'), input.size());
  std::string_view glob = input.substr(0, end);
  std::string_view text = input.substr(std::min(end + 1, input.size()));
  CHECK(vineyard::GlobMatches(glob, text) == Expected(glob, text));
  return 0;
}

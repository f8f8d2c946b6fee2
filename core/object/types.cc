#include "core/object/types.h"

#include <iterator>

#include "core/object/pack.h"

namespace vineyard {
namespace {

struct Type {
  std::string_view name, base;
};

// Indexed by TypeNumber.
constexpr Type kTypes[] = {
    {"", ""},
    {kBlobTypeName, ""},
    {"vineyard::Scalar", ""},
    {"vineyard::String", ""},
    {"vineyard::Sequence", ""},
    {"vineyard::Tuple", "vineyard::Sequence"},
    {"vineyard::Pair", "vineyard::Tuple"},
    {"vineyard::List", "vineyard::Sequence"},
    {"vineyard::Dict", ""},
    {"vineyard::Tensor", ""},
    {"vineyard::Array", "vineyard::Tensor"},
    {"vineyard::PickleBuffer", ""},
};

// Matches one [...] at glob[*at] (which is '['); moves *at behind it. A '[' that is never closed
// stands for itself; `last_close`, where the last ']' of the pattern is, tells at once.
bool ClassMatches(std::string_view glob, size_t last_close, size_t* at, unsigned char c) {
  size_t i = *at + 1;
  bool negated = i < glob.size() && (glob[i] == '!' || glob[i] == '^');
  if (negated) ++i;
  if (last_close == std::string_view::npos || last_close <= i) {
    ++*at;
    return c == '[';
  }
  bool found = false;
  for (size_t first = i; i < glob.size(); ++i) {
    if (glob[i] == ']' && i != first) {
      *at = i + 1;
      return found != negated;
    }
    unsigned char low = static_cast<unsigned char>(glob[i]), high = low;
    if (i + 2 < glob.size() && glob[i + 1] == '-' && glob[i + 2] != ']') {
      high = static_cast<unsigned char>(glob[i + 2]);
      i += 2;
    }
    found = found || (low <= c && c <= high);
  }
  return false;  // never here: there is a ']' behind the first character
}

}  // namespace

TypeNumber TypeNumberOf(std::string_view type_name) {
  for (size_t i = 1; i < std::size(kTypes); ++i) {
    if (kTypes[i].name == type_name) return static_cast<TypeNumber>(i);
  }
  return TypeNumber::kOther;
}

std::string_view TypeNameOf(TypeNumber number) {
  size_t i = static_cast<size_t>(number);
  return i < std::size(kTypes) ? kTypes[i].name : std::string_view();
}

std::string_view BaseTypeOf(std::string_view type_name) {
  // vineyard::Tensor<int64> is a vineyard::Tensor.
  size_t parameters = type_name.find('<');
  if (parameters != std::string_view::npos) return type_name.substr(0, parameters);
  return kTypes[static_cast<size_t>(TypeNumberOf(type_name))].base;
}

bool TypeMatches(std::string_view type_name, std::string_view glob) {
  for (; !type_name.empty(); type_name = BaseTypeOf(type_name)) {
    if (GlobMatches(glob, type_name)) return true;
  }
  return false;
}

bool GlobMatches(std::string_view glob, std::string_view text, uint64_t* steps) {
  uint64_t uncounted = 0;
  if (steps == nullptr) steps = &uncounted;
  // On a mismatch only the last '*' can help: let it swallow one more character. Hence no recursion
  // and no exponential time.
  size_t last_close = glob.rfind(']');
  size_t g = 0, t = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    bool matched = false;
    ++*steps;
    if (g < glob.size()) {
      char c = glob[g];
      if (c == '*') {
        star = ++g;
        star_text = t;
        continue;
      }
      if (c == '?') {
        ++g;
        matched = true;
      } else if (c == '[') {
        matched = ClassMatches(glob, last_close, &g, static_cast<unsigned char>(text[t]));
      } else {
        if (c == '\\' && g + 1 < glob.size()) c = glob[++g];
        ++g;
        matched = c == text[t];
      }
    }
    if (matched) {
      ++t;
    } else if (star != std::string_view::npos) {
      g = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

Status CheckText(std::string_view what, std::string_view text, uint64_t limit) {
  if (text.empty())
    return Invalid(std::string(what) + ": it is empty; at least one character is expected");
  if (text.size() > limit) {
    return Limit(Format("%.*s of %zu bytes: at most %llu are allowed; choose a shorter one",
                        static_cast<int>(what.size()), what.data(), text.size(),
                        static_cast<unsigned long long>(limit)));
  }
  if (text.find('\0') != std::string_view::npos) {
    return Invalid(std::string(what) + ": it contains a NUL character; leave it out");
  }
  if (!IsUtf8(text)) return Invalid(std::string(what) + ": it is not UTF-8; encode it so");
  return OkStatus();
}

}  // namespace vineyard

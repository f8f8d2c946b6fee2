#include "core/object/ids.h"

#include <charconv>

namespace vineyard {

std::string PrintId(ObjectId id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(17, 'o');
  for (int i = 16; i > 0; --i, id >>= 4) text[static_cast<size_t>(i)] = kDigits[id & 15];
  return text;
}

Result<ObjectId> ParseId(std::string_view text) {
  Status bad = Invalid("object id '" + std::string(text.substr(0, 64)) +
                       "': expected 'o' and 16 lower-case hexadecimal digits");
  if (text.size() != 17 || text[0] != 'o') return bad;
  for (char c : text.substr(1)) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return bad;
  }
  ObjectId id = kInvalidId;
  std::from_chars(text.data() + 1, text.data() + text.size(), id, 16);
  if (id == kInvalidId) return Invalid("object id 'o0000000000000000': it is the invalid id");
  return id;
}

}  // namespace vineyard

// What a person types: object ids and names. Ids come back as they were typed; text is accepted
// exactly when decoding it and encoding it again gives the same bytes.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/object/ids.h"
#include "core/object/pack.h"
#include "core/object/types.h"

namespace {

std::string EncodeUtf8(uint32_t c) {
  auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

bool ExpectedUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = static_cast<unsigned char>(text[i]);
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (text.size() - i < length) return false;
    uint32_t c = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t k = 1; k < length; ++k) {
      c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3f);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    if (EncodeUtf8(c) != text.substr(i, length)) return false;
    i += length;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto id = vineyard::ParseId(text);
  if (id.ok()) CHECK(*id != vineyard::kInvalidId && vineyard::PrintId(*id) == text);
  bool utf8 = ExpectedUtf8(text);
  CHECK(vineyard::IsUtf8(text) == utf8);
  bool legal = utf8 && !text.empty() && text.size() <= vineyard::kMaxName &&
               text.find('\0') == std::string_view::npos;
  CHECK(vineyard::CheckText("name", text, vineyard::kMaxName).ok() == legal);
  return 0;
}

// Words of many calls: ids of objects, as numbers and as text, and time-outs.
#ifndef VINEYARD_HPP_IDS_HPP_
#define VINEYARD_HPP_IDS_HPP_

#include <vineyard/vineyard.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vineyard/hpp/detail.hpp>

namespace vineyard {
inline namespace v0 {

using ObjectId = vineyard_id;

// VINEYARD_ID_INVALID, and VINEYARD_ID_EMPTY_BLOB: a blob of no bytes that always exists.
inline constexpr ObjectId kNoObject = 0;
inline constexpr ObjectId kEmptyBlob = ObjectId{1} << 63;

// What time-outs are besides a number of milliseconds, see "Units" in vineyard.hpp.
inline constexpr std::chrono::milliseconds kNoWait{0};
inline constexpr std::chrono::milliseconds kDefaultTimeout{-1};

// "o" and 16 lower-case hexadecimal digits.
inline std::string print_id(ObjectId id) {
  char text[VINEYARD_ID_TEXT_SIZE];
  std::uint64_t size = sizeof text;
  detail::check(vineyard_id_print(id, text, &size));
  return {text, static_cast<std::size_t>(size)};
}

// Strict: InvalidError for anything else than the printed form.
inline ObjectId parse_id(std::string_view text) {
  ObjectId id = kNoObject;
  detail::check(vineyard_id_parse(detail::CText(text).c_str(), &id));
  return id;
}

inline bool is_blob(ObjectId id) noexcept { return vineyard_id_is_blob(id) != 0; }

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_IDS_HPP_

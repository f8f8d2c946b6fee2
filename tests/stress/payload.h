// What objects of a soak are made of: every byte of them can be computed from the key, and is
// compared whenever somebody reads one.
//
//   soak::w<N>        key: its number; payload; a tree also `left` and `right`, one soak::part;
//                     a link `other` instead of all that; what counts a field `value`
//   soak::part        payload, as that of the root
//   vineyard::Array   buffer_ instead of a payload: Python's, named soak/<N>/<key>
#ifndef TESTS_STRESS_PAYLOAD_H_
#define TESTS_STRESS_PAYLOAD_H_

#include <vineyard/vineyard.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace vineyard::soak {

inline uint64_t Mix(uint64_t x) {
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15ULL;
  return x ^ (x >> 29);
}

inline void Fill(uint64_t* words, uint64_t key, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i < to; ++i) words[i] = i == 0 ? key : Mix(key + i);
}

inline std::vector<uint64_t> MakePayload(uint64_t key, uint64_t count) {
  std::vector<uint64_t> words(count);
  Fill(words.data(), key, 0, count);
  return words;
}

// What is wrong with an object; empty: nothing. Adds up its bytes.
class Verifier {
 public:
  std::string Check(vineyard_object* object) {
    std::string type = vineyard_object_type_name(object);
    if (type == "vineyard::Array") return Payload(object, "buffer_", nullptr);
    uint64_t key = 0;
    if (vineyard_object_field_uint64(object, "key", &key) != VINEYARD_OK) return Failed("its key");
    if (type != "soak::w" + std::to_string(key >> 40)) return "key and type disagree: " + type;
    vineyard_id left = 0, right = 0, other = 0;
    if (vineyard_object_member_id(object, "other", &other) == VINEYARD_OK) {
      return Member(object, "other");
    }
    if (vineyard_object_member_id(object, "left", &left) == VINEYARD_OK) {
      if (vineyard_object_member_id(object, "right", &right) != VINEYARD_OK || left != right) {
        return "left and right are not one object";
      }
      vineyard_object* part = nullptr;
      status_ = vineyard_object_member(object, "left", &part);
      if (status_ != VINEYARD_OK) return Failed("its part");
      std::string wrong = Payload(part, "payload", &key);
      vineyard_object_release(part);
      if (!wrong.empty()) return wrong;
    }
    return Payload(object, "payload", &key);
  }
  // Of one blob of it; `key`: null where any will do.
  std::string Payload(vineyard_object* object, const char* name, const uint64_t* key) {
    vineyard_blob* blob = nullptr;
    status_ = vineyard_object_member_blob(object, name, &blob);
    if (status_ != VINEYARD_OK) return Failed(name);
    const auto* words = static_cast<const uint64_t*>(vineyard_blob_data(blob));
    uint64_t count = vineyard_blob_length(blob) / 8, first = count == 0 ? 0 : words[0], at = 1;
    while (at < count && words[at] == Mix(first + at)) ++at;
    if (key != nullptr && first != *key) at = 0;
    std::string wrong;
    if (count == 0 || at < count) {
      wrong = "WRONG BYTES: word " + std::to_string(at) + " of " + std::to_string(count) +
              " under " + std::to_string(first) + " in " + name;
      if (at < count) wrong += ": " + std::to_string(words[at]);
    }
    bytes_ += count * 8;
    vineyard_blob_release(blob);
    return wrong;
  }
  uint64_t bytes() const { return bytes_; }
  // Of what could not be read: not OK.
  int32_t status() const { return status_; }

 private:
  static std::string Failed(const char* what) {
    return std::string(what) + ": " + vineyard_error_text();
  }
  std::string Member(vineyard_object* object, const char* name) {
    vineyard_object* member = nullptr;
    status_ = vineyard_object_member(object, name, &member);
    if (status_ != VINEYARD_OK) return Failed(name);
    std::string wrong = Check(member);
    vineyard_object_release(member);
    return wrong;
  }

  uint64_t bytes_ = 0;
  int32_t status_ = VINEYARD_OK;
};

}  // namespace vineyard::soak

#endif  // TESTS_STRESS_PAYLOAD_H_

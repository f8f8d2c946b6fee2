// This file is the only place that knows the bytes of a record: the metadata of one object.
//
//   byte 0: version (1), then a msgpack map
//     "i" id  "t" typename  "n" nbytes: payload bytes of the whole tree  "o" owner instance
//     "m" members: [[name, id], ...]  "f" fields: {name: value, ...}
// Keys that this build does not know are ignored, and kept by whoever copies a record. Field and
// member names share one name space.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/object/ids.h"
#include "core/object/value.h"

namespace vineyard {

inline constexpr uint8_t kRecordVersion = 1;
inline constexpr uint64_t kMaxRecord = uint64_t{64} << 20;  // bytes
inline constexpr uint32_t kMaxMembers = 4u << 20;

struct Member {
  std::string_view name;
  ObjectId id = kInvalidId;
};

// Text points into the bytes that it was read from.
struct Record {
  ObjectId id = kInvalidId;
  std::string_view type_name;
  uint64_t nbytes = 0;
  uint64_t instance = 0;
  std::vector<Member> members;
  Value fields = Value::Map(nullptr, 0);
  Arena arena;  // holds what `fields` points to

  const Member* FindMember(std::string_view name) const;
};

// `fields_msgpack`: the map, packed and checked already.
std::string EncodeRecord(ObjectId id, std::string_view type_name, uint64_t nbytes,
                         uint64_t instance, const std::vector<Member>& members,
                         std::string_view fields_msgpack);
Result<Record> DecodeRecord(std::string_view bytes);
// Only its `nbytes`, however much else there is.
Result<uint64_t> ReadNbytes(std::string_view bytes);

// What a put may contain: type name, field and member names of legal length, UTF-8, each once.
Status CheckRecordNames(std::string_view type_name, const std::vector<Member>& members,
                        const Value& fields);

// A name: {"n" name, "i" id, "r" revision}; the revision moves with every change of the name.
struct NameRecord {
  std::string_view name;
  ObjectId id = kInvalidId;
  uint64_t revision = 0;
};
std::string EncodeName(const NameRecord& name);
Result<NameRecord> DecodeName(std::string_view bytes);

// Labels of an object: {key: value}, text to text.
using Labels = std::vector<std::pair<std::string, std::string>>;
std::string EncodeLabels(const Labels& labels);
Result<Labels> DecodeLabels(std::string_view bytes);
// Sets or (empty value) removes labels, and checks their text and number.
using LabelChanges = std::vector<std::pair<std::string_view, std::string_view>>;
Status ChangeLabels(const LabelChanges& changes, Labels* labels);

}  // namespace vineyard

#include "core/object/record.h"

#include <string_view>
#include <unordered_set>

#include "core/object/pack.h"
#include "core/object/tree.h"
#include "core/object/types.h"

namespace vineyard {
namespace {

// A version byte and a map: what records of all kinds start with.
Result<Value> UnpackVersioned(std::string_view bytes, Arena* arena) {
  // Fields may use the whole depth by themselves, and lie in the record's map.
  constexpr uint32_t kDepth = kMaxDepth + 1;
  if (bytes.empty()) return Corrupt("record: it is empty");
  if (static_cast<uint8_t>(bytes[0]) != kRecordVersion) {
    return Status(Code::kVersion, Format("record: version %u, this build reads %u",
                                         static_cast<uint8_t>(bytes[0]), kRecordVersion));
  }
  ASSIGN_OR_RETURN(Value map, Unpack(bytes.substr(1), arena, kDepth));
  if (!map.is(ValueType::kMap)) return Corrupt("record: it is not a map");
  return map;
}

bool GetText(const Value& map, std::string_view key, std::string_view* out) {
  const Value* value = map.Find(key);
  if (value == nullptr || !value->is(ValueType::kString)) return false;
  *out = value->text();
  return true;
}

bool GetNumber(const Value& map, std::string_view key, uint64_t* out) {
  const Value* value = map.Find(key);
  return value != nullptr && value->GetUint64(out);
}

}  // namespace

const Member* Record::FindMember(std::string_view name) const {
  for (const Member& member : members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

std::string EncodeRecord(ObjectId id, std::string_view type_name, uint64_t nbytes,
                         uint64_t instance, const std::vector<Member>& members,
                         std::string_view fields_msgpack) {
  std::string out(1, static_cast<char>(kRecordVersion));
  Packer packer(&out);
  packer.Map(6);
  packer.String("i").Uint(id).String("t").String(type_name);
  packer.String("n").Uint(nbytes).String("o").Uint(instance);
  packer.String("m").Array(members.size());
  for (const Member& member : members) packer.Array(2).String(member.name).Uint(member.id);
  packer.String("f").Raw(fields_msgpack);
  return out;
}

Result<Record> DecodeRecord(std::string_view bytes) {
  Record record;
  ASSIGN_OR_RETURN(Value map, UnpackVersioned(bytes, &record.arena));
  const Value *id = nullptr, *type = nullptr, *nbytes = nullptr, *owner = nullptr,
              *members = nullptr, *fields = nullptr;
  for (uint64_t i = 0; i < map.size; ++i) {
    std::string_view key = map.as.items[2 * i].text();
    const Value* value = &map.as.items[2 * i + 1];
    if (key.size() != 1) continue;
    const Value** part = key[0] == 'i'   ? &id
                         : key[0] == 't' ? &type
                         : key[0] == 'n' ? &nbytes
                         : key[0] == 'o' ? &owner
                         : key[0] == 'm' ? &members
                         : key[0] == 'f' ? &fields
                                         : nullptr;
    if (part != nullptr && *part == nullptr) *part = value;
  }
  auto is = [](const Value* value, ValueType wanted) {
    return value != nullptr && value->is(wanted);
  };
  if (id == nullptr || !id->GetUint64(&record.id) || !is(type, ValueType::kString) ||
      nbytes == nullptr || !nbytes->GetUint64(&record.nbytes) || owner == nullptr ||
      !owner->GetUint64(&record.instance) || !is(members, ValueType::kList) ||
      !is(fields, ValueType::kMap)) {
    return Corrupt("record: a part is missing or of another type");
  }
  record.type_name = type->text();
  record.fields = *fields;
  record.members.reserve(members->size);
  for (uint64_t i = 0; i < members->size; ++i) {
    const Value& pair = members->as.items[i];
    Member member;
    if (!pair.is(ValueType::kList) || pair.size < 2 || !pair.as.items[0].is(ValueType::kString) ||
        !pair.as.items[1].GetUint64(&member.id)) {
      return Corrupt("record: a member is not a name and an id");
    }
    member.name = pair.as.items[0].text();
    record.members.push_back(member);
  }
  return record;
}

Result<uint64_t> ReadNbytes(std::string_view bytes) {
  uint64_t nbytes = 0;
  if (!bytes.empty() && static_cast<uint8_t>(bytes[0]) == kRecordVersion &&
      PeekScalar(bytes.substr(1), "n").GetUint64(&nbytes)) {
    return nbytes;
  }
  ASSIGN_OR_RETURN(Record record, DecodeRecord(bytes));  // written by another build, or damaged
  return record.nbytes;
}

Status CheckRecordNames(std::string_view type_name, const std::vector<Member>& members,
                        const Value& fields) {
  RETURN_IF_ERROR(CheckText("type name", type_name, kMaxTypeName));
  if (members.size() > kMaxMembers) {
    return Limit(Format("%zu members: at most %u are allowed", members.size(), kMaxMembers));
  }
  std::unordered_set<std::string_view> seen;
  seen.reserve(members.size() + fields.size);
  auto check = [&](std::string_view name) -> Status {
    RETURN_IF_ERROR(CheckText("name of a field or member", name, kMaxKey));
    if (!seen.insert(name).second) {
      return Invalid("field or member '" + std::string(name) + "': it is there twice");
    }
    return OkStatus();
  };
  for (const Member& member : members) RETURN_IF_ERROR(check(member.name));
  for (uint64_t i = 0; i < fields.size; ++i) RETURN_IF_ERROR(check(fields.as.items[2 * i].text()));
  return OkStatus();
}

std::string EncodeName(const NameRecord& name) {
  std::string out(1, static_cast<char>(kRecordVersion));
  Packer packer(&out);
  packer.Map(3).String("n").String(name.name).String("i").Uint(name.id);
  packer.String("r").Uint(name.revision);
  return out;
}

Result<NameRecord> DecodeName(std::string_view bytes) {
  Arena arena;
  ASSIGN_OR_RETURN(Value map, UnpackVersioned(bytes, &arena));
  NameRecord name;
  if (!GetText(map, "n", &name.name) || !GetNumber(map, "i", &name.id) ||
      !GetNumber(map, "r", &name.revision)) {
    return Corrupt("record of a name: a part is missing or of another type");
  }
  return name;
}

std::string EncodeLabels(const Labels& labels) {
  std::string out(1, static_cast<char>(kRecordVersion));
  Packer packer(&out);
  packer.Map(labels.size());
  for (const auto& [key, value] : labels) packer.String(key).String(value);
  return out;
}

Result<Labels> DecodeLabels(std::string_view bytes) {
  Arena arena;
  ASSIGN_OR_RETURN(Value map, UnpackVersioned(bytes, &arena));
  Labels labels;
  for (uint64_t i = 0; i < map.size; ++i) {
    const Value &key = map.as.items[2 * i], &value = map.as.items[2 * i + 1];
    if (!value.is(ValueType::kString)) return Corrupt("record of labels: a label is not text");
    labels.emplace_back(key.text(), value.text());
  }
  return labels;
}

Status ChangeLabels(const LabelChanges& changes, Labels* labels) {
  constexpr uint64_t kMaxLabels = 1000;  // of an object
  auto too_many = [] { return Limit("labels of an object: at most 1000 are allowed"); };
  if (changes.size() > kMaxLabels) return too_many();
  for (const auto& change : changes) {
    RETURN_IF_ERROR(CheckText("key of a label", change.first, kMaxKey));
    if (!change.second.empty()) {
      RETURN_IF_ERROR(CheckText("label", change.second, kMaxInlinePayload));
    }
    std::erase_if(*labels, [&](const auto& label) { return label.first == change.first; });
    if (!change.second.empty()) labels->emplace_back(change.first, change.second);
  }
  return labels->size() > kMaxLabels ? too_many() : OkStatus();
}

}  // namespace vineyard

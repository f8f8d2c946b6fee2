// Records of objects, names and labels. What is read can be written, and comes back the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/object/pack.h"
#include "core/object/record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto encode = [](const vineyard::Record& record) {
    std::string fields;
    vineyard::Packer(&fields).Any(record.fields);
    return EncodeRecord(record.id, record.type_name, record.nbytes, record.instance, record.members,
                        fields);
  };
  if (auto record = vineyard::DecodeRecord(bytes); record.ok()) {
    (void)CheckRecordNames(record->type_name, record->members, record->fields);
    (void)record->FindMember("buffer_");
    std::string encoded = encode(*record);
    auto again = vineyard::DecodeRecord(encoded);
    CHECK(again.ok() && encode(*again) == encoded);
  }
  if (auto name = vineyard::DecodeName(bytes); name.ok()) {
    std::string encoded = EncodeName(*name);
    auto again = vineyard::DecodeName(encoded);
    CHECK(again.ok() && again->name == name->name && again->id == name->id &&
          again->revision == name->revision);
  }
  if (auto labels = vineyard::DecodeLabels(bytes); labels.ok()) {
    auto again = vineyard::DecodeLabels(vineyard::EncodeLabels(*labels));
    CHECK(again.ok() && *again == *labels);
  }
  return 0;
}

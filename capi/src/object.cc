// Reading objects.
#include "capi/src/handles.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

namespace {

const Record& RecordOf(const vineyard_object* object) { return object->view->record(); }

std::string Describe(const Value& value) {
  switch (value.type) {
    case ValueType::kNull:
      return "null";
    case ValueType::kBool:
      return "a bool";
    case ValueType::kInt64:
      return "the integer " + std::to_string(value.as.int64);
    case ValueType::kUint64:
      return "the integer " + std::to_string(value.as.uint64);
    case ValueType::kFloat64:
      return "a float";
    case ValueType::kString:
      return "a string";
    case ValueType::kBytes:
      return "bytes";
    case ValueType::kList:
      return "a list";
    case ValueType::kMap:
      return "a map";
  }
  return "of a type that this library does not know";
}

Status WrongType(const vineyard_object* object, const char* name, const Value& found,
                 const char* wanted) {
  return {Code::kType, "object " + PrintId(object->view->id()) + ": its field '" + name + "' is " +
                           Describe(found) + ", not " + wanted};
}

// Finds a field and hands it to `read`, which answers whether it is of the right type.
template <typename Read>
int32_t ReadField(const vineyard_object* object, const char* name, const void* out,
                  const char* wanted, Read read) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(out);
    ASSIGN_OR_RETURN(const Value* value, object->view->Field(name));
    return read(*value) ? OkStatus() : WrongType(object, name, *value, wanted);
  });
}

int32_t ReadText(const vineyard_object* object, const char* name, ValueType type,
                 const char* wanted, const char** data, uint64_t* size) {
  return ReadField(object, name, data != nullptr ? size : nullptr, wanted, [&](const Value& value) {
    if (!value.is(type)) return false;
    *data = value.as.data;
    *size = value.size;
    return true;
  });
}

Status MakeMember(vineyard_object* object, ObjectId id, vineyard_object** member) {
  ASSIGN_OR_RETURN(std::unique_ptr<client::ObjectView> view, object->view->Member(id));
  *member = new vineyard_object(std::move(view));
  return OkStatus();
}

}  // namespace

int32_t vineyard_object_get(vineyard_client* client, vineyard_id id, vineyard_object** object) {
  if (object != nullptr) *object = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(object);
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    ASSIGN_OR_RETURN(std::unique_ptr<client::ObjectView> view,
                     client::ObjectView::Get(Of(client)->shared_from_this(), id));
    *object = new vineyard_object(std::move(view));
    return OkStatus();
  });
}

void vineyard_object_release(vineyard_object* object) {
  Guarded([&] {
    delete object;
    return OkStatus();
  });
}

vineyard_id vineyard_object_id(const vineyard_object* object) {
  return object != nullptr ? object->view->id() : VINEYARD_ID_INVALID;
}
const char* vineyard_object_type_name(const vineyard_object* object) {
  return object != nullptr ? object->view->type_name().c_str() : "";
}
uint64_t vineyard_object_nbytes(const vineyard_object* object) {
  return object != nullptr ? object->view->nbytes() : 0;
}
uint64_t vineyard_object_instance(const vineyard_object* object) {
  return object != nullptr ? object->view->instance() : 0;
}
uint32_t vineyard_object_owner_uid(const vineyard_object* object) {
  return object != nullptr ? object->view->owner_uid() : UINT32_MAX;
}
int32_t vineyard_object_is_persisted(const vineyard_object* object) {
  return object != nullptr && object->view->is_persisted() ? 1 : 0;
}

// ---- fields --------------------------------------------------------------------------------------

uint64_t vineyard_object_field_count(const vineyard_object* object) {
  return object != nullptr ? RecordOf(object).fields.size : 0;
}

int32_t vineyard_object_field_at(const vineyard_object* object, uint64_t index, const char** name,
                                 uint64_t* name_size, const vineyard_value** value) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(name_size);
    RETURN_IF_NULL(value);
    RETURN_IF_ERROR(object->view->CheckReadable());
    const Value& fields = RecordOf(object).fields;
    if (index >= fields.size) return NotFound("field: the index is behind the last field");
    *name = fields.as.items[2 * index].as.data;
    *name_size = fields.as.items[2 * index].size;
    *value = HandleOf(&fields.as.items[2 * index + 1]);
    return OkStatus();
  });
}

int32_t vineyard_object_field(const vineyard_object* object, const char* name,
                              const vineyard_value** value) {
  return ReadField(object, name, value, "a value", [&](const Value& found) {
    *value = HandleOf(&found);
    return true;
  });
}

int32_t vineyard_object_field_bool(const vineyard_object* object, const char* name,
                                   int32_t* value) {
  return ReadField(object, name, value, "a bool", [&](const Value& found) {
    if (found.is(ValueType::kBool)) *value = found.as.boolean;
    return found.is(ValueType::kBool);
  });
}

int32_t vineyard_object_field_int64(const vineyard_object* object, const char* name,
                                    int64_t* value) {
  return ReadField(object, name, value, "an integer that fits 64 signed bits",
                   [&](const Value& found) { return found.GetInt64(value); });
}

int32_t vineyard_object_field_uint64(const vineyard_object* object, const char* name,
                                     uint64_t* value) {
  return ReadField(object, name, value, "an integer that fits 64 unsigned bits",
                   [&](const Value& found) { return found.GetUint64(value); });
}

int32_t vineyard_object_field_float64(const vineyard_object* object, const char* name,
                                      double* value) {
  return ReadField(object, name, value, "a float", [&](const Value& found) {
    if (found.is(ValueType::kFloat64)) *value = found.as.float64;
    return found.is(ValueType::kFloat64);
  });
}

int32_t vineyard_object_field_string(const vineyard_object* object, const char* name,
                                     const char** text, uint64_t* size) {
  return ReadText(object, name, ValueType::kString, "a string", text, size);
}

int32_t vineyard_object_field_bytes(const vineyard_object* object, const char* name,
                                    const char** data, uint64_t* size) {
  return ReadText(object, name, ValueType::kBytes, "bytes", data, size);
}

// ---- members -------------------------------------------------------------------------------------

uint64_t vineyard_object_member_count(const vineyard_object* object) {
  return object != nullptr ? RecordOf(object).members.size() : 0;
}

int32_t vineyard_object_member_at(const vineyard_object* object, uint64_t index, const char** name,
                                  uint64_t* name_size, vineyard_id* id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(name_size);
    RETURN_IF_NULL(id);
    RETURN_IF_ERROR(object->view->CheckReadable());
    const auto& members = RecordOf(object).members;
    if (index >= members.size()) return NotFound("member: the index is behind the last member");
    *name = members[index].name.data();
    *name_size = members[index].name.size();
    *id = members[index].id;
    return OkStatus();
  });
}

int32_t vineyard_object_member_id(const vineyard_object* object, const char* name,
                                  vineyard_id* id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(id);
    ASSIGN_OR_RETURN(*id, object->view->MemberId(name));
    return OkStatus();
  });
}

int32_t vineyard_object_member(vineyard_object* object, const char* name,
                               vineyard_object** member) {
  if (member != nullptr) *member = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(member);
    ASSIGN_OR_RETURN(ObjectId id, object->view->MemberId(name));
    return MakeMember(object, id, member);
  });
}

int32_t vineyard_object_member_by_index(vineyard_object* object, uint64_t index,
                                        vineyard_object** member) {
  if (member != nullptr) *member = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(member);
    const auto& members = RecordOf(object).members;
    if (index >= members.size()) return NotFound("member: the index is behind the last member");
    return MakeMember(object, members[index].id, member);
  });
}

int32_t vineyard_object_member_blob(vineyard_object* object, const char* name,
                                    vineyard_blob** blob) {
  if (blob != nullptr) *blob = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(blob);
    ASSIGN_OR_RETURN(ObjectId id, object->view->MemberId(name));
    ASSIGN_OR_RETURN(client::View * view, object->view->MemberBlob(id));
    *blob = HandleOf(view);
    return OkStatus();
  });
}

int32_t vineyard_object_blob(vineyard_object* object, vineyard_blob** blob) {
  if (blob != nullptr) *blob = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(blob);
    ASSIGN_OR_RETURN(client::View * view, object->view->Blob());
    *blob = HandleOf(view);
    return OkStatus();
  });
}

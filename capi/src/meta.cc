// Building objects.
#include "capi/src/handles.h"
#include "core/client/tree_put.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

namespace {

int32_t SetField(vineyard_meta* meta, const char* name, const Value& value) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(meta);
    RETURN_IF_NULL(name);
    return meta->builder->SetField(name, value);
  });
}

Status ReadPayload(const void* data, uint64_t size, int32_t kind,
                   client::MetaBuilder::Bytes* bytes) {
  std::string_view checked;
  RETURN_IF_ERROR(ReadBytes(data, size, &checked));
  bytes->data = data;
  bytes->size = size;
  return ReadKind(kind, &bytes->kind);
}

}  // namespace

int32_t vineyard_meta_create(const char* type_name, vineyard_meta** meta) {
  if (meta != nullptr) *meta = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(type_name);
    RETURN_IF_NULL(meta);
    auto made = std::make_unique<vineyard_meta>();
    ASSIGN_OR_RETURN(made->builder, client::MetaBuilder::Create(type_name));
    *meta = made.release();
    return OkStatus();
  });
}

int32_t vineyard_meta_create_blob(const void* data, uint64_t size, int32_t kind,
                                  vineyard_meta** meta) {
  if (meta != nullptr) *meta = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(meta);
    client::MetaBuilder::Bytes bytes;
    RETURN_IF_ERROR(ReadPayload(data, size, kind, &bytes));
    auto made = std::make_unique<vineyard_meta>();
    made->builder = client::MetaBuilder::CreateBlob(bytes);
    *meta = made.release();
    return OkStatus();
  });
}

void vineyard_meta_release(vineyard_meta* meta) {
  Guarded([&] {
    delete meta;
    return OkStatus();
  });
}

// ---- fields --------------------------------------------------------------------------------------

int32_t vineyard_meta_set_null(vineyard_meta* meta, const char* name) {
  return SetField(meta, name, Value::Null());
}
int32_t vineyard_meta_set_bool(vineyard_meta* meta, const char* name, int32_t value) {
  return SetField(meta, name, Value::Bool(value != 0));
}
int32_t vineyard_meta_set_int64(vineyard_meta* meta, const char* name, int64_t value) {
  return SetField(meta, name, Value::Int64(value));
}
int32_t vineyard_meta_set_uint64(vineyard_meta* meta, const char* name, uint64_t value) {
  return SetField(meta, name, Value::Uint64(value));
}
int32_t vineyard_meta_set_float64(vineyard_meta* meta, const char* name, double value) {
  return SetField(meta, name, Value::Float64(value));
}
int32_t vineyard_meta_set_string(vineyard_meta* meta, const char* name, const char* text,
                                 uint64_t size) {
  return SetField(meta, name, Value::String({text, size}));
}
int32_t vineyard_meta_set_bytes(vineyard_meta* meta, const char* name, const void* data,
                                uint64_t size) {
  return SetField(meta, name, Value::Bytes({static_cast<const char*>(data), size}));
}
int32_t vineyard_meta_set_value(vineyard_meta* meta, const char* name,
                                const vineyard_value* value) {
  if (value == nullptr) return Finish(NullPointer("value"));
  return SetField(meta, name, *reinterpret_cast<const Value*>(value));
}

// ---- members -------------------------------------------------------------------------------------

int32_t vineyard_meta_add_id(vineyard_meta* meta, const char* name, vineyard_id id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(meta);
    RETURN_IF_NULL(name);
    return meta->builder->AddId(name, id);
  });
}

int32_t vineyard_meta_add_meta(vineyard_meta* meta, const char* name, vineyard_meta* member) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(meta);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(member);
    return meta->builder->AddMeta(name, member->builder);
  });
}

int32_t vineyard_meta_add_bytes(vineyard_meta* meta, const char* name, const void* data,
                                uint64_t size, int32_t kind) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(meta);
    RETURN_IF_NULL(name);
    client::MetaBuilder::Bytes bytes;
    RETURN_IF_ERROR(ReadPayload(data, size, kind, &bytes));
    return meta->builder->AddBytes(name, bytes);
  });
}

int32_t vineyard_meta_add_writer(vineyard_meta* meta, const char* name,
                                 vineyard_blob_writer* writer) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(meta);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(writer);
    return meta->builder->AddWriter(name, writer->writer);
  });
}

vineyard_id vineyard_meta_id(const vineyard_meta* meta) {
  return meta != nullptr ? meta->builder->id() : VINEYARD_ID_INVALID;
}

// ---- putting -------------------------------------------------------------------------------------

int32_t vineyard_object_put(vineyard_client* client, vineyard_meta* meta,
                            const vineyard_put_options* options, vineyard_id* id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(meta);
    RETURN_IF_NULL(id);
    vineyard_put_options known = VINEYARD_PUT_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    client::PutOptions wanted;
    if (known.name != nullptr) {
      wanted.name = known.name;
      if (wanted.name.empty()) return Invalid("name: it is empty; NULL stands for none");
    }
    wanted.replace = known.replace != 0;
    wanted.persist = known.persist != 0;
    RETURN_IF_ERROR(ReadShare(known.share, known.gid, &wanted.sharing));
    return client::PutTree(Of(client)->shared_from_this(), meta->builder, wanted, id);
  });
}

// Blobs: views and writers.
#include "capi/src/handles.h"
#include "core/client/blob_writer.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

// ---- views ---------------------------------------------------------------------------------------

namespace {

// Apart, so that the usual case saves no registers and makes no room for texts.
[[gnu::noinline]] int32_t GetSlow(vineyard_client* client, vineyard_id id, vineyard_blob** blob) {
  if (blob != nullptr) *blob = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(blob);
    if (id == VINEYARD_ID_INVALID) return Invalid("id: it is the invalid id");
    if (!IsBlobId(id)) return client::ObjectView::NotABlob(Of(client)->shared_from_this(), id);
    ASSIGN_OR_RETURN(client::View * view, Of(client)->GetView(id));
    *blob = HandleOf(view);
    return OkStatus();
  });
}

bool MayRead(const vineyard_blob* blob) {
  if (blob == nullptr) return false;
  if (client::MayRead()) [[likely]]
    return true;
  Fail(Code::kForked, "blob: this process was forked unseen");
  return false;
}

}  // namespace

int32_t vineyard_blob_get(vineyard_client* client, vineyard_id id, vineyard_blob** blob) {
  // Not inside of Guarded(): even an empty Status costs as much as the rest.
  if (client != nullptr && blob != nullptr && IsBlobId(id)) [[likely]] {
    try {
      client::View* view = Of(client)->TryGetView(id);
      if (view != nullptr) [[likely]] {
        *blob = HandleOf(view);
        return VINEYARD_OK;
      }
    } catch (...) {
      *blob = nullptr;
      return FailWithException();
    }
  }
  return GetSlow(client, id, blob);
}

const void* vineyard_blob_data(const vineyard_blob* blob) {
  return MayRead(blob) ? Of(blob)->data : nullptr;
}
uint64_t vineyard_blob_length(const vineyard_blob* blob) {
  return MayRead(blob) ? Of(blob)->length : 0;
}
uint64_t vineyard_blob_stored_size(const vineyard_blob* blob) {
  return MayRead(blob) ? Of(blob)->stored_size() : 0;
}
const void* vineyard_blob_stored_data(const vineyard_blob* blob) {
  return MayRead(blob) ? Of(blob)->stored_data() : nullptr;
}
int32_t vineyard_blob_kind(const vineyard_blob* blob) {
  return blob != nullptr ? Of(blob)->kind : 0;
}
vineyard_id vineyard_blob_id(const vineyard_blob* blob) {
  return blob != nullptr ? Of(blob)->id : VINEYARD_ID_INVALID;
}

int32_t vineyard_blob_share(vineyard_blob* blob, vineyard_blob** shared) {
  if (shared != nullptr) *shared = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(blob);
    RETURN_IF_NULL(shared);
    client::View* view = client::ShareView(Of(blob));
    if (view == nullptr) return {Code::kForked, "blob: this process was forked unseen"};
    *shared = HandleOf(view);
    return OkStatus();
  });
}

void vineyard_blob_release(vineyard_blob* blob) {
  if (blob == nullptr) return;
  try {
    client::ReleaseView(Of(blob));
  } catch (...) {
    FailWithException();  // nobody is told: a release answers nothing
  }
}

struct vineyard_mapping {
  std::shared_ptr<const void> memory;  // null: the bytes are not in a segment (a blob of no bytes)
};

int32_t vineyard_blob_hold_mapping(const vineyard_blob* blob, vineyard_mapping** mapping) {
  if (mapping != nullptr) *mapping = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(blob);
    RETURN_IF_NULL(mapping);
    const client::View* view = Of(blob);
    auto made = std::make_unique<vineyard_mapping>();
    if (view->session != nullptr) made->memory = view->session->HoldMapping(view->data);
    *mapping = made.release();
    return OkStatus();
  });
}

void vineyard_mapping_release(vineyard_mapping* mapping) { delete mapping; }

// ---- writing -------------------------------------------------------------------------------------

int32_t vineyard_blob_put(vineyard_client* client, const void* data, uint64_t size, int32_t kind,
                          vineyard_id* id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(id);
    std::string_view bytes;
    BlobKind blob_kind{};
    RETURN_IF_ERROR(ReadBytes(data, size, &bytes));
    RETURN_IF_ERROR(ReadKind(kind, &blob_kind));
    ASSIGN_OR_RETURN(*id, client::PutBlob(Of(client)->shared_from_this(), bytes, blob_kind));
    return OkStatus();
  });
}

int32_t vineyard_blob_writer_create(vineyard_client* client, uint64_t size, int32_t kind,
                                    vineyard_blob_writer** writer) {
  return vineyard_blob_writer_create_with(client, size, kind, nullptr, writer);
}

int32_t vineyard_blob_writer_create_with(vineyard_client* client, uint64_t size, int32_t kind,
                                         const vineyard_blob_options* options,
                                         vineyard_blob_writer** writer) {
  if (writer != nullptr) *writer = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(writer);
    BlobKind blob_kind{};
    RETURN_IF_ERROR(ReadKind(kind, &blob_kind));
    if (size > static_cast<uint64_t>(INT64_MAX)) {
      return Limit("size: it is larger than any memory");
    }
    vineyard_blob_options known = VINEYARD_BLOB_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    client::Sharing sharing;
    RETURN_IF_ERROR(ReadShare(known.share, known.gid, &sharing));
    auto made = std::make_unique<vineyard_blob_writer>();
    ASSIGN_OR_RETURN(made->writer,
                     client::BlobWriter::Create(Of(client)->shared_from_this(), size, blob_kind,
                                                sharing, Of(client)->PatienceOf()));
    *writer = made.release();
    return OkStatus();
  });
}

void* vineyard_blob_writer_data(vineyard_blob_writer* writer) {
  void* data = nullptr;
  Guarded([&]() -> Status {
    RETURN_IF_NULL(writer);
    data = writer->writer->data();
    return OkStatus();
  });
  return data;
}

uint64_t vineyard_blob_writer_size(const vineyard_blob_writer* writer) {
  return writer != nullptr ? writer->writer->size() : 0;
}

vineyard_id vineyard_blob_writer_id(const vineyard_blob_writer* writer) {
  return writer != nullptr ? writer->writer->id() : VINEYARD_ID_INVALID;
}

int32_t vineyard_blob_writer_shrink(vineyard_blob_writer* writer, uint64_t size) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(writer);
    return writer->writer->Shrink(size);
  });
}

int32_t vineyard_blob_writer_seal(vineyard_blob_writer* writer) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(writer);
    return writer->writer->Seal();
  });
}

int32_t vineyard_blob_writer_abort(vineyard_blob_writer* writer) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(writer);
    return writer->writer->Abort();
  });
}

void vineyard_blob_writer_release(vineyard_blob_writer* writer) {
  Guarded([&] {
    delete writer;
    return OkStatus();
  });
}

// ---- memory --------------------------------------------------------------------------------------

void vineyard_memory_copy(void* destination, const void* source, uint64_t size) {
  if (destination != nullptr && source != nullptr) client::CopyBytes(destination, source, size);
}

int32_t vineyard_memory_is_shared(const void* data, uint64_t size) {
  bool shared = false;
  Guarded([&] {
    shared = data != nullptr && client::IsSharedMemory(data, size);
    return OkStatus();
  });
  return shared ? 1 : 0;
}

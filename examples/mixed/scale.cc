// A stage of the pipeline: 2 x + 1 of an array of float64, from shared memory into shared memory.
//
//   scale SOCKET IN_NAME OUT_NAME
//
// Prints what run.py reads: the payload bytes that its client copied, the seconds that it worked.
#include <vineyard/vineyard.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

// What a call gave, to be given back by the call named.
template <auto kRelease>
struct Releaser {
  template <typename T>
  void operator()(T* handle) const {
    kRelease(handle);
  }
};
using Client = std::unique_ptr<vineyard_client, Releaser<vineyard_client_release>>;
using Object = std::unique_ptr<vineyard_object, Releaser<vineyard_object_release>>;
using Writer = std::unique_ptr<vineyard_blob_writer, Releaser<vineyard_blob_writer_release>>;
using Meta = std::unique_ptr<vineyard_meta, Releaser<vineyard_meta_release>>;

void Check(int32_t status, const char* what) {
  if (status == VINEYARD_OK) return;
  throw std::runtime_error(std::string(what) + ": " + vineyard_status_name(status) + ": " +
                           vineyard_error_text());
}

Object GetByName(vineyard_client* client, const char* name) {
  vineyard_id id = VINEYARD_ID_INVALID;
  Check(vineyard_name_get(client, name, 0, &id, nullptr), "find the array");
  vineyard_object* object = nullptr;
  Check(vineyard_object_get(client, id, &object), "get the array");
  return Object(object);
}

// An array that says of itself what `like` says, and whose elements are what `writer` wrote.
void PutArray(vineyard_client* client, const vineyard_object* like, vineyard_blob_writer* writer,
              const char* name) {
  vineyard_meta* made = nullptr;
  Check(vineyard_meta_create(vineyard_object_type_name(like), &made), "describe the result");
  Meta meta(made);
  for (uint64_t i = 0; i < vineyard_object_field_count(like); ++i) {
    const char* key = nullptr;
    uint64_t key_size = 0;
    const vineyard_value* value = nullptr;
    Check(vineyard_object_field_at(like, i, &key, &key_size, &value), "read a field");
    const std::string field(key, key_size);
    if (field == "offset_") continue;  // where it began in its blob; this one begins at 0
    Check(vineyard_meta_set_value(meta.get(), field.c_str(), value), "set a field");
  }
  Check(vineyard_meta_add_writer(meta.get(), "buffer_", writer), "add the elements");
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.name = name;
  vineyard_id id = VINEYARD_ID_INVALID;
  Check(vineyard_object_put(client, meta.get(), &options, &id), "put the result");
}

void Run(const char* socket, const char* source, const char* target) {
  const auto begun = std::chrono::steady_clock::now();
  vineyard_client* connected = nullptr;
  Check(vineyard_client_connect(socket, nullptr, &connected), "connect");
  const Client client(connected);

  const Object input = GetByName(client.get(), source);
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  Check(vineyard_object_tensor(input.get(), &tensor), "read the array");
  if (tensor.element != VINEYARD_ELEMENT_FLOAT64) throw std::runtime_error("not float64");

  vineyard_blob_writer* created = nullptr;
  Check(vineyard_blob_writer_create(client.get(), tensor.data_size, VINEYARD_BLOB_BUFFER, &created),
        "make room for the result");
  const Writer writer(created);
  const auto* from = static_cast<const double*>(tensor.data);
  auto* to = static_cast<double*>(vineyard_blob_writer_data(writer.get()));
  const uint64_t count = tensor.data_size / sizeof(double);
  for (uint64_t i = 0; i < count; ++i) to[i] = 2 * from[i] + 1;
  PutArray(client.get(), input.get(), writer.get(), target);

  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  Check(vineyard_client_get_statistics(client.get(), &statistics), "ask for the statistics");
  const std::chrono::duration<double> worked = std::chrono::steady_clock::now() - begun;
  std::printf("copied %" PRIu64 "\nworked %f\n", statistics.copied_payload_bytes, worked.count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s SOCKET IN_NAME OUT_NAME\n", argv[0]);
    return 2;
  }
  try {
    Run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  return 0;
}

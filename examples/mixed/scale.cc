// A stage of the pipeline: 2 x + 1 of an array of float64, from shared memory into shared memory.
//
//   scale SOCKET IN_NAME OUT_NAME
//
// Prints what run.py reads: the payload bytes that its client copied, the seconds that it worked.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <vineyard/vineyard.hpp>

namespace {

void Run(const char* socket, const char* source, const char* target) {
  const auto begun = std::chrono::steady_clock::now();
  const auto client = vineyard::Client::connect(socket);

  const vineyard::Object input = client.get(source);
  const auto from = input.tensor<double>();
  const vineyard::BlobWriter writer = client.create_blob(from.size() * sizeof(double));
  const vineyard::span<double> to = writer.as<double>();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = 2 * from[i] + 1;

  // An array that says of itself what the other says.
  vineyard::MetaBuilder output(input.type_name());
  for (const auto& [name, value] : input.fields()) {
    if (name != "offset_")
      output.set(name, value);  // where it began in its blob; this one begins at 0
  }
  output.add("buffer_", writer);
  vineyard::PutOptions options;
  options.name = target;
  client.put(output, options);

  const std::chrono::duration<double> worked = std::chrono::steady_clock::now() - begun;
  std::printf("copied %" PRIu64 "\nworked %f\n", client.statistics().copied_payload_bytes,
              worked.count());
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

// A matrix that one client writes into shared memory and another reads there: no byte is copied.
//
//   matrix [SOCKET]     without SOCKET: environment VINEYARD_IPC_SOCKET, else the default socket
#include <cstdint>
#include <iostream>
#include <vineyard/vineyard.hpp>

namespace {

constexpr std::int64_t kRows = 1000, kColumns = 500;

// The writer gives its memory back if anything throws before it is sealed by the put.
vineyard::ObjectId write(const vineyard::Client& client) {
  vineyard::BlobWriter writer = client.create_blob(kRows * kColumns * sizeof(double));
  vineyard::span<double> cells = writer.as<double>();
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<double>(i);

  vineyard::PutOptions options;
  options.name = "matrix";
  options.replace = true;
  return client.put(vineyard::build_tensor<double>(writer, {kRows, kColumns}), options);
}

void run(const char* socket) {
  vineyard::Client client = vineyard::Client::connect(socket);
  const vineyard::ObjectId id = write(client);

  vineyard::Client reader = vineyard::Client::connect(socket);
  const vineyard::Object object = reader.get("matrix");
  const vineyard::TensorView<double> matrix = object.tensor<double>();
  reader.close();  // the object holds its memory by itself
  double sum = 0;
  for (double cell : matrix) sum += cell;
  std::cout << vineyard::print_id(object.id()) << " is a " << object.type_name() << " of "
            << matrix.shape()[0] << " x " << matrix.shape()[1] << ": its last cell is "
            << matrix(kRows - 1, kColumns - 1) << ", the mean "
            << sum / static_cast<double>(matrix.size()) << "\n";

  try {
    object.tensor<float>();
  } catch (const vineyard::TypeError& error) {
    std::cout << "not as float: " << error.what() << "\n";
  }
  client.remove(id);  // and yet, while the object is held:
  std::cout << "deleted, and still there: " << matrix.at(1, 0) << "; copied "
            << client.statistics().copied_payload_bytes + reader.statistics().copied_payload_bytes
            << " bytes\n";
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : nullptr);
    return 0;
  } catch (const vineyard::Error& error) {
    std::cerr << error.status_name() << ": " << error.what() << "\n";
    return 1;
  }
}

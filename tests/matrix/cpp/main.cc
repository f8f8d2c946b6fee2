// The C++ program of the matrix: writes what C++ can express, prints what others wrote.
//
//   matrix_cpp write SOCKET            puts every case, named cpp/<case>
//   matrix_cpp read SOCKET WRITER      prints every object that is named <WRITER>/<case>
//   matrix_cpp refuse SOCKET WRITER    asks for what an object is not, prints the errors
//   matrix_cpp large SOCKET WRITER     see large.py
#include <iostream>

#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

uint64_t Copied(const vineyard_client* client) {
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  Check(vineyard_client_get_statistics(client, &statistics));
  return statistics.copied_payload_bytes;
}

vineyard_id IdOf(vineyard_client* client, const std::string& name) {
  vineyard_id id;
  Check(vineyard_name_get(client, name.c_str(), 0, &id, nullptr));
  return id;
}

void Read(vineyard_client* client, const std::string& writer) {
  auto names = Make<NameList>(vineyard_name_list_open, client, (writer + "/*").c_str());
  for (;;) {
    const char* name = nullptr;
    vineyard_id id;
    Check(vineyard_name_list_next(names.get(), &name, &id, nullptr));
    if (name == nullptr) return;
    std::string said = "read";
    uint64_t before = Copied(client);
    std::string error;
    try {
      auto object = Make<Object>(vineyard_object_get, client, id);
      std::cout << "object\n";
      PrintObject(object.get());
      Value value = Decode(object.get());
      object.reset();  // the value keeps what it needs
      std::cout << "value\n";
      PrintValue(value);
    } catch (const std::exception& caught) {
      said = "failed";
      error = std::string(" ") + caught.what();
    }
    std::cout << "copied " << Copied(client) - before << "\n"
              << said << " " << std::string(name).substr(writer.size() + 1) << error << "\n";
  }
}

// A blob beyond 4 GiB, and an array that begins there: see large.py.
void ReadLarge(vineyard_client* client, const std::string& writer) {
  uint64_t copied = Copied(client);
  {
    auto blob = Make<Blob>(vineyard_blob_get, client, IdOf(client, writer + "/large"));
    const auto* stored = static_cast<const char*>(vineyard_blob_stored_data(blob.get()));
    std::string_view all(stored, vineyard_blob_stored_size(blob.get()));
    const auto* data = static_cast<const char*>(vineyard_blob_data(blob.get()));
    std::string_view value(data, vineyard_blob_length(blob.get()));
    size_t before = static_cast<size_t>(data - stored);
    std::cout << "length " << value.size() << "\nbefore " << Data(all.substr(0, before))
              << "\nbehind " << Data(all.substr(before + value.size())) << "\n";
    constexpr size_t kTwo = size_t{1} << 31, kFour = size_t{1} << 32;
    for (size_t at : {size_t{0}, kTwo - 8, kTwo, kFour - 8, kFour, kFour + 8, value.size() - 8}) {
      std::cout << "at " << at << " " << Data(value.substr(at, 8)) << "\n";
    }
  }
  auto part = Make<Object>(vineyard_object_get, client, IdOf(client, writer + "/large_part"));
  PrintValue(Decode(part.get()));
  std::cout << "copied " << Copied(client) - copied << "\n";
}

template <typename Function>
void Refused(const char* what, Function function) {
  try {
    function();
    std::cout << "accepted " << what << "\n";
  } catch (const Error& error) {
    std::cout << "refused " << what << ": " << error.status << " " << error.what() << "\n";
  }
}

void Refuse(vineyard_client* client, const std::string& writer) {
  auto text = Make<Object>(vineyard_object_get, client, IdOf(client, writer + "/str_ascii"));
  auto tensor_of = [](const Object& object) {
    vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
    Check(vineyard_object_tensor(object.get(), &tensor));
  };
  Refused("array of a string", [&] { tensor_of(text); });
  Refused("blob of a string",
          [&] { Make<Blob>(vineyard_blob_get, client, vineyard_object_id(text.get())); });
  Refused("member of a string",
          [&] { Make<Object>(vineyard_object_member, text.get(), "buffer_"); });
  Refused("array without a buffer", [&] {
    auto meta = Make<Meta>(vineyard_meta_create, "vineyard::Array");
    const std::vector<vineyard_value> shape = {Field(int64_t{1})};
    SetValue(meta.get(), "shape_", Field(shape));
    vineyard_id id;
    Check(vineyard_object_put(client, meta.get(), nullptr, &id));
    tensor_of(Make<Object>(vineyard_object_get, client, id));
  });
  Refused("name of nothing", [&] { IdOf(client, writer + "/no such case"); });
}

int Main(const std::vector<std::string>& words) {
  if (words.size() < 2) throw std::runtime_error("write, read or refuse, and a socket, are needed");
  auto client = Make<Client>(vineyard_client_connect, words[1].c_str(), nullptr);
  if (words[0] == "write") {
    WriteCases(client.get());
  } else if (words[0] == "read") {
    Read(client.get(), words.at(2));
  } else if (words[0] == "refuse") {
    Refuse(client.get(), words.at(2));
  } else if (words[0] == "large") {
    ReadLarge(client.get(), words.at(2));
  } else {
    throw std::runtime_error("no such command: " + words[0]);
  }
  return 0;
}

}  // namespace
}  // namespace matrix

int main(int argc, char** argv) {
  try {
    return matrix::Main({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}

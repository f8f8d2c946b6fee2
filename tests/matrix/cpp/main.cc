// The C++ program of the matrix: writes what C++ can express, prints what others wrote.
//
//   matrix_cpp write SOCKET            puts every case, named cpp/<case>
//   matrix_cpp read SOCKET WRITER      prints every object that is named <WRITER>/<case>
//   matrix_cpp refuse SOCKET WRITER    asks for what an object is not, prints the errors
//   matrix_cpp large SOCKET WRITER     see large.py
#include <iostream>
#include <stdexcept>

#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

uint64_t Copied(const Client& client) { return client.statistics().copied_payload_bytes; }

void Read(const Client& client, const std::string& writer) {
  for (const vineyard::NamedObject& named : client.names(writer + "/*")) {
    std::string said = "read";
    uint64_t before = Copied(client);
    std::string error;
    try {
      Object object = client.get(named.id);
      std::cout << "object\n";
      PrintObject(object);
      Value value = Decode(object);
      object = Object();  // the value keeps what it needs
      std::cout << "value\n";
      PrintValue(value);
    } catch (const std::exception& caught) {
      said = "failed";
      error = std::string(" ") + caught.what();
    }
    std::cout << "copied " << Copied(client) - before << "\n"
              << said << " " << named.name.substr(writer.size() + 1) << error << "\n";
  }
}

// A blob beyond 4 GiB, and an array that begins there: see large.py.
void ReadLarge(const Client& client, const std::string& writer) {
  uint64_t copied = Copied(client);
  {
    const Blob blob = client.get_blob(client.get_name(writer + "/large").id);
    std::string_view all = vineyard::text_of(blob.stored()), value = blob.text();
    size_t before = static_cast<size_t>(value.data() - all.data());
    std::cout << "length " << value.size() << "\nbefore " << Data(all.substr(0, before))
              << "\nbehind " << Data(all.substr(before + value.size())) << "\n";
    constexpr size_t kTwo = size_t{1} << 31, kFour = size_t{1} << 32;
    for (size_t at : {size_t{0}, kTwo - 8, kTwo, kFour - 8, kFour, kFour + 8, value.size() - 8}) {
      std::cout << "at " << at << " " << Data(value.substr(at, 8)) << "\n";
    }
  }
  PrintValue(Decode(client.get(writer + "/large_part")));
  std::cout << "copied " << Copied(client) - copied << "\n";
}

template <typename Function>
void Refused(const char* what, Function function) {
  try {
    function();
    std::cout << "accepted " << what << "\n";
  } catch (const Error& error) {
    std::cout << "refused " << what << ": " << error.status() << " " << error.what() << "\n";
  }
}

void Refuse(const Client& client, const std::string& writer) {
  const Object text = client.get(writer + "/str_ascii");
  Refused("array of a string", [&] { text.tensor(); });
  Refused("blob of a string", [&] { client.get_blob(text.id()); });
  Refused("member of a string", [&] { text.member("buffer_"); });
  Refused("array without a buffer", [&] {
    MetaBuilder meta("vineyard::Array");
    const std::vector<vineyard_value> shape = {Field(int64_t{1})};
    SetValue(&meta, "shape_", Field(shape));
    client.get(client.put(meta)).tensor();
  });
  Refused("name of nothing", [&] { client.get_name(writer + "/no such case"); });
}

int Main(const std::vector<std::string>& words) {
  if (words.size() < 2) throw std::runtime_error("write, read or refuse, and a socket, are needed");
  const Client client = Client::connect(words[1]);
  if (words[0] == "write") {
    WriteCases(client);
  } else if (words[0] == "read") {
    Read(client, words.at(2));
  } else if (words[0] == "refuse") {
    Refuse(client, words.at(2));
  } else if (words[0] == "large") {
    ReadLarge(client, words.at(2));
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

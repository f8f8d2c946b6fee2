// This file is the only place that makes text in the C++ program: of objects as they are stored, and of values.
// README.md says which.
#include <cstring>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>

#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

constexpr size_t kMaxShown = 256;

std::string Hex(uint64_t number, int digits) {
  std::ostringstream out;
  out << std::hex << std::setfill('0') << std::setw(digits) << number;
  return out.str();
}

std::string HexOf(std::string_view bytes) {
  std::string made;
  for (unsigned char byte : bytes) made += Hex(byte, 2);
  return made;
}

// FNV-1a of 64 bits.
uint64_t HashOf(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

// UTF-8 as UTF-16.
std::u16string Units(std::string_view text) {
  std::u16string units;
  for (size_t i = 0; i < text.size();) {
    unsigned char first = static_cast<unsigned char>(text[i++]);
    int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    char32_t character = more == 0 ? first : first & (0x3f >> more);
    for (; more > 0 && i < text.size(); --more) {
      character = character << 6 | (static_cast<unsigned char>(text[i++]) & 0x3f);
    }
    if (character >= 0x10000) {
      units += static_cast<char16_t>(0xd800 + ((character - 0x10000) >> 10));
      character = 0xdc00 + ((character - 0x10000) & 0x3ff);
    }
    units += static_cast<char16_t>(character);
  }
  return units;
}

std::string Quoted(std::string_view text) {
  std::string made = "\"";
  for (char16_t unit : Units(text)) {
    if (unit == u'"' || unit == u'\\') made += '\\';
    if (unit >= 0x20 && unit < 0x7f) {
      made += static_cast<char>(unit);
    } else {
      made += "\\u" + Hex(unit, 4);
    }
  }
  return made + "\"";
}

std::string String(std::string_view text) {
  return "str " + (text.size() > kMaxShown ? Data(text) : Quoted(text));
}

std::string Bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return Hex(bits, 16);
}

std::string Indent(int depth) { return std::string(2 * static_cast<size_t>(depth), ' '); }

const char* Truth(bool value) { return value ? "true" : "false"; }

// ---- values of metadata: the rest of a line, then the parts ----

void PrintField(const vineyard_value& value, int depth) {
  uint64_t parts = 0;
  switch (value.type) {
    case VINEYARD_VALUE_NULL:
      std::cout << "none";
      break;
    case VINEYARD_VALUE_BOOL:
      std::cout << "bool " << Truth(value.as.boolean != 0);
      break;
    case VINEYARD_VALUE_INT64:
      std::cout << "int " << value.as.int64;
      break;
    case VINEYARD_VALUE_UINT64:
      std::cout << "int " << value.as.uint64;
      break;
    case VINEYARD_VALUE_FLOAT64:
      std::cout << "float " << Bits(value.as.float64);
      break;
    case VINEYARD_VALUE_STRING:
      std::cout << String({value.as.data, value.size});
      break;
    case VINEYARD_VALUE_BYTES:
      std::cout << "bytes " << Data({value.as.data, value.size});
      break;
    case VINEYARD_VALUE_LIST:
      parts = value.size;
      std::cout << "list " << value.size;
      break;
    default:
      parts = 2 * value.size;
      std::cout << "map " << value.size;
  }
  std::cout << "\n";
  for (uint64_t i = 0; i < parts; ++i) {
    std::cout << Indent(depth + 1);
    PrintField(value.as.items[i], depth + 1);
  }
}

// ---- objects ----

using Numbers = std::map<ObjectId, size_t>;

void PrintObject(const Object& object, int depth, Numbers* numbers) {
  auto [known, is_new] = numbers->emplace(object.id(), numbers->size());
  std::cout << "#" << known->second;
  if (!is_new) {
    std::cout << "\n";
    return;
  }
  std::cout << " " << Quoted(object.type_name()) << " nbytes " << object.nbytes() << "\n";
  for (auto [name, value] : object.fields()) {
    std::cout << Indent(depth + 1) << "field " << Quoted(name) << " ";
    PrintField(*value.raw(), depth + 1);
  }
  size_t index = 0;
  for (auto [name, id] : object.members()) {
    std::cout << Indent(depth + 1) << "member " << Quoted(name) << " ";
    PrintObject(object.member_at(index++), depth + 1, numbers);
  }
  if (vineyard::is_blob(object.id())) {
    const Blob blob = object.blob();
    auto address = reinterpret_cast<uintptr_t>(blob.data());
    std::cout << Indent(depth + 1) << "value at " << address % 64 << " " << Data(blob.text())
              << "\n"
              << Indent(depth + 1) << "stored " << Data(vineyard::text_of(blob.stored())) << "\n";
  }
}

// ---- values ----

struct Printer {
  int depth;

  void operator()(std::monostate) const { std::cout << "none\n"; }
  void operator()(bool value) const { std::cout << "bool " << Truth(value) << "\n"; }
  void operator()(int64_t value) const { std::cout << "int " << value << "\n"; }
  void operator()(uint64_t value) const { std::cout << "int " << value << "\n"; }
  void operator()(double value) const { std::cout << "float " << Bits(value) << "\n"; }
  void operator()(const std::complex<double>& value) const {
    std::cout << "complex " << Bits(value.real()) << " " << Bits(value.imag()) << "\n";
  }
  void operator()(const BigInt& value) const {
    std::cout << "bigint " << HexOf(value.twos_complement) << "\n";
  }
  void operator()(const Text& text) const { std::cout << String(text.buffer.bytes) << "\n"; }
  void operator()(const Bytes& bytes) const {
    const char* kinds[] = {"", "buffer", "bytes", "bytearray"};
    std::cout << kinds[bytes.kind] << " " << Data(bytes.buffer.bytes) << "\n";
  }
  void operator()(const Numpy& numpy) const;
  void operator()(const Tuple& tuple) const { Parts("tuple", tuple.elements, 1); }
  void operator()(const List& list) const { Parts("list", list.elements, 1); }
  void operator()(const Dict& dict) const { Parts("dict", dict.keys_and_values, 2); }
  void operator()(const Array& array) const {
    std::cout << "array " << array.element << " [";
    for (size_t i = 0; i < array.shape.size(); ++i) std::cout << (i ? "," : "") << array.shape[i];
    std::cout << "] " << (array.is_fortran ? "F " : "C ") << Data(array.data.bytes) << "\n";
  }
  void operator()(const OfOnesOwn& own) const {
    std::cout << "object " << Quoted(own.type) << "\n";
  }
  void operator()(const Unsupported& what) const {
    std::cout << "unsupported " << what.type << ": " << what.why << "\n";
  }
  void operator()(const Value::Shared& shared) const { PrintValue(*shared, depth); }

  void Parts(const char* what, const Values& parts, size_t each) const {
    std::cout << what << " " << parts.size() / each << "\n";
    for (const Value& part : parts) {
      std::cout << Indent(depth + 1);
      PrintValue(part, depth + 1);
    }
  }
};

void Printer::operator()(const Numpy& numpy) const {
  int digits = numpy.element == "float16" ? 4 : 8;
  bool is_bits = numpy.element.rfind("float", 0) == 0 || numpy.element.rfind("complex", 0) == 0;
  auto print = [&](auto value) {
    using T = decltype(value);
    if constexpr (std::is_same_v<T, double>) {
      std::cout << " " << Bits(value);
    } else if constexpr (std::is_same_v<T, bool>) {
      std::cout << " " << Truth(value);
    } else if constexpr (!std::is_same_v<T, std::monostate>) {
      std::cout << " ";
      if (is_bits) {
        std::cout << Hex(static_cast<uint64_t>(value), digits);
      } else {
        std::cout << value;
      }
    }
  };
  std::cout << "numpy " << numpy.element;
  std::visit(print, numpy.value);
  std::visit(print, numpy.imaginary);
  std::cout << "\n";
}

}  // namespace

std::string Data(std::string_view bytes) {
  std::string size = "[" + std::to_string(bytes.size()) + "]";
  if (bytes.empty()) return size;
  if (bytes.size() > kMaxShown) return size + " fnv " + Hex(HashOf(bytes), 16);
  return size + " " + HexOf(bytes);
}

void PrintValue(const Value& value, int depth) { std::visit(Printer{depth}, value.is); }

void PrintObject(const Object& object) {
  Numbers numbers;
  PrintObject(object, 0, &numbers);
}

}  // namespace matrix

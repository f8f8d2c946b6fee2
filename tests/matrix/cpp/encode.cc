// This file is the only place that makes objects of values in the C++ program, by what docs/types.md says.
#include <deque>
#include <iostream>
#include <map>

#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

constexpr uint64_t kMaxText = 16 * 1024;

// numpy's word for an element type.
std::string DescriptorOf(const std::string& element) {
  static const std::map<std::string, std::string> known = {
      {"int8", "|i1"},      {"int16", "<i2"},      {"int32", "<i4"},   {"int64", "<i8"},
      {"uint8", "|u1"},     {"uint16", "<u2"},     {"uint32", "<u4"},  {"uint64", "<u8"},
      {"float16", "<f2"},   {"float32", "<f4"},    {"float64", "<f8"}, {"bool", "|b1"},
      {"complex64", "<c8"}, {"complex128", "<c16"}};
  return known.at(element);
}

// The three fields of a scalar, and the parts of complex numbers that they point to.
struct ScalarFields {
  vineyard_value value;
  std::string_view type, kind = "python";
  std::vector<vineyard_value> parts;
};

struct ScalarOf {
  ScalarFields operator()(std::monostate) const {
    return {FieldOf(VINEYARD_VALUE_NULL), "none", "python", {}};
  }
  ScalarFields operator()(bool value) const { return {Field(value), "bool", "python", {}}; }
  ScalarFields operator()(int64_t value) const { return {Field(value), "int", "python", {}}; }
  ScalarFields operator()(uint64_t value) const { return {Field(value), "int", "python", {}}; }
  ScalarFields operator()(double value) const { return {Field(value), "float", "python", {}}; }
  ScalarFields operator()(const BigInt& value) const {
    return {Field(value.twos_complement, VINEYARD_VALUE_BYTES), "bigint", "python", {}};
  }
  ScalarFields operator()(const std::complex<double>& value) const {
    return {FieldOf(VINEYARD_VALUE_LIST),
            "complex",
            "python",
            {Field(value.real()), Field(value.imag())}};
  }
  ScalarFields operator()(const Numpy& numpy) const {
    auto field = [](auto part) { return Field(part); };
    vineyard_value value = std::visit(field, numpy.value);
    if (const auto* bits = std::get_if<uint64_t>(&numpy.imaginary)) {
      return {FieldOf(VINEYARD_VALUE_LIST), numpy.element, "numpy", {value, Field(*bits)}};
    }
    if (const auto* number = std::get_if<double>(&numpy.imaginary)) {
      return {FieldOf(VINEYARD_VALUE_LIST), numpy.element, "numpy", {value, Field(*number)}};
    }
    return {value, numpy.element, "numpy", {}};
  }
  template <typename T>
  ScalarFields operator()(const T&) const {
    return {};
  }
};

// Without a type: it is no scalar.
ScalarFields ScalarFieldsOf(const Value& value) {
  ScalarFields fields = std::visit(ScalarOf{}, value.is);
  if (!fields.parts.empty()) fields.value = Field(fields.parts);
  return fields;
}

const Text* ShortText(const Value& value) {
  const auto* text = std::get_if<Text>(&value.is);
  return text != nullptr && text->buffer.bytes.size() <= kMaxText ? text : nullptr;
}

// One put: what is shared is one builder. Builders are borrowed from here until the last one is taken.
class Encoder {
 public:
  MetaBuilder* Build(const Value& value) {
    if (const auto* shared = std::get_if<Value::Shared>(&value.is)) {
      MetaBuilder*& known = shared_[shared->get()];
      if (known == nullptr) known = Build(**shared);
      return known;
    }
    return std::visit([&](const auto& of) { return BuildOf(value, of); }, value.is);
  }

  // The builder made last; members are kept by it.
  MetaBuilder Take() { return std::move(built_.back()); }

 private:
  MetaBuilder* New(const char* type) { return &built_.emplace_back(type); }

  MetaBuilder* BuildOf(const Value&, const Text& text) {
    MetaBuilder* meta = New("vineyard::String");
    std::string_view bytes = text.buffer.bytes;
    if (bytes.size() <= kMaxText) {
      SetValue(meta, "value_", Field(bytes));
    } else {
      meta->add_bytes("buffer_", vineyard::bytes_of(bytes));
    }
    return meta;
  }

  MetaBuilder* BuildOf(const Value&, const Bytes& value) {
    return &built_.emplace_back(MetaBuilder::blob(vineyard::bytes_of(value.buffer.bytes),
                                                  static_cast<vineyard::PayloadKind>(value.kind)));
  }

  MetaBuilder* BuildOf(const Value&, const Tuple& tuple) {
    if (tuple.elements.size() != 2) return Sequence("vineyard::Tuple", tuple.elements);
    return Named("vineyard::Pair", [&](MetaBuilder* meta) {
      Elements(meta, tuple.elements, [](size_t i) { return i == 0 ? "first_" : "second_"; });
    });
  }

  MetaBuilder* BuildOf(const Value&, const List& list) {
    return Sequence("vineyard::List", list.elements);
  }

  MetaBuilder* BuildOf(const Value&, const Dict& dict) {
    Values keys, values;
    for (size_t i = 0; i + 1 < dict.keys_and_values.size(); i += 2) {
      keys.push_back(dict.keys_and_values[i]);
      values.push_back(dict.keys_and_values[i + 1]);
    }
    return Named("vineyard::Dict", [&](MetaBuilder* meta) {
      SetValue(meta, "__values_-size", Field(uint64_t{keys.size()}));
      Elements(meta, keys, [](size_t i) { return "__values_-key-" + std::to_string(i); });
      Elements(meta, values, [](size_t i) { return "__values_-value-" + std::to_string(i); });
    });
  }

  MetaBuilder* BuildOf(const Value&, const Array& array) {
    MetaBuilder* meta = New(array.shape.size() == 1 ? "vineyard::Array" : "vineyard::Tensor");
    SetArrayFields(meta, array);
    meta->add_bytes("buffer_", vineyard::bytes_of(array.data.bytes));
    return meta;
  }

  MetaBuilder* BuildOf(const Value&, const OfOnesOwn& own) { return New(own.type.c_str()); }

  // What is left is a scalar.
  template <typename T>
  MetaBuilder* BuildOf(const Value& value, const T&) {
    MetaBuilder* meta = New("vineyard::Scalar");
    ScalarFields fields = ScalarFieldsOf(value);
    SetValue(meta, "value_", fields.value);
    SetValue(meta, "value_type_", Field(fields.type));
    SetValue(meta, "scalar_kind_", Field(fields.kind));
    return meta;
  }

  MetaBuilder* Sequence(const char* type, const Values& elements) {
    return Named(type, [&](MetaBuilder* meta) {
      SetValue(meta, "__elements_-size", Field(uint64_t{elements.size()}));
      Elements(meta, elements, [](size_t i) { return "__elements_-" + std::to_string(i); });
    });
  }

  // A builder that is filled while others are made: it has to be the last.
  template <typename Fill>
  MetaBuilder* Named(const char* type, Fill fill) {
    MetaBuilder meta(type);
    fill(&meta);
    return &built_.emplace_back(std::move(meta));
  }

  // Bare leaves are fields, then the other scalars, as maps; what is neither is a member.
  template <typename NameOf>
  void Elements(MetaBuilder* meta, const Values& elements, NameOf name_of) {
    for (size_t i = 0; i < elements.size(); ++i) {
      ScalarFields scalar = ScalarFieldsOf(elements[i]);
      if (const Text* text = ShortText(elements[i])) {
        SetValue(meta, name_of(i), Field(text->buffer.bytes));
      } else if (IsBare(scalar)) {
        SetValue(meta, name_of(i), scalar.value);
      }
    }
    for (size_t i = 0; i < elements.size(); ++i) {
      ScalarFields scalar = ScalarFieldsOf(elements[i]);
      if (scalar.type.empty() || IsBare(scalar)) continue;
      std::vector<vineyard_value> map = {
          Field(std::string_view("value_")),       scalar.value,
          Field(std::string_view("value_type_")),  Field(scalar.type),
          Field(std::string_view("scalar_kind_")), Field(scalar.kind)};
      SetValue(meta, name_of(i), Field(map, VINEYARD_VALUE_MAP));
    }
    for (size_t i = 0; i < elements.size(); ++i) {
      if (!ScalarFieldsOf(elements[i]).type.empty() || ShortText(elements[i]) != nullptr) continue;
      meta->add(name_of(i), *Build(elements[i]));
    }
  }

  static bool IsBare(const ScalarFields& fields) {
    return fields.kind == "python" && (fields.type == "none" || fields.type == "bool" ||
                                       fields.type == "int" || fields.type == "float");
  }

  std::deque<MetaBuilder> built_;  // which stay where they are
  std::map<const Value*, MetaBuilder*> shared_;
};

}  // namespace

void SetValue(MetaBuilder* meta, const std::string& name, const vineyard_value& value) {
  meta->set(name, ValueView(&value));
}

void SetArrayFields(MetaBuilder* meta, const Array& array) {
  std::vector<vineyard_value> shape;
  for (int64_t size : array.shape) shape.push_back(Field(size));
  std::string descriptor = DescriptorOf(array.element);
  SetValue(meta, "value_type_", Field(array.element));
  SetValue(meta, "shape_", Field(shape));
  SetValue(meta, "order_", Field(std::string_view(array.is_fortran ? "F" : "C")));
  SetValue(meta, "value_type_meta_", Field(descriptor));
  SetValue(meta, "partition_index_", FieldOf(VINEYARD_VALUE_LIST));
}

MetaBuilder Encode(const Value& value) {
  Encoder encoder;
  encoder.Build(value);
  return encoder.Take();
}

void Put(const Client& client, const std::string& name, const MetaBuilder& meta) {
  vineyard::PutOptions options;
  options.name = "cpp/" + name;
  client.put(meta, options);
  std::cout << "written " << name << "\n";
}

}  // namespace matrix

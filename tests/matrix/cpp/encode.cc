// This file is the only place that makes objects of values in the C++ program, by what docs/types.md says.
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

// One put: what is shared is one builder.
class Encoder {
 public:
  vineyard_meta* Build(const Value& value) {
    if (const auto* shared = std::get_if<Value::Shared>(&value.is)) {
      vineyard_meta*& known = shared_[shared->get()];
      if (known == nullptr) known = Build(**shared);
      return known;
    }
    return std::visit([&](const auto& of) { return BuildOf(value, of); }, value.is);
  }

  // The builder made last; members are kept by it.
  Meta Take() {
    Meta root = std::move(built_.back());
    built_.pop_back();
    return root;
  }

 private:
  vineyard_meta* New(const char* type) {
    built_.push_back(Make<Meta>(vineyard_meta_create, type));
    return built_.back().get();
  }

  vineyard_meta* BuildOf(const Value&, const Text& text) {
    vineyard_meta* meta = New("vineyard::String");
    std::string_view bytes = text.buffer.bytes;
    if (bytes.size() <= kMaxText) {
      SetValue(meta, "value_", Field(bytes));
    } else {
      Check(vineyard_meta_add_bytes(meta, "buffer_", bytes.data(), bytes.size(),
                                    VINEYARD_BLOB_BUFFER));
    }
    return meta;
  }

  vineyard_meta* BuildOf(const Value&, const Bytes& value) {
    std::string_view bytes = value.buffer.bytes;
    built_.push_back(Make<Meta>(vineyard_meta_create_blob, bytes.data(), bytes.size(), value.kind));
    return built_.back().get();
  }

  vineyard_meta* BuildOf(const Value&, const Tuple& tuple) {
    if (tuple.elements.size() != 2) return Sequence("vineyard::Tuple", tuple.elements);
    return Named("vineyard::Pair", [&](vineyard_meta* meta) {
      Elements(meta, tuple.elements, [](size_t i) { return i == 0 ? "first_" : "second_"; });
    });
  }

  vineyard_meta* BuildOf(const Value&, const List& list) {
    return Sequence("vineyard::List", list.elements);
  }

  vineyard_meta* BuildOf(const Value&, const Dict& dict) {
    Values keys, values;
    for (size_t i = 0; i + 1 < dict.keys_and_values.size(); i += 2) {
      keys.push_back(dict.keys_and_values[i]);
      values.push_back(dict.keys_and_values[i + 1]);
    }
    return Named("vineyard::Dict", [&](vineyard_meta* meta) {
      SetValue(meta, "__values_-size", Field(uint64_t{keys.size()}));
      Elements(meta, keys, [](size_t i) { return "__values_-key-" + std::to_string(i); });
      Elements(meta, values, [](size_t i) { return "__values_-value-" + std::to_string(i); });
    });
  }

  vineyard_meta* BuildOf(const Value&, const Array& array) {
    vineyard_meta* meta = New(array.shape.size() == 1 ? "vineyard::Array" : "vineyard::Tensor");
    SetArrayFields(meta, array);
    Check(vineyard_meta_add_bytes(meta, "buffer_", array.data.bytes.data(), array.data.bytes.size(),
                                  VINEYARD_BLOB_BUFFER));
    return meta;
  }

  vineyard_meta* BuildOf(const Value&, const OfOnesOwn& own) { return New(own.type.c_str()); }

  // What is left is a scalar.
  template <typename T>
  vineyard_meta* BuildOf(const Value& value, const T&) {
    vineyard_meta* meta = New("vineyard::Scalar");
    ScalarFields fields = ScalarFieldsOf(value);
    SetValue(meta, "value_", fields.value);
    SetValue(meta, "value_type_", Field(fields.type));
    SetValue(meta, "scalar_kind_", Field(fields.kind));
    return meta;
  }

  vineyard_meta* Sequence(const char* type, const Values& elements) {
    return Named(type, [&](vineyard_meta* meta) {
      SetValue(meta, "__elements_-size", Field(uint64_t{elements.size()}));
      Elements(meta, elements, [](size_t i) { return "__elements_-" + std::to_string(i); });
    });
  }

  // A builder that is filled while others are made: it has to be the last.
  template <typename Fill>
  vineyard_meta* Named(const char* type, Fill fill) {
    Meta meta = Make<Meta>(vineyard_meta_create, type);
    fill(meta.get());
    built_.push_back(std::move(meta));
    return built_.back().get();
  }

  // Bare leaves are fields, then the other scalars, as maps; what is neither is a member.
  template <typename NameOf>
  void Elements(vineyard_meta* meta, const Values& elements, NameOf name_of) {
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
      std::string name = name_of(i);
      Check(vineyard_meta_add_meta(meta, name.c_str(), Build(elements[i])));
    }
  }

  static bool IsBare(const ScalarFields& fields) {
    return fields.kind == "python" && (fields.type == "none" || fields.type == "bool" ||
                                       fields.type == "int" || fields.type == "float");
  }

  std::vector<Meta> built_;
  std::map<const Value*, vineyard_meta*> shared_;
};

}  // namespace

void SetValue(vineyard_meta* meta, const std::string& name, const vineyard_value& value) {
  Check(vineyard_meta_set_value(meta, name.c_str(), &value));
}

void SetArrayFields(vineyard_meta* meta, const Array& array) {
  std::vector<vineyard_value> shape;
  for (int64_t size : array.shape) shape.push_back(Field(size));
  std::string descriptor = DescriptorOf(array.element);
  SetValue(meta, "value_type_", Field(array.element));
  SetValue(meta, "shape_", Field(shape));
  SetValue(meta, "order_", Field(std::string_view(array.is_fortran ? "F" : "C")));
  SetValue(meta, "value_type_meta_", Field(descriptor));
  SetValue(meta, "partition_index_", FieldOf(VINEYARD_VALUE_LIST));
}

Meta Encode(const Value& value) {
  Encoder encoder;
  encoder.Build(value);
  return encoder.Take();
}

void Put(vineyard_client* client, const std::string& name, const Meta& meta) {
  std::string full = "cpp/" + name;
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.name = full.c_str();
  vineyard_id id;
  Check(vineyard_object_put(client, meta.get(), &options, &id));
  std::cout << "written " << name << "\n";
}

}  // namespace matrix

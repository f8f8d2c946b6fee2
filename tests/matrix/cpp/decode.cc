// This file is the only place that makes values of objects in the C++ program, by what docs/types.md says.
#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

std::string_view TextOf(const vineyard_value& value) { return {value.as.data, value.size}; }

const vineyard_value* FieldNamed(vineyard_object* object, const std::string& name) {
  const vineyard_value* value = nullptr;
  int32_t status = vineyard_object_field(object, name.c_str(), &value);
  if (status == VINEYARD_E_NOT_FOUND) return nullptr;
  Check(status);
  return value;
}

uint64_t CountOf(vineyard_object* object, const char* name) {
  uint64_t count = 0;
  Check(vineyard_object_field_uint64(object, name, &count));
  return count;
}

Value OfField(const vineyard_value& value) {
  switch (value.type) {
    case VINEYARD_VALUE_NULL:
      return {};
    case VINEYARD_VALUE_BOOL:
      return value.as.boolean != 0;
    case VINEYARD_VALUE_INT64:
      return value.as.int64;
    case VINEYARD_VALUE_UINT64:
      return value.as.uint64;
    case VINEYARD_VALUE_FLOAT64:
      return value.as.float64;
    case VINEYARD_VALUE_STRING:
      // It lies in the handle of the object, which goes; it is no payload.
      return Text{std::string(TextOf(value))};
    default:
      throw std::runtime_error("a field that is no leaf");
  }
}

Numpy NumpyOf(const vineyard_value& value, std::string_view type) {
  if (value.type == VINEYARD_VALUE_LIST) {
    const vineyard_value &real = value.as.items[0], &imaginary = value.as.items[1];
    if (real.type == VINEYARD_VALUE_FLOAT64) {
      return {std::string(type), real.as.float64, imaginary.as.float64};
    }
    return {std::string(type), real.as.uint64, imaginary.as.uint64};
  }
  if (value.type == VINEYARD_VALUE_BOOL) return {std::string(type), value.as.boolean != 0};
  if (value.type == VINEYARD_VALUE_FLOAT64) return {std::string(type), value.as.float64};
  if (value.type == VINEYARD_VALUE_INT64) return {std::string(type), value.as.int64};
  return {std::string(type), value.as.uint64};
}

// Of the three fields of a scalar; `named` finds each.
template <typename Named>
Value OfScalar(Named named) {
  const vineyard_value& value = *named("value_");
  std::string_view type = TextOf(*named("value_type_"));
  if (TextOf(*named("scalar_kind_")) == "numpy") return NumpyOf(value, type);
  if (type == "bigint") return BigInt{std::string(TextOf(value))};
  if (type == "complex") {
    return std::complex<double>(value.as.items[0].as.float64, value.as.items[1].as.float64);
  }
  return OfField(value);
}

Value Element(vineyard_object* object, const std::string& name) {
  const vineyard_value* value = FieldNamed(object, name);
  if (value == nullptr) {
    auto member = Make<Object>(vineyard_object_member, object, name.c_str());
    return Decode(member.get());
  }
  if (value->type != VINEYARD_VALUE_MAP) return OfField(*value);
  return OfScalar([&](std::string_view key) -> const vineyard_value* {
    for (uint64_t i = 0; i < value->size; ++i) {
      if (TextOf(value->as.items[2 * i]) == key) return &value->as.items[2 * i + 1];
    }
    throw std::runtime_error("a map that stands for no scalar");
  });
}

Values Sequence(vineyard_object* object) {
  Values elements;
  for (uint64_t i = 0, count = CountOf(object, "__elements_-size"); i < count; ++i) {
    elements.push_back(Element(object, "__elements_-" + std::to_string(i)));
  }
  return elements;
}

Values KeysAndValues(vineyard_object* object) {
  Values both;
  for (uint64_t i = 0, count = CountOf(object, "__values_-size"); i < count; ++i) {
    both.push_back(Element(object, "__values_-key-" + std::to_string(i)));
    both.push_back(Element(object, "__values_-value-" + std::to_string(i)));
  }
  return both;
}

Value OfArray(vineyard_object* object, const std::string& type) {
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  Check(vineyard_object_tensor(object, &tensor));
  if (tensor.element == VINEYARD_ELEMENT_OTHER) {
    return Unsupported{type, "an array of numpy's own elements (other)"};
  }
  // The pin of the buffer keeps the bytes when the object's handle is given back.
  Buffer data(Make<Blob>(vineyard_object_member_blob, object, "buffer_"));
  data.bytes = {static_cast<const char*>(tensor.data), tensor.data_size};
  return Array{vineyard_element_name(tensor.element),
               {tensor.shape, tensor.shape + tensor.dimensions},
               std::move(data),
               tensor.is_fortran != 0};
}

}  // namespace

Value Decode(vineyard_object* object) {
  const std::string full = vineyard_object_type_name(object);
  const std::string type = full.substr(0, full.find('<'));
  if (type == "vineyard::Blob") {
    auto blob = Make<Blob>(vineyard_object_blob, object);
    int32_t kind = vineyard_blob_kind(blob.get());
    return Bytes{Buffer(std::move(blob)), kind};
  }
  if (type == "vineyard::Scalar") {
    return OfScalar([&](const char* name) { return FieldNamed(object, name); });
  }
  if (type == "vineyard::String") {
    const vineyard_value* value = FieldNamed(object, "value_");
    if (value != nullptr) return OfField(*value);
    return Text{Buffer(Make<Blob>(vineyard_object_member_blob, object, "buffer_"))};
  }
  if (type == "vineyard::List") return List{Sequence(object)};
  if (type == "vineyard::Tuple" || type == "vineyard::Sequence") return Tuple{Sequence(object)};
  if (type == "vineyard::Pair") {
    return Tuple{{Element(object, "first_"), Element(object, "second_")}};
  }
  if (type == "vineyard::Dict") return Dict{KeysAndValues(object)};
  if (type == "vineyard::Array" || type == "vineyard::Tensor") return OfArray(object, type);
  if (type == "vineyard::PickleBuffer") {
    std::string size = std::to_string(CountOf(object, "nbytes"));
    return Unsupported{type, "a pickle of " + size + " bytes, which only Python reads"};
  }
  return OfOnesOwn{full};
}

}  // namespace matrix

// This file is the only place that makes values of objects in the C++ program, by what docs/types.md says.
#include <optional>
#include <stdexcept>

#include "tests/matrix/cpp/value.h"

namespace matrix {
namespace {

std::string_view TextOf(const vineyard_value& value) { return {value.as.data, value.size}; }

const vineyard_value* FieldNamed(const Object& object, std::string_view name) {
  std::optional<ValueView> value = object.find_field(name);
  return value ? value->raw() : nullptr;
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

Value Element(const Object& object, const std::string& name) {
  const vineyard_value* value = FieldNamed(object, name);
  if (value == nullptr) return Decode(object.member(name));
  if (value->type != VINEYARD_VALUE_MAP) return OfField(*value);
  return OfScalar([&](std::string_view key) -> const vineyard_value* {
    for (uint64_t i = 0; i < value->size; ++i) {
      if (TextOf(value->as.items[2 * i]) == key) return &value->as.items[2 * i + 1];
    }
    throw std::runtime_error("a map that stands for no scalar");
  });
}

Values Sequence(const Object& object) {
  Values elements;
  for (uint64_t i = 0, count = object.field<uint64_t>("__elements_-size"); i < count; ++i) {
    elements.push_back(Element(object, "__elements_-" + std::to_string(i)));
  }
  return elements;
}

Values KeysAndValues(const Object& object) {
  Values both;
  for (uint64_t i = 0, count = object.field<uint64_t>("__values_-size"); i < count; ++i) {
    both.push_back(Element(object, "__values_-key-" + std::to_string(i)));
    both.push_back(Element(object, "__values_-value-" + std::to_string(i)));
  }
  return both;
}

Value OfArray(const Object& object, const std::string& type) {
  const vineyard::TensorBytes tensor = object.tensor();
  if (tensor.element() == vineyard::Element::kOther) {
    return Unsupported{type, "an array of numpy's own elements (other)"};
  }
  // The pin of the buffer keeps the bytes when the object's handle is given back.
  Buffer data(object.member_blob("buffer_"));
  data.bytes = vineyard::text_of(tensor.bytes());
  return Array{vineyard::element_name(tensor.element()),
               {tensor.shape().begin(), tensor.shape().end()},
               std::move(data),
               tensor.order() == vineyard::Order::kFortran};
}

}  // namespace

Value Decode(const Object& object) {
  const std::string full(object.type_name());
  const std::string type = full.substr(0, full.find('<'));
  if (type == "vineyard::Blob") {
    Blob blob = object.blob();
    const auto kind = static_cast<int32_t>(blob.kind());
    return Bytes{Buffer(std::move(blob)), kind};
  }
  if (type == "vineyard::Scalar") {
    return OfScalar([&](const char* name) { return FieldNamed(object, name); });
  }
  if (type == "vineyard::String") {
    const vineyard_value* value = FieldNamed(object, "value_");
    if (value != nullptr) return OfField(*value);
    return Text{Buffer(object.member_blob("buffer_"))};
  }
  if (type == "vineyard::List") return List{Sequence(object)};
  if (type == "vineyard::Tuple" || type == "vineyard::Sequence") return Tuple{Sequence(object)};
  if (type == "vineyard::Pair") {
    return Tuple{{Element(object, "first_"), Element(object, "second_")}};
  }
  if (type == "vineyard::Dict") return Dict{KeysAndValues(object)};
  if (type == "vineyard::Array" || type == "vineyard::Tensor") return OfArray(object, type);
  if (type == "vineyard::PickleBuffer") {
    std::string size = std::to_string(object.field<uint64_t>("nbytes"));
    return Unsupported{type, "a pickle of " + size + " bytes, which only Python reads"};
  }
  return OfOnesOwn{full};
}

}  // namespace matrix

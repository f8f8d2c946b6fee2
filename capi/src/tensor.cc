// Arrays in shared memory.
#include <algorithm>
#include <iterator>

#include "capi/src/handles.h"
#include "core/object/types.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

namespace {

struct Element {
  const char* name;
  uint64_t size;
};

// Indexed by VINEYARD_ELEMENT_*.
constexpr Element kElements[] = {
    {"other", 0},   {"int8", 1},    {"int16", 2},  {"int32", 4},     {"int64", 8},
    {"uint8", 1},   {"uint16", 2},  {"uint32", 4}, {"uint64", 8},    {"float16", 2},
    {"float32", 4}, {"float64", 8}, {"bool", 1},   {"complex64", 8}, {"complex128", 16},
};
static_assert(std::size(kElements) == VINEYARD_ELEMENT_COMPLEX128 + 1);

bool IsElement(int32_t element) {
  return element >= 0 && element < static_cast<int32_t>(std::size(kElements));
}

int32_t ElementOf(std::string_view name) {
  for (int32_t i = 1; IsElement(i); ++i) {
    if (kElements[i].name == name) return i;
  }
  return VINEYARD_ELEMENT_OTHER;
}

Status Broken(const vineyard_object* object, const char* what) {
  return Corrupt("array " + PrintId(object->view->id()) + ": " + what);
}

Result<const Value*> FieldOf(const vineyard_object* object, const char* name, ValueType type) {
  Result<const Value*> value = object->view->Field(name);
  if (value.status().code() == Code::kNotFound) return Broken(object, "a field is missing");
  if (value.ok() && !(*value)->is(type)) return Broken(object, "a field is of another type");
  return value;
}

// Keeps shape and buffer in the handle.
Result<const vineyard_object::Tensor*> Prepare(vineyard_object* object) {
  // acquire: shape and buffer are seen as they were made.
  const auto* known = object->tensor.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  auto made = std::make_unique<vineyard_object::Tensor>();
  ASSIGN_OR_RETURN(const Value* shape, FieldOf(object, "shape_", ValueType::kList));
  made->shape.assign(shape->size, 0);
  for (uint64_t i = 0; i < shape->size; ++i) {
    if (!shape->as.items[i].GetInt64(&made->shape[i]) || made->shape[i] < 0) {
      return Broken(object, "its shape is not a list of sizes");
    }
  }
  Result<ObjectId> buffer = object->view->MemberId("buffer_");
  if (!buffer.ok()) return Broken(object, "it has no buffer");
  Result<client::View*> blob = object->view->MemberBlob(*buffer);
  if (blob.status().code() == Code::kRemote || blob.status().code() == Code::kLost) {
    return Status(blob.status().code(),
                  "array " + PrintId(object->view->id()) + ": " + blob.status().text());
  }
  if (!blob.ok()) return blob.status();
  made->buffer = *blob;
  // acq_rel: publishes ours, or sees that of the thread that was first.
  if (object->tensor.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) {
    known = made.release();
  }
  return known;
}

Status Fill(const vineyard_object* object, const vineyard_object::Tensor& made,
            vineyard_tensor* tensor) {
  ASSIGN_OR_RETURN(const Value* type, FieldOf(object, "value_type_", ValueType::kString));
  tensor->element = ElementOf(type->text());
  const Value* order = object->view->record().fields.Find("order_");
  std::string_view order_text = order == nullptr                ? "C"
                                : order->is(ValueType::kString) ? order->text()
                                                                : "";
  if (order_text != "C" && order_text != "F") return Broken(object, "its order is neither C nor F");
  tensor->is_fortran = order_text == "F" ? 1 : 0;
  tensor->dimensions = static_cast<int32_t>(made.shape.size());
  tensor->shape = made.shape.data();

  uint64_t offset = 0;
  // Most arrays have none: looked for without making the text of an error.
  const Value* offset_field = object->view->record().fields.Find("offset_");
  if (offset_field != nullptr && !offset_field->GetUint64(&offset)) {
    return Broken(object, "its offset is not a size");
  }
  uint64_t length = made.buffer->length;
  if (offset > length) return Broken(object, "its offset lies behind its buffer");
  tensor->data = made.buffer->data + offset;
  tensor->data_size = length - offset;
  if (tensor->element == VINEYARD_ELEMENT_OTHER) return OkStatus();
  uint64_t bytes = kElements[tensor->element].size;
  // Of no element, however large the others are.
  bool is_empty = std::find(made.shape.begin(), made.shape.end(), 0) != made.shape.end();
  if (is_empty) bytes = 0;
  for (int64_t size : made.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) {
      return Broken(object, "its shape is larger than any memory");
    }
  }
  if (bytes > tensor->data_size) return Broken(object, "its buffer is smaller than its shape");
  tensor->data_size = bytes;
  return OkStatus();
}

}  // namespace

const char* vineyard_element_name(int32_t element) {
  return kElements[IsElement(element) ? element : VINEYARD_ELEMENT_OTHER].name;
}

uint64_t vineyard_element_size(int32_t element) {
  return IsElement(element) ? kElements[element].size : 0;
}

int32_t vineyard_object_tensor(vineyard_object* object, vineyard_tensor* tensor) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(object);
    RETURN_IF_NULL(tensor);
    RETURN_IF_ERROR(object->view->CheckReadable());
    std::string_view type = object->view->type_name();
    if (type != "vineyard::Array" && !TypeMatches(type, "vineyard::Tensor")) {
      return {Code::kType, "object " + PrintId(object->view->id()) + ": it is a " +
                               object->view->type_name() + ", not an array"};
    }
    ASSIGN_OR_RETURN(const auto* made, Prepare(object));
    vineyard_tensor full = VINEYARD_TENSOR_INIT;
    RETURN_IF_ERROR(Fill(object, *made, &full));
    return WriteStruct(full, tensor);
  });
}

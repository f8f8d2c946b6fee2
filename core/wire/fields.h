// This file is the only place that takes the items of a message's body apart: one after another,
// each checked for its type and range, with an error that names message and item.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/object/pack.h"
#include "core/wire/messages.h"

namespace vineyard::wire {

// What a message of the wrong shape is told: "find: name: expected text".
inline Status Bad(const char* message, const char* field, const char* expected) {
  return Protocol(Format("%s: %s: expected %s", message, field, expected));
}

// The items of a body one after another. The first error stays, later reads do nothing; items
// behind the last one read are ignored.
class Fields {
 public:
  Fields(const char* message, const Value* items, uint64_t size)
      : message_(message), at_(items), end_(items + size) {}
  Fields(const char* message, const Value& body) : Fields(message, nullptr, 0) {
    if (!body.is(ValueType::kList)) {
      status_ = Protocol(Format("%s: expected a list", message));
      return;
    }
    at_ = body.as.items;
    end_ = at_ + body.size;
  }
  // Of an answer's payload; an error that was answered becomes this reader's.
  Fields(const char* message, const Answer& answer)
      : Fields(message, answer.payload, answer.code == Code::kOk ? answer.size : 0) {
    if (answer.code != Code::kOk) status_ = answer.ToStatus();
  }

  Fields& Uint(const char* field, uint64_t* out, uint64_t max = UINT64_MAX) {
    const Value* value = Next(field);
    if (value == nullptr) return *this;
    if (!value->GetUint64(out)) {
      status_ = Bad(message_, field, "an unsigned integer");
    } else if (*out > max) {
      status_ = Limit(Format("%s: %s: %llu, at most %llu is allowed", message_, field,
                             static_cast<unsigned long long>(*out),
                             static_cast<unsigned long long>(max)));
    }
    return *this;
  }
  Fields& Bool(const char* field, bool* out) {
    const Value* value = Expect(field, ValueType::kBool, "a boolean");
    if (value != nullptr) *out = value->as.boolean != 0;
    return *this;
  }
  Fields& Text(const char* field, std::string_view* out) {
    const Value* value = Expect(field, ValueType::kString, "text");
    if (value != nullptr) *out = value->text();
    return *this;
  }
  Fields& Bytes(const char* field, std::string_view* out) {
    const Value* value = Expect(field, ValueType::kBytes, "bytes");
    if (value != nullptr) *out = value->text();
    return *this;
  }
  // Null when there is none; then status() says why.
  const Value* List(const char* field) { return Expect(field, ValueType::kList, "a list"); }
  const Value* Map(const char* field) { return Expect(field, ValueType::kMap, "a map"); }

  Fields& Ids(const char* field, std::vector<ObjectId>* out) {
    const Value* list = List(field);
    if (list == nullptr) return *this;
    Fields items(message_, *list);
    out->resize(list->size);
    for (ObjectId& id : *out) items.Uint(field, &id);
    status_ = items.status();
    return *this;
  }

  // Whether there is an item behind those read: what an older peer does not send.
  bool HasMore() const { return status_.ok() && at_ != end_; }

  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const Status& status() const { return status_; }

 private:
  const Value* Next(const char* field) {
    if (!status_.ok()) return nullptr;
    if (at_ != end_) return at_++;
    status_ = Protocol(Format("%s: %s: missing", message_, field));
    return nullptr;
  }
  const Value* Expect(const char* field, ValueType type, const char* expected) {
    const Value* value = Next(field);
    if (value == nullptr || value->is(type)) return value;
    status_ = Bad(message_, field, expected);
    return nullptr;
  }

  const char* message_;
  const Value* at_;
  const Value* end_;
  Status status_;
};

template <typename T>
Result<T> Finish(const Fields& fields, T&& message) {
  if (!fields.status().ok()) return fields.status();
  return std::forward<T>(message);
}

// The head of an answer that succeeded, with so many values of payload to follow.
inline Packer Succeeded(std::string* out, uint64_t payload) {
  Packer packer(out);
  packer.Array(2 + payload).Int(0).String("");
  return packer;
}

inline void PackIds(const std::vector<ObjectId>& ids, Packer* packer) {
  packer->Array(ids.size());
  for (ObjectId id : ids) packer->Uint(id);
}

}  // namespace vineyard::wire

// This file is the only barrier between C and C++: exceptions end here, statuses become numbers, texts go
// to the calling thread, and what a caller may not pass is refused.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "core/base/result.h"
#include "core/client/client.h"
#include "vineyard/vineyard.h"

namespace vineyard::capi {

// Keeps the text for vineyard_error_text() and answers the code.
int32_t Fail(Code code, std::string_view text) noexcept;
inline int32_t Finish(const Status& status) noexcept {
  return status.ok() ? VINEYARD_OK : Fail(status.code(), status.text());
}
int32_t FailWithException() noexcept;

// Runs the body of a function of the ABI: `body` answers a Status.
template <typename Body>
int32_t Guarded(Body&& body) noexcept {
  try {
    return Finish(body());
  } catch (...) {
    return FailWithException();
  }
}

inline Status NullPointer(const char* what) { return Invalid(std::string(what) + ": it is NULL"); }

// RETURN_IF_NULL(pointer): kInvalid that names it.
#define RETURN_IF_NULL(pointer)          \
  if ((pointer) == nullptr) [[unlikely]] \
  return ::vineyard::capi::NullPointer(#pointer)

// ---- handles -----------------------------------------------------------------------------------

inline client::Client* Of(vineyard_client* handle) {
  return reinterpret_cast<client::Client*>(handle);
}
inline const client::Client* Of(const vineyard_client* handle) {
  return reinterpret_cast<const client::Client*>(handle);
}
inline vineyard_client* HandleOf(client::Client* client) {
  return reinterpret_cast<vineyard_client*>(client);
}
inline client::View* Of(vineyard_blob* handle) { return reinterpret_cast<client::View*>(handle); }
inline const client::View* Of(const vineyard_blob* handle) {
  return reinterpret_cast<const client::View*>(handle);
}
inline vineyard_blob* HandleOf(client::View* view) {
  return reinterpret_cast<vineyard_blob*>(view);
}

// ---- structs with struct_size ------------------------------------------------------------------

inline Status ReadShare(int32_t share, uint32_t gid, client::Sharing* sharing) {
  if (share < VINEYARD_SHARE_DEFAULT || share > VINEYARD_SHARE_ALL) {
    return Invalid(Format("share %d: there is no such share", share));
  }
  if (gid != 0 && share != VINEYARD_SHARE_GID) return Invalid("gid: it needs VINEYARD_SHARE_GID");
  *sharing = {static_cast<wire::Share>(share), gid};
  return OkStatus();
}

// Fills `known` (defaults) with what the caller's struct has. kVersion: it says more than this library
// understands.
template <typename Struct>
Status ReadStruct(const Struct* given, Struct* known) {
  constexpr uint32_t kAbsurd = 1 << 16;
  if (given == nullptr) return OkStatus();
  uint32_t size = given->struct_size;
  if (size < sizeof size || size > kAbsurd) return Invalid("struct_size: it is not set");
  std::memcpy(known, given, size < sizeof *known ? size : sizeof *known);
  const char* bytes = reinterpret_cast<const char*>(given);
  for (uint32_t i = sizeof *known; i < size; ++i) {
    if (bytes[i] != 0) {
      return {Code::kVersion,
              Format("options: byte %u is set, this library knows %zu bytes", i, sizeof *known)};
    }
  }
  if (known->reserved != 0) {
    return {Code::kVersion, "options: a reserved member is set, this library does not know it"};
  }
  known->struct_size = sizeof *known;
  return OkStatus();
}

// Gives the caller as much of `full` as its struct has room for; what this library does not know is left.
template <typename Struct>
Status WriteStruct(const Struct& full, Struct* given) {
  uint32_t size = given->struct_size;
  if (size < sizeof size) return Invalid("struct_size: it is not set");
  std::memcpy(given, &full, size < sizeof full ? size : sizeof full);
  given->struct_size = size;
  return OkStatus();
}

inline Status ReadKind(int32_t kind, BlobKind* out) {
  if (kind < VINEYARD_BLOB_BUFFER || kind > VINEYARD_BLOB_BYTEARRAY) {
    return Invalid(Format("kind %d: it is none of VINEYARD_BLOB_*", kind));
  }
  *out = static_cast<BlobKind>(kind);
  return OkStatus();
}

// Data that may be NULL only when there is none.
inline Status ReadBytes(const void* data, uint64_t size, std::string_view* out) {
  if (data == nullptr && size > 0) return NullPointer("data");
  if (size > static_cast<uint64_t>(INT64_MAX)) return Limit("size: it is larger than any memory");
  *out = {static_cast<const char*>(data), size};
  return OkStatus();
}

inline Status CheckTimeout(int64_t timeout_ms) {
  return timeout_ms < -1 ? Invalid("timeout_ms: it is below -1") : OkStatus();
}

inline const vineyard_value* HandleOf(const Value* value) {
  return reinterpret_cast<const vineyard_value*>(value);
}

}  // namespace vineyard::capi

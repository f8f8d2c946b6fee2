// This file is the only place where a status becomes an exception.
#ifndef VINEYARD_HPP_ERROR_HPP_
#define VINEYARD_HPP_ERROR_HPP_

#include <vineyard/vineyard.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace vineyard {
inline namespace v0 {

// The root of what is thrown here. what() is for people and not to be parsed; a status that this header does
// not know yet is an Error and none of those below.
class VINEYARD_API Error : public std::runtime_error {
 public:
  Error(std::int32_t status, const std::string& text, vineyard_id stored = 0)
      : std::runtime_error(text.empty() ? vineyard_status_name(status) : text),
        status_(status),
        stored_(stored) {}

  std::int32_t status() const noexcept { return status_; }  // VINEYARD_E_*
  // "not found"; static storage.
  const char* status_name() const noexcept { return vineyard_status_name(status_); }
  // The same call may succeed later.
  bool is_retryable() const noexcept { return vineyard_status_is_retryable(status_) != 0; }
  // Of a put with PutOptions::persist that stored the object and then failed to publish it: its id. Else
  // kNoObject.
  vineyard_id stored() const noexcept { return stored_; }

 private:
  std::int32_t status_;
  vineyard_id stored_;
};

template <std::int32_t kStatus>
class VINEYARD_API StatusError : public Error {
 public:
  explicit StatusError(const std::string& text, vineyard_id stored = 0)
      : Error(kStatus, text, stored) {}
};

using InvalidError = StatusError<VINEYARD_E_INVALID>;
using NotFoundError = StatusError<VINEYARD_E_NOT_FOUND>;
using ExistsError = StatusError<VINEYARD_E_EXISTS>;
using OutOfMemoryError = StatusError<VINEYARD_E_OUT_OF_MEMORY>;  // the store's; the host's is below
using TimeoutError = StatusError<VINEYARD_E_TIMEOUT>;
using UnavailableError = StatusError<VINEYARD_E_UNAVAILABLE>;
using InterruptedError = StatusError<VINEYARD_E_INTERRUPTED>;
using PermissionError = StatusError<VINEYARD_E_PERMISSION>;
using VersionError = StatusError<VINEYARD_E_VERSION>;
using ProtocolError = StatusError<VINEYARD_E_PROTOCOL>;
using TypeError = StatusError<VINEYARD_E_TYPE>;
using LimitError = StatusError<VINEYARD_E_LIMIT>;
using ConflictError = StatusError<VINEYARD_E_CONFLICT>;
using InUseError = StatusError<VINEYARD_E_IN_USE>;
using ForkedError = StatusError<VINEYARD_E_FORKED>;
using RemoteError = StatusError<VINEYARD_E_REMOTE>;
using HostMemoryError = StatusError<VINEYARD_E_HOST_MEMORY>;
using UnsupportedError = StatusError<VINEYARD_E_UNSUPPORTED>;
using CorruptError = StatusError<VINEYARD_E_CORRUPT>;
using UnknownError = StatusError<VINEYARD_E_UNKNOWN>;  // a change may or may not have been applied
using SealedError = StatusError<VINEYARD_E_SEALED>;
using IoError = StatusError<VINEYARD_E_IO>;
using LostError = StatusError<VINEYARD_E_LOST>;
using InternalError = StatusError<VINEYARD_E_INTERNAL>;

namespace detail {

template <std::int32_t... kKnown>
[[noreturn]] void raise_one_of(std::int32_t status, const std::string& text, vineyard_id stored) {
  ((status == kKnown ? throw StatusError<kKnown>(text, stored) : void()), ...);
  throw Error(status, text, stored);
}

// The C function that this thread called last has answered `status`, which is not VINEYARD_OK.
[[noreturn]] inline void raise(std::int32_t status, vineyard_id stored = 0) {
  raise_one_of<VINEYARD_E_INVALID, VINEYARD_E_NOT_FOUND, VINEYARD_E_EXISTS,
               VINEYARD_E_OUT_OF_MEMORY, VINEYARD_E_TIMEOUT, VINEYARD_E_UNAVAILABLE,
               VINEYARD_E_INTERRUPTED, VINEYARD_E_PERMISSION, VINEYARD_E_VERSION,
               VINEYARD_E_PROTOCOL, VINEYARD_E_TYPE, VINEYARD_E_LIMIT, VINEYARD_E_CONFLICT,
               VINEYARD_E_IN_USE, VINEYARD_E_FORKED, VINEYARD_E_REMOTE, VINEYARD_E_HOST_MEMORY,
               VINEYARD_E_UNSUPPORTED, VINEYARD_E_CORRUPT, VINEYARD_E_UNKNOWN, VINEYARD_E_SEALED,
               VINEYARD_E_IO, VINEYARD_E_LOST, VINEYARD_E_INTERNAL>(status, vineyard_error_text(),
                                                                    stored);
}

inline void check(std::int32_t status) {
  if (status != VINEYARD_OK) raise(status);
}

}  // namespace detail
}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_ERROR_HPP_

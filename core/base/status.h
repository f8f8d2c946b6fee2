// This file is the only place that defines what an error is inside the core: a code and one line of
// text. No exceptions cross functions of core; the C ABI hands the same codes out unchanged.
//
// A text is one line, impersonal, without a period, and names the thing:
//   "connect /run/vineyard.sock: no such file".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace vineyard {

// Numbered by hand, never reused; equal to VINEYARD_E_* in capi/include/vineyard/vineyard.h
// (checked by static_assert in capi).
enum class Code : int32_t {
  kOk = 0,
  kInvalid = -1,       // an argument, id, name or handle that can not be right
  kNotFound = -2,      // no such object, name, field or member
  kExists = -3,        // the name is taken
  kOutOfMemory = -4,   // the store is full
  kTimeout = -5,       // the deadline passed
  kUnavailable = -6,   // no daemon (or no metadata service) answers
  kInterrupted = -7,   // a signal ended the wait
  kPermission = -8,    // the operating system or the daemon refuses this user
  kVersion = -9,       // the two sides were built to different layouts or protocols
  kProtocol = -10,     // bytes that break the protocol
  kType = -11,         // the field or object is of another type
  kLimit = -12,        // larger, longer or deeper than allowed
  kConflict = -13,     // compare-and-set found another revision
  kInUse = -14,        // others link to it, or it is already being done
  kForked = -15,       // the handle belongs to the parent process
  kRemote = -16,       // the payload lives on another instance
  kHostMemory = -17,   // this process is out of memory or descriptors
  kUnsupported = -18,  // not offered by this build, daemon or platform
  kCorrupt = -19,      // stored bytes do not pass their checks
  kUnknown = -20,      // the change may or may not have been applied
  kSealed = -21,       // the blob is sealed already
  kIo = -22,           // a system call failed unexpectedly
  kLost = -23,         // the instance that had the payload is gone
  kInternal = -99,     // a defect of vineyard
};

// The code's name in lower case: "not found".
std::string_view CodeName(Code code);

// Success is a null pointer: making, moving and dropping it costs nothing, and hot paths do that.
class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(Code code, std::string text);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other);
  Status& operator=(const Status& other);
  ~Status() = default;

  bool ok() const { return error_ == nullptr; }
  Code code() const { return ok() ? Code::kOk : error_->code; }
  const std::string& text() const;  // empty when ok
  // "not found: object o0000000000000001"
  std::string ToString() const;

 private:
  struct Error {
    Code code;
    std::string text;
  };
  std::unique_ptr<Error> error_;
};

inline Status OkStatus() { return Status(); }
inline Status Invalid(std::string text) { return {Code::kInvalid, std::move(text)}; }
inline Status NotFound(std::string text) { return {Code::kNotFound, std::move(text)}; }
inline Status Limit(std::string text) { return {Code::kLimit, std::move(text)}; }
inline Status Corrupt(std::string text) { return {Code::kCorrupt, std::move(text)}; }
inline Status Protocol(std::string text) { return {Code::kProtocol, std::move(text)}; }
inline Status Internal(std::string text) { return {Code::kInternal, std::move(text)}; }

// "<what>: <strerror(error_number)>", with the code that callers act on: permission, unavailable,
// host memory, else io.
Status ErrnoStatus(std::string_view what, int error_number);

// printf into a std::string.
[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...);

}  // namespace vineyard

#define VINEYARD_CONCAT_(a, b) a##b
#define VINEYARD_CONCAT(a, b) VINEYARD_CONCAT_(a, b)

#define RETURN_IF_ERROR(expression)                  \
  do {                                               \
    ::vineyard::Status status_macro_ = (expression); \
    if (!status_macro_.ok()) [[unlikely]]            \
      return status_macro_;                          \
  } while (false)

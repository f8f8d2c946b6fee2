#include "core/base/status.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "core/base/check.h"

namespace vineyard {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not found";
    case Code::kExists:
      return "exists";
    case Code::kOutOfMemory:
      return "out of memory";
    case Code::kTimeout:
      return "timeout";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kInterrupted:
      return "interrupted";
    case Code::kPermission:
      return "permission denied";
    case Code::kVersion:
      return "version mismatch";
    case Code::kProtocol:
      return "protocol error";
    case Code::kType:
      return "wrong type";
    case Code::kLimit:
      return "limit exceeded";
    case Code::kConflict:
      return "conflict";
    case Code::kInUse:
      return "in use";
    case Code::kForked:
      return "forked";
    case Code::kRemote:
      return "remote";
    case Code::kHostMemory:
      return "host out of memory";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kUnknown:
      return "outcome unknown";
    case Code::kSealed:
      return "sealed";
    case Code::kIo:
      return "i/o error";
    case Code::kLost:
      return "lost";
    case Code::kInternal:
      return "internal error";
  }
  return "unknown code";
}

Status::Status(Code code, std::string text) {
  if (code != Code::kOk) error_ = std::make_unique<Error>(Error{code, std::move(text)});
}

Status::Status(const Status& other) { *this = other; }

Status& Status::operator=(const Status& other) {
  if (this != &other) error_ = other.ok() ? nullptr : std::make_unique<Error>(*other.error_);
  return *this;
}

const std::string& Status::text() const {
  static const std::string& none = *new std::string();
  return ok() ? none : error_->text;
}

std::string Status::ToString() const {
  std::string name(CodeName(code()));
  return text().empty() ? name : name + ": " + text();
}

Status ErrnoStatus(std::string_view what, int error_number) {
  Code code = Code::kIo;
  switch (error_number) {
    case EACCES:
    case EPERM:
      code = Code::kPermission;
      break;
    case ENOENT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
      code = Code::kUnavailable;
      break;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
      code = Code::kHostMemory;
      break;
    case EINTR:
      code = Code::kInterrupted;
      break;
    default:
      break;
  }
  // std::generic_category: strerror is not thread-safe, strerror_r has two prototypes.
  return {code, std::string(what) + ": " + std::generic_category().message(error_number)};
}

std::string Format(const char* format, ...) {
  char small[256];
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  int length = std::vsnprintf(small, sizeof small, format, arguments);
  va_end(arguments);
  std::string text;
  if (length >= 0 && static_cast<size_t>(length) < sizeof small) {
    text.assign(small, static_cast<size_t>(length));
  } else if (length >= 0) {
    text.resize(static_cast<size_t>(length));
    std::vsnprintf(text.data(), text.size() + 1, format, again);
  }
  va_end(again);
  return text;
}

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "vineyard: check failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace vineyard

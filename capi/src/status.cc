// Versions, codes and texts of errors, ids.
#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>

#include "capi/src/guard.h"
#include "core/client/wait.h"
#include "core/object/ids.h"
#include "core/object/value.h"

namespace vineyard::capi {
namespace {

constexpr size_t kTextSize = 512;

// A literal, or the thread's buffer. No buffer itself: this library takes its thread-local memory from what the
// process has set apart for late comers (view_cache in core/client/view.h), 1,664 bytes for all of them.
thread_local constinit const char* error_text = "";

// Whose values are the buffers. A key's destructor runs behind those of thread_local variables, and once more if
// one of another key fails here: whatever ends with a thread may call this library.
class BufferKey {
 public:
  BufferKey() : made_(pthread_key_create(&key_, &Free) == 0) {}

  // The calling thread's. Null: there is no memory for it.
  char* Get() {
    if (!made_) return nullptr;
    if (void* buffer = pthread_getspecific(key_); buffer != nullptr)
      return static_cast<char*>(buffer);
    std::unique_ptr<char[]> made(new (std::nothrow) char[kTextSize]);
    if (made == nullptr || pthread_setspecific(key_, made.get()) != 0) return nullptr;
    return made.release();
  }

 private:
  static void Free(void* buffer) {
    error_text = "";
    delete[] static_cast<char*>(buffer);
  }

  pthread_key_t key_{};
  const bool made_;
};

char* ThreadBuffer() {
  // Trivially destructible: threads may outlive what the end of the process destroys.
  static BufferKey key;
  return key.Get();
}

static_assert(VINEYARD_OK == static_cast<int32_t>(Code::kOk));
static_assert(VINEYARD_E_INVALID == static_cast<int32_t>(Code::kInvalid));
static_assert(VINEYARD_E_NOT_FOUND == static_cast<int32_t>(Code::kNotFound));
static_assert(VINEYARD_E_EXISTS == static_cast<int32_t>(Code::kExists));
static_assert(VINEYARD_E_OUT_OF_MEMORY == static_cast<int32_t>(Code::kOutOfMemory));
static_assert(VINEYARD_E_TIMEOUT == static_cast<int32_t>(Code::kTimeout));
static_assert(VINEYARD_E_UNAVAILABLE == static_cast<int32_t>(Code::kUnavailable));
static_assert(VINEYARD_E_INTERRUPTED == static_cast<int32_t>(Code::kInterrupted));
static_assert(VINEYARD_E_PERMISSION == static_cast<int32_t>(Code::kPermission));
static_assert(VINEYARD_E_VERSION == static_cast<int32_t>(Code::kVersion));
static_assert(VINEYARD_E_PROTOCOL == static_cast<int32_t>(Code::kProtocol));
static_assert(VINEYARD_E_TYPE == static_cast<int32_t>(Code::kType));
static_assert(VINEYARD_E_LIMIT == static_cast<int32_t>(Code::kLimit));
static_assert(VINEYARD_E_CONFLICT == static_cast<int32_t>(Code::kConflict));
static_assert(VINEYARD_E_IN_USE == static_cast<int32_t>(Code::kInUse));
static_assert(VINEYARD_E_FORKED == static_cast<int32_t>(Code::kForked));
static_assert(VINEYARD_E_REMOTE == static_cast<int32_t>(Code::kRemote));
static_assert(VINEYARD_E_HOST_MEMORY == static_cast<int32_t>(Code::kHostMemory));
static_assert(VINEYARD_E_UNSUPPORTED == static_cast<int32_t>(Code::kUnsupported));
static_assert(VINEYARD_E_CORRUPT == static_cast<int32_t>(Code::kCorrupt));
static_assert(VINEYARD_E_UNKNOWN == static_cast<int32_t>(Code::kUnknown));
static_assert(VINEYARD_E_SEALED == static_cast<int32_t>(Code::kSealed));
static_assert(VINEYARD_E_IO == static_cast<int32_t>(Code::kIo));
static_assert(VINEYARD_E_LOST == static_cast<int32_t>(Code::kLost));
static_assert(VINEYARD_E_INTERNAL == static_cast<int32_t>(Code::kInternal));

static_assert(sizeof(vineyard_value) == sizeof(Value));
static_assert(offsetof(vineyard_value, type) == offsetof(Value, type));
static_assert(offsetof(vineyard_value, size) == offsetof(Value, size));
static_assert(offsetof(vineyard_value, as) == offsetof(Value, as));
static_assert(VINEYARD_VALUE_NULL == static_cast<int32_t>(ValueType::kNull));
static_assert(VINEYARD_VALUE_BOOL == static_cast<int32_t>(ValueType::kBool));
static_assert(VINEYARD_VALUE_INT64 == static_cast<int32_t>(ValueType::kInt64));
static_assert(VINEYARD_VALUE_UINT64 == static_cast<int32_t>(ValueType::kUint64));
static_assert(VINEYARD_VALUE_FLOAT64 == static_cast<int32_t>(ValueType::kFloat64));
static_assert(VINEYARD_VALUE_STRING == static_cast<int32_t>(ValueType::kString));
static_assert(VINEYARD_VALUE_BYTES == static_cast<int32_t>(ValueType::kBytes));
static_assert(VINEYARD_VALUE_LIST == static_cast<int32_t>(ValueType::kList));
static_assert(VINEYARD_VALUE_MAP == static_cast<int32_t>(ValueType::kMap));

static_assert(VINEYARD_BLOB_BUFFER == static_cast<int32_t>(BlobKind::kBuffer));
static_assert(VINEYARD_BLOB_BYTES == static_cast<int32_t>(BlobKind::kBytes));
static_assert(VINEYARD_BLOB_BYTEARRAY == static_cast<int32_t>(BlobKind::kByteArray));

static_assert(VINEYARD_ID_INVALID == kInvalidId && VINEYARD_ID_EMPTY_BLOB == kEmptyBlobId);
static_assert(VINEYARD_REVISION_ANY == client::Client::kAnyRevision);

}  // namespace

int32_t Fail(Code code, std::string_view text) noexcept {
  char* buffer = ThreadBuffer();
  if (buffer == nullptr) {
    error_text = CodeName(code).data();  // a literal
    return static_cast<int32_t>(code);
  }
  // Cut where a character of UTF-8 begins.
  size_t size = std::min(text.size(), kTextSize - 1);
  while (size < text.size() && size > 0 && (text[size] & 0xc0) == 0x80) --size;
  // One line, whatever the caller's names hold.
  auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::replace_copy_if(text.begin(), text.begin() + size, buffer, is_control, '?');
  buffer[size] = '\0';
  error_text = buffer;
  return static_cast<int32_t>(code);
}

int32_t FailWithException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Fail(Code::kHostMemory, "this process is out of memory");
  } catch (const std::exception& error) {
    return Fail(Code::kInternal, error.what());
  } catch (...) {
    return Fail(Code::kInternal, "an exception of unknown type");
  }
}

}  // namespace vineyard::capi

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

const char* vineyard_version(void) { return VINEYARD_BUILD_VERSION; }

int32_t vineyard_abi_version(void) { return VINEYARD_ABI_MAJOR * 1000 + VINEYARD_ABI_MINOR; }

const char* vineyard_error_text(void) { return error_text; }

const char* vineyard_status_name(int32_t status) {
  bool known = (status <= 0 && status >= VINEYARD_E_LOST) || status == VINEYARD_E_INTERNAL;
  // CodeName's texts are literals.
  return known ? CodeName(static_cast<Code>(status)).data() : "unknown status";
}

int32_t vineyard_status_is_retryable(int32_t status) {
  return status == VINEYARD_E_TIMEOUT || status == VINEYARD_E_UNAVAILABLE ||
         status == VINEYARD_E_INTERRUPTED || status == VINEYARD_E_OUT_OF_MEMORY;
}

int32_t vineyard_thread_set_waiting(int32_t allowed) {
  return client::SetThreadMayWait(allowed != 0) ? 1 : 0;
}

int32_t vineyard_id_parse(const char* text, vineyard_id* id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(text);
    RETURN_IF_NULL(id);
    ASSIGN_OR_RETURN(*id, ParseId(text));
    return OkStatus();
  });
}

int32_t vineyard_id_print(vineyard_id id, char* buffer, uint64_t* size) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(buffer);
    RETURN_IF_NULL(size);
    if (*size < VINEYARD_ID_TEXT_SIZE) {
      return Limit(Format("buffer of %llu bytes: an id takes %d",
                          static_cast<unsigned long long>(*size), VINEYARD_ID_TEXT_SIZE));
    }
    std::string text = PrintId(id);
    std::memcpy(buffer, text.c_str(), text.size() + 1);
    *size = text.size();
    return OkStatus();
  });
}

int32_t vineyard_id_is_blob(vineyard_id id) { return IsBlobId(id) ? 1 : 0; }

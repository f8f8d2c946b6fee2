// Payloads: Blob reads one in place, BlobWriter makes one in place.
#ifndef VINEYARD_HPP_BLOB_HPP_
#define VINEYARD_HPP_BLOB_HPP_

#include <vineyard/vineyard.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/element.hpp>
#include <vineyard/hpp/ids.hpp>
#include <vineyard/hpp/span.hpp>

namespace vineyard {
inline namespace v0 {

// How the bytes are stored; every kind reads as the bytes that were put.
enum class PayloadKind : std::int32_t {
  kBuffer = VINEYARD_BLOB_BUFFER,       // as they are: Python gets a memoryview
  kBytes = VINEYARD_BLOB_BYTES,         // Python gets bytes
  kBytearray = VINEYARD_BLOB_BYTEARRAY  // likewise
};

namespace detail {

// Bytes as elements. TypeError: they are no whole number of them, or do not lie as they must.
template <class T, class Byte>
span<T> elements_of(Byte* data, std::size_t size) {
  static_assert(std::is_trivially_copyable_v<T>,
                "what lies in shared memory has no pointers in it");
  if (size % sizeof(T) != 0) {
    throw TypeError("blob: " + std::to_string(size) + " bytes are no whole number of elements of " +
                    std::to_string(sizeof(T)));
  }
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(T) != 0) {
    throw TypeError("blob: its bytes are not aligned to " + std::to_string(alignof(T)));
  }
  return {reinterpret_cast<T*>(data), size / sizeof(T)};
}

}  // namespace detail

// A sealed blob, pinned: its bytes stay until this goes, also after the client has gone. Read-only; thread-safe.
class Blob {
 public:
  Blob() = default;
  explicit Blob(vineyard_blob* handle) noexcept : handle_(handle) {}
  vineyard_blob* handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  // The value. Of an empty handle: nothing.
  const std::byte* data() const noexcept {
    return static_cast<const std::byte*>(vineyard_blob_data(handle()));
  }
  std::size_t size() const noexcept {
    return static_cast<std::size_t>(vineyard_blob_length(handle()));
  }
  bool empty() const noexcept { return size() == 0; }
  span<const std::byte> bytes() const noexcept { return {data(), size()}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data()), size()}; }
  // The value as elements of T; what their bytes mean is the caller's knowledge; of bool: Bool. TypeError: see above.
  template <class T>
  span<const detail::stored_t<T>> as() const {
    return detail::elements_of<const detail::stored_t<T>>(data(), size());
  }

  ObjectId id() const noexcept { return vineyard_blob_id(handle()); }
  PayloadKind kind() const noexcept {
    return static_cast<PayloadKind>(vineyard_blob_kind(handle()));
  }
  // The stored form, envelope included.
  span<const std::byte> stored() const noexcept {
    return {static_cast<const std::byte*>(vineyard_blob_stored_data(handle())),
            static_cast<std::size_t>(vineyard_blob_stored_size(handle()))};
  }
  // One more handle on the same pin: for slices with lives of their own.
  Blob share() const {
    vineyard_blob* shared = nullptr;
    detail::check(vineyard_blob_share(handle(), &shared));
    return Blob(shared);
  }

 private:
  detail::Owner<vineyard_blob, vineyard_blob_release> handle_;
};

// A blob being written, in shared memory; what was not sealed is aborted when this goes. Thread-compatible; belongs
// to the process that made it.
class BlobWriter {
 public:
  BlobWriter() = default;
  explicit BlobWriter(vineyard_blob_writer* handle) noexcept : handle_(handle) {}
  vineyard_blob_writer* handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  // The bytes to write; null once sealed, aborted, closed or forked.
  std::byte* data() const noexcept {
    return static_cast<std::byte*>(vineyard_blob_writer_data(handle()));
  }
  std::size_t size() const noexcept {
    return static_cast<std::size_t>(vineyard_blob_writer_size(handle()));
  }
  // InvalidError: there is nothing to write to any more.
  span<std::byte> bytes() const { return as<std::byte>(); }
  template <class T>
  span<T> as() const {
    std::byte* bytes = data();
    if (bytes == nullptr) throw InvalidError("writer: it is sealed, aborted, closed or forked");
    return detail::elements_of<T>(bytes, size());
  }

  // The id that the blob will have. Others can wait for it already.
  ObjectId id() const noexcept { return vineyard_blob_writer_id(handle()); }
  // Keeps the first `size` bytes.
  void shrink(std::size_t size) { detail::check(vineyard_blob_writer_shrink(handle(), size)); }
  // Makes it immutable and visible, and answers its id. SealedError: it is already.
  ObjectId seal() {
    detail::check(vineyard_blob_writer_seal(handle()));
    return id();
  }
  // Gives the memory back. Aborting twice is allowed.
  void abort() { detail::check(vineyard_blob_writer_abort(handle())); }

 private:
  detail::Owner<vineyard_blob_writer, vineyard_blob_writer_release> handle_;
};

// memcpy for large payloads. Does not overlap.
inline void copy_memory(void* destination, const void* source, std::size_t size) noexcept {
  vineyard_memory_copy(destination, source, size);
}
// Whether all of it lies in memory that some client of this process shares with the daemon.
inline bool is_shared_memory(const void* data, std::size_t size) noexcept {
  return vineyard_memory_is_shared(data, size) != 0;
}

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_BLOB_HPP_

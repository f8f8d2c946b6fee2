// This file is the only place that writes payloads: into a lease, memory of a segment that the daemon has
// given to this session until a put seals it or it is dropped.
//
// Invariants:
//  1. The daemon learns of a sealed blob by one message, after its bytes and envelope are written.
//  2. A writer that ends unsealed drops its lease, but not in a child: there it is the parent's.
//  3. While a writer exists, its memory stays mapped: whoever has its address may still write there. It
//     stays leased, too, so that nobody else gets it, until the writer is sealed or aborted, or its client
//     is closed, which puts other memory in its place.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/result.h"
#include "core/client/client.h"
#include "core/object/tree.h"

namespace vineyard::client {

class BlobWriter {
 public:
  static Result<std::shared_ptr<BlobWriter>> Create(std::shared_ptr<Client> client, uint64_t size,
                                                    BlobKind kind, const Sharing& sharing,
                                                    const Patience& patience);
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  // Null when nothing may be written any more.
  void* data() const { return CheckOpen().ok() ? value_ : nullptr; }
  // The same, whatever has happened: mapped as long as this writer exists, and nobody else's until it is
  // sealed or aborted.
  void* memory() const { return value_; }
  uint64_t size() const { return size_; }
  ObjectId id() const { return id_; }
  BlobKind kind() const { return kind_; }
  Status Shrink(uint64_t size);
  Status Seal() { return Seal(client_->PatienceOf()); }
  Status Seal(const Patience& patience);
  Status Abort();

  // For a put that seals it, alone or together with others: writes the envelope, and says what the put
  // has to carry. What is shared with others can not be written from here on, whatever comes of the put.
  Result<TreeNode> Prepare();
  // Null: it has no lease.
  const Session* session() const { return session_; }
  void MarkSealed();
  // Of a put that failed: what is open still is dropped, in what is left of the put's time or later.
  void Abandon(const Patience& patience);

 private:
  enum class State { kOpen, kSealed, kAborted };
  BlobWriter(std::shared_ptr<Client> client, BlobKind kind, uint64_t size)
      : client_(std::move(client)), kind_(kind), size_(size) {}
  Status Begin(const Sharing& sharing, const Patience& patience);
  Status TakeLease(const Patience& patience, const Sharing& sharing, uint64_t* location);
  Status CheckOpen() const;
  Status Drop(const Patience& patience);

  std::shared_ptr<Client> client_;
  const BlobKind kind_;
  uint64_t size_;
  Session* session_ = nullptr;     // null until there is a lease
  Session::Memory memory_;         // what value_ lies in
  State state_ = State::kAborted;  // likewise
  bool is_given_ = false;          // its memory is not mapped for writing any more
  const uint32_t stamp_ = StampOf(ForkEpoch());
  ObjectId id_ = kInvalidId;
  char* extent_ = nullptr;
  char* value_ = nullptr;
};

// Stores a copy of bytes as a sealed blob: in the message, or through a lease.
Result<ObjectId> PutBlob(const std::shared_ptr<Client>& client, std::string_view bytes,
                         BlobKind kind);

// memcpy for large payloads. Does not overlap.
void CopyBytes(void* destination, const void* source, uint64_t size);

}  // namespace vineyard::client

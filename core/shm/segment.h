// This file is the only place that makes and opens segments: memfds from which payloads and records
// are allocated. Exact size, every page allocated before anybody may write, so that a full machine
// is a failed put and never a SIGBUS.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"

namespace vineyard::shm {

// Who writes to a segment.
enum class SegmentUse {
  kDaemon,  // only the daemon
  kLeases,  // sessions that have leases there, and the daemon
  kSole,    // one session, until its one payload is sealed; then nobody
};

class Segment {
 public:
  // Makes the file, allocates and touches it. Slow (up to 0.8 s a GiB): not on the loop.
  static Result<Segment> Create(uint64_t instance, uint32_t number, uint64_t size, SegmentUse use);
  // Of a descriptor that another daemon left; on an error it stays the caller's.
  static Result<Segment> Adopt(Fd* fd, uint64_t instance, uint32_t number, uint64_t size,
                               SegmentUse use);
  // Of a kSole one. kInUse: somebody still has it mapped for writing.
  Status SealWrites() { return shm::SealWrites(fd_); }

  uint32_t number() const { return number_; }
  uint64_t size() const { return size_; }  // of the file
  uint64_t data_size() const { return size_ - kSegmentHeaderSize; }
  SegmentUse use() const { return use_; }
  bool leasable() const { return use_ != SegmentUse::kDaemon; }
  const Fd& fd() const { return fd_; }
  char* data() const {
    return mapping_.data();
  }  // of the file's first byte; writable but for kSole
  // As the kernel reported when first asked: asking takes a millisecond.
  uint64_t huge_page_bytes() const {
    if (!huge_page_bytes_) huge_page_bytes_ = HugePageBytes(data(), size_);
    return *huge_page_bytes_;
  }
  // Leaves the descriptor open for whoever listed its number: the state file.
  int ReleaseFd() { return fd_.Release(); }

 private:
  uint32_t number_ = 0;
  uint64_t size_ = 0;
  SegmentUse use_ = SegmentUse::kDaemon;
  mutable std::optional<uint64_t> huge_page_bytes_;
  Fd fd_;
  Mapping mapping_;
};

}  // namespace vineyard::shm

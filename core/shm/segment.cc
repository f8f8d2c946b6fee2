#include "core/shm/segment.h"

#include <new>

#include "core/base/bytes.h"
#include "core/shm/file_header.h"
#include "core/shm/layout.h"

namespace vineyard::shm {
namespace {

// Through a descriptor that can not write: a map of any other keeps the file from being sealed.
Result<Mapping> MapToRead(const Fd& fd, uint64_t size) {
  ASSIGN_OR_RETURN(Fd readable, Reopen(fd, /*writable=*/false));
  return Mapping::Map(readable, size, /*writable=*/false);
}

}  // namespace

Result<Segment> Segment::Create(uint64_t instance, uint32_t number, uint64_t size, SegmentUse use) {
  if (size <= kSegmentHeaderSize || size > kMaxSegment) {
    return Limit(Format("segment of %llu bytes: from %llu to %llu are possible",
                        static_cast<unsigned long long>(size),
                        static_cast<unsigned long long>(kSegmentHeaderSize + 1),
                        static_cast<unsigned long long>(kMaxSegment)));
  }
  Segment segment;
  segment.number_ = number;
  segment.size_ = size;
  segment.use_ = use;
  ASSIGN_OR_RETURN(segment.fd_, CreateMemory(Format("vineyard.segment.%u", number), size));
  ASSIGN_OR_RETURN(segment.mapping_, Mapping::Map(segment.fd_, size, /*writable=*/true));
  AdviseHugePages(segment.data(), size);
  Status populated = Populate(segment.data(), size);
  if (populated.code() == Code::kUnsupported) populated = AllocateRange(segment.fd_, 0, size);
  RETURN_IF_ERROR(populated);
  new (segment.data() + segment.data_size())
      FileHeader(MakeFileHeader(FileKind::kSegment, instance, number));
  // A segment that only the daemon writes is as fixed in size as one that clients write.
  bool is_sole = use == SegmentUse::kSole;
  RETURN_IF_ERROR(AddSeals(segment.fd_, is_sole ? Seals::kUntilWritten : Seals::kClientWritten));
  (void)segment.huge_page_bytes();  // here, where it may take its time
  if (is_sole) {
    ASSIGN_OR_RETURN(segment.mapping_, MapToRead(segment.fd_, size));
  }
  segment.mapping_.DontFork();
  return segment;
}

Result<Segment> Segment::Adopt(Fd* fd, uint64_t instance, uint32_t number, uint64_t size,
                               SegmentUse use) {
  Segment segment;
  segment.number_ = number;
  segment.size_ = size;
  segment.use_ = use;
  Result<uint64_t> real = FileSize(*fd);
  if (!real.ok() || *real != size || size <= kSegmentHeaderSize || size > kMaxSegment) {
    return Corrupt(Format("segment %u: its file has another size", number));
  }
  if (use == SegmentUse::kSole) {
    ASSIGN_OR_RETURN(segment.mapping_, MapToRead(*fd, size));
  } else {
    ASSIGN_OR_RETURN(segment.mapping_, Mapping::Map(*fd, size, /*writable=*/true));
  }
  // Clients can write the header of a leasable segment: nothing in it is believed.
  if (!segment.leasable()) {
    const auto& header = *reinterpret_cast<const FileHeader*>(segment.data() + segment.data_size());
    RETURN_IF_ERROR(CheckFileHeader(header, FileKind::kSegment, /*writer=*/true));
    if (header.instance != instance || header.number != number) {
      return Corrupt(Format("segment %u: its header belongs to another", number));
    }
  }
  AdviseHugePages(segment.data(), size);
  segment.mapping_.DontFork();
  segment.fd_ = std::move(*fd);
  return segment;
}

}  // namespace vineyard::shm

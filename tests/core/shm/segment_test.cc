#include "core/shm/segment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <utility>

#include "core/base/bytes.h"

namespace vineyard::shm {
namespace {

constexpr uint64_t kSize = 64 * kPageSize;

Segment Make(SegmentUse use) { return std::move(Segment::Create(7, 3, kSize, use)).value(); }
Segment Make(bool leasable) { return Make(leasable ? SegmentUse::kLeases : SegmentUse::kDaemon); }

// What the next daemon does with the descriptor of a dead one.
Result<Segment> Adopt(const Segment& segment, uint64_t instance = 7, uint32_t number = 3,
                      uint64_t size = kSize) {
  Fd fd(fcntl(segment.fd().get(), F_DUPFD_CLOEXEC, 3));
  return Segment::Adopt(&fd, instance, number, size, segment.use());
}

TEST(Segment, HasItsExactSizeAllocated) {
  Segment segment = Make(true);
  struct stat info;
  ASSERT_EQ(fstat(segment.fd().get(), &info), 0);
  EXPECT_EQ(static_cast<uint64_t>(info.st_size), kSize);
  EXPECT_GE(static_cast<uint64_t>(info.st_blocks) * 512, kSize);
  EXPECT_EQ(segment.size(), kSize);
  EXPECT_EQ(segment.data_size(), kSize - kSegmentHeaderSize);
  EXPECT_EQ(segment.number(), 3u);
  EXPECT_TRUE(segment.leasable());
}

TEST(Segment, CanNotChangeItsSize) {
  for (bool leasable : {false, true}) {
    Segment segment = Make(leasable);
    EXPECT_EQ(Resize(segment.fd(), kSize + kPageSize).code(), Code::kPermission);
    EXPECT_EQ(Resize(segment.fd(), kSize - kPageSize).code(), Code::kPermission);
  }
}

TEST(Segment, IsAdoptedWithItsContent) {
  for (bool leasable : {false, true}) {
    Segment segment = Make(leasable);
    std::memset(segment.data(), 'x', segment.data_size());
    auto adopted = Adopt(segment);
    ASSERT_TRUE(adopted.ok()) << adopted.status().ToString();
    EXPECT_EQ(adopted->data()[segment.data_size() - 1], 'x');
    EXPECT_EQ(adopted->leasable(), leasable);
    adopted->data()[0] = 'y';
    EXPECT_EQ(segment.data()[0], 'y');
  }
}

TEST(Segment, OfAnotherSizeIsCorrupt) {
  Segment segment = Make(true);
  EXPECT_EQ(Adopt(segment, 7, 3, kSize - kPageSize).status().code(), Code::kCorrupt);
  EXPECT_EQ(Adopt(segment, 7, 3, kSize + kPageSize).status().code(), Code::kCorrupt);
  EXPECT_EQ(Adopt(segment, 7, 3, 0).status().code(), Code::kCorrupt);
}

TEST(Segment, OfAnotherInstanceOrNumberIsCorrupt) {
  Segment segment = Make(false);
  EXPECT_EQ(Adopt(segment, 8, 3).status().code(), Code::kCorrupt);
  EXPECT_EQ(Adopt(segment, 7, 4).status().code(), Code::kCorrupt);
}

TEST(Segment, HeaderThatClientsCanWriteIsNotBelieved) {
  Segment leasable = Make(true), own = Make(false);
  for (Segment* segment : {&leasable, &own}) {
    std::memset(segment->data() + segment->data_size(), 0xff, kSegmentHeaderSize);
  }
  EXPECT_TRUE(Adopt(leasable).ok());
  EXPECT_EQ(Adopt(own).status().code(), Code::kCorrupt);
}

// A limit on files, so that a test which goes wrong fails and does not take the machine's memory.
class SmallFiles {
 public:
  SmallFiles() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit small = before_;
    small.rlim_cur = kMiB;
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST(Segment, WithoutRoomOrTooLargeForALocationIsALimit) {
  SmallFiles small;
  for (uint64_t size : {uint64_t{0}, kSegmentHeaderSize, kMaxSegment + kPageSize, UINT64_MAX}) {
    EXPECT_EQ(Segment::Create(7, 3, size, SegmentUse::kLeases).status().code(), Code::kLimit)
        << size;
  }
  EXPECT_EQ(Segment::Create(7, 3, 2 * kMiB, SegmentUse::kLeases).status().code(),
            Code::kHostMemory);
}

TEST(Segment, ReleasedDescriptorStaysOpen) {
  int number = -1;
  {
    Segment segment = Make(true);
    number = segment.ReleaseFd();
  }
  Fd fd(number);
  EXPECT_TRUE(FileSize(fd).ok());
}

}  // namespace
}  // namespace vineyard::shm

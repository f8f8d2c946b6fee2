#include "core/base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace vineyard {
namespace {

bool IsOpen(int number) { return fcntl(number, F_GETFD) != -1; }
Fd Open() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(Fd, ClosesAtTheEnd) {
  int number = -1;
  {
    Fd fd = Open();
    number = fd.get();
    EXPECT_TRUE(IsOpen(number));
  }
  EXPECT_FALSE(IsOpen(number));
}

TEST(Fd, MovedOneOwnsNothing) {
  Fd first = Open();
  int number = first.get();
  Fd second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(IsOpen(number));
}

TEST(Fd, AssignmentClosesWhatWasOwned) {
  Fd fd = Open();
  int old = fd.get();
  fd = Fd();
  EXPECT_FALSE(IsOpen(old));
  EXPECT_FALSE(fd.valid());
}

TEST(Fd, AssignmentToItselfKeepsIt) {
  Fd fd = Open();
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd.valid() && IsOpen(fd.get()));
}

TEST(Fd, ReleasedNumberStaysOpen) {
  Fd fd = Open();
  int number = fd.Release();
  fd.Reset();
  EXPECT_TRUE(IsOpen(number));
  Fd(number).Reset();
  EXPECT_FALSE(IsOpen(number));
}

TEST(Fd, NumberZeroIsAValidDescriptor) {
  Fd fd(0);
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(fd.Release(), 0);
}

}  // namespace
}  // namespace vineyard

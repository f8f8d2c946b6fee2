// Views that are released after a fork: their pins are put off while a child may read under them.
#include "core/client/view.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <vector>

#include "tests/core/client/fake_memory.h"
#include "tests/support/child.h"

namespace {

std::atomic<uint64_t> polls{0};

}  // namespace

// Counts, in this test executable.
extern "C" int poll(pollfd* entries, nfds_t count, int timeout_ms) {
  ++polls;
  timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  return static_cast<int>(
      syscall(SYS_ppoll, entries, count, timeout_ms < 0 ? nullptr : &timeout, nullptr, 0));
}

namespace vineyard::client {
namespace {

class Views : public ::testing::Test {
 protected:
  Views() { WatchForks(); }
  ~Views() override { session_->Orphan(); }

  View* Pin(uint64_t slot) {
    session_->pin(slot).count.fetch_add(1);
    View* view = NewView();
    *view = View{};
    view->session = session_;
    view->slot = slot;
    view->stamp = StampOf(ForkEpoch());
    return view;
  }

  FakeMemory memory_;
  Session* session_ = OpenWhole(memory_);
};

int UntilTold(testing::Talk& talk) {
  talk.Hear();
  return 0;
}

TEST_F(Views, APinIsHeldByTheChildrenForkedSinceAndByNoOther) {
  View* first = Pin(1);
  testing::Child one(UntilTold);
  View* second = Pin(2);
  testing::Child two(UntilTold);
  View* third = Pin(3);
  ReleaseView(first);
  ReleaseView(second);
  ReleaseView(third);
  EXPECT_EQ(memory_.pins(1), 1u);
  EXPECT_EQ(memory_.pins(2), 1u);
  EXPECT_EQ(memory_.pins(3), 0u);
  two.Kill();
  ReleaseDeferred();
  EXPECT_EQ(memory_.pins(1), 1u) << "the first child lives";
  EXPECT_EQ(memory_.pins(2), 0u);
  one.Kill();
  ReleaseDeferred();
  EXPECT_EQ(memory_.pins(1), 0u);
}

TEST_F(Views, APinIsHeldByALaterChildWhenTheFirstIsGone) {
  View* view = Pin(1);
  testing::Child one(UntilTold);
  testing::Child two(UntilTold);
  ReleaseView(view);
  one.Kill();
  ReleaseDeferred();
  EXPECT_EQ(memory_.pins(1), 1u);
  two.Kill();
  ReleaseDeferred();
  EXPECT_EQ(memory_.pins(1), 0u);
}

TEST_F(Views, AReleaseAsksTheKernelOnceHoweverManyArePutOff) {
  constexpr uint64_t kViews = 1000;
  std::vector<View*> views;
  for (uint64_t i = 0; i < kViews; ++i) views.push_back(Pin(i % FakeMemory::kSlots));
  testing::Child one(UntilTold), two(UntilTold);
  uint64_t before = polls;
  for (View* view : views) ReleaseView(view);
  EXPECT_EQ(polls - before, kViews);
  one.Kill();
  two.Kill();
  before = polls;
  ReleaseDeferred();
  EXPECT_EQ(polls - before, 2u);
  for (uint64_t i = 0; i < FakeMemory::kSlots; ++i) ASSERT_EQ(memory_.pins(i), 0u) << i;
}

}  // namespace
}  // namespace vineyard::client

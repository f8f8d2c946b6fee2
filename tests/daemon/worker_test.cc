#include "daemon/worker.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/support/child.h"

namespace vineyard::daemon {
namespace {

TEST(Worker, DoesItsTasksInOrderOnAThreadOfItsOwn) {
  std::thread::id first, second;
  std::atomic<int> done{0};
  Worker worker("test");
  worker.Do([&] { first = std::this_thread::get_id(), ++done; });
  worker.Do([&] { second = std::this_thread::get_id(), ++done; });
  while (done < 2) std::this_thread::yield();
  worker.Stop();
  EXPECT_EQ(first, second);
  EXPECT_NE(first, std::this_thread::get_id());
}

// A limit that is reached may not end the daemon.
TEST(Worker, WithoutAThreadDoesItsTasksAllTheSame) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  testing::Child child([](testing::Talk&) {
    rlimit none{1, 1};
    if (setrlimit(RLIMIT_NPROC, &none) != 0 || setuid(54321) != 0) return 2;
    int done = 0;
    Worker worker("test");
    worker.Do([&] { ++done; });
    worker.Do([&] { ++done; });
    return done == 2 ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace vineyard::daemon

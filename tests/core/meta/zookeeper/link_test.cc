// What a link does with the library's threads.
#include "core/meta/zookeeper/link.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string_view>

#include "core/base/log.h"

namespace vineyard::meta::zookeeper {
namespace {

class Nobody final : public Link::Owner {
 public:
  void OnOpened() override {}
  void OnSession(Event, Session) override {}
  void OnReply(uint64_t, Reply) override {}
  void OnWatch(uint64_t, WatchEvent) override {}
  void OnWake() override {}
};

// The library says what it is going to do, then starts its threads: it is stopped between the two.
std::promise<void> begins, may_go_on;
void StopBeforeTheThreads(LogLevel, std::string_view line) {
  if (line.find("Initiating client connection") == std::string_view::npos) return;
  begins.set_value();
  may_go_on.get_future().wait();
}

// Regression: the kernel starts no thread for a process that is becoming another program, and the library ends the
// process then: a daemon that was to be the keeper was lost.
TEST(Link, ThreadsAreNotHeldWhileOneIsBeingStarted) {
  Nobody nobody;
  SetLogSink(StopBeforeTheThreads);
  std::promise<void> opened;
  // The first thing that it posts says that it is open: its threads run.
  auto post = [&, first = true](const std::function<void()>&) mutable {
    if (first) opened.set_value();
    first = false;
  };
  Result<std::shared_ptr<Link>> link = Link::Open({"127.0.0.1:1", 10'000, ""}, post, &nobody);
  ASSERT_TRUE(link.ok()) << link.status().ToString();
  begins.get_future().wait();
  EXPECT_FALSE(Link::HoldThreads().owns_lock()) << "it gave up, as it says";
  may_go_on.set_value();
  opened.get_future().wait();
  std::unique_lock<std::mutex> held = Link::HoldThreads();
  EXPECT_TRUE(held.owns_lock());
  held.unlock();
  SetLogSink(nullptr);
  (*link)->Shut();
  EXPECT_TRUE(Link::JoinShut(Deadline::After(100'000)));
}

}  // namespace
}  // namespace vineyard::meta::zookeeper

// A test with several instances of one cluster, all on the test's thread.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "tests/core/meta/trees.h"
#include "tests/core/meta/zookeeper/real_cluster.h"

namespace vineyard::meta::zookeeper {

inline ObjectId Id(uint64_t instance, uint64_t counter) { return MakeId(false, instance, counter); }

class ClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // To see what happens, when a test fails.
    if (std::getenv("VINEYARD_TEST_LOG") != nullptr) {
      SetLogSink([](LogLevel, std::string_view line) {
        std::fprintf(stderr, "%lld %.*s\n", static_cast<long long>(MonotonicNs() / 1'000'000),
                     static_cast<int>(line.size()), line.data());
      });
    }
    loop_.tick = [this] {
      for (auto& [number, service] : services_) {
        if (service != nullptr) service->Tick(MonotonicNs());
      }
    };
  }
  void TearDown() override {
    services_.clear();
    stranger_ = nullptr;
  }

  void Join(uint64_t number) { Keep(number, cluster_.Join(number, &loop_)); }
  // The next daemon of an instance.
  void TakeOver(uint64_t number, const ServiceOptions& options) {
    std::optional<vineyard::Status> ready;
    Keep(number, cluster_.Begin(options, &loop_,
                                [&](vineyard::Status status) { ready = std::move(status); }));
    loop_.RunUntil([&] { return ready.has_value(); });
    ASSERT_TRUE(ready && ready->ok()) << (ready ? ready->ToString() : on(number).health().text);
  }
  void Keep(uint64_t number, std::unique_ptr<Service> service) {
    services_[number].reset(static_cast<ZookeeperService*>(service.release()));
    on(number).on_event = [this, number](const Event& event) { events_[number].push_back(event); };
  }
  ZookeeperService& on(uint64_t number) { return *services_.at(number); }
  static Deadline Soon(int ms = 20000) { return Deadline::After(ms); }

  Result<Outcome> Commit(uint64_t number, Change change, Request request = {}, int ms = 20000) {
    std::optional<Result<Outcome>> answer;
    on(number).Commit(request, std::move(change), Soon(ms),
                      [&](Result<Outcome> outcome) { answer = std::move(outcome); });
    loop_.RunUntil([&] { return answer.has_value(); });
    return answer ? *answer : Internal("no answer");
  }
  // What is asked now and answered later.
  using Answer = std::optional<Result<Outcome>>;
  std::shared_ptr<Answer> Begin(Service* service, Change change, Request request = {},
                                int ms = 20000) {
    auto answer = std::make_shared<Answer>();
    service->Commit(request, std::move(change), Soon(ms),
                    [answer](Result<Outcome> outcome) { *answer = std::move(outcome); });
    return answer;
  }
  vineyard::Status Sync(uint64_t number) {
    std::optional<vineyard::Status> answer;
    on(number).Sync(Soon(), [&](vineyard::Status status) { answer = std::move(status); });
    loop_.RunUntil([&] { return answer.has_value(); });
    return answer ? *answer : Internal("no answer");
  }
  // Somebody else, who is no instance.
  Connection& Stranger() {
    if (stranger_ == nullptr) {
      auto opened = Connection::Open(
          {SharedServer().address(), 2000},
          [this](std::function<void()> what) { loop_.Post(std::move(what)); }, [](State) {});
      EXPECT_TRUE(opened.ok());
      stranger_ = std::move(*opened);
    }
    return *stranger_;
  }
  bool HasNode(const std::string& path) {
    std::optional<vineyard::Status> found;
    Stranger().Exists(path, Soon(), [&](const Result<Stat>& stat) { found = stat.status(); });
    loop_.RunUntil([&] { return found.has_value(); });
    EXPECT_TRUE(found && (found->ok() || found->code() == Code::kNotFound));
    return found && found->ok();
  }
  // Persists at this instance, from this counter on, until what is in front of this generation's end can not be
  // read any more; how many trees that took. REQUIRES: a log with small limits.
  uint64_t PersistUntilTrimmed(uint64_t number, uint64_t counter, uint64_t generation) {
    uint64_t trees = 0;
    auto end = std::chrono::steady_clock::now() + testing::kPatience;
    while (HasNode(paths_.Generation(generation)) && !HasFatalFailure()) {
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << "it was not trimmed";
        break;
      }
      PersistArray(number, counter + 2 * trees++);
    }
    return trees;
  }
  void PersistArray(uint64_t number, uint64_t counter) {
    auto done = Commit(number, Persist{{ArrayTree(number, counter)}});
    ASSERT_TRUE(done.ok()) << done.status().ToString();
  }

  testing::Loop loop_;
  RealCluster cluster_;
  Paths paths_{cluster_.prefix()};
  std::map<uint64_t, std::unique_ptr<ZookeeperService>> services_;
  std::map<uint64_t, std::vector<Event>> events_;
  std::unique_ptr<Connection> stranger_;
};

}  // namespace vineyard::meta::zookeeper

// ZooKeeper's own client, for figures beside ours.
#pragma once

#define THREADED  // with calls that wait
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include <atomic>
#include <string>
#include <vector>

#include "bench/c/bench.h"

class BareZooKeeper {
 public:
  explicit BareZooKeeper(const std::string& servers) {
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    handle_ = zookeeper_init(servers.c_str(), nullptr, 10'000, nullptr, nullptr, 0);
    while (zoo_state(handle_) != ZOO_CONNECTED_STATE) usleep(1000);
    Create("/bare", "");
    Create("/bare/fence", "");
    Create("/bare/log", "");
  }
  ~BareZooKeeper() { zookeeper_close(handle_); }
  void Create(const std::string& path, const std::string& data) {
    int error = zoo_create(handle_, path.c_str(), data.data(), static_cast<int>(data.size()),
                           &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0);
    if (error != ZOK) Die("create " + path + ": " + zerror(error));
  }
  void CreateNext(const std::string& body) {
    Create("/bare/" + std::to_string(next_++) + "-00000000000000", body);
  }
  // What the service sends for one tree.
  void Multi(const std::string& body) {
    std::string path = "/bare/" + std::to_string(next_++) + "-00000000000000";
    char created[64];
    std::string entry(80, 'e');
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    zoo_check_op_init(&ops[0], "/bare/fence", -1);
    zoo_check_op_init(&ops[1], "/bare/log", -1);
    zoo_create_op_init(&ops[2], path.c_str(), body.data(), static_cast<int>(body.size()),
                       &ZOO_OPEN_ACL_UNSAFE, 0, nullptr, 0);
    zoo_create_op_init(&ops[3], "/bare/log/e-", entry.data(), static_cast<int>(entry.size()),
                       &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL, created, sizeof created);
    int error = zoo_multi(handle_, 4, ops, results);
    if (error != ZOK) Die(std::string("multi: ") + zerror(error));
  }
  // What the service sends for so many trees, four at a time; nanoseconds for all of them.
  double Multis(size_t multis, size_t trees, const std::string& body) {
    double begin = NowNs();
    for (size_t i = 0; i < multis; ++i) {
      auto* call = new Call{this, {}, {}};
      std::vector<zoo_op_t> ops(trees + 3);
      call->results.resize(ops.size());
      zoo_check_op_init(&ops[0], "/bare/fence", -1);
      zoo_check_op_init(&ops[1], "/bare/log", -1);
      for (size_t t = 0; t <= trees; ++t) {
        call->paths.push_back(t == trees ? "/bare/log/e-"
                                         : "/bare/" + std::to_string(next_++) + "-00000000000000");
      }
      std::string entry(40 * trees + 40, 'e');
      for (size_t t = 0; t <= trees; ++t) {
        const std::string& data = t == trees ? entry : body;
        zoo_create_op_init(&ops[t + 2], call->paths[t].c_str(), data.data(),
                           static_cast<int>(data.size()), &ZOO_OPEN_ACL_UNSAFE,
                           t == trees ? ZOO_PERSISTENT_SEQUENTIAL : 0, nullptr, 0);
      }
      for (int now = running_; now >= 4; now = running_) running_.wait(now);
      ++running_;
      int error = zoo_amulti(
          handle_, static_cast<int>(ops.size()), ops.data(), call->results.data(),
          [](int status, const void* data) {
            auto* ended = static_cast<Call*>(const_cast<void*>(data));
            if (status != ZOK) Die(std::string("multi: ") + zerror(status));
            --ended->bare->running_;
            ended->bare->running_.notify_one();
            delete ended;
          },
          call);
      if (error != ZOK) Die(std::string("multi: ") + zerror(error));
    }
    for (int now = running_; now > 0; now = running_) running_.wait(now);
    return NowNs() - begin;
  }

 private:
  [[noreturn]] static void Die(const std::string& why) {
    fprintf(stderr, "ZooKeeper: %s\n", why.c_str());
    exit(1);
  }
  struct Call {
    BareZooKeeper* bare;
    std::vector<zoo_op_result_t> results;
    std::vector<std::string> paths;
  };
  zhandle_t* handle_ = nullptr;
  std::atomic<int> running_ = 0;
  uint64_t next_ = 0;
};

// What the benchmarks in C++ share: a daemon of their own, a clock, medians, and lines of JSON.
#pragma once

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <algorithm>
#include <string>
#include <vector>

#define CHECK(call)                                                       \
  do {                                                                    \
    int32_t check_status = (call);                                        \
    if (check_status != VINEYARD_OK) {                                    \
      fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call,   \
              vineyard_status_name(check_status), vineyard_error_text()); \
      exit(1);                                                            \
    }                                                                     \
  } while (0)

inline double NowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

inline double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

inline void PrintFigure(const std::string& name, double value, const char* unit, double limit,
                        const char* limit_name = "target") {
  printf(
      "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"limit\": %.6g, "
      "\"limit_name\": \"%s\", \"ratio\": %.4g}\n",
      name.c_str(), value, unit, limit, limit_name, limit == 0 ? 0 : value / limit);
  fflush(stdout);
}

inline void PrintPlain(const std::string& name, double value, const char* unit) {
  printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", name.c_str(), value, unit);
  fflush(stdout);
}

class Daemon {
 public:
  Daemon(const char* program, const char* size, const std::string& meta = "local") {
    char folder[] = "/tmp/vineyard-bench-XXXXXX";
    folder_ = mkdtemp(folder);
    socket_ = folder_ + "/s";
    pid_ = fork();
    if (pid_ == 0) {
      std::vector<const char*> words = {program,  "--socket",   socket_.c_str(), "--size", size,
                                        "--meta", meta.c_str(), "--log-level",   "warning"};
      if (meta != "local") words.insert(words.end(), {"--meta-session-timeout", "2s"});
      words.push_back(nullptr);
      execv(program, const_cast<char**>(words.data()));
      _exit(127);
    }
  }
  ~Daemon() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    std::string lock = socket_ + ".lock";
    unlink(lock.c_str());
    rmdir(folder_.c_str());
  }
  vineyard_client* Connect() const {
    vineyard_client* client = nullptr;
    for (int i = 0; vineyard_client_connect(socket_.c_str(), nullptr, &client) != VINEYARD_OK;
         ++i) {
      if (i == 5000) {
        fprintf(stderr, "connect: %s\n", vineyard_error_text());
        exit(1);
      }
      usleep(1000);
    }
    return client;
  }

 private:
  std::string folder_, socket_;
  pid_t pid_;
};

#include "tests/support/tracer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <string>
#include <thread>

#include "core/base/fd.h"

namespace vineyard::testing {
namespace {

constexpr int kSystemCallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

// The process that a thread belongs to; 0: it is gone.
pid_t ProcessOf(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Tgid:", 0) == 0) return std::atoi(line.c_str() + 5);
  }
  return 0;
}

// The thread that ptrace wants: all of a trace is done by the one that began it.
class Tracer {
 public:
  Tracer(const Trace& trace, int until) : trace_(trace), until_(until) {}

  // `ready` is set once the process is traced.
  void Run(std::promise<void>* ready);
  const Traced& traced() const { return traced_; }

 private:
  void SeizeAll();
  void WatchForEnd();
  void OnStop(pid_t thread, int status);
  bool Counts(pid_t thread) const;
  void Resume(pid_t thread, int signal);
  void LeaveAll();

  const Trace& trace_;
  const int until_;                 // a byte comes when the operation has ended
  pid_t sentinel_ = 0;              // a child that ends then: one more thing to wait for in waitpid
  std::map<pid_t, pid_t> threads_;  // to their processes
  bool leaving_ = false;
  Traced traced_;
};

void Tracer::SeizeAll() {
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
  if (trace_.of_children) options |= PTRACE_O_TRACEFORK;
  // Until no thread comes that was begun meanwhile.
  for (bool found = true; found;) {
    found = false;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(trace_.process) + "/task")) {
      pid_t thread = std::atoi(entry.path().filename().c_str());
      if (threads_.count(thread) != 0) continue;
      if (ptrace(PTRACE_SEIZE, thread, nullptr, options) != 0) {
        std::fprintf(stderr, "ptrace of %d: %s\n", thread, std::strerror(errno));
        std::abort();
      }
      threads_[thread] = trace_.process;
      ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
      int status = 0;
      waitpid(thread, &status, __WALL | __WNOTHREAD);
      found = true;
    }
  }
}

void Tracer::WatchForEnd() {
  sentinel_ = fork();
  if (sentinel_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char nothing;
    while (read(until_, &nothing, 1) < 0 && errno == EINTR) {
    }
    _exit(0);
  }
}

bool Tracer::Counts(pid_t thread) const {
  if (traced_.killed) return false;
  return (threads_.at(thread) != trace_.process) == trace_.of_children;
}

void Tracer::Resume(pid_t thread, int signal) {
  bool steps = trace_.steps == Trace::Steps::kInstructions && Counts(thread);
  auto request = leaving_ ? PTRACE_DETACH : steps ? PTRACE_SINGLESTEP : PTRACE_SYSCALL;
  ptrace(request, thread, nullptr, signal);
  if (leaving_) threads_.erase(thread);
}

void Tracer::LeaveAll() {
  leaving_ = true;
  for (const auto& [thread, process] : threads_) ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
}

void Tracer::OnStop(pid_t thread, int status) {
  auto [entry, is_new] = threads_.try_emplace(thread, 0);
  if (is_new) entry->second = ProcessOf(thread);
  int signal = WSTOPSIG(status), event = status >> 16;
  bool stepped = trace_.steps == Trace::Steps::kInstructions && signal == SIGTRAP && event == 0;
  if (signal == kSystemCallStop || stepped) {
    if (!leaving_ && Counts(thread) && ++traced_.steps == trace_.kill_at) {
      traced_.killed = true;
      std::ifstream call("/proc/" + std::to_string(thread) + "/syscall");
      std::getline(call, traced_.where);
      kill(entry->second, SIGKILL);
      // Of the others nothing is wanted any more.
      LeaveAll();
      return;
    }
    return Resume(thread, 0);
  }
  bool delivers = event == 0 && signal != SIGTRAP;
  Resume(thread, delivers ? signal : 0);
}

void Tracer::Run(std::promise<void>* ready) {
  SeizeAll();
  WatchForEnd();
  trace_.on_traced();
  for (const auto& [thread, process] : std::map(threads_)) Resume(thread, 0);
  ready->set_value();
  while (sentinel_ != 0 || !threads_.empty()) {
    int status = 0;
    pid_t thread = waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) break;
    if (thread == sentinel_) {
      sentinel_ = 0;
      LeaveAll();
    } else if (WIFSTOPPED(status)) {
      OnStop(thread, status);
    } else {
      threads_.erase(thread);
    }
  }
}

}  // namespace

Traced RunTraced(const Trace& trace, const std::function<void()>& operation) {
  int until[2];
  if (pipe2(until, O_CLOEXEC) != 0) std::abort();
  Fd reading(until[0]), writing(until[1]);
  Tracer tracer(trace, reading.get());
  std::promise<void> ready;
  std::thread thread([&] { tracer.Run(&ready); });
  ready.get_future().wait();
  operation();
  (void)!write(writing.get(), "e", 1);
  thread.join();
  return tracer.traced();
}

}  // namespace vineyard::testing

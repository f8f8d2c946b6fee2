// Runs an operation while another process is under ptrace, and kills that one at the n-th of its steps:
// the beginnings and ends of its system calls, or its instructions. So a test can end a daemon, keeper or
// client, as it is delivered, at every point at which the kernel can tell the difference.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

namespace vineyard::testing {

struct Trace {
  pid_t process = 0;  // all of its threads are traced; a child or grandchild of this process
  enum class Steps { kSystemCalls, kInstructions } steps = Steps::kSystemCalls;
  // Count the steps of the processes that it clones instead, and kill the one whose step it is.
  bool of_children = false;
  // Called once it is traced and stands still, before `operation`: it goes on when this returns.
  std::function<void()> on_traced = [] {};
  int64_t kill_at = 0;  // 0: never
};

struct Traced {
  int64_t steps = 0;  // before it was killed, or the operation returned
  bool killed = false;
  std::string where;  // the system call at which it was killed
};

// Runs `operation` in this thread; then whoever is left runs on untraced.
Traced RunTraced(const Trace& trace, const std::function<void()>& operation);

}  // namespace vineyard::testing

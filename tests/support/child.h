// A process forked by a test, which the test talks with byte by byte and may kill.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>

#include "core/base/fd.h"

namespace vineyard::testing {

// One end of the talk.
class Talk {
 public:
  Talk(Fd in, Fd out) : in_(std::move(in)), out_(std::move(out)) {}
  void Say(char word) { (void)!write(out_.get(), &word, 1); }
  // The next word; 0: the other side is gone.
  char Hear() {
    char word = 0;
    ssize_t got;
    do {
      got = read(in_.get(), &word, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1 ? word : '\0';
  }

 private:
  Fd in_, out_;
};

class Child {
 public:
  // `body` runs in the child, whose exit code is what it returns. Nothing of gtest may be used there.
  using Body = std::function<int(Talk&)>;
  explicit Child(const Body& body) : Child(body, fork) {}
  // By another call than fork().
  Child(const Body& body, pid_t (*fork_it)()) {
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0) abort();
    pid_ = fork_it();
    if (pid_ == 0) {
      close(down[1]);
      close(up[0]);
      int code;
      {
        Talk talk{Fd(down[0]), Fd(up[1])};
        code = body(talk);
      }
      _exit(code);
    }
    close(down[0]);
    close(up[1]);
    talk_ = Talk(Fd(up[0]), Fd(down[1]));
  }
  ~Child() {
    if (pid_ > 0) Kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void Say(char word) { talk_.Say(word); }
  char Hear() { return talk_.Hear(); }
  // The exit code, or minus the signal that killed it.
  int Wait() {
    int status = 0;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int Kill() {
    kill(pid_, SIGKILL);
    return Wait();
  }

 private:
  pid_t pid_ = 0;
  Talk talk_{Fd(), Fd()};
};

// In a child: says what failed and ends it.
#define CHILD_CHECK(condition)                                                    \
  do {                                                                            \
    if (!(condition)) {                                                           \
      std::fprintf(stderr, "child: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      _exit(1);                                                                   \
    }                                                                             \
  } while (false)

}  // namespace vineyard::testing

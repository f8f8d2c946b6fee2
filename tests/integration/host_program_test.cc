// The library in somebody else's program: its signals, its children and its descriptors are not ours to
// change, and whatever they do, calls are answered.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/fd.h"
#include "tests/support/child.h"
#include "tests/support/process.h"

namespace vineyard::testing {
namespace {

// Says which call failed, and ends the child.
#define CHILD_OK(call)                                                         \
  do {                                                                         \
    int32_t child_status = (call);                                             \
    if (child_status != VINEYARD_OK) {                                         \
      std::fprintf(stderr, "child: %s:%d: %s: %s\n", __FILE__, __LINE__,       \
                   vineyard_status_name(child_status), vineyard_error_text()); \
      _exit(1);                                                                \
    }                                                                          \
  } while (false)

vineyard_client* Connect(const std::string& socket) {
  vineyard_client* client = nullptr;
  CHILD_OK(vineyard_client_connect(socket.c_str(), nullptr, &client));
  return client;
}

// A put and a get of so many bytes, which need not be read: true when they are what was put.
bool PutAndGet(vineyard_client* client, const std::string& bytes) {
  vineyard_id id = VINEYARD_ID_INVALID;
  CHILD_OK(vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id));
  vineyard_blob* blob = nullptr;
  CHILD_OK(vineyard_blob_get(client, id, &blob));
  bool same = vineyard_blob_length(blob) == bytes.size() &&
              std::memcmp(vineyard_blob_data(blob), bytes.data(), bytes.size()) == 0;
  vineyard_blob_release(blob);
  CHILD_OK(vineyard_object_delete(client, &id, 1, nullptr));
  return same;
}

// The program is forked before the daemon is started: what forks beside a thread that reads the daemon's log may
// find the allocator of a sanitizer locked for ever.
class HostProgram : public ::testing::Test {
 protected:
  using Body = std::function<int(Talk&)>;
  // `body` begins when the daemon is ready.
  void Start(const Body& body) {
    child_.emplace([body](Talk& talk) {
      CHILD_CHECK(talk.Hear() == 'r');
      return body(talk);
    });
    daemon_.emplace(socket_);
    EXPECT_TRUE(daemon_->WaitUntilReady());
    child_->Say('r');
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  std::optional<Vineyardd> daemon_;
  std::optional<Child> child_;
};

// ---- signals ---------------------------------------------------------------------------------------

volatile sig_atomic_t alarms = 0;
void OnAlarm(int) { alarms = alarms + 1; }

TEST_F(HostProgram, ThatIsInterruptedEveryMillisecondPutsAndGets) {
  Start([&](Talk&) {
    struct sigaction action {};
    action.sa_handler = OnAlarm;  // without SA_RESTART
    CHILD_CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
    itimerval often{{0, 1000}, {0, 1000}};
    CHILD_CHECK(setitimer(ITIMER_REAL, &often, nullptr) == 0);
    std::string small(1000, 's'), large(8 * kMiB, 'l');
    int rounds = 0;
    while (alarms < 2000 || rounds < 100) {
      vineyard_client* client = Connect(socket_);
      for (int i = 0; i < 20; ++i) {
        CHILD_CHECK(PutAndGet(client, small));
        if (i % 10 == 0) CHILD_CHECK(PutAndGet(client, large));
      }
      vineyard_client_release(client);
      ++rounds;
    }
    return 0;
  });
  EXPECT_EQ(child_->Wait(), 0);
}

// Stopped and continued, every wait of the daemon's is interrupted as well.
TEST_F(HostProgram, ThatAsksADaemonWhichIsStoppedAndContinuedGetsItsAnswers) {
  Start([&](Talk& talk) {
    vineyard_client* client = Connect(socket_);
    talk.Say('c');
    for (int i = 0; i < 1000; ++i) CHILD_CHECK(PutAndGet(client, std::string(1000, 's')));
    vineyard_client_release(client);
    talk.Say('d');
    return 0;
  });
  ASSERT_EQ(child_->Hear(), 'c');
  std::atomic<bool> done{false};
  std::thread stopper([&] {
    while (!done) {
      for (pid_t pid : {daemon_->daemon(), daemon_->keeper()}) {
        kill(pid, SIGSTOP);
        std::this_thread::yield();
        kill(pid, SIGCONT);
      }
    }
  });
  EXPECT_EQ(child_->Hear(), 'd');
  done = true;
  stopper.join();
  EXPECT_EQ(child_->Wait(), 0);
  EXPECT_EQ(daemon_->Terminate(), 0);
}

using Dispositions = std::array<struct sigaction, NSIG>;

Dispositions AllDispositions() {
  Dispositions all{};
  for (int number = 1; number < NSIG; ++number) {
    sigaction(number, nullptr, &all[static_cast<size_t>(number)]);
  }
  return all;
}

bool Same(const Dispositions& a, const Dispositions& b) {
  for (size_t i = 1; i < a.size(); ++i) {
    if (a[i].sa_handler == b[i].sa_handler && a[i].sa_flags == b[i].sa_flags) continue;
    std::fprintf(stderr, "child: signal %zu is treated in another way\n", i);
    return false;
  }
  return true;
}

int CountEntries(const char* folder_name) {
  int count = 0;
  DIR* folder = opendir(folder_name);
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

volatile sig_atomic_t children = 0;
void OnChild(int) { children = children + 1; }

// Behind a daemon that was killed in between, so that both sides of a connection broke.
TEST_F(HostProgram, KeepsItsHandlersItsMaskItsChildrenAndItsThreads) {
  Start([&](Talk& talk) {
    struct sigaction action {};
    action.sa_handler = OnChild;
    CHILD_CHECK(sigaction(SIGCHLD, &action, nullptr) == 0);
    CHILD_CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    sigset_t mask, after;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    Dispositions before = AllDispositions();
    int threads = CountEntries("/proc/self/task");
    pid_t own = fork();
    if (own == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
    vineyard_client* client = Connect(socket_);
    CHILD_CHECK(PutAndGet(client, std::string(1000, 'x')));
    talk.Say('c');
    talk.Hear();
    // A request above what a socket holds, to a daemon that is gone: SIGPIPE would end this process.
    CHILD_CHECK(PutAndGet(client, std::string(60'000, 'x')));
    CHILD_CHECK(PutAndGet(client, std::string(8 * kMiB, 'x')));
    CHILD_CHECK(Same(before, AllDispositions()));
    CHILD_CHECK(CountEntries("/proc/self/task") == threads);
    vineyard_client_release(client);
    CHILD_CHECK(Same(before, AllDispositions()));
    sigprocmask(SIG_BLOCK, nullptr, &after);
    for (int number = 1; number < NSIG; ++number) {
      CHILD_CHECK(sigismember(&mask, number) == sigismember(&after, number));
    }
    CHILD_CHECK(children == 0);
    kill(own, SIGTERM);
    int status = 0;
    while (waitpid(own, &status, 0) != own) CHILD_CHECK(errno == EINTR);
    CHILD_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHILD_CHECK(children == 1);
    return 0;
  });
  ASSERT_EQ(child_->Hear(), 'c');
  kill(daemon_->daemon(), SIGKILL);
  ASSERT_TRUE(daemon_->WaitUntilReady());
  child_->Say('k');
  EXPECT_EQ(child_->Wait(), 0);
}

// ---- descriptors -----------------------------------------------------------------------------------

// Opens until there are no more.
std::vector<Fd> TakeAllDescriptors() {
  std::vector<Fd> taken;
  for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = open("/dev/null", O_RDONLY)) {
    taken.emplace_back(fd);
  }
  return taken;
}

TEST_F(HostProgram, WithoutDescriptorsIsToldSoAndGoesOnWithTheSameClient) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "built with it, -fsanitize=vptr opens a pipe for each look at an object's memory";
#endif
  Start([&](Talk&) {
    rlimit limit{200, 200};
    CHILD_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    vineyard_client* writer = Connect(socket_);
    vineyard_client* reader = Connect(socket_);
    std::string bytes(kMiB, 'b');
    vineyard_id id = VINEYARD_ID_INVALID;
    CHILD_OK(vineyard_blob_put(writer, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id));
    std::vector<Fd> taken = TakeAllDescriptors();
    // The segment's descriptor finds no place.
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_blob_get(reader, id, &blob) == VINEYARD_E_HOST_MEMORY);
    CHILD_CHECK(std::strstr(vineyard_error_text(), "no descriptors left") != nullptr);
    // However many of those of a welcome find one.
    for (int room = 0; room < 3; ++room) {
      vineyard_client* next = nullptr;
      CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &next) ==
                  VINEYARD_E_HOST_MEMORY);
      CHILD_CHECK(std::strstr(vineyard_error_text(), "connect ") != nullptr);
      taken.pop_back();
    }
    taken.clear();
    CHILD_OK(vineyard_blob_get(reader, id, &blob));
    CHILD_CHECK(std::memcmp(vineyard_blob_data(blob), bytes.data(), bytes.size()) == 0);
    vineyard_blob_release(blob);
    CHILD_CHECK(PutAndGet(writer, bytes));
    vineyard_client_release(Connect(socket_));
    // None was lost on the way.
    taken = TakeAllDescriptors();
    size_t free_before = taken.size();
    taken.clear();
    CHILD_CHECK(PutAndGet(reader, bytes));
    CHILD_CHECK(TakeAllDescriptors().size() == free_before);
    vineyard_client_release(writer);
    vineyard_client_release(reader);
    return 0;
  });
  EXPECT_EQ(child_->Wait(), 0);
}

}  // namespace
}  // namespace vineyard::testing

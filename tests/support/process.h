// A real vineyardd with its own folder, started from the path in the environment variable
// VINEYARDD.
//
// Nothing here sleeps: tests wait for a line of the log, the end of a process or the end of its
// output. A wait gives up after kPatience, which no test that passes ever needs.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace vineyard::testing {

inline constexpr std::chrono::seconds kPatience{100};

// A folder with a short name, removed with everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

bool Exists(const std::string& path);

// A user that is neither root nor the one who has no number.
inline constexpr unsigned kStranger = 65533;
// Runs it in a thread of this effective user; root only.
void AsUser(unsigned uid, const std::function<void()>& what);

// One run of the program: its keeper and daemons, as long as any of them lives.
class Vineyardd {
 public:
  // Starts it. `arguments` come behind --size 64Mi --meta local --log-level debug --socket=<socket>.
  explicit Vineyardd(const std::string& socket, const std::vector<std::string>& arguments = {});
  // Without those first arguments and without a socket.
  static std::vector<std::string> Defaults(const std::string& socket);
  struct Bare {
    std::vector<std::string> arguments;
    std::vector<std::string> environment = {};  // added
    unsigned descriptor_limit = 0;              // hard; 0: as here
    std::string program = {};                   // empty: VINEYARDD
    // Called in the child before the program begins: limits, another user. False: nothing begins.
    std::function<bool()> in_child = {};
  };
  explicit Vineyardd(const Bare& bare);
  // Kills whatever is left.
  ~Vineyardd();
  Vineyardd(const Vineyardd&) = delete;
  Vineyardd& operator=(const Vineyardd&) = delete;

  // The next line with this text, after the last line that a wait has returned. Empty: its output
  // ended or it did not come.
  std::string WaitForLine(const std::string& text);
  // Waits for the next "ready" line and learns who is keeper and daemon. False: none came.
  bool WaitUntilReady();
  // The same where it may be that none comes: false when all of its processes have ended.
  bool WaitUntilReadyOrEnded();
  // Waits until no process has its output open any more; the exit code of the first process.
  int WaitForEnd();
  // The exit code of the process that was started, or minus the signal that killed it.
  int WaitForFirst();
  // Numbers of the files (inodes) of its shared memory: state, index, directory, pins, segments.
  std::set<uint64_t> MemoryFiles() const;
  int Terminate();  // SIGTERM to the keeper, then WaitForEnd
  // All lines so far.
  std::string log();

  pid_t first() const { return first_; }
  pid_t keeper() const { return keeper_; }
  pid_t daemon() const { return daemon_; }
  // Both at once: to test what two deaths leave behind.
  void KillAll();

 private:
  void Start(const Bare& bare);
  void Drain(int fd);

  pid_t first_ = 0, keeper_ = 0, daemon_ = 0;
  bool reaped_ = false;
  int exit_code_ = 0;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  size_t next_line_ = 0;
  bool ended_ = false;
};

// The program of VINEYARDD, linked with one feature more (tests/integration/other_features.cc).
std::string OtherVineyardd();

// Those of these files that any process has open or mapped.
std::set<uint64_t> InUse(const std::set<uint64_t>& files);

// Of a process: whether it exists and is no zombie.
bool IsRunning(pid_t pid);

}  // namespace vineyard::testing

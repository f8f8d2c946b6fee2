#include "tests/daemon/zookeeper/members.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

#include "core/base/log.h"
#include "daemon/auto_zookeeper.h"
#include "daemon/zookeeper_watchdog.h"

namespace vineyard::daemon {
namespace {

using meta::zookeeper::Probe;

constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;

void Await(const std::function<bool()>& condition, const char* what) {
  auto until = std::chrono::steady_clock::now() + testing::kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << what;
      return;
    }
    poll(nullptr, 0, 5);
  }
}

// What a member does in its process.
int Live(const MetaOptions& options, const std::string& error_file, int64_t join_ms,
         testing::Talk& talk) {
  SetLogSink([](LogLevel, std::string_view line) {
    std::fprintf(stderr, "member %d: %.*s\n", getpid(), static_cast<int>(line.size()), line.data());
  });
  AutoZookeeper zookeeper(options, [](int64_t pause_ms) {
    poll(nullptr, 0, static_cast<int>(pause_ms));
    return true;
  });
  AutoZookeeper::Place place;
  std::unique_ptr<ZookeeperWatchdog> watchdog;
  auto fail = [&](const Status& status) {
    std::ofstream(error_file) << status.ToString();
    talk.Say('e');
  };
  for (;;) {
    switch (talk.Hear()) {
      case 'j': {
        Result<AutoZookeeper::Place> joined = zookeeper.Join(join_ms);
        if (!joined.ok()) {
          fail(joined.status());
          break;
        }
        place = std::move(*joined);
        talk.Say(place.users.valid() ? 's' : 'f');
        break;
      }
      case 'r': {
        Result<bool> revived = zookeeper.Revive(place.auth, kJoinMs);
        if (!revived.ok()) {
          fail(revived.status());
          break;
        }
        talk.Say(*revived ? 'y' : 'n');
        break;
      }
      case 'l':
        place.users.Reset();
        if (Status left = zookeeper.Leave(Deadline::After(kJoinMs)); !left.ok()) {
          fail(left);
          break;
        }
        talk.Say('l');
        break;
      case 'w': {
        MetaOptions mine = options;
        mine.auth = place.auth;
        mine.shares_server = true;
        watchdog = std::make_unique<ZookeeperWatchdog>(mine);
        int64_t now_ns = MonotonicNs();
        watchdog->Tick(now_ns, /*is_reachable=*/false);
        watchdog->Tick(now_ns + kHourNs, /*is_reachable=*/false);
        talk.Say('w');
        break;
      }
      default:
        return 0;
    }
  }
}

}  // namespace

Machine::Machine() {
  options.kind = MetaKind::kAuto;
  options.port = testing::FreePort();
  options.servers = "127.0.0.1:" + std::to_string(options.port);
  options.folder = folder / "zookeeper";
  options.heap_bytes = 128 * kMiB;
}

Machine::~Machine() {
  for (pid_t server : Servers()) kill(server, SIGKILL);
}

std::vector<pid_t> Machine::Servers() const {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0) continue;
    std::ifstream file(entry.path() / "cmdline");
    std::ostringstream read;
    read << file.rdbuf();  // of a process that ended meanwhile, nothing, and no exception
    std::string text = read.str();
    std::string last = options.folder + "/zoo.cfg" + std::string(1, '\0');
    if (text.size() > last.size() &&
        text.compare(text.size() - last.size(), last.size(), last) == 0) {
      found.push_back(std::atoi(name.c_str()));
    }
  }
  return found;
}

pid_t Machine::AwaitServer() const {
  Await([this] { return !Servers().empty(); }, "no server begins");
  std::vector<pid_t> found = Servers();
  return found.empty() ? 0 : found[0];
}

void Machine::AwaitNoServer() const {
  // One that is dying has no command line any more, and still its files.
  Fd lock(open((options.folder + "/server").c_str(), O_RDWR | O_CLOEXEC));
  Await([&] { return !lock.valid() || flock(lock.get(), LOCK_SH | LOCK_NB) == 0; },
        "a server stays");
}

bool Machine::HasFiles() const { return testing::Exists(options.folder); }

std::string Machine::Auth() const {
  Result<std::string> auth = ReadSecret(options.folder + "/auth");
  EXPECT_TRUE(auth.ok()) << auth.status().ToString();
  return auth.ok() ? *auth : "";
}

Status Machine::Read(const std::string& path) const {
  Deadline deadline = Deadline::After(kJoinMs);
  ASSIGN_OR_RETURN(Probe probe, Probe::Open(options.port, Auth(), deadline));
  return probe.Read(path, deadline);
}

Status Machine::Create(const std::string& path) const {
  Deadline deadline = Deadline::After(kJoinMs);
  ASSIGN_OR_RETURN(Probe probe, Probe::Open(options.port, Auth(), deadline));
  return probe.Create(path, deadline);
}

Member::Member(const MetaOptions& options, const std::function<bool()>& before, int64_t join_ms)
    : child_([options, before, join_ms, error_file = folder_ / "error"](testing::Talk& talk) {
        if (before && !before()) return 1;
        return Live(options, error_file, join_ms, talk);
      }) {
  // Another user writes there, too.
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
}

Member::~Member() = default;

bool Member::AwaitJoined() {
  word_ = child_.Hear();
  if (word_ == 's' || word_ == 'f') return true;
  std::ifstream file(folder_ / "error");
  error_.assign(std::istreambuf_iterator<char>(file), {});
  return false;
}

bool Member::Revive() {
  child_.Say('r');
  char word = child_.Hear();
  EXPECT_NE(word, 'e');
  return word == 'y';
}

void Member::Watch() {
  child_.Say('w');
  EXPECT_EQ(child_.Hear(), 'w');
}

void Member::Leave() {
  child_.Say('l');
  EXPECT_EQ(child_.Hear(), 'l');
}

}  // namespace vineyard::daemon

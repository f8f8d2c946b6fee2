#include "tests/support/zookeeper_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

#include "core/base/clock.h"
#include "core/base/fd.h"

namespace vineyard::testing {
namespace {

constexpr char kPackages[] = "install Debian's libzookeeper-java and default-jre-headless";

// The test that runs fails, and whatever else is in its process.
[[noreturn]] void Die(const std::string& why) {
  ADD_FAILURE() << why;
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

std::string Classpath() {
  if (const char* given = std::getenv("ZOOKEEPER_CLASSPATH")) return given;
  // The manifest of the first names the others but for one that logs.
  std::string jars;
  for (const char* jar : {"/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"}) {
    if (!Exists(jar)) Die(std::string(jar) + " is missing: " + kPackages);
    jars += (jars.empty() ? "" : ":") + std::string(jar);
  }
  return jars;
}

sockaddr_in Address(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Says something and hears at most `size` bytes, or less if the other side ends it or says no more
// for a while.
std::string Ask(uint16_t port, const std::string& what, size_t size) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Address(port);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
  if (send(fd.get(), what.data(), what.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(what.size())) {
    return "";
  }
  std::string heard;
  char buffer[4096];
  pollfd readable{fd.get(), POLLIN, 0};
  while (heard.size() < size && poll(&readable, 1, 1000) > 0) {
    ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    heard.append(buffer, static_cast<size_t>(got));
  }
  return heard;
}

// Opens a session, and leaves it to its time-out of two ticks.
bool OpensSession(uint16_t port) {
  // Length 45; protocol 0, last zxid 0, time-out 1000 ms, session 0, a password of 16 zeros, and
  // whether reading would be enough.
  std::string request(49, '\0');
  request[3] = 45;
  request[18] = 0x03;
  request[19] = '\xe8';
  request[31] = 16;
  // Length, protocol, time-out (0: no session), session, password.
  std::string reply = Ask(port, request, 41);
  return reply.size() >= 12 && reply.substr(8, 4) != std::string(4, '\0');
}

void Pause() { poll(nullptr, 0, 20); }

}  // namespace

uint16_t FreePort() {
  static std::mt19937 random{std::random_device{}()};
  for (;;) {
    auto port = static_cast<uint16_t>(std::uniform_int_distribution<>(20000, 31999)(random));
    Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = Address(port);
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return port;
  }
}

ZooKeeperServer::ZooKeeperServer() : port_(FreePort()) {
  Configure();
  Start();
  WaitUntilReady();
}

ZooKeeperServer::ZooKeeperServer(int id, uint16_t port, std::vector<std::string> members)
    : id_(id), port_(port), members_(std::move(members)) {
  Configure();
}

ZooKeeperServer::~ZooKeeperServer() { Kill(); }

void ZooKeeperServer::Configure() {
  std::filesystem::create_directory(folder_ / "data");
  std::ofstream config(folder_ / "zoo.cfg");
  config << "tickTime=" << kZooKeeperTickMs << "\ndataDir=" << folder_ / "data"
         << "\nclientPort=" << port_
         << "\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n"
            "4lw.commands.whitelist=srvr,mntr,ruok\n";
  if (id_ == 0) return;
  config << "initLimit=20\nsyncLimit=10\n";
  for (const std::string& member : members_) config << member << "\n";
  std::ofstream(folder_ / "data/myid") << id_ << "\n";
}

void ZooKeeperServer::Start() {
  std::string jars = Classpath(), config = folder_ / "zoo.cfg", log = folder_ / "log";
  const char* asked = std::getenv("ZOOKEEPER_HEAP");
  std::string heap = std::string("-Xmx") + (asked != nullptr ? asked : "256m");
  const char* argv[] = {"java",
                        heap.c_str(),
                        "-XX:+ExitOnOutOfMemoryError",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Dzookeeper.forceSync=no",
                        "-cp",
                        jars.c_str(),
                        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                        config.c_str(),
                        nullptr};
  pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(argv[0], const_cast<char**>(argv));
    dprintf(STDERR_FILENO, "java: %s: %s\n", strerror(errno), kPackages);
    _exit(127);
  }
}

void ZooKeeperServer::WaitUntilReady() {
  auto until = std::chrono::steady_clock::now() + kPatience;
  while (!OpensSession(port_)) {
    int status = 0;
    bool ended = waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended || std::chrono::steady_clock::now() > until) {
      if (ended) pid_ = 0;
      std::ifstream log(folder_ / "log");
      Die("ZooKeeper does not serve; it said:\n" +
          std::string(std::istreambuf_iterator<char>(log), {}));
    }
    Pause();
  }
}

void ZooKeeperServer::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void ZooKeeperServer::Stop() {
  kill(pid_, SIGSTOP);
  int status;
  waitpid(pid_, &status, WUNTRACED);  // until it stands
}

void ZooKeeperServer::Continue() { kill(pid_, SIGCONT); }

void ZooKeeperServer::Restart() {
  Kill();
  Start();
  WaitUntilReady();
}

void ZooKeeperServer::Wipe() {
  Kill();
  std::filesystem::remove_all(folder_ / "data");
  Configure();
  Restart();
}

std::string ZooKeeperServer::Mode() const { return Says("srvr", "Mode: "); }

int ZooKeeperServer::Watches() const {
  std::string count = Says("mntr", "zk_watch_count\t");
  if (count.empty()) Die("it does not say how many watches it has");
  return std::stoi(count);
}

std::string ZooKeeperServer::Says(const char* command, const std::string& key) const {
  std::istringstream lines(Ask(port_, command, SIZE_MAX));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(key, 0) == 0) return line.substr(key.size());
  }
  return "";
}

ZooKeeperEnsemble::ZooKeeperEnsemble(int size) {
  std::vector<std::string> members;
  for (int id = 1; id <= size; ++id) {
    std::ostringstream line;
    line << "server." << id << "=127.0.0.1:" << FreePort() << ":" << FreePort();
    members.push_back(line.str());
  }
  for (int id = 1; id <= size; ++id) {
    servers_.push_back(std::make_unique<ZooKeeperServer>(id, FreePort(), members));
    servers_.back()->Start();
  }
  for (auto& server : servers_) server->WaitUntilReady();
}

std::string ZooKeeperEnsemble::address() const {
  std::string all;
  for (const auto& server : servers_) all += (all.empty() ? "" : ",") + server->address();
  return all;
}

size_t ZooKeeperEnsemble::Leader() const { return WithMode("leader"); }
size_t ZooKeeperEnsemble::Follower() const { return WithMode("follower"); }

size_t ZooKeeperEnsemble::WithMode(const std::string& mode) const {
  auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    for (size_t i = 0; i < servers_.size(); ++i) {
      if (servers_[i]->pid() != 0 && servers_[i]->Mode() == mode) return i;
    }
    Pause();
  }
  Die("no server of the ensemble is " + mode);
}

}  // namespace vineyard::testing

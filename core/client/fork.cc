#include "core/client/fork.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <vector>

namespace vineyard::client {
namespace {

constexpr uint32_t kFirstEpoch = 2;

struct Child {
  uint32_t stamp;  // pins up to this one existed when it was forked
  int pipe;        // read end; -1: there was none to be had, so the child counts as living for ever
};

// Never destroyed: releases may come from destructors that run at exit.
struct Process {
  std::mutex mutex;
  uint32_t epoch = kFirstEpoch;        // the same as *fork_epoch, where it is not wiped
  uint32_t first_epoch = kFirstEpoch;  // of this process
  std::vector<Child> children;         // by stamp
  std::vector<ForkListener*> listeners;
  int pipe[2] = {-1, -1};  // of the fork under way
};

Process& TheProcess() {
  static Process* process = new Process;
  return *process;
}

std::atomic<uint32_t> epoch_without_page{kFirstEpoch};

// True at the end of the pipe: nobody holds its other end.
bool IsGone(int pipe) {
  pollfd entry = {pipe, POLLIN, 0};
  return pipe >= 0 && poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0;
}

void ForgetGoneChildren(Process& process) {
  auto gone = [](const Child& child) {
    if (!IsGone(child.pipe)) return false;
    close(child.pipe);
    return true;
  };
  process.children.erase(std::remove_if(process.children.begin(), process.children.end(), gone),
                         process.children.end());
}

void Prepare() {
  Process& process = TheProcess();
  process.mutex.lock();
  ForgetGoneChildren(process);
  // seq_cst: from here on releases of what exists now are put off.
  fork_epoch->store(process.epoch + 1, std::memory_order_seq_cst);
  if (pipe2(process.pipe, O_CLOEXEC) != 0) process.pipe[0] = process.pipe[1] = -1;
}

void InParent() {
  Process& process = TheProcess();
  if (process.pipe[1] >= 0) close(process.pipe[1]);
  // Of several that nobody can watch, the last one says it all.
  bool merge = process.pipe[0] < 0 && !process.children.empty() && process.children.back().pipe < 0;
  if (merge) process.children.pop_back();
  process.children.push_back({process.epoch, process.pipe[0]});
  process.epoch += 2;
  fork_epoch->store(process.epoch, std::memory_order_seq_cst);
  process.mutex.unlock();
}

void InChild() {
  Process& process = TheProcess();
  // The write end stays open for as long as this process lives.
  if (process.pipe[0] >= 0) close(process.pipe[0]);
  for (const Child& sibling : process.children) {
    if (sibling.pipe >= 0) close(sibling.pipe);
  }
  process.children.clear();
  process.epoch += 2;
  process.first_epoch = process.epoch;
  fork_epoch->store(process.epoch, std::memory_order_seq_cst);  // the page was wiped
  for (ForkListener* listener : process.listeners) listener->AfterForkInChild();
  process.mutex.unlock();
}

void Install() {
  TheProcess();
  void* page = mmap(nullptr, static_cast<size_t>(sysconf(_SC_PAGESIZE)), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) {
    // Where the kernel has no MADV_WIPEONFORK, forks without handlers go unseen.
    madvise(page, static_cast<size_t>(sysconf(_SC_PAGESIZE)), MADV_WIPEONFORK);
    fork_epoch = new (page) std::atomic<uint32_t>(kFirstEpoch);
  }
  pthread_atfork(Prepare, InParent, InChild);
}

}  // namespace

constinit std::atomic<uint32_t>* fork_epoch = &epoch_without_page;

void WatchForks() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, Install);
}

std::mutex& ProcessMutex() { return TheProcess().mutex; }

bool IsInherited(uint32_t stamp) { return stamp < TheProcess().first_epoch; }

uint32_t HeldByChildren() {
  std::vector<Child>& children = TheProcess().children;
  // The last one's stamp is the highest, and says it all for as long as it lives.
  while (!children.empty() && IsGone(children.back().pipe)) {
    close(children.back().pipe);
    children.pop_back();
  }
  return children.empty() ? 0 : children.back().stamp;
}

void AddForkListener(ForkListener* listener) { TheProcess().listeners.push_back(listener); }

void RemoveForkListener(ForkListener* listener) {
  auto& listeners = TheProcess().listeners;
  listeners.erase(std::remove(listeners.begin(), listeners.end(), listener), listeners.end());
}

}  // namespace vineyard::client

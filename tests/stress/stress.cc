// Readers, writers and deleters in processes of their own, under a daemon, keeper and workers that are
// killed or stopped for a while at random; in the end an audit.
//
//   stress VINEYARDD [--seconds S] [--kills K] [--workers W] [--seed N] [--size MiB] [--evict 1]
//
// Every payload can be recomputed from its first 16 bytes, so that one wrong byte, read at any time, is
// found. A worker may be told "not found" (somebody deleted it), "out of memory", and that two daemons in
// a row died under its request; anything else is an error. Of daemon and keeper one at a time is killed:
// the next when a daemon of a later epoch answers. The audit: nobody hangs, no object that was not deleted
// (or, with --evict, evicted) is missing, once everything is deleted not one byte is used, leased or
// waiting, and each kind of violence was done. The seed is printed; it fixes who is killed and what
// workers try, not the timing.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr int kRing = 512;  // objects that all workers know
constexpr int kMaxWorkers = 16;

// Shared with all workers; outlives each of them.
struct Board {
  std::atomic<int> stop;
  std::atomic<uint64_t> ring[kRing];
  std::atomic<uint64_t> verified_gets, verified_bytes, puts, deletes, errors, misses, died_twice,
      evictions;
  std::atomic<uint64_t> kept[kMaxWorkers][64];  // never deleted: must be there in the end
  std::atomic<uint32_t> kept_count[kMaxWorkers];
};

Board* board;

uint64_t Mix(uint64_t x) {
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15ULL;
  return x ^ (x >> 29);
}

std::vector<uint64_t> MakePayload(uint64_t seed, uint64_t words) {
  std::vector<uint64_t> payload(words + 2);
  payload[0] = seed;
  payload[1] = words;
  for (uint64_t i = 0; i < words; ++i) payload[i + 2] = Mix(seed + i);
  return payload;
}

bool IsIntact(const void* data, uint64_t size) {
  const auto* words = static_cast<const uint64_t*>(data);
  if (size < 16 || words[1] != size / 8 - 2) return false;
  for (uint64_t i = 0; i < words[1]; ++i) {
    if (words[i + 2] != Mix(words[0] + i)) return false;
  }
  return true;
}

// A request that two daemons in a row died of is not sent a third time: it might be the reason.
bool DiedTwice(int32_t status) {
  bool twice = (status == VINEYARD_E_UNKNOWN || status == VINEYARD_E_UNAVAILABLE) &&
               std::strstr(vineyard_error_text(), "died twice") != nullptr;
  if (twice) ++board->died_twice;
  return twice;
}

void Complain(const char* what, int32_t status) {
  if (DiedTwice(status)) return;
  ++board->errors;
  std::fprintf(stderr, "stress: worker %d: %s: %s: %s\n", getpid(), what,
               vineyard_status_name(status), vineyard_error_text());
}

class Worker {
 public:
  Worker(int number, const char* socket, uint64_t seed) : number_(number), random_(seed) {
    int32_t status = vineyard_client_connect(socket, nullptr, &client_);
    if (status != VINEYARD_OK) {
      Complain("connect", status);
      std::exit(1);
    }
  }
  ~Worker() { vineyard_client_release(client_); }

  void Run() {
    while (board->stop.load() == 0) {
      switch (random_() % 8) {
        case 0:
        case 1:
          Put();
          break;
        case 2:
          Delete();
          break;
        case 3:
          Hold();
          break;
        default:
          Get();
          break;
      }
    }
    for (vineyard_object* object : held_) {
      Verify(object);
      vineyard_object_release(object);
    }
    held_.clear();
  }

 private:
  std::atomic<uint64_t>& AnyCell() { return board->ring[random_() % kRing]; }

  void Put() {
    // Small, middle, and through a lease.
    uint64_t words = random_() % 4 == 0 ? 8192 + random_() % 20000 : random_() % 600;
    auto payload = MakePayload(random_(), words);
    vineyard_meta* meta = nullptr;
    vineyard_meta_create("stress::Object", &meta);
    vineyard_meta_add_bytes(meta, "payload", payload.data(), payload.size() * 8,
                            VINEYARD_BLOB_BUFFER);
    // Half of the objects share a member with an object that is there already.
    uint64_t other = AnyCell().load();
    if (random_() % 2 == 0 && other != 0) vineyard_meta_add_id(meta, "other", other);
    vineyard_id id = 0;
    int32_t status = vineyard_object_put(client_, meta, nullptr, &id);
    vineyard_meta_release(meta);
    if (status == VINEYARD_E_NOT_FOUND || status == VINEYARD_E_OUT_OF_MEMORY) {
      ++board->misses;
      return;
    }
    if (status != VINEYARD_OK) return Complain("put", status);
    ++board->puts;
    uint32_t kept = board->kept_count[number_].load();
    if (kept < 64 && random_() % 50 == 0) {
      board->kept[number_][kept].store(id);
      board->kept_count[number_].store(kept + 1);
    } else {
      AnyCell().store(id);
    }
  }

  void Delete() {
    vineyard_id id = AnyCell().exchange(0);
    if (id == 0) return;
    vineyard_delete_options options = VINEYARD_DELETE_OPTIONS_INIT;
    options.force = 1;
    options.shallow = random_() % 2 == 0;
    int32_t status = vineyard_object_delete(client_, &id, 1, &options);
    if (status == VINEYARD_OK) {
      ++board->deletes;
    } else if (status != VINEYARD_E_NOT_FOUND) {
      Complain("delete", status);
    }
  }

  bool Verify(vineyard_object* object) {
    vineyard_blob* blob = nullptr;
    int32_t status = vineyard_object_member_blob(object, "payload", &blob);
    if (status != VINEYARD_OK) {
      Complain("member of a pinned object", status);
      return false;
    }
    bool intact = IsIntact(vineyard_blob_data(blob), vineyard_blob_length(blob));
    if (!intact) {
      ++board->errors;
      std::fprintf(stderr, "stress: WRONG BYTES in object o%016llx\n",
                   static_cast<unsigned long long>(vineyard_object_id(object)));
    }
    ++board->verified_gets;
    board->verified_bytes += vineyard_blob_length(blob);
    vineyard_blob_release(blob);
    return intact;
  }

  void Get() {
    vineyard_id id = AnyCell().load();
    if (id == 0) return;
    vineyard_object* object = nullptr;
    int32_t status = vineyard_object_get(client_, id, &object);
    if (status == VINEYARD_E_NOT_FOUND) {
      ++board->misses;
      return;
    }
    if (status != VINEYARD_OK) return Complain("get", status);
    Verify(object);
    vineyard_object_release(object);
  }

  // A view that is looked at again much later, when its object has long been deleted.
  void Hold() {
    vineyard_id id = AnyCell().load();
    vineyard_object* object = nullptr;
    if (id == 0 || vineyard_object_get(client_, id, &object) != VINEYARD_OK) return;
    held_.push_back(object);
    if (held_.size() > 40) {
      size_t at = random_() % held_.size();
      Verify(held_[at]);
      vineyard_object_release(held_[at]);
      held_.erase(held_.begin() + static_cast<ptrdiff_t>(at));
    }
  }

  int number_;
  std::mt19937_64 random_;
  vineyard_client* client_ = nullptr;
  std::vector<vineyard_object*> held_;
};

// ---- the one who kills ----

uint64_t Info(vineyard_client* client, const char* wanted) {
  vineyard_info* info = nullptr;
  uint64_t number = UINT64_MAX;
  if (vineyard_client_get_info(client, &info) != VINEYARD_OK) return number;
  for (uint64_t i = 0; i < vineyard_info_count(info); ++i) {
    const char* name;
    const vineyard_value* value;
    vineyard_info_at(info, i, &name, &value);
    if (std::strcmp(name, wanted) == 0) number = value->as.uint64;
  }
  vineyard_info_release(info);
  return number;
}

bool Settles(vineyard_client* client, const char* name, uint64_t wanted) {
  uint64_t number = 0;
  for (int tries = 0; tries < 600; ++tries) {
    number = Info(client, name);
    if (number == wanted) return true;
    usleep(50'000);
  }
  std::fprintf(stderr, "stress: %s is %llu, not %llu\n", name,
               static_cast<unsigned long long>(number), static_cast<unsigned long long>(wanted));
  return false;
}

pid_t Spawn(const std::vector<std::string>& command) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

struct Plan {
  std::string program;
  int seconds = 5, kills = 20, workers = 3, size_mib = 256;
  bool evict = false;
  uint64_t seed = 1;
};

// Who runs now. False: nobody answers any more.
struct Daemons {
  uint64_t epoch = 0;
  pid_t daemon = 0, keeper = 0;
};
bool Ask(vineyard_client* client, Daemons* daemons) {
  daemons->epoch = Info(client, "epoch");
  daemons->daemon = static_cast<pid_t>(Info(client, "pid"));
  daemons->keeper = static_cast<pid_t>(Info(client, "keeper_pid"));
  return daemons->epoch != UINT64_MAX;
}

// Until the death of one of them is repaired: another daemon answers, below a keeper that lives.
bool AwaitNext(vineyard_client* client, Daemons* daemons) {
  Daemons before = *daemons;
  for (int tries = 0; tries < 600; ++tries) {
    if (Ask(client, daemons) && daemons->epoch > before.epoch) return true;
    usleep(20'000);
  }
  std::fprintf(stderr, "stress: no daemon follows the one of epoch %llu\n",
               static_cast<unsigned long long>(before.epoch));
  return false;
}

// What was done to whom.
enum Violence {
  kKillDaemon,
  kKillKeeper,
  kKillWorker,
  kStopDaemon,
  kStopKeeper,
  kStopWorker,
  kKinds
};
constexpr const char* kDone[kKinds] = {"daemon killed",  "keeper killed",  "worker killed",
                                       "daemon stopped", "keeper stopped", "worker stopped"};

int Audit(const char* socket, const Plan& plan) {
  vineyard_client* client = nullptr;
  if (vineyard_client_connect(socket, nullptr, &client) != VINEYARD_OK) {
    std::fprintf(stderr, "stress: no daemon in the end: %s\n", vineyard_error_text());
    return 1;
  }
  int failures = 0;
  uint64_t kept = 0;
  for (int w = 0; w < plan.workers; ++w) {
    for (uint32_t i = 0; i < board->kept_count[w].load(); ++i) {
      vineyard_object* object = nullptr;
      vineyard_blob* blob = nullptr;
      int32_t got = vineyard_object_get(client, board->kept[w][i].load(), &object);
      if (got == VINEYARD_E_NOT_FOUND && plan.evict) continue;
      if (got != VINEYARD_OK ||
          vineyard_object_member_blob(object, "payload", &blob) != VINEYARD_OK ||
          !IsIntact(vineyard_blob_data(blob), vineyard_blob_length(blob))) {
        std::fprintf(stderr, "stress: a kept object is lost: %s\n", vineyard_error_text());
        ++failures;
      }
      vineyard_blob_release(blob);
      vineyard_object_release(object);
      ++kept;
    }
  }
  failures += Settles(client, "sessions", 1) ? 0 : 1;
  if (plan.evict && board->evictions.load() == 0) {
    std::fprintf(stderr, "stress: nothing was ever evicted; use a smaller --size\n");
    ++failures;
  }
  if (vineyard_client_clear(client, nullptr) != VINEYARD_OK) ++failures;
  failures += Settles(client, "leases", 0) ? 0 : 1;
  failures += Settles(client, "memory_used", 0) ? 0 : 1;
  failures += Settles(client, "objects", 0) ? 0 : 1;
  vineyard_client_release(client);
  std::printf(
      "stress: %llu verified gets of %.1f GB, %llu puts, %llu deletes, %llu misses, "
      "%llu died twice, %llu kept, %llu errors\n",
      static_cast<unsigned long long>(board->verified_gets.load()),
      static_cast<double>(board->verified_bytes.load()) / 1e9,
      static_cast<unsigned long long>(board->puts.load()),
      static_cast<unsigned long long>(board->deletes.load()),
      static_cast<unsigned long long>(board->misses.load()),
      static_cast<unsigned long long>(board->died_twice.load()),
      static_cast<unsigned long long>(kept), static_cast<unsigned long long>(board->errors.load()));
  if (board->verified_gets.load() == 0) ++failures;
  return failures + (board->errors.load() != 0 ? 1 : 0);
}

class Driver {
 public:
  Driver(const Plan& plan, const char* self, int board_fd)
      : plan_(plan), self_(self), board_fd_(board_fd), random_(plan.seed) {}

  int Run() {
    char folder[] = "/tmp/vineyard-stress-XXXXXX";
    if (mkdtemp(folder) == nullptr) return 1;
    socket_ = std::string(folder) + "/s";
    std::printf("stress: seed %llu\n", static_cast<unsigned long long>(plan_.seed));
    std::fflush(stdout);
    if (!Start()) return 1;
    int failures = 0;
    for (int w = 0; w < plan_.workers; ++w) workers_.push_back(StartWorker(w));
    auto pause = static_cast<useconds_t>(plan_.seconds * 1'000'000LL / (plan_.kills + 1));
    for (int k = 0; k < plan_.kills && failures == 0; ++k) {
      usleep(static_cast<useconds_t>(pause / 2 + random_() % pause));
      // Each kind once, then as it comes.
      Violence what = static_cast<Violence>(k < kKinds ? k : static_cast<int>(random_() % kKinds));
      failures += Do(what, pause) ? 0 : 1;
    }
    usleep(pause);
    board->evictions += Info(observer_, "evictions");
    board->stop.store(1);
    for (pid_t worker : workers_) {
      int status = 0;
      waitpid(worker, &status, 0);
      if (status != 0) {
        std::fprintf(stderr, "stress: a worker ended with status %d\n", status);
        ++failures;
      }
    }
    for (int kind = 0; kind < kKinds; ++kind) {
      std::printf("stress: %s %llu times\n", kDone[kind],
                  static_cast<unsigned long long>(done_[kind]));
    }
    vineyard_client_release(observer_);
    failures += Audit(socket_.c_str(), plan_);
    kill(now_.keeper, SIGTERM);
    while (waitpid(-1, nullptr, 0) > 0) {  // orphans come to us: when all are gone nobody is left
    }
    if (rmdir(folder) != 0) {
      std::fprintf(stderr, "stress: the daemon left something in %s\n", folder);
      ++failures;
    }
    std::printf("stress: %s\n", failures == 0 ? "passed" : "FAILED");
    return failures == 0 ? 0 : 1;
  }

 private:
  bool Start() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);  // the daemon of a dead keeper comes to us
    Spawn({plan_.program, "--socket", socket_, "--size", std::to_string(plan_.size_mib) + "Mi",
           "--meta", "local", "--evict", plan_.evict ? "drop" : "none", "--log-level", "error"});
    for (int tries = 0;
         vineyard_client_connect(socket_.c_str(), nullptr, &observer_) != VINEYARD_OK; ++tries) {
      if (tries == 1000) return false;
      usleep(10'000);
    }
    return Ask(observer_, &now_);
  }

  pid_t StartWorker(int number) {
    return Spawn({self_, "--worker", std::to_string(number), socket_, std::to_string(random_()),
                  std::to_string(board_fd_)});
  }

  bool Do(Violence what, useconds_t pause) {
    ++done_[what];
    size_t victim = random_() % workers_.size();
    switch (what) {
      case kKillDaemon:
      case kKillKeeper:
        board->evictions += Info(observer_, "evictions");  // each daemon counts its own
        kill(what == kKillDaemon ? now_.daemon : now_.keeper, SIGKILL);
        return AwaitNext(observer_, &now_);
      case kKillWorker:
        kill(workers_[victim], SIGKILL);
        waitpid(workers_[victim], nullptr, 0);
        workers_[victim] = StartWorker(static_cast<int>(victim));
        return true;
      case kStopDaemon:
        Stop(now_.daemon, pause);
        return true;
      case kStopKeeper:
        Stop(now_.keeper, pause);
        return true;
      default:
        Stop(workers_[victim], pause);
        return true;
    }
  }

  // Whoever stands still is not dead: the others wait for it, or go on without.
  void Stop(pid_t pid, useconds_t pause) {
    kill(pid, SIGSTOP);
    usleep(static_cast<useconds_t>(random_() % pause));
    kill(pid, SIGCONT);
  }

  const Plan& plan_;
  const char* const self_;
  const int board_fd_;
  std::mt19937_64 random_;
  std::string socket_;
  vineyard_client* observer_ = nullptr;
  Daemons now_;
  std::vector<pid_t> workers_;
  uint64_t done_[kKinds] = {};
};

}  // namespace

int main(int argc, char** argv) {
  bool worker = argc == 6 && std::strcmp(argv[1], "--worker") == 0;
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: stress VINEYARDD [--seconds S] [--kills K] [--workers W] [--seed N] "
                 "[--size MiB] [--evict 1]\n");
    return 2;
  }
  int board_fd = worker ? std::atoi(argv[5]) : memfd_create("stress", 0);
  if (!worker && ftruncate(board_fd, sizeof(Board)) != 0) return 1;
  void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, board_fd, 0);
  if (memory == MAP_FAILED) return 1;
  board = static_cast<Board*>(memory);
  if (worker) {
    Worker(std::atoi(argv[2]), argv[3], std::strtoull(argv[4], nullptr, 10)).Run();
    return 0;
  }
  Plan plan;
  plan.program = argv[1];
  plan.seed = std::random_device()();
  for (int i = 2; i + 1 < argc; i += 2) {
    uint64_t number = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seconds") == 0) plan.seconds = static_cast<int>(number);
    if (std::strcmp(argv[i], "--kills") == 0) plan.kills = static_cast<int>(number);
    if (std::strcmp(argv[i], "--workers") == 0) {
      plan.workers = static_cast<int>(number < kMaxWorkers ? number : kMaxWorkers);
    }
    if (std::strcmp(argv[i], "--seed") == 0) plan.seed = number;
    if (std::strcmp(argv[i], "--size") == 0) plan.size_mib = static_cast<int>(number);
    if (std::strcmp(argv[i], "--evict") == 0) plan.evict = number != 0;
  }
  return Driver(plan, "/proc/self/exe", board_fd).Run();
}

// Readers, writers and deleters in processes of their own, under a daemon, keeper and workers that are
// killed at random; in the end an audit.
//
//   stress VINEYARDD [--seconds S] [--kills K] [--workers W] [--seed N]
//
// Every payload can be recomputed from its first 16 bytes, so that one wrong byte, read at any time, is
// found. A worker may be told "not found" (somebody deleted it), "out of memory", and that two daemons in
// a row died under its request; anything else is an error. The audit: nobody hangs, no object that was not
// deleted is missing, and once everything is deleted not one byte is used, leased or waiting. The seed is
// printed; it fixes who is killed and what workers try, not the timing.
#include <sys/mman.h>
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
  std::atomic<uint64_t> verified_gets, verified_bytes, puts, deletes, errors, misses, died_twice;
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

pid_t DaemonOf(pid_t keeper) {
  std::string path = "/proc/" + std::to_string(keeper) + "/task/" + std::to_string(keeper);
  std::FILE* file = std::fopen((path + "/children").c_str(), "r");
  int pid = 0;
  if (file != nullptr) {
    if (std::fscanf(file, "%d", &pid) != 1) pid = 0;
    std::fclose(file);
  }
  return pid;
}

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
  int seconds = 5, kills = 20, workers = 3;
  uint64_t seed = 1;
};

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
      if (vineyard_object_get(client, board->kept[w][i].load(), &object) != VINEYARD_OK ||
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

int Drive(const Plan& plan, const char* self, int board_fd) {
  char folder[] = "/tmp/vineyard-stress-XXXXXX";
  if (mkdtemp(folder) == nullptr) return 1;
  std::string socket = std::string(folder) + "/s";
  std::printf("stress: seed %llu\n", static_cast<unsigned long long>(plan.seed));
  std::fflush(stdout);
  pid_t keeper = Spawn({plan.program, "--socket", socket, "--size", "256Mi", "--meta", "local",
                        "--log-level", "error"});
  vineyard_client* probe = nullptr;
  for (int tries = 0; vineyard_client_connect(socket.c_str(), nullptr, &probe) != VINEYARD_OK;
       ++tries) {
    if (tries == 1000) return 1;
    usleep(10'000);
  }
  vineyard_client_release(probe);

  std::mt19937_64 random(plan.seed);
  std::vector<pid_t> workers;
  auto start_worker = [&](int number) {
    return Spawn({self, "--worker", std::to_string(number), socket, std::to_string(random()),
                  std::to_string(board_fd)});
  };
  for (int w = 0; w < plan.workers; ++w) workers.push_back(start_worker(w));
  uint64_t daemon_kills = 0, worker_kills = 0;
  useconds_t pause = static_cast<useconds_t>(plan.seconds * 1'000'000LL / (plan.kills + 1));
  for (int k = 0; k < plan.kills; ++k) {
    usleep(static_cast<useconds_t>(pause / 2 + random() % pause));
    if (random() % 2 == 0) {
      pid_t daemon = DaemonOf(keeper);
      if (daemon > 0) {
        kill(daemon, SIGKILL);
        ++daemon_kills;
      }
    } else {
      size_t victim = random() % workers.size();
      kill(workers[victim], SIGKILL);
      waitpid(workers[victim], nullptr, 0);
      workers[victim] = start_worker(static_cast<int>(victim));
      ++worker_kills;
    }
  }
  usleep(pause);
  board->stop.store(1);
  int failures = 0;
  for (pid_t worker : workers) {
    int status = 0;
    waitpid(worker, &status, 0);
    if (status != 0) {
      std::fprintf(stderr, "stress: a worker ended with status %d\n", status);
      ++failures;
    }
  }
  std::printf("stress: killed the daemon %llu times, workers %llu times\n",
              static_cast<unsigned long long>(daemon_kills),
              static_cast<unsigned long long>(worker_kills));
  failures += Audit(socket.c_str(), plan);
  kill(keeper, SIGTERM);
  waitpid(keeper, nullptr, 0);
  if (rmdir(folder) != 0) {
    std::fprintf(stderr, "stress: the daemon left something in %s\n", folder);
    ++failures;
  }
  std::printf("stress: %s\n", failures == 0 ? "passed" : "FAILED");
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  bool worker = argc == 6 && std::strcmp(argv[1], "--worker") == 0;
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: stress VINEYARDD [--seconds S] [--kills K] [--workers W] [--seed N]\n");
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
  }
  return Drive(plan, "/proc/self/exe", board_fd);
}

// What it takes to get an object that is there: nanoseconds, system calls, and other readers beside.
//
//   hot_path VINEYARDD [OBJECTS]     starts a daemon of its own; prints one line of JSON a figure
#include <errno.h>
#include <sys/mman.h>

#include <atomic>

#include "bench/c/bench.h"
#include "tests/support/no_system_calls.h"

namespace {

uint64_t sink;  // so that nothing is optimized away

void GetOnce(vineyard_client* client, vineyard_id id) {
  vineyard_blob* blob;
  CHECK(vineyard_blob_get(client, id, &blob));
  sink += static_cast<const unsigned char*>(vineyard_blob_data(blob))[0];
  vineyard_blob_release(blob);
}

double NsPerGet(vineyard_client* client, vineyard_id id, int count) {
  double start = NowNs();
  for (int i = 0; i < count; ++i) GetOnce(client, id);
  return (NowNs() - start) / count;
}

double HotNs(vineyard_client* client, vineyard_id id) {
  std::vector<double> batches;
  batches.reserve(101);
  for (int i = 0; i < 101; ++i) batches.push_back(NsPerGet(client, id, 20000));
  return Median(batches);
}

vineyard_id PutBlob(vineyard_client* client, uint64_t size) {
  std::string bytes(size, 'x');
  vineyard_id id;
  CHECK(vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id));
  return id;
}

// A process that would die of its first system call.
void NoSystemCalls(const Daemon& daemon, vineyard_id id) {
  constexpr int kGets = 1000000;
  pid_t pid = fork();
  if (pid == 0) {
    vineyard_client* client = daemon.Connect();
    for (int i = 0; i < 100; ++i) GetOnce(client, id);
    if (!vineyard::testing::ForbidSystemCalls()) _exit(77);
    for (int i = 0; i < kGets; ++i) GetOnce(client, id);
    syscall(SYS_exit_group, 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    fprintf(stderr, "hot_path: the kernel lets nobody forbid system calls here\n");
    return;
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "hot_path: a get made a system call\n");
    exit(1);
  }
  PrintFigure("get + release: system calls in 1,000,000", 0, "calls", 0);
}

// ---- many objects ----------------------------------------------------------------------------------

// As members of some large objects: one message for each of those.
std::vector<vineyard_id> PutMany(vineyard_client* client, uint64_t count) {
  constexpr uint64_t kTogether = 10000;
  std::vector<vineyard_id> ids;
  ids.reserve(count);
  char payload[64] = {};
  while (ids.size() < count) {
    vineyard_meta* meta;
    vineyard_object* object;
    vineyard_id root;
    CHECK(vineyard_meta_create("bench::Many", &meta));
    for (uint64_t i = 0; i < std::min(kTogether, count - ids.size()); ++i) {
      std::string name = std::to_string(i);
      CHECK(vineyard_meta_add_bytes(meta, name.c_str(), payload, sizeof payload,
                                    VINEYARD_BLOB_BUFFER));
    }
    CHECK(vineyard_object_put(client, meta, nullptr, &root));
    vineyard_meta_release(meta);
    CHECK(vineyard_object_get(client, root, &object));
    for (uint64_t i = 0; i < vineyard_object_member_count(object); ++i) {
      const char* name;
      uint64_t size;
      vineyard_id id;
      CHECK(vineyard_object_member_at(object, i, &name, &size, &id));
      ids.push_back(id);
    }
    vineyard_object_release(object);
  }
  return ids;
}

void Random(vineyard_client* client, uint64_t count) {
  std::vector<vineyard_id> ids = PutMany(client, count);
  uint64_t random = 88172645463325252u;
  for (uint64_t i = ids.size() - 1; i > 0; --i) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    std::swap(ids[i], ids[random % (i + 1)]);
  }
  // Not the bytes themselves: what those cost is their reader's affair.
  auto get = [client](vineyard_id id) {
    vineyard_blob* blob;
    CHECK(vineyard_blob_get(client, id, &blob));
    sink += vineyard_blob_length(blob);
    vineyard_blob_release(blob);
  };
  for (vineyard_id id : ids) get(id);  // grants and page tables
  const size_t kBatch = std::min<size_t>(5000, ids.size());
  std::vector<double> batches;
  for (int k = 0; k < 5; ++k) {
    for (size_t i = 0; i + kBatch <= ids.size(); i += kBatch) {
      double start = NowNs();
      for (size_t j = i; j < i + kBatch; ++j) get(ids[j]);
      batches.push_back((NowNs() - start) / static_cast<double>(kBatch));
    }
  }
  PrintFigure("get + release over " + std::to_string(count) + " objects in random order",
              Median(batches), "ns", 400);
}

// ---- two at once -----------------------------------------------------------------------------------

struct Shared {
  std::atomic<int> round;     // what everybody does now; -1: end
  std::atomic<int> ready[2];  // last round that each has finished
  double ns[2];
};

constexpr int kRounds = 41, kRoundNs = 30'000'000;

void Spin() {
  double end = NowNs() + kRoundNs;
  volatile uint64_t own = 0;
  while (NowNs() < end) {
    for (int i = 0; i < 1000; ++i) own = own + 1;
  }
}

double Read(vineyard_client* client, vineyard_id id) {
  std::vector<double> batches;
  for (double end = NowNs() + kRoundNs; NowNs() < end;) {
    batches.push_back(NsPerGet(client, id, 2000));
  }
  return Median(batches);
}

// Process 0 reads in each round; process 1 spins in even ones and reads in odd ones.
void TwoAtOnce(const Daemon& daemon, vineyard_id id) {
  auto* shared = static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared->round = 0;
  pid_t pids[2];
  for (int me = 0; me < 2; ++me) {
    shared->ready[me] = 0;
    pids[me] = fork();
    if (pids[me] != 0) continue;
    vineyard_client* client = daemon.Connect();
    GetOnce(client, id);
    for (int done = 0;;) {
      int round = shared->round;
      if (round < 0) _exit(0);
      if (round == done) continue;
      if (me == 1 && round % 2 == 0) {
        Spin();
      } else {
        shared->ns[me] = Read(client, id);
      }
      shared->ready[me] = done = round;
    }
  }
  std::vector<double> alone, first, second;
  for (int round = 1; round <= 2 * kRounds; ++round) {
    shared->round = round;
    while (shared->ready[0] != round || shared->ready[1] != round) usleep(1000);
    if (round % 2 == 0) {
      alone.push_back(shared->ns[0]);
    } else {
      first.push_back(shared->ns[0]);
      second.push_back(shared->ns[1]);
    }
  }
  shared->round = -1;
  for (pid_t pid : pids) waitpid(pid, nullptr, 0);
  double limit = 1.2 * Median(alone);
  PrintFigure("get + release, two readers at once, the slower",
              std::max(Median(first), Median(second)), "ns", limit,
              "1.2 x one reader beside a process that spins");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  uint64_t objects = argc > 2 ? strtoull(argv[2], nullptr, 10) : 1000000;
  Daemon daemon(argv[1], "2Gi");
  vineyard_client* client = daemon.Connect();
  vineyard_id id = PutBlob(client, 1024);
  PrintFigure("get + release of a sealed object, hot", HotNs(client, id), "ns", 60);
  NoSystemCalls(daemon, id);
  TwoAtOnce(daemon, id);
  Random(client, objects);
  vineyard_client_release(client);
  return sink == 1 ? 1 : 0;
}

// What it takes to put: a small blob beside a bare round trip over a unix socket, a large one beside
// memcpy.
//
//   put VINEYARDD     starts a daemon of its own; prints one line of JSON a figure
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "bench/c/bench.h"

namespace {

constexpr uint64_t kSmall = 1024;
constexpr uint64_t kLarge = uint64_t{64} << 20;

// A process that sends back what it gets.
class Echo {
 public:
  Echo() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) exit(1);
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      char bytes[kSmall];
      for (ssize_t got; (got = read(ends[1], bytes, sizeof bytes)) > 0;) {
        if (write(ends[1], bytes, static_cast<size_t>(got)) != got) break;
      }
      _exit(0);
    }
    close(ends[1]);
    fd_ = ends[0];
  }
  ~Echo() {
    close(fd_);
    waitpid(pid_, nullptr, 0);
  }
  void RoundTrip() {
    char bytes[kSmall] = {};
    if (write(fd_, bytes, sizeof bytes) != sizeof bytes) exit(1);
    for (size_t got = 0; got < sizeof bytes;) {
      ssize_t more = read(fd_, bytes + got, sizeof bytes - got);
      if (more <= 0) exit(1);
      got += static_cast<size_t>(more);
    }
  }

 private:
  int fd_;
  pid_t pid_;
};

void Small(vineyard_client* client) {
  constexpr int kRounds = 201, kBatch = 50;
  Echo echo;
  std::string bytes(kSmall, 'x');
  std::vector<double> puts, trips;
  std::vector<vineyard_id> ids(kBatch);
  for (int round = 0; round < kRounds; ++round) {
    double start = NowNs();
    for (int i = 0; i < kBatch; ++i) echo.RoundTrip();
    double between = NowNs();
    for (vineyard_id& id : ids) {
      CHECK(vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BYTES, &id));
    }
    double end = NowNs();
    trips.push_back((between - start) / kBatch);
    puts.push_back((end - between) / kBatch);
    CHECK(vineyard_object_delete(client, ids.data(), ids.size(), nullptr));
  }
  PrintFigure("put of 1 KiB", Median(puts) / 1e3, "us", 2 * Median(trips) / 1e3,
              "2 x a bare round trip");
}

void* Memory(uint64_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, size);
  return memory;
}

// Sealed and deleted in turn, so that all but the first go into memory that was used before.
void Large(vineyard_client* client) {
  constexpr int kRounds = 31;
  void* source = Memory(kLarge);
  void* destination = Memory(kLarge);
  std::vector<double> puts, copies, ratios;
  for (int round = -2; round < kRounds; ++round) {
    vineyard_id id;
    double start = NowNs();
    memcpy(destination, source, kLarge);
    double between = NowNs();
    CHECK(vineyard_blob_put(client, source, kLarge, VINEYARD_BLOB_BUFFER, &id));
    double end = NowNs();
    CHECK(vineyard_object_delete(client, &id, 1, nullptr));
    if (round < 0) continue;
    copies.push_back(between - start);
    puts.push_back(end - between);
  }
  double gib = static_cast<double>(kLarge) / (1 << 30);
  PrintFigure("put of 64 MiB into recycled memory", gib / (Median(puts) * 1e-9), "GiB/s",
              gib / (Median(copies) * 1e-9), "memcpy (the target is a ratio of 0.9)");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  Daemon daemon(argv[1], "512Mi");
  vineyard_client* client = daemon.Connect();
  Small(client);
  Large(client);
  vineyard_client_release(client);
  return 0;
}

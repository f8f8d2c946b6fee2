// What a client of a daemon in a cluster waits for: a persist, beside what ZooKeeper's own client waits for a
// node of that size; and puts and gets of its own objects while ZooKeeper is away, beside those before.
//
//   cluster VINEYARDD [TIMES]     starts a ZooKeeper and two daemons; prints one line of JSON a figure
#include <string.h>

#include <memory>

#include "bench/c/bare_zookeeper.h"
#undef CHECK
#include "tests/support/zookeeper_server.h"

namespace {

const std::string kBody(250, 'x');  // as much as a small tree takes

void Check(int32_t status) {
  if (status == VINEYARD_OK) return;
  fprintf(stderr, "bench_cluster: %s: %s\n", vineyard_status_name(status), vineyard_error_text());
  exit(1);
}

vineyard_id PutBlob(vineyard_client* client) {
  static const std::string kBytes(1024, 'x');
  vineyard_id id;
  Check(vineyard_blob_put(client, kBytes.data(), kBytes.size(), VINEYARD_BLOB_BYTES, &id));
  return id;
}

// ---- persist -------------------------------------------------------------------------------------

vineyard_id PutTree(vineyard_client* client) {
  vineyard_meta* meta = nullptr;
  vineyard_id id;
  Check(vineyard_meta_create("vineyard::Array", &meta));
  Check(vineyard_meta_add_id(meta, "buffer_", PutBlob(client)));
  Check(vineyard_object_put(client, meta, nullptr, &id));
  vineyard_meta_release(meta);
  return id;
}

double PersistUs(vineyard_client* client) {
  vineyard_id id = PutTree(client);
  double begin = NowNs();
  Check(vineyard_object_persist(client, &id, 1));
  return (NowNs() - begin) / 1e3;
}

void Persist(const char* name, vineyard_client* client, BareZooKeeper* bare, int times) {
  std::vector<double> ours, theirs;
  for (int i = 0; i < times; ++i) {
    for (int k = 0; k < 50; ++k) ours.push_back(PersistUs(client));
    for (int k = 0; k < 50; ++k) {
      double begin = NowNs();
      bare->CreateNext(kBody);
      theirs.push_back((NowNs() - begin) / 1e3);
    }
  }
  PrintFigure(std::string("client and daemon: persist a small tree, ") + name + ", p50",
              Median(ours), "us", Median(theirs), "bare create (the target is a ratio of 2)");
}

// ---- ZooKeeper is away ---------------------------------------------------------------------------

bool IsStale(vineyard_client* client) {
  vineyard_info* info = nullptr;
  Check(vineyard_client_get_info(client, &info));
  bool is_stale = false;
  for (uint64_t i = 0; i < vineyard_info_count(info); ++i) {
    const char* name = nullptr;
    const vineyard_value* value = nullptr;
    Check(vineyard_info_at(info, i, &name, &value));
    if (strcmp(name, "meta_stale_since_ms") == 0) is_stale = value->as.uint64 != 0;
  }
  vineyard_info_release(info);
  return is_stale;
}

void AwaitStale(vineyard_client* client, bool wanted) {
  for (int i = 0; IsStale(client) != wanted; ++i) {
    if (i == 60'000) exit(1);
    usleep(1000);
  }
}

struct Local {
  std::vector<double> puts, gets;

  void Measure(vineyard_client* client, int times) {
    constexpr int kBatch = 50, kGets = 10'000;
    std::vector<vineyard_id> ids(kBatch);
    for (int i = 0; i < times; ++i) {
      double begin = NowNs();
      for (vineyard_id& id : ids) id = PutBlob(client);
      puts.push_back((NowNs() - begin) / 1e3 / kBatch);
      begin = NowNs();
      for (int k = 0; k < kGets; ++k) {
        vineyard_blob* blob;
        Check(vineyard_blob_get(client, ids[0], &blob));
        vineyard_blob_release(blob);
      }
      gets.push_back((NowNs() - begin) / kGets);
      Check(vineyard_object_delete(client, ids.data(), ids.size(), nullptr));
    }
  }
};

void Away(vineyard_client* client, vineyard::testing::ZooKeeperServer* server, int rounds,
          int times) {
  Local before, away;
  for (int round = 0; round < rounds; ++round) {
    before.Measure(client, times);
    // In turns: nobody is there; somebody is, and says nothing.
    bool is_killed = round % 2 == 0;
    is_killed ? server->Kill() : server->Stop();
    AwaitStale(client, true);
    away.Measure(client, times);
    is_killed ? server->Restart() : server->Continue();
    AwaitStale(client, false);
  }
  const char* limit = "before (the target is a ratio of 1.1)";
  PrintFigure("ZooKeeper away: put of 1 KiB", Median(away.puts), "us", Median(before.puts), limit);
  PrintFigure("ZooKeeper away: hot get", Median(away.gets), "ns", Median(before.gets), limit);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  int times = argc > 2 ? atoi(argv[2]) : 20;
  bool is_smoke = times < 20;
  vineyard::testing::ZooKeeperServer server;
  std::string meta = "zookeeper://" + server.address() + "/bench";
  auto bare = std::make_unique<BareZooKeeper>(server.address());
  Daemon daemon(argv[1], "256Mi", meta);
  vineyard_client* client = daemon.Connect();
  for (int i = 0; i < 100 * times; ++i) {  // the server compiles what it runs
    PersistUs(client);
    bare->CreateNext(kBody);
  }
  Persist("alone", client, bare.get(), times);
  {
    Daemon other(argv[1], "64Mi", meta);
    vineyard_client_release(other.Connect());
    Persist("another follows", client, bare.get(), times);
  }
  bare.reset();  // it would try to connect all the time
  Away(client, &server, is_smoke ? 1 : 8, 10 * times);
  vineyard_client_release(client);
  return 0;
}

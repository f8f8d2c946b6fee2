// What a cluster's metadata costs: ZooKeeper's own client and the metadata service take turns over one server.
//
// Everything is in this process but the server: each service has a loop of its own on a thread of its own.
#include <malloc.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "bench/c/bare_zookeeper.h"
#undef CHECK
#include "core/meta/zookeeper/service.h"
#include "tests/support/zookeeper_server.h"

namespace {

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::meta;  // NOLINT(google-build-using-namespace)
using meta::zookeeper::NewUuid;
using meta::zookeeper::ServiceOptions;
using meta::zookeeper::ZookeeperService;

constexpr int64_t kPatienceMs = 300'000;

[[noreturn]] void Die(const std::string& why) {
  fprintf(stderr, "bench_metadata: %s\n", why.c_str());
  exit(1);
}

// ---- a service on a thread ---------------------------------------------------------------------

class Host {
 public:
  Host(const std::string& servers, const std::string& prefix, uint64_t number) {
    thread_ = std::thread([this] { Run(); });
    ServiceOptions options;
    options.connection.servers = servers;
    options.connection.session_timeout_ms = 10'000;
    options.prefix = prefix;
    options.self.number = number;
    std::atomic<bool> ready = false;
    Post([&] {
      service_ = std::make_unique<ZookeeperService>(
          options, [this](std::function<void()> what) { Post(std::move(what)); },
          [&](const Status& status) {
            if (!status.ok()) Die(status.ToString());
            ready = true;
            ready.notify_one();
          });
    });
    ready.wait(false);
  }
  ~Host() {
    Call([&] { service_.reset(); });
    Post([this] { over_ = true; });
    thread_.join();
  }
  void Post(std::function<void()> what) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(what));
    changed_.notify_one();
  }
  // Runs there and waits for it.
  void Call(const std::function<void()>& what) {
    std::atomic<bool> done = false;
    Post([&] {
      what();
      done = true;
      done.notify_one();
    });
    done.wait(false);
  }
  ZookeeperService& service() { return *service_; }
  void Commit(Change change, std::function<void()> done) {
    service_->Commit({}, std::move(change), Deadline::After(kPatienceMs),
                     [done = std::move(done)](const Result<Outcome>& outcome) {
                       if (!outcome.ok()) Die(outcome.status().ToString());
                       done();
                     });
  }

 private:
  void Run() {
    int64_t ticked = 0;
    while (!over_) {
      std::function<void()> what;
      {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(10), [this] { return !queue_.empty(); });
        if (!queue_.empty()) {
          what = std::move(queue_.front());
          queue_.pop_front();
        }
      }
      if (what) what();
      int64_t now = MonotonicNs();
      if (service_ != nullptr && now - ticked > 20'000'000) service_->Tick(ticked = now);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool over_ = false;
  std::unique_ptr<ZookeeperService> service_;
  std::thread thread_;
};

// ---- trees ---------------------------------------------------------------------------------------

// Of so many objects: a tuple, then arrays and blobs in turn.
std::string TreeOf(uint64_t instance, uint64_t counter, uint64_t objects) {
  std::deque<std::string> records;
  Tree tree;
  tree.owner = instance;
  std::vector<Member> members;
  std::deque<std::string> names;
  for (uint64_t i = 1; i < objects; ++i) {
    Node node;
    if (i % 2 == 1) {
      node.id = MakeId(true, instance, counter + i);
      node.value_size = 800;
    } else {
      node.id = MakeId(false, instance, counter + i);
      records.push_back(EncodeRecord(node.id, "vineyard::Array", 800, instance,
                                     {{"buffer_", MakeId(true, instance, counter + i - 1)}},
                                     "\x81\xa9size_type\x0a"));
      node.record = records.back();
      members.push_back({names.emplace_back("element_" + std::to_string(i)), node.id});
    }
    tree.nodes.push_back(node);
  }
  Node root;
  root.id = MakeId(false, instance, counter);
  records.push_back(EncodeRecord(root.id, "vineyard::Tuple", 800 * objects, instance, members,
                                 "\x81\xa9size_type\x0a"));
  root.record = records.back();
  tree.nodes.insert(tree.nodes.begin(), root);
  return EncodeTree(tree).value();
}

// ---- what is measured ----------------------------------------------------------------------------

// One after the other; microseconds of each.
std::vector<double> PersistOneByOne(Host* host, uint64_t* counter, int times) {
  std::vector<double> took;
  for (int i = 0; i < times; ++i, *counter += 2) {
    std::string tree = TreeOf(1, *counter, 2);
    std::atomic<bool> done = false;
    double begin = NowNs();
    host->Post([&] {
      host->Commit(Persist{{tree}}, [&] {
        done = true;
        done.notify_one();
      });
    });
    done.wait(false);
    took.push_back((NowNs() - begin) / 1e3);
  }
  return took;
}

void Latency(const char* name, Host* host, BareZooKeeper* bare, uint64_t* counter, int rounds) {
  std::vector<double> ours, theirs, multis;
  std::string body = TreeOf(1, *counter, 2);
  for (int round = 0; round < rounds; ++round) {
    for (double us : PersistOneByOne(host, counter, 50)) ours.push_back(us);
    for (int i = 0; i < 50; ++i) {
      double begin = NowNs();
      bare->CreateNext(body);
      theirs.push_back((NowNs() - begin) / 1e3);
    }
    for (int i = 0; i < 50; ++i) {
      double begin = NowNs();
      bare->Multi(body);
      multis.push_back((NowNs() - begin) / 1e3);
    }
  }
  std::string text = std::string("persist a small tree, ") + name + ", p50";
  PrintFigure(text, Median(ours), "us", Median(theirs), "bare create (the target is a ratio of 2)");
  PrintFigure(text + ", the same", Median(ours), "us", Median(multis), "the same multi, bare");
}

// From the call on one to the event on the other.
void Visibility(Host* host, Host* other, uint64_t* counter, int times) {
  std::vector<double> took;
  std::atomic<int> seen = 0;
  other->Call([&] {
    other->service().on_event = [&](const Event& event) {
      if (event.kind != Event::Kind::kCreated) return;
      ++seen;
      seen.notify_one();
    };
  });
  for (int i = 0; i < times; ++i, *counter += 2) {
    std::string tree = TreeOf(1, *counter, 2);
    int before = seen;
    double begin = NowNs();
    host->Post([&] { host->Commit(Persist{{tree}}, [] {}); });
    seen.wait(before);
    took.push_back((NowNs() - begin) / 1e3);
  }
  other->Call([&] { other->service().on_event = nullptr; });
  PrintFigure("persisted on one, visible on another, p50", Median(took), "us", 3000);
}

// `clients` who each persist one tree after the other; objects a second.
double Throughput(Host* host, uint64_t* counter, size_t trees, uint64_t objects, size_t clients) {
  std::deque<std::string> bodies;
  for (size_t i = 0; i < trees; ++i, *counter += objects) {
    bodies.push_back(TreeOf(1, *counter, objects));
  }
  std::atomic<size_t> running = clients;
  std::function<void()> next = [&] {
    if (bodies.empty()) {
      if (--running == 0) running.notify_one();
      return;
    }
    std::string tree = std::move(bodies.front());
    bodies.pop_front();
    host->Commit(Persist{{std::move(tree)}}, next);
  };
  double begin = NowNs();
  host->Post([&] {
    for (size_t i = 0; i < clients; ++i) next();
  });
  for (size_t now = running; now > 0; now = running) running.wait(now);
  return static_cast<double>(trees * objects) / ((NowNs() - begin) / 1e9);
}

// Time, and memory besides the records.
void Join(const std::string& servers, const std::string& prefix, const char* what, double limit_s) {
  malloc_trim(0);
  size_t before = mallinfo2().uordblks;
  double begin = NowNs();
  Host joining(servers, prefix, 0);
  double took = (NowNs() - begin) / 1e9;
  size_t bytes = 0, objects = 0;
  joining.Call([&] {
    const Catalog& catalog = joining.service().catalog();
    objects = catalog.objects();
    for (ObjectId home : catalog.TreesOf(1)) bytes += catalog.TreeOf(home).size();
  });
  size_t used = mallinfo2().uordblks - before;
  std::string text = std::to_string(objects) + " objects" + what;
  PrintFigure("join a cluster of " + text, took, "s", limit_s);
  PrintFigure(
      "memory an object beside its record, " + text,
      (static_cast<double>(used) - static_cast<double>(bytes)) / static_cast<double>(objects),
      "bytes", 200);
}

}  // namespace

int main(int argc, char** argv) {
  size_t objects = argc > 2 ? static_cast<size_t>(atoll(argv[2])) : 100'000;
  bool is_smoke = objects < 100'000;
  setenv("ZOOKEEPER_HEAP", "1g", 0);
  vineyard::testing::ZooKeeperServer server;
  std::string address = server.address();
  BareZooKeeper bare(address);
  {
    std::string prefix = "/a" + NewUuid();
    uint64_t counter = 1;
    auto host = std::make_unique<Host>(address, prefix, 1);
    int rounds = is_smoke ? 1 : 20;
    PersistOneByOne(host.get(), &counter,
                    is_smoke ? 10 : 1000);  // the server compiles what it runs
    Latency("alone", host.get(), &bare, &counter, rounds);
    auto other = std::make_unique<Host>(address, prefix, 2);
    Latency("another follows", host.get(), &bare, &counter, rounds);
    Visibility(host.get(), other.get(), &counter, is_smoke ? 10 : 500);
    other.reset();
  }
  std::string prefix = "/b" + NewUuid();
  {
    uint64_t counter = 1;
    Host host(address, prefix, 1);
    size_t trees = objects / 16;
    Revision from = host.service().applied();
    double ours = Throughput(&host, &counter, trees, 16, 8);
    Revision to = host.service().applied();
    // What the service made of them; of several generations, the last is not worse.
    size_t multis = to.generation == from.generation ? to.entries - from.entries : trees / 2;
    size_t together = std::max<size_t>(1, trees / multis);
    double ns = bare.Multis(trees / together, together, TreeOf(1, counter, 16));
    double theirs = static_cast<double>(trees / together * together * 16) / (ns / 1e9);
    PrintFigure("persist trees of 16, 8 clients", ours, "objects/s", theirs, "bare multis");
    PrintPlain("trees in a multi", static_cast<double>(trees) / static_cast<double>(multis),
               "trees");
  }
  Join(address, prefix, " in trees of 16", 3);
  prefix = "/c" + NewUuid();
  {
    uint64_t counter = 1;
    Host host(address, prefix, 1);
    PrintPlain("persist trees of 1, 64 clients", Throughput(&host, &counter, objects, 1, 64),
               "objects/s");
  }
  Join(address, prefix, " in trees of 1", 12);
  return 0;
}

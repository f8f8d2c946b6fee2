// Many clients that give, move and take away the same few names, while daemons, links and the server fail: what
// they were answered has to be what one register each could have done.
//
// VINEYARD_TEST_SEED repeats what was chosen (not when it happened), VINEYARD_TEST_SECONDS makes it longer.
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <random>
#include <thread>

#include "core/base/clock.h"
#include "tests/cluster/fixture.h"
#include "tests/cluster/name_history.h"

namespace vineyard::testing {
namespace {

using Kind = NameOp::Kind;
using Outcome = NameOp::Outcome;

constexpr int kClients = 10, kNames = 5;

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// The object of which a refusal says that it has the name, and since which revision; 0: it does not say.
uint64_t HolderIn(const std::string& text) {
  size_t at = text.find("object o");
  vineyard_id id = VINEYARD_ID_INVALID;
  if (at == std::string::npos) return 0;
  std::string id_text = text.substr(at + 7, VINEYARD_ID_TEXT_SIZE - 1);
  return vineyard_id_parse(id_text.c_str(), &id) == VINEYARD_OK ? id : 0;
}
uint64_t RevisionIn(const std::string& text) {
  const std::string words = "since revision ";
  size_t at = text.find(words);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + words.size(), nullptr, 10);
}

class NameClient {
 public:
  NameClient(int number, vineyard_client* client, std::vector<vineyard_id> objects, uint64_t seed)
      : number_(number), client_(client), objects_(std::move(objects)), random_(seed) {}
  ~NameClient() { vineyard_client_release(client_); }

  void Step() {
    std::string name = "n" + std::to_string(random_() % kNames);
    uint64_t what = random_() % 100;
    if (what < 20) return Put(name, /*replace=*/false, std::nullopt);
    if (what < 40) return Put(name, /*replace=*/true, std::nullopt);
    if (what < 60) return Put(name, /*replace=*/false, known_[name]);
    if (what < 70) return Drop(name, std::nullopt);
    if (what < 75) return Drop(name, known_[name]);
    Read(name, /*latest=*/what < 88);
  }
  void Read(const std::string& name, bool latest) {
    NameOp op = Begin(Kind::kRead, name);
    vineyard_name_get_options options = VINEYARD_NAME_GET_OPTIONS_INIT;
    options.latest = latest ? 1 : 0;
    int32_t status = vineyard_name_get_with(client_, name.c_str(), &options, &op.id, &op.revision);
    if (status == VINEYARD_OK && !latest) op.kind = Kind::kPlain;
    if (status == VINEYARD_E_NOT_FOUND) op.id = op.revision = 0;
    if (status == VINEYARD_OK || status == VINEYARD_E_NOT_FOUND) return End(op);
    Failed(op, status);
  }

  const std::vector<NameOp>& history() const { return history_; }
  // What is not in it because it was not done, as far as anybody says.
  const std::vector<std::string>& failures() const { return failures_; }
  const std::map<std::string, int>& answers() const { return answers_; }

 private:
  void Put(const std::string& name, bool replace, std::optional<uint64_t> expect) {
    NameOp op = Begin(Kind::kPut, name);
    op.put_id = objects_[random_() % objects_.size()];
    op.replace = replace;
    vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
    options.replace = replace ? 1 : 0;
    Compare(expect, &op, &options);
    Written(&op, vineyard_name_put(client_, name.c_str(), op.put_id, &options, &op.revision));
  }
  void Drop(const std::string& name, std::optional<uint64_t> expect) {
    NameOp op = Begin(Kind::kDrop, name);
    vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
    Compare(expect, &op, &options);
    Written(&op, vineyard_name_drop(client_, name.c_str(), &options));
  }
  static void Compare(std::optional<uint64_t> expect, NameOp* op, vineyard_name_options* options) {
    if (!expect) return;
    options->compare = 1;
    options->expect = op->expect = *expect;
  }

  NameOp Begin(Kind kind, const std::string& name) {
    NameOp op;
    op.kind = kind;
    op.client = number_;
    op.name = name;
    op.called = MonotonicNs();
    return op;
  }
  void End(NameOp op) {
    op.returned = MonotonicNs();
    if (op.revision != 0) known_[op.name] = op.revision;
    if (op.outcome == Outcome::kDone && op.id == 0) known_[op.name] = 0;
    ++answers_[op.outcome == Outcome::kRefused ? "refused" : "done"];
    history_.push_back(std::move(op));
  }
  void Written(NameOp* op, int32_t status) {
    std::string why = status == VINEYARD_OK ? "" : vineyard_error_text();
    if (status != VINEYARD_OK) op->revision = 0;
    switch (status) {
      case VINEYARD_OK:
        op->id = op->put_id;
        return End(*op);
      case VINEYARD_E_CONFLICT:
        // It was tried for a long time, and nothing is said about the name.
        if (why.find("others change the same") != std::string::npos) return Failed(*op, status);
        [[fallthrough]];
      case VINEYARD_E_EXISTS:
        op->outcome = Outcome::kRefused;
        op->id = HolderIn(why);
        op->revision = RevisionIn(why);
        if (op->id == 0 && why.find("no object has it") == std::string::npos) break;
        return End(*op);
      case VINEYARD_E_NOT_FOUND:
        if (op->kind == Kind::kPut) break;  // the object is there
        op->outcome = Outcome::kRefused;
        return End(*op);
      default:
        return Failed(*op, status);
    }
    ADD_FAILURE() << ToText(*op) << ": " << why;
  }
  // Without an answer: a write was not done, or nobody knows.
  void Failed(NameOp op, int32_t status) {
    ++answers_[NameOf(status)];
    EXPECT_TRUE(status == VINEYARD_E_UNKNOWN || status == VINEYARD_E_UNAVAILABLE ||
                status == VINEYARD_E_TIMEOUT || status == VINEYARD_E_CONFLICT)
        << ToText(op) << ": " << vineyard_error_text();
    op.returned = MonotonicNs();
    if (status != VINEYARD_E_UNKNOWN) {
      failures_.push_back(ToText(op) + " " + NameOf(status));
      return;
    }
    op.outcome = Outcome::kUnknown;
    op.id = op.revision = 0;
    history_.push_back(std::move(op));
  }

  const int number_;
  vineyard_client* const client_;
  const std::vector<vineyard_id> objects_;
  std::mt19937_64 random_;
  std::map<std::string, uint64_t> known_;  // the revision that it saw last
  std::vector<NameOp> history_;
  std::vector<std::string> failures_;
  std::map<std::string, int> answers_;
};

class NamesTest : public ::testing::Test {
 protected:
  void Load(const std::atomic<bool>& ends) {
    for (auto& client : clients_) {
      threads_.emplace_back([&ends, client = client.get(), random = random_()]() mutable {
        std::mt19937_64 pauses(random);
        while (!ends) {
          client->Step();
          poll(nullptr, 0, static_cast<int>(pauses() % 5));
        }
      });
    }
  }
  void Wait(uint64_t most_ms) { poll(nullptr, 0, static_cast<int>(random_() % most_ms)); }

  // One time of trouble, after which all is as it should be.
  void Trouble() {
    enum class Fate { kRuns, kKilled, kStopped };
    auto fate = [this](uint64_t of) {
      uint64_t what = random_() % of;
      return what == 0 ? Fate::kKilled : what == 1 ? Fate::kStopped : Fate::kRuns;
    };
    Fate server = fate(10), daemons[2] = {fate(6), fate(6)};
    Side* const sides[2] = {&a_, &b_};
    bool is_torn[2] = {false, false};  // its link has lost some bytes
    for (int i : {0, 1}) {
      TcpProxy& proxy = sides[i]->proxy;
      uint64_t what = random_() % 7;
      if (what == 0) proxy.Disconnect();
      if (what == 1) proxy.DropReplies();
      if (what == 2) proxy.Freeze();
      if (what == 3) proxy.FreezeThese();  // what is on its way may come when its daemon is dead
      if (what == 4) proxy.Refuse();
      if (what == 5) proxy.Delay(static_cast<int>(random_() % 100));
      is_torn[i] = what == 1;
    }
    Wait(300);
    for (int i : {0, 1}) {
      pid_t daemon = sides[i]->member.daemon->daemon();
      if (daemons[i] == Fate::kKilled) kill(daemon, SIGKILL);
      if (daemons[i] == Fate::kStopped) kill(daemon, SIGSTOP);
    }
    if (server == Fate::kKilled) server_.Kill();
    if (server == Fate::kStopped) server_.Stop();
    // Sometimes for longer than a session lasts.
    Wait(random_() % 6 == 0 ? 5000 : 500);
    if (server == Fate::kKilled) server_.Restart();
    if (server == Fate::kStopped) server_.Continue();
    for (int i : {0, 1}) {
      if (is_torn[i]) sides[i]->proxy.Disconnect();
      sides[i]->proxy.Forward();
      Vineyardd& daemon = *sides[i]->member.daemon;
      if (daemons[i] == Fate::kStopped) kill(daemon.daemon(), SIGCONT);
      if (daemons[i] == Fate::kKilled) {
        EXPECT_TRUE(daemon.WaitUntilReady());
      }
    }
    Wait(500);
  }

  void Save(const std::vector<NameOp>& history, uint64_t seed) {
    std::string path = ::testing::TempDir() + "names-" + std::to_string(seed) + ".txt";
    std::ofstream file(path);
    for (const NameOp& op : history) file << ToText(op) << "\n";
    for (auto& client : clients_) {
      for (const std::string& failure : client->failures()) file << failure << "\n";
    }
    ADD_FAILURE() << "the history is in " << path;
  }

  const uint64_t seed_ = Setting("VINEYARD_TEST_SEED", std::random_device()());
  std::mt19937_64 random_{seed_};
  TempFolder folder_;
  ZooKeeperServer server_;
  Side a_{folder_ / "a", server_.port()}, b_{folder_ / "b", server_.port()};
  std::vector<std::unique_ptr<NameClient>> clients_;
  std::vector<std::thread> threads_;
};

TEST_F(NamesTest, WhatManyDoWithAFewNamesIsLinearizableWhateverFails) {
  std::printf("VINEYARD_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  for (int i = 0; i < kClients; ++i) {
    const Member& own = (i % 2 == 0 ? a_ : b_).member;
    const Member& other = (i % 2 == 0 ? b_ : a_).member;
    std::vector<vineyard_id> objects = {Persisted(own.client, "x"), Persisted(own.client, "y"),
                                        Persisted(other.client, "z")};
    clients_.push_back(std::make_unique<NameClient>(i, own.Another(2500), objects, random_()));
  }
  Sync(a_.member.client);
  Sync(b_.member.client);

  std::atomic<bool> ends = false;
  Load(ends);
  int64_t until =
      MonotonicNs() + static_cast<int64_t>(Setting("VINEYARD_TEST_SECONDS", 10)) * 1'000'000'000;
  while (MonotonicNs() < until && !HasFailure()) Trouble();
  for (Side* side : {&a_, &b_}) {
    EXPECT_TRUE(WaitForNumber(side->member.client, "meta_stale_since_ms", 0));
  }
  ends = true;
  for (std::thread& thread : threads_) thread.join();

  std::vector<NameOp> history;
  std::map<std::string, int> answers;
  for (auto& client : clients_) {
    for (int name = 0; name < kNames; ++name) client->Read("n" + std::to_string(name), true);
    history.insert(history.end(), client->history().begin(), client->history().end());
    for (const auto& [answer, count] : client->answers()) answers[answer] += count;
  }
  for (const auto& [answer, count] : answers) std::printf("%s %d\n", answer.c_str(), count);
  EXPECT_GT(answers["done"], 100);
  EXPECT_GT(answers["refused"], 10);
  std::string wrong = CheckNames(history);
  EXPECT_EQ(wrong, "");
  if (!wrong.empty()) Save(history, seed_);
}

}  // namespace
}  // namespace vineyard::testing

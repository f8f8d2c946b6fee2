// Where the service manager keeps descriptors, the memory outlives even keeper and daemon that die together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/capi/fixture.h"
#include "tests/support/raw_client.h"
#include "tests/support/service_manager.h"

namespace vineyard::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr size_t kLarge = 300'000;

class DescriptorStore : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& arguments = {}) {
    std::vector<std::string> all = Vineyardd::Defaults(socket_);
    all.insert(all.end(), arguments.begin(), arguments.end());
    daemon_ = std::make_unique<Vineyardd>(manager_.Start(all));
    ASSERT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
  }
  // As the service manager sees it: both are dead, it starts the service again.
  void KillBoth() {
    kill(daemon_->keeper(), SIGSTOP);
    kill(daemon_->daemon(), SIGSTOP);
    daemon_->KillAll();
    daemon_->WaitForEnd();
  }
  void KillBothAndStart(const std::vector<std::string>& arguments = {}) {
    KillBoth();
    Start(arguments);
  }
  // Ends it in order: nothing is kept, nothing is left.
  void CheckEnd() {
    std::set<uint64_t> memory = daemon_->MemoryFiles();
    EXPECT_EQ(daemon_->Terminate(), 0);
    manager_.Settle();
    EXPECT_THAT(manager_.names(), IsEmpty());
    EXPECT_THAT(InUse(memory), IsEmpty());
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  }
  void CheckAudit() {
    Vineyardd::Bare bare;
    bare.arguments = {"--fsck", socket_};
    Vineyardd run(bare);
    EXPECT_EQ(run.WaitForEnd(), 0) << run.log();
  }
  // All memory of the daemon is kept, and nothing else but its socket: once what is being prepared is listed,
  // and what waits is sent.
  void CheckAllIsKept() {
    std::set<uint64_t> memory, kept;
    auto end = std::chrono::steady_clock::now() + kPatience;
    do {
      manager_.Settle();
      kept = manager_.FilesBut("listener-");
      memory = daemon_->MemoryFiles();
    } while (memory != kept && std::chrono::steady_clock::now() < end);
    EXPECT_EQ(memory, kept);
    EXPECT_THAT(manager_.NamesOf("listener-"), SizeIs(1));
  }

  TempFolder folder_, manager_folder_;
  std::string socket_ = folder_ / "v.sock";
  ServiceManager manager_{manager_folder_ / "notify"};
  std::unique_ptr<Vineyardd> daemon_;
};

TEST_F(DescriptorStore, KeepsWhatIsListedAsItComesAndGoes) {
  Start();
  CheckAllIsKept();
  for (const char* name : {"state-0-", "listener-0-", "index-0-", "directory-0-"}) {
    EXPECT_THAT(manager_.NamesOf(name), SizeIs(1)) << name;
  }
  EXPECT_THAT(manager_.NamesOf("pins-"), IsEmpty());
  size_t at_rest = manager_.names().size();
  vineyard_client* client = ConnectTo(socket_);
  manager_.Settle();
  EXPECT_THAT(manager_.NamesOf("pins-"), SizeIs(1)) << "before the client has its answer";
  vineyard_id id = Put(client, std::string(8 << 20, 'x'));
  CheckAllIsKept();
  EXPECT_GT(manager_.names().size(), at_rest + 1) << "a segment more";
  EXPECT_THAT(manager_.NamesOf("segment-1-"), SizeIs(1));
  ASSERT_OK(Delete(client, id));
  uint64_t bytes = 0;
  ASSERT_OK(vineyard_client_trim(client, &bytes));
  CheckAllIsKept();
  vineyard_client_release(client);
  vineyard_client* other = ConnectTo(socket_);
  EXPECT_TRUE(WaitForNumber(other, "sessions", 1));
  CheckAllIsKept();
  EXPECT_THAT(manager_.NamesOf("pins-"), SizeIs(1)) << "not that of the session that ended";
  vineyard_client_release(other);
  CheckEnd();
}

TEST_F(DescriptorStore, BothDeathsUnderLoadLoseNothing) {
  Start();
  vineyard_client* client = ConnectTo(socket_);
  std::string held_bytes(kLarge, 'h');
  vineyard_id held_id = Put(client, held_bytes);
  vineyard_blob* held = nullptr;
  ASSERT_OK(vineyard_blob_get(client, held_id, &held));
  ASSERT_OK(Delete(client, held_id));
  vineyard_blob_writer* writer = nullptr;  // a lease that is open meanwhile
  ASSERT_OK(vineyard_blob_writer_create(client, kLarge, VINEYARD_BLOB_BUFFER, &writer));
  std::memset(vineyard_blob_writer_data(writer), 'w', kLarge);

  constexpr int kClients = 3;
  std::atomic<bool> stop{false};
  std::atomic<int> rounds[kClients] = {};
  // A request that two daemons die of is not sent a third time: each client has gone on since the last death.
  auto let_them_work = [&] {
    for (std::atomic<int>& each : rounds) {
      int before = each;
      while (!HasFailure() && each < before + 20) std::this_thread::yield();
    }
  };
  std::vector<std::pair<vineyard_id, std::string>> stored[kClients];
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      vineyard_client* own = ConnectTo(socket_);
      for (int n = 0; !stop; ++n) {
        std::string bytes = std::to_string(i) + ":" + std::to_string(n);
        if (i == 0) bytes.resize(kLarge / 3, 'l');
        vineyard_id id = 0;
        int32_t status =
            vineyard_blob_put(own, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
        EXPECT_EQ(status, VINEYARD_OK) << vineyard_error_text();
        if (status != VINEYARD_OK) break;
        EXPECT_TRUE(Get(own, id) == bytes);
        // Every second one stays; of the large ones, some.
        if (n % 2 == 0 && (i != 0 || n % 20 == 0)) {
          stored[i].emplace_back(id, bytes);
        } else {
          EXPECT_OK(vineyard_object_delete(own, &id, 1, nullptr));
        }
        ++rounds[i];
      }
      vineyard_client_release(own);
    });
  }
  for (int round = 0; round < 4; ++round) {
    let_them_work();
    KillBothAndStart();
    EXPECT_THAT(daemon_->log(), Not(HasSubstr(" error ")));
    EXPECT_THAT(daemon_->log(), Not(HasSubstr("begins empty")));
  }
  let_them_work();
  stop = true;
  for (std::thread& each : clients) each.join();
  EXPECT_TRUE(BytesOf(held) == held_bytes) << "what was held all the time was not given out again";
  vineyard_blob_release(held);
  ASSERT_OK(vineyard_blob_writer_seal(writer));
  EXPECT_TRUE(Get(client, vineyard_blob_writer_id(writer)) == std::string(kLarge, 'w'));
  vineyard_blob_writer_release(writer);
  uint64_t objects = 1;
  for (const auto& each : stored) {
    objects += each.size();
    for (const auto& [id, bytes] : each) EXPECT_TRUE(Get(client, id) == bytes);
  }
  EXPECT_EQ(Number(client, "blobs"), objects);
  EXPECT_TRUE(WaitForNumber(client, "deferred", 0));
  EXPECT_TRUE(WaitForNumber(client, "sessions", 1));
  CheckAudit();
  CheckAllIsKept();
  vineyard_client_release(client);
  CheckEnd();
}

// What a client has connected to waits for the next daemon, as when only one of them dies.
TEST_F(DescriptorStore, SessionsGoOnAndTheSocketIsTheSame) {
  Start();
  RawClient before(socket_);
  ASSERT_TRUE(before.Hello(7).ok());
  auto put = before.PutBytes("before", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(put.ok());
  KillBoth();
  EXPECT_TRUE(before.Ended());
  RawClient again(socket_);
  ASSERT_TRUE(again.connected()) << "nobody serves, and nobody is refused";
  Start();
  auto welcome = again.Hello(7);
  ASSERT_TRUE(welcome.ok()) << welcome.status().ToString();
  EXPECT_TRUE(welcome->resumed);
  auto repeated = again.PutBytes("before", 1).As<wire::MutationAnswer>();
  ASSERT_TRUE(repeated.ok());
  EXPECT_EQ(repeated->id, put->id) << "a repeat is a repeat";
  EXPECT_TRUE(again.Find(put->id).status().ok());
  // Each of them alone may die as ever.
  kill(daemon_->daemon(), SIGKILL);
  ASSERT_TRUE(daemon_->WaitUntilReady());
  kill(daemon_->keeper(), SIGKILL);
  ASSERT_TRUE(daemon_->WaitUntilReady());
  CheckAllIsKept();
  RawClient last(socket_);
  ASSERT_TRUE(last.Hello(8).ok());
  EXPECT_TRUE(last.Find(put->id).status().ok());
  kill(daemon_->keeper(), SIGTERM);
  daemon_->WaitForEnd();
  manager_.Settle();
  EXPECT_THAT(manager_.names(), IsEmpty());
}

// systemd removes RuntimeDirectory= between two starts, unless the unit says otherwise.
TEST_F(DescriptorStore, ASocketThatWasRemovedMeanwhileIsMadeAgain) {
  TempFolder run;
  socket_ = run / "v.sock";
  Start();
  vineyard_client* client = ConnectTo(socket_);
  vineyard_id id = Put(client, "kept");
  KillBoth();
  for (const auto& file : std::filesystem::directory_iterator(run.path())) {
    std::filesystem::remove(file.path());
  }
  Start();
  EXPECT_EQ(Get(client, Put(client, "new")), "new");
  vineyard_client* other = ConnectTo(socket_);
  EXPECT_EQ(Get(other, id), "kept");
  vineyard_client_release(other);
  vineyard_client_release(client);
  EXPECT_THAT(manager_.NamesOf("listener-"), SizeIs(1));
  KillBothAndStart();  // with the socket that was made again
  client = ConnectTo(socket_);
  EXPECT_EQ(Get(client, id), "kept");
  vineyard_client_release(client);
  CheckEnd();
  EXPECT_TRUE(std::filesystem::is_empty(run.path()));
}

TEST_F(DescriptorStore, AListenerThatWasNotKeptIsMadeAgain) {
  Start();
  vineyard_client* client = ConnectTo(socket_);
  vineyard_id id = Put(client, "kept");
  KillBoth();
  manager_.Lose(manager_.NamesOf("listener-").at(0));
  Start();
  EXPECT_EQ(Get(client, id), "kept");
  EXPECT_EQ(Get(client, Put(client, "new")), "new");
  vineyard_client_release(client);
  CheckAllIsKept();
  CheckEnd();
}

TEST_F(DescriptorStore, SpilledObjectsComeBack) {
  std::filesystem::create_directory(folder_ / "disk");
  std::vector<std::string> spilling = {"--size=16Mi", "--spill-path=" + (folder_ / "disk")};
  Start(spilling);
  vineyard_client* client = ConnectTo(socket_);
  std::vector<vineyard_id> ids;
  for (char c = 'a'; c < 'a' + 24; ++c) ids.push_back(Put(client, std::string(1 << 20, c)));
  ASSERT_GT(Number(client, "spilled_blobs"), 0u);
  manager_.Settle();
  EXPECT_THAT(manager_.NamesOf("spill-"), SizeIs(1));
  KillBothAndStart(spilling);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(Get(client, ids[i]) == std::string(1 << 20, static_cast<char>('a' + i)));
  }
  // Another's start leaves the folder alone while nobody serves: the service manager has it locked.
  KillBoth();
  {
    std::vector<std::string> arguments = Vineyardd::Defaults(folder_ / "other.sock");
    arguments.insert(arguments.end(), spilling.begin(), spilling.end());
    Vineyardd other{Vineyardd::Bare{arguments}};
    ASSERT_TRUE(other.WaitUntilReady());
    other.Terminate();
  }
  Start(spilling);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(Get(client, ids[i]) == std::string(1 << 20, static_cast<char>('a' + i)));
  }
  vineyard_client_release(client);
  EXPECT_EQ(daemon_->Terminate(), 0);
  manager_.Settle();
  EXPECT_THAT(manager_.names(), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "disk"));
}

// ---- what is missing -----------------------------------------------------------------------------

TEST_F(DescriptorStore, WithoutASegmentTheOtherObjectsAreThere) {
  Start();
  vineyard_client* client = ConnectTo(socket_);
  vineyard_id small = Put(client, "small");
  std::set<std::string> before;
  manager_.Settle();
  for (const std::string& name : manager_.NamesOf("segment-")) before.insert(name);
  vineyard_id large = Put(client, std::string(kLarge, 'l'));
  vineyard_blob* held = nullptr;
  ASSERT_OK(vineyard_blob_get(client, large, &held));
  manager_.Settle();
  std::string lost;
  for (const std::string& name : manager_.NamesOf("segment-")) {
    if (before.count(name) == 0) lost = name;
  }
  if (lost.empty()) lost = manager_.NamesOf("segment-").back();  // that for large ones was there
  KillBoth();
  manager_.Lose(lost);
  Start();
  EXPECT_THAT(daemon_->log(), HasSubstr("was not kept by the service manager: the objects in it"));
  EXPECT_EQ(Get(client, small), "small");
  EXPECT_TRUE(Get(client, large) != std::string(kLarge, 'l'));
  EXPECT_TRUE(BytesOf(held) == std::string(kLarge, 'l')) << "who holds it reads it";
  EXPECT_TRUE(Get(client, Put(client, std::string(kLarge, 'n'))) == std::string(kLarge, 'n'));
  KillBothAndStart();  // and it stays so
  EXPECT_EQ(Get(client, small), "small");
  EXPECT_TRUE(BytesOf(held) == std::string(kLarge, 'l'));
  vineyard_blob_release(held);
  vineyard_client_release(client);
  CheckEnd();
}

class Missing : public DescriptorStore, public ::testing::WithParamInterface<const char*> {};

TEST_P(Missing, TheStoreBeginsEmptyAndSaysWhy) {
  Start();
  vineyard_client* client = ConnectTo(socket_);
  vineyard_id id = Put(client, std::string(kLarge, 'h'));
  vineyard_blob* held = nullptr;
  ASSERT_OK(vineyard_blob_get(client, id, &held));
  std::set<uint64_t> memory = daemon_->MemoryFiles();
  manager_.Settle();
  std::multiset<std::string> old = manager_.names();
  KillBoth();
  manager_.Lose(manager_.NamesOf(GetParam()).at(0));
  Start();
  EXPECT_THAT(daemon_->log(),
              HasSubstr("warning what the service manager has kept can not be used: "));
  EXPECT_TRUE(Get(client, Put(client, std::string(kLarge, 'n'))) == std::string(kLarge, 'n'));
  EXPECT_THAT(Get(client, id), "not found");
  EXPECT_TRUE(BytesOf(held) == std::string(kLarge, 'h')) << "what is held is nobody else's";
  CheckAllIsKept();
  vineyard_blob_release(held);
  vineyard_client_release(client);
  EXPECT_THAT(InUse(memory), IsEmpty()) << "of the store before";
  CheckEnd();
}

INSTANTIATE_TEST_SUITE_P(OfWhatNobodyCanDoWithout, Missing,
                         ::testing::Values("state-", "index-", "directory-", "pins-"));

// As much as it may hold: a client's pins may be what is refused, and are not guessed.
TEST(DescriptorStoreLimit, AServiceManagerThatKeepsTooFewIsNamed) {
  TempFolder folder;
  std::string socket = folder / "v.sock";
  ServiceManager manager(folder / "notify", 6);
  auto daemon = std::make_unique<Vineyardd>(manager.Start(Vineyardd::Defaults(socket)));
  ASSERT_TRUE(daemon->WaitUntilReady());
  vineyard_client* first = ConnectTo(socket);
  vineyard_id id = Put(first, "x");  // so that there is a segment
  vineyard_client* second = ConnectTo(socket);
  EXPECT_EQ(Get(second, id), "x");
  EXPECT_THAT(daemon->WaitForLine(" warning "),
              HasSubstr("the service manager keeps 6 descriptors and this store has more"));
  manager.Settle();
  EXPECT_GT(manager.refused(), 0u);
  daemon->KillAll();
  daemon->WaitForEnd();
  daemon = std::make_unique<Vineyardd>(manager.Start(Vineyardd::Defaults(socket)));
  ASSERT_TRUE(daemon->WaitUntilReady());
  EXPECT_THAT(daemon->log(), HasSubstr("is FileDescriptorStoreMax large enough?"));
  EXPECT_EQ(Get(first, Put(first, "new")), "new");
  EXPECT_EQ(Get(first, id), "not found");
  vineyard_client_release(first);
  vineyard_client_release(second);
}

// ---- the service manager -------------------------------------------------------------------------

TEST_F(DescriptorStore, AServiceManagerThatHangsHoldsNobodyUpAndGetsAllLater) {
  Start();
  manager_.Hang();
  std::vector<std::unique_ptr<RawClient>> clients;
  // More than a socket's queue takes (net.unix.max_dgram_qlen), each with a table of its own.
  for (uint64_t i = 1; i <= 600; ++i) {
    clients.push_back(std::make_unique<RawClient>(socket_));
    ASSERT_TRUE(clients.back()->Hello(i).ok());
  }
  for (int i = 0; i < 100; ++i) clients.pop_back();
  manager_.GoOn();
  vineyard_client* client = ConnectTo(socket_);
  EXPECT_TRUE(WaitForNumber(client, "sessions", 501));
  CheckAllIsKept();
  EXPECT_THAT(manager_.NamesOf("pins-"), SizeIs(501));
  vineyard_id id = Put(client, "kept");
  KillBothAndStart();
  EXPECT_EQ(Get(client, id), "kept");
  clients.clear();
  vineyard_client_release(client);
  CheckEnd();
}

// Killed while it tells the service manager that it ends: what is left is no store.
TEST_F(DescriptorStore, AnEndThatWasCutShortDoesNotComeBack) {
  Start();
  vineyard_client* client = ConnectTo(socket_);
  vineyard_id id = Put(client, "gone");
  vineyard_client_release(client);
  manager_.Settle();
  std::string state = manager_.NamesOf("state-").at(0);
  ServiceManager nobody(manager_folder_ / "other");
  // The messages of its end are lost: the socket leads to another service manager now.
  std::filesystem::rename(manager_folder_ / "notify", manager_folder_ / "moved");
  std::filesystem::rename(manager_folder_ / "other", manager_folder_ / "notify");
  EXPECT_EQ(daemon_->Terminate(), 0);
  std::filesystem::rename(manager_folder_ / "moved", manager_folder_ / "notify");
  EXPECT_THAT(manager_.names(), Contains(state));
  Start();
  EXPECT_THAT(daemon_->log(), HasSubstr("it has ended; the store begins empty"));
  client = ConnectTo(socket_);
  EXPECT_EQ(Get(client, id), "not found");
  vineyard_client_release(client);
  CheckAllIsKept();
  CheckEnd();
}

TEST(DescriptorStoreUnset, WithoutFdstoreNothingIsHandedOver) {
  TempFolder folder;
  ServiceManager manager(folder / "notify");
  Vineyardd daemon(Vineyardd::Bare{Vineyardd::Defaults(folder / "v.sock"),
                                   {"NOTIFY_SOCKET=" + (folder / "notify")}});
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient client(folder / "v.sock");
  ASSERT_TRUE(client.Hello(1).ok());
  manager.Settle();
  EXPECT_THAT(manager.names(), IsEmpty());
  EXPECT_EQ(daemon.Terminate(), 0);
}

// Each audience has a state of its own.
TEST_F(DescriptorStore, KeepsTheStoresOfAllAudiencesAndLosesOnlyThatOfWhichPartsAreMissing) {
  Start();
  auto put = [&](vineyard_client* client, int32_t share) {
    std::string bytes(kLarge, static_cast<char>('a' + share));
    vineyard_meta* meta = nullptr;
    EXPECT_OK(vineyard_meta_create_blob(bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &meta));
    vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
    options.share = share;
    vineyard_id id = 0;
    EXPECT_OK(vineyard_object_put(client, meta, &options, &id));
    vineyard_meta_release(meta);
    return id;
  };
  auto reads = [&](vineyard_client* client, vineyard_id id, int32_t share) {
    vineyard_blob* blob = nullptr;
    if (vineyard_blob_get(client, id, &blob) != VINEYARD_OK) return false;
    std::string bytes(static_cast<const char*>(vineyard_blob_data(blob)),
                      vineyard_blob_length(blob));
    vineyard_blob_release(blob);
    return bytes == std::string(kLarge, static_cast<char>('a' + share));
  };
  vineyard_client* client = ConnectTo(socket_);
  std::map<int32_t, vineyard_id> ids;
  for (int32_t share : {VINEYARD_SHARE_UID, VINEYARD_SHARE_GID, VINEYARD_SHARE_ALL}) {
    ids[share] = put(client, share);
  }
  CheckAllIsKept();
  EXPECT_THAT(manager_.NamesOf("state-0-"), SizeIs(3));
  vineyard_client_release(client);
  KillBothAndStart();
  client = ConnectTo(socket_);
  for (const auto& [share, id] : ids) EXPECT_TRUE(reads(client, id, share)) << share;
  CheckAllIsKept();
  CheckAudit();
  vineyard_client_release(client);

  // The newest, by the number of its descriptor, is the one for all.
  std::vector<std::string> states = manager_.NamesOf("state-0-");
  std::sort(states.begin(), states.end(), [](const std::string& a, const std::string& b) {
    return std::stoi(a.substr(a.rfind('-') + 1)) < std::stoi(b.substr(b.rfind('-') + 1));
  });
  KillBoth();
  manager_.Lose(states.back());
  Start();
  EXPECT_THAT(daemon_->log(), HasSubstr("was not kept by the service manager: it is lost"));
  client = ConnectTo(socket_);
  EXPECT_TRUE(reads(client, ids[VINEYARD_SHARE_UID], VINEYARD_SHARE_UID));
  EXPECT_TRUE(reads(client, ids[VINEYARD_SHARE_GID], VINEYARD_SHARE_GID));
  EXPECT_FALSE(reads(client, ids[VINEYARD_SHARE_ALL], VINEYARD_SHARE_ALL));
  EXPECT_NE(put(client, VINEYARD_SHARE_ALL), 0u);
  CheckAllIsKept();
  CheckAudit();
  vineyard_client_release(client);
  CheckEnd();
}

}  // namespace
}  // namespace vineyard::testing

// A host that gives daemon or client less than --size: by limits of the process, or by a memory cgroup. What does not
// fit is an error of who asked; the daemon lives, what was put before is read, and what is small goes on.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "core/base/bytes.h"
#include "tests/capi/fixture.h"
#include "tests/support/child.h"
#include "tests/support/memory_cgroup.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A number of /proc/PID/status, in bytes: "VmPeak:  1234 kB".
uint64_t OfProcess(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  uint64_t kib = 0;
  while (file >> word) {
    if (word == name + ":" && file >> kib) return kib * kKiB;
  }
  return 0;
}

std::function<bool()> WithLimit(int which, uint64_t bytes) {
  return [which, bytes] {
    rlimit limit{bytes, bytes};
    return setrlimit(static_cast<__rlimit_resource>(which), &limit) == 0;
  };
}

class HostMemory : public ::testing::Test {
 protected:
  void Start(const std::string& size, const std::function<bool()>& in_child) {
    Vineyardd::Bare bare{Vineyardd::Defaults(socket_)};
    bare.arguments.push_back("--size=" + size);
    bare.in_child = in_child;
    daemon_ = std::make_unique<Vineyardd>(bare);
    ASSERT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
    pid_ = daemon_->daemon();
    client_ = ConnectTo(socket_);
    first_ = Put(client_, "the first");
  }
  // What a daemon without a limit has of it, once it serves and has grown.
  static uint64_t Needed(const std::string& name) {
    TempFolder folder;
    std::string socket = folder / "v.sock";
    Vineyardd daemon(socket);
    EXPECT_TRUE(daemon.WaitUntilReady());
    vineyard_client* client = ConnectTo(socket);
    Put(client, std::string(kMiB, 'x'));
    uint64_t needed = OfProcess(daemon.daemon(), name);
    vineyard_client_release(client);
    EXPECT_GT(needed, 0u);
    return needed;
  }
  // Puts blobs until one does not fit; what it was told.
  std::string Fill(uint64_t size, int32_t expected) {
    std::string bytes(size, 'f');
    for (int i = 0; i < 10'000'000; ++i) {
      vineyard_id id = 0;
      int32_t status =
          vineyard_blob_put(client_, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
      if (status == VINEYARD_OK) {
        ids_.push_back(id);
        continue;
      }
      EXPECT_EQ(status, expected) << vineyard_error_text();
      return vineyard_error_text();
    }
    ADD_FAILURE() << "it was never full";
    return "";
  }
  // The daemon is the same, gives what it had, and takes more when something was deleted.
  void CheckItGoesOn() {
    EXPECT_TRUE(IsRunning(pid_));
    EXPECT_EQ(Number(client_, "pid"), static_cast<uint64_t>(pid_)) << daemon_->log();
    EXPECT_THAT(daemon_->log(), Not(HasSubstr("died")));
    EXPECT_EQ(Get(client_, first_), "the first");
    ASSERT_GT(ids_.size(), 2u);
    EXPECT_EQ(Get(client_, ids_.back()).find_first_not_of('f'), std::string::npos);
    for (size_t i = 0; i < ids_.size() / 2; ++i) ASSERT_OK(Delete(client_, ids_[i]));
    vineyard_id id = 0;
    auto end = std::chrono::steady_clock::now() + kPatience;
    int32_t status = VINEYARD_OK;
    do {  // growth that failed is tried again after a while
      status = vineyard_blob_put(client_, "small", 5, VINEYARD_BLOB_BUFFER, &id);
    } while (status == VINEYARD_E_HOST_MEMORY && std::chrono::steady_clock::now() < end);
    ASSERT_EQ(status, VINEYARD_OK) << vineyard_error_text();
    EXPECT_EQ(Get(client_, id), "small");
    EXPECT_EQ(Get(client_, ids_.back()).find_first_not_of('f'), std::string::npos);
  }
  ~HostMemory() override {
    vineyard_client_release(client_);
    if (daemon_ != nullptr) {
      EXPECT_EQ(daemon_->Terminate(), 0);
    }
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  std::unique_ptr<Vineyardd> daemon_;
  pid_t pid_ = 0;
  vineyard_client* client_ = nullptr;
  vineyard_id first_ = 0;
  std::vector<vineyard_id> ids_;
};

// ---- limits of the daemon --------------------------------------------------------------------------

TEST_F(HostMemory, ADaemonWithoutAddressesFailsThePut) {
  Start("1Gi", WithLimit(RLIMIT_AS, Needed("VmPeak") + 100 * kMiB));
  EXPECT_THAT(Fill(8 * kMiB, VINEYARD_E_HOST_MEMORY),
              AllOf(HasSubstr("create of a blob: map "), HasSubstr("Cannot allocate memory")));
  CheckItGoesOn();
}

TEST_F(HostMemory, ADaemonThatCanNotEvenMapItsStateEndsAndSaysWhy) {
  Vineyardd::Bare bare{Vineyardd::Defaults(socket_)};
  bare.in_child = WithLimit(RLIMIT_AS, OfProcess(getpid(), "VmSize") + 1700 * kMiB);
  Vineyardd run(bare);
  EXPECT_EQ(run.WaitForEnd(), 1);
  EXPECT_THAT(run.log(),
              AllOf(HasSubstr("start: host out of memory: map "), Not(HasSubstr("the next one"))));
  EXPECT_FALSE(Exists(socket_));
}

// Regression: what is booked of each object grew until an allocation failed, and the daemon with it.
TEST_F(HostMemory, ADaemonWithALimitOfDataFailsThePutOfOneObjectMore) {
  Start("256Mi", WithLimit(RLIMIT_DATA, Needed("VmData") + 7 * kMiB));
  EXPECT_THAT(Fill(100, VINEYARD_E_HOST_MEMORY), HasSubstr("ulimit -d"));
  CheckItGoesOn();
}

TEST_F(HostMemory, ADaemonWithoutDescriptorsFailsThePut) {
  Start("256Mi", WithLimit(RLIMIT_NOFILE, 64));
  // Each of these has a file of its own.
  std::string bytes(kMiB, 'f');
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.share = VINEYARD_SHARE_ALL;
  int32_t status = VINEYARD_OK;
  while (status == VINEYARD_OK && ids_.size() < 100) {
    vineyard_meta* meta = nullptr;
    vineyard_id id = 0;
    ASSERT_OK(vineyard_meta_create("example::Bytes", &meta));
    status = vineyard_meta_add_bytes(meta, "b", bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER);
    if (status == VINEYARD_OK) status = vineyard_object_put(client_, meta, &options, &id);
    if (status == VINEYARD_OK) ids_.push_back(id);
    vineyard_meta_release(meta);
  }
  EXPECT_EQ(status, VINEYARD_E_HOST_MEMORY);
  EXPECT_THAT(vineyard_error_text(), HasSubstr("Too many open files"));
  EXPECT_GT(ids_.size(), 10u);
  EXPECT_EQ(Number(client_, "pid"), static_cast<uint64_t>(pid_));
  EXPECT_EQ(Get(client_, first_), "the first");
  EXPECT_EQ(Get(client_, Put(client_, "small")), "small");
  for (vineyard_id id : ids_) ASSERT_OK(Delete(client_, id));
  EXPECT_EQ(Get(client_, Put(client_, std::string(2 * kMiB, 'f'))), std::string(2 * kMiB, 'f'));
}

TEST_F(HostMemory, ALimitOfLockedMemoryMattersNot) {
  Start("64Mi", WithLimit(RLIMIT_MEMLOCK, 0));
  EXPECT_THAT(Fill(4 * kMiB, VINEYARD_E_OUT_OF_MEMORY), HasSubstr("of 64.0 MiB are used"));
  CheckItGoesOn();
}

// ---- limits of a client ----------------------------------------------------------------------------

TEST_F(HostMemory, AClientWithoutAddressesFailsWhatItCanNotMapAndGoesOn) {
  constexpr uint64_t kLarge = 48 * kMiB, kLeft = 8 * kMiB;
  Start("256Mi", {});
  vineyard_id large = Put(client_, std::string(kLarge, 'l'));
  Child child([&](Talk&) {
    vineyard_client* client = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    vineyard_blob* blob = nullptr;
    CHILD_CHECK(vineyard_blob_get(client, first_, &blob) == VINEYARD_OK);
    rlimit before{};
    getrlimit(RLIMIT_AS, &before);
    rlimit less{OfProcess(getpid(), "VmSize") + kLeft, before.rlim_max};
    CHILD_CHECK(setrlimit(RLIMIT_AS, &less) == 0);

    vineyard_blob* other = nullptr;
    vineyard_blob_writer* writer = nullptr;
    CHILD_CHECK(vineyard_blob_get(client, large, &other) == VINEYARD_E_HOST_MEMORY);
    CHILD_CHECK(std::string(vineyard_error_text()).find("Cannot allocate") != std::string::npos);
    CHILD_CHECK(vineyard_blob_writer_create(client, kLarge, VINEYARD_BLOB_BUFFER, &writer) ==
                VINEYARD_E_HOST_MEMORY);
    // What it holds it reads, and what is small it puts and gets.
    CHILD_CHECK(std::string(static_cast<const char*>(vineyard_blob_data(blob)), 9) == "the first");
    vineyard_id id = 0;
    CHILD_CHECK(vineyard_blob_put(client, "small", 5, VINEYARD_BLOB_BUFFER, &id) == VINEYARD_OK);
    CHILD_CHECK(vineyard_blob_get(client, id, &other) == VINEYARD_OK);
    vineyard_blob_release(other);

    CHILD_CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    CHILD_CHECK(vineyard_blob_get(client, large, &other) == VINEYARD_OK);
    CHILD_CHECK(vineyard_blob_length(other) == kLarge);
    CHILD_CHECK(static_cast<const char*>(vineyard_blob_data(other))[kLarge - 1] == 'l');
    vineyard_blob_release(other);
    vineyard_blob_release(blob);
    vineyard_client_release(client);
    return 0;
  });
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(WaitForNumber(client_, "leases", 0)) << "of what could not be written";
}

// ---- a cgroup --------------------------------------------------------------------------------------

// Regression: at its limit the kernel fails no request for memory, it kills: the daemon died again and again.
TEST_F(HostMemory, InACgroupThatIsTooSmallPutsFailAndNobodyIsKilled) {
  constexpr uint64_t kLimit = 256 * kMiB;
  std::string why;
  std::unique_ptr<MemoryCgroup> cgroup = MemoryCgroup::Make(kLimit, &why);
  if (cgroup == nullptr) {
    std::printf("no memory cgroup can be made here (%s): with a limit of addresses instead\n",
                why.c_str());
    Start("1Gi", WithLimit(RLIMIT_AS, Needed("VmPeak") + 200 * kMiB));
    Fill(4 * kMiB, VINEYARD_E_HOST_MEMORY);
    return CheckItGoesOn();
  }
  auto enter = [&] { return cgroup->Enter(); };
  {
    Vineyardd::Bare bare{{"--size=1Gi", "--meta=local", "--socket=" + socket_}};
    bare.in_child = enter;
    Vineyardd refused(bare);
    EXPECT_EQ(refused.WaitForEnd(), 2);
    EXPECT_THAT(refused.log(), HasSubstr("--size: 1 GiB: this machine (or cgroup) has 256 MiB"));
  }
  Start("255Mi", enter);
  std::string room = daemon_->log();
  EXPECT_THAT(room, AllOf(HasSubstr("warning memory: the cgroup has room for"),
                          HasSubstr("of --size 255 MiB"), HasSubstr(cgroup->folder())));
  EXPECT_THAT(Fill(4 * kMiB, VINEYARD_E_HOST_MEMORY),
              AllOf(HasSubstr("create of a blob: the memory cgroup has room for"),
                    HasSubstr(cgroup->folder())));
  EXPECT_EQ(cgroup->Kills(), 0u);
  CheckItGoesOn();
  // Small ones, until there is no room for their books or their payloads; several times over, and
  // a successor finds room to begin.
  ids_.clear();
  for (int i = 0; i < 3; ++i) {
    Fill(2000, VINEYARD_E_HOST_MEMORY);
    EXPECT_EQ(Number(client_, "pid"), static_cast<uint64_t>(pid_)) << daemon_->log();
  }
  EXPECT_EQ(cgroup->Kills(), 0u);
  ASSERT_EQ(kill(pid_, SIGKILL), 0);
  ASSERT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
  pid_ = daemon_->daemon();
  EXPECT_EQ(Get(client_, first_), "the first");
  EXPECT_EQ(Number(client_, "pid"), static_cast<uint64_t>(pid_));
  EXPECT_EQ(cgroup->Kills(), 0u);
  EXPECT_EQ(daemon_->Terminate(), 0);
  daemon_.reset();
}

}  // namespace
}  // namespace vineyard::testing

// Who is served, and what those who are may do with the memory that they are handed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <cerrno>
#include <filesystem>

#include "core/base/bytes.h"
#include "core/shm/layout.h"
#include "tests/support/child.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using wire::MessageType;

constexpr uid_t kSomebody = 1000, kOverflow = 65534;

bool Become(uid_t uid) { return setgid(uid) == 0 && setuid(uid) == 0; }

bool Contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  std::fprintf(stderr, "child: '%s' is not in '%s'\n", part.c_str(), text.c_str());
  return false;
}

// Only root can be somebody else.
class Peers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(chmod(folder_.path().c_str(), 0777), 0);
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
};

// As whoever made the socket reachable for all.
TEST_F(Peers, OfAnotherUidAreRefusedAndOthersGoOn) {
  Vineyardd daemon(socket_);
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient bystander(socket_);
  ASSERT_TRUE(bystander.Hello(1).ok());
  for (uid_t uid : {kSomebody, kOverflow}) {
    Child locked_out([&](Talk&) {
      CHILD_CHECK(Become(uid));
      RawClient client(socket_);
      CHILD_CHECK(!client.connected() && client.error() == EACCES);
      return 0;
    });
    EXPECT_EQ(locked_out.Wait(), 0) << uid;
  }
  ASSERT_EQ(chmod(socket_.c_str(), 0777), 0);
  for (uid_t uid : {kSomebody, kOverflow}) {
    Child refused([&](Talk&) {
      CHILD_CHECK(Become(uid));
      RawClient client(socket_);
      Status status = client.Hello(uid).status();
      CHILD_CHECK(status.code() == Code::kPermission);
      CHILD_CHECK(client.files.empty() && client.Ended());
      vineyard_client* decent = nullptr;
      CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &decent) ==
                  VINEYARD_E_PERMISSION);
      CHILD_CHECK(Contains(vineyard_error_text(), "connect " + socket_ + ": "));
      CHILD_CHECK(Contains(vineyard_error_text(), std::to_string(uid)));
      return 0;
    });
    EXPECT_EQ(refused.Wait(), 0) << uid;
  }
  EXPECT_TRUE(bystander.PutBytes("x", 1).status().ok());
  EXPECT_EQ(bystander.Number("sessions"), 1u);
}

TEST_F(Peers, OfTheDaemonsOwnUidAndRootAreServed) {
  Vineyardd::Bare bare{Vineyardd::Defaults(socket_)};
  bare.in_child = [] { return Become(kSomebody); };
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient root(socket_);
  EXPECT_TRUE(root.Hello(1).ok());
  ASSERT_EQ(chmod(socket_.c_str(), 0777), 0);
  Child own([&](Talk&) {
    CHILD_CHECK(Become(kSomebody));
    RawClient client(socket_);
    CHILD_CHECK(client.Hello(2).ok() && client.PutBytes("x", 1).status().ok());
    return 0;
  });
  EXPECT_EQ(own.Wait(), 0);
  Child other([&](Talk&) {
    CHILD_CHECK(Become(kSomebody + 1));
    RawClient client(socket_);
    CHILD_CHECK(Contains(client.Hello(3).status().text(),
                         "this daemon serves uid 1000, not uid 1001; start a"));
    return 0;
  });
  EXPECT_EQ(other.Wait(), 0);
}

// Who named the path may have been led there: what lies in memory is believed, pickles too.
TEST_F(Peers, RootsClientTakesNoUsersDaemonAndSaysWhatToDo) {
  Vineyardd::Bare bare{Vineyardd::Defaults(socket_)};
  bare.in_child = [] { return Become(kSomebody); };
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  vineyard_client* client = nullptr;
  EXPECT_EQ(vineyard_client_connect(socket_.c_str(), nullptr, &client), VINEYARD_E_PERMISSION);
  EXPECT_THAT(vineyard_error_text(),
              HasSubstr("its daemon runs as uid 1000, which is neither this user (uid 0) nor root; "
                        "connect as uid 1000, or start a vineyardd of your own"));
}

// Whom the kernel has no number for is anybody: such a daemon could serve nobody, its own user neither.
TEST_F(Peers, ADaemonOfTheOverflowUidRefusesToStart) {
  Vineyardd::Bare bare{Vineyardd::Defaults(socket_)};
  bare.in_child = [] { return Become(kOverflow); };
  Vineyardd daemon(bare);
  EXPECT_EQ(daemon.WaitForEnd(), 1);
  EXPECT_THAT(daemon.log(), HasSubstr("can not run as uid 65534"));
  EXPECT_THAT(daemon.log(), HasSubstr("user namespaces"));
  EXPECT_THAT(daemon.log(), HasSubstr("run it as another user"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

// ---- memory ----------------------------------------------------------------------------------------

class Rights : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(daemon_.WaitUntilReady());
    client_ = RawClient(socket_);
    ASSERT_TRUE(client_.Hello(1).ok());
  }
  Received Segment(RawClient* client, uint32_t number, bool writable) {
    return client->Call(MessageType::kSegment, wire::SegmentRequest{number, writable});
  }
  // A lease of this client; the number of its segment.
  uint32_t Lease(RawClient* client, uint64_t number, ObjectId* id = nullptr) {
    auto lease = client->Call(MessageType::kLease, wire::Lease{BlobKind::kBuffer, kMiB}, number)
                     .As<wire::LeaseAnswer>();
    EXPECT_TRUE(lease.ok()) << lease.status().ToString();
    if (!lease.ok()) return 0;
    if (id != nullptr) *id = lease->id;
    return shm::SegmentOf(lease->location);
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_{socket_};
  RawClient client_{socket_};  // once more when the daemon is there
};

// Neither by a map for writing, nor by a map that becomes one.
void ExpectReadOnly(const Fd& fd, const std::string& what) {
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), MAP_FAILED)
      << what;
  EXPECT_EQ(errno, EACCES) << what;
  void* map = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(map, MAP_FAILED) << what;
  EXPECT_NE(mprotect(map, 4096, PROT_READ | PROT_WRITE), 0) << what;
  EXPECT_EQ(errno, EACCES) << what;
  munmap(map, 4096);
  EXPECT_LT(write(fd.get(), "x", 1), 0) << what;
  EXPECT_NE(ftruncate(fd.get(), 0), 0) << what;
}

TEST_F(Rights, NothingButPinsAndLeasesCanBeWritten) {
  ASSERT_TRUE(client_.PutBytes("x", 1).status().ok());
  ExpectReadOnly(client_.files[0], "index");
  ExpectReadOnly(client_.files[1], "directory");
  Received daemons = Segment(&client_, 1, false);
  ASSERT_EQ(daemons.descriptors.size(), 1u);
  ExpectReadOnly(daemons.descriptors[0], "segment of the daemon");
  uint32_t number = Lease(&client_, 2);
  Received leasable = Segment(&client_, number, false);
  ASSERT_EQ(leasable.descriptors.size(), 1u);
  ExpectReadOnly(leasable.descriptors[0], "segment to lease from, asked for to read");

  EXPECT_TRUE(client_.Call(MessageType::kGrant, wire::Grant{0}).status().ok());
  Received writable = Segment(&client_, number, true);
  ASSERT_EQ(writable.descriptors.size(), 1u) << writable.status().ToString();
  for (const Fd* fd : {&client_.files[2], &writable.descriptors[0]}) {
    void* map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd->get(), 0);
    EXPECT_NE(map, MAP_FAILED);
    munmap(map, 4096);
    EXPECT_NE(ftruncate(fd->get(), 0), 0) << "a reader would get SIGBUS";
    EXPECT_NE(ftruncate(fd->get(), int64_t{1} << 40), 0) << "memory that nobody counts";
  }
}

TEST_F(Rights, ASegmentIsWritableForWhoHasALeaseInItAndWhileItHasOne) {
  RawClient other(socket_);
  ASSERT_TRUE(other.Hello(2).ok());
  ObjectId id = kInvalidId;
  uint32_t number = Lease(&client_, 1, &id);
  EXPECT_TRUE(Segment(&client_, number, true).status().ok());
  Status refused = Segment(&other, number, true).status();
  EXPECT_EQ(refused.code(), Code::kPermission) << refused.ToString();
  EXPECT_THAT(refused.text(), HasSubstr("segment " + std::to_string(number) + ": "));
  EXPECT_THAT(refused.text(), HasSubstr("create a blob first"));
  EXPECT_TRUE(Segment(&other, number, false).status().ok());
  EXPECT_EQ(Segment(&client_, 1, true).status().code(), Code::kPermission) << "the daemon's";
  EXPECT_EQ(Segment(&client_, 77, true).status().code(), Code::kNotFound);

  ASSERT_TRUE(client_.Call(MessageType::kDropLease, wire::DropLease{id}, 2).status().ok());
  EXPECT_EQ(Segment(&client_, number, true).status().code(), Code::kPermission);
  EXPECT_EQ(Lease(&other, 1), number);
  EXPECT_TRUE(Segment(&other, number, true).status().ok());
}

// A lease outlives the daemon, and so does the right to write to it.
TEST_F(Rights, ASegmentStaysWritableInTheNextDaemon) {
  uint32_t number = Lease(&client_, 1);
  kill(daemon_.daemon(), SIGKILL);
  ASSERT_TRUE(daemon_.WaitUntilReady());
  RawClient again(socket_), other(socket_);
  ASSERT_TRUE(again.Hello(1).ok());
  ASSERT_TRUE(other.Hello(2).ok());
  EXPECT_TRUE(Segment(&again, number, true).status().ok());
  EXPECT_EQ(Segment(&other, number, true).status().code(), Code::kPermission);
}

// A descriptor to read from that somebody else got hold of: /proc would open it for writing, were it not
// for the mode of the file.
TEST_F(Rights, ADescriptorToReadFromIsNotReopenedForWritingByAnotherUid) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  uint32_t number = Lease(&client_, 1);
  Received daemons = Segment(&client_, 1, false), leasable = Segment(&client_, number, false);
  ASSERT_EQ(daemons.descriptors.size() + leasable.descriptors.size(), 2u);
  Fd control(memfd_create("control", MFD_CLOEXEC));  // with the mode that memfds have by themselves
  Fd control_to_read(open(("/proc/self/fd/" + std::to_string(control.get())).c_str(), O_RDONLY));
  Child other([&](Talk&) {
    CHILD_CHECK(Become(kSomebody));
    CHILD_CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);  // else /proc/self is root's
    auto reopen = [](const Fd& fd, int how) {
      return open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), how);
    };
    CHILD_CHECK(reopen(control_to_read, O_RDWR) >= 0);
    for (const Fd* fd : {&client_.files[0], &client_.files[1], &client_.files[2],
                         &daemons.descriptors[0], &leasable.descriptors[0]}) {
      CHILD_CHECK(reopen(*fd, O_RDWR) < 0 && errno == EACCES);
      CHILD_CHECK(reopen(*fd, O_RDONLY) < 0 && errno == EACCES);
    }
    return 0;
  });
  EXPECT_EQ(other.Wait(), 0);
}

}  // namespace
}  // namespace vineyard::testing

#include "core/shm/os.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <utility>

#include "core/base/bytes.h"
#include "core/shm/layout.h"

namespace vineyard::shm {
namespace {

Fd Memory(uint64_t size) { return std::move(CreateMemory("vineyard.test", size)).value(); }

uint64_t Allocated(const Fd& fd) {
  struct stat info;
  EXPECT_EQ(fstat(fd.get(), &info), 0);
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

// Runs in a child; its result is the child's exit status.
int InChild(const std::function<int()>& run) {
  pid_t pid = fork();
  if (pid == 0) _exit(run());
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Memory, IsForItsOwnerOnlyAndNotInheritedByExec) {
  Fd fd = Memory(kPageSize);
  struct stat info;
  ASSERT_EQ(fstat(fd.get(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
  EXPECT_EQ(*FileSize(fd), kPageSize);
  EXPECT_EQ(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(Memory, IsNotAllocatedUntilItIsAskedFor) {
  Fd fd = Memory(kMiB);
  EXPECT_EQ(Allocated(fd), 0u);
  ASSERT_TRUE(AllocateRange(fd, kPageSize, 4 * kPageSize).ok());
  EXPECT_GE(Allocated(fd), 4 * kPageSize);
}

TEST(Memory, PunchedRangeReadsAsZerosAndIsGivenBack) {
  Fd fd = Memory(8 * kPageSize);
  auto mapping = Mapping::Map(fd, 8 * kPageSize, true);
  ASSERT_TRUE(mapping.ok());
  std::memset(mapping->data(), 'x', 8 * kPageSize);
  PunchRange(fd, kPageSize, 6 * kPageSize);
  EXPECT_EQ(Allocated(fd), 2 * kPageSize);
  EXPECT_EQ(mapping->data()[kPageSize - 1], 'x');
  EXPECT_EQ(mapping->data()[kPageSize], 0);
  EXPECT_EQ(mapping->data()[7 * kPageSize - 1], 0);
  EXPECT_EQ(mapping->data()[7 * kPageSize], 'x');
  EXPECT_EQ(*FileSize(fd), 8 * kPageSize);
}

// Nothing here asks for more memory than the machine has: a memfd has no limit of its own, so the
// kernel would serve it until it has to kill somebody.
TEST(Memory, AllocationBeyondTheSealedSizeIsAnError) {
  Fd fd = Memory(kPageSize);
  ASSERT_TRUE(AddSeals(fd, Seals::kClientWritten).ok());
  EXPECT_EQ(AllocateRange(fd, 0, 2 * kPageSize).code(), Code::kPermission);
  EXPECT_FALSE(AllocateRange(Fd(), 0, kPageSize).ok());
}

TEST(Seals, OfTheDaemonsFilesAllowGrowthOnly) {
  Fd fd = Memory(2 * kPageSize);
  ASSERT_TRUE(AddSeals(fd, Seals::kDaemonOnly).ok());
  EXPECT_TRUE(Resize(fd, 3 * kPageSize).ok());
  EXPECT_EQ(Resize(fd, kPageSize).code(), Code::kPermission);
  EXPECT_FALSE(AddSeals(fd, Seals::kClientWritten).ok());  // no more seals
}

TEST(Seals, OfClientsFilesFixTheSize) {
  Fd fd = Memory(2 * kPageSize);
  ASSERT_TRUE(AddSeals(fd, Seals::kClientWritten).ok());
  EXPECT_EQ(Resize(fd, 3 * kPageSize).code(), Code::kPermission);
  EXPECT_EQ(Resize(fd, kPageSize).code(), Code::kPermission);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
}

TEST(Seals, DoNotKeepTheOwnerFromPunchingAndMapping) {
  for (Seals seals : {Seals::kDaemonOnly, Seals::kClientWritten}) {
    Fd fd = Memory(2 * kPageSize);
    ASSERT_TRUE(AllocateRange(fd, 0, 2 * kPageSize).ok());
    ASSERT_TRUE(AddSeals(fd, seals).ok());
    PunchRange(fd, 0, kPageSize);
    EXPECT_EQ(Allocated(fd), kPageSize);
    EXPECT_TRUE(Mapping::Map(fd, kPageSize, true).ok());
  }
}

// ---- fresh descriptors ----

TEST(Reopen, GivesTheSameFileWithAnotherDescription) {
  Fd fd = Memory(kPageSize);
  auto again = Reopen(fd, true);
  ASSERT_TRUE(again.ok());
  auto a = Mapping::Map(fd, kPageSize, true), b = Mapping::Map(*again, kPageSize, true);
  ASSERT_TRUE(a.ok() && b.ok());
  a->data()[5] = 'x';
  EXPECT_EQ(b->data()[5], 'x');
  // The offset belongs to a description.
  EXPECT_EQ(lseek(fd.get(), 100, SEEK_SET), 100);
  EXPECT_EQ(lseek(again->get(), 0, SEEK_CUR), 0);
}

TEST(Reopen, ReadOnlyOneCanNotBeMappedWritable) {
  Fd fd = Memory(kPageSize);
  auto again = Reopen(fd, false);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(Mapping::Map(*again, kPageSize, false).ok());
  EXPECT_EQ(Mapping::Map(*again, kPageSize, true).status().code(), Code::kPermission);
  auto mapping = Mapping::Map(*again, kPageSize, false);
  EXPECT_EQ(mprotect(mapping->data(), kPageSize, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(write(again->get(), "x", 1), -1);
}

TEST(Reopen, ReadOnlyOneCanNotBeReopenedForWritingByAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  Fd fd = Memory(kPageSize);
  auto again = Reopen(fd, false);
  ASSERT_TRUE(again.ok());
  fd.Reset();  // as in the process of a reader
  constexpr uid_t kNobody = 65534;
  EXPECT_EQ(InChild([&] {
              if (setuid(kNobody) != 0) return 1;
              if (Reopen(*again, true).status().code() != Code::kPermission) return 2;
              if (fchmod(again->get(), 0777) == 0) return 3;
              return 0;
            }),
            0);
  // With the mode that memfd_create gives, it could: the test is able to fail.
  ASSERT_EQ(fchmod(again->get(), 0777), 0);
  EXPECT_EQ(InChild([&] {
              if (setuid(kNobody) != 0) return 1;
              return Reopen(*again, true).ok() ? 0 : 2;
            }),
            0);
}

// ---- who is alive ----

TEST(Lock, IsHeldByOneDescription) {
  Fd fd = Memory(kPageSize);
  auto holder = Reopen(fd, true);
  ASSERT_TRUE(holder.ok());
  EXPECT_TRUE(IsUnlocked(fd));
  ASSERT_TRUE(TryLock(*holder).ok());
  EXPECT_FALSE(IsUnlocked(fd));
  EXPECT_EQ(TryLock(fd).code(), Code::kUnavailable);
  holder->Reset();
  EXPECT_TRUE(IsUnlocked(fd));
}

TEST(Lock, LookingAtAFreeOneDoesNotKeepIt) {
  Fd fd = Memory(kPageSize);
  auto other = Reopen(fd, true);
  ASSERT_TRUE(other.ok());
  EXPECT_TRUE(IsUnlocked(fd));
  EXPECT_TRUE(TryLock(*other).ok());
}

TEST(Lock, LivesAsLongAsAMapping) {
  Fd fd = Memory(kPageSize);
  auto holder = Reopen(fd, true);
  ASSERT_TRUE(holder.ok() && TryLock(*holder).ok());
  auto mapping = Mapping::Map(*holder, kPageSize, true);
  ASSERT_TRUE(mapping.ok());
  holder->Reset();
  EXPECT_FALSE(IsUnlocked(fd));
  mapping->Reset();
  EXPECT_TRUE(IsUnlocked(fd));
}

// A child that was forked holds what it inherited until it is told to let go.
class Child {
 public:
  explicit Child(const std::function<void()>& first) {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipe_), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close(pipe_[0]);
      first();
      char byte = 0;
      if (write(pipe_[1], &byte, 1) != 1) _exit(1);
      _exit(read(pipe_[1], &byte, 1) == 0 ? 0 : 1);  // until the parent's end is closed
    }
    close(pipe_[1]);
    char byte = 0;
    EXPECT_EQ(read(pipe_[0], &byte, 1), 1);
  }
  void End() {
    close(pipe_[0]);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_EQ(status, 0);
  }

 private:
  int pipe_[2];
  pid_t pid_;
};

TEST(Lock, LivesAsLongAsAForkedChildHasTheDescriptor) {
  Fd fd = Memory(kPageSize);
  auto holder = Reopen(fd, true);
  ASSERT_TRUE(holder.ok() && TryLock(*holder).ok());
  Child child([] {});
  holder->Reset();
  EXPECT_FALSE(IsUnlocked(fd));
  child.End();
  EXPECT_TRUE(IsUnlocked(fd));
}

TEST(Lock, LivesAsLongAsAForkedChildHasTheMapping) {
  Fd fd = Memory(kPageSize);
  auto holder = Reopen(fd, true);
  ASSERT_TRUE(holder.ok() && TryLock(*holder).ok());
  auto mapping = Mapping::Map(*holder, kPageSize, true);
  ASSERT_TRUE(mapping.ok());
  Child child([&] { holder->Reset(); });
  holder->Reset();
  mapping->Reset();
  EXPECT_FALSE(IsUnlocked(fd));
  child.End();
  EXPECT_TRUE(IsUnlocked(fd));
}

TEST(Lock, LivesInADescriptorThatIsUnderWay) {
  Fd fd = Memory(kPageSize);
  auto holder = Reopen(fd, true);
  ASSERT_TRUE(holder.ok() && TryLock(*holder).ok());
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Fd near(ends[0]), far(ends[1]);
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int number = holder->get();
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  ASSERT_EQ(sendmsg(near.get(), &message, 0), 1);
  holder->Reset();
  EXPECT_FALSE(IsUnlocked(fd));
  far.Reset();  // nobody takes it out
  near.Reset();
  EXPECT_TRUE(IsUnlocked(fd));
}

// ---- mappings ----

TEST(Mapping, MovesAndIsUnmappedOnce) {
  Fd fd = Memory(kPageSize);
  auto made = Mapping::Map(fd, kPageSize, true);
  ASSERT_TRUE(made.ok());
  char* data = made->data();
  Mapping mapping = std::move(*made);
  EXPECT_EQ(made->data(), nullptr);
  EXPECT_EQ(mapping.data(), data);
  EXPECT_EQ(mapping.size(), kPageSize);
  Mapping other;
  other = std::move(mapping);
  EXPECT_EQ(other.data(), data);
  other.Reset();
  EXPECT_EQ(other.data(), nullptr);
  EXPECT_EQ(msync(data, kPageSize, MS_ASYNC), -1);  // not mapped any more
}

TEST(Mapping, MayBeLargerThanTheFileAndSeesItGrow) {
  Fd fd = Memory(kPageSize);
  auto mapping = Mapping::Map(fd, kGiB, true);
  ASSERT_TRUE(mapping.ok());
  ASSERT_TRUE(Resize(fd, 2 * kPageSize).ok());
  mapping->data()[2 * kPageSize - 1] = 'x';
  EXPECT_EQ(mapping->data()[2 * kPageSize - 1], 'x');
}

TEST(Mapping, ThatIsNotForkedIsNotThereInAChild) {
  Fd fd = Memory(kPageSize);
  auto forked = Mapping::Map(fd, kPageSize, true), kept = Mapping::Map(fd, kPageSize, true);
  ASSERT_TRUE(forked.ok() && kept.ok());
  kept->DontFork();
  auto mapped = [](const Mapping& mapping) {
    return msync(mapping.data(), kPageSize, MS_ASYNC) == 0 || errno != ENOMEM;
  };
  EXPECT_TRUE(mapped(*kept));
  EXPECT_EQ(InChild([&] { return mapped(*forked) && !mapped(*kept) ? 0 : 1; }), 0);
}

TEST(Mapping, OfNothingIsAnError) {
  EXPECT_FALSE(Mapping::Map(Fd(), kPageSize, true).ok());
  EXPECT_FALSE(Mapping::Map(Memory(kPageSize), 0, true).ok());
}

TEST(Populate, AllocatesEveryPage) {
  constexpr uint64_t kSize = 65 * kMiB;  // more than one step
  Fd fd = Memory(kSize);
  auto mapping = Mapping::Map(fd, kSize, true);
  ASSERT_TRUE(mapping.ok());
  Status status = Populate(mapping->data(), kSize);
  if (status.code() == Code::kUnsupported) GTEST_SKIP() << status.text();
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_GE(Allocated(fd), kSize);
}

TEST(Populate, BeyondTheFileIsAnErrorAndNoSignal) {
  Fd fd = Memory(kPageSize);
  auto mapping = Mapping::Map(fd, 16 * kPageSize, true);
  ASSERT_TRUE(mapping.ok());
  Status status = Populate(mapping->data(), 16 * kPageSize);
  if (status.code() == Code::kUnsupported) GTEST_SKIP() << status.text();
  EXPECT_EQ(status.code(), Code::kHostMemory);
}

// A root folder with a /proc and a /sys as a kernel with cgroups would show them.
class MemoryLimitTest : public ::testing::Test {
 protected:
  MemoryLimitTest() {
    char name[] = "/tmp/vy-cgroup-XXXXXX";
    if (mkdtemp(name) == nullptr) std::abort();
    root_ = name;
  }
  ~MemoryLimitTest() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text << "\n";
  }
  static uint64_t Machine() {
    return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
           static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }

  std::string root_;
};

TEST_F(MemoryLimitTest, IsWhatTheMachineHasWithoutACgroup) {
  EXPECT_EQ(MemoryLimit(root_), Machine());
  EXPECT_LE(MemoryLimit(), Machine());
}

TEST_F(MemoryLimitTest, IsTheTightestFromTheCgroupUpToTheRoot) {
  Write("/proc/self/cgroup", "0::/outer/inner");
  Write("/sys/fs/cgroup/outer/inner/memory.max", "max");
  Write("/sys/fs/cgroup/outer/memory.max", "73400320");
  EXPECT_EQ(MemoryLimit(root_), 70 * kMiB);
  Write("/sys/fs/cgroup/outer/inner/memory.max", "52428800");
  EXPECT_EQ(MemoryLimit(root_), 50 * kMiB);
  Write("/sys/fs/cgroup/memory.max", "31457280");
  EXPECT_EQ(MemoryLimit(root_), 30 * kMiB);
}

TEST_F(MemoryLimitTest, IsNotWhatOtherGroupsOrControllersMay) {
  Write("/proc/self/cgroup", "4:cpu,cpuacct:/outer\n0::/outer");
  Write("/sys/fs/cgroup/outer/memory.max", "max");
  Write("/sys/fs/cgroup/other/memory.max", "10485760");
  Write("/sys/fs/cgroup/memory/outer/memory.limit_in_bytes", "10485760");
  EXPECT_EQ(MemoryLimit(root_), Machine());
}

TEST_F(MemoryLimitTest, ReadsTheOlderVersion) {
  Write("/proc/self/cgroup", "9:name=systemd:/\n4:hugetlb,memory:/outer/inner\n0::/");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(MemoryLimit(root_), Machine());
  Write("/sys/fs/cgroup/memory/outer/memory.limit_in_bytes", "41943040");
  EXPECT_EQ(MemoryLimit(root_), 40 * kMiB);
}

// A container that sees the host's paths, with a part of the host's tree mounted: what is above is hidden.
TEST_F(MemoryLimitTest, FindsItsGroupWhereOnlyAPartOfTheTreeIsMounted) {
  Write("/proc/self/cgroup", "4:memory:/docker/abc/inner/most");
  Write("/proc/self/mountinfo",
        "30 25 0:28 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
        "31 25 0:29 /docker/abc /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "83886080");
  EXPECT_EQ(MemoryLimit(root_), 80 * kMiB) << "the container's own";
  Write("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "41943040");
  EXPECT_EQ(MemoryLimit(root_), 40 * kMiB);
  Write("/sys/fs/cgroup/memory/inner/most/memory.limit_in_bytes", "62914560");
  EXPECT_EQ(MemoryLimit(root_), 40 * kMiB) << "the least on the way up counts";
  EXPECT_EQ(FindMemoryBound(root_).file,
            root_ + "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes");
}

TEST_F(MemoryLimitTest, FindsATreeThatIsMountedElsewhere) {
  Write("/proc/self/cgroup", "0::/a/b");
  Write("/proc/self/mountinfo",
        "31 25 0:29 /ab /cut rw - cgroup2 cgroup2 rw\n32 25 0:29 / /groups rw - cgroup2 none rw");
  Write("/groups/a/memory.max", "52428800");
  Write("/cut/memory.max", "10485760");
  EXPECT_EQ(MemoryLimit(root_), 50 * kMiB);
  EXPECT_EQ(FindMemoryBound(root_).file, root_ + "/groups/a/memory.max");
}

TEST_F(MemoryLimitTest, LeavesTheRoomThatIsNotUsed) {
  EXPECT_EQ(FindMemoryRoom(root_).bytes, UINT64_MAX);
  EXPECT_EQ(FindMemoryRoom(root_).for_payloads(), UINT64_MAX);
  EXPECT_EQ(FindMemoryRoom(root_).file, "");
  Write("/proc/self/cgroup", "0::/outer/inner");
  Write("/sys/fs/cgroup/outer/inner/memory.max", "max");
  Write("/sys/fs/cgroup/outer/inner/memory.current", "1");
  Write("/sys/fs/cgroup/outer/memory.max", "73400320");      // 70 MiB
  Write("/sys/fs/cgroup/outer/memory.current", "62914560");  // 60 MiB
  EXPECT_EQ(FindMemoryRoom(root_).bytes, 10 * kMiB);
  EXPECT_EQ(FindMemoryRoom(root_).for_payloads(), 2 * kMiB);
  EXPECT_EQ(FindMemoryRoom(root_).file, root_ + "/sys/fs/cgroup/outer/memory.max");
  // Pages of files come back, those in use by halves.
  Write("/sys/fs/cgroup/outer/memory.stat",
        "anon 1\nfile 4\nfile_mapped 7\ninactive_file 3145728\nactive_file 2097152");
  EXPECT_EQ(FindMemoryRoom(root_).bytes, 14 * kMiB);
  Write("/sys/fs/cgroup/memory.max", "73400320");
  Write("/sys/fs/cgroup/memory.current", "73400321");
  EXPECT_EQ(FindMemoryRoom(root_).bytes, 0u) << "the least on the way up counts";
  EXPECT_EQ(FindMemoryRoom(root_).for_payloads(), 0u);
}

TEST_F(MemoryLimitTest, LeavesTheRoomOfTheOlderVersion) {
  Write("/proc/self/cgroup", "4:memory:/a");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "9223372036854771712");
  Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1073741824");
  Write("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1063256064");  // 10 MiB less
  Write("/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 0\ntotal_inactive_file 104857600");
  EXPECT_EQ(FindMemoryRoom(root_).bytes, 110 * kMiB);
  EXPECT_EQ(FindMemoryRoom(root_).reserve, 64 * kMiB);
}

TEST(RandomNumber, IsNotTheSameTwice) {
  std::set<uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) numbers.insert(RandomNumber());
  EXPECT_EQ(numbers.size(), 1000u);
}

}  // namespace
}  // namespace vineyard::shm

// What another user can do to memory with every descriptor that it was handed: nothing that anybody else sees, and
// what it takes is charged to it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "tests/support/child.h"
#include "tests/support/two_users.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using wire::MessageType;

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

class AttackOnMemory : public TwoUsers {};

void* MapToWrite(const Fd& fd) {
  return mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
}

// In a child that is the attacker's. Whoever could do it says so.
bool IsReadOnly(const Fd& fd) {
  if (MapToWrite(fd) != MAP_FAILED || errno != EACCES) return false;
  void* map = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (map == MAP_FAILED || mprotect(map, 4096, PROT_READ | PROT_WRITE) == 0) return false;
  munmap(map, 4096);
  struct stat before {};
  if (fstat(fd.get(), &before) != 0) return false;
  std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  return pwrite(fd.get(), "x", 1, 0) < 0 && ftruncate(fd.get(), 0) != 0 &&
         ftruncate(fd.get(), before.st_size + 4096) != 0 &&
         fallocate(fd.get(), 0, before.st_size, 4096) != 0 &&
         fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0 &&
         fcntl(fd.get(), F_ADD_SEALS, kAllSeals) != 0 && fchmod(fd.get(), 0777) != 0 &&
         fchown(fd.get(), 1002, 1002) != 0 && open(path.c_str(), O_RDWR) < 0 &&
         open(path.c_str(), O_WRONLY) < 0 && open(path.c_str(), O_RDONLY | O_TRUNC) < 0;
}

int AsAttacker(const std::function<int()>& what) {
  Child child([&](Talk&) {
    CHILD_CHECK(setgroups(0, nullptr) == 0 && setgid(1002) == 0 && setuid(1002) == 0);
    CHILD_CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);  // else /proc/self is root's
    return what();
  });
  return child.Wait();
}

TEST_F(AttackOnMemory, WhatIsHandedOutToReadIsNeverWritten) {
  Begin();
  RawClient victim = Session(kVictim), attacker = Session(kAttacker);
  uint64_t number = 0;
  uint16_t audience = Share(&victim, wire::Share::kAll);
  ObjectId small = PutSmall(&victim, "small", &number), large = PutLarge(&victim, 'v', &number);
  wire::Attach attach;
  attach.audience = audience;
  ASSERT_TRUE(attacker.Attach(attach).ok());
  ASSERT_EQ(attacker.files.size(), 6u);
  attacker.audience = audience;
  ASSERT_EQ(Read(&attacker, small, 5, 3), "small");
  std::vector<Received> segments;
  for (ObjectId id : {small, large}) {
    segments.push_back(Segment(&attacker, SlotOf(&attacker, id, 3).segment));
    ASSERT_EQ(segments.back().descriptors.size(), 1u);
    EXPECT_EQ(Segment(&attacker, SlotOf(&attacker, id, 3).segment, true).status().code(),
              Code::kPermission);
  }
  // With the mode that memfds have by themselves: what is tried does succeed where it is not prevented.
  Fd open_to_all(memfd_create("control", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(open_to_all.get(), 8192), 0);
  Fd control(open(("/proc/self/fd/" + std::to_string(open_to_all.get())).c_str(), O_RDONLY));
  std::string daemons = "/proc/" + std::to_string(daemon_->daemon()) + "/fd";
  EXPECT_EQ(AsAttacker([&] {
              CHILD_CHECK(!IsReadOnly(control) && !IsReadOnly(open_to_all));
              for (size_t i : {0, 1, 3, 4}) CHILD_CHECK(IsReadOnly(attacker.files[i]));
              for (const Received& each : segments) CHILD_CHECK(IsReadOnly(each.descriptors[0]));
              CHILD_CHECK(open(daemons.c_str(), O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
              for (int fd = 0; fd < 64; ++fd) {
                CHILD_CHECK(open((daemons + "/" + std::to_string(fd)).c_str(), O_RDWR) < 0);
                CHILD_CHECK(open((daemons + "/" + std::to_string(fd)).c_str(), O_RDONLY) < 0);
              }
              return 0;
            }),
            0);
  // Its own pin table is its own, of a fixed size, and no other's.
  EXPECT_EQ(AsAttacker([&] {
              const Fd& pins = attacker.files[5];
              CHILD_CHECK(MapToWrite(pins) != MAP_FAILED);
              CHILD_CHECK(ftruncate(pins.get(), 0) != 0 && ftruncate(pins.get(), 1 << 30) != 0);
              CHILD_CHECK(fcntl(pins.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
              CHILD_CHECK(fchmod(pins.get(), 0777) != 0);
              return 0;
            }),
            0);
  EXPECT_EQ(Read(&attacker, large, kLarge, 3), std::string(kLarge, 'v'));
}

uint64_t Allocated(const Fd& fd) {
  struct stat info {};
  fstat(fd.get(), &info);
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

// Reading a hole allocates a page, which nobody would be charged for.
TEST_F(AttackOnMemory, NoFileThatIsReadHasAHole) {
  Begin();
  RawClient victim = Session(kVictim), attacker = Session(kAttacker);
  uint64_t number = 0;
  uint16_t audience = Share(&victim, wire::Share::kAll);
  ObjectId small = PutSmall(&victim, "small", &number), large = PutLarge(&victim, 'v', &number);
  wire::Attach attach;
  attach.audience = audience;
  ASSERT_TRUE(attacker.Attach(attach).ok());
  attacker.audience = audience;
  std::vector<Fd> all;
  for (ObjectId id : {small, large}) {
    all.push_back(
        std::move(Segment(&attacker, SlotOf(&attacker, id, 3).segment).descriptors.at(0)));
  }
  all.push_back(std::move(attacker.files[3]));
  all.push_back(std::move(attacker.files[4]));
  Fd sparse(memfd_create("control", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(sparse.get(), 1 << 20), 0);
  all.push_back(std::move(sparse));
  for (size_t i = 0; i < all.size(); ++i) {
    struct stat info {};
    ASSERT_EQ(fstat(all[i].get(), &info), 0);
    uint64_t before = Allocated(all[i]);
    auto size = static_cast<size_t>(info.st_size);
    auto* bytes = static_cast<const volatile char*>(
        mmap(nullptr, size, PROT_READ, MAP_SHARED, all[i].get(), 0));
    ASSERT_NE(bytes, MAP_FAILED);
    char sum = 0;
    for (size_t at = 0; at < size; at += 4096) sum = static_cast<char>(sum + bytes[at]);
    munmap(const_cast<char*>(bytes), size);
    if (i + 1 < all.size()) {
      EXPECT_EQ(Allocated(all[i]), before) << i;
    } else {
      EXPECT_GT(Allocated(all[i]), before) << "so a hole would be seen";
    }
  }
}

// ---- pin tables --------------------------------------------------------------------------------------

TEST_F(AttackOnMemory, ScribbledPinTablesKeepNobodyFromReadingAndDeleting) {
  Begin();
  RawClient victim = Session(kVictim);
  uint64_t number = 0;
  uint16_t audience = Share(&victim, wire::Share::kAll);
  for (uint64_t word : {uint64_t{1}, UINT64_MAX, uint64_t{0x80000000}, uint64_t{0xffffffff},
                        uint64_t{0xffffffff00000000}, uint64_t{0x123456789abcdef0}}) {
    ObjectId small = PutSmall(&victim, "small", &number), large = PutLarge(&victim, 'v', &number);
    RawClient attacker = Session(kAttacker);
    wire::Attach attach;
    attach.audience = audience;
    ASSERT_TRUE(attacker.Attach(attach).ok());
    GrantFirst(&attacker);
    Scribble(&attacker, 2, word);
    attacker.audience = audience;
    GrantFirst(&attacker);
    Scribble(&attacker, 5, word, 0, 65536);  // pieces that were not granted, too
    EXPECT_EQ(Read(&victim, small, 5, 3), "small");
    EXPECT_EQ(Read(&victim, large, kLarge, 3), std::string(kLarge, 'v'));
    uint64_t held = (word & 0xffffffff) != 0 ? 2 : 0;
    EXPECT_TRUE(Delete(&victim, small, ++number).status().ok());
    EXPECT_TRUE(Delete(&victim, large, ++number).status().ok());
    EXPECT_EQ(victim.Find(large).status().code(), Code::kNotFound);
    EXPECT_TRUE(WaitForNumber(&victim, "deferred", held)) << word;
    // A count is not what keeps it, but that there is one.
    Scribble(&attacker, 5, uint64_t{0xffffffff} << 32);
    EXPECT_TRUE(WaitForNumber(&victim, "deferred", 0)) << word;
  }
}

TEST_F(AttackOnMemory, PiecesOfAPinTableThatWereNotGrantedHoldNothing) {
  Begin();
  RawClient victim = Session(kVictim), attacker = Session(kAttacker);
  uint64_t number = 0;
  wire::Attach attach;
  attach.audience = Share(&victim, wire::Share::kAll);
  ASSERT_TRUE(attacker.Attach(attach).ok());
  attacker.audience = attach.audience;
  Scribble(&attacker, 5, 1);
  ObjectId first = PutSmall(&victim, "first", &number);
  EXPECT_TRUE(Delete(&victim, first, ++number).status().ok());
  EXPECT_EQ(victim.Number("deferred"), 0u);
  ObjectId second = PutSmall(&victim, "second", &number);
  GrantFirst(&attacker);
  EXPECT_TRUE(Delete(&victim, second, ++number).status().ok());
  EXPECT_EQ(victim.Number("deferred"), 1u);
  for (uint64_t piece : {uint64_t{8}, uint64_t{8191}, uint64_t{8192}, uint64_t{1} << 32,
                         UINT64_MAX / 8, UINT64_MAX}) {
    EXPECT_EQ(attacker.Call(MessageType::kGrant, wire::Grant{piece}).status().code(),
              Code::kInvalid)
        << piece;
  }
}

// Ten thousand pins, never released.
TEST_F(AttackOnMemory, WhatIsKeptFromBeingFreedIsChargedToWhoKeepsIt) {
  Begin();
  RawClient victim = Session(kVictim), attacker = Session(kAttacker), other = Session(kAttacker);
  uint64_t number = 0, attackers = 0;
  wire::Attach attach;
  attach.audience = Share(&victim, wire::Share::kAll);
  ASSERT_TRUE(attacker.Attach(attach).ok());
  attacker.audience = attach.audience;
  for (uint64_t piece : {0, 1}) {
    ASSERT_TRUE(attacker.Call(MessageType::kGrant, wire::Grant{piece}).status().ok());
  }
  Scribble(&attacker, 5, 1, 0, 10'000);
  std::vector<ObjectId> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(PutLarge(&victim, 'v', &number));
  for (ObjectId id : ids) EXPECT_TRUE(Delete(&victim, id, ++number).status().ok());
  EXPECT_EQ(victim.Number("deferred"), ids.size());
  // 10 of 64 MiB are kept: there are 54 for what is put.
  constexpr uint64_t kKept = 40 * kLarge;
  Status refused;
  uint64_t filled = 0;
  std::string bytes(64 * kKiB, 'a');
  auto fill = [&] {
    while (refused = other.PutBytes(bytes, ++attackers).status(), refused.ok())
      filled += bytes.size();
  };
  auto fill_anew = [&] {
    ASSERT_TRUE(Clear(&other, ++attackers).status().ok());
    filled = 0;
    fill();
    ASSERT_EQ(refused.code(), Code::kOutOfMemory) << refused.ToString();
  };
  // The books are looked at every second: until then all of its quota can be used.
  do {
    fill_anew();
  } while (refused.text().find("keeps 10.0 MiB") == std::string::npos && !HasFailure());
  fill_anew();
  EXPECT_THAT(refused.text(), HasSubstr("keeps 10.0 MiB"));
  EXPECT_LE(filled, 64 * kMiB - kKept);
  EXPECT_THAT(refused.text(), HasSubstr("uid 1002"));
  EXPECT_THAT(refused.text(), HasSubstr("quota of 64.0 MiB"));
  EXPECT_TRUE(victim.PutBytes("goes on", ++number).status().ok());
  PutLarge(&victim, 'v', &number);
  Scribble(&attacker, 5, 0, 0, 10'000);
  EXPECT_TRUE(WaitForNumber(&victim, "deferred", 0));
  while (filled <= 64 * kMiB - kKept && !HasFailure()) fill();
}

// ---- leases ------------------------------------------------------------------------------------------

TEST_F(AttackOnMemory, WhoKeepsAMapForWritingCanNotShareWhatItWrote) {
  Begin();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  Share(&attacker, wire::Share::kAll);
  Lease lease = MakeLease(&attacker, ++number);
  void* map = MapToWrite(lease.writable);
  ASSERT_NE(map, MAP_FAILED);
  Status refused = PutLease(&attacker, lease.id, ++number).status();
  EXPECT_EQ(refused.code(), Code::kInUse) << refused.ToString();
  EXPECT_THAT(refused.text(), HasSubstr("mapped for writing"));
  EXPECT_EQ(attacker.Find(lease.id).status().code(), Code::kNotFound);
  munmap(map, 4096);
  EXPECT_TRUE(PutLease(&attacker, lease.id, number).status().ok());
  int seals = fcntl(lease.writable.get(), F_GET_SEALS);
  EXPECT_EQ(seals & (F_SEAL_WRITE | F_SEAL_SEAL), F_SEAL_WRITE | F_SEAL_SEAL);
  // With the descriptor that it kept.
  EXPECT_LT(pwrite(lease.writable.get(), "x", 1, 0), 0);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(MapToWrite(lease.writable), MAP_FAILED);
  EXPECT_NE(fallocate(lease.writable.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096),
            0);
  EXPECT_NE(fallocate(lease.writable.get(), 0, 0, 1 << 22), 0);
  EXPECT_NE(ftruncate(lease.writable.get(), 0), 0);
  void* readable = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, lease.writable.get(), 0);
  ASSERT_NE(readable, MAP_FAILED);
  EXPECT_NE(mprotect(readable, 4096, PROT_READ | PROT_WRITE), 0);
  munmap(readable, 4096);
}

// Where the daemon can not seal, nothing is shared; and it takes all back.
TEST_F(AttackOnMemory, SealsThatAWriterAddsItselfAreInItsOwnWayOnly) {
  Begin();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  Share(&attacker, wire::Share::kAll);
  for (int seals : {F_SEAL_SEAL, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL}) {
    Lease lease = MakeLease(&attacker, ++number);
    void* map = MapToWrite(lease.writable);
    ASSERT_EQ(fcntl(lease.writable.get(), F_ADD_SEALS, seals), 0);
    munmap(map, 4096);
    EXPECT_FALSE(PutLease(&attacker, lease.id, ++number).status().ok()) << seals;
    EXPECT_EQ(attacker.Find(lease.id).status().code(), Code::kNotFound);
    EXPECT_TRUE(
        attacker.Call(MessageType::kDropLease, wire::DropLease{lease.id}, ++number).status().ok());
  }
  Lease lease = MakeLease(&attacker, ++number);
  ASSERT_EQ(fcntl(lease.writable.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_TRUE(PutLease(&attacker, lease.id, ++number).status().ok()) << "that is what it is for";
}

// Pages that a pipe refers to keep a file from being sealed, also where they are mapped only to be read.
TEST_F(AttackOnMemory, NobodyButItsWriterGetsASegmentBeforeItIsSealed) {
  Begin();
  RawClient victim = Session(kVictim), attacker = Session(kAttacker);
  uint64_t number = 0;
  wire::Attach attach;
  attach.audience = Share(&victim, wire::Share::kAll);
  ASSERT_TRUE(attacker.Attach(attach).ok());
  attacker.audience = attach.audience;
  Lease lease = MakeLease(&victim, ++number);
  Received early = Segment(&attacker, lease.segment);
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  for (const Fd& fd : early.descriptors) {
    iovec part = {mmap(nullptr, kLarge, PROT_READ, MAP_SHARED, fd.get(), 0), kLarge / 8};
    EXPECT_GT(vmsplice(pipes[1], &part, 1, 0), 0);
  }
  EXPECT_EQ(early.status().code(), Code::kNotFound) << early.status().ToString();
  lease.writable.Reset();
  Status put = PutLease(&victim, lease.id, ++number).status();
  EXPECT_TRUE(put.ok()) << put.ToString();
  EXPECT_TRUE(Segment(&attacker, lease.segment).status().ok());
  close(pipes[0]);
  close(pipes[1]);
}

// In what it alone reads it may write as it likes, as long as it has a lease there.
TEST_F(AttackOnMemory, HolesAndRubbishInItsOwnSegmentsAreItsOwnTrouble) {
  Begin();
  RawClient victim = Session(kVictim), attacker = Session(kAttacker);
  uint64_t number = 0, victims = 0;
  ObjectId kept = PutLarge(&victim, 'v', &victims);
  Lease lease = MakeLease(&attacker, ++number);
  int fd = lease.writable.get();
  auto size = static_cast<off_t>(lease.file_size);
  EXPECT_NE(ftruncate(fd, 0), 0);
  EXPECT_NE(ftruncate(fd, size + 4096), 0);
  EXPECT_NE(fallocate(fd, 0, size, 4096), 0);
  EXPECT_NE(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
  EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size), 0);
  // All of it, its header too: nothing there is believed.
  std::string rubbish(lease.file_size, '\xa5');
  EXPECT_EQ(pwrite(fd, rubbish.data(), rubbish.size(), 0), size);
  EXPECT_TRUE(PutLease(&attacker, lease.id, ++number).status().ok());
  EXPECT_EQ(Read(&attacker, lease.id, 16), std::string(16, '\xa5'));
  EXPECT_TRUE(Delete(&attacker, lease.id, ++number).status().ok());
  EXPECT_EQ(Read(&victim, kept, kLarge), std::string(kLarge, 'v'));
  // What a successor believes of it.
  EXPECT_EQ(daemon_->log().find("quarantine"), std::string::npos);
}

// A client that is killed while it writes: what it leased comes back, whoever else has the file.
TEST_F(AttackOnMemory, ALeaseOfAClientThatDiedComesBackAndIsNoOthers) {
  Begin();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  Share(&attacker, wire::Share::kAll);
  {
    RawClient dying = Session(kVictim);
    Lease lease = MakeLease(&dying, ++number);
    wire::FrameHeader header =
        wire::MakeHeader(static_cast<uint16_t>(MessageType::kPut), 1000, 1, ++number);
    dying.Send(std::string(reinterpret_cast<const char*>(&header), sizeof header) + "half");
    EXPECT_FALSE(PutLease(&attacker, lease.id, 1).status().ok());
    EXPECT_FALSE(
        attacker.Call(MessageType::kDropLease, wire::DropLease{lease.id}, 2).status().ok());
    RawClient same_user = Session(kVictim);
    EXPECT_EQ(same_user.Number("leases"), 1u);
    EXPECT_EQ(PutLease(&same_user, lease.id, 1).status().code(), Code::kPermission);
    EXPECT_EQ(Segment(&same_user, lease.segment, true).status().code(), Code::kPermission);
  }
  RawClient next = Session(kVictim);
  EXPECT_TRUE(WaitForNumber(&next, "leases", 0));
  EXPECT_EQ(next.Number("memory_used"), 0u);
}

}  // namespace
}  // namespace vineyard::testing

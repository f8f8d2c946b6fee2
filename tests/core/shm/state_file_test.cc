#include "core/shm/state_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "state_fixture.h"

namespace vineyard::shm {
namespace {

class StateFileTest : public WithState {};

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST_F(StateFileTest, NewOneHasAnInstanceAClusterAndFirstNumbers) {
  const StateHeader& header = state_->header();
  EXPECT_GE(header.instance, 1u);
  EXPECT_LE(header.instance, kMaxInstance);
  EXPECT_NE(header.cluster[0], 0u);
  EXPECT_EQ(header.counters.next_id, 1u);
  EXPECT_EQ(header.counters.next_segment, 1u);
  EXPECT_EQ(header.commit_lines, 0u);
}

TEST_F(StateFileTest, ListsItself) {
  auto self = state_->Lookup(Role::kState);
  ASSERT_TRUE(self);
  EXPECT_EQ(self->fd, state_->fd());
}

TEST_F(StateFileTest, IsAdoptedWithWhatItListed) {
  int fd = OpenNull();
  ASSERT_TRUE(state_->List(Role::kSegment, fd, 5, 4096, 1).ok());
  uint64_t instance = state_->header().instance;
  ASSERT_TRUE(Restart().ok());
  EXPECT_EQ(state_->header().instance, instance);
  auto listed = state_->Lookup(Role::kSegment, 5);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->fd, fd);
  EXPECT_EQ(listed->size, 4096u);
  EXPECT_EQ(listed->flags, 1u);
}

TEST_F(StateFileTest, OfAnotherVersionIsNotAdopted) {
  state_->header().header.layout_version = 9;
  int fd = dup(state_->fd());
  EXPECT_EQ(StateFile::Adopt(Fd(fd)).status().code(), Code::kVersion);
}

TEST_F(StateFileTest, ThatNamesMoreThanItHoldsIsNotAdopted) {
  auto expect_corrupt = [&](std::atomic<uint64_t>& field, uint64_t value) {
    uint64_t before = field.exchange(value);
    EXPECT_EQ(StateFile::Adopt(Fd(dup(state_->fd()))).status().code(), Code::kCorrupt);
    field = before;
  };
  StateHeader& header = state_->header();
  expect_corrupt(header.descriptors_end, kMaxDescriptors + 1);
  expect_corrupt(header.sessions_end, kMaxSessions + 1);
  expect_corrupt(header.reserved_lines, kMaxCommitLines + 1);
  expect_corrupt(header.commit_lines, header.reserved_lines + 1);
  // Possible numbers, but of what was never allocated.
  expect_corrupt(header.descriptors_end, kMaxDescriptors);
  expect_corrupt(header.sessions_end, kMaxSessions);
  expect_corrupt(header.reserved_lines, kMaxCommitLines);
  EXPECT_TRUE(StateFile::Adopt(Fd(dup(state_->fd()))).ok());
}

TEST_F(StateFileTest, OfNoInstanceOrOfAnotherThanItsHeaderIsNotAdopted) {
  uint64_t instance = state_->header().instance;
  for (uint64_t wrong : {uint64_t{0}, instance ^ 1, kMaxInstance + 1}) {
    state_->header().instance = wrong;
    EXPECT_EQ(StateFile::Adopt(Fd(dup(state_->fd()))).status().code(), Code::kCorrupt);
  }
  state_->header().instance = instance;
}

TEST_F(StateFileTest, ClockThatStartedNeverOrInTheFutureStartsAgain) {
  for (int64_t wrong : {INT64_MIN, INT64_MAX}) {
    state_->header().first_start_ms = wrong;
    ASSERT_TRUE(Restart().ok());
    EXPECT_GE(state_->header().first_start_ms, 0);
    EXPECT_LE(state_->header().first_start_ms, MonotonicNs() / 1'000'000);
  }
}

TEST_F(StateFileTest, DescriptorThatIsListedTwiceIsListedOnce) {
  int fd = dup(0);
  ASSERT_TRUE(state_->List(Role::kSegment, fd, 1).ok());
  ASSERT_TRUE(state_->List(Role::kSegment, fd, 2).ok());
  ASSERT_TRUE(Restart().ok());
  EXPECT_TRUE(state_->Lookup(Role::kSegment, 1));
  EXPECT_FALSE(state_->Lookup(Role::kSegment, 2));
}

TEST_F(StateFileTest, OfAnotherSizeIsNotAdopted) {
  auto fd = CreateMemory("small", kPageSize);
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(StateFile::Adopt(std::move(fd).value()).status().code(), Code::kCorrupt);
}

// ---- descriptors ----

TEST_F(StateFileTest, DescriptorsAreFoundByRoleAndNumber) {
  int a = OpenNull(), b = OpenNull(), c = OpenNull();
  ASSERT_TRUE(state_->List(Role::kSegment, a, 1).ok());
  ASSERT_TRUE(state_->List(Role::kSegment, b, 2).ok());
  ASSERT_TRUE(state_->List(Role::kPins, c, 1).ok());
  EXPECT_EQ(state_->Lookup(Role::kSegment, 1)->fd, a);
  EXPECT_EQ(state_->Lookup(Role::kSegment, 2)->fd, b);
  EXPECT_EQ(state_->Lookup(Role::kPins, 1)->fd, c);
  EXPECT_FALSE(state_->Lookup(Role::kPins, 2));
  EXPECT_FALSE(state_->Lookup(Role::kListener));
}

TEST_F(StateFileTest, ForgottenDescriptorIsClosedAndTheOthersAreNot) {
  int a = OpenNull(), b = OpenNull();
  ASSERT_TRUE(state_->List(Role::kSegment, a, 1).ok());
  ASSERT_TRUE(state_->List(Role::kSegment, b, 2).ok());
  state_->Forget(Role::kSegment, 1);
  EXPECT_FALSE(state_->Lookup(Role::kSegment, 1));
  EXPECT_FALSE(IsOpen(a));
  EXPECT_TRUE(IsOpen(b));
  state_->Forget(Role::kSegment, 77);  // unknown: nothing
  EXPECT_TRUE(state_->Lookup(Role::kSegment, 2));
}

TEST_F(StateFileTest, ForgottenEntryIsUsedAgain) {
  for (uint64_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(state_->List(Role::kPins, OpenNull(), i).ok());
    state_->Forget(Role::kPins, i);
  }
  EXPECT_EQ(state_->header().descriptors_end, kPageSize / sizeof(DescriptorEntry));
}

TEST_F(StateFileTest, TableOfDescriptorsGrowsAndSurvives) {
  std::vector<int> fds;
  for (uint64_t i = 0; i < 300; ++i) {
    fds.push_back(OpenNull());
    ASSERT_TRUE(state_->List(Role::kSegment, fds.back(), i).ok());
  }
  ASSERT_TRUE(Restart().ok());
  EXPECT_EQ(state_->Descriptors().size(), 301u);
  for (uint64_t i = 0; i < 300; ++i) EXPECT_EQ(state_->Lookup(Role::kSegment, i)->fd, fds[i]);
}

TEST_F(StateFileTest, FullTableOfDescriptorsIsALimit) {
  // Written from outside: listing so many one by one takes long. The number -1 is nobody's.
  constexpr uint64_t kStep = kPageSize / sizeof(DescriptorEntry);
  auto* entries = reinterpret_cast<DescriptorEntry*>(reinterpret_cast<char*>(&state_->header()) +
                                                     kDescriptorsOffset);
  for (uint64_t i = 1; i < kMaxDescriptors - kStep; ++i) {
    entries[i].fd = -1;
    entries[i].role = static_cast<uint32_t>(Role::kKeeper);
  }
  state_->header().descriptors_end = kMaxDescriptors - kStep;
  for (uint64_t i = 0; i < kStep; ++i) ASSERT_TRUE(state_->List(Role::kKeeper, -1, i).ok()) << i;
  EXPECT_EQ(state_->List(Role::kKeeper, -1, kStep).code(), Code::kLimit);
}

TEST_F(StateFileTest, CloseListedEndsAllOfThem) {
  int a = OpenNull(), state = state_->fd();
  ASSERT_TRUE(state_->List(Role::kSegment, a, 1).ok());
  state_->CloseListed();
  EXPECT_FALSE(IsOpen(a));
  EXPECT_FALSE(IsOpen(state));
  state_.reset();
}

TEST_F(StateFileTest, CloseUnlistedSparesListedAndKeptOnes) {
  // In a child: the test program has descriptors of its own.
  auto child = [&] {
    int listed = OpenNull(), kept = OpenNull(), other = OpenNull();
    if (!state_->List(Role::kSegment, listed, 1).ok()) _exit(1);
    state_->CloseUnlisted({kept});
    bool good = IsOpen(listed) && IsOpen(kept) && IsOpen(state_->fd()) && IsOpen(2);
    _exit(good && !IsOpen(other) ? 0 : 2);
  };
  EXPECT_EXIT(child(), testing::ExitedWithCode(0), "");
}

// ---- sessions ----

TEST_F(StateFileTest, SessionCellCountsOnceItHasAnId) {
  SessionCell* first = state_->AllocateSession();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(state_->AllocateSession(), first);
  first->id = 7;
  SessionCell* second = state_->AllocateSession();
  ASSERT_NE(second, nullptr);
  EXPECT_NE(second, first);
  EXPECT_EQ(state_->session_index(*first), 0u);
  EXPECT_EQ(state_->session_index(*second), 1u);
  EXPECT_EQ(&state_->session(1), second);
}

TEST_F(StateFileTest, SessionsSurvive) {
  for (uint64_t id = 1; id <= 20; ++id) {
    SessionCell* cell = state_->AllocateSession();
    cell->token[0] = 100 + id;
    cell->replies[63].number = id;
    cell->id = id;
  }
  ASSERT_TRUE(Restart().ok());
  ASSERT_EQ(state_->sessions_end(), 20u);
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(state_->session(i).id, i + 1);
    EXPECT_EQ(state_->session(i).token[0], 101 + i);
    EXPECT_EQ(state_->session(i).replies[63].number, i + 1);
  }
}

TEST_F(StateFileTest, CellOfAnEndedSessionIsUsedAgain) {
  SessionCell* cells[3];
  for (uint64_t i = 0; i < 3; ++i) (cells[i] = state_->AllocateSession())->id = i + 1;
  cells[1]->id = 0;
  EXPECT_EQ(state_->AllocateSession(), cells[1]);
  EXPECT_EQ(state_->sessions_end(), 3u);
}

TEST_F(StateFileTest, WithoutAFreeCellThereIsNoSession) {
  state_->header().sessions_end = kMaxSessions - 1;
  for (uint32_t i = 0; i < kMaxSessions - 1; ++i) state_->session(i).id = 1;
  SessionCell* last = state_->AllocateSession();
  ASSERT_NE(last, nullptr);
  last->id = 1;
  EXPECT_EQ(state_->AllocateSession(), nullptr);
}

// ---- commit ----

// An index of a few slots in plain memory.
struct Index {
  alignas(64) char bytes[kSlotsOffset + 64 * 64] = {};
  char* slot(uint64_t number) { return bytes + kSlotsOffset + 64 * number; }
  uint64_t Word(uint64_t slot, int word) const {
    uint64_t value;
    std::memcpy(&value, bytes + kSlotsOffset + 64 * slot + 8 * word, 8);
    return value;
  }
  bool operator==(const Index& other) const {
    return std::memcmp(bytes, other.bytes, sizeof bytes) == 0;
  }
};

CommitLine SlotLine(uint64_t slot, uint64_t value) {
  CommitLine line{};
  line.target = static_cast<uint32_t>(Target::kIndex);
  line.offset = kSlotsOffset + 64 * slot;
  for (uint64_t i = 0; i < 8; ++i) line.words[i] = value * 10 + i;
  return line;
}
CommitLine CountersLine(uint64_t next_id, uint64_t next_segment, uint64_t revision) {
  CommitLine line{};
  line.target = static_cast<uint32_t>(Target::kState);
  line.offset = kCountersOffset;
  line.words[0] = next_id;
  line.words[1] = next_segment;
  line.words[2] = revision;
  return line;
}

TEST_F(StateFileTest, ReservedLinesGrowAndNeverShrink) {
  EXPECT_EQ(state_->reserved_lines(), 256u);
  ASSERT_TRUE(state_->ReserveCommit(10).ok());
  EXPECT_EQ(state_->reserved_lines(), 256u);
  ASSERT_TRUE(state_->ReserveCommit(257).ok());
  EXPECT_EQ(state_->reserved_lines(), 512u);
  ASSERT_TRUE(state_->ReserveCommit(5000).ok());
  EXPECT_EQ(state_->reserved_lines(), 5000u);
}

TEST_F(StateFileTest, CommitAboveTheGreatestSizeIsALimit) {
  EXPECT_EQ(state_->ReserveCommit(kMaxCommitLines + 1).code(), Code::kLimit);
  EXPECT_EQ(state_->ReserveCommit(UINT64_MAX).code(), Code::kLimit);
  EXPECT_EQ(state_->reserved_lines(), 256u);
}

TEST_F(StateFileTest, ReservedCommitCanBeApplied) {
  ASSERT_TRUE(state_->ReserveCommit(1000).ok());
  std::vector<CommitLine> lines;
  for (uint64_t i = 0; i < 1000; ++i) lines.push_back(SlotLine(i % 64, i));
  Index index;
  state_->Apply(lines, index.bytes);
  EXPECT_EQ(index.Word(63, 0), 9590u);  // i = 959, the last with i % 64 == 63
}

using StateFileDeathTest = StateFileTest;
TEST_F(StateFileDeathTest, CommitThatWasNotReservedIsADefect) {
  std::vector<CommitLine> lines(257, SlotLine(1, 1));
  Index index;
  EXPECT_DEATH(state_->Apply(lines, index.bytes), "check failed");
}

TEST_F(StateFileTest, AppliedLinesAreInPlaceAndCleared) {
  Index index;
  state_->Apply({SlotLine(3, 7), SlotLine(5, 8), CountersLine(11, 12, 13)}, index.bytes);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(index.Word(3, i), 70u + i);
    EXPECT_EQ(index.Word(5, i), 80u + i);
    EXPECT_EQ(index.Word(4, i), 0u);
  }
  EXPECT_EQ(state_->header().counters.next_id, 11u);
  EXPECT_EQ(state_->header().counters.next_segment, 12u);
  EXPECT_EQ(state_->header().counters.revision, 13u);
  EXPECT_EQ(state_->header().commit_lines, 0u);
}

TEST_F(StateFileTest, LaterLineOfOneCommitWins) {
  Index index;
  state_->Apply({SlotLine(3, 7), SlotLine(3, 8)}, index.bytes);
  EXPECT_EQ(index.Word(3, 0), 80u);
}

TEST_F(StateFileTest, EmptyCommitChangesNothing) {
  Index index;
  state_->Apply({SlotLine(1, 1)}, index.bytes);
  Index before = index;
  state_->Apply({}, index.bytes);
  EXPECT_EQ(index, before);
}

TEST_F(StateFileTest, RedoWithoutAValidCommitChangesNothing) {
  Index index;
  // Applied, cleared: what still lies in the area is no commit.
  state_->Apply({SlotLine(1, 1), CountersLine(5, 5, 5)}, index.bytes);
  Index other;
  state_->header().counters.next_id = 77;
  state_->Redo(other.bytes, sizeof other.bytes);
  EXPECT_EQ(other, Index());
  EXPECT_EQ(state_->header().counters.next_id, 77u);
}

// Does by hand what Apply does, and dies after `stores` 8-byte stores.
class DyingCommit {
 public:
  DyingCommit(StateFile* state, const std::vector<CommitLine>& lines, Index* index, int stores)
      : left_(stores) {
    char* base = reinterpret_cast<char*>(&state->header());
    const char* from = reinterpret_cast<const char*>(lines.data());
    for (size_t at = 0; at < lines.size() * sizeof(CommitLine); at += 8) {
      Store(base + kCommitOffset + at, from + at);
    }
    uint64_t valid = lines.size(), cleared = 0;
    Store(reinterpret_cast<char*>(&state->header().commit_lines), &valid);
    for (const CommitLine& line : lines) {
      bool to_index = line.target == static_cast<uint32_t>(Target::kIndex);
      char* target = (to_index ? index->bytes : base) + line.offset;
      for (int word = 1; word < 8; ++word) Store(target + 8 * word, &line.words[word]);
      Store(target, &line.words[0]);
    }
    Store(reinterpret_cast<char*>(&state->header().commit_lines), &cleared);
  }
  bool finished() const { return left_ > 0; }

 private:
  void Store(char* to, const void* from) {
    if (left_-- > 0) std::memcpy(to, from, 8);
  }
  int left_;
};

TEST_F(StateFileTest, CrashAfterAnyStoreLeavesAllOrNothing) {
  std::vector<CommitLine> lines = {SlotLine(1, 100), SlotLine(2, 200), SlotLine(1, 300),
                                   CountersLine(1000, 2000, 3000)};
  // Until the commit is valid: its lines, 10 words each, and the store that makes it so.
  const int valid_at = static_cast<int>(lines.size()) * 10 + 1;
  for (int stores = 0;; ++stores) {
    SCOPED_TRACE(stores);
    Index before;
    state_->Apply({SlotLine(1, 1), SlotLine(2, 2), SlotLine(3, 3), CountersLine(1, 1, 1)},
                  before.bytes);
    Index after = before;
    std::memcpy(after.slot(1), lines[2].words, 64);
    std::memcpy(after.slot(2), lines[1].words, 64);

    Index index = before;
    DyingCommit commit(state_.get(), lines, &index, stores);
    ASSERT_TRUE(Restart().ok());
    state_->Redo(index.bytes, sizeof index.bytes);
    bool happened = stores >= valid_at;
    EXPECT_EQ(index, happened ? after : before);
    EXPECT_EQ(state_->header().counters.next_id, happened ? 1000u : 1u);
    EXPECT_EQ(state_->header().counters.revision, happened ? 3000u : 1u);
    EXPECT_EQ(state_->header().commit_lines, 0u);
    // Again: nothing more.
    Index again = index;
    state_->Redo(again.bytes, sizeof again.bytes);
    EXPECT_EQ(again, index);
    if (commit.finished()) break;
  }
}

TEST_F(StateFileTest, DamagedLinesOfACommitAreLeftOut) {
  ASSERT_NE(state_->AllocateSession(), nullptr);
  auto state_line = [](uint64_t offset) {
    CommitLine line = CountersLine(7, 7, 7);
    line.offset = offset;
    return line;
  };
  CommitLine no_target = SlotLine(2, 2);
  no_target.target = 3;
  CommitLine not_aligned = SlotLine(2, 2);
  not_aligned.offset += 8;
  CommitLine superblock = SlotLine(2, 2);
  superblock.offset = 64;
  const uint64_t replies = kSessionsOffset + offsetof(SessionCell, replies);
  const std::vector<CommitLine> lines = {
      no_target,
      not_aligned,
      superblock,
      SlotLine(64, 2),           // behind the index
      SlotLine(1u << 30, 2),     // far behind it
      state_line(0),             // the header
      state_line(kPageSize),     // a descriptor
      state_line(replies - 64),  // what a session is granted
      state_line(replies + sizeof(SessionCell::replies)),
      state_line(replies + sizeof(SessionCell)),  // of a session that never was
      state_line(kMaxStateFile),
      state_line(UINT64_MAX - 63),
      // These are good.
      SlotLine(1, 1),
      SlotLine(63, 1),
      state_line(replies + 63 * sizeof(Reply)),
      CountersLine(11, 12, 13),
  };
  char* base = reinterpret_cast<char*>(&state_->header());
  std::memcpy(base + kCommitOffset, lines.data(), lines.size() * sizeof(CommitLine));
  state_->header().commit_lines = lines.size();
  Index index;
  EXPECT_EQ(state_->Redo(index.bytes, sizeof index.bytes), 12u);
  Index good;
  std::memcpy(good.slot(1), SlotLine(1, 1).words, 64);
  std::memcpy(good.slot(63), SlotLine(63, 1).words, 64);
  EXPECT_EQ(index, good);
  EXPECT_EQ(state_->header().counters.next_id, 11u);
  EXPECT_EQ(state_->session(0).replies[63].number, 7u);
  EXPECT_EQ(state_->session(0).replies[0].number, 0u);
  EXPECT_EQ(state_->header().commit_lines, 0u);
  EXPECT_TRUE(Restart().ok()) << "what else the file says is as it was";
}

TEST_F(StateFileTest, CrashDuringRedoIsRedoneAgain) {
  std::vector<CommitLine> lines = {SlotLine(1, 100), SlotLine(2, 200)};
  Index after;
  std::memcpy(after.slot(1), lines[0].words, 64);
  std::memcpy(after.slot(2), lines[1].words, 64);
  for (int stores = 0; stores <= 16; ++stores) {
    Index index;
    // Valid, and not in place at all.
    DyingCommit commit(state_.get(), lines, &index, 21);
    // A first redo that dies half way.
    int left = stores;
    for (const CommitLine& line : lines) {
      for (int word : {1, 2, 3, 4, 5, 6, 7, 0}) {
        if (left-- > 0) std::memcpy(index.bytes + line.offset + 8 * word, &line.words[word], 8);
      }
    }
    ASSERT_TRUE(Restart().ok());
    state_->Redo(index.bytes, sizeof index.bytes);
    EXPECT_EQ(index, after) << stores;
    state_->header().commit_lines = 0;
  }
}

TEST_F(StateFileTest, AllocatedBytesCoverWhatIsReserved) {
  uint64_t before = state_->allocated_bytes();
  ASSERT_TRUE(state_->ReserveCommit(512).ok());
  EXPECT_EQ(state_->allocated_bytes(), before + 256 * sizeof(CommitLine));
  ASSERT_NE(state_->AllocateSession(), nullptr);
  EXPECT_EQ(state_->allocated_bytes(), before + 256 * sizeof(CommitLine) + sizeof(SessionCell));
}

}  // namespace
}  // namespace vineyard::shm

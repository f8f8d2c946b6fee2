// What an audit says of memory in order, and of memory that is changed behind the daemon's back.
#include <unistd.h>

#include <cstring>
#include <functional>

#include "core/shm/slot_table.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {
namespace {

using shm::SlotImage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

uint64_t Number(const Findings& findings, const std::string& name) {
  for (const auto& [key, number] : findings.numbers) {
    if (key == name) return number;
  }
  ADD_FAILURE() << "there is no number '" << name << "'";
  return 0;
}

class AuditTest : public StoreTest {
 protected:
  // Changes a slot while the daemon runs, and gives it the checksums of what it says then.
  void Change(uint32_t slot, const std::function<void(SlotImage&)>& change, bool seal = true) {
    auto table = shm::SlotTable::Open(state_.get());
    ASSERT_TRUE(table.ok());
    SlotImage image = (*table)->Read(slot);
    change(image);
    if (seal) image.Seal();
    shm::CommitLine line = image.Line(slot);
    std::memcpy((*table)->data() + line.offset, line.words, sizeof line.words);
  }
  // What is said of a change, which is undone.
  std::vector<std::string> ProblemsOf(uint32_t slot, const std::function<void(SlotImage&)>& change,
                                      bool seal = true) {
    SlotImage before;
    Change(
        slot,
        [&](SlotImage& image) {
          before = image;
          change(image);
        },
        seal);
    Findings findings = store_->Audit();
    EXPECT_EQ(findings.count, findings.problems.size());
    Change(slot, [&](SlotImage& image) { image = before; });
    EXPECT_THAT(store_->Audit().problems, IsEmpty());
    return findings.problems;
  }
};

TEST_F(AuditTest, OfMemoryInOrderFindsNothingAndAddsUpToTheByte) {
  FakeClient client(store_.get(), 5);
  ObjectId blob = PutBlob(std::string(1000, 'x'));
  ObjectId object = PutObject("t", {blob});
  ASSERT_TRUE(store_->PutName({}, "n", object, false, UINT64_MAX).ok());
  ASSERT_TRUE(store_->SetLabels({}, object, {{"k", "v"}}).ok());
  ASSERT_TRUE(Retry([&] { return store_->Lease({5, 1}, BlobKind::kBuffer, 100'000); }).ok());
  ObjectId pinned = PutBlob("pinned");
  client.Pin(SlotOf(pinned));
  ASSERT_TRUE(store_->Delete({}, {pinned}, false, false).ok());

  Findings findings = store_->Audit();
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_EQ(findings.count, 0u);
  EXPECT_EQ(Number(findings, "objects"), 1u);
  EXPECT_EQ(Number(findings, "blobs"), 1u);
  EXPECT_EQ(Number(findings, "names"), 1u);
  EXPECT_EQ(Number(findings, "leases"), 1u);
  EXPECT_EQ(Number(findings, "deleted"), 1u);
  EXPECT_EQ(Number(findings, "records"), 3u);
  EXPECT_EQ(Number(findings, "sessions"), 1u);
  EXPECT_EQ(Number(findings, "memory_used_bytes"), Used());
  EXPECT_EQ(Number(findings, "memory_used_bytes") + Number(findings, "memory_free_bytes"),
            Number(findings, "memory_bytes"));
  client.Unpin(SlotOf(blob));
}

TEST_F(AuditTest, NamesWhatIsWrongWithASlot) {
  ObjectId a = PutBlob(std::string(640, 'a')), b = PutBlob(std::string(640, 'b'));
  uint32_t slot = SlotOf(b);
  std::string text = "slot " + std::to_string(slot) + " (" + PrintId(b) + "): ";
  uint64_t location = 0;
  Change(SlotOf(a), [&](SlotImage& image) { location = image.fields.location; });
  EXPECT_THAT(ProblemsOf(slot, [](SlotImage& image) { image.fields.links = 3; }),
              ElementsAre(text + "3 links, and 0 records name it"));
  EXPECT_THAT(ProblemsOf(slot, [&](SlotImage& image) { image.fields.location = location + 9; }),
              ElementsAre(HasSubstr("their extents overlap")));
  EXPECT_THAT(ProblemsOf(slot, [&](SlotImage& image) { image.fields.location = location; }),
              ElementsAre(HasSubstr("their extents overlap")));
  EXPECT_THAT(ProblemsOf(slot, [](SlotImage& image) { image.fields.size += 64; }),
              ElementsAre(HasSubstr("bytes of extents, of what is quarantined")));
  EXPECT_THAT(
      ProblemsOf(slot, [](SlotImage& image) { image.fields.location = shm::MakeLocation(99, 0); }),
      ::testing::Contains(text + "its extent is in no segment"));
  EXPECT_THAT(ProblemsOf(slot, [&](SlotImage& image) { image.fields.id = a; }),
              ::testing::Contains(HasSubstr("have one id: " + PrintId(a))));
  EXPECT_THAT(ProblemsOf(slot, [](SlotImage& image) { image.fields.id += 12345; }),
              ::testing::Contains(HasSubstr("the directory does not lead to it")));
  EXPECT_THAT(ProblemsOf(
                  slot, [](SlotImage& image) { image.fields.type ^= 1; }, /*seal=*/false),
              ::testing::Contains(text + "its header does not have its checksum"));
  EXPECT_THAT(
      ProblemsOf(
          slot, [](SlotImage& image) { image.word = shm::MakeWord(5, shm::SlotState::kDeleting); }),
      ::testing::Contains(HasSubstr("deleted slots: 1, booked: 0")));
  EXPECT_THAT(
      ProblemsOf(slot,
                 [](SlotImage& image) { image.word = shm::MakeWord(5, shm::SlotState::kCreated); }),
      ::testing::Contains(text + "a lease of no session"));
}

TEST_F(AuditTest, ReadsEveryRecord) {
  ObjectId object = PutObject("t", {PutBlob("x")});
  shm::SlotFields fields;
  Change(SlotOf(object), [&](SlotImage& image) { fields = image.fields; });
  int fd = state_->Lookup(shm::Role::kSegment, shm::SegmentOf(fields.location))->fd;
  auto at = static_cast<off_t>(shm::OffsetOf(fields.location) + fields.size - 1);
  char good = 0;
  ASSERT_EQ(pread(fd, &good, 1, at), 1);
  char bad = static_cast<char>(good ^ 1);
  ASSERT_EQ(pwrite(fd, &bad, 1, at), 1);
  EXPECT_THAT(store_->Audit().problems,
              ::testing::Contains(
                  HasSubstr("(" + PrintId(object) + "): its record does not have its checksum")));
  ASSERT_EQ(pwrite(fd, &good, 1, at), 1);
  EXPECT_THAT(store_->Audit().problems, IsEmpty());
}

TEST_F(AuditTest, SeesASessionWhoseProcessIsGone) {
  FakeClient client(store_.get(), 0xabc);
  EXPECT_THAT(store_->Audit().problems, IsEmpty());
  client.Die();
  EXPECT_THAT(store_->Audit().problems,
              ElementsAre(HasSubstr("session 0000000000000abc: nobody holds its pins")));
  store_->EndSession(0xabc);
  EXPECT_THAT(store_->Audit().problems, IsEmpty());
}

TEST_F(AuditTest, CountsMoreProblemsThanItTells) {
  TreeMaker maker;
  std::vector<uint64_t> members;
  for (uint64_t i = 0; i < kMaxProblems + 10; ++i) members.push_back(maker.Blob("x"));
  maker.Object("t", members);
  Put(maker);
  auto set_links = [&](uint32_t links) {
    auto table = shm::SlotTable::Open(state_.get());
    ASSERT_TRUE(table.ok());
    for (uint32_t slot = 0; slot < kMaxProblems + 20; ++slot) {
      if ((*table)->Read(slot).fields.kind != shm::SlotKind::kBuffer) continue;
      Change(slot, [&](SlotImage& image) { image.fields.links = links; });
    }
  };
  set_links(2);
  Findings findings = store_->Audit();
  EXPECT_EQ(findings.problems.size(), kMaxProblems);
  EXPECT_EQ(findings.count, kMaxProblems + 10);
  set_links(1);
}

}  // namespace
}  // namespace vineyard::store

// Eviction by hand: what is asked for goes, and what can not go says why.
#include <fcntl.h>

#include "tests/core/store/spill_fixture.h"

namespace vineyard::store {
namespace {

using ::testing::HasSubstr;

class EvictTest : public SpillTest {
 protected:
  // As the daemon does: the jobs, and again.
  Status Evict(ObjectId id) {
    Status status = store_->Evict(id);
    while (status.code() == Code::kOutOfMemory && store_->IsSpilling() && Grow()) {
      status = store_->Evict(id);
    }
    return status;
  }
  void ExpectInUse(ObjectId id, const std::string& why) {
    Status status = Evict(id);
    EXPECT_EQ(status.code(), Code::kInUse) << status.ToString();
    EXPECT_THAT(status.text(), HasSubstr(why));
    store_->CheckInvariants();
  }
};

TEST_F(EvictTest, ATreeGoesThoughThereIsRoomAndComesBack) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(3 * kMiB, 'r'), other = PutLarge(3 * kMiB, 'o');
  EXPECT_EQ(Evict(root).ToString(), "ok");
  EXPECT_TRUE(IsSpilled(root));
  EXPECT_TRUE(IsSpilled(MemberOf(root)));
  EXPECT_FALSE(IsSpilled(other));
  EXPECT_EQ(store_->Stats().evictions, 1u);
  EXPECT_EQ(Evict(root).ToString(), "ok") << "once more";
  EXPECT_EQ(store_->Stats().evictions, 1u) << "changes nothing";
  store_->CheckInvariants();
  ExpectBytes(root, 3 * kMiB, 'r');
  EXPECT_EQ(Evict(root).ToString(), "ok");
  EXPECT_TRUE(IsSpilled(root));
}

TEST_F(EvictTest, ABlobAloneGoes) {
  ObjectId blob = PutBlob("a small one", BlobKind::kBytes);
  EXPECT_EQ(Evict(blob).ToString(), "ok");
  EXPECT_TRUE(IsSpilled(blob));
}

TEST_F(EvictTest, WhatIsPinnedStaysAndTheErrorSaysByWhom) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(3 * kMiB);
  for (ObjectId pinned : {root, MemberOf(root)}) {
    uint64_t word = ImageOf(pinned).word;
    client.Pin(store_->Look(pinned)->slot);
    ExpectInUse(root, "pid 1 (uid 1000) has pinned it");
    EXPECT_EQ(ImageOf(pinned).word, word);
    client.Unpin(store_->Look(pinned)->slot);
  }
  EXPECT_EQ(Evict(root).ToString(), "ok");
}

TEST_F(EvictTest, APinThatComesWhileItIsWrittenIsSaid) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(3 * kMiB);
  after_job_ = [&](SpillJob& job) {
    if (job.kind == SpillJob::Kind::kWrite) client.Pin(store_->Look(root)->slot);
  };
  ExpectInUse(root, "has pinned it");
  EXPECT_FALSE(IsSpilled(root));
  client.Unpin(store_->Look(root)->slot);
}

TEST_F(EvictTest, WhatADaemonHasJustToldSomebodyOfIsInUse) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(3 * kMiB);
  uint32_t slot = store_->Look(root)->slot;
  store_->Hold(slot);
  ExpectInUse(root, "somebody is about to read it");
  store_->Unhold(slot);
}

TEST_F(EvictTest, WhatAnotherObjectInMemoryLinksToStays) {
  FakeClient client(store_.get(), 1);
  ObjectId shared = PutLarge(3 * kMiB, 's');
  ObjectId parent = PutLarge(2 * kMiB, 'p', {shared});
  ObjectId friends = PutObject("friend", {shared});
  ExpectInUse(shared,
              "object " + PrintId(friends) + " (friend, member 'm0') links to it; evict that");
  EXPECT_EQ(Evict(parent).ToString(), "ok");
  EXPECT_TRUE(IsSpilled(parent));
  EXPECT_FALSE(IsSpilled(shared)) << "of the other parent, too";
  EXPECT_EQ(Evict(friends).ToString(), "ok");
  EXPECT_TRUE(IsSpilled(shared)) << "now that nothing in memory links to it";
  store_->CheckInvariants();
  ExpectBytes(shared, 3 * kMiB, 's');
}

TEST_F(EvictTest, AMemberThatWasLoadedByItselfGoesBackWithItsRoot) {
  FakeClient client(store_.get(), 1);
  ObjectId inner = PutLarge(3 * kMiB, 'i');
  ObjectId root = PutLarge(2 * kMiB, 'r', {inner});
  EXPECT_EQ(Evict(root).ToString(), "ok");
  ExpectBytes(inner, 3 * kMiB, 'i');
  EXPECT_FALSE(IsSpilled(inner));
  client.Pin(store_->Look(inner)->slot);
  EXPECT_EQ(Evict(root).code(), Code::kInUse);
  client.Unpin(store_->Look(inner)->slot);
  EXPECT_EQ(Evict(root).ToString(), "ok");
  EXPECT_TRUE(IsSpilled(inner));
  store_->CheckInvariants();
}

TEST_F(EvictTest, MetadataAloneHasNothingToGive) {
  ObjectId root = PutObject("t", {});
  EXPECT_EQ(Evict(root).ToString(), "ok");
  EXPECT_FALSE(IsSpilled(root));
  EXPECT_EQ(Evict(kEmptyBlobId).ToString(), "ok");
  EXPECT_EQ(Files(), std::vector<fs::path>());
}

TEST_F(EvictTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(Evict(MakeId(false, store_->instance(), 77)).code(), Code::kNotFound);
  FakeClient client(store_.get(), 1);
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, kMiB); });
  ASSERT_TRUE(lease.ok());
  Status status = Evict(lease->id);
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.text(), HasSubstr("it is being written"));
}

TEST_F(EvictTest, AFailingDiskIsNamedAndNothingIsLost) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(3 * kMiB, 'd');
  before_job_ = [](SpillJob& job) {
    if (job.kind == SpillJob::Kind::kWrite) job.folder = -1;  // as if it were gone
  };
  Status status = Evict(root);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code(), Code::kOutOfMemory);
  EXPECT_THAT(status.text(), HasSubstr("evict of object " + PrintId(root)));
  before_job_ = nullptr;
  ExpectBytes(root, 3 * kMiB, 'd');
  store_->Tick(state_->header().first_start_ms + 10'000);
  EXPECT_EQ(Evict(root).ToString(), "ok") << "some seconds later";
}

TEST_F(EvictTest, WhatIsDamagedInMemoryIsSaid) {
  FakeClient client(store_.get(), 1);
  ObjectId blob = PutBlob(std::string(10'000, 'x')), root = PutObject("t", {blob});
  {
    shm::Mapping mapping;
    At(ImageOf(blob).fields, &mapping)[5] ^= 1;
  }
  Status status = Evict(root);
  EXPECT_EQ(status.code(), Code::kCorrupt) << status.ToString();
  EXPECT_THAT(status.text(), HasSubstr(PrintId(blob)));
  EXPECT_FALSE(IsSpilled(blob));
}

TEST_F(StoreTest, EvictionByHandNeedsAPlaceForIt) {
  for (Eviction eviction : {Eviction::kNone, Eviction::kDrop}) {
    store_.reset();
    options_.eviction = eviction;
    Start();
    ObjectId id = PutBlob("x");
    Status status = store_->Evict(id);
    EXPECT_EQ(status.code(), Code::kUnsupported);
    EXPECT_THAT(status.text(), HasSubstr("--evict spill"));
  }
}

}  // namespace
}  // namespace vineyard::store

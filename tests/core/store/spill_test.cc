// Payloads go to files and come back: what is pinned stays, what comes back is what was put, and nothing is
// lost or left behind, whatever the disk does.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "core/base/log.h"
#include "core/shm/slot_table.h"
#include "tests/core/store/spill_fixture.h"

namespace vineyard::store {
namespace {

TEST_F(SpillTest, WhatWasPutComesBackFromTheFile) {
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> roots;
  for (int i = 0; i < 10; ++i) roots.push_back(PutLarge(10 * kMiB + i, static_cast<char>('a' + i)));
  store_->CheckInvariants();
  EXPECT_GT(store_->Stats().spilled_blobs, 3u);
  EXPECT_GT(store_->Stats().spilled_bytes, 30 * kMiB);
  EXPECT_FALSE(Files().empty());
  for (int i = 0; i < 10; ++i) ExpectBytes(roots[i], 10 * kMiB + i, static_cast<char>('a' + i));
  store_->CheckInvariants();
  EXPECT_GE(store_->Stats().loads, 4u);
  EXPECT_EQ(store_->Audit().problems, std::vector<std::string>());
}

TEST_F(SpillTest, AllOfAStoreGoesAndItsFilesGoWithTheObjects) {
  FakeClient client(store_.get(), 1);
  ObjectId first = PutLarge(5 * kMiB, 'a'), second = PutLarge(7 * kMiB, 'b');
  ObjectId small = PutBlob("a small one", BlobKind::kBytes);
  SpillAll();
  EXPECT_TRUE(IsSpilled(first));
  EXPECT_TRUE(IsSpilled(MemberOf(first)));
  EXPECT_TRUE(IsSpilled(small));
  EXPECT_LT(Used(), kMiB);
  EXPECT_EQ(store_->Stats().spilled_blobs, 3u);
  store_->CheckInvariants();
  ExpectBytes(second, 7 * kMiB, 'b');
  auto found = Retry([&] { return store_->Find(small); });
  ASSERT_TRUE(found.ok());
  shm::Mapping mapping;
  shm::SlotImage image = Image(found->slot);
  EXPECT_EQ(std::string(At(image.fields, &mapping), 11), "a small one");
  EXPECT_TRUE(store_->Delete({}, {first, second, small}, false, true).ok());
  RunJobs();
  EXPECT_EQ(store_->Stats().spilled_blobs, 0u);
  EXPECT_EQ(store_->Stats().spilled_bytes, 0u);
  EXPECT_EQ(Files(), std::vector<fs::path>());
  EXPECT_EQ(Used(), 0u);
}

TEST_F(SpillTest, WhatIsPinnedStays) {
  FakeClient client(store_.get(), 1);
  ObjectId by_root = PutLarge(5 * kMiB), by_member = PutLarge(5 * kMiB), free = PutLarge(5 * kMiB);
  client.Pin(store_->Look(by_root)->slot);
  client.Pin(store_->Look(MemberOf(by_member))->slot);
  SpillAll();
  EXPECT_FALSE(IsSpilled(MemberOf(by_root)));
  EXPECT_FALSE(IsSpilled(by_member));
  EXPECT_TRUE(IsSpilled(free));
  client.Unpin(store_->Look(by_root)->slot);
  client.Unpin(store_->Look(MemberOf(by_member))->slot);
}

TEST_F(SpillTest, APinTakenWhileTheFileIsWrittenKeepsTheTree) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(5 * kMiB, 'k');
  uint64_t word = ImageOf(root).word;
  int writes = 0;
  after_job_ = [&](SpillJob& job) {
    if (job.kind == SpillJob::Kind::kWrite && writes++ == 0) client.Pin(store_->Look(root)->slot);
  };
  SpillAll();
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(ImageOf(root).word, word) << "and the reader has never noticed";
  RunJobs();
  EXPECT_EQ(Files(), std::vector<fs::path>()) << "the copy is of no use";
  client.Unpin(store_->Look(root)->slot);
}

TEST_F(SpillTest, WhatIsDeletedWhileItIsWrittenIsGone) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(5 * kMiB);
  after_job_ = [&](SpillJob& job) {
    if (job.kind == SpillJob::Kind::kWrite) {
      EXPECT_TRUE(store_->Delete({}, {root}, false, true).ok());
      after_job_ = nullptr;
    }
  };
  SpillAll();
  RunJobs();
  store_->Tick(state_->header().first_start_ms + 1000);
  EXPECT_FALSE(store_->Look(root));
  EXPECT_EQ(Files(), std::vector<fs::path>());
  EXPECT_EQ(Used(), 0u);
}

TEST_F(SpillTest, WhatIsDeletedWhileItIsReadIsGone) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(5 * kMiB);
  SpillAll();
  after_job_ = [&](SpillJob& job) {
    if (job.kind == SpillJob::Kind::kRead) {
      EXPECT_TRUE(store_->Delete({}, {root}, false, true).ok());
    }
  };
  EXPECT_EQ(Retry([&] { return store_->Find(root); }).status().code(), Code::kNotFound);
  store_->Tick(state_->header().first_start_ms + 1000);
  RunJobs();
  EXPECT_EQ(Files(), std::vector<fs::path>());
  EXPECT_EQ(Used(), 0u);
}

// Regression: an error was logged, of a payload without its checksum that nobody has any more.
TEST_F(SpillTest, WhatIsDeletedWhileItIsReadIsNotReportedAsDamaged) {
  static int errors;
  errors = 0;
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(4 * kMiB, 'r');
  PutLarge(4 * kMiB, 'o');
  SpillAll();
  ASSERT_TRUE(IsSpilled(root));
  std::optional<SpillJob> load;
  do {
    EXPECT_FALSE(store_->Find(root).ok());
    load = store_->NextSpillJob(true);
  } while (!load && Grow());  // memory for it
  ASSERT_TRUE(load.has_value());
  SetLogSink([](LogLevel level, std::string_view) { errors += level >= LogLevel::kWarning; });
  EXPECT_TRUE(store_->Delete({}, {root}, false, true).ok());
  while (auto erase = store_->NextSpillJob(false)) {
    RunSpillJob(&*erase);
    store_->SpillJobDone(std::move(*erase));
  }
  RunSpillJob(&*load);
  bool has_read = load->items.at(0).status.ok();
  store_->SpillJobDone(std::move(*load));
  SetLogSink(nullptr);
  EXPECT_FALSE(has_read) << "its place in the file was given back";
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(store_->Find(root).status().code(), Code::kNotFound);
}

TEST_F(SpillTest, WhatTwoTreesShareGoesWithTheLastOfThem) {
  FakeClient client(store_.get(), 1);
  ObjectId base = PutLarge(4 * kMiB, 'b');
  ObjectId left = PutLarge(kMiB, 'l', {base}), right = PutLarge(kMiB, 'r', {base});
  client.Pin(store_->Look(right)->slot);
  SpillAll();
  EXPECT_TRUE(IsSpilled(left));
  EXPECT_FALSE(IsSpilled(base)) << "the other tree is in use";
  EXPECT_FALSE(IsSpilled(right));
  store_->CheckInvariants();
  client.Unpin(store_->Look(right)->slot);
  SpillAll();
  EXPECT_TRUE(IsSpilled(right));
  EXPECT_TRUE(IsSpilled(base));
  EXPECT_TRUE(IsSpilled(MemberOf(base)));
  Restart();
  client.Reconnect(store_.get());
  ExpectBytes(left, kMiB, 'l');
  EXPECT_FALSE(IsSpilled(base)) << "what is below a tree that can be got can be got";
  EXPECT_FALSE(IsSpilled(MemberOf(base)));
  EXPECT_TRUE(IsSpilled(right));
  EXPECT_EQ(store_->Audit().problems, std::vector<std::string>());
}

// Regression: a member that was there already went while its parent was read, which then had one that is spilled.
TEST_F(SpillTest, AMemberThatIsThereStaysWhileItsParentIsRead) {
  FakeClient client(store_.get(), 1);
  ObjectId base = PutLarge(4 * kMiB, 'b');
  ObjectId root = PutLarge(kMiB, 'r', {base});
  SpillAll();
  ASSERT_TRUE(Retry([&] { return store_->Find(base); }).ok());
  ASSERT_TRUE(IsSpilled(root));
  EXPECT_FALSE(store_->Find(root).ok());
  auto load = store_->NextSpillJob(true);
  ASSERT_TRUE(load.has_value());
  SpillAll();
  RunSpillJob(&*load);
  store_->SpillJobDone(std::move(*load));
  EXPECT_FALSE(IsSpilled(root));
  EXPECT_FALSE(IsSpilled(base));
  EXPECT_EQ(store_->Audit().problems, std::vector<std::string>());
}

TEST_F(SpillTest, APutMayLinkToWhatIsSpilled) {
  FakeClient client(store_.get(), 1);
  ObjectId base = PutLarge(4 * kMiB, 'b');
  SpillAll();
  ObjectId parent = PutLarge(kMiB, 'p', {base});
  ASSERT_NE(parent, kInvalidId);
  EXPECT_FALSE(IsSpilled(base));
  EXPECT_EQ(store_->Audit().problems, std::vector<std::string>());
}

TEST_F(SpillTest, NamesLabelsAndListsKnowWhatIsSpilled) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(4 * kMiB);
  SpillAll();
  EXPECT_TRUE(store_->PutName({}, "n", root, false, UINT64_MAX).ok());
  EXPECT_TRUE(store_->SetLabels({}, root, {{"k", "v"}}).ok());
  EXPECT_TRUE(store_->FindLabels(root).ok());
  auto page = store_->List("*", "", 10);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->objects.size(), 2u);
  EXPECT_TRUE(IsSpilled(root)) << "nobody asked for its bytes";
  EXPECT_TRUE(store_->Clear({}).ok());
  RunJobs();
  EXPECT_EQ(Files(), std::vector<fs::path>());
}

TEST_F(SpillTest, ASuccessorHasWhatIsSpilled) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(5 * kMiB, 's');
  ObjectId other = PutLarge(5 * kMiB, 'o');
  SpillAll();
  Restart();
  client.Reconnect(store_.get());
  EXPECT_EQ(store_->Stats().spilled_blobs, 2u);
  EXPECT_EQ(store_->Audit().problems, std::vector<std::string>());
  ExpectBytes(root, 5 * kMiB, 's');
  ExpectBytes(other, 5 * kMiB, 'o');
}

TEST_F(SpillTest, FilesThatNoSlotKnowsGoWithTheRestart) {
  FakeClient client(store_.get(), 1);
  PutLarge(5 * kMiB, 's');
  bool is_written = false;
  // The daemon dies between the file and the commit.
  while (!is_written) {
    auto lease = store_->Lease({1, 0}, BlobKind::kBuffer, options_.size_bytes - 2 * kMiB);
    ASSERT_FALSE(lease.ok());
    if (auto job = store_->NextSpillJob(false)) {
      RunSpillJob(&*job);
      is_written = true;
    } else {
      Grow();
    }
  }
  EXPECT_EQ(Files().size(), 1u);
  Restart();
  client.Reconnect(store_.get());
  RunJobs();
  EXPECT_EQ(Files(), std::vector<fs::path>());
}

TEST_F(SpillTest, AFlippedBitInTheFileIsReportedAndNeverServed) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(5 * kMiB, 's');
  SpillAll();
  ASSERT_EQ(Files().size(), 1u);
  {
    std::fstream file(Files()[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4 * kMiB);
    file.put('S');
  }
  Status status = Retry([&] { return store_->Find(root); }).status();
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_THAT(status.text(), ::testing::HasSubstr(PrintId(MemberOf(root))));
  EXPECT_THAT(status.text(), ::testing::HasSubstr(".spill"));
  EXPECT_EQ(Used(), Used()) << "and the memory it was read into is free";
  store_->CheckInvariants();
  {
    std::fstream file(Files()[0], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4 * kMiB);
    file.put('s');
  }
  ExpectBytes(root, 5 * kMiB, 's');
}

TEST_F(SpillTest, AFileThatIsGoneOrShortIsReported) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(5 * kMiB, 's');
  SpillAll();
  fs::resize_file(Files()[0], kMiB);
  EXPECT_EQ(Retry([&] { return store_->Find(root); }).status().code(), Code::kCorrupt);
  fs::remove(Files()[0]);
  Status status = Retry([&] { return store_->Find(root); }).status();
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_THAT(status.text(), ::testing::HasSubstr("No such file"));
  Restart();
  client.Reconnect(store_.get());
  EXPECT_FALSE(Retry([&] { return store_->Find(root); }).ok());
  EXPECT_TRUE(store_->Delete({}, {root}, false, true).ok()) << "it can be deleted all the same";
  EXPECT_EQ(store_->Stats().spilled_blobs, 0u);
}

TEST_F(SpillTest, WhereTheFolderIsGoneNothingIsLostAndPutsSayWhy) {
  FakeClient client(store_.get(), 1);
  ObjectId root = PutLarge(40 * kMiB, 's');
  fs::remove_all(folder_);
  auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, 40 * kMiB); });
  EXPECT_EQ(lease.status().code(), Code::kOutOfMemory);
  EXPECT_THAT(lease.status().text(), ::testing::HasSubstr("No such file"));
  ExpectBytes(root, 40 * kMiB, 's');
  store_->CheckInvariants();
}

TEST_F(SpillTest, ADamagedPayloadStaysInMemoryAndIsNotSealedIntoAFile) {
  FakeClient client(store_.get(), 1);
  ObjectId blob = PutBlob(std::string(50'000, 'c'));  // with a checksum
  {
    shm::Mapping mapping;
    At(ImageOf(blob).fields, &mapping)[100] ^= 1;
  }
  SpillAll();
  EXPECT_FALSE(IsSpilled(blob));
}

TEST_F(SpillTest, BetweenTheWatermarksTheStoreSpillsByItself) {
  store_.reset();
  options_.spill_upper_bytes = 40 * kMiB;
  options_.spill_lower_bytes = 20 * kMiB;
  Start();
  FakeClient client(store_.get(), 1);
  std::vector<ObjectId> roots;
  int64_t now = state_->header().first_start_ms;
  for (int i = 0; i < 3; ++i) {
    roots.push_back(PutLarge(10 * kMiB));
    store_->Tick(now += 1000);
  }
  RunJobs();
  EXPECT_EQ(store_->Stats().spilled_blobs, 0u);
  roots.push_back(PutLarge(10 * kMiB));
  for (int i = 0; i < 5; ++i) {
    store_->Tick(now += 1000);
    RunJobs();
  }
  EXPECT_LE(Used(), 20 * kMiB);
  EXPECT_TRUE(IsSpilled(roots[0])) << "the least recently used first";
  EXPECT_FALSE(IsSpilled(roots[3]));
}

TEST_F(SpillTest, AFolderOfAStoreThatIsGoneIsRemovedAndThatOfAnotherIsNot) {
  FakeClient client(store_.get(), 1);
  PutLarge(5 * kMiB, 's');
  SpillAll();
  fs::path mine = Files()[0].parent_path();
  {
    auto other = MakeSpillFolder(folder_);
    ASSERT_TRUE(other.ok());
    EXPECT_TRUE(fs::exists(mine)) << "it is locked";
  }
  auto again = MakeSpillFolder(folder_);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
  store_->RemoveSpillFiles();
  EXPECT_FALSE(fs::exists(mine));
}

}  // namespace
}  // namespace vineyard::store

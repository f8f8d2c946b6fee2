// A store that spills into a folder of its own, and what tests of it look at: slots, payloads, files.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/shm/slot_table.h"
#include "tests/core/store/store_fixture.h"

namespace vineyard::store {

namespace fs = std::filesystem;

class SpillTest : public StoreTest {
 protected:
  void SetUp() override {
    std::string path = fs::temp_directory_path() / "vy-XXXXXX";
    folder_ = mkdtemp(path.data());
    options_.eviction = Eviction::kSpill;
    options_.spill_path = folder_;
    StoreTest::SetUp();
  }
  void TearDown() override {
    StoreTest::TearDown();
    fs::remove_all(folder_);
  }

  // A tree of one payload of `size` bytes, all of them `fill`.
  ObjectId PutLarge(uint64_t size, char fill = 'x', const std::vector<ObjectId>& others = {}) {
    auto lease = Retry([&] { return store_->Lease({1, 0}, BlobKind::kBuffer, size); });
    EXPECT_TRUE(lease.ok()) << lease.status().ToString();
    if (!lease.ok()) return kInvalidId;
    Write(lease->id, size, fill);
    TreeMaker maker;
    maker.Object("t", {maker.Leased(lease->id, size)}, others);
    return Put(maker, {1, 0});
  }
  // As a session that leased it: the extent of a slot, through its segment.
  char* At(const shm::SlotFields& fields, shm::Mapping* mapping) {
    auto listed = state_->Lookup(shm::Role::kSegment, shm::SegmentOf(fields.location));
    EXPECT_TRUE(listed.has_value());
    auto mapped = shm::Mapping::Map(Fd(dup(listed->fd)), listed->size, true);
    EXPECT_TRUE(mapped.ok());
    *mapping = std::move(*mapped);
    return mapping->data() + shm::OffsetOf(fields.location) + fields.skip + fields.before;
  }
  shm::SlotImage Image(uint32_t slot) {
    auto listed = state_->Lookup(shm::Role::kIndex);
    auto mapped = shm::Mapping::Map(Fd(dup(listed->fd)), shm::kMaxIndexFile, false);
    EXPECT_TRUE(mapped.ok());
    return shm::SlotImage::Of(
        reinterpret_cast<shm::Slot*>(mapped->data() + shm::kSlotsOffset)[slot]);
  }
  shm::SlotImage ImageOf(ObjectId id) { return Image(store_->Look(id)->slot); }
  void Write(ObjectId lease, uint64_t size, char fill) {
    for (uint32_t slot = 0; slot < 1000; ++slot) {
      shm::SlotImage image = Image(slot);
      if (image.fields.id != lease || image.state() != shm::SlotState::kCreated) continue;
      shm::Mapping mapping;
      std::memset(At(image.fields, &mapping), fill, size);
      return;
    }
    ADD_FAILURE() << "no lease";
  }
  ObjectId MemberOf(ObjectId root, size_t index = 0) {
    return DecodeRecord(store_->Look(root)->record)->members[index].id;
  }
  bool IsSpilled(ObjectId id) { return ImageOf(id).state() == shm::SlotState::kSpilled; }
  // Whether a get of the root, and what is below it then, has these bytes. Loads it.
  void ExpectBytes(ObjectId root, uint64_t size, char fill) {
    auto found = Retry([&] { return store_->Find(root); });
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    shm::SlotImage image = ImageOf(MemberOf(root));
    ASSERT_EQ(image.state(), shm::SlotState::kSealed) << "with its root";
    shm::Mapping mapping;
    const char* bytes = At(image.fields, &mapping);
    EXPECT_TRUE(std::string(bytes, size) == std::string(size, fill));
  }
  // Spills until nothing more can go.
  void SpillAll() {
    while (true) {
      auto lease = store_->Lease({1, 0}, BlobKind::kBuffer, options_.size_bytes - 2 * kMiB);
      if (lease.ok()) {
        EXPECT_TRUE(store_->DropLease({1, 0}, lease->id).ok());
        return;
      }
      if (!Grow()) return;
    }
  }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }
  void RunJobs() {
    while (Grow()) {
    }
  }

  std::string folder_;
};

}  // namespace vineyard::store

// A store and the sessions of its clients in one process, so that ThreadSanitizer sees both sides of the
// pin protocol: one thread changes everything, three read without asking.
#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "core/client/reader.h"
#include "core/client/session.h"
#include "tests/core/store/store_fixture.h"
#include "tests/support/process.h"

namespace vineyard::store {
namespace {

constexpr int kReaders = 3;
constexpr uint64_t kIds = 1024;
constexpr uint64_t kPieces = 3;  // of the pin tables

// What a blob holds: its salt in every word, so that bytes of another show.
std::string PayloadOf(uint64_t salt, uint64_t words) {
  std::string bytes(words * 8, '\0');
  for (uint64_t i = 0; i < words; ++i) std::memcpy(&bytes[i * 8], &salt, 8);
  return bytes;
}

class ThreadsTest : public StoreTest {
 protected:
  struct Reader {
    client::Session* session = nullptr;
    uint64_t number = 0;
    uint64_t hits = 0, wrong = 0;
  };

  void Open(Reader* reader, uint64_t number) {
    reader->number = number;
    auto files = store_->OpenSession({number, {number, number}, 1000, 1});
    ASSERT_TRUE(files.ok());
    auto session =
        client::Session::Open(files->index, files->directory, files->pins, {store_->instance()});
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    reader->session = *session;
  }
  // Done by the store's thread: a client would ask for it in a message.
  void Map(Reader* reader) {
    for (uint64_t piece = 0; piece * shm::kPinPieceSlots < store_->Stats().slots; ++piece) {
      if (piece >= kPieces) break;
      ASSERT_TRUE(store_->Grant(reader->number, piece).ok());
      reader->session->SetGranted(piece);
    }
    for (uint32_t number = 1; number < 200; ++number) {
      uint64_t size = 0;
      if (reader->session->HasSegment(number, false)) continue;
      auto fd = store_->OpenSegment(reader->number, number, /*writable=*/false, &size);
      if (!fd.ok()) continue;
      ASSERT_TRUE(reader->session->AddSegment(number, *fd, size, false).ok());
    }
  }
  void Read(Reader* reader) {
    uint64_t random = reader->number;
    while (!stop_.load(std::memory_order_relaxed)) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      uint64_t id = known_[(random >> 33) % kIds].load(std::memory_order_acquire);
      client::SlotContents slot;
      if (id == 0 || client::FindObject(reader->session, id, &slot) != client::Found::kYes) {
        continue;
      }
      const char* bytes = reader->session->At(slot.location, slot.skip(), slot.size);
      if (bytes != nullptr) {  // else in a segment that is not mapped yet
        ++reader->hits;
        uint64_t first = 0;
        std::memcpy(&first, bytes, 8);
        if (first >> 32 != 0xb10b) ++reader->wrong;
        for (uint64_t at = 0; at + 8 <= slot.size; at += 8) {
          if (std::memcmp(bytes + at, &first, 8) != 0) ++reader->wrong;
        }
        // Of another blob, whole, would be as wrong.
        if (salt_of_id_[id % kSalts].load(std::memory_order_relaxed) != first) ++reader->wrong;
      }
      reader->session->Unpin(slot.slot);
    }
  }

  // The store's thread changes everything, while the readers read.
  void RunAll() {
    store_.reset();
    options_.size_bytes = 6 * kMiB;  // full soon
    Start();
    Reader readers[kReaders];
    for (int i = 0; i < kReaders; ++i) ASSERT_NO_FATAL_FAILURE(Open(&readers[i], 10 + i));
    for (Reader& reader : readers) ASSERT_NO_FATAL_FAILURE(Map(&reader));
    std::vector<std::thread> threads;
    for (Reader& reader : readers) threads.emplace_back([this, &reader] { Read(&reader); });

    uint64_t random = 1, grown = 0;
    for (uint64_t step = 0; step < 10'000; ++step) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      std::atomic<uint64_t>& place = known_[(random >> 40) % kIds];
      uint64_t old = place.load(std::memory_order_relaxed);
      if (old != 0 && random >> 62 != 0) (void)store_->Delete({}, {old}, false, true).ok();
      uint64_t salt = uint64_t{0xb10b} << 32 | step;
      TreeMaker maker;
      uint64_t words = 1 + ((random >> 33) % 64) * ((random >> 20) % 128);
      maker.Blob(PayloadOf(salt, words));
      auto put = TryPut(maker.tree());
      if (options_.eviction == Eviction::kSpill) {
        // What somebody may have found spilled comes back.
        uint64_t wanted = known_[(random >> 50) % kIds].load(std::memory_order_relaxed);
        if (wanted != 0) (void)Retry([&] { return store_->Find(wanted); }).ok();
      }
      if (!put.ok()) {
        ASSERT_EQ(put.status().code(), Code::kOutOfMemory) << put.status().ToString();
        store_->Tick(static_cast<int64_t>(step));
        continue;
      }
      salt_of_id_[put->id % kSalts].store(salt, std::memory_order_relaxed);
      place.store(put->id, std::memory_order_release);
      if (step % 64 == 0) {
        store_->Tick(state_->header().first_start_ms + static_cast<int64_t>(step));
        for (Reader& reader : readers) ASSERT_NO_FATAL_FAILURE(Map(&reader));
      }
      if (step == 5'000) {
        // Another step of the index, another table of the directory.
        TreeMaker many;
        std::vector<uint64_t> members;
        for (uint64_t i = 0; i < shm::kSlotStep + 10; ++i) members.push_back(many.Blob(""));
        many.Object("t", members);
        auto all = TryPut(many.tree());
        ASSERT_TRUE(all.ok()) << all.status().ToString();
        ASSERT_TRUE(store_->Delete({}, {all->id}, false, true).ok());
        while (store_->has_deferred()) store_->Tick(0);
        ++grown;
      }
    }
    stop_.store(true);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(grown, 1u);
    EXPECT_GT(store_->Stats().evictions, 0u);
    store_->CheckInvariants();
    for (Reader& reader : readers) {
      EXPECT_GT(reader.hits, 0u);
      EXPECT_EQ(reader.wrong, 0u) << "of " << reader.hits;
      reader.session->Orphan();
      EXPECT_FALSE(store_->SessionAlive(reader.number)) << "no pin is left";
      store_->EndSession(reader.number);
    }
    ASSERT_TRUE(store_->Clear({}).ok());
    EXPECT_EQ(Used(), 0u);
  }

  static constexpr uint64_t kSalts = 1 << 20;  // ids count up: none meets another
  std::atomic<uint64_t> known_[kIds] = {};     // what readers ask for
  std::unique_ptr<std::atomic<uint64_t>[]> salt_of_id_ { new std::atomic<uint64_t>[ kSalts ] };
  std::atomic<bool> stop_{false};
};

TEST_F(ThreadsTest, ReadersSeeWhatWasPutWhateverTheStoreDoesMeanwhile) {
  options_.eviction = Eviction::kDrop;
  RunAll();
}

TEST_F(ThreadsTest, ReadersSeeWhatWasPutWhileItGoesToFilesAndComesBack) {
  testing::TempFolder folder;
  options_.eviction = Eviction::kSpill;
  options_.spill_path = folder.path();
  RunAll();
  EXPECT_GT(store_->Stats().loads, 100u);
}

}  // namespace
}  // namespace vineyard::store

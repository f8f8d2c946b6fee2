#include <cstdio>
#include <cstring>
#include <thread>

#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

class Blob : public WithClient {};

// Memory that the daemon gave back to the host is unmapped by whatever is asked of it next.
TEST_F(Blob, OfMemoryThatWasGivenBackIsMappedNoMore) {
  vineyard_client* other = Connect();
  vineyard_id id = Put(other, std::string(300000, 'x'));
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, id, &blob));
  const void* data = vineyard_blob_data(blob);
  ASSERT_OK(vineyard_client_clear(other, nullptr));
  ASSERT_OK(vineyard_client_trim(other, nullptr));
  Number(client_, "blobs");
  EXPECT_EQ(BytesOf(blob), std::string(300000, 'x')) << "a view keeps its segment";
  vineyard_blob_release(blob);
  ASSERT_TRUE(WaitForNumber(other, "deferred", 0));
  EXPECT_EQ(vineyard_memory_is_shared(data, 1), 1);
  uint64_t bytes = 0;
  ASSERT_OK(vineyard_client_trim(other, &bytes));
  EXPECT_GT(bytes, 300000u);
  Number(client_, "blobs");  // no segment is asked for
  EXPECT_EQ(vineyard_memory_is_shared(data, 1), 0);
  EXPECT_EQ(Get(client_, Put(other, std::string(300000, 'y'))), std::string(300000, 'y'));
  vineyard_client_release(other);
}

constexpr int32_t kKinds[] = {VINEYARD_BLOB_BUFFER, VINEYARD_BLOB_BYTES, VINEYARD_BLOB_BYTEARRAY};

// "/memfd:vineyard..." when the address lies in shared memory.
std::string MappingOf(const void* address) {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[4096];
  std::string found;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long from = 0, to = 0;
    char rights[5] = {};
    if (std::sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3) continue;
    auto at = reinterpret_cast<unsigned long>(address);
    if (at >= from && at < to) found = line;
  }
  std::fclose(maps);
  return found;
}

TEST_F(Blob, ComesBackAsItWasPutAtEverySizeAndKind) {
  for (uint64_t size : {0, 1, 13, 255, 256, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 5 << 20}) {
    std::string bytes(size, '\0');
    for (uint64_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
    for (int32_t kind : kKinds) {
      vineyard_id id = Put(client_, bytes, kind);
      vineyard_blob* blob = nullptr;
      ASSERT_OK(vineyard_blob_get(client_, id, &blob));
      EXPECT_TRUE(BytesOf(blob) == bytes) << size << " of kind " << kind;
      EXPECT_EQ(vineyard_blob_kind(blob), kind);
      EXPECT_EQ(vineyard_blob_id(blob), id);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(vineyard_blob_data(blob)) % 64, 0u);
      vineyard_blob_release(blob);
      ASSERT_OK(Delete(client_, id));
    }
  }
}

TEST_F(Blob, StoredFormOfThirteenBytesIsTheirPickle) {
  vineyard_id id = Put(client_, "Hello, World!", VINEYARD_BLOB_BYTES);
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, id, &blob));
  EXPECT_EQ(vineyard_blob_length(blob), 13u);
  ASSERT_EQ(vineyard_blob_stored_size(blob), 28u);
  EXPECT_EQ(std::string(static_cast<const char*>(vineyard_blob_stored_data(blob)), 28),
            std::string("\x80\x05\x95\x11\0\0\0\0\0\0\0C\rHello, World!\x94.", 28));
  vineyard_blob_release(blob);
}

TEST_F(Blob, LargeOnesOfPythonsBytesHaveTheirEnvelopeToo) {
  std::string bytes(100000, 'x');
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, Put(client_, bytes, VINEYARD_BLOB_BYTES), &blob));
  ASSERT_EQ(vineyard_blob_stored_size(blob), 100009u);
  const char* stored = static_cast<const char*>(vineyard_blob_stored_data(blob));
  EXPECT_EQ(std::string(stored, 7), std::string("\x80\x05"
                                                "B\xa0\x86\x01\0",
                                                7));
  EXPECT_EQ(std::string(stored + 100007, 2), "\x94.");
  vineyard_blob_release(blob);
}

TEST_F(Blob, ViewsLieInAReadOnlyMapOfSharedMemory) {
  for (uint64_t size : {100, 100000}) {
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_blob_get(client_, Put(client_, std::string(size, 'x')), &blob));
    std::string mapping = MappingOf(vineyard_blob_data(blob));
    EXPECT_NE(mapping.find("memfd:vineyard"), std::string::npos) << mapping;
    EXPECT_NE(mapping.find("r--s"), std::string::npos) << mapping;
    EXPECT_EQ(vineyard_memory_is_shared(vineyard_blob_data(blob), size), 1);
    vineyard_blob_release(blob);
  }
  char own;
  EXPECT_EQ(vineyard_memory_is_shared(&own, 1), 0);
}

TEST_F(Blob, TwoClientsSeeTheSameBytes) {
  vineyard_client* other = Connect();
  EXPECT_EQ(Get(other, Put(client_, "shared")), "shared");
  vineyard_client_release(other);
}

TEST_F(Blob, AViewOutlivesDeletionClientAndDaemon) {
  vineyard_client* other = Connect();
  vineyard_id id = Put(other, "still here");
  vineyard_blob *blob = nullptr, *shared = nullptr;
  ASSERT_OK(vineyard_blob_get(other, id, &blob));
  ASSERT_OK(Delete(client_, id));
  EXPECT_EQ(Exists(client_, id), 0);
  EXPECT_EQ(Get(other, id), "not found");
  ASSERT_OK(vineyard_blob_share(blob, &shared));
  vineyard_client_release(other);
  Put(client_, std::string(1 << 20, 'y'));
  EXPECT_EQ(BytesOf(blob), "still here");
  daemon_.KillAll();
  vineyard_blob_release(blob);
  EXPECT_EQ(BytesOf(shared), "still here");
  vineyard_blob_release(shared);
}

// Languages without destructors read late; what they read is anything, and no fault.
TEST_F(Blob, AHeldMappingIsReadBehindTheRelease) {
  constexpr uint64_t kSize = 4 << 20;
  vineyard_client* other = Connect();
  vineyard_id id = Put(client_, std::string(kSize, 'x'));
  vineyard_blob* blob = nullptr;
  vineyard_mapping* mapping = nullptr;
  ASSERT_OK(vineyard_blob_get(other, id, &blob));
  const auto* data = static_cast<const volatile char*>(vineyard_blob_data(blob));
  ASSERT_OK(vineyard_blob_hold_mapping(blob, &mapping));
  vineyard_blob_release(blob);
  ASSERT_OK(Delete(client_, id));
  ASSERT_TRUE(WaitForNumber(client_, "deferred", 0));
  uint64_t bytes = 0;
  ASSERT_OK(vineyard_client_trim(client_, &bytes));
  EXPECT_GT(bytes, kSize);
  Number(other, "blobs");  // it notices here which segments are old
  EXPECT_EQ(vineyard_memory_is_shared(const_cast<const char*>(data), 1), 0);
  vineyard_client_release(other);
  for (uint64_t at = 0; at < kSize; at += 4096) EXPECT_TRUE(data[at] == 'x' || data[at] == 0);

  EXPECT_NE(MappingOf(const_cast<const char*>(data)), "");
  vineyard_mapping_release(mapping);
  EXPECT_EQ(MappingOf(const_cast<const char*>(data)), "");
  vineyard_mapping_release(nullptr);
}

TEST_F(Blob, AHeldMappingKeepsNeitherBytesNorSession) {
  uint64_t used = Number(client_, "memory_used"), sessions = Number(client_, "sessions");
  vineyard_client* other = Connect();
  vineyard_id id = Put(client_, std::string(1 << 20, 'x'));
  vineyard_blob* blob = nullptr;
  vineyard_mapping* mapping = nullptr;
  ASSERT_OK(vineyard_blob_get(other, id, &blob));
  ASSERT_OK(vineyard_blob_hold_mapping(blob, &mapping));
  vineyard_blob_release(blob);
  ASSERT_OK(Delete(client_, id));
  EXPECT_TRUE(WaitForNumber(client_, "memory_used", used));
  vineyard_client_release(other);
  EXPECT_TRUE(WaitForNumber(client_, "sessions", sessions));
  vineyard_mapping_release(mapping);

  ASSERT_OK(vineyard_blob_get(client_, VINEYARD_ID_EMPTY_BLOB, &blob));
  EXPECT_OK(vineyard_blob_hold_mapping(blob, &mapping));
  vineyard_mapping_release(mapping);
  vineyard_blob_release(blob);
  EXPECT_EQ(vineyard_blob_hold_mapping(nullptr, &mapping), VINEYARD_E_INVALID);
  EXPECT_EQ(mapping, nullptr);
}

TEST_F(Blob, MemoryOfADeletedOneComesBackWithTheLastView) {
  uint64_t used = Number(client_, "memory_used");
  vineyard_id id = Put(client_, std::string(1 << 20, 'x'));
  vineyard_blob *blob = nullptr, *shared = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, id, &blob));
  ASSERT_OK(vineyard_blob_share(blob, &shared));
  ASSERT_OK(Delete(client_, id));
  vineyard_blob_release(blob);
  EXPECT_GT(Number(client_, "memory_used"), used);
  vineyard_blob_release(shared);
  EXPECT_TRUE(WaitForNumber(client_, "memory_used", used));
}

TEST_F(Blob, TheEmptyBlobIsAlwaysThere) {
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(client_, VINEYARD_ID_EMPTY_BLOB, &blob));
  EXPECT_EQ(vineyard_blob_length(blob), 0u);
  EXPECT_NE(vineyard_blob_data(blob), nullptr);
  vineyard_blob_release(blob);
  EXPECT_EQ(Exists(client_, VINEYARD_ID_EMPTY_BLOB), 1);
}

TEST_F(Blob, UnknownIdsAreNamed) {
  vineyard_blob* blob = nullptr;
  vineyard_id id = VINEYARD_ID_EMPTY_BLOB | 0xabc;
  EXPECT_EQ(vineyard_blob_get(client_, id, &blob), VINEYARD_E_NOT_FOUND);
  EXPECT_NE(std::string(vineyard_error_text()).find("o8000000000000abc"), std::string::npos)
      << vineyard_error_text();
  EXPECT_EQ(blob, nullptr);
  EXPECT_EQ(vineyard_blob_get(client_, 5, &blob), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_blob_get(client_, 0, &blob), VINEYARD_E_INVALID);
}

TEST_F(Blob, ManyViewsOfManyObjectsLiveAtOnce) {
  constexpr int kCount = 3000;
  std::vector<vineyard_blob*> views;
  for (int i = 0; i < kCount; ++i) {
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_blob_get(client_, Put(client_, std::to_string(i)), &blob));
    views.push_back(blob);
  }
  for (int i = 0; i < kCount; ++i)
    EXPECT_EQ(BytesOf(views[static_cast<size_t>(i)]), std::to_string(i));
  for (vineyard_blob* blob : views) vineyard_blob_release(blob);
}

TEST_F(Blob, ThreadsShareOneClient) {
  constexpr int kThreads = 6, kRounds = 60;
  std::vector<std::thread> threads;
  vineyard_id common = Put(client_, "common");
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        std::string bytes = std::to_string(t) + ":" + std::to_string(i);
        if (i % 10 == 0) bytes.resize(100000, '.');
        vineyard_id id = Put(client_, bytes);
        EXPECT_TRUE(Get(client_, id) == bytes);
        EXPECT_EQ(Get(client_, common), "common");
        EXPECT_OK(Delete(client_, id));
        EXPECT_EQ(Exists(client_, id), 0);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(Number(client_, "blobs"), 1u);
}

TEST_F(Blob, AViewMayBeReleasedByAnotherThread) {
  vineyard_id id = Put(client_, "x");
  for (int i = 0; i < 20; ++i) {
    std::vector<vineyard_blob*> views(200);
    for (auto& view : views) ASSERT_OK(vineyard_blob_get(client_, id, &view));
    std::thread([&] {
      for (auto* view : views) vineyard_blob_release(view);
    }).join();
  }
  ASSERT_OK(Delete(client_, id));
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
}

TEST_F(Blob, StatisticsCountWhatWasCopied) {
  vineyard_client_statistics before = VINEYARD_CLIENT_STATISTICS_INIT, after = before;
  ASSERT_OK(vineyard_client_get_statistics(client_, &before));
  vineyard_id id = Put(client_, std::string(1000, 'x'));
  Get(client_, id);
  vineyard_client_add_copied(client_, 24);
  ASSERT_OK(vineyard_client_get_statistics(client_, &after));
  EXPECT_EQ(after.copied_payload_bytes - before.copied_payload_bytes, 1024u);
  EXPECT_GT(after.requests, before.requests);
}

TEST_F(Blob, AFullStoreSaysSoAndStoresNothing) {
  vineyard_id id = 0;
  std::string bytes(100 << 20, 'x');
  int32_t status =
      vineyard_blob_put(client_, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id);
  EXPECT_TRUE(status == VINEYARD_E_OUT_OF_MEMORY || status == VINEYARD_E_LIMIT)
      << vineyard_error_text();
  EXPECT_EQ(id, 0u);
  EXPECT_EQ(Number(client_, "blobs"), 0u);
  EXPECT_EQ(Number(client_, "leases"), 0u);
}

// ---- writers ---------------------------------------------------------------------------------------

TEST_F(Blob, AWriterWritesInPlaceAndSeals) {
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 200000, VINEYARD_BLOB_BYTEARRAY, &writer));
  vineyard_id id = vineyard_blob_writer_id(writer);
  EXPECT_EQ(vineyard_blob_writer_size(writer), 200000u);
  EXPECT_EQ(Exists(client_, id), 0) << "not before it is sealed";
  std::memset(vineyard_blob_writer_data(writer), 'w', 200000);
  ASSERT_OK(vineyard_blob_writer_seal(writer));
  EXPECT_EQ(vineyard_blob_writer_data(writer), nullptr);
  EXPECT_EQ(vineyard_blob_writer_seal(writer), VINEYARD_E_SEALED);
  EXPECT_EQ(vineyard_blob_writer_abort(writer), VINEYARD_E_SEALED);
  vineyard_blob_writer_release(writer);
  EXPECT_TRUE(Get(client_, id) == std::string(200000, 'w'));
}

TEST_F(Blob, AShrunkWriterKeepsTheFirstBytes) {
  for (int32_t kind : kKinds) {
    vineyard_blob_writer* writer = nullptr;
    ASSERT_OK(vineyard_blob_writer_create(client_, 200000, kind, &writer));
    std::memcpy(vineyard_blob_writer_data(writer), "first", 5);
    EXPECT_EQ(vineyard_blob_writer_shrink(writer, 200001), VINEYARD_E_INVALID);
    ASSERT_OK(vineyard_blob_writer_shrink(writer, 5));
    ASSERT_OK(vineyard_blob_writer_seal(writer));
    EXPECT_EQ(Get(client_, vineyard_blob_writer_id(writer)), "first");
    vineyard_blob_writer_release(writer);
  }
}

TEST_F(Blob, AWriterOfNoBytes) {
  for (int32_t kind : kKinds) {
    vineyard_blob_writer* writer = nullptr;
    ASSERT_OK(vineyard_blob_writer_create(client_, 0, kind, &writer));
    EXPECT_NE(vineyard_blob_writer_data(writer), nullptr);
    ASSERT_OK(vineyard_blob_writer_seal(writer));
    EXPECT_EQ(Get(client_, vineyard_blob_writer_id(writer)), "");
    vineyard_blob_writer_release(writer);
  }
}

TEST_F(Blob, AnAbortedWriterGivesItsMemoryBack) {
  uint64_t used = Number(client_, "memory_used");
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 200000, VINEYARD_BLOB_BUFFER, &writer));
  EXPECT_EQ(Number(client_, "leases"), 1u);
  ASSERT_OK(vineyard_blob_writer_abort(writer));
  ASSERT_OK(vineyard_blob_writer_abort(writer));
  EXPECT_EQ(vineyard_blob_writer_seal(writer), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_blob_writer_data(writer), nullptr);
  vineyard_blob_writer_release(writer);
  EXPECT_EQ(Number(client_, "leases"), 0u);
  EXPECT_EQ(Number(client_, "memory_used"), used);
}

TEST_F(Blob, AReleasedWriterIsAborted) {
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 200000, VINEYARD_BLOB_BUFFER, &writer));
  vineyard_blob_writer_release(writer);
  EXPECT_EQ(Number(client_, "leases"), 0u);
}

TEST_F(Blob, WhatAClosedClientHasNotSealedIsTheStoresAgainThoughItsWriterIsThere) {
  constexpr uint64_t kSize = 1 << 20;
  vineyard_client* other = Connect();
  vineyard_blob *view = nullptr, *filled = nullptr;
  ASSERT_OK(
      vineyard_blob_get(other, Put(client_, std::string(64, 'v')), &view));  // keeps the session
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(other, kSize, VINEYARD_BLOB_BUFFER, &writer));
  char* data = static_cast<char*>(vineyard_blob_writer_data(writer));
  std::memset(data, 'a', kSize);
  ASSERT_OK(vineyard_client_close(other));
  EXPECT_EQ(Number(client_, "leases"), 0u);
  vineyard_id id = Put(client_, std::string(kSize, 'b'));
  ASSERT_OK(vineyard_blob_get(client_, id, &filled));
  std::memset(data, 'c', kSize);
  EXPECT_EQ(BytesOf(filled), std::string(kSize, 'b'));
  EXPECT_EQ(vineyard_blob_writer_data(writer), nullptr);
  EXPECT_EQ(vineyard_blob_writer_seal(writer), VINEYARD_E_INVALID);
  vineyard_blob_release(view);
  vineyard_client_release(other);
  EXPECT_TRUE(WaitForNumber(client_, "sessions", 1));
  std::memset(data, 'd', kSize);
  EXPECT_EQ(data[kSize - 1], 'd');
  EXPECT_EQ(BytesOf(filled), std::string(kSize, 'b'));
  vineyard_blob_release(filled);
  vineyard_blob_writer_release(writer);
}

TEST_F(Blob, AWriterReleasedByAThreadThatMayNotWaitIsDroppedLater) {
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 200000, VINEYARD_BLOB_BUFFER, &writer));
  EXPECT_EQ(vineyard_thread_set_waiting(0), 1);
  vineyard_blob_writer_release(writer);
  vineyard_id id;
  EXPECT_EQ(vineyard_blob_put(client_, "x", 1, VINEYARD_BLOB_BUFFER, &id), VINEYARD_E_TIMEOUT);
  EXPECT_EQ(vineyard_thread_set_waiting(1), 0);
  EXPECT_EQ(Number(client_, "leases"), 0u);
}

TEST_F(Blob, MemoryCopyCopiesAtEveryAlignmentAndSize) {
  std::vector<char> from(3 << 20), to(3 << 20);
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 31 + i / 997);
  for (uint64_t size :
       {uint64_t{0}, uint64_t{1}, uint64_t{100}, uint64_t{1} << 20, (uint64_t{2} << 20) + 7}) {
    for (uint64_t offset : {0, 1, 63}) {
      std::fill(to.begin(), to.end(), '\0');
      vineyard_memory_copy(to.data() + offset, from.data() + 2 * offset, size);
      EXPECT_EQ(std::memcmp(to.data() + offset, from.data() + 2 * offset, size), 0);
      EXPECT_EQ(to[offset + size], '\0');
    }
  }
}

}  // namespace
}  // namespace vineyard::testing

#include "core/client/session.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "tests/core/client/fake_memory.h"

namespace vineyard::client {
namespace {

// Lines of /proc/self/maps that name the file.
int MappingsOf(const std::string& name) {
  std::FILE* maps = std::fopen("/proc/self/maps", "re");
  char line[4096];
  int count = 0;
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::string(line).find("memfd:" + name) != std::string::npos) ++count;
  }
  std::fclose(maps);
  return count;
}

TEST(Session, RefusesAnotherLayoutAndNamesBothVersions) {
  FakeMemory memory;
  memory.superblock().header.layout_version = 77;
  Result<Session*> session = OpenSession(memory);
  EXPECT_EQ(session.status().code(), Code::kVersion);
  EXPECT_NE(session.status().text().find("77"), std::string::npos);
}

TEST(Session, RefusesAFeatureThatItDoesNotKnow) {
  FakeMemory memory;
  memory.superblock().header.incompatible |= uint64_t{1} << 63;
  EXPECT_EQ(OpenSession(memory).status().code(), Code::kVersion);
}

TEST(Session, RefusesFilesOfAnotherInstance) {
  FakeMemory memory;
  memory.superblock().header.instance = FakeMemory::kInstance + 1;
  EXPECT_EQ(OpenSession(memory).status().code(), Code::kCorrupt);
}

TEST(Session, GoesWithTheLastPinWhenItsClientIsGone) {
  FakeMemory memory;
  int before = MappingsOf("pins");
  Session* session = OpenWhole(memory);
  EXPECT_EQ(MappingsOf("pins"), before + 1);
  session->pin(1).count.fetch_add(1);
  session->pin(900).count.fetch_add(2);
  session->Orphan();
  session->Unpin(900);
  session->Unpin(1);
  EXPECT_EQ(MappingsOf("pins"), before + 1) << "a pin is left";
  session->Unpin(900);
  EXPECT_EQ(MappingsOf("pins"), before);
}

TEST(Session, GoesAtOnceWhenNothingIsPinned) {
  FakeMemory memory;
  int before = MappingsOf("pins"), segments = MappingsOf("segment");
  Session* session = OpenWhole(memory);
  session->Orphan();
  EXPECT_EQ(MappingsOf("pins"), before);
  EXPECT_EQ(MappingsOf("segment"), segments);
}

TEST(Session, StaysForAWriterThatMayWriteIntoTheStore) {
  FakeMemory memory;
  int before = MappingsOf("pins");
  Session* session = OpenWhole(memory);
  session->AddWriter(7);
  session->Orphan();
  EXPECT_EQ(MappingsOf("pins"), before + 1);
  session->RemoveWriter(7);
  EXPECT_EQ(MappingsOf("pins"), before);
}

TEST(Session, ADetachedWriterWritesToNoEffectAndKeepsNothing) {
  FakeMemory memory;
  int pins = MappingsOf("pins"), segments = MappingsOf("segment");
  Session* session = OpenWhole(memory);
  ASSERT_TRUE(session->AddSegment(1, memory.segment_fd, FakeMemory::kSegmentSize, true).ok());
  Session::Memory held;
  char* data = session->WritableAt(shm::MakeLocation(1, 64), 5, &held);
  ASSERT_NE(data, nullptr);
  session->AddWriter(7);
  std::memcpy(data, "first", 5);
  EXPECT_EQ(session->DetachWriters(), std::vector<ObjectId>{7});
  std::memcpy(data, "later", 5);
  EXPECT_EQ(std::string(session->At(shm::MakeLocation(1, 64), 0, 5), 5), "first");
  EXPECT_FALSE(IsSharedMemory(data, 5));
  EXPECT_EQ(session->AddSegment(2, memory.segment_fd, FakeMemory::kSegmentSize, true).code(),
            Code::kInvalid)
      << "a writer that is just being made would write into the store";
  session->Orphan();
  EXPECT_EQ(MappingsOf("pins"), pins);
  EXPECT_EQ(MappingsOf("segment"), segments);
  EXPECT_EQ(std::string(data, 5), "later");
  Session* second = *OpenSession(memory);
  second->AddWriter(8);
  session->RemoveWriter(7);  // the same object by now
  second->Orphan();
  EXPECT_EQ(MappingsOf("pins"), pins + 1) << "for the writer of the second";
  second->RemoveWriter(8);
  std::memcpy(data, "still", 5);
}

TEST(Session, IsUsedAgainForAnother) {
  FakeMemory memory;
  Session* first = OpenWhole(memory);
  first->Orphan();
  Session* second = *OpenSession(memory);
  EXPECT_EQ(second, first);
  EXPECT_FALSE(second->IsGranted(0)) << "grants belong to the session before";
  EXPECT_EQ(second->At(shm::MakeLocation(1, 64), 0, 1), nullptr);
  second->Orphan();
}

TEST(Session, SegmentsAreReadOnlyMapsOfTheirSize) {
  FakeMemory memory;
  Session* session = OpenWhole(memory);
  uint64_t last = FakeMemory::kSegmentSize - 64;
  EXPECT_NE(session->At(shm::MakeLocation(1, last), 0, 64), nullptr);
  EXPECT_EQ(session->At(shm::MakeLocation(1, last), 0, 65), nullptr);
  EXPECT_EQ(session->At(shm::MakeLocation(1, last), 1, 64), nullptr);
  EXPECT_EQ(session->At(shm::MakeLocation(1, 64), 0, UINT64_MAX), nullptr);
  EXPECT_EQ(session->At(shm::MakeLocation(2, 64), 0, 1), nullptr);
  EXPECT_EQ(session->At(shm::MakeLocation(UINT32_MAX, 64), 0, 1), nullptr);
  Session::Memory held;
  EXPECT_EQ(session->WritableAt(shm::MakeLocation(1, 64), 1, &held), nullptr);
  ASSERT_TRUE(session->AddSegment(1, memory.segment_fd, FakeMemory::kSegmentSize, true).ok());
  char* writable = session->WritableAt(shm::MakeLocation(1, 64), 5, &held);
  ASSERT_NE(writable, nullptr);
  std::memcpy(writable, "hello", 5);
  const char* readable = session->At(shm::MakeLocation(1, 64), 0, 5);
  EXPECT_NE(readable, writable);
  EXPECT_EQ(std::string(readable, 5), "hello");
  EXPECT_TRUE(IsSharedMemory(readable, 5));
  EXPECT_TRUE(IsSharedMemory(writable, 5));
  EXPECT_FALSE(IsSharedMemory(readable, FakeMemory::kSegmentSize));
  session->Orphan();
  EXPECT_FALSE(IsSharedMemory(readable, 5));
}

TEST(Session, AFileSmallerThanSaidIsRefused) {
  FakeMemory memory;
  Session* session = OpenWhole(memory);
  EXPECT_EQ(session->AddSegment(2, memory.segment_fd, FakeMemory::kSegmentSize + 1, false).code(),
            Code::kCorrupt);
  session->Orphan();
}

TEST(Session, SegmentsThatNobodyUsesAreUnmapped) {
  FakeMemory memory;
  int before = MappingsOf("segment");
  Session* session = OpenWhole(memory);
  session->DropOldSegments();
  EXPECT_EQ(MappingsOf("segment"), before + 1);
  memory.superblock().oldest_segment.store(2);
  session->DropOldSegments();
  EXPECT_EQ(MappingsOf("segment"), before);
  EXPECT_EQ(session->At(shm::MakeLocation(1, 64), 0, 1), nullptr);
  session->Orphan();
}

TEST(Session, WhatAWriterHasGivenOutStaysMappedInASegmentThatIsGivenBack) {
  FakeMemory memory;
  Session* session = OpenWhole(memory);
  ASSERT_TRUE(session->AddSegment(1, memory.segment_fd, FakeMemory::kSegmentSize, true).ok());
  Session::Memory held;
  char* data = session->WritableAt(shm::MakeLocation(1, 64), 5, &held);
  memory.superblock().oldest_segment.store(2);
  session->DropOldSegments();
  std::memcpy(data, "later", 5);
  EXPECT_EQ(std::string(data, 5), "later");
  session->Orphan();
}

}  // namespace
}  // namespace vineyard::client

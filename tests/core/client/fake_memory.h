// Sessions of shared memory that a test has laid out by hand.
#pragma once

#include <gtest/gtest.h>

#include "core/client/session.h"
#include "tests/support/fake_memory.h"

namespace vineyard::client {

using testing::FakeMemory;

inline Result<Session*> OpenSession(const FakeMemory& memory) {
  return Session::Open(memory.index_fd, memory.directory_fd, memory.pins_fd, {memory.instance()});
}

// With the pins granted and segment 1 mapped.
inline Session* OpenWhole(const FakeMemory& memory) {
  Result<Session*> session = OpenSession(memory);
  EXPECT_TRUE(session.ok()) << session.status().ToString();
  (*session)->SetGranted(0);
  EXPECT_TRUE((*session)
                  ->AddSegment(1, memory.segment_fd, FakeMemory::kSegmentSize, /*writable=*/false)
                  .ok());
  return *session;
}

}  // namespace vineyard::client

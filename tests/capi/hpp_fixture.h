// What the tests of vineyard.hpp share: a daemon, a client, and how an exception is expected.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vineyard/vineyard.hpp>

#include "tests/support/process.h"

// The statement throws a `type`, which carries its status and says something.
#define EXPECT_ERROR(statement, type)                                        \
  EXPECT_THROW(                                                              \
      {                                                                      \
        try {                                                                \
          statement;                                                         \
        } catch (const vineyard::Error& error) {                             \
          EXPECT_EQ(error.status(), vineyard::type("made here").status());   \
          EXPECT_STRNE(error.what(), "");                                    \
          EXPECT_STRNE(error.status_name(), "unknown status") << #statement; \
          throw;                                                             \
        }                                                                    \
      },                                                                     \
      vineyard::type)

namespace vineyard_hpp {

class WithDaemon : public testing::Test {
 protected:
  WithDaemon() { EXPECT_TRUE(daemon_.WaitUntilReady()) << daemon_.log(); }

  vineyard::testing::TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  vineyard::testing::Vineyardd daemon_{socket_};
};

class WithClient : public WithDaemon {
 protected:
  vineyard::Client client_ = vineyard::Client::connect(socket_);
};

// "text" with a NUL, an accent, and a character beyond the first plane.
inline const std::string& OddText() {
  static const std::string text = std::string("a\0b", 3) + "é😀";
  return text;
}

}  // namespace vineyard_hpp

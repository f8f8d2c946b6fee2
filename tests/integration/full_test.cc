// A store that is full of what somebody holds: a put fails at once, and says who holds what.
#include <gmock/gmock.h>
#include <unistd.h>

#include <memory>

#include "tests/capi/fixture.h"
#include "tests/support/child.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A process that puts and holds so many blobs of 4 MiB. It says 'h' when it does, and ends when it is told to.
std::unique_ptr<Child> Holder(const std::string& socket, int count) {
  return std::make_unique<Child>([socket, count](Talk& talk) {
    vineyard_client* client = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket.c_str(), nullptr, &client) == VINEYARD_OK);
    std::string bytes(4 << 20, 'x');
    for (int i = 0; i < count; ++i) {
      vineyard_id id = 0;
      vineyard_blob* blob = nullptr;
      CHILD_CHECK(vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER,
                                    &id) == VINEYARD_OK);
      CHILD_CHECK(vineyard_blob_get(client, id, &blob) == VINEYARD_OK);
    }
    talk.Say('h');
    talk.Hear();
    return 0;
  });
}

std::string HoldsText(const Child& child, int count) {
  return "pid " + std::to_string(child.pid()) + " (uid " + std::to_string(geteuid()) + ") holds " +
         std::to_string(4 * count) + ".0 MiB";
}

class FullStore : public ::testing::TestWithParam<const char*> {
 protected:
  FullStore() {
    std::string mode = GetParam();
    std::vector<std::string> arguments{"--evict=" + mode};
    if (mode == "spill")
      arguments.insert(arguments.end(), {"--spill-path=" + folder_.path(), "--spill-upper-rate=1"});
    daemon_ = std::make_unique<Vineyardd>(socket_, arguments);
    EXPECT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
  }
  // What a put of 16 MiB, which could wait for a long time, fails with.
  std::string Failure(vineyard_client* client) {
    std::string bytes(16 << 20, 'y');
    vineyard_id id = 0;
    EXPECT_EQ(vineyard_blob_put(client, bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER, &id),
              VINEYARD_E_OUT_OF_MEMORY)
        << "and not a timeout";
    return vineyard_error_text();
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  std::unique_ptr<Vineyardd> daemon_;
};

TEST_P(FullStore, WhoPutsIsToldAtOnceWhichProcessesHoldWhat) {
  auto large = Holder(socket_, 8), small = Holder(socket_, 5);
  ASSERT_EQ(large->Hear(), 'h');
  ASSERT_EQ(small->Hear(), 'h');
  vineyard_client* client = ConnectTo(socket_, 600'000);
  std::string text = Failure(client);
  EXPECT_THAT(text, AllOf(HasSubstr("52.0 MiB are held by readers"),
                          HasSubstr(HoldsText(*large, 8) + ", " + HoldsText(*small, 5) + ";")));
  // Nothing is asked of the disk or dropped for a put that can not be served.
  EXPECT_EQ(Number(client, "evictions"), 0u);
  small->Kill();
  EXPECT_TRUE(WaitForNumber(client, "sessions", 2));
  large->Kill();
  EXPECT_TRUE(WaitForNumber(client, "memory_pinned", 0));
  vineyard_client_release(client);
}

TEST_P(FullStore, OnlyTheThreeWhoHoldMostAreNamed) {
  std::vector<std::unique_ptr<Child>> holders;
  for (int count : {1, 5, 2, 4, 1}) holders.push_back(Holder(socket_, count));
  for (const auto& holder : holders) ASSERT_EQ(holder->Hear(), 'h');
  vineyard_client* client = ConnectTo(socket_);
  std::string text = Failure(client);
  EXPECT_THAT(text, HasSubstr(HoldsText(*holders[1], 5) + ", " + HoldsText(*holders[3], 4) + ", " +
                              HoldsText(*holders[2], 2) + ", 2 more hold less;"));
  EXPECT_THAT(text, Not(HasSubstr(std::to_string(holders[0]->pid()) + " (")));
  EXPECT_NE(text.find("--size"), std::string::npos) << "the end of the text is not cut: " << text;
  vineyard_client_release(client);
}

// What is being written is held as well: nobody can make room of it.
TEST_P(FullStore, WhoWritesAndDoesNotSealIsNamed) {
  Child writer([&](Talk& talk) {
    vineyard_client* client = nullptr;
    vineyard_blob_writer* blob = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    CHILD_CHECK(vineyard_blob_writer_create(client, 52 << 20, VINEYARD_BLOB_BUFFER, &blob) ==
                VINEYARD_OK);
    talk.Say('h');
    talk.Hear();
    return 0;
  });
  ASSERT_EQ(writer.Hear(), 'h');
  vineyard_client* client = ConnectTo(socket_);
  EXPECT_THAT(Failure(client),
              AllOf(HasSubstr(HoldsText(writer, 13)), HasSubstr("0.0 MiB are held by readers")));
  vineyard_client_release(client);
}

INSTANTIATE_TEST_SUITE_P(Evict, FullStore, ::testing::Values("none", "drop", "spill"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace vineyard::testing

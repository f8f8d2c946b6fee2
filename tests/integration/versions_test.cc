// Two builds that do not know the same features of memory refuse each other, in words, and whoever fits
// is served on. The other build is this one with one feature more (other_features.cc).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vineyard/vineyard.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/shm/layout.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kBits[] = "0x4000000000000001";  // of the other build

// What a client of the other build says of this socket: "<status> <text>".
std::string ConnectOther(const std::string& socket, int* code) {
  std::string program = std::getenv("VINEYARDD");
  program.resize(program.rfind('/'));
  std::FILE* out = popen((program + "/connect_other " + socket).c_str(), "r");
  std::string text;
  std::array<char, 1000> buffer;
  while (std::fgets(buffer.data(), buffer.size(), out) != nullptr) text += buffer.data();
  *code = WEXITSTATUS(pclose(out));
  return text;
}

int32_t Connect(const std::string& socket, std::string* text) {
  vineyard_client* client = nullptr;
  int32_t status = vineyard_client_connect(socket.c_str(), nullptr, &client);
  *text = vineyard_error_text();
  EXPECT_EQ(status == VINEYARD_OK, client != nullptr);
  vineyard_client_release(client);
  return status;
}

TEST(Versions, AClientWithoutAFeatureOfTheDaemonIsRefused) {
  TempFolder folder;
  std::string socket = folder / "v.sock";
  Vineyardd::Bare bare{Vineyardd::Defaults(socket)};
  bare.program = OtherVineyardd();
  Vineyardd daemon(bare);
  ASSERT_TRUE(daemon.WaitUntilReady());
  std::string text;
  EXPECT_EQ(Connect(socket, &text), VINEYARD_E_VERSION) << text;
  EXPECT_THAT(text, StartsWith("connect " + socket +
                               ": the client knows memory layout 1 with "
                               "features 0x3, the daemon (vineyardd "));
  EXPECT_THAT(text, HasSubstr(std::string("uses layout 1 with features ") + kBits));
  EXPECT_THAT(text, HasSubstr("use a library and a daemon of one release"));
  EXPECT_NE(daemon.WaitForLine("features " + std::string(kBits)), "")
      << "the daemon's log has it, too";
  int code = -1;
  EXPECT_EQ(ConnectOther(socket, &code), "0 \n");
  EXPECT_EQ(code, 0);
  EXPECT_EQ(daemon.Terminate(), 0);
}

TEST(Versions, AClientWithAFeatureThatTheDaemonDoesNotKnowIsRefused) {
  TempFolder folder;
  std::string socket = folder / "v.sock";
  Vineyardd daemon(socket);
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient bystander(socket);
  ASSERT_TRUE(bystander.Hello(1).ok());
  int code = -1;
  std::string said = ConnectOther(socket, &code);
  EXPECT_EQ(code, 1);
  EXPECT_THAT(said, StartsWith(std::to_string(VINEYARD_E_VERSION) + " connect " + socket + ": "));
  EXPECT_THAT(said,
              HasSubstr(std::string("the client knows memory layout 1 with features ") + kBits));
  EXPECT_THAT(said, HasSubstr("uses layout 1 with features 0x3;"));
  EXPECT_TRUE(bystander.PutBytes("x", 1).status().ok());
  EXPECT_EQ(bystander.Number("sessions"), 1u);
  std::string text;
  EXPECT_EQ(Connect(socket, &text), VINEYARD_OK) << text;
}

TEST(Versions, AnotherLayoutIsRefusedNamingBothNumbers) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock");
  ASSERT_TRUE(daemon.WaitUntilReady());
  RawClient client(folder / "v.sock");
  wire::Hello hello;
  hello.layout = shm::kLayoutVersion + 8;
  hello.session = 1;
  Status status = client.Call(wire::MessageType::kHello, hello).status();
  EXPECT_EQ(status.code(), Code::kVersion);
  EXPECT_THAT(status.text(), HasSubstr("the client knows memory layout 9 "));
  EXPECT_THAT(status.text(), HasSubstr(" uses layout 1 "));
  EXPECT_TRUE(client.Ended());
}

}  // namespace
}  // namespace vineyard::testing

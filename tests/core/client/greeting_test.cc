// Where a client looks for its daemon, and whom it takes for one.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "core/client/client.h"
#include "tests/core/client/fake_daemon.h"

namespace vineyard::client {
namespace {

std::string DefaultFor(unsigned uid) {
  std::string path;
  if (geteuid() == 0) {
    testing::AsUser(uid, [&] { path = DefaultSocketPath(); });
  } else {
    path = DefaultSocketPath();
  }
  return path;
}

TEST(Greeting, TheDefaultSocketIsTheDaemons) {
  unsigned uid = geteuid() == 0 ? testing::kStranger : geteuid();
  unsetenv("VINEYARD_IPC_SOCKET");
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  EXPECT_EQ(DefaultFor(uid), "/run/user/7/vineyard.sock");
  unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(DefaultFor(uid), "/tmp/vineyard-" + std::to_string(uid) + "/vineyard.sock");
  setenv("VINEYARD_IPC_SOCKET", "/x.sock", 1);
  EXPECT_EQ(DefaultFor(uid), "/x.sock");
  unsetenv("VINEYARD_IPC_SOCKET");
}

Status ConnectTo(const std::string& path) {
  ConnectOptions options;
  options.path = path;
  Result<Client*> client = Client::Connect(options);
  if (client.ok()) (*client)->Release();
  return client.status();
}

// A socket at which this user listens and nobody answers.
class Listener {
 public:
  explicit Listener(unsigned uid) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(chmod(path_.c_str(), 0777), 0);
    EXPECT_EQ(chmod(folder_.path().c_str(), 0777), 0);
    testing::AsUser(uid, [&] { EXPECT_EQ(listen(fd_.get(), 8), 0); });
  }
  const std::string& path() const { return path_; }

 private:
  testing::TempFolder folder_;
  std::string path_ = folder_ / "v.sock";
  Fd fd_;
};

TEST(Greeting, ADaemonOfAStrangerIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can listen as somebody else";
  Listener listener(testing::kStranger);
  Status status = ConnectTo(listener.path());
  EXPECT_EQ(status.code(), Code::kPermission);
  EXPECT_NE(status.text().find(listener.path() + ": its daemon runs as uid 65533"),
            std::string::npos)
      << status.text();
}

// Also for a client that has that number, too.
TEST(Greeting, ADaemonOfTheOverflowUidIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can listen as somebody else";
  Listener listener(65534);
  Status status;
  testing::AsUser(65534, [&] { status = ConnectTo(listener.path()); });
  EXPECT_EQ(status.code(), Code::kPermission);
  EXPECT_NE(status.text().find("stands for every user that has no number here"), std::string::npos)
      << status.text();
}

// As another user, who may not do what root may.
Status ConnectAsStranger(const std::string& path) {
  Status status;
  testing::AsUser(testing::kStranger, [&] { status = ConnectTo(path); });
  return status;
}

TEST(Greeting, AFileThatIsNoSocketIsSaidToBeOne) {
  testing::TempFolder folder;
  std::ofstream(folder / "file") << "x";
  for (const std::string& path : {folder / "file", folder.path()}) {
    std::vector<Status> seen = {ConnectTo(path)};
    if (geteuid() == 0) {
      ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
      seen.push_back(ConnectAsStranger(path));
    }
    for (const Status& status : seen) {
      EXPECT_EQ(status.code(), Code::kUnavailable);
      EXPECT_EQ(status.text(), "connect " + path +
                                   (path == folder.path()
                                        ? ": a folder is there: name the socket in it"
                                        : ": a file that is no socket is there: remove it or name "
                                          "another path"));
    }
  }
}

TEST(Greeting, AFolderThatCanNotBeSearchedIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  testing::TempFolder folder;
  ASSERT_EQ(chmod(folder.path().c_str(), 0700), 0);
  for (const std::string& path :
       {folder / "a/b/v.sock", folder / (std::string(120, 'x') + "/v.sock")}) {
    Status status = ConnectAsStranger(path);
    EXPECT_EQ(status.code(), Code::kPermission);
    EXPECT_NE(status.text().find("folder " + folder.path() + " can not be searched by uid 65533"),
              std::string::npos)
        << status.text();
    EXPECT_EQ(status.text().find("belongs to"), std::string::npos) << status.text();
  }
}

TEST(Greeting, ASocketOfAnotherUserIsSaidToBeHis) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  Listener listener(0);
  ASSERT_EQ(chmod(listener.path().c_str(), 0600), 0);
  Status status = ConnectAsStranger(listener.path());
  EXPECT_EQ(status.code(), Code::kPermission);
  EXPECT_NE(
      status.text().find("belongs to uid 0, you are uid 65533: start a vineyardd of your own"),
      std::string::npos)
      << status.text();
  ASSERT_EQ(chown(listener.path().c_str(), testing::kStranger, testing::kStranger), 0);
  ASSERT_EQ(chmod(listener.path().c_str(), 0400), 0);
  status = ConnectAsStranger(listener.path());
  EXPECT_NE(status.text().find("its mode 400 does not let you: chmod 600 it"), std::string::npos)
      << status.text();
}

TEST(Greeting, ADaemonOfRootIsTakenByAnybody) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can listen as root";
  Listener listener(0);
  Status status;
  // No answer to hello: it was let that far.
  testing::AsUser(testing::kStranger, [&] {
    ConnectOptions options;
    options.path = listener.path();
    options.timeout_ms = 50;
    status = Client::Connect(options).status();
  });
  EXPECT_EQ(status.code(), Code::kTimeout) << status.ToString();
  EXPECT_EQ(status.text(), "connect " + listener.path() + ": no answer to hello within 50 ms");
}

TEST(Greeting, ARefusalNamesTheSocket) {
  FakeDaemon daemon({[](FakeConnection& c) {
    FakeRequest hello = c.Receive();
    c.Send(hello.header, wire::EncodeError({Code::kPermission, "this daemon serves uid 7"}));
  }});
  Status status = ConnectTo(daemon.path());
  EXPECT_EQ(status.code(), Code::kPermission);
  EXPECT_EQ(status.text(), "connect " + daemon.path() + ": this daemon serves uid 7");
}

TEST(Greeting, AnotherProtocolVersionNamesTheSocket) {
  FakeDaemon daemon({[](FakeConnection& c) {
    wire::FrameHeader header = c.Receive().header;
    header.version = wire::kProtocolVersion + 1;
    c.SendRaw({reinterpret_cast<const char*>(&header), sizeof header});
    ServeNothing(c);
  }});
  Status status = ConnectTo(daemon.path());
  EXPECT_EQ(status.code(), Code::kVersion);
  EXPECT_EQ(status.text().rfind("connect " + daemon.path() + ": ", 0), 0u) << status.text();
}

}  // namespace
}  // namespace vineyard::client

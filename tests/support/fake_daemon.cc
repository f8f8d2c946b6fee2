#include "tests/support/fake_daemon.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace vineyard::testing {

bool FakeConnection::ReadAll(char* to, size_t size) {
  while (size > 0) {
    ssize_t got = read(fd_.get(), to, size);
    if (got <= 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

FakeRequest FakeConnection::Receive() {
  FakeRequest request;
  if (!ReadAll(reinterpret_cast<char*>(&request.header), sizeof request.header)) return request;
  request.body.resize(request.header.body_size);
  request.ended = !ReadAll(request.body.data(), request.body.size());
  return request;
}

FakeRequest FakeConnection::ReceiveType(wire::MessageType type) {
  FakeRequest request = Receive();
  while (!request.ended && request.type() != type) request = Receive();
  return request;
}

void FakeConnection::SendRaw(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

namespace {

bool SendWith(int fd, std::string_view bytes, const std::vector<int>& descriptors) {
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * wire::kMaxDescriptors)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(entry), descriptors.data(), sizeof(int) * descriptors.size());
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

void FakeConnection::Send(const wire::FrameHeader& request, std::string_view body,
                          const std::vector<int>& descriptors) {
  wire::FrameHeader header = wire::MakeHeader(
      request.type | wire::kAnswer, static_cast<uint32_t>(body.size()), request.correlation,
      request.number, static_cast<uint8_t>(descriptors.size()));
  std::string_view bytes(reinterpret_cast<const char*>(&header), sizeof header);
  // Header and body in two pieces: a reader must put them together.
  if (SendWith(fd_.get(), bytes, descriptors)) SendRaw(body);
}

void FakeConnection::SendBeside(std::string_view bytes, int descriptor) {
  SendWith(fd_.get(), bytes, {descriptor});
}

void FakeConnection::AnswerMutation(const FakeRequest& request, ObjectId id, uint64_t value) {
  std::string body;
  wire::MutationAnswer{id, value, 1}.Encode(&body);
  Send(request.header, body);
}

void FakeConnection::Welcome(FakeMemory* memory, bool resumed) {
  FakeRequest hello = ReceiveType(wire::MessageType::kHello);
  if (hello.ended) return;
  wire::Welcome welcome;
  welcome.resumed = resumed;
  welcome.instance = FakeMemory::kInstance;
  welcome.epoch = 1;
  welcome.version = "fake";
  std::string body;
  welcome.Encode(&body);
  std::vector<int> files;
  if (!resumed) {
    files = {memory->index_fd.get(), memory->directory_fd.get(), memory->pins_fd.get()};
  }
  Send(hello.header, body, files);
}

FakeDaemon::FakeDaemon(std::vector<Script> scripts) : path_(folder_ / "fake.sock") {
  listener_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(listener_.get(), 64), 0);
  thread_ = std::thread([this, scripts = std::move(scripts)] {
    for (const Script& script : scripts) {
      Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      FakeConnection connection(std::move(fd));
      script(connection);
    }
  });
}

FakeDaemon::~FakeDaemon() {
  shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

}  // namespace vineyard::testing

#include "tests/support/raw_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/shm/layout.h"
#include "tests/support/process.h"

namespace vineyard::testing {

Result<wire::Answer> Received::answer() const {
  if (ended) return Status(Code::kUnavailable, "the connection ended");
  return wire::DecodeAnswer(body, arena.get());
}

Status Received::status() const {
  Result<wire::Answer> decoded = answer();
  return decoded.ok() ? decoded->ToStatus() : decoded.status();
}

RawClient::RawClient(const std::string& path) {
  Fd folder;
  std::string name = path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) {
    size_t slash = path.rfind('/');
    folder = Fd(open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    name = "/proc/self/fd/" + std::to_string(folder.get()) + path.substr(slash);
  }
  std::memcpy(address.sun_path, name.c_str(), std::min(name.size(), sizeof address.sun_path - 1));
  socket_ = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval patience{kPatience.count(), 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    error_ = errno;
    socket_.Reset();
  }
}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawClient::SendFrame(wire::MessageType type, std::string_view body, uint64_t number) {
  wire::FrameHeader header =
      wire::MakeHeader(static_cast<uint16_t>(type), static_cast<uint32_t>(body.size()), 1, number);
  header.audience = audience;
  header.flags = flags;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  return Send(bytes.append(body));
}

Received RawClient::Receive() {
  Received received;
  char header[sizeof(wire::FrameHeader)];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * wire::kMaxDescriptors)];
  iovec part = {header, sizeof header};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size;
  do {
    size = recvmsg(socket_.get(), &message, MSG_WAITALL | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size != sizeof header) {
    received.ended = size == 0 || (size < 0 && errno == ECONNRESET);
    if (!received.ended) received.body = "cut";
    return received;
  }
  for (cmsghdr* entry = CMSG_FIRSTHDR(&message); entry != nullptr;
       entry = CMSG_NXTHDR(&message, entry)) {
    size_t count = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int number;
      std::memcpy(&number, CMSG_DATA(entry) + i * sizeof(int), sizeof number);
      received.descriptors.emplace_back(number);
    }
  }
  std::memcpy(&received.header, header, sizeof header);
  received.body.resize(received.header.body_size);
  size_t at = 0;
  while (at < received.body.size()) {
    size = recv(socket_.get(), received.body.data() + at, received.body.size() - at, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      received.ended = true;
      return received;
    }
    at += static_cast<size_t>(size);
  }
  return received;
}

Received RawClient::CallRaw(wire::MessageType type, std::string_view body, uint64_t number) {
  SendFrame(type, body, number);
  return Receive();
}

Result<wire::Welcome> RawClient::Hello(uint64_t session) { return Hello(session, session * 3); }

Result<wire::Welcome> RawClient::Hello(uint64_t session, uint64_t token) {
  wire::Hello hello;
  hello.layout = shm::kLayoutVersion;
  hello.incompatible = shm::kKnownIncompatible;
  hello.session = session;
  hello.token[0] = token;
  hello.token[1] = session * 5;
  hello.pid = static_cast<uint64_t>(getpid());
  hello.client = "raw";
  last = Call(wire::MessageType::kHello, hello);
  for (Fd& fd : last.descriptors) files.push_back(std::move(fd));
  return last.As<wire::Welcome>();
}

Result<wire::AttachAnswer> RawClient::Attach(const wire::Attach& attach) {
  last = Call(wire::MessageType::kAttach, attach);
  for (Fd& fd : last.descriptors) files.push_back(std::move(fd));
  return last.As<wire::AttachAnswer>();
}

std::string PutOfBytes(std::string_view bytes) {
  Tree tree;
  TreeNode node;
  node.type = TreeNode::Type::kInlineBlob;
  node.bytes = bytes;
  tree.nodes.push_back(node);
  std::string body;
  wire::EncodeTree(tree, &body);
  return body;
}

Received RawClient::PutBytes(std::string_view bytes, uint64_t number) {
  return CallRaw(wire::MessageType::kPut, PutOfBytes(bytes), number);
}

Received RawClient::Find(ObjectId id) {
  wire::Find find;
  find.id = id;
  return Call(wire::MessageType::kFind, find);
}

uint64_t RawClient::Number(std::string_view name) {
  Received received = CallRaw(wire::MessageType::kStatus);
  Result<wire::StatusAnswer> status = received.As<wire::StatusAnswer>();
  if (!status.ok()) return UINT64_MAX;
  for (const auto& [key, number] : status->numbers) {
    if (key == name) return number;
  }
  return UINT64_MAX;
}

Received RawClient::FindName(std::string_view name) {
  wire::Find find;
  find.name = name;
  return Call(wire::MessageType::kFind, find);
}

}  // namespace vineyard::testing

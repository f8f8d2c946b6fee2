// The stream that a client reads: frames cut out of whatever bytes come in whatever pieces, with descriptors
// beside them. A frame that comes out is one that was sent; no descriptor is lost or left open.
//
// The input: pieces of [length, low byte][length, high byte | descriptors << 6].
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/client/socket.h"

namespace {

using namespace vineyard;

// A socket that listens, for as long as the process lives.
struct Listener {
  std::string folder, path;
  Fd fd;
  Listener() {
    char name[] = "/tmp/vy-stream-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    folder = name;
    path = folder + "/s";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    fd = Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK(listen(fd.get(), 1) == 0);
  }
  ~Listener() {
    unlink(path.c_str());
    rmdir(folder.c_str());
  }
};

// The lowest number that is free: the same as before when nothing was left open.
int LowestFree() {
  Fd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(fd.valid());
  return fd.get();
}

bool SendPiece(int to, std::string_view bytes, int descriptors, int what) {
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 3)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<size_t>(descriptors));
    cmsghdr* entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<size_t>(descriptors));
    for (int i = 0; i < descriptors; ++i) {
      std::memcpy(CMSG_DATA(entry) + static_cast<size_t>(i) * sizeof(int), &what, sizeof what);
    }
  }
  return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size());
}

// All that was sent, and how much of it has come out in frames.
struct Stream {
  std::string sent;
  size_t taken = 0;
  int descriptors = 0;

  // False: the stream is not to be used on.
  bool Read(client::Socket* socket) {
    Result<bool> more = socket->Receive();
    while (more.ok() && *more) {
      client::Frame frame;
      Result<bool> whole = socket->Next(&frame);
      while (whole.ok() && *whole) {
        std::string_view bytes(sent);
        CHECK(bytes.size() - taken >= sizeof frame.header + frame.body.size());
        CHECK(std::memcmp(&frame.header, bytes.data() + taken, sizeof frame.header) == 0);
        CHECK(bytes.substr(taken + sizeof frame.header, frame.body.size()) == frame.body);
        CHECK(frame.body.size() == frame.header.body_size);
        CHECK(frame.descriptors.size() == frame.header.descriptors);
        CHECK((descriptors -= frame.header.descriptors) >= 0);
        taken += sizeof frame.header + frame.body.size();
        frame = {};
        whole = socket->Next(&frame);
      }
      if (!whole.ok()) return false;
      more = socket->Receive();
    }
    return more.ok();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Listener listener;
  static Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int before = LowestFree();
  {
    Result<client::Socket> socket = client::Socket::Connect(listener.path, {});
    CHECK(socket.ok());
    Fd peer(accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(peer.valid());
    Stream stream;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    bool usable = true;
    while (usable && rest.size() > 2) {
      size_t length = static_cast<uint8_t>(rest[0]) | (static_cast<size_t>(rest[1]) & 63) << 8;
      int descriptors = static_cast<uint8_t>(rest[1]) >> 6;
      std::string_view piece = rest.substr(2, std::max<size_t>(length, 1));
      rest.remove_prefix(2 + piece.size());
      if (!SendPiece(peer.get(), piece, descriptors, null.get())) break;
      stream.sent += piece;
      stream.descriptors += descriptors;
      usable = stream.Read(&*socket);
    }
    peer.Reset();
    if (usable) CHECK(!stream.Read(&*socket));
  }
  CHECK(LowestFree() == before);
  return 0;
}

#include "daemon/session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/wire/messages.h"

namespace vineyard::daemon {
namespace {

constexpr size_t kHeaderSize = sizeof(wire::FrameHeader);
constexpr size_t kSmallBuffer = 8 * kKiB;
// A put with its payload inside is read in one go; what is larger gets memory as it arrives.
constexpr size_t kWholeFrame = 256 * kKiB;
constexpr int64_t kPatienceNs = int64_t{10} * 1'000'000'000;

size_t FrameSize(const wire::FrameHeader& header) { return kHeaderSize + header.body_size; }

wire::FrameHeader HeaderAt(const char* bytes) {
  wire::FrameHeader header;
  std::memcpy(&header, bytes, sizeof header);
  return header;
}

}  // namespace

Session::Session(asio::io_context* loop, Fd socket, Peer peer, Owner* owner)
    : socket_(*loop), peer_(peer), owner_(owner), waiting_since_ns_(MonotonicNs()) {
  ErrorCode ignored;
  socket_.assign(asio::local::stream_protocol(), socket.Release(), ignored);
  socket_.non_blocking(true, ignored);
}

Session::~Session() {
  ErrorCode ignored;
  socket_.close(ignored);
}

void Session::Start() { Read(); }

// ---- reading -----------------------------------------------------------------------------------

void Session::Read() {
  if (closed_ || finishing_ || reading_ || stands_still()) return;
  size_t needed = kHeaderSize;
  if (end_ - begin_ >= kHeaderSize) {
    needed += HeaderAt(buffer_.get() + begin_).body_size;  // checked when it came
  }
  MakeRoom(needed);
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.get() + end_, capacity_ - end_),
                          [self = shared_from_this()](const ErrorCode& error, size_t size) {
                            self->OnRead(error, size);
                          });
}

// Room for at least one more byte of the frame at begin_: a small frame gets all of its room at once, a
// large one twice as much whenever its room is used up.
void Session::MakeRoom(size_t frame_size) {
  size_t held = end_ - begin_;
  bool small = frame_size <= kWholeFrame;
  size_t enough = small ? std::max(kSmallBuffer, frame_size) : std::max(kWholeFrame, held + 1);
  bool too_large = held == 0 && capacity_ > kWholeFrame;
  if (capacity_ < enough || too_large) {
    size_t wanted = small ? enough : std::min(frame_size, std::max(kWholeFrame, 2 * held));
    std::unique_ptr<char[]> larger(new char[wanted]);
    if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = wanted;
  } else if (begin_ > 0 && held > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  }
  begin_ = 0;
  end_ = held;
}

void Session::OnRead(const ErrorCode& error, size_t size) {
  reading_ = false;
  if (closed_ || finishing_) return;
  if (error) {
    Close();
    return;
  }
  end_ += size;
  TakeFramesAndRead();
}

void Session::Resume() {
  if (!paused_) return;
  paused_ = false;
  TakeFramesAndRead();
}

void Session::TakeFramesAndRead() {
  TakeFrames();
  if (closed_ || finishing_) return;
  if (id_ != 0) waiting_since_ns_ = begin_ == end_ || stands_still() ? 0 : MonotonicNs();
  Read();
}

void Session::TakeFrames() {
  while (!closed_ && !finishing_ && !stands_still() && end_ - begin_ >= kHeaderSize) {
    wire::FrameHeader header = HeaderAt(buffer_.get() + begin_);
    Status checked = wire::CheckHeader(header);
    if (checked.ok() && header.descriptors != 0) {
      checked = Protocol("frame: a client sends no descriptors");
    }
    if (!checked.ok()) {
      Refuse(header, checked);
      return;
    }
    size_t size = FrameSize(header);
    if (end_ - begin_ < size) return;
    std::string_view body(buffer_.get() + begin_ + kHeaderSize, header.body_size);
    begin_ += size;
    unanswered_bytes_ += std::max(size, kLeastRequest);
    owner_->OnFrame(*this, header, body);
  }
  // What is no frame at all may be shorter than a header; it is refused by its first bytes.
  if (closed_ || finishing_ || end_ == begin_ || end_ - begin_ >= kHeaderSize) return;
  size_t known = std::min(end_ - begin_, sizeof wire::kMagic);
  if (std::memcmp(buffer_.get() + begin_, wire::kMagic, known) != 0) {
    Refuse(wire::FrameHeader{}, Protocol("frame: it does not start with the magic of vineyard"));
  }
}

// ---- writing -----------------------------------------------------------------------------------

void Session::Answer(const wire::FrameHeader& request, std::string body,
                     std::vector<Fd> descriptors) {
  if (closed_) return;
  Answered(request);
  wire::FrameHeader header = wire::MakeHeader(
      request.type | wire::kAnswer, static_cast<uint32_t>(body.size()), request.correlation,
      request.number, static_cast<uint8_t>(descriptors.size()));
  Outgoing outgoing;
  outgoing.bytes.reserve(kHeaderSize + body.size());
  outgoing.bytes.append(reinterpret_cast<const char*>(&header), kHeaderSize).append(body);
  outgoing.descriptors = std::move(descriptors);
  outgoing_bytes_ += outgoing.bytes.size();
  if (outgoing_.empty()) unread_since_ns_ = MonotonicNs();
  outgoing_.push_back(std::move(outgoing));
  if (!writing_) Flush();
}

void Session::Answered(const wire::FrameHeader& request) {
  bool was_busy = is_busy();
  // What is refused for its header was never counted.
  unanswered_bytes_ -= std::min(unanswered_bytes_, std::max(FrameSize(request), kLeastRequest));
  if (!was_busy || is_busy()) return;
  // Not from inside: this may be called while a frame is taken.
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->TakeFramesAndRead(); });
}

void Session::Refuse(const wire::FrameHeader& request, const Status& error) {
  Log(LogLevel::kWarning, "pid %u: %s: connection closed", peer_.pid, error.ToString().c_str());
  Answer(request, wire::EncodeError(error));
  Finish();
}

void Session::Finish() {
  if (closed_ || finishing_) return;
  finishing_ = true;
  waiting_since_ns_ = MonotonicNs();
  if (outgoing_.empty()) Close();
}

ssize_t Session::Send(Outgoing* outgoing) {
  iovec part = {outgoing->bytes.data() + outgoing->sent, outgoing->bytes.size() - outgoing->sent};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * wire::kMaxDescriptors)];
  size_t count = outgoing->descriptors.size();
  if (count > 0 && outgoing->sent == 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; ++i) {
      int number = outgoing->descriptors[i].get();
      std::memcpy(CMSG_DATA(entry) + i * sizeof(int), &number, sizeof number);
    }
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

void Session::Flush() {
  while (!closed_ && !outgoing_.empty()) {
    Outgoing& first = outgoing_.front();
    ssize_t sent = Send(&first);
    if (sent < 0 && errno == EAGAIN) {
      writing_ = true;
      socket_.async_wait(asio::local::stream_protocol::socket::wait_write,
                         [self = shared_from_this()](const ErrorCode& error) {
                           self->writing_ = false;
                           if (error) return;
                           bool was_full = self->is_full();
                           self->Flush();
                           if (was_full && !self->is_full()) self->TakeFramesAndRead();
                         });
      return;
    }
    // ETOOMANYREFS: more descriptors in flight than the system allows, because nobody reads them.
    if (sent < 0) {
      Close();
      return;
    }
    unread_since_ns_ = MonotonicNs();
    first.descriptors.clear();
    first.sent += static_cast<size_t>(sent);
    if (first.sent < first.bytes.size()) continue;
    outgoing_bytes_ -= first.bytes.size();
    outgoing_.pop_front();
  }
  if (!closed_ && finishing_) Close();
}

// ---- the end -----------------------------------------------------------------------------------

void Session::Close() {
  if (closed_) return;
  closed_ = true;
  std::shared_ptr<Session> self = shared_from_this();  // OnClosed lets go of it
  ErrorCode ignored;
  socket_.close(ignored);
  outgoing_.clear();
  owner_->OnClosed(*this);
}

void Session::CheckProgress(int64_t now_ns) {
  if (!closed_ && is_full() && now_ns - unread_since_ns_ >= kPatienceNs) {
    Log(LogLevel::kWarning, "pid %u does not read its answers: connection closed", peer_.pid);
    Close();
  }
  if (closed_ || waiting_since_ns_ == 0 || now_ns - waiting_since_ns_ < kPatienceNs) return;
  if (finishing_) {
    Close();
  } else if (id_ == 0) {
    Refuse(wire::FrameHeader{}, {Code::kTimeout, "no hello within 10 s"});
  } else {
    Refuse(wire::FrameHeader{}, {Code::kTimeout, "half a frame and nothing more for 10 s"});
  }
}

}  // namespace vineyard::daemon

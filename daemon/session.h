// This file is the only place that reads and writes one client's connection: it cuts frames out of
// the stream, and sends answers with their descriptors. What a frame means is not its business.
//
// Invariants:
//  1. One read and one write wait are in flight at most.
//  2. A frame's header is checked before memory for its body is taken, and memory grows only as
//  bytes
//     arrive.
//  3. After OnClosed nothing is called any more; Close() may be called twice.
// Thread-confined to the daemon's loop.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "core/base/status.h"
#include "core/wire/frame.h"
#include "daemon/access.h"
#include "daemon/asio.h"

namespace vineyard::daemon {

class Session : public std::enable_shared_from_this<Session> {
 public:
  // Whoever has the session.
  class Owner {
   public:
    virtual ~Owner() = default;
    // `body` points into the session's buffer: valid until this returns.
    virtual void OnFrame(Session& session, const wire::FrameHeader& header,
                         std::string_view body) = 0;
    virtual void OnClosed(Session& session) = 0;
  };

  Session(asio::io_context* loop, Fd socket, Peer peer, Owner* owner);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start();
  // Sends the answer to this request. Descriptors are closed here once they are sent.
  void Answer(const wire::FrameHeader& request, std::string body, std::vector<Fd> descriptors = {});
  // Answers with the error, reads nothing more, and closes when it is sent.
  void Refuse(const wire::FrameHeader& request, const Status& error);
  // Takes no frame and reads nothing until it is resumed. Both may be called twice.
  void Pause() { paused_ = true; }
  void Resume();
  bool paused() const { return paused_; }
  // Reads nothing more, and closes when everything is sent.
  void Finish();
  // At once. OnClosed is called before this returns.
  void Close();

  const Peer& peer() const { return peer_; }
  bool closed() const { return closed_; }
  // 0 until its hello is accepted.
  uint64_t id() const { return id_; }
  void set_id(uint64_t id) { id_ = id; }

  // Called now and then: closes a connection that says no hello, leaves a frame half sent, or does
  // not take its last answers.
  void CheckProgress(int64_t now_ns);

 private:
  // With so many bytes of answers unread no more requests are taken; who reads none of them in time is
  // dropped.
  static constexpr size_t kMaxOutgoing = size_t{16} << 20;
  // With requests of so many bytes unanswered no more are taken; each counts as kLeastRequest at least.
  static constexpr size_t kMaxUnanswered = size_t{16} << 20, kLeastRequest = 1024;
  struct Outgoing {
    std::string bytes;  // header and body
    std::vector<Fd> descriptors;
    size_t sent = 0;
  };

  void Read();
  void OnRead(const ErrorCode& error, size_t size);
  void TakeFrames();
  void TakeFramesAndRead();
  bool is_full() const { return outgoing_bytes_ > kMaxOutgoing; }
  bool is_busy() const { return unanswered_bytes_ > kMaxUnanswered; }
  // Neither takes frames nor reads.
  bool stands_still() const { return paused_ || is_full() || is_busy(); }
  void Answered(const wire::FrameHeader& request);
  void MakeRoom(size_t frame_size);
  void Flush();
  ssize_t Send(Outgoing* outgoing);

  asio::local::stream_protocol::socket socket_;
  const Peer peer_;
  Owner* const owner_;
  uint64_t id_ = 0;
  bool closed_ = false, finishing_ = false, paused_ = false, reading_ = false, writing_ = false;
  int64_t waiting_since_ns_;  // for a hello, the rest of a frame, or the last answers to be taken

  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0, begin_ = 0, end_ = 0;  // [begin, end) is read and not yet taken
  std::deque<Outgoing> outgoing_;
  size_t outgoing_bytes_ = 0;
  size_t unanswered_bytes_ = 0;  // of requests
  int64_t unread_since_ns_ = 0;  // some answer, none taken
};

}  // namespace vineyard::daemon

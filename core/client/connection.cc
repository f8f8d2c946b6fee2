#include "core/client/connection.h"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "core/base/at_end.h"

namespace vineyard::client {

void Request::WriteHeader(uint64_t correlation, uint64_t number, bool is_repeated,
                          uint16_t patience) {
  wire::FrameHeader header =
      wire::MakeHeader(static_cast<uint16_t>(type),
                       static_cast<uint32_t>(frame.size() - sizeof header), correlation, number);
  header.flags = is_repeated ? wire::kRepeated : 0;
  header.audience = audience;
  header.patience = patience;
  std::memcpy(frame.data(), &header, sizeof header);
}

bool Connection::IsAlive() {
  Lock lock(mutex_);
  return socket_ != nullptr && socket_->HasPeer();
}

Status Connection::Connect(const Patience& patience) {
  Pending pending;
  pending.patience = &patience;
  return Run(&pending);
}

Status Connection::Call(Request* request, const Patience& patience, Reply* reply) {
  if (request->frame.size() - sizeof(wire::FrameHeader) > wire::kMaxBody) {
    return Limit(Format("%s: a message of %zu bytes, at most %u are allowed",
                        wire::NameOf(request->type),
                        request->frame.size() - sizeof(wire::FrameHeader), wire::kMaxBody));
  }
  Pending pending;
  pending.request = request;
  pending.patience = &patience;
  pending.reply = reply;
  pending.mutating = wire::IsMutating(request->type);
  RETURN_IF_ERROR(Run(&pending));
  ASSIGN_OR_RETURN(reply->answer, wire::DecodeAnswer(reply->frame.body, &reply->arena));
  return reply->answer.code == Code::kOk ? OkStatus() : reply->answer.ToStatus();
}

Status Connection::Run(Pending* pending) {
  if (!ThreadMayWait()) {
    return {Code::kTimeout,
            Format("%s: the daemon must be asked, and this thread does not wait",
                   pending->request ? wire::NameOf(pending->request->type) : "connect")};
  }
  if (pending->request) requests_.fetch_add(1, std::memory_order_relaxed);  // a statistic
  Lock lock(mutex_);
  pending->correlation = ++correlation_;
  pending_.push_back(pending);
  AtEnd leave([&] {
    if (!lock.owns_lock()) lock.lock();
    Leave(pending);
  });
  Status status;
  while (status.ok() && !pending->answered) {
    if (pending->request == nullptr && socket_ != nullptr) break;
    status = Step(pending, lock);
  }
  // An answer that came while we gave up counts all the same.
  if (pending->answered) return OkStatus();
  bool may_run = pending->mutating && pending->sends > 0;
  if (status.ok() || !may_run || status.code() == Code::kUnknown) return status;
  return {Code::kUnknown, status.text() + "; it was sent, and may have been applied or be so yet"};
}

// One thing that brings the request nearer to its answer. Releases the lock meanwhile.
Status Connection::Step(Pending* pending, Lock& lock) {
  if (closed_) return Invalid("client: it is closed");
  if (pending->lost) {
    return {Code::kUnknown, Format("%s: the daemon was lost with its memory before it answered",
                                   wire::NameOf(pending->request->type))};
  }
  if (socket_ == nullptr) {
    if (connecting_) return Sleep(pending, lock, For::kTurn);
    return Establish(pending, lock);
  }
  if (pending->sent_on != generation_) return SendRequest(pending, lock);
  return Progress(pending, lock);
}

// Reads for everybody, or sleeps until who reads has something for us.
Status Connection::Progress(Pending* pending, Lock& lock) {
  if (pending->patience->deadline.passed()) return NoAnswer(*pending);
  return reading_ ? Sleep(pending, lock, For::kAnswer) : Read(pending, lock);
}

Status Connection::SendRequest(Pending* pending, Lock& lock) {
  const char* name = wire::NameOf(pending->request->type);
  if (pending->sends >= kMaxSends) {
    return {pending->mutating ? Code::kUnknown : Code::kUnavailable,
            Format("%s: the daemon died twice without an answer", name)};
  }
  if (pending->mutating && pending->number == 0) {
    if (next_number_ >= lowest_ + wire::kRequestWindow) return Progress(pending, lock);
    pending->number = next_number_++;
  }
  if (sending_) {
    if (pending->patience->deadline.passed()) return NoAnswer(*pending);
    return Sleep(pending, lock, For::kTurn);
  }
  pending->request->WriteHeader(pending->correlation, pending->number, pending->sends > 0,
                                wire::PatienceOfMs(pending->patience->deadline.LeftMs()));
  std::shared_ptr<Socket> socket = socket_;
  uint64_t generation = generation_, sent = 0;
  Status status;
  {
    AtEnd done([&] {
      if (!lock.owns_lock()) lock.lock();
      sending_ = false;
      WakeAll(For::kTurn);
      // Half a frame can not be taken back, and nothing may follow it.
      bool half = sent > 0 && sent < pending->request->frame.size();
      if (half || status.code() == Code::kUnavailable) Disconnect(generation);
    });
    sending_ = true;
    lock.unlock();
    status = SendAll(socket.get(), pending->request->frame, *pending->patience, &sent);
  }
  if (status.code() == Code::kTimeout) {
    return {Code::kTimeout,
            Format("%s: the daemon at %s: %s", name, options_.path.c_str(), status.text().c_str())};
  }
  if (!status.ok()) return status.code() == Code::kUnavailable ? OkStatus() : status;
  pending->sent_on = generation;
  ++pending->sends;
  return status;
}

Status Connection::SendAll(Socket* socket, std::string_view bytes, const Patience& patience,
                           uint64_t* sent) {
  while (*sent < bytes.size()) {
    ASSIGN_OR_RETURN(uint64_t more, socket->Send(bytes.substr(*sent)));
    *sent += more;
    if (more > 0) continue;
    if (patience.deadline.passed()) {
      return {Code::kTimeout, "it did not read what was sent" + patience.Within()};
    }
    Woken woken = WaitForSocket(socket->fd(), POLLOUT, patience);
    if (woken != Woken::kReady) RETURN_IF_ERROR(patience.Ask(woken == Woken::kSignal));
  }
  return OkStatus();
}

Status Connection::Read(Pending* pending, Lock& lock) {
  std::shared_ptr<Socket> socket = socket_;
  uint64_t generation = generation_;
  Woken woken;
  Status status;
  {
    bool whole = false;  // not when an exception left half a frame behind
    AtEnd done([&] {
      if (!lock.owns_lock()) lock.lock();
      reading_ = false;
      // What the others sent is sent again by themselves, once somebody has connected again.
      if (!whole) Disconnect(generation);
    });
    reading_ = true;
    lock.unlock();
    woken = WaitForSocket(socket->fd(), POLLIN, *pending->patience);
    Result<bool> received = woken == Woken::kReady ? socket->Receive() : Result<bool>(false);
    lock.lock();
    status = received.ok() ? Dispatch(socket.get()) : received.status();
    whole = status.ok();
  }
  if (!status.ok()) return status.code() == Code::kUnavailable ? OkStatus() : status;
  if (woken == Woken::kReady || pending->answered) return OkStatus();
  WakeReader();  // asking may take long: let another read
  lock.unlock();
  status = pending->patience->Ask(woken == Woken::kSignal);
  lock.lock();
  return status;
}

Status Connection::Sleep(Pending* pending, Lock& lock, For what) {
  if (pending->patience->deadline.passed()) return NoAnswer(*pending);
  uint32_t seen = pending->event.count();
  pending->sleeps = what;
  lock.unlock();
  Woken woken = pending->event.Wait(seen, *pending->patience);
  Status status;
  if (woken != Woken::kReady) status = pending->patience->Ask(woken == Woken::kSignal);
  lock.lock();
  pending->sleeps = For::kNothing;
  return status;
}

// Hands out every whole frame that was read.
Status Connection::Dispatch(Socket* socket) {
  while (true) {
    Frame frame;
    ASSIGN_OR_RETURN(bool whole, socket->Next(&frame));
    if (!whole) return OkStatus();
    if ((frame.header.type & wire::kAnswer) == 0) return Protocol("daemon: it sent a request");
    uint64_t correlation = frame.header.correlation;
    auto is_it = [&](const auto* pending) { return pending->correlation == correlation; };
    auto found = std::find_if(pending_.begin(), pending_.end(), is_it);
    if (found != pending_.end() && (*found)->reply != nullptr && !(*found)->answered) {
      const Request& request = *(*found)->request;
      if (frame.header.type != (static_cast<uint16_t>(request.type) | wire::kAnswer) ||
          frame.header.number != (*found)->number) {
        return Protocol(
            Format("daemon: it answered another request than %s", wire::NameOf(request.type)));
      }
      (*found)->reply->frame = std::move(frame);
      (*found)->answered = true;
      Answered((*found)->number);
      if ((*found)->sleeps != For::kNothing) (*found)->event.Set();
      continue;
    }
    TakeLate(frame);
  }
}

// An answer that nobody waits for any more.
void Connection::TakeLate(const Frame& frame) {
  auto late = std::find_if(given_up_.begin(), given_up_.end(), [&](const GivenUp& request) {
    return request.correlation == frame.header.correlation;
  });
  if (late == given_up_.end()) return;
  GivenUp request = std::move(*late);
  given_up_.erase(late);
  Answered(request.number);
  if (request.lease.empty()) return;
  Arena arena;
  Result<wire::Answer> answer = wire::DecodeAnswer(frame.body, &arena);
  if (!answer.ok() || answer->code != Code::kOk) return;
  Result<wire::LeaseAnswer> lease = wire::LeaseAnswer::Decode(*answer);
  if (!lease.ok()) return;
  wire::FrameHeader asked;
  std::memcpy(&asked, request.lease.data(), sizeof asked);
  on_late_lease_(lease->id, asked.audience);
}

Status Connection::NoAnswer(const Pending& pending) const {
  std::string what = pending.request ? wire::NameOf(pending.request->type) : "connect";
  std::string within = pending.patience->Within();
  if (pending.request && !pending.request->subject.empty()) {
    return {Code::kTimeout,
            Format("%s for %s: the daemon at %s did not say that it is there%s", what.c_str(),
                   pending.request->subject.c_str(), options_.path.c_str(), within.c_str())};
  }
  return {Code::kTimeout, Format("%s: no answer from the daemon at %s%s", what.c_str(),
                                 options_.path.c_str(), within.c_str())};
}

void Connection::Leave(Pending* pending) {
  pending_.erase(std::find(pending_.begin(), pending_.end(), pending));
  if (!pending->answered && pending->number != 0) GiveUp(pending);
  if (!reading_) WakeReader();
}

void Connection::GiveUp(Pending* pending) {
  bool lease = pending->sends > 0 && pending->request->type == wire::MessageType::kLease;
  bool on_its_way = socket_ != nullptr && pending->sent_on == generation_;
  // Else no answer can come, and it will not be sent again.
  if (!lease && !on_its_way) return Answered(pending->number);
  GivenUp request{pending->correlation, pending->number, pending->sends, {}};
  if (lease) request.lease = std::move(pending->request->frame);
  given_up_.push_back(std::move(request));  // it has room for a window of them
}

// On a new connection of the same session.
void Connection::RepeatGivenUp() {
  bool broken = false;
  for (auto request = given_up_.begin(); request != given_up_.end();) {
    if (request->lease.empty() || request->sends == kMaxSends) {
      Answered(request->number);
      request = given_up_.erase(request);
      continue;
    }
    ++request->sends;
    // Without waiting, under the lock: nobody else has the socket yet, and it has room for so little.
    Result<uint64_t> sent = socket_->Send(request->lease);
    broken = broken || !sent.ok() || *sent != request->lease.size();
    ++request;
  }
  if (broken) Disconnect(generation_);
}

void Connection::Answered(uint64_t number) {
  static_assert(wire::kRequestWindow <= 8 * sizeof done_);
  if (number < lowest_) return;  // 0: it changes nothing
  done_ |= uint64_t{1} << (number - lowest_);
  if ((done_ & 1) == 0) return;
  for (; (done_ & 1) != 0; done_ >>= 1) ++lowest_;
  for (Pending* pending : pending_) {  // the window has moved
    bool waits_for_it = pending->mutating && pending->number == 0;
    if (waits_for_it && pending->sleeps == For::kAnswer) pending->event.Set();
  }
}

void Connection::WakeReader() {
  for (Pending* pending : pending_) {
    if (pending->sleeps == For::kAnswer) return pending->event.Set();
  }
}

void Connection::WakeAll(For what) {
  for (Pending* pending : pending_) {
    if (pending->sleeps == what) pending->event.Set();
  }
}

}  // namespace vineyard::client

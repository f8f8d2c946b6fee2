#include "core/client/watch.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/client/greeting.h"

namespace vineyard::client {
namespace {

// How long the daemon keeps a question that nothing happens to answer.
constexpr uint64_t kQuestionMs = 30'000;
// As many names as fit into what a socket takes without a reader.
constexpr uint64_t kMaxEvents = 64;

// It may be better soon.
bool IsOutage(const Status& status) {
  return status.code() == Code::kUnavailable || status.code() == Code::kTimeout;
}

}  // namespace

Watch::Watch(std::shared_ptr<Client> client, wire::LogPosition after)
    : client_(std::move(client)), stamp_(StampOf(ForkEpoch())), before_(after), after_(after) {}

Result<std::unique_ptr<Watch>> Watch::Open(const std::shared_ptr<Client>& client,
                                           wire::LogPosition after) {
  if (after.generation == 0 && after.entries == 0) {
    // Known now, so that what happens before the daemon hears of the watch is not missed.
    ASSIGN_OR_RETURN(after, client->Sync({wire::Sync::Kind::kNow, {}}));
  }
  std::unique_ptr<Watch> watch(new Watch(client, after));
  RETURN_IF_ERROR(watch->Prepare());
  Status status = watch->Step();
  if (!status.ok() && !IsOutage(status)) return status;
  return watch;
}

Status Watch::Prepare() {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return ErrnoStatus("watch", errno);
  timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer_.valid()) return ErrnoStatus("watch", errno);
  epoll_event interest{};
  interest.events = EPOLLIN;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &interest) != 0) {
    return ErrnoStatus("watch", errno);
  }
  return OkStatus();
}

Status Watch::CheckOwner() const {
  if (!IsInherited(stamp_)) return OkStatus();
  return {Code::kForked, "watch: it belongs to the parent process; open another one"};
}

Result<const Watch::Event*> Watch::Next(int64_t timeout_ms) {
  RETURN_IF_ERROR(CheckOwner());
  if (client_->is_closed()) return Invalid("client: it is closed");
  Patience patience = client_->PatienceOf(timeout_ms);
  patience.signal_ends = true;
  while (next_ == events_.size()) {
    Status status = Step();
    if (!status.ok() && !IsOutage(status)) return status;
    if (next_ < events_.size()) break;
    if (patience.deadline.passed() || !ThreadMayWait()) {
      if (status.ok()) status = Outage();
      if (!status.ok() && patience.deadline.passed()) return status;
      return Status(Code::kTimeout, "watch: nothing happened" + patience.Within());
    }
    Woken woken = WaitForSocket(epoll_.get(), POLLIN, patience);
    if (woken != Woken::kReady) RETURN_IF_ERROR(patience.Ask(woken == Woken::kSignal));
  }
  return &events_[next_++];
}

// A daemon that hears of no changes says so at once, and is asked again: one that lets a question wait hears.
Status Watch::Outage() {
  if (MonotonicNs() - asked_ns_ >= kRetryMs * 1'000'000) outage_ = OkStatus();
  return outage_;
}

// Whatever can be done without waiting.
Status Watch::Step() {
  uint64_t expirations = 0;
  (void)!read(timer_.get(), &expirations, sizeof expirations);  // it need not have expired
  Status status = state_ == State::kCutOff ? Connect() : Read();
  if (status.ok() && state_ == State::kIdle) status = Ask();
  if (!status.ok()) ComeBackLater();
  return status;
}

Status Watch::Connect() {
  Patience none;
  none.deadline = Deadline::After(0);
  none.timeout_ms = 0;
  ASSIGN_OR_RETURN(Socket socket, Socket::Connect(client_->path(), none));
  RETURN_IF_ERROR(CheckDaemon(socket, client_->path(), client_->daemon_uid()));
  epoll_event interest{};
  interest.events = EPOLLIN;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.fd(), &interest) != 0) {
    return ErrnoStatus("watch", errno);
  }
  socket_.emplace(std::move(socket));
  wire::Hello hello = MakeHello(client_->name());
  NewSessionId(&hello.session, hello.token);
  Request request(wire::MessageType::kHello, hello);
  request.WriteHeader(/*correlation=*/0, /*number=*/0);
  RETURN_IF_ERROR(SendAll(request.frame));
  state_ = State::kGreeting;
  return OkStatus();
}

Status Watch::Ask() {
  wire::Watch question;
  question.after = after_;
  question.timeout_ms = kQuestionMs;
  question.limit = kMaxEvents;
  Request request(wire::MessageType::kWatch, question);
  request.WriteHeader(++correlation_, /*number=*/0);
  RETURN_IF_ERROR(SendAll(request.frame));
  state_ = State::kAsked;
  asked_ns_ = MonotonicNs();
  return OkStatus();
}

Status Watch::SendAll(const std::string& frame) {
  Result<uint64_t> sent = socket_->Send(frame);
  if (sent.ok() && *sent == frame.size()) return OkStatus();
  CutOff();
  // One small frame at a time is under way: who has no room for it does not read.
  return sent.ok() ? Status(Code::kUnavailable, "watch: the daemon does not read") : sent.status();
}

Status Watch::Read() {
  Status status = socket_->Receive().status();
  while (status.ok() && next_ == events_.size()) {
    Frame frame;
    Result<bool> whole = socket_->Next(&frame);
    if (!whole.ok()) status = whole.status();
    if (!whole.ok() || !*whole) break;
    if (state_ == State::kGreeting) {
      status = TakeWelcome(std::move(frame));
    } else if (state_ == State::kAsked && frame.header.correlation == correlation_) {
      RETURN_IF_ERROR(TakeAnswer(std::move(frame)));
    } else {
      status = Protocol("watch: the daemon sent what was not asked for");
    }
  }
  if (!status.ok()) CutOff();
  return status;
}

Status Watch::TakeWelcome(Frame frame) {
  Reply reply;
  reply.frame = std::move(frame);
  wire::Welcome welcome;
  Status status = ReadWelcome(&reply, &welcome);
  if (!status.ok()) {
    return {status.code(), "watch: connect " + client_->path() + ": " + status.text()};
  }
  state_ =
      State::kIdle;  // the session's memory is of no use here: its descriptors go with the frame
  return OkStatus();
}

// An error of the daemon leaves the connection as it is.
Status Watch::TakeAnswer(Frame frame) {
  state_ = State::kIdle;
  Arena arena;
  ASSIGN_OR_RETURN(wire::Answer answer, wire::DecodeAnswer(frame.body, &arena));
  outage_ = answer.ToStatus();
  if (!outage_.ok()) return outage_;
  ASSIGN_OR_RETURN(wire::WatchAnswer news, wire::WatchAnswer::Decode(answer));
  before_ = after_;
  after_ = news.position;
  events_ = std::move(news.events);
  next_ = 0;
  return OkStatus();
}

void Watch::CutOff() {
  // A child may have the same socket open, and then closing it here does not end it.
  if (socket_.has_value()) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket_->fd(), nullptr);
  socket_.reset();
  state_ = State::kCutOff;
}

void Watch::ComeBackLater() {
  itimerspec once{};
  once.it_value.tv_nsec = kRetryMs * 1'000'000;
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

}  // namespace vineyard::client

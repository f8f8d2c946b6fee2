#include "core/client/client.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <tuple>

#include "core/client/find_slow.h"
#include "core/wire/address.h"

namespace vineyard::client {
namespace {

constexpr int64_t kDefaultTimeoutMs = 30'000;
constexpr int64_t kGoodbyeMs = 1'000;

// What a blob without bytes points to.
alignas(kPayloadAlignment) constexpr char kNothing[kPayloadAlignment] = {};

std::string Text(ObjectId id) { return "object " + PrintId(id); }

// The daemon may not have heard of a dropped lease: it is to be told again. After another error the lease
// is gone, or will be with the session.
bool MayBeUnheard(const Status& dropped) {
  return dropped.code() == Code::kTimeout || dropped.code() == Code::kInterrupted ||
         dropped.code() == Code::kUnavailable || dropped.code() == Code::kUnknown ||
         dropped.code() == Code::kHostMemory;
}

Status ReadRemote(ObjectId id, const wire::FindAnswer& answer, RemoteTreePtr* remote) {
  if (answer.kind != wire::FindAnswer::Kind::kRemote) {
    return Protocol("find: the daemon answered with a name for " + Text(id));
  }
  ASSIGN_OR_RETURN(*remote, RemoteTree::Make(id, answer.remote));
  return OkStatus();
}

View* EmptyBlobView() {
  View* view = NewView();
  *view = View{};
  view->data = kNothing;
  view->id = kEmptyBlobId;
  view->kind = static_cast<uint8_t>(shm::SlotKind::kBuffer);
  return view;
}

}  // namespace

// A program with more rights than whoever started it (setuid) takes no advice from the starter's environment.
std::string DefaultSocketPath() {
  const char* path = secure_getenv("VINEYARD_IPC_SOCKET");
  if (path != nullptr && *path != '\0') return path;
  return wire::DefaultSocketPath(geteuid(), secure_getenv("XDG_RUNTIME_DIR"));
}

namespace {

// Whose daemon the environment says is believed. Not of a program with more rights than its starter.
uint32_t DaemonUidOf(const ConnectOptions& options) {
  if (options.daemon_uid != 0) return options.daemon_uid;
  const char* said = secure_getenv("VINEYARD_DAEMON_UID");
  uint32_t uid = 0;
  if (said != nullptr) std::from_chars(said, said + std::strlen(said), uid);
  return uid;
}

}  // namespace

// ---- life ----------------------------------------------------------------------------------------

Client::Client(const ConnectOptions& options)
    : path_(options.path),
      client_name_(options.client_name),
      daemon_uid_(DaemonUidOf(options)),
      share_(options.share),
      timeout_ms_(options.timeout_ms > 0 ? options.timeout_ms : kDefaultTimeoutMs),
      keep_waiting_(options.keep_waiting) {
  connection_ = NewConnection();
}

std::shared_ptr<Connection> Client::NewConnection() {
  return std::make_shared<Connection>(
      Connection::Options{path_, client_name_, daemon_uid_},
      [this](const wire::Welcome& welcome, const std::vector<Fd>& files) {
        return OnSession(welcome, files);
      },
      [this](ObjectId id, uint16_t audience) { DropLeaseLater(id, audience); });
}

Result<Client*> Client::Connect(const ConnectOptions& options) {
  WatchForks();
  if (!MayRead()) return Status(Code::kForked, "connect: this process was forked unseen");
  ConnectOptions complete = options;
  if (complete.path.empty()) complete.path = DefaultSocketPath();
  std::shared_ptr<Client> client(new Client(complete));
  {
    std::lock_guard lock(ProcessMutex());
    AddForkListener(client.get());
  }
  client->self_ = client;
  Status connected = client->connection_->Connect(client->PatienceOf());
  if (connected.ok()) return client.get();
  client->Release();
  return connected;
}

// Views outlive the client, and so does what is below them; to map memory takes the daemon. Best effort: one that does
// not answer is not waited for as long as other requests wait.
void Client::MapWhatViewsNeed() {
  Session* session = session_.load(std::memory_order_acquire);
  if (is_closed() || session == nullptr || !connection_->IsAlive() || !ThreadMayWait()) return;
  Patience patience = PatienceOf(std::min(timeout_ms_, kGoodbyeMs));
  std::vector<Session*> sessions{session};
  if (const Others* met = others()) {
    sessions.insert(sessions.end(), met->sessions.begin(), met->sessions.end());
  }
  for (Session* each : sessions) {
    for (const auto& [segment, slot] : each->UnmappedSegments()) {
      Status mapped = EnsureSegment(each, segment, /*writable=*/false, patience, &slot);
      if (!mapped.ok() && mapped.code() != Code::kNotFound) return;
    }
  }
}

void Client::Close() {
  MapWhatViewsNeed();
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  session_.store(nullptr, std::memory_order_release);
  others_.store(nullptr, std::memory_order_release);
  DetachWriters();
  UnpinAll();
  // Best effort: what stays leased comes back when the session's memory is unmapped.
  if (connection_->IsAlive()) DropLeasesNow(PatienceOf(std::min(timeout_ms_, kGoodbyeMs)));
  connection_->Close();
  ReleaseDeferred();
}

void Client::Release() {
  Close();
  std::vector<Session*> sessions;
  {
    std::lock_guard lock(ProcessMutex());
    sessions.swap(sessions_);
  }
  for (Session* session : sessions) session->Orphan();
  std::shared_ptr<Client> last = std::move(self_);
}

Client::~Client() {
  std::lock_guard lock(ProcessMutex());
  RemoveForkListener(this);
}

void Client::AfterForkInChild() {
  // The parent's connection may be in any state: it is left alone, but for its socket.
  connection_->AbandonInChild();
  new std::shared_ptr<Connection>(std::move(connection_));
  connection_ = NewConnection();
  session_.store(nullptr, std::memory_order_relaxed);
  others_.store(nullptr, std::memory_order_relaxed);
  shared_.clear();
  to_drop_.clear();
  pinned_.clear();  // they are the parent's to give back
}

Status Client::OnSession(const wire::Welcome& welcome, const std::vector<Fd>& files) {
  if (files.size() != 3) return Protocol("welcome: expected three descriptors");
  uint32_t owner = welcome.uid == UINT32_MAX ? geteuid() : welcome.uid;
  AudienceFacts own{welcome.instance, welcome.audience, owner, welcome.is_shared};
  ASSIGN_OR_RETURN(Session * session, Session::Open(files[0], files[1], files[2], own));
  {
    std::lock_guard lock(ProcessMutex());
    sessions_.push_back(session);
    shared_.clear();
  }
  others_.store(nullptr, std::memory_order_release);  // they were of the daemon before
  instance_.store(welcome.instance, std::memory_order_relaxed);
  checksum_limit_.store(welcome.checksum_limit, std::memory_order_relaxed);
  // release: who sees the session sees its maps.
  session_.store(session, std::memory_order_release);
  if (closed_.load(std::memory_order_acquire)) session_.store(nullptr, std::memory_order_release);
  return OkStatus();
}

bool Client::is_connected() const {
  return !closed_.load(std::memory_order_relaxed) && connection_->IsAlive();
}

ClientStatistics Client::statistics() const {
  return {connection_->requests(), copied_.load(std::memory_order_relaxed),
          connection_->reconnects()};
}

Patience Client::PatienceOf(int64_t timeout_ms) const {
  Patience patience;
  patience.timeout_ms = timeout_ms < 0 ? timeout_ms_ : timeout_ms;
  patience.deadline = Deadline::After(patience.timeout_ms);
  patience.keep_waiting = keep_waiting_;
  return patience;
}

Status Client::CheckUsable() const {
  if (!MayRead()) return {Code::kForked, "client: this process was forked unseen"};
  if (closed_.load(std::memory_order_acquire)) return Invalid("client: it is closed");
  return OkStatus();
}

Status Client::Call(Request* request, const Patience& patience, Reply* reply) {
  RETURN_IF_ERROR(CheckUsable());
  ReleaseDeferred();
  DropLeasesNow(patience);
  // Whoever asks the daemon looks, too, whether memory that it maps is of no use any more.
  DropOldSegments();
  return connection_->Call(request, patience, reply);
}

void Client::DropOldSegments() {
  if (Session* session = session_.load(std::memory_order_acquire)) session->DropOldSegments();
  if (const Others* met = others()) {
    for (Session* session : met->sessions) session->DropOldSegments();
  }
}

Result<wire::MutationAnswer> Client::Change(Request* request, const Patience& patience) {
  Reply reply;
  Status called = Call(request, patience, &reply);
  // Whoever closes the client drops the leases of its writers, also that which a put just seals.
  bool is_put = request->type == wire::MessageType::kPut;
  if (is_put && called.code() == Code::kNotFound && is_closed()) return CheckUsable();
  RETURN_IF_ERROR(called);
  return wire::MutationAnswer::Decode(reply.answer);
}

Result<Session*> Client::EnsureSession(const Patience& patience) {
  RETURN_IF_ERROR(CheckUsable());
  Session* session = session_.load(std::memory_order_acquire);  // as in TryGetView()
  if (session != nullptr) return session;
  RETURN_IF_ERROR(connection_->Connect(patience));
  session = session_.load(std::memory_order_acquire);
  if (session == nullptr) return Invalid("client: it is closed");
  return session;
}

// ---- leases --------------------------------------------------------------------------------------

void Client::DropLeaseLater(ObjectId id, uint16_t audience) {
  std::lock_guard lock(ProcessMutex());
  to_drop_.emplace_back(id, audience);
  any_to_drop_.store(true, std::memory_order_relaxed);  // a hint; the list is under the lock
}

// Behind closed_: what is written from here on is lost, and no put that might miss it is sent any more.
void Client::DetachWriters() {
  std::vector<Session*> sessions;
  {
    std::lock_guard lock(ProcessMutex());
    sessions = sessions_;
  }
  for (Session* session : sessions) {
    for (ObjectId lease : session->DetachWriters()) {
      DropLeaseLater(lease, session->audience().number);
    }
  }
}

Status Client::DropLease(ObjectId id, uint16_t audience, const Patience& patience) {
  if (!ThreadMayWait() || patience.deadline.passed()) {
    DropLeaseLater(id, audience);
    return OkStatus();
  }
  wire::DropLease drop;
  drop.id = id;
  Request request(wire::MessageType::kDropLease, drop);
  request.audience = audience;
  Status dropped = Change(&request, patience).status();
  if (MayBeUnheard(dropped)) DropLeaseLater(id, audience);
  return dropped;
}

void Client::DropLeasesNow(const Patience& patience) {
  while (any_to_drop_.load(std::memory_order_relaxed) && ThreadMayWait()) {
    wire::DropLease drop;
    uint16_t audience = 0;
    {
      std::lock_guard lock(ProcessMutex());
      if (to_drop_.empty()) return;
      std::tie(drop.id, audience) = to_drop_.back();
      to_drop_.pop_back();
      any_to_drop_.store(!to_drop_.empty(), std::memory_order_relaxed);
    }
    Request request(wire::MessageType::kDropLease, drop);
    request.audience = audience;
    Reply reply;
    if (MayBeUnheard(connection_->Call(&request, patience, &reply))) {
      return DropLeaseLater(drop.id, audience);
    }
  }
}

// ---- memory ----------------------------------------------------------------------------------------

Status Client::Grant(Session* session, uint64_t slot, const Patience& patience) {
  uint64_t piece = slot / shm::kPinPieceSlots;
  Request request(wire::MessageType::kGrant, wire::Grant{piece});
  request.audience = session->audience().number;
  Reply reply;
  RETURN_IF_ERROR(Call(&request, patience, &reply));
  // Not when the daemon was replaced meanwhile: its grant was for another session.
  if (IsCurrent(session)) session->SetGranted(piece);
  return OkStatus();
}

namespace {

Status SegmentIsGone(uint32_t number, bool writable) {
  return {Code::kUnavailable,
          Format(writable ? "segment %u: the daemon that leased it is gone, and the blob in it "
                            "with it; create the blob anew"
                          : "segment %u: the daemon that kept it is gone, and it was not mapped "
                            "before; look for the object anew, put it again if it is not there",
                 number)};
}

}  // namespace

Result<wire::SegmentAnswer> Client::AskSegment(Session* session, uint32_t number, bool writable,
                                               const Patience& patience, Fd* file) {
  auto gone = [&] {
    Status usable = CheckUsable();  // another thread may have closed it
    return usable.ok() ? SegmentIsGone(number, writable) : usable;
  };
  // Only what the daemon of now has leased may be written. A session of the parent, or of a daemon that is gone: its
  // segment is the same one only if the store is.
  if (writable && !IsCurrent(session)) return gone();
  ASSIGN_OR_RETURN(Session * live, LiveSession(session, patience));
  if (live == nullptr) return gone();
  wire::SegmentRequest wanted;
  wanted.number = number;
  wanted.writable = writable;
  Request request(wire::MessageType::kSegment, wanted);
  request.audience = live->audience().number;
  Reply reply;
  RETURN_IF_ERROR(Call(&request, patience, &reply));
  ASSIGN_OR_RETURN(wire::SegmentAnswer answer, wire::SegmentAnswer::Decode(reply.answer));
  if (reply.frame.descriptors.size() != 1) {
    return Protocol(Format("segment %u: expected one descriptor", number));
  }
  if (!IsCurrent(writable ? session : live)) return gone();
  *file = std::move(reply.frame.descriptors[0]);
  return answer;
}

Status Client::EnsureSegment(Session* session, uint32_t number, bool writable,
                             const Patience& patience, const SlotWord* of) {
  if (session->HasSegment(number, writable)) {
    return writable && !IsCurrent(session) ? SegmentIsGone(number, writable) : OkStatus();
  }
  Fd file;
  ASSIGN_OR_RETURN(wire::SegmentAnswer answer,
                   AskSegment(session, number, writable, patience, &file));
  return session->AddSegment(number, file, answer.size, writable, answer.is_sole ? of : nullptr);
}

Status Client::MapForWriting(Session* session, uint32_t number, const Patience& patience,
                             Session::Memory* sole) {
  if (!session->audience().is_shared) {
    return EnsureSegment(session, number, /*writable=*/true, patience);
  }
  Fd file;
  ASSIGN_OR_RETURN(wire::SegmentAnswer answer,
                   AskSegment(session, number, /*writable=*/true, patience, &file));
  ASSIGN_OR_RETURN(*sole, session->MapSole(number, file, answer.size));
  return OkStatus();
}

// ---- views -----------------------------------------------------------------------------------------

Result<const char*> Client::StoredBytes(Session* session, const SlotContents& slot,
                                        const Patience& patience) {
  if (slot.size == 0) return kNothing;
  const char* stored = session->At(slot.location, slot.skip(), slot.size);
  if (stored != nullptr) return stored;
  uint32_t segment = shm::SegmentOf(slot.location);
  SlotWord of{slot.slot, slot.word};
  RETURN_IF_ERROR(EnsureSegment(session, segment, /*writable=*/false, patience, &of));
  stored = session->At(slot.location, slot.skip(), slot.size);
  if (stored == nullptr) {
    return Corrupt(Text(slot.id) + Format(": its bytes lie outside of segment %u", segment));
  }
  return stored;
}

Result<View*> Client::GetView(ObjectId id) {
  RemoteTreePtr remote;
  ASSIGN_OR_RETURN(View * view, Get(id, &remote));
  if (view == nullptr) return remote->NoPayload(id);
  return view;
}

Result<View*> Client::Get(ObjectId id, RemoteTreePtr* remote) {
  RETURN_IF_ERROR(CheckUsable());
  if (id == kEmptyBlobId) return EmptyBlobView();
  if (View* view = TryGetView(id)) return view;
  if (others() != nullptr) {
    if (View* view = TryGetFromOthers(id)) return view;
  }
  uint32_t epoch = ForkEpoch();
  SlotContents slot;
  auto other = [&](const wire::FindAnswer& answer) { return ReadRemote(id, answer, remote); };
  Patience patience = PatienceOf();
  ASSIGN_OR_RETURN(Session * session, FindObjectSlow(id, &slot, other, patience));
  if (session == nullptr) return static_cast<View*>(nullptr);
  Result<const char*> stored = StoredBytes(session, slot, patience);
  if (stored.ok()) return MakeView(session, slot, *stored, epoch);
  session->Unpin(slot.slot);
  return stored.status();
}

// A member of another instance is not in memory. Of this one, a directory that is being shifted may hide
// it for a moment; then the daemon knows where it is.
Result<bool> Client::FindHeldSlow(const Session& session, ObjectId id, SlotContents* slot,
                                  RemoteTreePtr* remote, const Patience& patience) {
  do {
    wire::Find question;
    question.id = id;
    Request request(wire::MessageType::kFind, question);
    // Of a store that is gone no daemon knows: then it says so, of its own.
    ASSIGN_OR_RETURN(Session * live, LiveSession(&session, patience));
    if (live != nullptr) request.audience = live->audience().number;
    Reply reply;
    RETURN_IF_ERROR(Call(&request, patience, &reply));
    ASSIGN_OR_RETURN(wire::FindAnswer answer, wire::FindAnswer::Decode(reply.answer));
    if (answer.kind != wire::FindAnswer::Kind::kSlot) {
      RETURN_IF_ERROR(ReadRemote(id, answer, remote));
      return false;
    }
    if (live != nullptr && IsCurrent(live)) {
      slot->word = 0;
      if (ReadHeld(session, answer.slot, id, slot) == Found::kYes) return true;
      if (slot->word == answer.word) {  // nothing has changed it since the daemon found it
        return Corrupt(Text(id) + ": its slot is damaged, it says that it is something else");
      }
    }
    if (FindHeld(session, id, slot) == Found::kYes) return true;
  } while (!patience.deadline.passed());
  return Status(Code::kTimeout, Text(id) + ": it is not to be found below its parent");
}

Result<View*> Client::GetMember(const View& root, ObjectId id, RemoteTreePtr* remote) {
  if (!MayRead()) return Status(Code::kForked, Text(id) + ": this process was forked unseen");
  if (id == kEmptyBlobId) return EmptyBlobView();
  Session* session = root.session;
  SlotContents slot;
  Patience patience = PatienceOf();
  if (FindHeld(*session, id, &slot) != Found::kYes) {
    ASSIGN_OR_RETURN(bool is_here, FindHeldSlow(*session, id, &slot, remote, patience));
    if (!is_here) return static_cast<View*>(nullptr);
  }
  ASSIGN_OR_RETURN(const char* stored, StoredBytes(session, slot, patience));
  View* held = ShareView(&root);
  if (held == nullptr) return Status(Code::kForked, Text(id) + ": forked unseen");
  View* made = MakeView(session, slot, stored, held->stamp);
  made->slot = held->slot;
  held->session = nullptr;  // its pin is the new view's
  ReleaseView(held);
  return made;
}

}  // namespace vineyard::client

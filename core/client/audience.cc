// The stores that a client looks into beside its own: of other audiences that its user belongs to. Each is attached
// when something in it is first met, or put.
#include <poll.h>

#include <algorithm>

#include "core/client/client.h"
#include "core/client/find_slow.h"

namespace vineyard::client {
namespace {

// Another thread attaches it just now.
constexpr int kPauseMs = 1;

}  // namespace

Session* Client::FindAttached(uint16_t audience) const {
  return FindSession(
      [audience](const Session* session) { return session->audience().number == audience; });
}

bool Client::IsCurrent(const Session* session) const {
  if (session_.load(std::memory_order_acquire) == session) return session != nullptr;
  return FindSession([session](const Session* each) { return each == session; }) != nullptr;
}

void Client::AddOther(Session* session) {
  std::lock_guard lock(ProcessMutex());
  sessions_.push_back(session);
  auto next = std::make_unique<Others>();
  if (const Others* met = others()) next->sessions = met->sessions;
  next->sessions.push_back(session);
  // release: who sees the session sees its maps.
  others_.store(next.get(), std::memory_order_release);
  all_others_.push_back(std::move(next));
}

Result<Session*> Client::Attach(const wire::Attach& question, const Patience& patience) {
  for (;;) {
    ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
    if (Session* known = question.audience == 0 ? nullptr : FindAttached(question.audience)) {
      return known;
    }
    Request request(wire::MessageType::kAttach, question);
    Reply reply;
    RETURN_IF_ERROR(Call(&request, patience, &reply));
    ASSIGN_OR_RETURN(wire::AttachAnswer answer, wire::AttachAnswer::Decode(reply.answer));
    const std::vector<Fd>& files = reply.frame.descriptors;
    if (files.size() != 3 && !files.empty()) {
      return Protocol("attach: expected three descriptors, or none");
    }
    if (!IsCurrent(own)) continue;  // of a daemon that is gone
    if (answer.audience == own->audience().number) return own;
    if (!files.empty()) {
      AudienceFacts facts{answer.instance, answer.audience, answer.uid, answer.is_shared};
      ASSIGN_OR_RETURN(Session * session, Session::Open(files[0], files[1], files[2], facts));
      AddOther(session);
      return session;
    }
    if (Session* known = FindAttached(answer.audience)) return known;
    // Another thread was given the files just now; or they were lost, which the daemon will notice.
    if (patience.deadline.passed()) {
      return Status(Code::kTimeout,
                    "attach: the daemon does not send the store" + patience.Within());
    }
    poll(nullptr, 0, kPauseMs);
  }
}

Result<Session*> Client::SessionFor(const Sharing& sharing, const Patience& patience) {
  Sharing wanted = sharing.share == wire::Share::kDefault ? share_ : sharing;
  ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
  if (wanted.share == wire::Share::kDefault) return own;
  if (wanted.share != wire::Share::kGid) wanted.gid = 0;
  {
    std::lock_guard lock(ProcessMutex());
    for (const Shared& known : shared_) {
      bool same = known.sharing.share == wanted.share && known.sharing.gid == wanted.gid;
      if (same && IsCurrent(known.session)) return known.session;
    }
  }
  wire::Attach question;
  question.share = wanted.share;
  question.gid = wanted.gid;
  ASSIGN_OR_RETURN(Session * session, Attach(question, patience));
  std::lock_guard lock(ProcessMutex());
  shared_.push_back({wanted, session});
  return session;
}

Result<Session*> Client::LiveSession(const Session* session, const Patience& patience) {
  ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
  const AudienceFacts& audience = session->audience();
  Session* live = own;
  if (audience.number != own->audience().number) {
    wire::Attach question;
    question.audience = audience.number;
    Result<Session*> attached = Attach(question, patience);
    if (attached.status().code() == Code::kNotFound) return static_cast<Session*>(nullptr);
    if (!attached.ok()) return attached;
    live = *attached;
  }
  return live->instance() == audience.instance ? live : nullptr;
}

View* Client::TryGetFromOthers(ObjectId id) {
  uint32_t epoch = ForkEpoch();
  if (epoch == kForkedUnseen) return nullptr;
  for (Session* session : others()->sessions) {
    SlotContents slot;
    if (FindObject(session, id, &slot) != Found::kYes) continue;
    const char* stored = session->At(slot.location, slot.skip(), slot.size);
    return stored == nullptr ? Drop(session, slot.slot) : MakeView(session, slot, stored, epoch);
  }
  return nullptr;
}

// ---- where things are ------------------------------------------------------------------------------

namespace {

// Whether a key is in the session's tables, as far as that can be seen without a pin.
bool Contains(const Session& session, uint64_t hash, shm::SlotKind least, shm::SlotKind most,
              uint64_t id) {
  return ProbeTables(session, hash, [&](uint64_t number) {
           const shm::Slot& slot = session.slot(number);
           uint64_t word = slot.word.load(std::memory_order_acquire);
           shm::SlotState state = shm::StateOf(word);
           if (state != shm::SlotState::kSealed && state != shm::SlotState::kSpilled) {
             return Found::kMiss;
           }
           SlotContents contents;
           // acquire: the word is read again after these.
           contents.id = slot.fields[0].load(std::memory_order_acquire);
           contents.detail = slot.fields[3].load(std::memory_order_acquire);
           if (slot.word.load(std::memory_order_relaxed) != word) return Found::kMiss;
           bool is_it = contents.id == id && contents.kind() >= least && contents.kind() <= most;
           return is_it ? Found::kYes : Found::kMiss;
         }) == Found::kYes;
}

}  // namespace

bool Client::HasObject(const Session& session, ObjectId id) {
  return Contains(session, shm::HashObject(id), shm::SlotKind::kBuffer, shm::SlotKind::kObject, id);
}

Result<Session*> Client::Locate(const wire::Find& question, const Patience& patience) {
  ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
  uint64_t name = shm::HashName(question.name.data(), question.name.size());
  auto has = [&](const Session* session) {
    return question.name.empty() ? HasObject(*session, question.id)
                                 : Contains(*session, shm::HashNameKey(name), shm::SlotKind::kName,
                                            shm::SlotKind::kName, name);
  };
  if (has(own)) return own;
  if (Session* other = FindSession(has)) return other;
  if (own->audience().number == 0) return own;  // the daemon knows of no others
  Request request(wire::MessageType::kFind, question);
  Reply reply;
  Status asked = Call(&request, patience, &reply);
  if (asked.code() == Code::kNotFound) return own;
  RETURN_IF_ERROR(asked);
  ASSIGN_OR_RETURN(wire::FindAnswer answer, wire::FindAnswer::Decode(reply.answer));
  uint16_t audience = answer.audience;
  if (answer.kind != wire::FindAnswer::Kind::kSlot || audience == 0) return own;
  wire::Attach attach;
  attach.audience = audience;
  return Attach(attach, patience);
}

Result<Session*> Client::Locate(ObjectId id, const Patience& patience) {
  // An id says which store made it.
  ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
  auto made_it = [id](const Session* session) { return session->instance() == InstanceOf(id); };
  if (made_it(own)) return own;
  if (Session* other = FindSession(made_it)) return other;
  wire::Find question;
  question.id = id;
  return Locate(question, patience);
}

Status Client::WhyNoMember(const Session& session, std::string_view name, ObjectId id) {
  if (id == kEmptyBlobId || HasObject(session, id)) return OkStatus();
  Session* own = session_.load(std::memory_order_acquire);
  auto has = [&](const Session* other) { return other != &session && HasObject(*other, id); };
  const Session* other = own != nullptr && has(own) ? own : FindSession(has);
  if (other == nullptr) return OkStatus();
  auto whose = [](const Session& one) {
    const AudienceFacts& audience = one.audience();
    return Format(audience.is_shared ? "uid %u shares with others" : "is for uid %u alone",
                  audience.uid);
  };
  return Invalid("member '" + std::string(name) + "': " + PrintId(id) + " is what " +
                 whose(*other) + ", and the new object is what " + whose(session) +
                 ": parent and member are read by the same; put a copy of it, or share both alike");
}

}  // namespace vineyard::client

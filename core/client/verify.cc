#include "core/client/verify.h"

#include <unordered_set>
#include <vector>

#include "core/client/find_slow.h"
#include "core/object/record.h"
#include "core/shm/slot_table.h"

namespace vineyard::client {
namespace {

constexpr uint64_t kProgressSlots = 4096;

std::string NameOf(shm::SlotKind kind) {
  if (shm::IsBlobKind(kind)) return "blob ";
  if (kind == shm::SlotKind::kName) return "name of hash ";
  return kind == shm::SlotKind::kLabels ? "labels of object " : "object ";
}

Status Damaged(const SlotContents& slot, const char* what) {
  return Corrupt(NameOf(slot.kind()) + PrintId(slot.id) + ": " + what);
}

// REQUIRES: pinned, or kept by a pin. `stored`: its bytes.
Status VerifySlot(const Session& session, const SlotContents& slot, const char* stored,
                  Verified* verified) {
  shm::SlotImage image = shm::SlotImage::Of(session.slot(slot.slot));
  if (!image.HeaderIsGood()) return Damaged(slot, "its slot does not have its checksum");
  const char* value = stored;
  uint64_t size = slot.size;
  if (shm::IsBlobKind(slot.kind())) {
    auto kind = static_cast<BlobKind>(slot.kind());
    uint64_t around = slot.before() + EnvelopeOf(kind, 0).after;
    if (size < around) return Damaged(slot, "its size can not be right");
    value += slot.before();
    size -= around;
    if (EnvelopeOf(kind, size).before != slot.before() || !EnvelopeIsGood(kind, size, stored)) {
      return Damaged(slot, "the bytes around its value are not those that were put");
    }
  }
  uint64_t expected = image.fields.payload_checksum;
  if (expected == 0) {
    ++verified->unchecked_objects;
    verified->unchecked_bytes += size;
    return OkStatus();
  }
  ++verified->objects;
  verified->bytes += size;
  uint64_t found = shm::MakeChecksum(shm::Crc32c(value, size));
  if (found == expected) return OkStatus();
  return Damaged(slot,
                 Format("%llu bytes that are not those that were put (checksum %08x, expected "
                        "%08x)",
                        static_cast<unsigned long long>(size), static_cast<uint32_t>(found),
                        static_cast<uint32_t>(expected))
                     .c_str());
}

}  // namespace

// A friend of Client's: it finds and maps as a get does. It may go on for long: each that it asks has a deadline.
class Verifier {
 public:
  Verifier(Client* client, Verified* verified) : client_(client), verified_(verified) {}

  Status Tree(ObjectId id);
  Status All(uint16_t audience, const std::function<void(const Status&)>& on_problem,
             const std::function<void(uint64_t, uint64_t)>& on_progress);

 private:
  Status Below(Session* session, const SlotContents& root);

  Client* const client_;
  Verified* const verified_;
};

// The root is pinned, which keeps what is below it.
Status Verifier::Below(Session* session, const SlotContents& root) {
  std::unordered_set<ObjectId> seen = {root.id};
  std::vector<SlotContents> waiting = {root};
  while (!waiting.empty()) {
    SlotContents slot = waiting.back();
    waiting.pop_back();
    ASSIGN_OR_RETURN(const char* stored,
                     client_->StoredBytes(session, slot, client_->PatienceOf()));
    RETURN_IF_ERROR(VerifySlot(*session, slot, stored, verified_));
    if (slot.kind() != shm::SlotKind::kObject) continue;
    Result<Record> record = DecodeRecord({stored, slot.size});
    if (!record.ok()) return Damaged(slot, record.status().text().c_str());
    for (const Member& member : record->members) {
      if (member.id == kEmptyBlobId || !seen.insert(member.id).second) continue;
      SlotContents below;
      RemoteTreePtr remote;
      if (FindHeld(*session, member.id, &below) != Found::kYes) {
        Result<bool> here =
            client_->FindHeldSlow(*session, member.id, &below, &remote, client_->PatienceOf());
        if (here.status().code() == Code::kNotFound) {
          // Of another instance, deleted there by force. Of this one it is kept by its parent.
          if (InstanceOf(member.id) != session->instance()) continue;
          std::string gone = "its member " + PrintId(member.id) + " is not there";
          return Damaged(slot, gone.c_str());
        }
        if (!here.ok()) return here.status();
        if (!*here) continue;
      }
      waiting.push_back(below);
    }
  }
  return OkStatus();
}

Status Verifier::Tree(ObjectId id) {
  if (id == kEmptyBlobId) return OkStatus();
  SlotContents root;
  auto other = [](const wire::FindAnswer&) { return OkStatus(); };  // of another instance
  ASSIGN_OR_RETURN(Session * session,
                   client_->FindObjectSlow(id, &root, other, client_->PatienceOf()));
  if (session == nullptr) return OkStatus();
  Status verified = Below(session, root);
  session->Unpin(root.slot);
  return verified;
}

Status Verifier::All(uint16_t audience, const std::function<void(const Status&)>& on_problem,
                     const std::function<void(uint64_t, uint64_t)>& on_progress) {
  Patience patience = client_->PatienceOf();
  ASSIGN_OR_RETURN(Session * session, client_->EnsureSession(patience));
  if (audience != session->audience().number) {
    wire::Attach question;
    question.audience = audience;
    ASSIGN_OR_RETURN(session, client_->Attach(question, patience));
  }
  auto accept = [](const SlotContents&) { return Found::kYes; };
  // acquire: slots below it have memory behind them.
  uint64_t capacity = session->superblock().capacity.load(std::memory_order_acquire);
  for (uint64_t number = 0; number < capacity; ++number) {
    if (number % kProgressSlots == 0) on_progress(number, capacity);
    // acquire: the fields are at least as new as the word.
    uint64_t word = session->slot(number).word.load(std::memory_order_acquire);
    if (shm::StateOf(word) != shm::SlotState::kSealed) continue;
    if (!session->IsGranted(number)) {
      RETURN_IF_ERROR(client_->Grant(session, number, client_->PatienceOf()));
      if (!client_->IsCurrent(session)) {
        return {Code::kUnavailable, "verify: the daemon was replaced; begin anew"};
      }
    }
    SlotContents slot;
    if (PinSlot(session, number, word, &slot, accept) != Found::kYes)
      continue;  // deleted meanwhile
    Result<const char*> stored = client_->StoredBytes(session, slot, client_->PatienceOf());
    Status status = stored.ok() ? VerifySlot(*session, slot, *stored, verified_) : stored.status();
    session->Unpin(number);
    if (status.ok()) continue;
    if (status.code() != Code::kCorrupt) return status;
    on_problem(status);
  }
  on_progress(capacity, capacity);
  return OkStatus();
}

Status VerifyTree(Client* client, ObjectId id, Verified* verified) {
  return Verifier(client, verified).Tree(id);
}

Status VerifyAll(Client* client, uint16_t audience, Verified* verified,
                 const std::function<void(const Status&)>& on_problem,
                 const std::function<void(uint64_t, uint64_t)>& on_progress) {
  return Verifier(client, verified).All(audience, on_problem, on_progress);
}

}  // namespace vineyard::client

// What a client asks the daemon or reads in shared memory beside views: existence, names, labels, lists.
#include <map>

#include "core/client/client.h"
#include "core/client/find_slow.h"
#include "core/object/record.h"
#include "core/object/types.h"

namespace vineyard::client {
namespace {

constexpr const char* kForkedText = "this process was forked unseen";

}  // namespace

// ---- objects ---------------------------------------------------------------------------------------

Result<bool> Client::Exists(ObjectId id, const Patience& patience) {
  if (id == kEmptyBlobId) return true;
  ASSIGN_OR_RETURN(Session * session, EnsureSession(patience));
  if (HasObject(*session, id)) return true;
  if (FindSession([id](const Session* other) { return HasObject(*other, id); })) return true;
  wire::Find question;
  question.id = id;
  Request request(wire::MessageType::kFind, question);
  Reply reply;
  Status status = Call(&request, patience, &reply);
  if (status.code() == Code::kNotFound) return false;
  if (!status.ok()) return status;
  return true;
}

Status Client::Wait(ObjectId id, int64_t timeout_ms) {
  if (id == kEmptyBlobId) return OkStatus();
  Patience patience = PatienceOf(timeout_ms);
  if (timeout_ms == 0) {
    ASSIGN_OR_RETURN(bool exists, Exists(id));
    if (exists) return OkStatus();
    return {Code::kTimeout, "object " + PrintId(id) + ": it is not there"};
  }
  patience.signal_ends = true;
  wire::Find question;
  question.id = id;
  question.timeout_ms = static_cast<uint64_t>(timeout_ms < 0 ? timeout_ms_ : timeout_ms);
  Request request(wire::MessageType::kWait, question);
  request.subject = "object " + PrintId(id);
  Reply reply;
  return Call(&request, patience, &reply);
}

// All that is in one store in one step.
Status Client::Delete(const std::vector<ObjectId>& ids, bool force, bool deep) {
  Patience patience = PatienceOf();
  std::map<uint16_t, wire::Delete> messages;
  for (ObjectId id : ids) {
    ASSIGN_OR_RETURN(Session * session, Locate(id, patience));
    messages[session->audience().number].ids.push_back(id);
  }
  if (ids.empty()) messages[0];  // the daemon says what it thinks of that
  for (auto& [audience, message] : messages) {
    message.force = force;
    message.deep = deep;
    Request request(wire::MessageType::kDelete, message);
    request.audience = audience;
    RETURN_IF_ERROR(Change(&request, patience).status());
  }
  return OkStatus();
}

Status Client::Persist(const std::vector<ObjectId>& ids, const Patience& patience) {
  wire::Persist message;
  message.ids = ids;
  Request request(wire::MessageType::kPersist, message);
  if (!ids.empty()) {
    ASSIGN_OR_RETURN(Session * session, Locate(ids.front(), patience));
    request.audience = session->audience().number;
  }
  return Change(&request, patience).status();
}

// In one step in each store, the session's own first.
Result<uint64_t> Client::Clear() {
  Patience patience = PatienceOf();
  auto clear = [&](uint16_t audience) -> Result<uint64_t> {
    Request request = Request::WithoutBody(wire::MessageType::kClear);
    request.audience = audience;
    ASSIGN_OR_RETURN(wire::MutationAnswer answer, Change(&request, patience));
    return answer.value;
  };
  ASSIGN_OR_RETURN(uint64_t count, clear(0));
  ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
  const AudienceFacts& facts = own->audience();
  if (facts.number == 0) return count;  // the daemon knows of no others
  ASSIGN_OR_RETURN(auto audiences, ListAudiences(patience));
  for (const auto& audience : audiences) {
    if (audience.number == facts.number || audience.uid != facts.uid) continue;
    wire::Attach question;
    question.audience = audience.number;
    Result<Session*> attached = Attach(question, patience);
    Result<uint64_t> more = attached.ok() ? clear(audience.number) : attached.status();
    if (more.status().code() == Code::kNotFound) continue;  // it has ended: nothing was there
    if (!more.ok()) return more;
    count += *more;
  }
  return count;
}

Result<uint64_t> Client::Trim() {
  Request request = Request::WithoutBody(wire::MessageType::kTrim);
  ASSIGN_OR_RETURN(wire::MutationAnswer answer, Change(&request, PatienceOf()));
  DropOldSegments();
  return answer.value;
}

// ---- names -----------------------------------------------------------------------------------------

Result<uint64_t> Client::PutName(std::string_view name, ObjectId id, bool replace,
                                 uint64_t expect) {
  RETURN_IF_ERROR(CheckText("name", name, kMaxName));
  wire::PutName message;
  message.name = name;
  message.id = id;
  message.replace = replace;
  message.expect = expect;
  Patience patience = PatienceOf();
  ASSIGN_OR_RETURN(Session * session, Locate(id, patience));
  Request request(wire::MessageType::kPutName, message);
  request.audience = session->audience().number;
  ASSIGN_OR_RETURN(wire::MutationAnswer answer, Change(&request, patience));
  return answer.revision;
}

Status Client::DropName(std::string_view name, uint64_t expect) {
  RETURN_IF_ERROR(CheckText("name", name, kMaxName));
  wire::DropName message;
  message.name = name;
  message.expect = expect;
  wire::Find question;
  question.name = name;
  Patience patience = PatienceOf();
  ASSIGN_OR_RETURN(Session * session, Locate(question, patience));
  Request request(wire::MessageType::kDropName, message);
  request.audience = session->audience().number;
  return Change(&request, patience).status();
}

Result<NamedObject> Client::ReadName(std::string_view name, bool latest, const Patience& patience) {
  wire::Find question;
  question.name = name;
  question.latest = latest;
  auto find = [name, latest](Session* in, SlotContents* out) {
    return latest ? Found::kMiss : FindName(in, name, out);  // what is here may be old
  };
  auto accept = [name](Session* session) {
    return AcceptName{session, name, shm::HashName(name.data(), name.size())};
  };
  NamedObject named;
  auto other = [&](const wire::FindAnswer& answer) {
    if (answer.kind != wire::FindAnswer::Kind::kName) {
      return Protocol("find: the daemon answered with an object for a name");
    }
    named = {std::string(name), answer.name.id, answer.name.revision};
    return OkStatus();
  };
  SlotContents slot;
  ASSIGN_OR_RETURN(Session * session, FindSlow(question, find, accept, &slot, other, patience));
  if (session == nullptr) return named;
  const char* record = session->At(slot.location, slot.skip(), slot.size);  // AcceptName read it
  Result<NameRecord> decoded = DecodeName({record, slot.size});
  session->Unpin(slot.slot);
  if (!decoded.ok()) return decoded.status();
  return NamedObject{std::string(name), decoded->id, decoded->revision};
}

Result<NamedObject> Client::GetName(std::string_view name, int64_t timeout_ms, bool latest) {
  RETURN_IF_ERROR(CheckText("name", name, kMaxName));
  if (!MayRead()) return Status(Code::kForked, kForkedText);
  Patience patience =
      PatienceOf(timeout_ms == 0 ? -1 : timeout_ms);  // who does not wait still asks
  Result<NamedObject> found = ReadName(name, latest, patience);
  // A name may be given and taken away again between the daemon's answer and our look.
  while (!found.ok() && found.status().code() == Code::kNotFound && timeout_ms != 0) {
    patience.signal_ends = true;
    wire::Find question;
    question.name = name;
    question.latest = latest;
    question.timeout_ms = static_cast<uint64_t>(patience.deadline.LeftMs());
    Request request(wire::MessageType::kWait, question);
    request.subject = "name '" + std::string(name) + "'";
    Reply reply;
    RETURN_IF_ERROR(Call(&request, patience, &reply));
    ASSIGN_OR_RETURN(wire::FindAnswer answer, wire::FindAnswer::Decode(reply.answer));
    if (answer.kind == wire::FindAnswer::Kind::kName) {
      return NamedObject{std::string(name), answer.name.id, answer.name.revision};
    }
    found = ReadName(name, latest, patience);
  }
  return found;
}

// ---- labels ----------------------------------------------------------------------------------------

Status Client::SetLabel(ObjectId id, std::string_view key, std::string_view value) {
  RETURN_IF_ERROR(CheckText("label", key, kMaxKey));
  wire::SetLabels message;
  message.id = id;
  message.labels.emplace_back(key, value);
  Patience patience = PatienceOf();
  ASSIGN_OR_RETURN(Session * session, Locate(id, patience));
  Request request(wire::MessageType::kSetLabels, message);
  request.audience = session->audience().number;
  return Change(&request, patience).status();
}

Result<Labels> Client::GetLabels(ObjectId id) {
  wire::Find question;
  question.id = id;
  question.labels = true;
  auto find = [id](Session* in, SlotContents* out) { return FindLabels(in, id, out); };
  auto accept = [id](Session*) {
    return [id](const SlotContents& found) {
      return found.id == id && found.kind() == shm::SlotKind::kLabels ? Found::kYes : Found::kMiss;
    };
  };
  Labels labels_there;
  auto other = [&](const wire::FindAnswer& answer) {
    for (const auto& [key, value] : answer.remote.labels) labels_there.emplace_back(key, value);
    return OkStatus();
  };
  SlotContents slot;
  Patience patience = PatienceOf();
  Result<Session*> session = FindSlow(question, find, accept, &slot, other, patience);
  if (session.status().code() == Code::kNotFound) {
    ASSIGN_OR_RETURN(bool exists, Exists(id, patience));
    if (exists) return Labels{};
  }
  if (!session.ok()) return session.status();
  if (*session == nullptr) return labels_there;
  Result<const char*> record = StoredBytes(*session, slot, patience);
  Result<Labels> labels = record.ok() ? DecodeLabels({*record, slot.size}) : record.status();
  (*session)->Unpin(slot.slot);
  return labels;
}

// ---- lists -----------------------------------------------------------------------------------------

Result<Client::Page> Client::List(const Filter& filter, std::string_view after, uint64_t limit) {
  wire::List message;
  message.type_glob = filter.type_glob;
  message.after = after;
  message.limit = limit;
  message.instance = filter.instance;
  message.label = filter.label;
  message.value = filter.value;
  Request request(wire::MessageType::kList, message);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  ASSIGN_OR_RETURN(wire::ListAnswer answer, wire::ListAnswer::Decode(reply.answer));
  return Page{std::move(answer.ids), std::move(answer.cursor)};
}

Result<Client::NamePage> Client::ListNames(std::string_view glob, std::string_view after,
                                           uint64_t limit) {
  wire::ListNames message;
  message.glob = glob;
  message.after = after;
  message.limit = limit;
  Request request(wire::MessageType::kListNames, message);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  ASSIGN_OR_RETURN(wire::ListNamesAnswer answer, wire::ListNamesAnswer::Decode(reply.answer));
  NamePage page;
  page.cursor = std::move(answer.cursor);
  for (auto& item : answer.names) {
    page.names.push_back({std::move(item.name), item.id, item.revision});
  }
  return page;
}

Result<std::vector<std::pair<std::string, uint64_t>>> Client::ListTypes() {
  std::map<std::string, uint64_t> types;  // each of several stores may have some
  std::string cursor;
  Patience patience = PatienceOf();
  do {
    wire::ListTypes message;
    message.after = cursor;
    Request request(wire::MessageType::kListTypes, message);
    Reply reply;
    RETURN_IF_ERROR(Call(&request, patience, &reply));
    ASSIGN_OR_RETURN(wire::ListTypesAnswer answer, wire::ListTypesAnswer::Decode(reply.answer));
    for (const auto& [type, count] : answer.types) types[type] += count;
    cursor = std::move(answer.cursor);
  } while (!cursor.empty());
  return std::vector<std::pair<std::string, uint64_t>>(types.begin(), types.end());
}

Result<Client::Info> Client::GetInfo() {
  Request request = Request::WithoutBody(wire::MessageType::kStatus);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  ASSIGN_OR_RETURN(wire::StatusAnswer answer, wire::StatusAnswer::Decode(reply.answer));
  return Info{std::move(answer.numbers), std::move(answer.texts)};
}

Result<wire::AuditAnswer> Client::Audit() {
  Request request = Request::WithoutBody(wire::MessageType::kAudit);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  return wire::AuditAnswer::Decode(reply.answer);
}

Result<std::vector<wire::AudiencesAnswer::Item>> Client::ListAudiences(const Patience& patience) {
  Request request = Request::WithoutBody(wire::MessageType::kAudiences);
  Reply reply;
  Status asked = Call(&request, patience, &reply);
  if (asked.code() == Code::kUnsupported) {
    ASSIGN_OR_RETURN(Session * own, EnsureSession(patience));
    const AudienceFacts& facts = own->audience();
    return std::vector<wire::AudiencesAnswer::Item>{
        {facts.number, facts.uid, Format("uid %u", facts.uid)}};
  }
  RETURN_IF_ERROR(asked);
  ASSIGN_OR_RETURN(wire::AudiencesAnswer answer, wire::AudiencesAnswer::Decode(reply.answer));
  return std::move(answer.audiences);
}

Result<wire::UpgradeAnswer> Client::Upgrade(bool begin) {
  Request request(wire::MessageType::kUpgrade, wire::Upgrade{begin});
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  return wire::UpgradeAnswer::Decode(reply.answer);
}

// ---- the cluster -----------------------------------------------------------------------------------

Result<std::vector<wire::InstancesAnswer::Item>> Client::ListInstances() {
  Request request = Request::WithoutBody(wire::MessageType::kInstances);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  ASSIGN_OR_RETURN(wire::InstancesAnswer answer, wire::InstancesAnswer::Decode(reply.answer));
  return std::move(answer.instances);
}

Status Client::ForgetInstance(uint64_t number) {
  Request request(wire::MessageType::kForgetInstance, wire::ForgetInstance{number});
  return Change(&request, PatienceOf()).status();
}

Result<wire::LogPosition> Client::Sync(const wire::Sync& question, int64_t timeout_ms) {
  Patience patience = PatienceOf(timeout_ms);
  patience.signal_ends = question.kind != wire::Sync::Kind::kNow;
  Request request(wire::MessageType::kSync, question);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, patience, &reply));
  ASSIGN_OR_RETURN(wire::SyncAnswer answer, wire::SyncAnswer::Decode(reply.answer));
  return answer.position;
}

}  // namespace vineyard::client

// What a program says of where an object is to lie: in memory, pinned there, or in a file.
//
// A pin by hand is a view like any other, which the client keeps: the daemon learns of it from the pin table, and
// it ends with the session, however that ends.
#include "core/client/client.h"

namespace vineyard::client {

Status Client::Evict(ObjectId id) {
  Patience patience = PatienceOf();
  ASSIGN_OR_RETURN(Session * session, Locate(id, patience));
  Request request(wire::MessageType::kEvict, wire::Evict{id});
  request.audience = session->audience().number;
  Reply reply;
  return Call(&request, patience, &reply);
}

// Whoever finds an object finds it in memory.
Status Client::Load(ObjectId id) {
  RETURN_IF_ERROR(CheckUsable());
  if (id == kEmptyBlobId) return OkStatus();
  wire::Find question;
  question.id = id;
  Request request(wire::MessageType::kFind, question);
  Reply reply;
  RETURN_IF_ERROR(Call(&request, PatienceOf(), &reply));
  ASSIGN_OR_RETURN(wire::FindAnswer answer, wire::FindAnswer::Decode(reply.answer));
  if (answer.kind == wire::FindAnswer::Kind::kSlot) return OkStatus();
  if (answer.kind == wire::FindAnswer::Kind::kName) {
    return Protocol("find: the daemon answered with a name for object " + PrintId(id));
  }
  ASSIGN_OR_RETURN(RemoteTreePtr remote, RemoteTree::Make(id, answer.remote));
  return remote->NoPayload(id);
}

Status Client::Pin(ObjectId id) {
  ASSIGN_OR_RETURN(View * view, GetView(id));
  {
    std::lock_guard lock(ProcessMutex());
    if (!is_closed()) {  // else nobody would give it back
      pinned_[id].push_back(view);
      return OkStatus();
    }
  }
  ReleaseView(view);
  return CheckUsable();
}

Status Client::Unpin(ObjectId id) {
  RETURN_IF_ERROR(CheckUsable());
  View* view = nullptr;
  {
    std::lock_guard lock(ProcessMutex());
    auto found = pinned_.find(id);
    if (found == pinned_.end()) {
      return NotFound("unpin of object " + PrintId(id) + ": this client has not pinned it");
    }
    view = found->second.back();
    found->second.pop_back();
    if (found->second.empty()) pinned_.erase(found);
  }
  ReleaseView(view);  // outside: it may take the lock
  return OkStatus();
}

// Behind closed_: nobody adds any more.
void Client::UnpinAll() {
  std::unordered_map<ObjectId, std::vector<View*>> pinned;
  {
    std::lock_guard lock(ProcessMutex());
    pinned.swap(pinned_);
  }
  for (const auto& [id, views] : pinned) {
    for (View* view : views) ReleaseView(view);
  }
}

}  // namespace vineyard::client

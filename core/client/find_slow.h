// What a lookup does when shared memory alone does not answer: ask the daemon, which holds what it
// answers until our next message or for a second, and pin that.
#pragma once

#include "core/client/client.h"

namespace vineyard::client {

template <typename FindIt, typename Accept, typename Other>
Result<Session*> Client::FindSlow(const wire::Find& question, FindIt find, Accept accept,
                                  SlotContents* slot, Other other, const Patience& patience) {
  while (true) {
    ASSIGN_OR_RETURN(Session * session, EnsureSession(patience));
    Session* own = session;
    Found found = find(session, slot);
    if (const Others* met = found == Found::kMiss ? others() : nullptr) {
      for (size_t i = 0; found == Found::kMiss && i < met->sessions.size(); ++i) {
        session = met->sessions[i];
        found = find(session, slot);
      }
    }
    if (found == Found::kMiss) {
      Request request(wire::MessageType::kFind, question);
      Reply reply;
      RETURN_IF_ERROR(Call(&request, patience, &reply));
      ASSIGN_OR_RETURN(wire::FindAnswer answer, wire::FindAnswer::Decode(reply.answer));
      if (answer.kind != wire::FindAnswer::Kind::kSlot) {
        RETURN_IF_ERROR(other(answer));
        return static_cast<Session*>(nullptr);
      }
      if (!IsCurrent(own)) continue;  // replaced meanwhile
      session = own;
      if (answer.audience != 0 && answer.audience != own->audience().number) {
        session = FindAttached(answer.audience);
        if (session == nullptr) {
          wire::Attach question_of;
          question_of.audience = answer.audience;
          Status attached = Attach(question_of, patience).status();
          if (!attached.ok() && attached.code() != Code::kNotFound) return attached;
          if (patience.deadline.passed()) return Status(Code::kTimeout, "find: no time was left");
          continue;
        }
      }
      if (answer.slot >= session->superblock().capacity.load(std::memory_order_acquire)) {
        return Protocol("find: the daemon named a slot that does not exist");
      }
      // The daemon holds the slot until our next message.
      found = PinSlot(session, answer.slot, answer.word, slot, accept(session));
      if (found == Found::kMiss && slot->word == answer.word) {
        // Nothing has changed it since the daemon found it.
        std::string what = question.name.empty() ? "object " + PrintId(question.id)
                                                 : "name '" + std::string(question.name) + "'";
        return Corrupt(what + ": its slot is damaged, it says that it is something else");
      }
    }
    switch (found) {
      case Found::kYes:
        return session;
      case Found::kMiss:
        break;
      case Found::kNotGranted:
        RETURN_IF_ERROR(Grant(session, slot->slot, patience));
        break;
      case Found::kUnmapped: {
        // Nothing is pinned, so the segment may have gone with what lay there: look again.
        SlotWord of{slot->slot, slot->word};
        Status mapped = EnsureSegment(session, shm::SegmentOf(slot->location),
                                      /*writable=*/false, patience, &of);
        if (!mapped.ok() && mapped.code() != Code::kNotFound) return mapped;
        break;
      }
    }
    if (patience.deadline.passed()) {
      return Status(Code::kTimeout, "find: it changes faster than it can be pinned");
    }
  }
}

// The same for an object: it is pinned then.
template <typename Other>
Result<Session*> Client::FindObjectSlow(ObjectId id, SlotContents* slot, Other other,
                                        const Patience& patience) {
  wire::Find question;
  question.id = id;
  auto find = [id](Session* in, SlotContents* out) { return FindObject(in, id, out); };
  auto accept = [id](Session*) {
    return [id](const SlotContents& found) {
      return found.id == id && IsObjectKind(found.kind()) ? Found::kYes : Found::kMiss;
    };
  };
  return FindSlow(question, find, accept, slot, other, patience);
}

}  // namespace vineyard::client

// Whose store a request is of, and what is done for those that look into several: a session sees its own
// audience's first, then all others that its user may read.
#include <algorithm>
#include <charconv>

#include "daemon/server.h"

namespace vineyard::daemon {
namespace {

using wire::MessageType;

bool LooksEverywhere(MessageType type) {
  return type == MessageType::kFind || type == MessageType::kWait;
}
bool IsList(MessageType type) {
  return type == MessageType::kList || type == MessageType::kListNames ||
         type == MessageType::kListTypes;
}

// Pages go through one audience after another. The cursor of another than the session's own starts with what is
// no name, type or id: "\x01number\x01" and the cursor there.
constexpr char kMark = '\x01';

std::string CursorIn(const Audience& audience, std::string_view cursor) {
  return kMark + std::to_string(audience.number) + kMark + std::string(cursor);
}

// The number, and what is behind; 0: it is the session's own.
uint16_t AudienceOf(std::string_view* cursor) {
  if (cursor->empty() || cursor->front() != kMark) return 0;
  size_t end = cursor->find(kMark, 1);
  if (end == std::string_view::npos) return 0;
  uint16_t number = 0;
  std::from_chars(cursor->data() + 1, cursor->data() + end, number);
  cursor->remove_prefix(end + 1);
  return number;
}

template <typename Message>
Reply Encoded(const Message& message) {
  Reply reply;
  message.Encode(&reply.body);
  return reply;
}

Reply Failed(const Status& status) {
  Reply reply;
  reply.kind = status.code() == Code::kProtocol ? Reply::Kind::kRefuse : Reply::Kind::kAnswer;
  reply.error = status;
  reply.body = wire::EncodeError(status);
  return reply;
}

}  // namespace

Result<Audience*> Server::Route(const Session& session, const wire::FrameHeader& header) {
  const Connection& connection = connections_.at(const_cast<Session*>(&session));
  auto type = static_cast<MessageType>(header.type);
  Audience* audience = connection.audience;
  if (header.audience != 0 && header.audience != audience->number) {
    audience = audiences_.Find(header.audience);
    // Who may not look at it does not learn whether it is there.
    if (audience == nullptr || !MayAttach(session.peer(), audience->id)) {
      return NotFound(
          Format("there is no audience %u for uid %u", header.audience, session.peer().uid));
    }
    bool changes =
        wire::IsMutating(type) || type == MessageType::kEvict || type == MessageType::kTrim;
    if (changes && !MayChange(session.peer(), audience->id)) {
      return Status(Code::kPermission,
                    Format("%s: this belongs to uid %u, who shares it: uid %u may only read it",
                           wire::NameOf(type), audience->id.uid, session.peer().uid));
    }
    // It is of this session only if the session was told so: its token is known.
    if (!audience->store->ResumeSession(connection.info)) {
      return Status(Code::kUnavailable,
                    Format("audience %u: this session is not attached to it", header.audience));
    }
  }
  // The daemon's own store may be shared, and the cluster behind it is not.
  bool tells_of_cluster =
      type == MessageType::kInstances || type == MessageType::kWatch || type == MessageType::kSync;
  if (tells_of_cluster && IsWithoutCluster(*audience, session.peer())) {
    return Status(Code::kPermission,
                  Format("the cluster is uid %u's, the daemon's user", own_->id.uid));
  }
  bool is_clusters = type == MessageType::kPersist || type == MessageType::kForgetInstance;
  if (is_clusters && audience != own_ && options_->meta.kind != MetaKind::kLocal) {
    return Status(Code::kPermission,
                  Format("only what uid %u, the daemon's user, puts for itself can be shared with "
                         "the cluster; this is for %s",
                         own_->id.uid, PrintAudience(audience->id).c_str()));
  }
  return audience;
}

bool Server::IsWithoutCluster(const Audience& audience, const Peer& peer) const {
  return &audience == own_ && !IsDaemonsUser(peer) && options_->meta.kind != MetaKind::kLocal;
}
Lookup* Server::LookupOf(Audience* audience, const Peer& peer) {
  return IsWithoutCluster(*audience, peer) ? &shared_lookup_ : &audience->lookup;
}
Handler* Server::HandlerOf(Audience* audience, const Peer& peer) {
  return IsWithoutCluster(*audience, peer) ? &shared_handler_ : &audience->handler;
}

Reply Server::Handle(const std::shared_ptr<Session>& session, const Inquiry& inquiry,
                     Audience** audience) {
  auto type = static_cast<MessageType>(inquiry.header.type);
  if (type == MessageType::kAudit && inquiry.is_owner) return Audit();
  if (type == MessageType::kAudiences) return ListAudiences(*session);
  if (type == MessageType::kTrim && inquiry.header.audience == 0) return Trim(*session);
  if (IsList(type) && inquiry.header.audience == 0) return List(*session, inquiry, audience);
  auto later = [this, session, header = inquiry.header](Reply reply) {
    Answer(session, header, std::move(reply));
  };
  Connection& connection = connections_.at(session.get());
  auto handle = [&](Audience* where) {
    Inquiry asked = inquiry;
    if (IsWithoutCluster(*where, session->peer())) asked.synced = true;
    Reply reply = HandlerOf(where, session->peer())->Handle(asked, later);
    if (LooksEverywhere(type)) connection.holding.push_back(where);
    return reply;
  };
  Reply first = handle(*audience);
  if (!LooksEverywhere(type) || inquiry.header.audience != 0) return first;
  bool is_there = first.kind != Reply::Kind::kWait && first.kind != Reply::Kind::kSync &&
                  first.code != Code::kNotFound;
  if (is_there) return first;
  for (Audience* other : audiences_.VisibleTo(session->peer(), *audience)) {
    Inquiry again = inquiry;
    again.synced = true;  // there is no cluster behind it, or not for this user
    Reply reply = HandlerOf(other, session->peer())->Handle(again, later);
    if (reply.kind == Reply::Kind::kWait || reply.code == Code::kNotFound) continue;
    connection.holding.push_back(other);
    *audience = other;
    return reply;
  }
  return first;
}

bool Server::AnswerWait(const Wait& wait) {
  wire::Find find;
  find.id = wait.id;
  find.name = wait.name;
  Connection& connection = connections_.at(wait.session.get());
  auto look = [&](Audience* audience) {
    auto found =
        LookupOf(audience, wait.session->peer())->Find(wait.session->id(), find, /*synced=*/true);
    if (!found->ok()) return false;
    connection.holding.push_back(audience);
    wait.session->Answer(wait.request, std::move(*found).value());
    return true;
  };
  if (look(connection.audience)) return true;
  std::vector<Audience*> others = audiences_.VisibleTo(wait.session->peer(), connection.audience);
  return std::any_of(others.begin(), others.end(), look);
}

Reply Server::List(const Session& session, const Inquiry& inquiry, Audience** audience) {
  Arena arena;
  Result<Value> body = UnpackBody(inquiry.body, &arena);
  if (!body.ok()) return Failed(body.status());
  std::vector<Audience*> others = audiences_.VisibleTo(session.peer(), *audience);
  // The audience of the cursor, and the one behind it.
  auto place = [&](std::string_view* cursor, Audience** here) -> const Audience* {
    uint16_t number = AudienceOf(cursor);
    auto at = std::find_if(others.begin(), others.end(),
                           [&](Audience* other) { return other->number >= number; });
    if (number != 0) {
      if (at == others.end()) return nullptr;  // it has ended, and was the last one
      if ((*at)->number != number) *cursor = {};
      *here = *at++;
    }
    return at == others.end() ? nullptr : *at;
  };
  auto finish = [](auto* answer, const Audience* here, const Audience* own, const Audience* next) {
    if (!answer->cursor.empty()) {
      if (here != own) answer->cursor = CursorIn(*here, answer->cursor);
    } else if (next != nullptr) {
      answer->cursor = CursorIn(*next, "");
    }
  };
  const Audience* own = *audience;
  switch (static_cast<MessageType>(inquiry.header.type)) {
    case MessageType::kList: {
      auto list = wire::List::Decode(*body);
      if (!list.ok()) return Failed(list.status());
      const Audience* next = place(&list->after, audience);
      Result<wire::ListAnswer> page = LookupOf(*audience, session.peer())->List(*list);
      if (!page.ok()) return Failed(page.status());
      finish(&*page, *audience, own, next);
      return Encoded(*page);
    }
    case MessageType::kListNames: {
      auto list = wire::ListNames::Decode(*body);
      if (!list.ok()) return Failed(list.status());
      const Audience* next = place(&list->after, audience);
      wire::ListNamesAnswer page = LookupOf(*audience, session.peer())->ListNames(*list);
      // One's own come first, then those of the lower number: what a get by name finds.
      std::erase_if(page.names, [&](const wire::ListNamesAnswer::Item& item) {
        auto has = [&](const Audience* other) { return other->store->ReadName(item.name).ok(); };
        if (*audience == own) return false;
        auto end = std::find(others.begin(), others.end(), *audience);
        return has(own) || std::any_of(others.begin(), end, has);
      });
      finish(&page, *audience, own, next);
      return Encoded(page);
    }
    default: {
      auto list = wire::ListTypes::Decode(*body);
      if (!list.ok()) return Failed(list.status());
      const Audience* next = place(&list->after, audience);
      wire::ListTypesAnswer page = LookupOf(*audience, session.peer())->ListTypes(*list);
      finish(&page, *audience, own, next);
      return Encoded(page);
    }
  }
}

Reply Server::ListAudiences(const Session& session) const {
  wire::AudiencesAnswer answer;
  audiences_.ForEach([&](const Audience& audience) {
    if (!IsDaemonsUser(session.peer()) && !MayChange(session.peer(), audience.id)) return;
    answer.audiences.push_back({audience.number, audience.id.uid, PrintAudience(audience.id)});
  });
  return Encoded(answer);
}

// Of what this user owns; of all for the daemon's user, whose memory it is.
Reply Server::Trim(const Session& session) {
  wire::MutationAnswer answer;
  audiences_.ForEach([&](const Audience& audience) {
    if (!IsDaemonsUser(session.peer()) && !MayChange(session.peer(), audience.id)) return;
    answer.value += audience.store->Trim();
  });
  return Encoded(answer);
}

Reply Server::Audit() {
  wire::AuditAnswer answer;
  audiences_.ForEach([&](Audience& audience) {
    store::Findings findings = audience.store->Audit();
    answer.count += findings.count;
    for (std::string& problem : findings.problems) {
      if (answer.problems.size() >= store::kMaxProblems) break;
      if (audiences_.size() > 1) problem = "for " + PrintAudience(audience.id) + ": " + problem;
      answer.problems.push_back(std::move(problem));
    }
    for (auto& [name, number] : findings.numbers) {
      auto known = std::find_if(answer.numbers.begin(), answer.numbers.end(),
                                [&name = name](const auto& each) { return each.first == name; });
      if (known == answer.numbers.end()) {
        answer.numbers.emplace_back(std::move(name), number);
      } else {
        known->second += number;
      }
    }
  });
  return Encoded(answer);
}

}  // namespace vineyard::daemon

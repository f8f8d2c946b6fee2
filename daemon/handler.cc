#include "daemon/handler.h"

#include "core/base/clock.h"
#include "core/object/pack.h"
#include "core/object/types.h"
#include "core/shm/state_file.h"

namespace vineyard::daemon {
namespace {

using wire::MessageType;

// A repeat is answered from the stored reply: there is one for each request that may be repeated.
static_assert(wire::kRequestWindow == shm::kReplies);

Reply Failed(const vineyard::Status& error) {
  Reply reply;
  if (error.code() == Code::kProtocol) {
    reply.kind = Reply::Kind::kRefuse;
    reply.error = error;
  } else {
    reply.body = wire::EncodeError(error);
  }
  return reply;
}

template <typename T>
Reply Succeeded(const T& message) {
  Reply reply;
  message.Encode(&reply.body);
  return reply;
}

Reply Empty() {
  Reply reply;
  reply.body = wire::EncodeEmpty();
  return reply;
}

}  // namespace

Reply Handler::Handle(uint64_t session, const wire::FrameHeader& header, std::string_view body) {
  Arena arena;
  Result<Value> value = Unpack(body, &arena, kMaxDepth, wire::kMaxValues);
  if (value.status().code() == Code::kLimit) {
    return Failed(Limit("request: its body holds " + value.status().text()));
  }
  if (!value.ok()) return Failed(Protocol("body: " + value.status().text()));
  return Dispatch(session, header, *value);
}

Reply Handler::Dispatch(uint64_t session, const wire::FrameHeader& header, const Value& body) {
  auto type = static_cast<MessageType>(header.type);
  if (wire::IsMutating(type)) return Change(session, header, body);
  switch (type) {
    case MessageType::kSegment:
      return Segment(session, body);
    case MessageType::kGrant: {
      auto grant = wire::Grant::Decode(body);
      if (!grant.ok()) return Failed(grant.status());
      vineyard::Status granted = store_->Grant(session, grant->piece);
      return granted.ok() ? Empty() : Failed(granted);
    }
    case MessageType::kFind: {
      auto find = wire::Find::Decode(body);
      if (!find.ok()) return Failed(find.status());
      Result<std::string> found = Find(session, *find);
      if (!found.ok()) return Failed(found.status());
      Reply reply;
      reply.body = std::move(found).value();
      return reply;
    }
    case MessageType::kWait:
      return Wait(session, body);
    case MessageType::kListNames: {
      auto list = wire::ListNames::Decode(body);
      if (!list.ok()) return Failed(list.status());
      store::NamePage page = store_->ListNames(list->glob, list->after, list->limit);
      wire::ListNamesAnswer answer;
      answer.cursor = std::move(page.cursor);
      for (store::NameItem& item : page.names) {
        answer.names.push_back({std::move(item.name), item.id, item.revision});
      }
      return Succeeded(answer);
    }
    case MessageType::kList: {
      auto list = wire::List::Decode(body);
      if (!list.ok()) return Failed(list.status());
      Result<store::Page> page = store_->List(list->type_glob, list->after, list->limit);
      if (!page.ok()) return Failed(page.status());
      return Succeeded(wire::ListAnswer{std::move(page->ids), std::move(page->cursor)});
    }
    case MessageType::kListTypes: {
      auto list = wire::ListTypes::Decode(body);
      if (!list.ok()) return Failed(list.status());
      store::TypePage page = store_->ListTypes(list->after);
      return Succeeded(wire::ListTypesAnswer{std::move(page.types), std::move(page.cursor)});
    }
    case MessageType::kStatus:
      return Status();
    case MessageType::kTrim: {
      wire::MutationAnswer answer;
      answer.value = store_->Trim();
      return Succeeded(answer);
    }
    default:
      return Failed({Code::kUnsupported,
                     Format("request of type %u: this daemon does not know it", header.type)});
  }
}

// ---- changes -----------------------------------------------------------------------------------

Reply Handler::Change(uint64_t session, const wire::FrameHeader& header, const Value& body) {
  if (header.number == 0) return Failed(Invalid("a request that changes something has no number"));
  auto type = static_cast<MessageType>(header.type);
  Result<store::Mutation> done = Apply({session, header.number}, type, body);
  if (!done.ok()) {
    if (done.status().code() == Code::kOutOfMemory && store_->GrowthWanted()) {
      Reply reply;
      reply.kind = Reply::Kind::kGrow;
      return reply;
    }
    return Failed(done.status());
  }
  if (type == MessageType::kLease) return Succeeded(wire::LeaseAnswer{done->id, done->value});
  return Succeeded(wire::MutationAnswer{done->id, done->value, done->revision});
}

Result<store::Mutation> Handler::Apply(store::Request request, MessageType type,
                                       const Value& body) {
  switch (type) {
    case MessageType::kLease: {
      ASSIGN_OR_RETURN(wire::Lease lease, wire::Lease::Decode(body));
      return store_->Lease(request, lease.kind, lease.value_size);
    }
    case MessageType::kDropLease: {
      ASSIGN_OR_RETURN(wire::DropLease drop, wire::DropLease::Decode(body));
      return store_->DropLease(request, drop.id);
    }
    case MessageType::kPut: {
      ASSIGN_OR_RETURN(Tree tree, wire::DecodeTree(body));
      return store_->Put(request, tree);
    }
    case MessageType::kDelete: {
      ASSIGN_OR_RETURN(wire::Delete message, wire::Delete::Decode(body));
      return store_->Delete(request, message.ids, message.force, message.deep);
    }
    case MessageType::kPutName: {
      ASSIGN_OR_RETURN(wire::PutName put, wire::PutName::Decode(body));
      return store_->PutName(request, put.name, put.id, put.replace, put.expect);
    }
    case MessageType::kDropName: {
      ASSIGN_OR_RETURN(wire::DropName drop, wire::DropName::Decode(body));
      return store_->DropName(request, drop.name, drop.expect);
    }
    case MessageType::kSetLabels: {
      ASSIGN_OR_RETURN(wire::SetLabels set, wire::SetLabels::Decode(body));
      return store_->SetLabels(request, set.id, set.labels);
    }
    case MessageType::kPersist: {
      ASSIGN_OR_RETURN(wire::Persist persist, wire::Persist::Decode(body));
      return store_->Persist(request, persist.ids);
    }
    case MessageType::kClear:
      return store_->Clear(request);
    default:
      return Internal("a change without a call of the store");
  }
}

// ---- reading -----------------------------------------------------------------------------------

Result<std::string> Handler::Find(uint64_t session, const wire::Find& find) {
  // Also so that nobody waits for what can never come.
  if (!find.name.empty()) {
    RETURN_IF_ERROR(CheckText("name", find.name, kMaxName));
  } else if (find.id == kInvalidId) {
    return Invalid("find: neither an object nor a name is given");
  }
  Result<store::Found> found = !find.name.empty() ? store_->FindName(find.name)
                               : find.labels      ? store_->FindLabels(find.id)
                                                  : store_->Find(find.id);
  if (!found.ok()) return found.status();
  holds_->Hold(session, found->slot, MonotonicNs());
  std::string body;
  wire::FindAnswer answer;
  answer.slot = found->slot;
  answer.word = found->word;
  answer.Encode(&body);
  return body;
}

Reply Handler::Wait(uint64_t session, const Value& body) {
  auto find = wire::Find::Decode(body);
  if (!find.ok()) return Failed(find.status());
  Result<std::string> found = Find(session, *find);
  Reply reply;
  if (found.ok()) {
    reply.body = std::move(found).value();
  } else if (found.status().code() != Code::kNotFound || find->labels) {
    return Failed(found.status());
  } else {
    reply.kind = Reply::Kind::kWait;
    reply.wait_for = *find;
  }
  return reply;
}

Reply Handler::Segment(uint64_t session, const Value& body) {
  auto request = wire::SegmentRequest::Decode(body);
  if (!request.ok()) return Failed(request.status());
  wire::SegmentAnswer answer;
  Result<Fd> segment =
      store_->OpenSegment(session, request->number, request->writable, &answer.size);
  if (!segment.ok()) return Failed(segment.status());
  Reply reply = Succeeded(answer);
  reply.descriptors.push_back(std::move(segment).value());
  return reply;
}

Reply Handler::Status() {
  store::Statistics stats = store_->Stats();
  wire::StatusAnswer answer = status_();
  std::vector<std::pair<std::string, uint64_t>> numbers = {
      {"objects", stats.objects},
      {"blobs", stats.blobs},
      {"names", stats.names},
      {"leases", stats.leases},
      {"deferred", stats.deferred},
      {"memory_limit", stats.memory_limit},
      {"memory_allocated", stats.memory_allocated},
      {"memory_used", stats.memory_used},
      {"memory_pinned", stats.memory_pinned},
      {"memory_huge_pages", stats.memory_huge_pages},
      {"metadata_bytes", stats.metadata_bytes},
      {"sessions", stats.sessions},
      {"segments", stats.segments},
      {"puts", stats.puts},
      {"deletes", stats.deletes},
      {"evictions", stats.evictions},
      {"copied_bytes", stats.copied_bytes},
      {"slots", stats.slots},
      {"revision", stats.revision},
      {"adopted", stats.adopted},
      {"quarantined", stats.quarantined},
      {"instance", store_->instance()},
      {"epoch", store_->epoch()},
  };
  answer.numbers.insert(answer.numbers.begin(), numbers.begin(), numbers.end());
  return Succeeded(answer);
}

}  // namespace vineyard::daemon

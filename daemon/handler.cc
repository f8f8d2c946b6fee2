#include "daemon/handler.h"

#include "core/base/clock.h"
#include "core/object/pack.h"
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
    reply.code = error.code();
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

Reply Of(Reply::Kind kind) {
  Reply reply;
  reply.kind = kind;
  return reply;
}

Reply Empty() {
  Reply reply;
  reply.body = wire::EncodeEmpty();
  return reply;
}

}  // namespace

Result<Value> UnpackBody(std::string_view body, Arena* arena) {
  Result<Value> value = Unpack(body, arena, kMaxDepth, wire::kMaxValues);
  if (value.status().code() == Code::kLimit) {
    return Limit("request: its body holds " + value.status().text());
  }
  if (!value.ok()) return Protocol("body: " + value.status().text());
  return value;
}

Reply Handler::Handle(const Inquiry& inquiry, Later later) {
  Arena arena;
  Result<Value> value = UnpackBody(inquiry.body, &arena);
  if (!value.ok()) return Failed(value.status());
  return Dispatch(inquiry, *value, std::move(later));
}

Reply Handler::Dispatch(const Inquiry& inquiry, const Value& body, Later later) {
  auto type = static_cast<MessageType>(inquiry.header.type);
  if (wire::IsMutating(type)) return Change(inquiry, body, std::move(later));
  switch (type) {
    case MessageType::kSegment:
      return Segment(inquiry.session, body);
    case MessageType::kGrant: {
      auto grant = wire::Grant::Decode(body);
      if (!grant.ok()) return Failed(grant.status());
      vineyard::Status granted = store_->Grant(inquiry.session, grant->piece);
      return granted.ok() ? Empty() : Failed(granted);
    }
    case MessageType::kFind:
    case MessageType::kWait:
      return Find(inquiry, body);
    case MessageType::kListNames: {
      auto list = wire::ListNames::Decode(body);
      return list.ok() ? Succeeded(lookup_->ListNames(*list)) : Failed(list.status());
    }
    case MessageType::kList: {
      auto list = wire::List::Decode(body);
      if (!list.ok()) return Failed(list.status());
      Result<wire::ListAnswer> page = lookup_->List(*list);
      return page.ok() ? Succeeded(*page) : Failed(page.status());
    }
    case MessageType::kListTypes: {
      auto list = wire::ListTypes::Decode(body);
      return list.ok() ? Succeeded(lookup_->ListTypes(*list)) : Failed(list.status());
    }
    case MessageType::kInstances:
      return Succeeded(lookup_->Instances());
    case MessageType::kSync: {
      auto sync = wire::Sync::Decode(body);
      if (!sync.ok()) return Failed(sync.status());
      Reply reply = Of(Reply::Kind::kLog);
      reply.sync = *sync;
      return reply;
    }
    case MessageType::kWatch: {
      auto watch = wire::Watch::Decode(body);
      if (!watch.ok()) return Failed(watch.status());
      Reply reply = Of(Reply::Kind::kWatch);
      reply.watch = *watch;
      return reply;
    }
    case MessageType::kEvict:
      return Evict(inquiry, body);
    case MessageType::kStatus:
      return Status(inquiry.session);
    case MessageType::kAudit:  // of all audiences: whoever may ask, the server answers
      return Failed(
          {Code::kPermission, "audit: only the user of the daemon, and root, may ask for it"});
    case MessageType::kTrim: {
      wire::MutationAnswer answer;
      answer.value = store_->Trim();
      return Succeeded(answer);
    }
    default:
      return Failed({Code::kUnsupported, Format("request of type %u: this daemon does not know it",
                                                inquiry.header.type)});
  }
}

// ---- changes -----------------------------------------------------------------------------------

namespace {

Reply Changed(MessageType type, const Result<store::Mutation>& done) {
  if (!done.ok()) return Failed(done.status());
  if (type == MessageType::kLease) return Succeeded(wire::LeaseAnswer{done->id, done->value});
  return Succeeded(wire::MutationAnswer{done->id, done->value, done->revision});
}

}  // namespace

Reply Handler::Change(const Inquiry& inquiry, const Value& body, Later later) {
  uint64_t number = inquiry.header.number;
  if (number == 0) return Failed(Invalid("a request that changes something has no number"));
  auto type = static_cast<MessageType>(inquiry.header.type);
  Call call;
  call.request = {inquiry.session, number};
  call.repeated = (inquiry.header.flags & wire::kRepeated) != 0;
  call.synced = inquiry.synced;
  call.deadline = inquiry.deadline;
  Result<Step> step = Apply(call, type, body,
                            [type, later = std::move(later)](const Result<store::Mutation>& done) {
                              later(Changed(type, done));
                            });
  if (!step.ok()) return Failed(step.status());
  switch (step->kind) {
    case Step::Kind::kSync:
      return Of(Reply::Kind::kSync);
    case Step::Kind::kPark:
      return Of(Reply::Kind::kPark);
    case Step::Kind::kLater:
      return Of(Reply::Kind::kLater);
    case Step::Kind::kDone:
      break;
  }
  if (ComesLater(step->result.status())) return Of(Reply::Kind::kGrow);
  return Changed(type, step->result);
}

Result<Step> Handler::Apply(const Call& call, MessageType type, const Value& body,
                            Cluster::Done done) {
  switch (type) {
    case MessageType::kLease: {
      ASSIGN_OR_RETURN(wire::Lease lease, wire::Lease::Decode(body));
      return Step(store_->Lease(call.request, lease.kind, lease.value_size));
    }
    case MessageType::kDropLease: {
      ASSIGN_OR_RETURN(wire::DropLease drop, wire::DropLease::Decode(body));
      return Step(store_->DropLease(call.request, drop.id));
    }
    case MessageType::kPut: {
      ASSIGN_OR_RETURN(Tree tree, wire::DecodeTree(body));
      return cluster_->Put(call, tree, std::move(done));
    }
    case MessageType::kDelete: {
      ASSIGN_OR_RETURN(wire::Delete message, wire::Delete::Decode(body));
      return cluster_->Delete(call, message, std::move(done));
    }
    case MessageType::kPutName: {
      ASSIGN_OR_RETURN(wire::PutName put, wire::PutName::Decode(body));
      return cluster_->PutName(call, put, std::move(done));
    }
    case MessageType::kDropName: {
      ASSIGN_OR_RETURN(wire::DropName drop, wire::DropName::Decode(body));
      return cluster_->DropName(call, drop, std::move(done));
    }
    case MessageType::kSetLabels: {
      ASSIGN_OR_RETURN(wire::SetLabels set, wire::SetLabels::Decode(body));
      return cluster_->SetLabels(call, set, std::move(done));
    }
    case MessageType::kPersist: {
      ASSIGN_OR_RETURN(wire::Persist persist, wire::Persist::Decode(body));
      return cluster_->Persist(call, persist.ids, std::move(done));
    }
    case MessageType::kForgetInstance: {
      ASSIGN_OR_RETURN(wire::ForgetInstance forget, wire::ForgetInstance::Decode(body));
      return cluster_->ForgetInstance(call, forget.number, std::move(done));
    }
    case MessageType::kClear:
      return cluster_->Clear(call, std::move(done));
    default:
      return Internal("a change without a call of the store");
  }
}

// Whether memory, or what was spilled, is on its way.
bool Handler::ComesLater(const vineyard::Status& status) const {
  return status.code() == Code::kOutOfMemory && (store_->GrowthWanted() || store_->IsSpilling());
}

// ---- reading -----------------------------------------------------------------------------------

Reply Handler::Find(const Inquiry& inquiry, const Value& body) {
  auto find = wire::Find::Decode(body);
  if (!find.ok()) return Failed(find.status());
  bool waits = static_cast<MessageType>(inquiry.header.type) == MessageType::kWait;
  // Who waits is told when it comes: no need to ask whether it has come.
  auto found = lookup_->Find(inquiry.session, *find, inquiry.synced || waits);
  if (!found) return Of(Reply::Kind::kSync);
  if (ComesLater(found->status())) return Of(Reply::Kind::kGrow);
  Reply reply;
  if (found->ok()) {
    reply.body = std::move(*found).value();
    return reply;
  }
  if (!waits || found->status().code() != Code::kNotFound || find->labels) {
    return Failed(found->status());
  }
  reply.kind = Reply::Kind::kWait;
  reply.wait_for = *find;
  return reply;
}

Reply Handler::Segment(uint64_t session, const Value& body) {
  auto request = wire::SegmentRequest::Decode(body);
  if (!request.ok()) return Failed(request.status());
  wire::SegmentAnswer answer;
  Result<Fd> segment = store_->OpenSegment(session, request->number, request->writable,
                                           &answer.size, &answer.is_sole);
  if (!segment.ok()) return Failed(segment.status());
  Reply reply = Succeeded(answer);
  reply.descriptors.push_back(std::move(segment).value());
  return reply;
}

Reply Handler::Evict(const Inquiry& inquiry, const Value& body) {
  auto evict = wire::Evict::Decode(body);
  if (!evict.ok()) return Failed(evict.status());
  vineyard::Status evicted = store_->Evict(evict->id);
  if (evicted.ok()) return Empty();
  if (ComesLater(evicted)) return Of(Reply::Kind::kGrow);
  if (evicted.code() != Code::kNotFound) return Failed(evicted);
  wire::Find find;
  find.id = evict->id;
  auto elsewhere = lookup_->Find(inquiry.session, find, inquiry.synced);
  if (!elsewhere) return Of(Reply::Kind::kSync);
  if (!elsewhere->ok()) return Failed(elsewhere->status());
  return Failed({Code::kRemote, "evict of object " + PrintId(evict->id) +
                                    ": it is another instance's; evict it there"});
}

Reply Handler::Status(uint64_t session) {
  store::Statistics stats = store_->Stats();
  wire::StatusAnswer answer = status_(session);
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
      {"loads", stats.loads},
      {"spilled_blobs", stats.spilled_blobs},
      {"spilled_bytes", stats.spilled_bytes},
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

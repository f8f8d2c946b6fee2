#include "core/client/object_view.h"

#include <unistd.h>

#include "core/object/types.h"

namespace vineyard::client {
namespace {

// Fewer names are compared one after another.
constexpr uint64_t kIndexFrom = 32;

std::string_view KindName(BlobKind kind) {
  switch (kind) {
    case BlobKind::kBytes:
      return "bytes";
    case BlobKind::kByteArray:
      return "bytearray";
    default:
      return "buffer";
  }
}

std::string Quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

}  // namespace

Result<std::unique_ptr<ObjectView>> ObjectView::Get(const std::shared_ptr<Client>& client,
                                                    ObjectId id) {
  RemoteTreePtr remote;
  ASSIGN_OR_RETURN(View * view, client->Get(id, &remote));
  return Make(client, view, std::move(remote), id);
}

Status ObjectView::NotABlob(const std::shared_ptr<Client>& client, ObjectId id) {
  Result<std::unique_ptr<ObjectView>> object = Get(client, id);
  // Who may not wait calls again when it may.
  if (object.status().code() == Code::kTimeout && !ThreadMayWait()) return object.status();
  std::string is = object.ok() ? "it is a " + (*object)->type_name() + ", not a blob"
                               : std::string("it is not a blob");
  return {Code::kType, "object " + PrintId(id) + ": " + is};
}

Result<std::unique_ptr<ObjectView>> ObjectView::Make(const std::shared_ptr<Client>& client,
                                                     View* view, RemoteTreePtr remote,
                                                     ObjectId id) {
  std::unique_ptr<ObjectView> object(new ObjectView(client));
  object->view_ = view;
  object->remote_ = std::move(remote);
  if (view == nullptr) {
    const wire::RemoteNode* node = object->remote_->Find(id);
    if (IsBlobId(id)) {
      object->record_.instance = object->remote_->instance();
      object->DescribeBlob(id, node->kind, EnvelopeOf(node->kind, node->value_size),
                           node->value_size);
    } else {
      RETURN_IF_ERROR(object->Decode(id, node->record));
    }
  } else if (IsBlobId(id)) {
    object->record_.instance =
        view->session != nullptr ? view->session->instance() : client->instance();
    object->DescribeBlob(id, static_cast<BlobKind>(view->kind), {view->before, view->after},
                         view->length);
  } else {
    RETURN_IF_ERROR(object->Decode(id, {view->data, view->length}));
  }
  return object;
}

ObjectView::~ObjectView() {
  delete names_.load(std::memory_order_acquire);
  if (view_ != nullptr) ReleaseView(view_);
}

// A blob has no record: its kind and size say all.
void ObjectView::DescribeBlob(ObjectId id, BlobKind kind, Envelope envelope, uint64_t value_size) {
  record_.id = id;
  record_.type_name = kBlobTypeName;
  record_.nbytes = envelope.stored_size(value_size);
  Value* pairs = record_.arena.New(8);
  pairs[0] = Value::String("length");
  pairs[1] = Value::Uint64(record_.nbytes);
  pairs[2] = Value::String("value_offset_");
  pairs[3] = Value::Uint64(envelope.before);
  pairs[4] = Value::String("value_length_");
  pairs[5] = Value::Uint64(value_size);
  pairs[6] = Value::String("value_type_");
  pairs[7] = Value::String(KindName(kind));
  record_.fields = Value::Map(pairs, 4);
  type_name_ = kBlobTypeName;
}

Status ObjectView::Decode(ObjectId id, std::string_view bytes) {
  Result<Record> record = DecodeRecord(bytes);
  if (!record.ok()) {
    return {record.status().code(), "object " + PrintId(id) + ": " + record.status().text()};
  }
  if (record->id != id) return Corrupt("object " + PrintId(id) + ": its record is another's");
  record_ = std::move(record).value();
  type_name_ = record_.type_name;
  return OkStatus();
}

// What the cluster shares is this user's: others' objects are never part of it.
uint32_t ObjectView::owner_uid() const {
  bool is_mapped = view_ != nullptr && view_->session != nullptr;
  return is_mapped ? view_->session->audience().uid : geteuid();
}

bool ObjectView::is_persisted() const {
  return view_ == nullptr || (view_->flags & shm::kPersisted) != 0;
}

Status ObjectView::CheckReadable() const {
  if (MayRead()) return OkStatus();
  return {Code::kForked, "object " + PrintId(id()) + ": this process was forked unseen"};
}

bool ObjectView::HasManyNames() const {
  return record_.fields.size + record_.members.size() >= kIndexFrom;
}

const ObjectView::Place* ObjectView::Lookup(std::string_view name) const {
  // acquire: the map is seen as it was filled.
  const Names* names = names_.load(std::memory_order_acquire);
  if (names == nullptr) {
    auto made = std::make_unique<Names>();
    const Value* pairs = record_.fields.as.items;
    made->reserve(record_.fields.size + record_.members.size());
    for (uint64_t i = 0; i < record_.fields.size; ++i) {
      made->try_emplace(pairs[2 * i].text(), Place{false, i});
    }
    for (uint64_t i = 0; i < record_.members.size(); ++i) {
      made->try_emplace(record_.members[i].name, Place{true, i});
    }
    // acq_rel: publishes ours, or sees that of the thread that was first.
    if (names_.compare_exchange_strong(names, made.get(), std::memory_order_acq_rel)) {
      names = made.release();
    }
  }
  auto found = names->find(name);
  return found == names->end() ? nullptr : &found->second;
}

Result<const Value*> ObjectView::Field(std::string_view name) const {
  RETURN_IF_ERROR(CheckReadable());
  if (!HasManyNames()) {
    const Value* value = record_.fields.Find(name);
    if (value != nullptr) return value;
  } else if (const Place* place = Lookup(name); place != nullptr && !place->is_member) {
    return &record_.fields.as.items[2 * place->index + 1];
  }
  return NotFound("object " + PrintId(id()) + ": it has no field " + Quoted(name));
}

Result<ObjectId> ObjectView::MemberId(std::string_view name) const {
  RETURN_IF_ERROR(CheckReadable());
  if (!HasManyNames()) {
    const vineyard::Member* member = record_.FindMember(name);
    if (member != nullptr) return member->id;
  } else if (const Place* place = Lookup(name); place != nullptr && place->is_member) {
    return record_.members[place->index].id;
  }
  return NotFound("object " + PrintId(id()) + ": it has no member " + Quoted(name));
}

Result<std::unique_ptr<ObjectView>> ObjectView::Member(ObjectId id) const {
  RETURN_IF_ERROR(CheckReadable());
  RemoteTreePtr remote = remote_;
  View* view = nullptr;
  if (view_ != nullptr) {
    ASSIGN_OR_RETURN(view, client_->GetMember(*view_, id, &remote));
  } else if (remote_->Find(id) == nullptr) {  // of another tree: whose?
    ASSIGN_OR_RETURN(view, client_->Get(id, &remote));
  }
  return Make(client_, view, view != nullptr ? nullptr : std::move(remote), id);
}

Result<View*> ObjectView::MemberBlob(ObjectId id) const {
  if (!IsBlobId(id)) return NotABlob(client_, id);
  if (view_ == nullptr) {
    return remote_->Find(id) != nullptr ? remote_->NoPayload(id) : client_->GetView(id);
  }
  RemoteTreePtr remote;
  ASSIGN_OR_RETURN(View * view, client_->GetMember(*view_, id, &remote));
  if (view == nullptr) return remote->NoPayload(id);
  return view;
}

Result<View*> ObjectView::Blob() const {
  if (!is_blob()) {
    return Status(Code::kType,
                  "object " + PrintId(id()) + ": it is a " + type_name_ + ", not a blob");
  }
  if (view_ == nullptr) return remote_->NoPayload(id());
  View* shared = ShareView(view_);
  if (shared == nullptr) return Status(Code::kForked, "object: this process was forked unseen");
  return shared;
}

Result<bool> ObjectView::IsGlobal() const {
  RETURN_IF_ERROR(CheckReadable());
  if (view_ != nullptr) return (view_->flags & shm::kRemote) != 0;
  return Reaches();
}

// Whether it or what is below it links to an object of another instance. Trees of trees have no greatest depth: what
// is to be looked through waits in a list, not on the stack.
Result<bool> ObjectView::Reaches() const {
  std::set<ObjectId> seen;
  std::vector<std::unique_ptr<ObjectView>> waiting;
  std::unique_ptr<ObjectView> held;
  for (const ObjectView* at = this;; at = held.get()) {
    for (const vineyard::Member& link : at->record_.members) {
      if (link.id == kEmptyBlobId || !seen.insert(link.id).second) continue;
      Result<std::unique_ptr<ObjectView>> member = at->Member(link.id);
      if (member.status().code() == Code::kNotFound) continue;  // deleted by force: it is nowhere
      if (!member.ok()) return member.status();
      if ((*member)->instance() != instance()) return true;
      if ((*member)->view_ == nullptr) {
        waiting.push_back(std::move(*member));
        continue;
      }
      Result<bool> below = (*member)->IsGlobal();
      if (!below.ok() || *below) return below;
    }
    if (waiting.empty()) return false;
    held = std::move(waiting.back());
    waiting.pop_back();
  }
}

}  // namespace vineyard::client

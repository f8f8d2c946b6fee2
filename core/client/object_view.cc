#include "core/client/object_view.h"

#include "core/object/types.h"

namespace vineyard::client {
namespace {

// Fewer names are compared one after another.
constexpr uint64_t kIndexFrom = 32;

std::string_view KindName(uint8_t kind) {
  switch (static_cast<shm::SlotKind>(kind)) {
    case shm::SlotKind::kBytes:
      return "bytes";
    case shm::SlotKind::kByteArray:
      return "bytearray";
    default:
      return "buffer";
  }
}

std::string Quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

}  // namespace

Result<std::unique_ptr<ObjectView>> ObjectView::Get(const std::shared_ptr<Client>& client,
                                                    ObjectId id) {
  ASSIGN_OR_RETURN(View * view, client->GetView(id));
  return Make(client, view);
}

Result<std::unique_ptr<ObjectView>> ObjectView::Make(const std::shared_ptr<Client>& client,
                                                     View* view) {
  std::unique_ptr<ObjectView> object(new ObjectView(client, view));
  if (object->is_blob()) {
    object->DescribeBlob();
  } else {
    RETURN_IF_ERROR(object->Decode());
  }
  return object;
}

ObjectView::~ObjectView() {
  delete names_.load(std::memory_order_acquire);
  ReleaseView(view_);
}

// A blob has no record: its slot says all.
void ObjectView::DescribeBlob() {
  record_.id = view_->id;
  record_.type_name = kBlobTypeName;
  record_.nbytes = view_->stored_size();
  record_.instance = view_->session != nullptr ? view_->session->instance() : client_->instance();
  Value* pairs = record_.arena.New(8);
  pairs[0] = Value::String("length");
  pairs[1] = Value::Uint64(view_->stored_size());
  pairs[2] = Value::String("value_offset_");
  pairs[3] = Value::Uint64(view_->before);
  pairs[4] = Value::String("value_length_");
  pairs[5] = Value::Uint64(view_->length);
  pairs[6] = Value::String("value_type_");
  pairs[7] = Value::String(KindName(view_->kind));
  record_.fields = Value::Map(pairs, 4);
  type_name_ = kBlobTypeName;
}

Status ObjectView::Decode() {
  Result<Record> record = DecodeRecord({view_->data, view_->length});
  if (!record.ok()) {
    return {record.status().code(), "object " + PrintId(id()) + ": " + record.status().text()};
  }
  if (record->id != id()) return Corrupt("object " + PrintId(id()) + ": its record is another's");
  record_ = std::move(record).value();
  type_name_ = record_.type_name;
  return OkStatus();
}

bool ObjectView::is_persisted() const { return (view_->flags & shm::kPersisted) != 0; }

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
  ASSIGN_OR_RETURN(View * view, client_->GetMember(*view_, id));
  return Make(client_, view);
}

Result<View*> ObjectView::MemberBlob(ObjectId id) const {
  if (!IsBlobId(id)) {
    return Status(Code::kType, "object " + PrintId(id) + ": it is not a blob");
  }
  return client_->GetMember(*view_, id);
}

Result<View*> ObjectView::Blob() const {
  if (!is_blob()) {
    return Status(Code::kType, "object " + PrintId(id()) + ": it is not a blob");
  }
  View* shared = ShareView(view_);
  if (shared == nullptr) return Status(Code::kForked, "object: this process was forked unseen");
  return shared;
}

}  // namespace vineyard::client

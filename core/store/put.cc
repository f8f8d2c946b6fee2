// Put: a whole tree in one commit. Leases: memory that a session writes itself.
#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/object/pack.h"
#include "core/store/store_impl.h"

namespace vineyard::store {
namespace {

using shm::SlotKind;
using shm::SlotState;

// One node on its way to a slot.
struct Planned {
  ObjectId id = kInvalidId;
  uint32_t slot = 0;
  bool has_slot = false;  // taken by this put: to be returned when it fails
  shm::SlotFields fields;
  uint32_t links = 0, depth = 0;
  uint64_t nbytes = 0;
  uint64_t leased_location = shm::kNoLocation;
  uint64_t leased_size = 0;  // rounded size of the extent before it is cut to what is used
  bool allocated = false;    // by this put: to be freed when it fails
  bool is_remote = false;    // reaches objects of other instances
  std::vector<Member> members;
  std::vector<uint32_t> old_members;  // slots of members that existed before, one per entry
  std::string record;
};

// Shared members count as often as they are named: each level can double the sum.
uint64_t AddSaturating(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

Status CheckKind(BlobKind kind) {
  if (kind == BlobKind::kBuffer || kind == BlobKind::kBytes || kind == BlobKind::kByteArray) {
    return OkStatus();
  }
  return Invalid(Format("blob of kind %d: there is no such kind", static_cast<int>(kind)));
}

}  // namespace

// What a put holds until it is committed; undone when it goes out of scope before.
class PutPlan {
 public:
  // `foreign`: null: of other instances nothing may be a member.
  PutPlan(Store::Impl* store, const Tree& tree, uint64_t session, const Foreign* foreign = nullptr)
      : store_(store),
        tree_(tree),
        session_(session),
        foreign_(foreign),
        nodes_(tree.nodes.size()) {}
  ~PutPlan();

  Status Check();
  Status Allocate();
  Result<Mutation> Commit(const Request& request);

 private:
  Status CheckBlob(size_t i);
  Status CheckLease(size_t i);
  Status CheckObject(size_t i, std::vector<bool>* used);
  void Fill();
  Status SealLeases();
  void Publish();

  Store::Impl* store_;
  const Tree& tree_;
  uint64_t session_;
  const Foreign* foreign_;
  std::vector<Planned> nodes_;
  std::vector<uint32_t> held_;
  std::unordered_set<ObjectId> leases_;
  bool committed_ = false;
  uint64_t copied_ = 0;
};

PutPlan::~PutPlan() {
  for (uint32_t slot : held_) store_->store_->Unhold(slot);
  if (committed_) return;
  for (Planned& node : nodes_) {
    if (node.allocated) store_->Free(node.fields);
    if (node.has_slot) store_->ReturnSlot(node.slot);
  }
}

Status PutPlan::CheckBlob(size_t i) {
  const TreeNode& source = tree_.nodes[i];
  Planned& node = nodes_[i];
  RETURN_IF_ERROR(CheckKind(source.kind));
  if (source.bytes.size() > kMaxInlinePayload) {
    return Limit(Format("blob of %zu bytes in a message: at most %llu are allowed",
                        source.bytes.size(), static_cast<unsigned long long>(kMaxInlinePayload)));
  }
  Envelope envelope = EnvelopeOf(source.kind, source.bytes.size());
  node.fields.size = envelope.stored_size(source.bytes.size());
  node.fields.skip = envelope.skip();
  node.fields.before = envelope.before;
  node.fields.kind = static_cast<SlotKind>(source.kind);
  node.fields.type = static_cast<uint16_t>(TypeNumber::kBlob);
  node.nbytes = node.fields.size;
  return OkStatus();
}

Status PutPlan::CheckLease(size_t i) {
  const TreeNode& source = tree_.nodes[i];
  Planned& node = nodes_[i];
  auto lease = store_->leases_.find(source.lease);
  if (lease == store_->leases_.end()) {
    return NotFound("blob " + PrintId(source.lease) + ": it is not being written (any more)");
  }
  shm::SlotImage image = store_->slots_->Read(lease->second);
  if (image.fields.owner != session_) {
    return {Code::kPermission, "blob " + PrintId(source.lease) + ": another session writes it"};
  }
  if (!leases_.insert(source.lease).second) {
    return Invalid("blob " + PrintId(source.lease) + ": it is sealed twice in one put");
  }
  node.id = source.lease;
  node.slot = lease->second;
  node.fields = image.fields;
  node.leased_location = image.fields.location;
  node.leased_size = Store::Impl::ExtentSize(image.fields);
  // The lease said what kind of blob it is for.
  Envelope envelope = EnvelopeOf(static_cast<BlobKind>(image.fields.kind), source.value_size);
  if (source.value_size > UINT64_MAX / 2 ||
      shm::Extents::RoundedSize(envelope.extent_size(source.value_size)) > node.leased_size) {
    return Invalid(Format("blob of %llu bytes: less was leased for it",
                          static_cast<unsigned long long>(source.value_size)));
  }
  node.fields.size = envelope.stored_size(source.value_size);
  node.fields.skip = envelope.skip();
  node.fields.before = envelope.before;
  node.fields.type = static_cast<uint16_t>(TypeNumber::kBlob);
  if (source.checksum != 0 && source.checksum >> 32 != 1) {
    return Invalid("blob " + PrintId(source.lease) + ": its checksum can not be one");
  }
  node.fields.payload_checksum = source.checksum;
  if (node.fields.size == 0) node.fields.location = shm::kNoLocation;  // nothing of it is kept
  node.nbytes = node.fields.size;
  return OkStatus();
}

Status PutPlan::CheckObject(size_t i, std::vector<bool>* used) {
  const TreeNode& source = tree_.nodes[i];
  Planned& node = nodes_[i];
  Arena arena;
  auto fields = Unpack(source.fields, &arena);
  if (!fields.ok()) return Invalid("fields of an object: " + fields.status().text());
  if (!fields->is(ValueType::kMap)) return Invalid("fields of an object: they are not a map");
  Status checked = CheckValue(*fields);
  if (!checked.ok()) return {checked.code(), "fields of an object: " + checked.text()};
  for (const TreeMember& member : source.members) {
    ObjectId id = member.ref;
    if (member.local) {
      if (member.ref >= i) return Invalid("tree: a member does not come before its parent");
      (*used)[member.ref] = true;
      Planned& child = nodes_[member.ref];
      ++child.links;
      node.depth = std::max(node.depth, child.depth + 1);
      node.nbytes = AddSaturating(node.nbytes, child.nbytes);
      node.is_remote = node.is_remote || child.is_remote;
      id = kInvalidId;  // known once ids are given
    } else if (id != kEmptyBlobId) {
      auto slot = store_->FindPresent(id);
      if (!slot && foreign_ != nullptr && foreign_->contains(id)) {
        node.is_remote = true;
        node.nbytes = AddSaturating(node.nbytes, foreign_->at(id));
        node.members.push_back({member.name, id});
        continue;
      }
      if (!slot) {
        return NotFound("member '" + std::string(member.name) + "' of " +
                        std::string(source.type_name) + ": " + store_->NoSuchObject(id).text());
      }
      if (shm::StateOf(store_->slots_->word(*slot)) == SlotState::kSpilled)
        return store_->Load(*slot);
      node.old_members.push_back(*slot);
      // Nothing that this put does to make room may take it away.
      store_->store_->Hold(*slot);
      held_.push_back(*slot);
      shm::SlotFields member_fields = store_->slots_->Read(*slot).fields;
      node.is_remote = node.is_remote || (member_fields.flags & shm::kRemote) != 0;
      if (shm::IsBlobKind(member_fields.kind)) {
        node.nbytes = AddSaturating(node.nbytes, member_fields.size);
      } else {
        ASSIGN_OR_RETURN(uint64_t nbytes, ReadNbytes(store_->StoredBytes(member_fields)));
        node.nbytes = AddSaturating(node.nbytes, nbytes);
      }
    }
    node.members.push_back({member.name, id});
  }
  if (node.depth > kMaxDepth) {
    return Limit(Format("tree: it is nested more than %u deep", kMaxDepth));
  }
  RETURN_IF_ERROR(CheckRecordNames(source.type_name, node.members, *fields));
  node.fields.kind = SlotKind::kObject;
  node.fields.type = static_cast<uint16_t>(TypeNumberOf(source.type_name));
  return OkStatus();
}

Status PutPlan::Check() {
  if (nodes_.empty()) return Invalid("tree: it has no node");
  std::vector<bool> used(nodes_.size());
  uint64_t counter = store_->next_counters_.next_id;
  if (nodes_.size() > kMaxCounter - counter) return Limit("this instance has used up its ids");
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const TreeNode& source = tree_.nodes[i];
    switch (source.type) {
      case TreeNode::Type::kInlineBlob:
        RETURN_IF_ERROR(CheckBlob(i));
        break;
      case TreeNode::Type::kLeasedBlob:
        RETURN_IF_ERROR(CheckLease(i));
        break;
      case TreeNode::Type::kObject:
        RETURN_IF_ERROR(CheckObject(i, &used));
        break;
    }
    if (source.type != TreeNode::Type::kLeasedBlob) {
      bool blob = source.type == TreeNode::Type::kInlineBlob;
      nodes_[i].id = MakeId(blob, store_->state_->header().instance, counter + i);
    }
  }
  for (size_t i = 0; i + 1 < nodes_.size(); ++i) {
    if (!used[i]) return Invalid(Format("tree: node %zu is no member of another", i));
  }
  // Ids are known: records can be written down.
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const TreeNode& source = tree_.nodes[i];
    Planned& node = nodes_[i];
    if (source.type != TreeNode::Type::kObject) continue;
    for (size_t m = 0; m < source.members.size(); ++m) {
      if (source.members[m].local) node.members[m].id = nodes_[source.members[m].ref].id;
    }
    node.record = EncodeRecord(node.id, source.type_name, node.nbytes,
                               store_->state_->header().instance, node.members, source.fields);
    if (node.record.size() > kMaxRecord) {
      return Limit(Format("metadata of %zu bytes: at most %llu are allowed", node.record.size(),
                          static_cast<unsigned long long>(kMaxRecord)));
    }
    node.fields.size = node.record.size();
  }
  return OkStatus();
}

Status PutPlan::Allocate() {
  RETURN_IF_ERROR(store_->ReserveSlots(nodes_.size() + 1));
  uint64_t total = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (tree_.nodes[i].type != TreeNode::Type::kLeasedBlob && nodes_[i].fields.size > 0) {
      total += shm::Extents::RoundedSize(nodes_[i].fields.skip + nodes_[i].fields.size);
    }
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Planned& node = nodes_[i];
    if (tree_.nodes[i].type == TreeNode::Type::kLeasedBlob) continue;
    if (node.fields.size > 0) {
      ASSIGN_OR_RETURN(node.fields.location,
                       store_->Allocate(shm::SegmentUse::kDaemon,
                                        node.fields.skip + node.fields.size, total, "put"));
      node.allocated = true;
    }
    node.slot = store_->TakeSlot();
    node.has_slot = true;
  }
  return OkStatus();
}

void PutPlan::Fill() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const TreeNode& source = tree_.nodes[i];
    Planned& node = nodes_[i];
    if (node.fields.location == shm::kNoLocation) continue;
    char* stored = store_->At(node.fields.location) + node.fields.skip;
    if (source.type == TreeNode::Type::kObject) {
      std::memcpy(stored, node.record.data(), node.record.size());
      node.fields.payload_checksum = ChecksumOf(node.record);
    } else if (source.type == TreeNode::Type::kInlineBlob) {
      WriteEnvelope(source.kind, source.bytes.size(), stored);
      std::memcpy(stored + node.fields.before, source.bytes.data(), source.bytes.size());
      if (store_->options_.checksum_limit >= source.bytes.size()) {
        node.fields.payload_checksum = ChecksumOf(source.bytes);
      }
      copied_ += source.bytes.size();
    } else if (!store_->options_.is_shared) {
      WriteEnvelope(static_cast<BlobKind>(node.fields.kind), source.value_size, stored);
    }
  }
}

// Others than its writer's user are to read it: from here on nobody writes there.
Status PutPlan::SealLeases() {
  for (Planned& node : nodes_) {
    if (node.leased_location == shm::kNoLocation || node.fields.location == shm::kNoLocation)
      continue;
    shm::Segment& segment =
        store_->large_.segments().at(shm::SegmentOf(node.leased_location)).segment;
    Status sealed = segment.SealWrites();
    if (sealed.ok()) continue;
    return {sealed.code(), "blob " + PrintId(node.id) + ": " + sealed.text() +
                               ": it can not be shared with others before that ends"};
  }
  return OkStatus();
}

Result<Mutation> PutPlan::Commit(const Request& request) {
  Fill();
  if (store_->options_.is_shared) RETURN_IF_ERROR(SealLeases());
  // Whatever allocates comes before the first Edit of a slot that exists: making room changes
  // slots.
  Batch batch(store_->slots_.get());
  Store::Impl::Side name;
  bool is_named = !tree_.name.empty() && foreign_ == nullptr;
  if (is_named) {
    ASSIGN_OR_RETURN(name, store_->MakeName(batch, tree_.name, nodes_.back().id, session_));
    auto old = store_->names_.find(tree_.name);
    if (old != store_->names_.end()) store_->Doom(batch, old->second, 0);
  }
  uint64_t lines_to_delete = 0;
  for (Planned& node : nodes_) {
    for (uint32_t slot : node.old_members) ++batch.Edit(slot).fields.links;
    shm::SlotImage& image = batch.Edit(node.slot);
    node.fields.id = node.id;
    node.fields.owner = session_;
    node.fields.links = node.links;
    node.fields.flags = node.is_remote ? shm::kRemote : 0;
    if (foreign_ != nullptr) node.fields.flags |= shm::kPending;
    image.fields = node.fields;
    image.word = shm::MakeWord(shm::GenerationOf(image.word), SlotState::kSealed);
    image.Seal();
    // To free it: itself, its members, and what is attached to a member that goes with it.
    lines_to_delete = std::max<uint64_t>(lines_to_delete, 3 * (node.members.size() + 2));
  }
  uint64_t first = store_->next_counters_.next_id;
  Mutation reply{nodes_.back().id, first, 0};
  store_->next_counters_.next_id += nodes_.size();
  Status applied = store_->Commit(batch, request, &reply, lines_to_delete);
  if (!applied.ok()) {
    store_->next_counters_.next_id = first;
    if (is_named) store_->Discard(name);
    return applied;
  }
  committed_ = true;
  Publish();
  if (is_named) {
    store_->RememberName(name, std::string(tree_.name), nodes_.back().id);
  }
  store_->AfterDoom(batch.doomed);
  return reply;
}

void PutPlan::Publish() {
  Statistics& statistics = store_->statistics_;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Planned& node = nodes_[i];
    store_->directory_->Insert(shm::HashObject(node.id), node.slot);
    store_->sealed_at_[node.slot] = store_->coarse_clock_;
    if (tree_.nodes[i].type == TreeNode::Type::kLeasedBlob) {
      store_->leases_.erase(node.id);
      // What was leased and not used.
      uint64_t kept = Store::Impl::ExtentSize(node.fields);
      store_->PoolOf(node.leased_location)
          .Free(node.leased_location + kept / kPayloadAlignment, node.leased_size - kept);
    }
    bool object = tree_.nodes[i].type == TreeNode::Type::kObject;
    ++(object ? statistics.objects : statistics.blobs);
    if (store_->types_ready_) {
      store_->types_.Add(object ? tree_.nodes[i].type_name : kBlobTypeName, node.id);
    }
    if (store_->store_->on_sealed) store_->store_->on_sealed(node.id);
  }
  ++statistics.puts;
  statistics.copied_bytes += copied_;
}

Result<Mutation> Store::Impl::Put(Request request, const Tree& tree) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  if (!tree.name.empty()) RETURN_IF_ERROR(CheckName(tree.name, tree.replace_name, UINT64_MAX));
  PutPlan plan(this, tree, request.session);
  RETURN_IF_ERROR(plan.Check());
  RETURN_IF_ERROR(plan.Allocate());
  return plan.Commit(request);
}

Result<Mutation> Store::Impl::PutPending(Request request, const Tree& tree,
                                         const Foreign& foreign) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  PutPlan plan(this, tree, request.session, &foreign);
  RETURN_IF_ERROR(plan.Check());
  RETURN_IF_ERROR(plan.Allocate());
  return plan.Commit(request);
}

Result<Mutation> Store::Impl::Lease(Request request, BlobKind kind, uint64_t value_size) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  RETURN_IF_ERROR(CheckKind(kind));
  if (value_size > options_.size_bytes) return OutOfMemory("create of a blob", value_size);
  if (next_counters_.next_id >= kMaxCounter) return Limit("this instance has used up its ids");
  Envelope envelope = EnvelopeOf(kind, value_size);
  // A blob lies in one segment, and a location can not address more.
  if (envelope.extent_size(value_size) > shm::kMaxExtent) {
    return Limit(
        Format("create of a blob of %llu bytes: the largest segment holds %llu; put it in "
               "several blobs",
               static_cast<unsigned long long>(value_size),
               static_cast<unsigned long long>(shm::kMaxExtent)));
  }
  RETURN_IF_ERROR(ReserveSlots(1));
  shm::SlotFields fields;
  fields.id = MakeId(true, state_->header().instance, next_counters_.next_id);
  fields.size = envelope.stored_size(value_size);
  fields.skip = envelope.skip();
  fields.before = envelope.before;
  fields.kind = static_cast<SlotKind>(kind);
  fields.owner = request.session;
  fields.type = static_cast<uint16_t>(TypeNumber::kBlob);
  if (fields.size > 0) {
    ASSIGN_OR_RETURN(fields.location,
                     Allocate(LeaseUse(), fields.skip + fields.size, 0, "create of a blob"));
  }
  uint32_t slot = TakeSlot();
  Batch batch(slots_.get());
  shm::SlotImage& image = batch.Edit(slot);
  image.fields = fields;
  image.word = shm::MakeWord(shm::GenerationOf(image.word), SlotState::kCreated);
  image.Seal();
  Mutation reply{fields.id, fields.location, 0};
  ++next_counters_.next_id;
  Status applied = Commit(batch, request, &reply);
  if (!applied.ok()) {
    --next_counters_.next_id;
    Free(fields);
    ReturnSlot(slot);
    return applied;
  }
  leases_.emplace(fields.id, slot);
  return reply;
}

Result<Mutation> Store::Impl::DropLease(Request request, ObjectId id) {
  ASSIGN_OR_RETURN(std::optional<Mutation> repeated, Repeated(request));
  if (repeated) return *repeated;
  auto lease = leases_.find(id);
  if (lease == leases_.end()) {
    return NotFound("blob " + PrintId(id) + ": it is not being written (any more)");
  }
  uint32_t slot = lease->second;
  shm::SlotImage before = slots_->Read(slot);
  if (before.fields.owner != request.session) {
    return Status(Code::kPermission, "blob " + PrintId(id) + ": another session writes it");
  }
  Batch batch(slots_.get());
  shm::SlotImage& image = batch.Edit(slot);
  image.word = shm::MakeWord(shm::GenerationOf(image.word) + 1, SlotState::kEmpty);
  Mutation reply{id, 0, 0};
  RETURN_IF_ERROR(Commit(batch, request, &reply));
  leases_.erase(id);
  Free(before.fields);
  ReturnSlot(slot);
  return reply;
}

void Store::Impl::DropLeaseSlot(uint32_t slot) {
  shm::SlotImage before = slots_->Read(slot);
  Batch batch(slots_.get());
  shm::SlotImage& image = batch.Edit(slot);
  image.word = shm::MakeWord(shm::GenerationOf(image.word) + 1, SlotState::kEmpty);
  CHECK(Commit(batch, Request{}, nullptr).ok());  // three lines: reserved from the start
  leases_.erase(before.fields.id);
  Free(before.fields);
  ReturnSlot(slot);
}

}  // namespace vineyard::store

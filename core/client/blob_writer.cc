#include "core/client/blob_writer.h"

#include "core/shm/os.h"
#include "core/shm/os_copy.h"

namespace vineyard::client {
namespace {

// What a writer of no bytes points to; nothing is ever written there.
alignas(kPayloadAlignment) char nothing[kPayloadAlignment];

Result<ObjectId> PutNode(Client* client, TreeNode node, uint16_t audience,
                         const Patience& patience) {
  Tree tree;
  tree.nodes.push_back(std::move(node));
  Request request(wire::MessageType::kPut);
  request.audience = audience;
  wire::EncodeTree(tree, &request.frame);
  ASSIGN_OR_RETURN(wire::MutationAnswer answer, client->Change(&request, patience));
  return answer.id;
}

}  // namespace

Result<std::shared_ptr<BlobWriter>> BlobWriter::Create(std::shared_ptr<Client> client,
                                                       uint64_t size, BlobKind kind,
                                                       const Sharing& sharing,
                                                       const Patience& patience) {
  if (EnvelopeOf(kind, size).extent_size(size) < size) {
    return Limit("blob: a size that can not be");
  }
  std::shared_ptr<BlobWriter> writer(new BlobWriter(std::move(client), kind, size));
  Status begun = writer->Begin(sharing, patience);
  if (begun.ok()) return writer;
  writer->Abandon(patience);
  return begun;
}

Status BlobWriter::Begin(const Sharing& sharing, const Patience& patience) {
  uint64_t location = 0;
  RETURN_IF_ERROR(TakeLease(patience, sharing, &location));
  Envelope envelope = EnvelopeOf(kind_, size_);
  uint64_t extent_size = envelope.extent_size(size_);
  if (extent_size == 0) {
    value_ = nothing;
    return OkStatus();
  }
  uint32_t segment = shm::SegmentOf(location);
  RETURN_IF_ERROR(client_->MapForWriting(session_, segment, patience, &memory_));
  if (memory_ == nullptr) {
    extent_ = session_->WritableAt(location, extent_size, &memory_);
  } else if (memory_->size() >= extent_size && shm::OffsetOf(location) == 0) {
    extent_ = memory_->data();
  }
  if (extent_ == nullptr) {
    return Protocol("lease: the daemon named memory that its segment has not");
  }
  value_ = extent_ + envelope.skip() + envelope.before;
  return OkStatus();
}

// A request may find the daemon replaced and start another session, and then a lease is that one's: what
// the answer says is only read in the session that was there before and after it.
Status BlobWriter::TakeLease(const Patience& patience, const Sharing& sharing, uint64_t* location) {
  do {
    ASSIGN_OR_RETURN(Session * session, client_->SessionFor(sharing, patience));
    wire::Lease lease;
    lease.kind = kind_;
    lease.value_size = size_;
    Request request(wire::MessageType::kLease, lease);
    request.audience = session->audience().number;
    Reply reply;
    RETURN_IF_ERROR(client_->Call(&request, patience, &reply));
    ASSIGN_OR_RETURN(wire::LeaseAnswer answer, wire::LeaseAnswer::Decode(reply.answer));
    session->AddWriter(answer.id);
    // After AddWriter: a client that is closed from here on drops this lease, too.
    if (client_->IsCurrent(session)) {
      session_ = session;
      id_ = answer.id;
      *location = answer.location;
      state_ = State::kOpen;
      return OkStatus();
    }
    session->RemoveWriter(answer.id);
    (void)client_->DropLease(answer.id, session->audience().number, patience);
  } while (!patience.deadline.passed());
  return {Code::kTimeout, "create of a blob: the daemon is being replaced again and again"};
}

BlobWriter::~BlobWriter() {
  bool is_mine = MayRead() && !IsInherited(stamp_) && !client_->is_closed();
  if (is_mine) Abandon(client_->PatienceOf());
  if (session_ != nullptr) session_->RemoveWriter(id_);
  // In a child other maps may lie there.
  if (IsInherited(stamp_)) new Session::Memory(std::move(memory_));
}

Status BlobWriter::CheckOpen() const {
  if (!MayRead() || IsInherited(stamp_)) {
    return {Code::kForked, "blob writer: it belongs to the parent process"};
  }
  if (state_ == State::kSealed) return {Code::kSealed, "blob writer: it is sealed already"};
  if (client_->is_closed()) return Invalid("blob writer: its client is closed");
  if (state_ == State::kAborted) return Invalid("blob writer: it was aborted");
  if (is_given_) {
    return Invalid(
        "blob writer: a put that was to share it with others failed, and nothing more can be "
        "written; create the blob anew");
  }
  return OkStatus();
}

Status BlobWriter::Shrink(uint64_t size) {
  RETURN_IF_ERROR(CheckOpen());
  if (size > size_) {
    return Invalid(Format("blob writer: shrink to %llu bytes, it has %llu",
                          static_cast<unsigned long long>(size),
                          static_cast<unsigned long long>(size_)));
  }
  // The value window stays where it is: envelopes end at the same multiple of 64.
  size_ = size;
  return OkStatus();
}

Result<TreeNode> BlobWriter::Prepare() {
  RETURN_IF_ERROR(CheckOpen());
  Envelope envelope = EnvelopeOf(kind_, size_);
  if (extent_ != nullptr) WriteEnvelope(kind_, size_, value_ - envelope.before);
  TreeNode node;
  node.type = TreeNode::Type::kLeasedBlob;
  node.kind = kind_;
  node.lease = id_;
  node.value_size = size_;
  if (client_->WantsChecksum(size_)) {
    node.checksum = shm::MakeChecksum(shm::Crc32c(value_, size_));
  }
  if (extent_ != nullptr && session_->audience().is_shared) {
    // The daemon shares only what nobody has mapped for writing. What this writer has given out stays memory.
    if (!memory_->Detach()) return Status(Code::kHostMemory, "blob writer: no memory in its place");
    is_given_ = true;
  }
  return node;
}

Status BlobWriter::Seal(const Patience& patience) {
  ASSIGN_OR_RETURN(TreeNode node, Prepare());
  uint16_t audience = session_->audience().number;
  RETURN_IF_ERROR(PutNode(client_.get(), std::move(node), audience, patience).status());
  MarkSealed();
  return OkStatus();
}

Status BlobWriter::Abort() {
  if (state_ == State::kAborted && !IsInherited(stamp_)) return OkStatus();
  if (!is_given_ || state_ == State::kSealed) RETURN_IF_ERROR(CheckOpen());
  return Drop(client_->PatienceOf());
}

void BlobWriter::MarkSealed() {
  state_ = State::kSealed;
  session_->RemoveWriter(id_);
}

void BlobWriter::Abandon(const Patience& patience) {
  if (state_ == State::kOpen) (void)Drop(patience);
}

Status BlobWriter::Drop(const Patience& patience) {
  state_ = State::kAborted;
  session_->RemoveWriter(id_);
  return client_->DropLease(id_, session_->audience().number, patience);
}

Result<ObjectId> PutBlob(const std::shared_ptr<Client>& client, std::string_view bytes,
                         BlobKind kind) {
  client->AddCopied(bytes.size());
  Patience patience = client->PatienceOf();
  if (bytes.size() <= kMaxInlinePayload) {
    TreeNode node;
    node.type = TreeNode::Type::kInlineBlob;
    node.kind = kind;
    node.bytes = bytes;
    ASSIGN_OR_RETURN(Session * session, client->SessionFor({}, patience));
    return PutNode(client.get(), std::move(node), session->audience().number, patience);
  }
  ASSIGN_OR_RETURN(std::shared_ptr<BlobWriter> writer,
                   BlobWriter::Create(client, bytes.size(), kind, {}, patience));
  int64_t began_ns = MonotonicNs();
  shm::CopyPayload(writer->memory(), bytes.data(), bytes.size());
  patience.DiscountSince(began_ns);
  Status sealed = writer->Seal(patience);
  if (sealed.ok()) return writer->id();
  writer->Abandon(patience);
  return sealed;
}

void CopyBytes(void* destination, const void* source, uint64_t size) {
  shm::CopyPayload(destination, source, size);
}

}  // namespace vineyard::client

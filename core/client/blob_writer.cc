#include "core/client/blob_writer.h"

#include "core/object/tree.h"
#include "core/shm/os_copy.h"

namespace vineyard::client {
namespace {

// What a writer of no bytes points to; nothing is ever written there.
alignas(kPayloadAlignment) char nothing[kPayloadAlignment];

Result<ObjectId> PutNode(Client* client, TreeNode node) {
  Tree tree;
  tree.nodes.push_back(std::move(node));
  Request request(wire::MessageType::kPut);
  wire::EncodeTree(tree, &request.frame);
  ASSIGN_OR_RETURN(wire::MutationAnswer answer, client->Change(&request));
  return answer.id;
}

TreeNode LeasedNode(const BlobWriter& writer) {
  TreeNode node;
  node.type = TreeNode::Type::kLeasedBlob;
  node.kind = writer.kind();
  node.lease = writer.id();
  node.value_size = writer.size();
  return node;
}

}  // namespace

Result<std::shared_ptr<BlobWriter>> BlobWriter::Create(std::shared_ptr<Client> client,
                                                       uint64_t size, BlobKind kind) {
  Patience patience = client->PatienceOf();
  ASSIGN_OR_RETURN(Session * session, client->EnsureSession(patience));
  std::shared_ptr<BlobWriter> writer(new BlobWriter(client, session));
  session->AddWriter();
  writer->state_ = State::kAborted;  // until there is a lease
  writer->stamp_ = StampOf(ForkEpoch());
  writer->kind_ = kind;
  writer->size_ = size;
  wire::Lease lease;
  lease.kind = kind;
  lease.value_size = size;
  Request request(wire::MessageType::kLease, lease);
  Reply reply;
  RETURN_IF_ERROR(client->Call(&request, patience, &reply));
  ASSIGN_OR_RETURN(wire::LeaseAnswer answer, wire::LeaseAnswer::Decode(reply.answer));
  writer->id_ = answer.id;
  writer->state_ = State::kOpen;
  client->LeaseOpened(answer.id);

  Envelope envelope = EnvelopeOf(kind, size);
  uint64_t extent_size = envelope.extent_size(size);
  if (extent_size < size) return Limit("blob: a size that can not be");
  if (extent_size == 0) {
    writer->value_ = nothing;
    return writer;
  }
  RETURN_IF_ERROR(client->EnsureSegment(session, shm::SegmentOf(answer.location),
                                        /*writable=*/true, patience));
  writer->extent_ = session->WritableAt(answer.location, extent_size);
  if (writer->extent_ == nullptr) {
    return Protocol("lease: the daemon named memory that its segment has not");
  }
  writer->value_ = writer->extent_ + envelope.skip() + envelope.before;
  return writer;
}

BlobWriter::~BlobWriter() {
  if (state_ == State::kOpen && CheckOpen().ok()) (void)Drop();
  session_->RemoveWriter();
}

Status BlobWriter::CheckOpen() const {
  if (!MayRead() || IsInherited(stamp_)) {
    return {Code::kForked, "blob writer: it belongs to the parent process"};
  }
  if (state_ == State::kSealed) return {Code::kSealed, "blob writer: it is sealed already"};
  if (state_ == State::kAborted) return Invalid("blob writer: it was aborted");
  if (client_->is_closed()) return Invalid("blob writer: its client is closed");
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

Status BlobWriter::Prepare() {
  RETURN_IF_ERROR(CheckOpen());
  Envelope envelope = EnvelopeOf(kind_, size_);
  if (extent_ != nullptr) WriteEnvelope(kind_, size_, value_ - envelope.before);
  return OkStatus();
}

Status BlobWriter::Seal() {
  RETURN_IF_ERROR(Prepare());
  RETURN_IF_ERROR(PutNode(client_.get(), LeasedNode(*this)).status());
  MarkSealed();
  return OkStatus();
}

Status BlobWriter::Abort() {
  if (state_ == State::kAborted && !IsInherited(stamp_)) return OkStatus();
  RETURN_IF_ERROR(CheckOpen());
  return Drop();
}

Status BlobWriter::Drop() {
  state_ = State::kAborted;
  return client_->DropLease(id_);
}

void BlobWriter::MarkSealed() {
  state_ = State::kSealed;
  client_->LeaseClosed(id_);
}

Result<ObjectId> PutBlob(const std::shared_ptr<Client>& client, std::string_view bytes,
                         BlobKind kind) {
  client->AddCopied(bytes.size());
  if (bytes.size() <= kMaxInlinePayload) {
    TreeNode node;
    node.type = TreeNode::Type::kInlineBlob;
    node.kind = kind;
    node.bytes = bytes;
    return PutNode(client.get(), std::move(node));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<BlobWriter> writer,
                   BlobWriter::Create(client, bytes.size(), kind));
  shm::CopyPayload(writer->data(), bytes.data(), bytes.size());
  RETURN_IF_ERROR(writer->Seal());
  return writer->id();
}

void CopyBytes(void* destination, const void* source, uint64_t size) {
  shm::CopyPayload(destination, source, size);
}

}  // namespace vineyard::client

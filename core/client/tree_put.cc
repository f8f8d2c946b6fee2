#include "core/client/tree_put.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "core/object/record.h"
#include "core/object/tree.h"
#include "core/object/types.h"
#include "core/shm/os_copy.h"

namespace vineyard::client {
namespace {

constexpr uint32_t kMaxLevels = 64;
// Payloads that travel in one message, together: the daemon copies them while it does nothing else.
constexpr uint64_t kMaxInlineTogether = 16 * kMiB;
// A payload up to this size travels in the message all the same, for a lease takes longer; as many as
// leave room for metadata.
constexpr uint64_t kSmall = 4 * kKiB;
constexpr uint64_t kMaxSmallTogether = 48 * kMiB;
// What a leased node takes in the message, at most.
constexpr uint64_t kLeasedNode = 41;

// One put: the tree's nodes, members before parents.
class TreePut {
 public:
  TreePut(const std::shared_ptr<Client>& client, const Sharing& sharing)
      : client_(client), sharing_(sharing), patience_(client->PatienceOf()) {}
  ~TreePut() {
    for (const auto& writer : own_) writer->Abandon(patience_);
  }
  TreePut(const TreePut&) = delete;
  TreePut& operator=(const TreePut&) = delete;

  Status Run(const std::shared_ptr<MetaBuilder>& root, const PutOptions& options, ObjectId* id);

 private:
  struct Place {
    uint64_t node = 0;
    uint32_t height = 1;  // levels below and with it
  };

  Result<Place> AddBuilder(MetaBuilder* builder, uint32_t level);
  Result<uint64_t> AddBytes(const MetaBuilder::Bytes& bytes);
  Result<std::shared_ptr<BlobWriter>> Copy(const void* data, uint64_t size, BlobKind kind);
  Result<uint64_t> AddWriter(const std::shared_ptr<BlobWriter>& writer);
  uint64_t AddNode(TreeNode node);
  Status MoveOut(uint64_t excess);
  void Succeeded(const wire::MutationAnswer& answer);

  const std::shared_ptr<Client>& client_;
  const Sharing sharing_;
  Patience patience_;
  Session* session_ = nullptr;  // in whose store it is put
  Tree tree_;
  std::unordered_map<const void*, Place> places_;  // of builders and writers
  std::vector<std::pair<MetaBuilder*, uint64_t>> builders_;
  std::vector<std::shared_ptr<BlobWriter>> writers_;  // the callers' and our own
  std::vector<std::shared_ptr<BlobWriter>> own_;
  std::vector<std::unique_ptr<std::string>> fields_;  // what nodes point to
  uint64_t inline_bytes_ = 0, metadata_bytes_ = 0;
};

// What is too much for one message goes into leases, as large payloads do.
Status TreePut::MoveOut(uint64_t excess) {
  for (TreeNode& node : tree_.nodes) {
    if (excess == 0) return OkStatus();
    if (node.type != TreeNode::Type::kInlineBlob || node.bytes.size() <= 2 * kLeasedNode) continue;
    ASSIGN_OR_RETURN(std::shared_ptr<BlobWriter> writer,
                     Copy(node.bytes.data(), node.bytes.size(), node.kind));
    excess -= std::min<uint64_t>(excess, node.bytes.size() - kLeasedNode);
    ASSIGN_OR_RETURN(node, writer->Prepare());
    writers_.push_back(writer);
  }
  return OkStatus();
}

uint64_t TreePut::AddNode(TreeNode node) {
  tree_.nodes.push_back(std::move(node));
  return tree_.nodes.size() - 1;
}

Result<uint64_t> TreePut::AddBytes(const MetaBuilder::Bytes& bytes) {
  client_->AddCopied(bytes.size);
  uint64_t room = bytes.size <= kSmall ? kMaxSmallTogether : kMaxInlineTogether;
  bool fits = inline_bytes_ + bytes.size <= room;
  if (bytes.size <= kMaxInlinePayload && fits) {
    inline_bytes_ += bytes.size;
    TreeNode node;
    node.type = TreeNode::Type::kInlineBlob;
    node.kind = bytes.kind;
    node.bytes = {static_cast<const char*>(bytes.data), bytes.size};
    return AddNode(std::move(node));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<BlobWriter> writer, Copy(bytes.data, bytes.size, bytes.kind));
  return AddWriter(writer);
}

Result<std::shared_ptr<BlobWriter>> TreePut::Copy(const void* data, uint64_t size, BlobKind kind) {
  ASSIGN_OR_RETURN(std::shared_ptr<BlobWriter> writer,
                   BlobWriter::Create(client_, size, kind, sharing_, patience_));
  own_.push_back(writer);
  int64_t began_ns = MonotonicNs();
  shm::CopyPayload(writer->memory(), data, size);
  patience_.DiscountSince(began_ns);
  return writer;
}

Result<uint64_t> TreePut::AddWriter(const std::shared_ptr<BlobWriter>& writer) {
  auto [place, is_new] = places_.try_emplace(writer.get());
  if (!is_new) return place->second.node;
  if (writer->session() != nullptr && writer->session() != session_ &&
      client_->IsCurrent(writer->session())) {
    return Invalid("put: the blob " + PrintId(writer->id()) +
                   " was created to be shared with others than the object is; create it with the "
                   "same share");
  }
  ASSIGN_OR_RETURN(TreeNode node, writer->Prepare());
  writers_.push_back(writer);
  return place->second.node = AddNode(std::move(node));
}

Result<TreePut::Place> TreePut::AddBuilder(MetaBuilder* builder, uint32_t level) {
  auto known = places_.find(builder);
  if (known != places_.end()) return known->second;
  if (level > kMaxLevels) return Limit(Format("put: a tree of more than %u levels", kMaxLevels));
  Place place;
  if (builder->is_blob()) {
    ASSIGN_OR_RETURN(place.node, AddBytes(builder->bytes()));
  } else {
    TreeNode node;
    node.type_name = builder->type_name();
    node.members.reserve(builder->members().size());
    metadata_bytes_ += builder->type_name().size();
    for (const MetaBuilder::Member& member : builder->members()) {
      TreeMember link;
      link.name = member.name;
      metadata_bytes_ += member.name.size() + sizeof(ObjectId);
      if (member.meta != nullptr && member.meta->id() == kInvalidId) {
        ASSIGN_OR_RETURN(Place below, AddBuilder(member.meta.get(), level + 1));
        link.local = true;
        link.ref = below.node;
        place.height = std::max(place.height, below.height + 1);
      } else if (member.writer != nullptr) {
        ASSIGN_OR_RETURN(link.ref, AddWriter(member.writer));
        link.local = true;
      } else if (member.meta != nullptr || member.id != kInvalidId) {
        link.ref = member.meta != nullptr ? member.meta->id() : member.id;
        RETURN_IF_ERROR(client_->WhyNoMember(*session_, member.name, link.ref));
      } else {
        ASSIGN_OR_RETURN(link.ref, AddBytes(member.bytes));
        link.local = true;
      }
      node.members.push_back(link);
    }
    fields_.push_back(std::make_unique<std::string>(builder->PackedFields()));
    metadata_bytes_ += fields_.back()->size();
    node.fields = *fields_.back();
    place.node = AddNode(std::move(node));
  }
  // A subtree that was met higher up may be too high for this place.
  if (level - 1 + place.height > kMaxLevels) {
    return Limit(Format("put: a tree of more than %u levels", kMaxLevels));
  }
  if (metadata_bytes_ > kMaxRecord) {
    return Limit(Format("put: more than %llu bytes of metadata",
                        static_cast<unsigned long long>(kMaxRecord)));
  }
  places_[builder] = place;
  builders_.emplace_back(builder, place.node);
  return place;
}

void TreePut::Succeeded(const wire::MutationAnswer& answer) {
  for (const auto& writer : writers_) writer->MarkSealed();
  for (auto [builder, index] : builders_) {
    const TreeNode& node = tree_.nodes[index];
    bool leased = node.type == TreeNode::Type::kLeasedBlob;
    builder->set_id(leased
                        ? node.lease
                        : MakeId(builder->is_blob(), InstanceOf(answer.id), answer.value + index));
  }
}

Status TreePut::Run(const std::shared_ptr<MetaBuilder>& root, const PutOptions& options,
                    ObjectId* id) {
  if (root->id() != kInvalidId) return Invalid("put: the builder was put already");
  if (!options.name.empty()) RETURN_IF_ERROR(CheckText("name", options.name, kMaxName));
  ASSIGN_OR_RETURN(session_, client_->SessionFor(sharing_, patience_));
  RETURN_IF_ERROR(AddBuilder(root.get(), 1).status());
  tree_.name = options.name;
  tree_.replace_name = options.replace;
  auto pack = [this] {
    Request request(wire::MessageType::kPut);
    request.audience = session_->audience().number;
    wire::EncodeTree(tree_, &request.frame);
    return request;
  };
  Request request = pack();
  uint64_t body = request.frame.size() - sizeof(wire::FrameHeader);
  if (body > wire::kMaxBody) {
    RETURN_IF_ERROR(MoveOut(body - wire::kMaxBody));
    request = pack();
  }
  ASSIGN_OR_RETURN(wire::MutationAnswer answer, client_->Change(&request, patience_));
  Succeeded(answer);
  *id = answer.id;
  return options.persist ? client_->Persist({answer.id}, patience_) : OkStatus();
}

}  // namespace

Status PutTree(const std::shared_ptr<Client>& client, const std::shared_ptr<MetaBuilder>& root,
               const PutOptions& options, ObjectId* id) {
  return TreePut(client, options.sharing).Run(root, options, id);
}

}  // namespace vineyard::client

// The messages that change something; the others are in messages.cc.
#include "core/object/pack.h"
#include "core/object/record.h"
#include "core/wire/fields.h"
#include "core/wire/messages.h"

namespace vineyard::wire {

void Lease::Encode(std::string* out) const {
  Packer(out).Array(2).Uint(static_cast<uint8_t>(kind)).Uint(value_size);
}

namespace {
void ReadKind(Fields* fields, BlobKind* kind) {
  uint64_t number = 0;
  fields->Uint("kind", &number);
  if (number < static_cast<uint64_t>(BlobKind::kBuffer) ||
      number > static_cast<uint64_t>(BlobKind::kByteArray)) {
    fields->Fail(Invalid(
        Format("blob: kind %llu: it is not known", static_cast<unsigned long long>(number))));
    return;
  }
  *kind = static_cast<BlobKind>(number);
}
}  // namespace

Result<Lease> Lease::Decode(const Value& body) {
  Lease lease;
  Fields fields("lease", body);
  ReadKind(&fields, &lease.kind);
  fields.Uint("size", &lease.value_size);
  return Finish(fields, std::move(lease));
}

void LeaseAnswer::Encode(std::string* out) const { Succeeded(out, 2).Uint(id).Uint(location); }

Result<LeaseAnswer> LeaseAnswer::Decode(const Answer& answer) {
  LeaseAnswer lease;
  Fields fields("lease", answer);
  fields.Uint("id", &lease.id).Uint("location", &lease.location);
  return Finish(fields, std::move(lease));
}

void DropLease::Encode(std::string* out) const { Packer(out).Array(1).Uint(id); }

Result<DropLease> DropLease::Decode(const Value& body) {
  DropLease drop;
  Fields fields("drop lease", body);
  fields.Uint("id", &drop.id);
  return Finish(fields, std::move(drop));
}

void Evict::Encode(std::string* out) const { Packer(out).Array(1).Uint(id); }

Result<Evict> Evict::Decode(const Value& body) {
  Evict evict;
  Fields fields("evict", body);
  fields.Uint("id", &evict.id);
  return Finish(fields, std::move(evict));
}

// [nodes, name, replace]; a node is [0, kind, bytes], [1, lease, size, kind, checksum] or [2, type,
// members, fields]; members are name, reference, name, reference ..., a reference to node i of this tree is
// -1 - i.
void EncodeTree(const Tree& tree, std::string* out) {
  Packer packer(out);
  packer.Array(3).Array(tree.nodes.size());
  for (const TreeNode& node : tree.nodes) {
    uint64_t type = static_cast<uint64_t>(node.type);
    switch (node.type) {
      case TreeNode::Type::kInlineBlob:
        packer.Array(3).Uint(type).Uint(static_cast<uint8_t>(node.kind)).Bytes(node.bytes);
        break;
      case TreeNode::Type::kLeasedBlob:
        packer.Array(5).Uint(type).Uint(node.lease).Uint(node.value_size);
        packer.Uint(static_cast<uint8_t>(node.kind)).Uint(node.checksum);
        break;
      case TreeNode::Type::kObject:
        packer.Array(4).Uint(type).String(node.type_name).Array(2 * node.members.size());
        for (const TreeMember& member : node.members) {
          packer.String(member.name);
          if (member.local) {
            packer.Int(-1 - static_cast<int64_t>(member.ref));
          } else {
            packer.Uint(member.ref);
          }
        }
        packer.Bytes(node.fields);
        break;
    }
  }
  packer.String(tree.name).Bool(tree.replace_name);
}

namespace {

Status DecodeMembers(const Value& list, uint64_t index, std::vector<TreeMember>* members) {
  if (list.size % 2 != 0) return Protocol("put: members: expected pairs of name and reference");
  if (list.size / 2 > kMaxMembers) {
    return Limit(Format("put: an object of %llu members, at most %u are allowed",
                        static_cast<unsigned long long>(list.size / 2), kMaxMembers));
  }
  members->reserve(list.size / 2);
  for (uint64_t i = 0; i < list.size; i += 2) {
    const Value& name = list.as.items[i];
    const Value& reference = list.as.items[i + 1];
    TreeMember member;
    int64_t local = 0;
    if (!name.is(ValueType::kString)) return Bad("put", "name of a member", "text");
    member.name = name.text();
    if (reference.GetInt64(&local) && local < 0) {
      member.local = true;
      member.ref = static_cast<uint64_t>(-1 - local);
      if (member.ref >= index) {
        return Invalid(Format("put: node %llu: a member must stand before its parent",
                              static_cast<unsigned long long>(index)));
      }
    } else if (!reference.GetUint64(&member.ref)) {
      return Bad("put", "reference of a member", "an integer");
    }
    members->push_back(member);
  }
  return OkStatus();
}

Result<TreeNode> DecodeNode(const Value& value, uint64_t index) {
  TreeNode node;
  uint64_t type = 0;
  Fields fields("put", value);
  fields.Uint("type of a node", &type);
  if (!fields.status().ok()) return fields.status();
  switch (type) {
    case static_cast<uint64_t>(TreeNode::Type::kInlineBlob):
      ReadKind(&fields, &node.kind);
      fields.Bytes("bytes of a blob", &node.bytes);
      if (node.bytes.size() > kMaxInlinePayload) {
        fields.Fail(
            Limit(Format("put: %zu bytes in the message, at most %llu are allowed",
                         node.bytes.size(), static_cast<unsigned long long>(kMaxInlinePayload))));
      }
      break;
    case static_cast<uint64_t>(TreeNode::Type::kLeasedBlob):
      fields.Uint("lease", &node.lease).Uint("size of a blob", &node.value_size);
      ReadKind(&fields, &node.kind);
      if (fields.HasMore()) fields.Uint("checksum", &node.checksum);
      break;
    case static_cast<uint64_t>(TreeNode::Type::kObject): {
      fields.Text("type name", &node.type_name);
      const Value* members = fields.List("members");
      if (members != nullptr) RETURN_IF_ERROR(DecodeMembers(*members, index, &node.members));
      fields.Bytes("fields", &node.fields);
      break;
    }
    default:
      return Protocol(
          Format("put: type of a node: %llu is not known", static_cast<unsigned long long>(type)));
  }
  node.type = static_cast<TreeNode::Type>(type);
  return Finish(fields, std::move(node));
}

}  // namespace

Result<Tree> DecodeTree(const Value& body) {
  Tree tree;
  Fields fields("put", body);
  const Value* nodes = fields.List("nodes");
  fields.Text("name", &tree.name).Bool("replace", &tree.replace_name);
  if (!fields.status().ok()) return fields.status();
  if (nodes->size == 0) return Invalid("put: a tree without nodes");
  if (nodes->size > kMaxTreeNodes) {
    return Limit(Format("put: a tree of %llu nodes, at most %llu are allowed",
                        static_cast<unsigned long long>(nodes->size),
                        static_cast<unsigned long long>(kMaxTreeNodes)));
  }
  // Not reserved: a node is larger than the byte that a bad one may take in the message.
  for (uint64_t i = 0; i < nodes->size; ++i) {
    ASSIGN_OR_RETURN(TreeNode node, DecodeNode(nodes->as.items[i], i));
    tree.nodes.push_back(std::move(node));
  }
  return tree;
}

void MutationAnswer::Encode(std::string* out) const {
  Succeeded(out, 3).Uint(id).Uint(value).Uint(revision);
}

Result<MutationAnswer> MutationAnswer::Decode(const Answer& answer) {
  MutationAnswer mutation;
  Fields fields("answer", answer);
  fields.Uint("id", &mutation.id).Uint("value", &mutation.value);
  fields.Uint("revision", &mutation.revision);
  return Finish(fields, std::move(mutation));
}

void Delete::Encode(std::string* out) const {
  Packer packer(out);
  packer.Array(3);
  PackIds(ids, &packer);
  packer.Bool(force).Bool(deep);
}

Result<Delete> Delete::Decode(const Value& body) {
  Delete message;
  Fields fields("delete", body);
  fields.Ids("ids", &message.ids).Bool("force", &message.force).Bool("deep", &message.deep);
  return Finish(fields, std::move(message));
}

void PutName::Encode(std::string* out) const {
  Packer(out).Array(4).String(name).Uint(id).Bool(replace).Uint(expect);
}

Result<PutName> PutName::Decode(const Value& body) {
  PutName put;
  Fields fields("put name", body);
  fields.Text("name", &put.name).Uint("id", &put.id).Bool("replace", &put.replace);
  fields.Uint("expect", &put.expect);
  return Finish(fields, std::move(put));
}

void DropName::Encode(std::string* out) const { Packer(out).Array(2).String(name).Uint(expect); }

Result<DropName> DropName::Decode(const Value& body) {
  DropName drop;
  Fields fields("drop name", body);
  fields.Text("name", &drop.name).Uint("expect", &drop.expect);
  return Finish(fields, std::move(drop));
}

void SetLabels::Encode(std::string* out) const {
  Packer packer(out);
  packer.Array(2).Uint(id).Map(labels.size());
  for (const auto& [key, value] : labels) packer.String(key).String(value);
}

Result<SetLabels> SetLabels::Decode(const Value& body) {
  SetLabels set;
  Fields fields("labels", body);
  const Value* labels = fields.Uint("id", &set.id).Map("labels");
  for (uint64_t i = 0; labels != nullptr && i < labels->size; ++i) {
    const Value* pair = labels->as.items + 2 * i;
    if (!pair[1].is(ValueType::kString)) return Bad("labels", "value of a label", "text");
    set.labels.emplace_back(pair[0].text(), pair[1].text());
  }
  return Finish(fields, std::move(set));
}

void Persist::Encode(std::string* out) const {
  Packer packer(out);
  packer.Array(1);
  PackIds(ids, &packer);
}

Result<Persist> Persist::Decode(const Value& body) {
  Persist persist;
  Fields fields("persist", body);
  fields.Ids("ids", &persist.ids);
  return Finish(fields, std::move(persist));
}

}  // namespace vineyard::wire

#include "core/client/meta_builder.h"

#include <cstring>
#include <unordered_set>

#include "core/object/pack.h"
#include "core/object/types.h"
#include "core/shm/layout.h"

namespace vineyard::client {
namespace {

// A record nests a field's value in itself and in the map of fields.
constexpr uint32_t kMaxValueDepth = 60;

uint64_t Hash(std::string_view name) { return shm::HashName(name.data(), name.size()); }

}  // namespace

// ---- names -----------------------------------------------------------------------------------------

std::string_view NameSet::At(uint64_t offset) const {
  uint16_t size;
  std::memcpy(&size, names_.data() + offset, sizeof size);
  return {names_.data() + offset + sizeof size, size};
}

void NameSet::Grow() {
  std::vector<uint64_t> old = std::move(cells_);
  cells_.assign(old.empty() ? 16 : 2 * old.size(), 0);
  for (uint64_t cell : old) {
    if (cell == 0) continue;
    uint64_t i = Hash(At(cell - 1));
    while (cells_[i & (cells_.size() - 1)] != 0) ++i;
    cells_[i & (cells_.size() - 1)] = cell;
  }
}

// REQUIRES: name.size() < 65,536.
bool NameSet::Insert(std::string_view name) {
  if (2 * (count_ + 1) > cells_.size()) Grow();
  uint64_t i = Hash(name);
  for (; cells_[i & (cells_.size() - 1)] != 0; ++i) {
    if (At(cells_[i & (cells_.size() - 1)] - 1) == name) return false;
  }
  cells_[i & (cells_.size() - 1)] = names_.size() + 1;
  uint16_t size = static_cast<uint16_t>(name.size());
  names_.append(reinterpret_cast<const char*>(&size), sizeof size).append(name);
  ++count_;
  return true;
}

// ---- building --------------------------------------------------------------------------------------

Result<std::shared_ptr<MetaBuilder>> MetaBuilder::Create(std::string_view type_name) {
  RETURN_IF_ERROR(CheckText("type name", type_name, kMaxTypeName));
  auto builder = std::make_shared<MetaBuilder>();
  builder->type_name_ = type_name;
  return builder;
}

// What goes with this one waits in a list through the builders themselves: neither on the stack, which ends sooner
// than a tree must, nor in memory that would have to be got.
MetaBuilder::~MetaBuilder() {
  std::shared_ptr<MetaBuilder> doomed;
  TakeLastMembers(&doomed);
  while (doomed != nullptr) {
    std::shared_ptr<MetaBuilder> last = std::move(doomed);
    doomed = std::move(last->next_doomed_);
    last->TakeLastMembers(&doomed);
  }
}

// Those that nobody else holds. Each is let go here: one that is a member twice is the last the second time.
void MetaBuilder::TakeLastMembers(std::shared_ptr<MetaBuilder>* doomed) {
  for (Member& member : members_) {
    std::shared_ptr<MetaBuilder> meta = std::move(member.meta);
    if (meta == nullptr || meta.use_count() != 1) continue;
    meta->next_doomed_ = std::move(*doomed);
    *doomed = std::move(meta);
  }
}

std::shared_ptr<MetaBuilder> MetaBuilder::CreateBlob(Bytes bytes) {
  auto builder = std::make_shared<MetaBuilder>();
  builder->is_blob_ = true;
  builder->bytes_ = bytes;
  return builder;
}

Status MetaBuilder::CheckNewName(std::string_view name) {
  if (is_blob_) return Invalid("builder: a blob has neither fields nor members");
  if (id_ != kInvalidId) return Invalid("builder: it was put already");
  RETURN_IF_ERROR(CheckText("name of a field or member", name, kMaxKey));
  if (!names_.Insert(name)) {
    return {Code::kExists, "field or member '" + std::string(name) + "': it is there already"};
  }
  return OkStatus();
}

Status MetaBuilder::SetField(std::string_view name, const Value& value) {
  Status checked = CheckValue(value, kMaxDepth - kMaxValueDepth);
  if (!checked.ok()) {
    return {checked.code(), "field '" + std::string(name) + "': " + checked.text()};
  }
  RETURN_IF_ERROR(CheckNewName(name));
  Packer(&fields_).String(name).Any(value);
  ++field_count_;
  return OkStatus();
}

std::string MetaBuilder::PackedFields() const {
  std::string packed;
  packed.reserve(fields_.size() + 5);
  Packer(&packed).Map(field_count_).Raw(fields_);
  return packed;
}

Result<MetaBuilder::Member*> MetaBuilder::NewMember(std::string_view name) {
  RETURN_IF_ERROR(CheckNewName(name));
  Member& member = members_.emplace_back();
  member.name = name;
  return &member;
}

Status MetaBuilder::AddId(std::string_view name, ObjectId id) {
  if (id == kInvalidId) {
    return Invalid("member '" + std::string(name) + "': its id is the invalid id");
  }
  ASSIGN_OR_RETURN(Member * member, NewMember(name));
  member->id = id;
  return OkStatus();
}

Status MetaBuilder::AddMeta(std::string_view name, std::shared_ptr<MetaBuilder> added) {
  if (added.get() == this || (is_member_ && added->Reaches(this))) {
    return Invalid("member '" + std::string(name) + "': the object would contain itself");
  }
  ASSIGN_OR_RETURN(Member * member, NewMember(name));
  added->is_member_ = true;
  member->meta = std::move(added);
  return OkStatus();
}

bool MetaBuilder::Reaches(const MetaBuilder* other) const {
  std::vector<const MetaBuilder*> open = {this};
  std::unordered_set<const MetaBuilder*> seen = {this};
  while (!open.empty()) {
    const MetaBuilder* next = open.back();
    open.pop_back();
    for (const Member& member : next->members_) {
      if (member.meta.get() == other) return true;
      if (member.meta != nullptr && seen.insert(member.meta.get()).second) {
        open.push_back(member.meta.get());
      }
    }
  }
  return false;
}

Status MetaBuilder::AddBytes(std::string_view name, Bytes bytes) {
  ASSIGN_OR_RETURN(Member * member, NewMember(name));
  member->bytes = bytes;
  return OkStatus();
}

Status MetaBuilder::AddWriter(std::string_view name, std::shared_ptr<BlobWriter> writer) {
  ASSIGN_OR_RETURN(Member * member, NewMember(name));
  member->writer = std::move(writer);
  return OkStatus();
}

}  // namespace vineyard::client

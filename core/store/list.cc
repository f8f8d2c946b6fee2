// Lists by type: pages in the order of (type name, id).
#include <algorithm>
#include <iterator>

#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotKind;
using shm::SlotState;

std::string Store::Impl::TypeOf(const shm::SlotFields& fields) const {
  std::string_view known = TypeNameOf(static_cast<TypeNumber>(fields.type));
  if (!known.empty()) return std::string(known);
  auto record = DecodeRecord(StoredBytes(fields));
  return record.ok() ? std::string(record->type_name) : std::string();
}

TypeIndex& Store::Impl::types() {
  if (types_ready_) return types_;
  // After a restart: built when somebody asks, so that gets and puts need not wait for it.
  types_.Clear();
  std::vector<ObjectId>* by_number[64] = {};
  for (uint64_t i = 0; i < slots_->capacity(); ++i) {
    uint32_t slot = static_cast<uint32_t>(i);
    if (shm::StateOf(slots_->word(slot)) != SlotState::kSealed) continue;
    shm::SlotFields fields = slots_->Read(slot).fields;
    if (fields.kind > SlotKind::kObject) continue;
    std::string_view known = TypeNameOf(static_cast<TypeNumber>(fields.type));
    if (known.empty() || fields.type >= std::size(by_number)) {
      types_.Raw(TypeOf(fields))->push_back(fields.id);
      continue;
    }
    std::vector<ObjectId>*& ids = by_number[fields.type];
    if (ids == nullptr) ids = types_.Raw(known);
    ids->push_back(fields.id);
  }
  types_.Sort();
  types_ready_ = true;
  return types_;
}

std::vector<std::pair<std::string, uint64_t>> Store::Impl::ListTypes() {
  std::vector<std::pair<std::string, uint64_t>> list;
  for (const auto& [name, ids] : types().types()) list.emplace_back(name, ids.alive());
  return list;
}

Result<Page> Store::Impl::List(std::string_view type_glob, std::string_view after, uint64_t limit) {
  // The cursor is the printed id and the type name of the last object of the page before.
  if (limit == 0) return Invalid("list: a page of 0 objects");
  ObjectId last_id = kInvalidId;
  std::string_view last_type;
  if (!after.empty()) {
    ASSIGN_OR_RETURN(last_id, ParseId(after.substr(0, 17)));
    last_type = after.substr(17);
  }
  Page page;
  const std::string* page_type = nullptr;
  const auto& all = types().types();
  for (auto type = all.lower_bound(last_type); type != all.end(); ++type) {
    if (!TypeMatches(type->first, type_glob)) continue;
    const std::vector<ObjectId>& ids = type->second.ids;
    auto at =
        type->first == last_type ? std::upper_bound(ids.begin(), ids.end(), last_id) : ids.begin();
    for (; at != ids.end(); ++at) {
      if (!FindSealed(*at)) continue;
      if (page.ids.size() == limit) {
        page.cursor = PrintId(page.ids.back()) + *page_type;
        return page;
      }
      page.ids.push_back(*at);
      page_type = &type->first;
    }
  }
  return page;
}

}  // namespace vineyard::store

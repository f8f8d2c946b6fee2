// Lists: objects in the order of (type name, id), types and names in that of their text; in pages that
// one request may cost.
#include <algorithm>
#include <iterator>

#include "core/base/bytes.h"
#include "core/store/store_impl.h"

namespace vineyard::store {

using shm::SlotKind;

namespace {
constexpr uint64_t kPageBytes = 2 * kMiB;  // of text, in one answer
// Steps of matching patterns in one request: some tens of milliseconds.
constexpr uint64_t kPageSteps = 10'000'000;
}  // namespace

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
    if (!IsPresent(slots_->word(slot))) continue;
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

TypePage Store::Impl::ListTypes(std::string_view after) {
  TypePage page;
  const auto& all = types().types();
  uint64_t bytes = 0;
  for (auto type = after.empty() ? all.begin() : all.upper_bound(after); type != all.end();
       ++type) {
    if (bytes > kPageBytes) {
      page.cursor = page.types.back().first;
      return page;
    }
    bytes += type->first.size() + 16;
    page.types.emplace_back(type->first, type->second.alive());
  }
  return page;
}

NamePage Store::Impl::ListNames(std::string_view glob, std::string_view after,
                                uint64_t limit) const {
  NamePage page;
  // What matches begins with what the pattern begins with.
  std::string_view prefix = glob.substr(0, glob.find_first_of("*?[\\"));
  auto at = after < prefix ? names_.lower_bound(prefix) : names_.upper_bound(after);
  uint64_t bytes = 0, steps = 0;
  std::string_view last;
  for (; at != names_.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
    if (page.names.size() == limit || bytes > kPageBytes || steps > kPageSteps) {
      page.cursor = last;
      break;
    }
    last = at->first;
    if (!GlobMatches(glob, at->first, &steps)) continue;
    bytes += at->first.size() + 32;
    page.names.push_back(DescribeName(at->second));
  }
  return page;
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
  const auto& all = types().types();
  for (auto type = all.lower_bound(last_type); type != all.end(); ++type) {
    if (!TypeMatches(type->first, type_glob)) continue;
    const std::vector<ObjectId>& ids = type->second.ids;
    auto at =
        type->first == last_type ? std::upper_bound(ids.begin(), ids.end(), last_id) : ids.begin();
    for (; at != ids.end(); ++at) {
      auto slot = FindPresent(*at);
      if (!slot || (slots_->Read(*slot).fields.flags & shm::kPending) != 0) continue;
      if (page.objects.size() == limit) {
        page.cursor = PrintId(page.objects.back().second) + page.objects.back().first;
        return page;
      }
      page.objects.emplace_back(type->first, *at);
    }
  }
  return page;
}

}  // namespace vineyard::store

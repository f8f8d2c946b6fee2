// This file is the only place that keeps many ids in order: in blocks, so that one takes little more than its 8
// bytes, and a change moves a block and not all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/object/ids.h"

namespace vineyard::meta {

class SortedIds {
 public:
  // REQUIRES: it is not there.
  void Insert(ObjectId id) {
    if (blocks_.empty()) return blocks_.push_back({id});
    size_t block = BlockOf(id);
    if (blocks_[block].size() == kBlock) block = MakeRoom(block, id);
    std::vector<ObjectId>& ids = blocks_[block];
    ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id);
  }

  // REQUIRES: it is there.
  void Erase(ObjectId id) {
    size_t block = BlockOf(id);
    std::vector<ObjectId>& ids = blocks_[block];
    ids.erase(std::lower_bound(ids.begin(), ids.end(), id));
    if (ids.empty()) blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(block));
  }

  // Those behind `after`, in order, until `visit` returns false; that is then returned.
  template <typename Visit>
  bool VisitAfter(ObjectId after, Visit visit) const {
    if (blocks_.empty()) return true;
    for (size_t block = BlockOf(after); block < blocks_.size(); ++block) {
      const std::vector<ObjectId>& ids = blocks_[block];
      for (auto at = std::upper_bound(ids.begin(), ids.end(), after); at != ids.end(); ++at) {
        if (!visit(*at)) return false;
      }
    }
    return true;
  }

 private:
  static constexpr size_t kBlock = 512;

  // The last that begins at or before this id; the first, if none does.
  size_t BlockOf(ObjectId id) const {
    auto behind = std::upper_bound(
        blocks_.begin(), blocks_.end(), id,
        [](ObjectId wanted, const std::vector<ObjectId>& ids) { return wanted < ids.front(); });
    return behind == blocks_.begin() ? 0 : static_cast<size_t>(behind - blocks_.begin()) - 1;
  }

  // Divides a full block; the one for this id. What grows at its end leaves full blocks behind.
  size_t MakeRoom(size_t block, ObjectId id) {
    std::vector<ObjectId> upper;
    if (id < blocks_[block].back()) {
      std::vector<ObjectId>& lower = blocks_[block];
      upper.assign(lower.begin() + kBlock / 2, lower.end());
      lower.resize(kBlock / 2);
    } else {
      upper.reserve(8);
    }
    bool is_upper = upper.empty() || upper.front() < id;
    blocks_.insert(blocks_.begin() + static_cast<ptrdiff_t>(block) + 1, std::move(upper));
    return is_upper ? block + 1 : block;
  }

  std::vector<std::vector<ObjectId>> blocks_;  // ascending, none empty but while one is filled
};

}  // namespace vineyard::meta

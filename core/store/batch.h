// This file is the only place where a change is put together: the slots it touches, each as it will
// be. Nothing is visible before Store::Impl::Commit has applied it.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "core/shm/slot_table.h"

namespace vineyard::store {

class Batch {
 public:
  explicit Batch(const shm::SlotTable* table) : table_(table) {}

  // The slot as this change leaves it; to be edited. The reference stays valid. Slots are put in
  // place in the order of their first Edit.
  shm::SlotImage& Edit(uint32_t slot) {
    auto [found, is_new] = index_.try_emplace(slot, entries_.size());
    if (is_new) entries_.push_back({slot, table_->Read(slot)});
    return entries_[found->second].image;
  }

  size_t size() const { return entries_.size(); }
  void AppendLines(std::vector<shm::CommitLine>* lines) const {
    for (const Entry& entry : entries_) lines->push_back(entry.image.Line(entry.slot));
  }

  // Slots that this change makes DELETING: to be freed, or deferred, once it is applied.
  std::vector<uint32_t> doomed;

 private:
  struct Entry {
    uint32_t slot;
    shm::SlotImage image;
  };
  const shm::SlotTable* table_;
  std::deque<Entry> entries_;
  std::unordered_map<uint32_t, size_t> index_;
};

}  // namespace vineyard::store

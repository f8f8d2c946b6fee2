#include "daemon/holds.h"

namespace vineyard::daemon {
namespace {
constexpr int64_t kLongestNs = 1'000'000'000;
}  // namespace

void Holds::Hold(uint64_t session, uint32_t slot, int64_t now_ns) {
  store_->Hold(slot);
  held_[session].push_back({slot, now_ns});
}

void Holds::Release(uint64_t session) {
  auto found = held_.find(session);
  if (found == held_.end()) return;
  for (const Held& held : found->second) store_->Unhold(held.slot);
  held_.erase(found);
}

void Holds::Expire(int64_t now_ns) {
  for (auto at = held_.begin(); at != held_.end();) {
    std::vector<Held>& list = at->second;
    size_t kept = 0;
    for (const Held& held : list) {
      if (now_ns - held.since_ns < kLongestNs) {
        list[kept++] = held;
      } else {
        store_->Unhold(held.slot);
      }
    }
    list.resize(kept);
    at = list.empty() ? held_.erase(at) : std::next(at);
  }
}

}  // namespace vineyard::daemon

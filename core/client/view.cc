#include "core/client/view.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

namespace vineyard::client {
namespace {

struct DeferredPin {
  uint32_t stamp;
  Session* session;
  uint64_t slot;
  bool operator<(const DeferredPin& other) const { return stamp < other.stamp; }
};

// What threads do not keep for themselves. Guarded by ProcessMutex(), never destroyed.
struct Pool final : ForkListener {
  View* head = nullptr;
  std::vector<std::unique_ptr<View[]>> slabs;
  // A heap, the highest stamp first: what becomes free is in front of what stays held.
  std::vector<DeferredPin> deferred;

  // They are the parent's to give back.
  void AfterForkInChild() override { deferred.clear(); }
};

Pool& ThePool() {
  static Pool* pool = [] {
    auto* made = new Pool;
    AddForkListener(made);
    return made;
  }();
  return *pool;
}

// relaxed: a hint that saves a lock; whoever defers a pin looks for gone children itself.
std::atomic<bool> any_deferred{false};

// Takes the thread's views back when it ends.
struct ThreadEnd {
  bool armed = false;
  ~ThreadEnd() {
    std::lock_guard lock(ProcessMutex());
    while (view_cache.head != nullptr) {
      View* view = view_cache.head;
      view_cache.head = view->next;
      view->next = ThePool().head;
      ThePool().head = view;
    }
    view_cache.count = 0;
  }
};
thread_local ThreadEnd thread_end;

std::vector<DeferredPin> TakeFreeDeferred() {
  std::vector<DeferredPin> free;
  std::lock_guard lock(ProcessMutex());
  std::vector<DeferredPin>& deferred = ThePool().deferred;
  uint32_t held = HeldByChildren();
  while (!deferred.empty() && deferred.front().stamp > held) {
    free.push_back(deferred.front());
    std::pop_heap(deferred.begin(), deferred.end());
    deferred.pop_back();
  }
  any_deferred.store(!deferred.empty(), std::memory_order_relaxed);
  return free;
}

}  // namespace

thread_local constinit ViewCache view_cache VINEYARD_TLS_MODEL = {nullptr, 0};

View* NewViewSlow() {
  thread_end.armed = true;  // the first use registers its destructor
  ViewCache& cache = view_cache;
  std::lock_guard lock(ProcessMutex());
  Pool& pool = ThePool();
  if (pool.head == nullptr) {
    pool.slabs.push_back(std::make_unique<View[]>(kViewBatch));
    View* slab = pool.slabs.back().get();
    for (uint32_t i = 0; i < kViewBatch; ++i) {
      slab[i].next = pool.head;
      pool.head = &slab[i];
    }
  }
  for (uint32_t i = 0; i < kViewBatch && pool.head != nullptr; ++i) {
    View* view = pool.head;
    pool.head = view->next;
    view->next = cache.head;
    cache.head = view;
    ++cache.count;
  }
  View* view = cache.head;
  cache.head = view->next;
  --cache.count;
  return view;
}

void FreeViewsSlow() {
  ViewCache& cache = view_cache;
  std::lock_guard lock(ProcessMutex());
  while (cache.count > 2 * kViewBatch) {
    View* view = cache.head;
    cache.head = view->next;
    --cache.count;
    view->next = ThePool().head;
    ThePool().head = view;
  }
}

void ReleaseViewSlow(View* view) {
  DeferredPin pin = {view->stamp, view->session, view->slot};
  uint32_t epoch = ForkEpoch();
  FreeView(view);
  if (pin.session == nullptr || epoch == kForkedUnseen || IsInherited(pin.stamp)) return;
  {
    std::lock_guard lock(ProcessMutex());
    std::vector<DeferredPin>& deferred = ThePool().deferred;
    deferred.push_back(pin);
    std::push_heap(deferred.begin(), deferred.end());
    any_deferred.store(true, std::memory_order_relaxed);
  }
  ReleaseDeferred();
}

View* ShareView(const View* view) {
  uint32_t epoch = ForkEpoch();
  if (epoch == kForkedUnseen) return nullptr;
  View* shared = NewView();
  *shared = *view;
  if (view->session != nullptr && !IsInherited(view->stamp)) {
    shared->stamp = StampOf(epoch);
    // relaxed: the pin that `view` holds keeps the slot; nothing is published by one more.
    view->session->pin(view->slot).count.fetch_add(1, std::memory_order_relaxed);
  }
  return shared;
}

void ReleaseDeferred() {
  if (!any_deferred.load(std::memory_order_relaxed)) return;
  // Unpin() may free a session, which takes the lock.
  for (const DeferredPin& pin : TakeFreeDeferred()) pin.session->Unpin(pin.slot);
}

}  // namespace vineyard::client

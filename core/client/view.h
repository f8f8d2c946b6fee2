// This file is the only place that knows what a view is: the handle of one pin on one slot, and where the
// bytes of a blob lie. Handles come from a free list of the calling thread and go to that of the
// releasing one; they are never given back to malloc.
//
// Invariants:
//  1. A view with a session holds exactly one pin: on its own slot or, for a member, on the slot of the
//     object it was reached through. A copy of a view takes one pin more of the same slot, which needs
//     no look at the slot's word: the pin that is there keeps it.
//  2. A pin is given back once, by the process that took it, and not while a child may read under it
//     (core/client/fork.h). In a child, an inherited view has no pin to give back.
// Thread-safe, except that a view's release may not race with its use.
#pragma once

#include <cstdint>

#include "core/client/fork.h"
#include "core/client/session.h"
#include "core/object/envelope.h"
#include "core/object/ids.h"

namespace vineyard::client {

struct alignas(64) View {
  union {
    const char* data;  // the value's first byte; of what is no blob, the record's
    View* next;        // while free
  };
  uint64_t length;  // of the value, or of the record
  ObjectId id;
  Session* session;       // null: nothing is pinned
  uint64_t slot;          // that is pinned
  uint32_t stamp;         // fork epoch of the pin
  uint8_t before, after;  // bytes of stored form around the value
  uint8_t kind;           // shm::SlotKind
  uint8_t flags;          // of the slot, when it was got

  uint64_t stored_size() const { return before + length + after; }
  const char* stored_data() const { return data - before; }
};
static_assert(sizeof(View) == 64);

// A free list of one thread. Plain data: no constructor runs when a thread first looks at it.
struct ViewCache {
  View* head;
  uint32_t count;
};
// One load instead of a call, also from a shared library; but room for such variables is scarce, and a library of which one
// process may load any number of copies must do without.
#ifdef VINEYARD_MANY_COPIES
#define VINEYARD_TLS_MODEL
#else
#define VINEYARD_TLS_MODEL [[gnu::tls_model("initial-exec")]]
#endif
extern thread_local constinit ViewCache view_cache VINEYARD_TLS_MODEL;

View* NewViewSlow();
void FreeViewsSlow();
void ReleaseViewSlow(View* view);

inline constexpr uint32_t kViewBatch = 64;

// With undefined contents.
inline View* NewView() {
  ViewCache& cache = view_cache;
  View* view = cache.head;
  if (view == nullptr) [[unlikely]]
    return NewViewSlow();
  cache.head = view->next;
  --cache.count;
  return view;
}

inline void FreeView(View* view) {
  ViewCache& cache = view_cache;
  view->next = cache.head;
  cache.head = view;
  if (++cache.count > 4 * kViewBatch) [[unlikely]]
    FreeViewsSlow();
}

inline void ReleaseView(View* view) {
  if (view->stamp != ForkEpoch() || view->session == nullptr) [[unlikely]] {
    return ReleaseViewSlow(view);
  }
  view->session->Unpin(view->slot);
  FreeView(view);
}

// One more view with the same bytes and a pin of its own. Null: forked without handlers.
View* ShareView(const View* view);

// False in a child that was forked without handlers: its parent does not know that it reads.
inline bool MayRead() { return ForkEpoch() != kForkedUnseen; }

// Gives back what was put off and is held by no child any more.
void ReleaseDeferred();

}  // namespace vineyard::client

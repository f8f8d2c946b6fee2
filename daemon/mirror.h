// This file is the only place that makes the store follow the cluster: what others delete, the names and
// labels of this instance's objects, and, after a time without news, all of it.
//
// The cluster decides; the store only shows it to readers in shared memory. What can not be shown for want of
// memory is left out, and asked for.
// Thread-confined to the daemon's loop.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/meta/service.h"
#include "core/store/store.h"

namespace vineyard::daemon {

class Mirror {
 public:
  Mirror(store::Store* store, meta::Service* service) : store_(store), service_(service) {}

  void OnEvent(const meta::Event& event);
  // All of what the catalog says of this instance. `is_pending`: puts that are still on their way; others that the
  // cluster does not know are dropped, and answered.
  std::vector<ObjectId> Reconcile(const std::function<bool(ObjectId)>& is_pending);
  // What was persisted as this tree is of this host alone.
  void GiveBack(ObjectId home);
  // What found no memory.
  void Tick();

  // While a change of a client's is applied, its answer may go with the change of the store.
  class Answering {
   public:
    Answering(Mirror* mirror, store::Request request) : mirror_(mirror) {
      mirror_->request_ = request;
    }
    ~Answering() { mirror_->request_ = {}; }

   private:
    Mirror* const mirror_;
  };

 private:
  uint64_t self() const { return service_->self().number; }
  store::Request TakeRequest() { return std::exchange(request_, {}); }
  void OnCreated(ObjectId home);
  void OnDeleted(ObjectId home);
  std::vector<ObjectId> NodesLeft(ObjectId home) const;
  void ShowName(std::string_view name);
  void ShowLabels(ObjectId home);
  bool HasClustersName(std::string_view name) const;

  store::Store* const store_;
  meta::Service* const service_;
  store::Request request_;
  std::set<std::string> names_left_;         // to be tried again
  std::string last_name_;                    // of these: the last that was
  std::unordered_set<ObjectId> homes_left_;  // of which labels are to be tried again
};

}  // namespace vineyard::daemon

// This file is the only place that answers questions from both what the store has and what the cluster
// knows: objects, names, labels, lists. It changes nothing, and never waits.
// Thread-confined to the daemon's loop.
#pragma once

#include <optional>
#include <string>

#include "core/meta/service.h"
#include "core/store/store.h"
#include "core/wire/messages.h"
#include "daemon/holds.h"

namespace vineyard::daemon {

class Lookup {
 public:
  Lookup(uint16_t audience, store::Store* store, meta::Service* service, Holds* holds)
      : audience_(audience), store_(store), service_(service), holds_(holds) {}

  // The encoded answer, its slot held for the session; or why not. Nothing: only a barrier can tell; to be
  // asked again behind one, with `synced`.
  std::optional<Result<std::string>> Find(uint64_t session, const wire::Find& find, bool synced);
  Result<wire::ListAnswer> List(const wire::List& list);
  wire::ListNamesAnswer ListNames(const wire::ListNames& list);
  wire::ListTypesAnswer ListTypes(const wire::ListTypes& list);
  wire::InstancesAnswer Instances() const;

 private:
  std::optional<Result<std::string>> FindName(uint64_t session, const wire::Find& find,
                                              bool synced);
  Result<std::string> AnswerSlot(uint64_t session, const Result<store::Found>& found);
  Result<std::string> AnswerLabels(ObjectId id, ObjectId home) const;
  Result<std::string> AnswerRemote(ObjectId id, ObjectId home) const;
  Result<store::Page> ListHere(const wire::List& list);

  const uint16_t audience_;
  store::Store* const store_;
  meta::Service* const service_;
  Holds* const holds_;
};

}  // namespace vineyard::daemon

// This file is the only place that turns builders into the one message of a put.
#pragma once

#include <memory>
#include <string_view>

#include "core/base/result.h"
#include "core/client/client.h"
#include "core/client/meta_builder.h"

namespace vineyard::client {

struct PutOptions {
  std::string_view name;  // of the root; empty: none
  bool replace = false;
  bool persist = false;
  Sharing sharing;  // who may read it
};

// Stores everything below `root`, or nothing. Builders that were put before count as links to what they
// became. Afterwards every builder knows its id. `id` is set once the tree is stored, also when it could
// not be persisted then: that is a message of its own.
Status PutTree(const std::shared_ptr<Client>& client, const std::shared_ptr<MetaBuilder>& root,
               const PutOptions& options, ObjectId* id);

}  // namespace vineyard::client

// This file is the only place that knows which metadata service this daemon uses.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/meta/service.h"
#include "core/shm/state_file.h"
#include "core/store/store.h"
#include "daemon/options.h"

namespace vineyard::daemon {

struct MetadataOwner {
  meta::Post post;
  // The service serves. `is_new_cluster`: this instance's objects are not known there. Once, and again for
  // each other cluster.
  std::function<void(bool is_new_cluster)> on_serving;
  // It never will: why.
  std::function<void(const Status&)> on_failed;
  // Another daemon has this instance's place: this one has to end.
  std::function<void(const Status&)> on_replaced;
};

// `state`: the instance and cluster that it was, unless `is_fresh`; what it becomes is written there.
std::unique_ptr<meta::Service> StartMetadata(const Options& options, bool is_fresh,
                                             shm::StateFile* state, MetadataOwner owner);

// Between Stop() of the service and the end of the process: until the cluster was told, at most a second.
void AwaitMetadataEnd();

}  // namespace vineyard::daemon

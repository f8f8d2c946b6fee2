// Metadata services of one cluster in one process.
#pragma once

#include <memory>

#include "core/meta/service.h"
#include "tests/support/loop.h"

namespace vineyard::meta {

// A cluster of one kind; ends with it. Instance numbers are the test's.
class Cluster {
 public:
  virtual ~Cluster() = default;
  virtual std::unique_ptr<Service> Join(uint64_t instance, testing::Loop* loop) = 0;
};
using MakeCluster = std::unique_ptr<Cluster> (*)();

}  // namespace vineyard::meta

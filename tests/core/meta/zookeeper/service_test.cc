#include "core/meta/zookeeper/service.h"

#include "tests/core/meta/service_suite.h"
#include "tests/core/meta/zookeeper/real_cluster.h"

namespace vineyard::meta {
namespace {

std::unique_ptr<Cluster> MakeZooKeeper() { return std::make_unique<zookeeper::RealCluster>(); }

INSTANTIATE_TEST_SUITE_P(ZooKeeper, ServiceTest, ::testing::Values(&MakeZooKeeper));

}  // namespace
}  // namespace vineyard::meta

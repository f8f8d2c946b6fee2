#include "core/meta/local.h"
#include "tests/core/meta/service_suite.h"

namespace vineyard::meta {
namespace {

class LocalCluster : public Cluster {
 public:
  std::unique_ptr<Service> Join(uint64_t instance, testing::Loop* loop) override {
    Instance self;
    self.number = instance;
    self.epoch = 1;
    self.host = "here";
    return std::make_unique<LocalService>(
        self, [loop](std::function<void()> what) { loop->Post(std::move(what)); });
  }
};
std::unique_ptr<Cluster> MakeLocal() { return std::make_unique<LocalCluster>(); }

INSTANTIATE_TEST_SUITE_P(Local, ServiceTest, ::testing::Values(&MakeLocal));

}  // namespace
}  // namespace vineyard::meta

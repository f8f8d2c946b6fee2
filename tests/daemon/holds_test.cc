#include "daemon/holds.h"

#include <gtest/gtest.h>

#include "tests/daemon/with_store.h"

namespace vineyard::daemon {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

class HoldsTest : public WithStore {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(WithStore::SetUp());
    holds_ = std::make_unique<Holds>(store_.get());
    Tree tree;
    TreeNode node;
    node.type = TreeNode::Type::kInlineBlob;
    node.bytes = "held";
    tree.nodes.push_back(node);
    auto put = store_->Put({}, tree);
    while (!put.ok() && store_->GrowthWanted()) {
      auto segment = store::Store::PrepareSegment(*store_->GrowthWanted());
      ASSERT_TRUE(segment.ok() && store_->AddSegment(std::move(segment).value()).ok());
      put = store_->Put({}, tree);
    }
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    auto found = store_->Find(put->id);
    ASSERT_TRUE(found.ok());
    slot_ = found->slot;
    id_ = put->id;
  }

  // Whether the bytes stay although the object is deleted.
  bool DeletedButKept() {
    store_->Tick(1);
    return store_->Stats().deferred == 1;
  }

  std::unique_ptr<Holds> holds_;
  uint32_t slot_ = 0;
  ObjectId id_ = kInvalidId;
};

TEST_F(HoldsTest, HeldUntilTheNextFrameOfTheSession) {
  holds_->Hold(1, slot_, 0);
  ASSERT_TRUE(store_->Delete({}, {id_}, false, true).ok());
  EXPECT_TRUE(DeletedButKept());
  holds_->Release(2);
  EXPECT_TRUE(DeletedButKept());
  holds_->Release(1);
  EXPECT_FALSE(DeletedButKept());
}

TEST_F(HoldsTest, HeldForASecondAtMost) {
  holds_->Hold(1, slot_, 5 * kSecond);
  holds_->Hold(1, slot_, 5 * kSecond + 10);
  ASSERT_TRUE(store_->Delete({}, {id_}, false, true).ok());
  holds_->Expire(6 * kSecond);
  EXPECT_TRUE(DeletedButKept());  // by the second hold
  holds_->Expire(6 * kSecond + 10);
  EXPECT_FALSE(DeletedButKept());
}

}  // namespace
}  // namespace vineyard::daemon

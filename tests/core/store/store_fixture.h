// A store without a daemon: grows at once, restarts on demand, checks its invariants after every
// test.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/object/pack.h"
#include "core/object/record.h"
#include "core/object/types.h"
#include "core/store/store.h"

namespace vineyard::store {

// A client in this process: its own descriptors, pins written by hand.
class FakeClient {
 public:
  FakeClient(Store* store, uint64_t id) : store_(store), id_(id) {
    auto files = store->OpenSession({id, {id, id}, 1000, 1});
    EXPECT_TRUE(files.ok()) << files.status().ToString();
    files_ = std::move(*files);
    auto mapping = shm::Mapping::Map(files_.pins, shm::kMaxPinFile, true);
    EXPECT_TRUE(mapping.ok());
    pins_ = std::move(*mapping);
  }
  uint64_t id() const { return id_; }
  void Reconnect(Store* store) { store_ = store; }
  void Pin(uint32_t slot) {
    EXPECT_TRUE(store_->Grant(id_, slot / shm::kPinPieceSlots).ok());
    cell(slot).count.fetch_add(1);
  }
  void Unpin(uint32_t slot) { cell(slot).count.fetch_sub(1); }
  void Touch(uint32_t slot, uint32_t when) {
    EXPECT_TRUE(store_->Grant(id_, slot / shm::kPinPieceSlots).ok());
    cell(slot).last_used.store(when);
  }
  // As a killed process: descriptors and mappings go, nothing is said.
  void Die() {
    pins_.Reset();
    files_ = {};
  }
  shm::PinCell& cell(uint32_t slot) { return reinterpret_cast<shm::PinCell*>(pins_.data())[slot]; }

 private:
  Store* store_;
  uint64_t id_;
  SessionFiles files_;
  shm::Mapping pins_;
};

// Builds trees without keeping an eye on who owns the text.
class TreeMaker {
 public:
  // Index of the node.
  uint64_t Blob(std::string bytes, BlobKind kind = BlobKind::kBuffer) {
    TreeNode node;
    node.type = TreeNode::Type::kInlineBlob;
    node.kind = kind;
    node.bytes = Keep(std::move(bytes));
    tree_.nodes.push_back(std::move(node));
    return tree_.nodes.size() - 1;
  }
  uint64_t Leased(ObjectId lease, uint64_t value_size, BlobKind kind = BlobKind::kBuffer) {
    TreeNode node;
    node.type = TreeNode::Type::kLeasedBlob;
    node.kind = kind;
    node.lease = lease;
    node.value_size = value_size;
    tree_.nodes.push_back(std::move(node));
    return tree_.nodes.size() - 1;
  }
  uint64_t Object(std::string type, const std::vector<uint64_t>& local,
                  const std::vector<ObjectId>& existing = {}) {
    TreeNode node;
    node.type_name = Keep(std::move(type));
    std::string fields;
    Packer(&fields).Map(1).String("count_").Uint(local.size() + existing.size());
    node.fields = Keep(std::move(fields));
    for (uint64_t index : local) {
      node.members.push_back({Keep("m" + std::to_string(node.members.size())), true, index});
    }
    for (ObjectId id : existing) {
      node.members.push_back({Keep("m" + std::to_string(node.members.size())), false, id});
    }
    tree_.nodes.push_back(std::move(node));
    return tree_.nodes.size() - 1;
  }
  void Name(std::string name, bool replace = false) {
    tree_.name = Keep(std::move(name));
    tree_.replace_name = replace;
  }
  Tree& tree() { return tree_; }

 private:
  std::string_view Keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  std::deque<std::string> kept_;
  Tree tree_;
};

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto state = shm::StateFile::Create();
    ASSERT_TRUE(state.ok());
    state_ = std::move(*state);
    options_.size_bytes = 64 * kMiB;
    Start();
  }
  void TearDown() override {
    if (store_) store_->CheckInvariants();
    store_.reset();
    state_->CloseListed();
  }

  void Start() {
    auto store = Store::Open(state_.get(), options_);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    store_ = std::move(*store);
    Grow();
  }
  // What a new daemon finds after the old one was killed between two requests.
  void Restart() {
    store_.reset();
    Start();
    store_->CheckInvariants();
  }
  // What another thread of the daemon does: one piece of it.
  bool Grow() {
    auto plan = store_->GrowthWanted();
    if (!plan) return RunJob();
    auto segment = Store::PrepareSegment(*plan);
    EXPECT_TRUE(segment.ok()) << segment.status().ToString();
    EXPECT_TRUE(store_->AddSegment(std::move(*segment)).ok());
    return true;
  }
  bool RunJob() {
    for (bool load : {true, false}) {
      auto job = store_->NextSpillJob(load);
      if (!job) continue;
      if (before_job_) before_job_(*job);
      RunSpillJob(&*job);
      if (after_job_) after_job_(*job);
      store_->SpillJobDone(std::move(*job));
      return true;
    }
    return false;
  }
  // As the daemon does: grow and call again.
  template <typename Call>
  auto Retry(Call call) {
    while (true) {
      auto result = call();
      if (result.ok() || !Grow()) return result;
    }
  }
  Result<Mutation> TryPut(const Tree& tree, Request request = {}) {
    return Retry([&] { return store_->Put(request, tree); });
  }
  ObjectId Put(TreeMaker& maker, Request request = {}) {
    auto result = TryPut(maker.tree(), request);
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? result->id : kInvalidId;
  }
  ObjectId PutBlob(std::string bytes, BlobKind kind = BlobKind::kBuffer) {
    TreeMaker maker;
    maker.Blob(std::move(bytes), kind);
    return Put(maker);
  }
  ObjectId PutObject(std::string type, const std::vector<ObjectId>& members) {
    TreeMaker maker;
    maker.Object(std::move(type), {}, members);
    return Put(maker);
  }
  bool Exists(ObjectId id) { return store_->Find(id).ok(); }
  uint32_t SlotOf(ObjectId id) {
    auto found = store_->Find(id);
    EXPECT_TRUE(found.ok());
    return found->slot;
  }
  uint64_t Used() { return store_->Stats().memory_used; }

  std::function<void(SpillJob&)> before_job_, after_job_;
  std::unique_ptr<shm::StateFile> state_;
  std::unique_ptr<Store> store_;
  Options options_;
};

}  // namespace vineyard::store

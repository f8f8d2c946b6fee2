// A store of 16 MiB that has no segment yet, for what serves it.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "core/base/bytes.h"
#include "core/shm/state_file.h"
#include "core/store/store.h"

namespace vineyard::daemon {

class WithStore : public ::testing::Test {
 protected:
  void SetUp() override {
    auto state = shm::StateFile::Create();
    ASSERT_TRUE(state.ok());
    state_ = std::move(state).value();
    store::Options options;
    options.size_bytes = 16 * kMiB;
    auto store = store::Store::Open(state_.get(), options);
    ASSERT_TRUE(store.ok());
    store_ = std::move(store).value();
  }

  std::unique_ptr<shm::StateFile> state_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace vineyard::daemon

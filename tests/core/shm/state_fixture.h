// This file is the only place that makes state files for the tests of core/shm and closes what they
// list at the end.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "core/shm/state_file.h"

namespace vineyard::shm {

class WithState : public testing::Test {
 protected:
  WithState() : state_(std::move(StateFile::Create()).value()) {}
  ~WithState() override {
    if (state_ != nullptr) state_->CloseListed();
  }

  // What the next daemon does: maps the same file again. The old StateFile is gone.
  Status Restart() {
    Fd fd(state_->ReleaseFd());
    state_.reset();
    auto adopted = StateFile::Adopt(std::move(fd));
    if (!adopted.ok()) return adopted.status();
    state_ = std::move(adopted).value();
    return OkStatus();
  }

  std::unique_ptr<StateFile> state_;
};

}  // namespace vineyard::shm

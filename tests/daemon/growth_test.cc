// Requests that wait for memory, and clients that send on meanwhile.
#include "daemon/growth.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <thread>
#include <vector>

#include "core/wire/messages.h"
#include "tests/daemon/with_store.h"

namespace vineyard::daemon {
namespace {

constexpr uint64_t kMuch = 64 * kMiB;

class GrowthTest : public WithStore, public Session::Owner {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(WithStore::SetUp());
    ASSERT_TRUE(store_->GrowthWanted().has_value()) << "an empty store has no memory";
    growth_ = std::make_unique<Growth>(&loop_, store_.get(), [this](const Postponed& request) {
      retried_.push_back(request.request.number);
      return true;
    });
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    client_ = Fd(ends[0]);
    session_ = std::make_shared<Session>(&loop_, Fd(ends[1]), Peer{}, this);
    session_->set_id(1);
    session_->Start();
  }
  void TearDown() override {
    if (session_ != nullptr) session_->Close();
    growth_->Stop();
  }

  void OnFrame(Session&, const wire::FrameHeader& header, std::string_view) override {
    frames_.push_back(header.number);
    if (postpone_bytes_ == 0) return;
    growth_->Postpone({session_, header, std::string(postpone_bytes_, 'x')});
  }
  void OnClosed(Session&) override {}

  // Numbers first .. last - 1, each an empty frame.
  void Send(uint64_t first, uint64_t last) {
    std::string bytes;
    for (uint64_t number = first; number < last; ++number) {
      wire::FrameHeader header =
          wire::MakeHeader(static_cast<uint16_t>(wire::MessageType::kClear), 0, number, number);
      bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
    }
    ASSERT_EQ(send(client_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  void RunWhatIsReady() {
    loop_.restart();
    while (loop_.poll() > 0) {
    }
    std::this_thread::yield();
  }

  asio::io_context loop_{1};
  std::unique_ptr<Growth> growth_;
  Fd client_;
  std::shared_ptr<Session> session_;
  uint64_t postpone_bytes_ = 0;
  std::vector<uint64_t> frames_, retried_;
};

TEST_F(GrowthTest, AClientThatHasPostponedMuchIsNotReadFrom) {
  postpone_bytes_ = kMuch / 4;
  Send(1, 9);
  RunWhatIsReady();
  // Four and what comes with each are more than is allowed; the rest waits where it is.
  EXPECT_EQ(frames_, (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_TRUE(session_->paused());
  postpone_bytes_ = 0;
  Send(9, 10);
  RunWhatIsReady();
  EXPECT_EQ(frames_.size(), 4u);
  growth_->Check();
  while (frames_.size() < 9) RunWhatIsReady();  // the helper posts when it is done
  EXPECT_EQ(retried_, (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(frames_, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_FALSE(session_->paused());
}

TEST_F(GrowthTest, AClientThatPostponesLittleIsReadFrom) {
  postpone_bytes_ = kKiB;
  Send(1, 9);
  RunWhatIsReady();
  EXPECT_EQ(frames_.size(), 8u);
  EXPECT_FALSE(session_->paused());
}

TEST_F(GrowthTest, APausedClientIsNotBlamedForItsSilence) {
  postpone_bytes_ = kMuch;
  Send(1, 3);
  RunWhatIsReady();
  ASSERT_TRUE(session_->paused());
  session_->CheckProgress(INT64_MAX);
  EXPECT_FALSE(session_->closed());
}

TEST_F(GrowthTest, WhatAClosedClientPostponedIsForgotten) {
  postpone_bytes_ = kMuch;
  Send(1, 2);
  RunWhatIsReady();
  EXPECT_TRUE(growth_->has_postponed());
  growth_->Drop(*session_);
  EXPECT_FALSE(growth_->has_postponed());
  postpone_bytes_ = kKiB;
  session_->Resume();
  Send(2, 4);
  RunWhatIsReady();
  EXPECT_EQ(frames_.size(), 3u) << "it begins at nothing again";
}

}  // namespace
}  // namespace vineyard::daemon

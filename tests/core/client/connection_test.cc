#include "core/client/connection.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <thread>

#include "core/base/bytes.h"
#include "core/client/client.h"
#include "core/object/pack.h"
#include "tests/core/client/fake_daemon.h"
#include "tests/core/client/fake_memory.h"

namespace vineyard::client {
namespace {

using wire::MessageType;

constexpr ObjectId kId = 42;

TEST(Connection, NobodyListensIsUnavailableAndNamesThePath) {
  testing::TempFolder folder;
  ConnectOptions options;
  options.path = folder / "none.sock";
  Status status = Client::Connect(options).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.text().find(options.path), std::string::npos);
}

TEST(Connection, AnErrorOfTheDaemonIsHandedOn) {
  Fake fake({{false, [](FakeConnection& c) {
                FakeRequest request = c.ReceiveType(MessageType::kDelete);
                c.Send(request.header, wire::EncodeError({Code::kInUse, "object x: linked"}));
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  Status status = client->Delete({kId}, false, true);
  EXPECT_EQ(status.code(), Code::kInUse);
  EXPECT_EQ(status.text(), "object x: linked");
}

TEST(Connection, AClientStaysUsableAfterADaemonThatDoesNotAnswerInTime) {
  Fake fake({{false, [](FakeConnection& c) {
                FakeRequest late = c.ReceiveType(MessageType::kDelete);
                FakeRequest next = c.ReceiveType(MessageType::kClear);
                c.AnswerMutation(late, 1, 1);  // nobody waits for it any more
                c.AnswerMutation(next, 0, 77);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path(), /*timeout_ms=*/500);
  EXPECT_EQ(client->Delete({kId}, false, true).code(), Code::kUnknown);
  Result<uint64_t> cleared = Status(Code::kUnknown, "");
  while (cleared.status().code() == Code::kUnknown) cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 77u);
}

TEST(Connection, ATimeoutNamesTheRequestTheSocketAndHowLong) {
  Fake fake({{false, ServeNothing}});
  Connected client(fake.daemon.path(), /*timeout_ms=*/500);
  const std::string& path = fake.daemon.path();
  Status status = client->ListTypes().status();
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_EQ(status.text(), "list types: no answer from the daemon at " + path + " within 500 ms");
  status = client->Clear().status();
  EXPECT_EQ(status.code(), Code::kUnknown);
  EXPECT_EQ(
      status.text().rfind("clear: no answer from the daemon at " + path + " within 500 ms", 0), 0u)
      << status.text();
  status = client->Wait(kId, 30);
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_EQ(status.text(), "wait for object " + PrintId(kId) + ": the daemon at " + path +
                               " did not say that it is there within 30 ms");
}

TEST(Connection, ATimeoutOfADaemonThatDoesNotReadNamesTheRequestTheSocketAndHowLong) {
  std::atomic<bool> done{false};
  Fake fake({{false, [&](FakeConnection&) {
                while (!done) std::this_thread::yield();
              }}});
  Connected client(fake.daemon.path(), /*timeout_ms=*/500);
  std::string large(16 * kMiB, 'x');
  Status status = client->SetLabel(kId, "key", large);
  done = true;
  EXPECT_EQ(status.code(), Code::kTimeout) << status.ToString();
  EXPECT_EQ(status.text(), "set labels: the daemon at " + fake.daemon.path() +
                               ": it did not read what was sent within 500 ms");
}

TEST(Connection, ALostReplyIsAskedForOnceMoreWithTheSameNumber) {
  std::atomic<uint64_t> first{0}, second{0};
  Fake fake({{false,
              [&](FakeConnection& c) {
                first = c.ReceiveType(MessageType::kClear).header.number;
                c.Close();
              }},
             {true, [&](FakeConnection& c) {
                FakeRequest request = c.ReceiveType(MessageType::kClear);
                second = request.header.number;
                c.AnswerMutation(request, 0, 5);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  Result<uint64_t> cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 5u);
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(second, 1u);
  EXPECT_EQ(client->statistics().reconnects, 1u);
}

TEST(Connection, ARequestThatKillsTwoDaemonsIsNotSentAThirdTime) {
  auto die = [](FakeConnection& c) {
    c.ReceiveType(MessageType::kClear);
    c.Close();
  };
  Fake fake({{false, die}, {true, die}, {true, ServeNothing}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(client->Clear().status().code(), Code::kUnknown);
}

TEST(Connection, AReadThatKillsTwoDaemonsIsUnavailable) {
  auto die = [](FakeConnection& c) {
    c.ReceiveType(MessageType::kListTypes);
    c.Close();
  };
  Fake fake({{false, die}, {true, die}, {true, ServeNothing}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(client->ListTypes().status().code(), Code::kUnavailable);
}

TEST(Connection, ADaemonWithoutTheSessionMakesTheOutcomeUnknownAndNumbersBeginAgain) {
  std::atomic<uint64_t> number{0};
  Fake fake({{false,
              [](FakeConnection& c) {
                c.AnswerMutation(c.ReceiveType(MessageType::kClear), 0, 1);
                c.ReceiveType(MessageType::kClear);
                c.Close();
              }},
             {false, [&](FakeConnection& c) {
                FakeRequest request = c.ReceiveType(MessageType::kClear);
                number = request.header.number;
                c.AnswerMutation(request, 0, 5);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  EXPECT_TRUE(client->Clear().ok());
  EXPECT_EQ(client->Clear().status().code(), Code::kUnknown);
  EXPECT_TRUE(client->Clear().ok());
  EXPECT_EQ(number, 1u);
}

// Whoever reads has nothing to put again, and whoever writes nothing to look for.
TEST(Connection, ASegmentOfADaemonThatIsGoneSaysWhatReadersAndWritersAreToDo) {
  Fake fake({{false,
              [](FakeConnection& c) {
                c.ReceiveType(MessageType::kListTypes);
                c.Close();
              }},
             {false, [](FakeConnection& c) {
                c.AnswerEmpty(c.ReceiveType(MessageType::kListTypes));
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  Patience patience = client->PatienceOf();
  Session* before = *client->EnsureSession(patience);
  (void)client->ListTypes();
  ASSERT_FALSE(client->IsCurrent(before));
  Status status = client->EnsureSegment(before, 1, /*writable=*/true, patience);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.text().find("create the blob anew"), std::string::npos) << status.text();
  // A session of a daemon that was lost with its memory.
  FakeMemory other(FakeMemory::kLog2Cells, FakeMemory::kInstance + 1);
  Session* lost = *OpenSession(other);
  status = client->EnsureSegment(lost, 1, /*writable=*/false, patience);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.text().find("look for the object anew"), std::string::npos) << status.text();
  lost->Orphan();
}

TEST(Connection, GarbageEndsTheConnectionAndTheNextRequestMakesAnother) {
  Fake fake({{false,
              [](FakeConnection& c) {
                c.ReceiveType(MessageType::kListTypes);
                c.SendRaw(std::string(64, 'x'));
                ServeNothing(c);
              }},
             {true, [](FakeConnection& c) {
                c.AnswerMutation(c.ReceiveType(MessageType::kClear), 0, 5);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(client->ListTypes().status().code(), Code::kProtocol);
  EXPECT_TRUE(client->Clear().ok());
}

TEST(Connection, NumbersStayWithinTheWindow) {
  constexpr int kThreads = 80;
  std::atomic<int> most{0};
  Fake fake({{false, [&](FakeConnection& c) {
                // The first of all is answered last: nothing above number 64 may come before.
                std::vector<FakeRequest> open;
                for (uint64_t i = 0; i < wire::kRequestWindow; ++i) {
                  open.push_back(c.ReceiveType(MessageType::kClear));
                  most = std::max<int>(most, static_cast<int>(open.back().header.number));
                }
                auto first = std::find_if(open.begin(), open.end(), [](const FakeRequest& r) {
                  return r.header.number == 1;
                });
                for (auto& request : open) {
                  if (request.header.number != 1) c.AnswerMutation(request, 0, 1);
                }
                c.AnswerMutation(*first, 0, 1);
                for (int i = 0; i < kThreads - static_cast<int>(wire::kRequestWindow); ++i) {
                  c.AnswerMutation(c.ReceiveType(MessageType::kClear), 0, 1);
                }
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { done += client->Clear().ok() ? 1 : 0; });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads);
  EXPECT_EQ(most, static_cast<int>(wire::kRequestWindow));
}

TEST(Connection, AnswersReachTheThreadsThatAskedInWhateverOrderTheyCome) {
  constexpr int kThreads = 8, kRounds = 50;
  Fake fake({{false, [](FakeConnection& c) {
                std::vector<FakeRequest> open;
                for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                  if (r.type() != MessageType::kPersist) continue;
                  open.push_back(std::move(r));
                  // Two by two, the later one first, as long as there are two.
                  if (open.size() < 2) continue;
                  while (!open.empty()) {
                    c.AnswerMutation(open.back(), 0, open.back().header.number);
                    open.pop_back();
                  }
                }
              }}});
  Connected client(fake.daemon.path());
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  // Round by round: a thread that is left alone in the end would wait for a second one for ever.
  std::barrier round(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < kRounds; ++k) {
        done += client->Persist({kId}).ok() ? 1 : 0;
        round.arrive_and_wait();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRounds);
}

// ---- signals and waiting ---------------------------------------------------------------------------

void IgnoreSignal(int) {}

void InstallHandler() {
  struct sigaction action {};
  action.sa_handler = IgnoreSignal;
  action.sa_flags = SA_RESTART;  // even so
  sigaction(SIGUSR1, &action, nullptr);
}

TEST(Connection, ASignalEndsAWait) {
  InstallHandler();
  std::atomic<bool> asked{false};
  Fake fake({{false, [&](FakeConnection& c) {
                c.ReceiveType(MessageType::kWait);
                asked = true;
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  std::atomic<bool> over{false};
  Status status;
  std::thread waiter([&] {
    status = client->Wait(kId, 30'000);
    over = true;
  });
  while (!asked) std::this_thread::yield();
  while (!over) {  // one that comes before the wait is lost, as with any wait of the system
    pthread_kill(waiter.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  waiter.join();
  EXPECT_EQ(status.code(), Code::kInterrupted);
}

TEST(Connection, ASignalDoesNotEndAChange) {
  InstallHandler();
  std::atomic<bool> asked{false}, answer{false};
  Fake fake({{false, [&](FakeConnection& c) {
                FakeRequest request = c.ReceiveType(MessageType::kClear);
                asked = true;
                while (!answer) std::this_thread::yield();
                c.AnswerMutation(request, 0, 3);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  Status status;
  std::thread waiter([&] { status = client->Clear().status(); });
  while (!asked) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) pthread_kill(waiter.native_handle(), SIGUSR1);
  answer = true;
  waiter.join();
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(Connection, ACallerMayEndAnyWait) {
  Fake fake({{false, ServeNothing}});
  Connected client(fake.daemon.path(), 30'000, [] { return 0; });
  EXPECT_EQ(client->ListTypes().status().code(), Code::kInterrupted);
}

TEST(Connection, AThreadThatMayNotWaitFailsAtOnceAndSendsNothing) {
  std::atomic<int> requests{0};
  Fake fake({{false, [&](FakeConnection& c) {
                for (FakeRequest r = c.Receive(); !r.ended; r = c.Receive()) {
                  if (r.type() != MessageType::kGoodbye) ++requests;
                  if (r.type() == MessageType::kClear) c.AnswerMutation(r, 0, 1);
                }
              }}});
  {
    Connected client(fake.daemon.path());
    EXPECT_TRUE(SetThreadMayWait(false));
    EXPECT_EQ(client->Clear().status().code(), Code::kTimeout);
    EXPECT_FALSE(SetThreadMayWait(true));
    EXPECT_EQ(requests, 0);
    EXPECT_TRUE(client->Clear().ok());
  }
}

TEST(Connection, ALeaseThatComesTooLateIsDropped) {
  std::atomic<ObjectId> dropped{0};
  Fake fake({{false, [&](FakeConnection& c) {
                FakeRequest lease = c.ReceiveType(MessageType::kLease);
                FakeRequest clear = c.ReceiveType(MessageType::kClear);
                std::string body;
                wire::LeaseAnswer{kId, 64}.Encode(&body);
                c.Send(lease.header, body);
                for (FakeRequest r = clear; !r.ended; r = c.Receive()) {
                  if (r.type() == MessageType::kDropLease) {
                    Arena arena;
                    dropped = wire::DropLease::Decode(*Unpack(r.body, &arena))->id;
                  }
                  if (r.type() != MessageType::kGoodbye) c.AnswerMutation(r, 0, 1);
                }
              }}});
  Connected client(fake.daemon.path(), /*timeout_ms=*/500);
  wire::Lease message;
  Request lease(MessageType::kLease, message);
  Reply reply;
  EXPECT_EQ(client->Call(&lease, client->PatienceOf(), &reply).code(), Code::kUnknown);
  while (dropped == 0) (void)client->Clear();
  EXPECT_EQ(dropped, kId);
}

TEST(Connection, AClosedClientSaysSo) {
  Fake fake({{false, ServeNothing}});
  Connected client(fake.daemon.path());
  EXPECT_TRUE(client->is_connected());
  client->Close();
  EXPECT_FALSE(client->is_connected());
  EXPECT_EQ(client->Clear().status().code(), Code::kInvalid);
  EXPECT_EQ(client->GetView(uint64_t{1} << 63 | 4).status().code(), Code::kInvalid);
  client->Close();
}

TEST(Connection, ClosingEndsTheWaitsOfOtherThreads) {
  std::atomic<bool> asked{false};
  Fake fake({{false, [&](FakeConnection& c) {
                c.ReceiveType(MessageType::kWait);
                asked = true;
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  Status status;
  std::thread waiter([&] { status = client->Wait(kId, 30'000); });
  while (!asked) std::this_thread::yield();
  client->Close();
  waiter.join();
  EXPECT_EQ(status.code(), Code::kInvalid);
}

}  // namespace
}  // namespace vineyard::client

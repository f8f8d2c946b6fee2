// Daemons that do not do what they should: whatever one of them does, the client says so in time and goes on.
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "core/client/client.h"
#include "core/object/pack.h"
#include "tests/core/client/fake_daemon.h"
#include "tests/core/client/fake_memory.h"

namespace vineyard::client {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using wire::MessageType;

std::string Bytes(const wire::FrameHeader& header) {
  return std::string(reinterpret_cast<const char*>(&header), sizeof header);
}

// The answer to a request, as bytes.
std::string AnswerTo(const FakeRequest& request, std::string_view body) {
  return Bytes(wire::MakeHeader(request.header.type | wire::kAnswer,
                                static_cast<uint32_t>(body.size()), request.header.correlation,
                                request.header.number)) +
         std::string(body);
}

std::string BodyOf(const wire::MutationAnswer& answer) {
  std::string body;
  answer.Encode(&body);
  return body;
}

// Answers every clear with this number.
void ServeClears(FakeConnection& connection, uint64_t value = 5) {
  for (FakeRequest r = connection.Receive(); !r.ended; r = connection.Receive()) {
    if (r.type() == MessageType::kClear) connection.AnswerMutation(r, 0, value);
  }
}

Result<Client*> Connect(const std::string& path, int64_t timeout_ms) {
  ConnectOptions options;
  options.path = path;
  options.timeout_ms = timeout_ms;
  return Client::Connect(options);
}

// Not by the client's own time-out, which connecting has to keep as well.
Status AskForTypes(Connected& client, int64_t timeout_ms) {
  Request request = Request::WithoutBody(MessageType::kListTypes);
  Reply reply;
  return client->Call(&request, client->PatienceOf(timeout_ms), &reply);
}

// ---- silence ---------------------------------------------------------------------------------------

TEST(BrokenDaemon, ThatAcceptsAndSaysNothingIsATimeout) {
  FakeDaemon daemon({ServeNothing});
  Status status = Connect(daemon.path(), 50).status();
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_EQ(status.text(), "connect " + daemon.path() + ": no answer to hello within 50 ms");
}

TEST(BrokenDaemon, ThatNeverAcceptsIsATimeout) {
  FakeDaemon daemon(std::vector<FakeDaemon::Script>{});
  EXPECT_EQ(Connect(daemon.path(), 50).status().code(), Code::kTimeout);
}

TEST(BrokenDaemon, ThatGreetsByHalfIsATimeout) {
  for (size_t size : {size_t{1}, sizeof(wire::FrameHeader) - 1, sizeof(wire::FrameHeader) + 1}) {
    FakeDaemon daemon({[size](FakeConnection& c) {
      c.SendRaw(AnswerTo(c.Receive(), "half of a welcome").substr(0, size));
      ServeNothing(c);
    }});
    EXPECT_EQ(Connect(daemon.path(), 50).status().code(), Code::kTimeout) << size;
  }
}

// Something always comes, and never the end of it.
TEST(BrokenDaemon, ThatTakesForEverToAnswerIsATimeout) {
  std::atomic<bool> done{false};
  Fake fake({{false, [&](FakeConnection& c) {
                wire::FrameHeader header = c.ReceiveType(MessageType::kListTypes).header;
                header.type |= wire::kAnswer;
                header.body_size = wire::kMaxBody;
                c.SendRaw(Bytes(header));
                while (!done) c.SendRaw("x");
              }}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(AskForTypes(client, 50).code(), Code::kTimeout);
  done = true;
}

TEST(BrokenDaemon, ThatAnswersByHalfLeavesAClientThatTakesTheRestLater) {
  Fake fake({{false, [&](FakeConnection& c) {
                FakeRequest types = c.ReceiveType(MessageType::kListTypes);
                std::string answer = AnswerTo(types, wire::EncodeEmpty());
                c.SendRaw(std::string_view(answer).substr(0, 20));
                FakeRequest clear = c.ReceiveType(MessageType::kClear);
                c.SendRaw(std::string_view(answer).substr(20));
                c.AnswerMutation(clear, 0, 5);
                ServeClears(c);
              }}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(AskForTypes(client, 50).code(), Code::kTimeout);
  Result<uint64_t> cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 5u);
  EXPECT_EQ(client->statistics().reconnects, 0u);
}

// ---- death -----------------------------------------------------------------------------------------

TEST(BrokenDaemon, ThatDiesInTheMiddleOfAnAnswerIsAskedOnceMore) {
  Fake fake({{false,
              [](FakeConnection& c) {
                FakeRequest clear = c.ReceiveType(MessageType::kClear);
                c.SendRaw(AnswerTo(clear, BodyOf({0, 3, 1})).substr(0, 35));
                c.Close();
              }},
             {true, [](FakeConnection& c) { ServeClears(c); }}});
  Connected client(fake.daemon.path());
  Result<uint64_t> cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 5u);
}

TEST(BrokenDaemon, ThatDiesWhileItGreetsIsFollowedByAnother) {
  FakeMemory memory;
  FakeMemory* shared = &memory;
  FakeDaemon daemon({[](FakeConnection& c) { c.Receive(); },
                     [](FakeConnection& c) { c.SendRaw(AnswerTo(c.Receive(), "x").substr(0, 9)); },
                     testing::Serve(&shared, [](FakeConnection& c) { ServeClears(c); })});
  Connected client(daemon.path());
  EXPECT_TRUE(client->Clear().ok());
}

TEST(BrokenDaemon, ThatDiesEveryTimeItGreetsIsUnavailable) {
  std::vector<FakeDaemon::Script> deaths(10, [](FakeConnection& c) { c.Receive(); });
  FakeDaemon daemon(deaths);
  EXPECT_EQ(Connect(daemon.path(), 30'000).status().code(), Code::kUnavailable);
}

// ---- what was not asked for ------------------------------------------------------------------------

TEST(BrokenDaemon, AnAnswerToWhatNobodyAskedIsLeftAlone) {
  Fake fake(
      {{false, [](FakeConnection& c) {
          FakeRequest clear = c.ReceiveType(MessageType::kClear);
          FakeRequest other = clear;
          for (uint64_t correlation : {uint64_t{0}, clear.header.correlation + 1, UINT64_MAX}) {
            other.header.correlation = correlation;
            c.AnswerMutation(other, 0, 99);
          }
          c.AnswerMutation(clear, 0, 5);
          ServeClears(c);
        }}});
  Connected client(fake.daemon.path());
  Result<uint64_t> cleared = client->Clear();
  ASSERT_TRUE(cleared.ok()) << cleared.status().ToString();
  EXPECT_EQ(*cleared, 5u);
}

TEST(BrokenDaemon, ThatAnswersOnlyWhatNobodyAskedIsATimeout) {
  Fake fake({{false, [](FakeConnection& c) {
                FakeRequest types = c.ReceiveType(MessageType::kListTypes);
                ++types.header.correlation;
                c.AnswerEmpty(types);
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  EXPECT_EQ(AskForTypes(client, 50).code(), Code::kTimeout);
}

// Then nothing says what became of the request, and nothing on that connection is believed any more.
TEST(BrokenDaemon, AnAnswerThatTakesARequestForAnotherEndsTheConnection) {
  auto wrong_number = [](FakeRequest* request) { ++request->header.number; };
  auto wrong_type = [](FakeRequest* request) {
    request->header.type = static_cast<uint16_t>(MessageType::kLease);
  };
  for (void (*distort)(FakeRequest*) : {+wrong_number, +wrong_type}) {
    Fake fake({{false,
                [distort](FakeConnection& c) {
                  FakeRequest clear = c.ReceiveType(MessageType::kClear);
                  distort(&clear);
                  c.AnswerMutation(clear, 0, 99);
                  ServeNothing(c);
                }},
               {true, [](FakeConnection& c) { ServeClears(c); }}});
    Connected client(fake.daemon.path());
    Status status = client->Clear().status();
    EXPECT_EQ(status.code(), Code::kUnknown) << status.ToString();
    EXPECT_THAT(status.text(), HasSubstr("another request"));
    EXPECT_TRUE(client->Clear().ok());
  }
}

TEST(BrokenDaemon, GarbageIsSaidToBeSoAndTheNextRequestIsAnswered) {
  using Distort = std::string (*)(const FakeRequest&);
  const Distort garbage[] = {
      [](const FakeRequest&) { return std::string(64, 'x'); },
      [](const FakeRequest&) { return std::string(64, '\0'); },
      [](const FakeRequest& r) {  // another protocol
        std::string answer = AnswerTo(r, wire::EncodeEmpty());
        answer[3] = 77;
        return answer;
      },
      [](const FakeRequest& r) {  // four gigabytes
        wire::FrameHeader header = r.header;
        header.type |= wire::kAnswer;
        header.body_size = UINT32_MAX;
        return Bytes(header);
      },
      [](const FakeRequest& r) {  // a request
        wire::FrameHeader header = r.header;
        header.body_size = 0;
        return Bytes(header);
      },
      [](const FakeRequest& r) {  // descriptors that do not come
        wire::FrameHeader header = r.header;
        header.type |= wire::kAnswer;
        header.body_size = 0;
        header.descriptors = 1;
        return Bytes(header);
      },
      [](const FakeRequest& r) {  // more of them than there may be
        wire::FrameHeader header = r.header;
        header.type |= wire::kAnswer;
        header.body_size = 0;
        header.descriptors = UINT8_MAX;
        return Bytes(header);
      },
      [](const FakeRequest& r) { return AnswerTo(r, ""); },
      [](const FakeRequest& r) { return AnswerTo(r, "\xc1"); },
      [](const FakeRequest& r) { return AnswerTo(r, "\xdd\xff\xff\xff\xff"); },
      [](const FakeRequest& r) { return AnswerTo(r, std::string(200, '\x91')); },
      [](const FakeRequest& r) { return AnswerTo(r, "\x90"); },
      [](const FakeRequest& r) { return AnswerTo(r, "\x93\xff\xff\xff"); },
  };
  for (size_t i = 0; i < std::size(garbage); ++i) {
    Distort distort = garbage[i];
    Fake fake({{false,
                [distort](FakeConnection& c) {
                  c.SendRaw(distort(c.ReceiveType(MessageType::kListTypes)));
                  ServeClears(c);
                }},
               {true, [](FakeConnection& c) { ServeClears(c); }}});
    Connected client(fake.daemon.path());
    Status status = client->ListTypes().status();
    EXPECT_THAT(status.code(), AnyOf(Code::kProtocol, Code::kVersion, Code::kLimit, Code::kCorrupt))
        << i << ": " << status.ToString();
    Status next = client->Clear().status();
    EXPECT_TRUE(next.ok()) << i << ": " << next.ToString();
  }
}

// ---- descriptors -----------------------------------------------------------------------------------

int OpenDescriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

// Files that are no shared memory of a daemon, and one that is.
struct Files {
  testing::TempFolder folder;
  FakeMemory memory;
  Fd regular, empty, unsealed, tiny, null, pipe_end;

  Files() {
    regular = Fd(open((folder / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(ftruncate(regular.get(), 1 << 20), 0);
    empty = Fd(open((folder / "empty").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    unsealed = std::move(shm::CreateMemory("unsealed", 1 << 20)).value();
    tiny = std::move(shm::CreateMemory("tiny", 16)).value();
    EXPECT_TRUE(shm::AddSeals(tiny, shm::Seals::kClientWritten).ok());
    null = Fd(open("/dev/null", O_RDWR | O_CLOEXEC));
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pipe_end = Fd(ends[0]);
    close(ends[1]);
  }
  std::vector<int> wrong() const {
    return {regular.get(), empty.get(), unsealed.get(), tiny.get(), null.get(), pipe_end.get()};
  }
};

void WelcomeWith(FakeConnection& connection, const std::vector<int>& files) {
  FakeRequest hello = connection.ReceiveType(MessageType::kHello);
  wire::Welcome welcome;
  welcome.instance = FakeMemory::kInstance;
  welcome.epoch = 1;
  welcome.version = "fake";
  std::string body;
  welcome.Encode(&body);
  if (!hello.ended) connection.Send(hello.header, body, files);
}

TEST(BrokenDaemon, AWelcomeWithFilesThatAreNoSharedMemoryIsRefusedAndNothingIsLeftOpen) {
  Files files;
  int good[] = {files.memory.index_fd.get(), files.memory.directory_fd.get(),
                files.memory.pins_fd.get()};
  std::vector<std::vector<int>> sets = {{}, {good[0]}, {good[0], good[1]}};
  sets.push_back({good[0], good[1], good[2], good[2]});
  sets.push_back({good[1], good[0], good[2]});
  for (int wrong : files.wrong()) {
    for (int place = 0; place < 3; ++place) {
      sets.emplace_back(std::begin(good), std::end(good));
      sets.back()[static_cast<size_t>(place)] = wrong;
    }
  }
  // Once before counting: what the first client of a process opens stays open.
  for (size_t i = 0, before = 0; i <= sets.size(); ++i) {
    const std::vector<int>& set = sets[i == 0 ? 0 : i - 1];
    {
      FakeDaemon daemon({[&set](FakeConnection& c) {
        WelcomeWith(c, set);
        ServeNothing(c);
      }});
      Status status = Connect(daemon.path(), 30'000).status();
      EXPECT_THAT(status.code(), AnyOf(Code::kProtocol, Code::kCorrupt))
          << i << ": " << status.ToString();
    }
    auto open = static_cast<size_t>(OpenDescriptors());
    if (i == 0) before = open;
    EXPECT_EQ(open, before) << i;
  }
}

TEST(BrokenDaemon, ASegmentThatIsNoSharedMemoryIsRefusedAndTheClientGoesOn) {
  Files files;
  std::vector<int> wrong = files.wrong();
  Fake fake({{false, [&](FakeConnection& c) {
                for (size_t i = 0;; ++i) {
                  FakeRequest request = c.ReceiveType(MessageType::kSegment);
                  if (request.ended) return;
                  int fd = i < wrong.size() ? wrong[i] : files.memory.segment_fd.get();
                  std::string body;
                  wire::SegmentAnswer{FakeMemory::kSegmentSize}.Encode(&body);
                  c.Send(request.header, body, {fd});
                }
              }}});
  Connected client(fake.daemon.path());
  Patience patience = client->PatienceOf();
  Session* session = *client->EnsureSession(patience);
  for (size_t i = 0; i < wrong.size(); ++i) {
    Status status = client->EnsureSegment(session, 1, /*writable=*/false, patience);
    EXPECT_EQ(status.code(), Code::kCorrupt) << i << ": " << status.ToString();
    EXPECT_EQ(session->At(shm::MakeLocation(1, 64), 0, 1), nullptr);
  }
  Status status = client->EnsureSegment(session, 1, /*writable=*/false, patience);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_NE(session->At(shm::MakeLocation(1, 64), 0, 1), nullptr);
}

TEST(BrokenDaemon, DescriptorsThatAnAnswerDoesNotSpeakOfEndTheConnection) {
  Files files;
  Fake fake({{false,
              [&](FakeConnection& c) {
                FakeRequest request = c.ReceiveType(MessageType::kListTypes);
                // Said to be none: the frame's header is made by hand, the descriptor comes beside it.
                c.SendBeside(AnswerTo(request, wire::EncodeEmpty()), files.null.get());
                ServeClears(c);
              }},
             {true, [](FakeConnection& c) { ServeClears(c); }}});
  Connected client(fake.daemon.path());
  Status status = client->ListTypes().status();
  EXPECT_EQ(status.code(), Code::kProtocol) << status.ToString();
  EXPECT_THAT(status.text(), HasSubstr("more descriptors"));
  EXPECT_TRUE(client->Clear().ok());
}

}  // namespace
}  // namespace vineyard::client

#include "tests/support/two_users.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "core/shm/layout.h"

namespace vineyard::testing {
namespace {

using wire::MessageType;

size_t DescriptorsOf(pid_t pid) {
  std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

void TwoUsers::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(chmod(folder_.path().c_str(), 0777), 0);
}

void TwoUsers::Begin(const std::vector<std::string>& arguments) {
  Vineyardd::Bare bare;
  bare.arguments = {"--size=512Mi",      "--quota=64Mi",    "--meta=local",
                    "--log-level=debug", "--allow-uid=any", "--socket=" + socket_};
  bare.arguments.insert(bare.arguments.end(), arguments.begin(), arguments.end());
  daemon_ = std::make_unique<Vineyardd>(bare);
  ASSERT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
  pid_ = daemon_->daemon();
  root_ = std::make_unique<RawClient>(socket_);
  ASSERT_TRUE(root_->Hello(1).ok());
  ASSERT_TRUE(root_->PutBytes("root's", 1).status().ok());
  memory_ = root_->Number("memory_taken");
  descriptors_ = DescriptorsOf(pid_);
  files_ = daemon_->MemoryFiles();
}

void TwoUsers::TearDown() {
  if (daemon_ == nullptr || root_ == nullptr) return;
  EXPECT_TRUE(IsRunning(pid_));
  EXPECT_EQ(root_->Number("pid"), static_cast<uint64_t>(pid_)) << "another one serves";
  EXPECT_EQ(daemon_->log().find("died"), std::string::npos) << daemon_->log();
  std::string said;
  EXPECT_EQ(Fsck(&said), fsck_) << said;
  for (uid_t uid : {kVictim, kAttacker, kThird}) {
    RawClient client = Session(uid);
    uint64_t number = 0;
    EXPECT_TRUE(Clear(&client, ++number).status().ok()) << uid;
    EXPECT_TRUE(client.CallRaw(MessageType::kTrim).status().ok()) << uid;
    wire::Attach attach;
    attach.share = wire::Share::kAll;
    Result<wire::AttachAnswer> shared = client.Attach(attach);  // there may be no room to make it
    if (!shared.ok()) continue;
    client.audience = shared->audience;
    EXPECT_TRUE(Clear(&client, ++number).status().ok()) << uid;
  }
  // Nothing of what strangers had is left.
  while (root_->Number("audiences") > 1) {
    ASSERT_NE(daemon_->WaitForLine("it ends, nothing is there"), "") << daemon_->log();
  }
  EXPECT_EQ(root_->Number("memory_taken"), memory_);
  EXPECT_EQ(daemon_->MemoryFiles(), files_);
  EXPECT_EQ(DescriptorsOf(pid_), descriptors_);
  root_.reset();
  EXPECT_EQ(daemon_->Terminate(), 0);
}

// ---- who -------------------------------------------------------------------------------------------

RawClient TwoUsers::ConnectAs(uid_t uid, const std::vector<gid_t>& groups) const {
  std::unique_ptr<RawClient> client;
  std::thread([&] {
    // Not the functions of the C library, which change every thread.
    bool is_somebody = syscall(SYS_setgroups, groups.size(), groups.data()) == 0 &&
                       syscall(SYS_setresgid, -1, uid, -1) == 0 &&
                       syscall(SYS_setresuid, -1, uid, -1) == 0;
    if (!is_somebody) std::abort();
    client = std::make_unique<RawClient>(socket_);
  }).join();
  return std::move(*client);
}

RawClient TwoUsers::Session(uid_t uid, const std::vector<gid_t>& groups) {
  RawClient client = ConnectAs(uid, groups);
  auto welcome = client.Hello(++next_session_);
  EXPECT_TRUE(welcome.ok()) << welcome.status().ToString();
  return client;
}

uint16_t TwoUsers::Share(RawClient* client, wire::Share share, gid_t gid) {
  wire::Attach attach;
  attach.share = share;
  attach.gid = gid;
  auto attached = client->Attach(attach);
  EXPECT_TRUE(attached.ok()) << attached.status().ToString();
  if (attached.ok()) client->audience = attached->audience;
  return client->audience;
}

// ---- what ------------------------------------------------------------------------------------------

TwoUsers::Lease TwoUsers::MakeLease(RawClient* client, uint64_t number, uint64_t size) {
  Lease made;
  auto lease = client->Call(MessageType::kLease, wire::Lease{BlobKind::kBuffer, size}, number)
                   .As<wire::LeaseAnswer>();
  EXPECT_TRUE(lease.ok()) << lease.status().ToString();
  if (!lease.ok()) return made;
  made.id = lease->id;
  made.segment = shm::SegmentOf(lease->location);
  Envelope envelope = EnvelopeOf(BlobKind::kBuffer, size);
  made.offset = shm::OffsetOf(lease->location) + envelope.skip() + envelope.before;
  Received segment = Segment(client, made.segment, /*writable=*/true);
  auto answer = segment.As<wire::SegmentAnswer>();
  EXPECT_TRUE(answer.ok()) << answer.status().ToString();
  if (!answer.ok()) return made;
  made.file_size = answer->size;
  made.writable = std::move(segment.descriptors.at(0));
  return made;
}

Received TwoUsers::PutLease(RawClient* client, ObjectId lease, uint64_t number, uint64_t size) {
  Tree tree;
  TreeNode node;
  node.type = TreeNode::Type::kLeasedBlob;
  node.lease = lease;
  node.value_size = size;
  tree.nodes.push_back(node);
  std::string body;
  wire::EncodeTree(tree, &body);
  return client->CallRaw(MessageType::kPut, body, number);
}

ObjectId TwoUsers::PutLarge(RawClient* client, char fill, uint64_t* number) {
  Lease lease = MakeLease(client, ++*number);
  std::string bytes(kLarge, fill);
  EXPECT_EQ(pwrite(lease.writable.get(), bytes.data(), kLarge, static_cast<off_t>(lease.offset)),
            static_cast<ssize_t>(kLarge));
  lease.writable.Reset();
  Status put = PutLease(client, lease.id, ++*number).status();
  EXPECT_TRUE(put.ok()) << put.ToString();
  return lease.id;
}

ObjectId TwoUsers::PutSmall(RawClient* client, std::string_view bytes, uint64_t* number) {
  auto put = client->PutBytes(bytes, ++*number).As<wire::MutationAnswer>();
  EXPECT_TRUE(put.ok()) << put.status().ToString();
  return put.ok() ? put->id : kInvalidId;
}

Received TwoUsers::Segment(RawClient* client, uint32_t number, bool writable) {
  return client->Call(MessageType::kSegment, wire::SegmentRequest{number, writable});
}

Received TwoUsers::Delete(RawClient* client, ObjectId id, uint64_t number) {
  wire::Delete message;
  message.ids.push_back(id);
  return client->Call(MessageType::kDelete, message, number);
}

Received TwoUsers::Clear(RawClient* client, uint64_t number) {
  return client->CallRaw(MessageType::kClear, "\x90", number);
}

// ---- memory ----------------------------------------------------------------------------------------

TwoUsers::Slot TwoUsers::SlotOf(RawClient* client, ObjectId id, size_t at) {
  const Fd& index = client->files.at(at);
  constexpr uint64_t kLooked = 4096;
  std::vector<uint64_t> words(kLooked * 8);
  (void)!pread(index.get(), words.data(), words.size() * 8, shm::kSlotsOffset);
  for (uint64_t i = 0; i < kLooked; ++i) {
    shm::SlotFields fields;
    std::memcpy(static_cast<void*>(&fields), &words[i * 8 + 1], sizeof fields);
    bool is_there = shm::StateOf(words[i * 8]) == shm::SlotState::kSealed;
    if (is_there && fields.id == id && shm::IsBlobKind(fields.kind)) {
      return {i, fields.owner, shm::OffsetOf(fields.location) + fields.skip + fields.before,
              shm::SegmentOf(fields.location)};
    }
  }
  return {};
}

std::string TwoUsers::Read(RawClient* client, ObjectId id, size_t size, size_t at) {
  Slot slot = SlotOf(client, id, at);
  if (slot.number == UINT64_MAX) return "";
  Received segment = Segment(client, slot.segment);
  if (!segment.status().ok() || segment.descriptors.size() != 1) return "";
  std::string bytes(size, '\0');
  ssize_t got =
      pread(segment.descriptors[0].get(), bytes.data(), size, static_cast<off_t>(slot.offset));
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

void TwoUsers::GrantFirst(RawClient* client) {
  Status granted = client->Call(MessageType::kGrant, wire::Grant{0}).status();
  EXPECT_TRUE(granted.ok()) << granted.ToString();
}

void TwoUsers::Scribble(RawClient* client, size_t at, uint64_t word, uint64_t first,
                        uint64_t count) {
  std::vector<uint64_t> words(count, word);
  EXPECT_EQ(
      pwrite(client->files.at(at).get(), words.data(), count * 8, static_cast<off_t>(first * 8)),
      static_cast<ssize_t>(count * 8));
}

// ---- afterwards --------------------------------------------------------------------------------------

int TwoUsers::Fsck(std::string* text) const {
  Vineyardd::Bare bare;
  bare.arguments = {"--fsck", socket_};
  Vineyardd fsck(bare);
  int status = fsck.WaitForEnd();
  *text = fsck.log();
  return status;
}

bool TwoUsers::WaitForNumber(RawClient* client, std::string_view name, uint64_t value) {
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (client->Number(name) != value) {
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

}  // namespace vineyard::testing

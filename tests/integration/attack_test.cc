// What another user can say to the daemon, true or false: nothing of somebody else's is read, found, named, changed
// or waited for, and nobody is kept from going on.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/object/pack.h"
#include "core/shm/layout.h"
#include "tests/support/two_users.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::MessageType;

class Attack : public TwoUsers {
 protected:
  // A daemon; the victim's, for itself alone and for all, one small and one large each, and named so.
  void BeginWithVictim(const std::vector<std::string>& arguments = {}) {
    Begin(arguments);
    if (HasFailure()) return;
    victim_ = std::make_unique<RawClient>(Session(kVictim));
    auto welcome = victim_->last.As<wire::Welcome>();
    own_ = welcome->audience;
    instance_ = welcome->instance;
    secret_ = PutSmall(victim_.get(), "secret", &number_);
    large_ = PutLarge(victim_.get(), 's', &number_);
    ASSERT_TRUE(Name(victim_.get(), "mine", secret_, ++number_).status().ok());
    all_ = Share(victim_.get(), wire::Share::kAll);
    shared_ = PutSmall(victim_.get(), "shared", &number_);
    ASSERT_TRUE(Name(victim_.get(), "ours", shared_, ++number_).status().ok());
  }
  void TearDown() override {
    if (victim_ != nullptr) {
      victim_->audience = 0;
      EXPECT_EQ(Read(victim_.get(), secret_, 6), "secret");
      EXPECT_EQ(Read(victim_.get(), large_, kLarge), std::string(kLarge, 's'));
      EXPECT_EQ(NamedBy(victim_.get(), "mine"), secret_);
      victim_->audience = all_;
      EXPECT_EQ(Read(victim_.get(), shared_, 6, 3), "shared");
      EXPECT_EQ(NamedBy(victim_.get(), "ours"), shared_);
      victim_.reset();
    }
    TwoUsers::TearDown();
  }
  static Received Name(RawClient* client, std::string_view name, ObjectId id, uint64_t number,
                       bool replace = false) {
    wire::PutName message;
    message.name = name;
    message.id = id;
    message.replace = replace;
    return client->Call(MessageType::kPutName, message, number);
  }
  static wire::ListNamesAnswer Names(RawClient* client) {
    wire::ListNames list{"*", "", 100};
    wire::ListNamesAnswer all;
    for (std::string cursor;;) {
      list.after = cursor;
      auto page = client->Call(MessageType::kListNames, list).As<wire::ListNamesAnswer>();
      if (!page.ok()) return all;
      for (auto& item : page->names) all.names.push_back(item);
      cursor = page->cursor;
      if (cursor.empty()) return all;
    }
  }
  static ObjectId NamedBy(RawClient* client, const std::string& name) {
    for (const auto& item : Names(client).names) {
      if (item.name == name) return item.id;
    }
    return kInvalidId;
  }
  static std::vector<ObjectId> List(RawClient* client) {
    wire::List list;
    list.type_glob = "*";
    list.limit = 100;
    std::vector<ObjectId> ids;
    for (std::string cursor;;) {
      list.after = cursor;
      auto page = client->Call(MessageType::kList, list).As<wire::ListAnswer>();
      if (!page.ok()) return ids;
      ids.insert(ids.end(), page->ids.begin(), page->ids.end());
      cursor = page->cursor;
      if (cursor.empty()) return ids;
    }
  }

  std::unique_ptr<RawClient> victim_;
  uint64_t number_ = 0, instance_ = 0;
  uint16_t own_ = 0, all_ = 0;
  ObjectId secret_ = kInvalidId, large_ = kInvalidId, shared_ = kInvalidId;
};

// ---- what is not one's own -----------------------------------------------------------------------------

TEST_F(Attack, NothingOfAnotherIsFoundByItsIdOrByOnesAround) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  ASSERT_EQ(victim_->Find(shared_).status().code(), Code::kOk);
  for (ObjectId known : {secret_, large_}) {
    for (int64_t near = -40; near <= 40; ++near) {
      for (uint64_t blob : {uint64_t{0}, uint64_t{1} << 63}) {
        ObjectId id = ((known + near) & ~(uint64_t{1} << 63)) | blob;
        EXPECT_EQ(attacker.Find(id).status().code(), Code::kNotFound) << near;
        EXPECT_EQ(Delete(&attacker, id, ++number).status().code(), Code::kNotFound) << near;
      }
    }
    wire::Find labels;
    labels.id = known;
    labels.labels = true;
    EXPECT_EQ(attacker.Call(MessageType::kFind, labels).status().code(), Code::kNotFound);
    wire::SetLabels set;
    set.id = known;
    set.labels.emplace_back("a", "b");
    EXPECT_EQ(attacker.Call(MessageType::kSetLabels, set, ++number).status().code(),
              Code::kNotFound);
    EXPECT_EQ(Name(&attacker, "stolen", known, ++number).status().code(), Code::kNotFound);
    EXPECT_EQ(
        attacker.Call(MessageType::kPersist, wire::Persist{{known}}, ++number).status().code(),
        Code::kNotFound);
    Tree tree;
    TreeNode node;
    node.type_name = "example::Thief";
    node.fields = "\x80";
    node.members.push_back({"member", false, known});
    tree.nodes.push_back(node);
    std::string body;
    wire::EncodeTree(tree, &body);
    EXPECT_EQ(attacker.CallRaw(MessageType::kPut, body, ++number).status().code(), Code::kNotFound);
  }
  EXPECT_EQ(attacker.FindName("mine").status().code(), Code::kNotFound);
  EXPECT_EQ(attacker.Call(MessageType::kDropName, wire::DropName{"mine"}, ++number).status().code(),
            Code::kNotFound);
  // What is shared it sees, and nothing else.
  EXPECT_EQ(List(&attacker), std::vector<ObjectId>{shared_});
  EXPECT_EQ(NamedBy(&attacker, "ours"), shared_);
  EXPECT_EQ(NamedBy(&attacker, "mine"), kInvalidId);
}

TEST_F(Attack, NoNumberOfAnAudienceLeadsToWhatIsNotForOne) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  uint16_t its = attacker.last.As<wire::Welcome>()->audience;
  wire::Find find;
  find.id = secret_;
  wire::Delete all;
  all.ids = {secret_, large_, shared_};
  for (uint32_t audience = 0; audience <= UINT16_MAX; ++audience) {
    attacker.audience = static_cast<uint16_t>(audience);
    Code code = attacker.Call(MessageType::kFind, find).status().code();
    bool is_shared = audience == all_;  // it is there, and this session is not attached to it
    ASSERT_EQ(code, is_shared ? Code::kUnavailable : Code::kNotFound) << audience;
    code = attacker.Call(MessageType::kDelete, all, ++number).status().code();
    ASSERT_EQ(code, is_shared ? Code::kPermission : Code::kNotFound) << audience;
    if (audience > 64 && audience % 1024 != 0) continue;
    for (MessageType type : {MessageType::kClear, MessageType::kList, MessageType::kListNames,
                             MessageType::kStatus, MessageType::kTrim, MessageType::kSegment}) {
      code = attacker.CallRaw(type, "\x90", number + 1).status().code();
      if (audience == 0 || audience == its || is_shared) {
        if (!attacker.connected() || code == Code::kProtocol) break;
        continue;
      }
      EXPECT_EQ(code, Code::kNotFound) << audience;
    }
    attacker = Session(kAttacker);
    number = 0;
    its = attacker.last.As<wire::Welcome>()->audience;
  }
  for (uint16_t audience : {uint16_t{1}, own_, uint16_t{UINT16_MAX}}) {
    wire::Attach attach;
    attach.audience = audience;
    EXPECT_EQ(attacker.Attach(attach).status().code(), Code::kNotFound) << audience;
    EXPECT_TRUE(attacker.last.descriptors.empty());
  }
}

TEST_F(Attack, WhatIsSharedIsChangedByItsOwnerAlone) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  wire::Attach attach;
  attach.audience = all_;
  ASSERT_TRUE(attacker.Attach(attach).ok());
  attacker.audience = all_;
  ASSERT_EQ(attacker.Find(shared_).status().code(), Code::kOk);
  wire::SetLabels set;
  set.id = shared_;
  set.labels.emplace_back("a", "b");
  for (const Status& refused :
       {Delete(&attacker, shared_, ++number).status(), Clear(&attacker, ++number).status(),
        attacker.CallRaw(MessageType::kTrim).status(), attacker.PutBytes("x", ++number).status(),
        Name(&attacker, "n", shared_, ++number).status(),
        Name(&attacker, "ours", shared_, ++number, true).status(),
        attacker.Call(MessageType::kDropName, wire::DropName{"ours"}, ++number).status(),
        attacker.Call(MessageType::kSetLabels, set, ++number).status(),
        attacker.Call(MessageType::kLease, wire::Lease{BlobKind::kBuffer, kLarge}, ++number)
            .status(),
        attacker.Call(MessageType::kPersist, wire::Persist{{shared_}}, ++number).status(),
        attacker.Call(MessageType::kForgetInstance, wire::ForgetInstance{instance_}, ++number)
            .status()}) {
    EXPECT_EQ(refused.code(), Code::kPermission) << refused.ToString();
    EXPECT_THAT(refused.text(), HasSubstr(": this belongs to uid 1001"));
  }
}

TEST_F(Attack, ALeaseOfAnotherIsNeitherSealedNorDroppedNorWritten) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  for (uint16_t where : {uint16_t{0}, all_}) {
    victim_->audience = where;
    Lease lease = MakeLease(victim_.get(), ++number_);
    for (uint16_t audience : {uint16_t{0}, own_, all_}) {
      attacker.audience = audience;
      for (int64_t near = -3; near <= 3; ++near) {
        ObjectId id = lease.id + near;
        EXPECT_FALSE(PutLease(&attacker, id, ++number).status().ok());
        EXPECT_FALSE(
            attacker.Call(MessageType::kDropLease, wire::DropLease{id}, ++number).status().ok());
      }
      for (uint32_t segment = 0; segment < 70; ++segment) {
        EXPECT_FALSE(Segment(&attacker, segment, /*writable=*/true).status().ok());
      }
    }
    EXPECT_TRUE(PutLease(victim_.get(), lease.id, ++number_).status().ok());
    EXPECT_TRUE(Delete(victim_.get(), lease.id, ++number_).status().ok());
  }
}

TEST_F(Attack, WhoWaitsForAnothersIsNotToldWhenItComes) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  wire::Find wait;
  wait.name = "soon";
  wait.timeout_ms = 700;
  std::string body;
  wait.Encode(&body);
  ASSERT_TRUE(attacker.SendFrame(MessageType::kWait, body));
  wait.name = "";
  wait.id = secret_ + 10;  // the victim's next ones are around
  wait.Encode(&(body = ""));
  ASSERT_TRUE(attacker.SendFrame(MessageType::kWait, body));
  victim_->audience = 0;
  for (int i = 0; i < 20; ++i) PutSmall(victim_.get(), "new", &number_);
  ASSERT_TRUE(Name(victim_.get(), "soon", secret_, ++number_).status().ok());
  EXPECT_EQ(attacker.Receive().status().code(), Code::kTimeout);
  EXPECT_EQ(attacker.Receive().status().code(), Code::kTimeout);
  EXPECT_EQ(victim_->FindName("soon").status().code(), Code::kOk);
}

// ---- names ---------------------------------------------------------------------------------------------

TEST_F(Attack, AStrangersNameShadowsNobodysOwn) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  uint64_t number = 0;
  uint16_t its = Share(&attacker, wire::Share::kAll);
  ObjectId bait = PutSmall(&attacker, "bait", &number);
  for (const char* name : {"mine", "ours", "new"}) {
    EXPECT_TRUE(Name(&attacker, name, bait, ++number).status().ok()) << name;
  }
  victim_->audience = 0;
  auto mine = victim_->FindName("mine").As<wire::FindAnswer>();
  ASSERT_TRUE(mine.ok());
  EXPECT_EQ(mine->audience, own_);
  EXPECT_EQ(NamedBy(victim_.get(), "mine"), secret_);
  // What it shared itself is not its own store's, but it was there first.
  EXPECT_EQ(NamedBy(victim_.get(), "ours"), shared_);
  // A name that nobody else has is the attacker's, and says so.
  auto only = victim_->FindName("new").As<wire::FindAnswer>();
  ASSERT_TRUE(only.ok());
  EXPECT_EQ(only->audience, its);
  EXPECT_EQ(Name(victim_.get(), "new", secret_, ++number_).status().code(), Code::kOk);
  EXPECT_EQ(NamedBy(victim_.get(), "new"), secret_);
}

// ---- who one is ------------------------------------------------------------------------------------------

TEST_F(Attack, ASessionIsResumedByNobodyElseNotEvenWithItsToken) {
  BeginWithVictim();
  // Where something is shared the id of the session that put it can be read.
  RawClient reader = Session(kAttacker);
  wire::Attach attach;
  attach.audience = all_;
  ASSERT_TRUE(reader.Attach(attach).ok());
  uint64_t session = SlotOf(&reader, shared_, 3).owner;
  ASSERT_NE(session, 0u);
  for (uint64_t token : {session * 3, uint64_t{0}, UINT64_MAX}) {  // the first one is the victim's
    RawClient attacker = ConnectAs(kAttacker);
    EXPECT_EQ(attacker.Hello(session, token).status().code(), Code::kExists);
    EXPECT_TRUE(attacker.files.empty());
    EXPECT_TRUE(attacker.Ended());
  }
  RawClient same_user = ConnectAs(kVictim);
  EXPECT_EQ(same_user.Hello(session, session * 3 + 1).status().code(), Code::kExists);
  // While the victim is away.
  std::vector<Fd> kept = std::move(victim_->files);
  victim_->Close();
  while (root_->Number("connections") != 2) {
  }
  RawClient attacker = ConnectAs(kAttacker);
  auto welcome = attacker.Hello(session, session * 3);
  EXPECT_FALSE(welcome.ok() && welcome->resumed) << "at most one of its own";
  attacker.audience = all_;
  EXPECT_EQ(attacker.Find(shared_).status().code(), Code::kUnavailable);
  EXPECT_FALSE(Delete(&attacker, shared_, 1).status().ok());
  *victim_ = ConnectAs(kVictim);
  auto again = victim_->Hello(session);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_TRUE(again->resumed);
  EXPECT_TRUE(attacker.Ended());
  victim_->files = std::move(kept);
}

TEST_F(Attack, WhoHasNoNumberOfItsOwnIsNotServed) {
  Begin();
  RawClient nobody = ConnectAs(65534);
  Status refused = nobody.Hello(77).status();
  EXPECT_EQ(refused.code(), Code::kPermission);
  EXPECT_THAT(refused.text(), HasSubstr("uid is 65534"));
  EXPECT_TRUE(nobody.files.empty());
}

TEST_F(Attack, AGroupsAudienceIsForWhoIsInIt) {
  BeginWithVictim();
  RawClient member = Session(kVictim, {kTeam}), attacker = Session(kAttacker, {kTeam + 1});
  uint64_t number = 0;
  uint16_t team = Share(&member, wire::Share::kGid, kTeam);
  ObjectId id = PutSmall(&member, "team", &number);
  wire::Attach attach;
  attach.share = wire::Share::kGid;
  for (gid_t gid : {kTeam, gid_t{0}, gid_t{kVictim}, gid_t{UINT32_MAX}}) {
    attach.gid = gid;
    Status refused = attacker.Attach(attach).status();
    EXPECT_EQ(refused.code(), Code::kPermission) << gid;
    EXPECT_THAT(refused.text(), HasSubstr("is not in group"));
  }
  attach.audience = team;
  EXPECT_EQ(attacker.Attach(attach).status().code(), Code::kNotFound);
  EXPECT_EQ(attacker.Find(id).status().code(), Code::kNotFound);
  RawClient colleague = Session(kThird, {kTeam});
  EXPECT_TRUE(colleague.Attach(attach).ok());
  EXPECT_EQ(colleague.Find(id).status().code(), Code::kOk);
  EXPECT_TRUE(Clear(&member, ++number).status().ok());
}

TEST_F(Attack, OnlyTheDaemonsUserUpgradesAndAuditsAndPersists) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  for (bool begin : {false, true}) {
    EXPECT_EQ(attacker.Call(MessageType::kUpgrade, wire::Upgrade{begin}).status().code(),
              Code::kPermission);
  }
  EXPECT_EQ(attacker.CallRaw(MessageType::kAudit).status().code(), Code::kPermission);
  EXPECT_EQ(root_->CallRaw(MessageType::kAudit).status().code(), Code::kOk);
}

// What a user is told of the daemon is what concerns its own stores.
TEST_F(Attack, TheDaemonsNumbersAreToldToItsUserAndToOthersTheirOwn) {
  BeginWithVictim();
  RawClient attacker = Session(kAttacker);
  RawClient second = Session(kAttacker);
  for (const char* name : {"waits", "program_device", "program_inode"}) {
    EXPECT_EQ(attacker.Number(name), UINT64_MAX) << name;
    EXPECT_NE(root_->Number(name), UINT64_MAX) << name;
  }
  EXPECT_EQ(attacker.Number("connections"), 2u);
  EXPECT_GE(root_->Number("connections"), 4u);
  EXPECT_EQ(attacker.Number("audiences"), 1u);
  EXPECT_EQ(root_->Number("audiences"), 4u);
  uint64_t all = root_->Number("memory_taken"), its = attacker.Number("memory_taken");
  EXPECT_GT(its, 0u);
  EXPECT_LT(its, all / 2);
  uint64_t victims = victim_->Number("memory_taken");
  ASSERT_NE(PutLarge(victim_.get(), 'v', &number_), kInvalidId);
  EXPECT_GT(victim_->Number("memory_taken"), victims);
  EXPECT_EQ(attacker.Number("memory_taken"), its) << "and not what another puts";
  EXPECT_NE(attacker.Number("instance"), root_->Number("instance"));
}

// Who looks whether all is in order is no owner.
TEST_F(Attack, TheDaemonsUserMayLookAtWhatIsOthersAndChangesNothingThere) {
  BeginWithVictim();
  RawClient root(socket_);
  ASSERT_TRUE(root.Hello(2).ok());
  for (uint16_t audience : {own_, all_}) {
    wire::Attach attach;
    attach.audience = audience;
    ASSERT_TRUE(root.Attach(attach).ok());
    root.audience = audience;
    uint64_t number = 0;
    for (const Status& refused :
         {Delete(&root, secret_, ++number).status(), Clear(&root, ++number).status(),
          root.PutBytes("x", ++number).status(), Name(&root, "n", shared_, ++number).status(),
          root.CallRaw(MessageType::kTrim).status(),
          root.Call(MessageType::kEvict, wire::Evict{secret_}).status()}) {
      EXPECT_EQ(refused.code(), Code::kPermission) << refused.ToString();
    }
  }
  root.audience = 0;
  EXPECT_EQ(root.Find(secret_).status().code(), Code::kNotFound);
  EXPECT_THAT(List(&root), AllOf(Contains(shared_), Not(Contains(secret_))));
  victim_->audience = 0;
  EXPECT_EQ(victim_->Find(secret_).status().code(), Code::kOk);
}

// ---- how much ----------------------------------------------------------------------------------------------

TEST_F(Attack, OneUserTakesNotAllConnectionsNorAllSessions) {
  BeginWithVictim();
  {
    std::vector<RawClient> many;
    for (int i = 0; i < 1000; ++i) many.push_back(ConnectAs(kAttacker));
    RawClient refused = ConnectAs(kAttacker);
    Status status = refused.Hello(99).status();
    EXPECT_EQ(status.code(), Code::kLimit);
    EXPECT_THAT(status.text(), HasSubstr("uid 1002 has 1000 connections"));
    RawClient third = Session(kThird);
    EXPECT_TRUE(third.PutBytes("x", 1).status().ok());
  }
  // A session outlives its connection while its pin table is kept.
  std::vector<Fd> tables;
  Status status;
  for (uint64_t i = 0; i < 5000 && status.ok(); ++i) {
    RawClient client = ConnectAs(kAttacker);
    status = client.Hello(1'000'000 + i).status();
    if (status.ok()) tables.push_back(std::move(client.files.at(2)));
  }
  EXPECT_EQ(status.code(), Code::kLimit) << tables.size();
  EXPECT_THAT(status.text(), HasSubstr("uid 1002 has 4000 sessions"));
  RawClient third = Session(kThird);
  EXPECT_TRUE(third.PutBytes("x", 1).status().ok());
  tables.clear();
  RawClient attacker = ConnectAs(kAttacker);
  while (attacker.Hello(98).status().code() == Code::kLimit) attacker = ConnectAs(kAttacker);
  EXPECT_EQ(attacker.CallRaw(MessageType::kStatus).status().code(), Code::kOk);
}

// Of one user, a process that is in the group and one that is not.
TEST_F(Attack, WhoIsTurnedAwayIsNotCountedAmongThoseWhoAreServed) {
  Vineyardd daemon(Vineyardd::Bare{
      {"--size=64Mi", "--meta=local", "--allow-gid=2000", "--socket=" + socket_}, {}});
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  pid_t pid = daemon.daemon();
  RawClient member = ConnectAs(kAttacker, {kTeam});
  ASSERT_TRUE(member.Hello(5).ok());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ConnectAs(kAttacker).Hello(6).status().code(), Code::kPermission);
    EXPECT_EQ(member.Number("connections"), 1u);
  }
  EXPECT_EQ(daemon.daemon(), pid);
}

TEST_F(Attack, OneUserMakesNotAllAudiences) {
  BeginWithVictim();
  std::vector<gid_t> groups;
  for (gid_t gid = 3000; gid < 3020; ++gid) groups.push_back(gid);
  RawClient attacker = Session(kAttacker, groups);
  int made = 0;
  Status status;
  for (gid_t gid : groups) {
    wire::Attach attach;
    attach.share = wire::Share::kGid;
    attach.gid = gid;
    status = attacker.Attach(attach).status();
    if (!status.ok()) break;
    ++made;
  }
  // Their tables are charged to it; 16 is the most of anybody's.
  EXPECT_GT(made, 3);
  EXPECT_LT(made, 16);
  EXPECT_EQ(status.code(), Code::kOutOfMemory);
  EXPECT_THAT(status.text(), HasSubstr("by uid 1002: of 64 MiB"));
  RawClient third = Session(kThird);
  Share(&third, wire::Share::kAll);
  EXPECT_TRUE(third.PutBytes("x", 1).status().ok());
}

TEST_F(Attack, AQuotaIsKeptToTheByteAndSaysWhose) {
  BeginWithVictim();
  uint64_t number = 0, before = root_->Number("memory_taken");
  RawClient attacker = Session(kAttacker);
  std::string bytes(64 * kKiB, 'a'), rest(64, 'a');
  std::vector<ObjectId> ids;
  Status refused;
  for (;;) {
    auto put = attacker.PutBytes(bytes, ++number).As<wire::MutationAnswer>();
    refused = put.status();
    if (!put.ok()) break;
    ids.push_back(put->id);
  }
  EXPECT_GT(ids.size(), 56 * kMiB / bytes.size()) << "beside its tables";
  EXPECT_EQ(refused.code(), Code::kOutOfMemory);
  EXPECT_THAT(refused.text(), HasSubstr("uid 1002 uses 64.0 MiB of its quota of 64.0 MiB"));
  while (attacker.PutBytes(rest, ++number).status().ok()) {
  }
  uint64_t taken = root_->Number("memory_taken") - before;
  EXPECT_LE(taken, 64 * kMiB);
  EXPECT_GT(taken, 64 * kMiB - 64 * kKiB);
  EXPECT_FALSE(attacker.PutBytes("x", ++number).status().ok()) << "not one byte more";
  wire::Attach attach;
  attach.share = wire::Share::kAll;
  EXPECT_EQ(attacker.Attach(attach).status().code(), Code::kOutOfMemory) << "nor anywhere else";
  // One goes, one more fits, and not two.
  EXPECT_TRUE(Delete(&attacker, ids.back(), ++number).status().ok());
  Status fits = attacker.PutBytes(bytes, ++number).status();
  EXPECT_TRUE(fits.ok()) << fits.ToString();
  EXPECT_FALSE(attacker.PutBytes(bytes, ++number).status().ok());
  victim_->audience = 0;
  for (int i = 0; i < 32; ++i) PutSmall(victim_.get(), bytes, &number_);
}

}  // namespace
}  // namespace vineyard::testing

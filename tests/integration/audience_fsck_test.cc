// vineyardd --fsck of a daemon that several users share: its own user is told what is wrong with whose, each other
// user what is wrong with its own.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "core/base/bytes.h"
#include "tests/integration/damage.h"
#include "tests/integration/users.h"

namespace vineyard::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kLarge = 300 * kKiB;

class AudienceFsck : public Audiences {
 protected:
  void SetUp() override {
    Audiences::SetUp();
    if (IsSkipped()) return;
    daemon_ = std::make_unique<Vineyardd>(With({"--allow-uid=any"}));
    ASSERT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
    // Where everybody may start it.
    std::filesystem::copy_file(getenv("VINEYARDD"), program_);
    ASSERT_EQ(chmod(program_.c_str(), 0755), 0);
  }
  Fscked FsckAs(uid_t uid, const std::vector<gid_t>& groups = {}) {
    Vineyardd::Bare bare;
    bare.program = program_;
    bare.in_child = [=] { return Become(uid, groups); };
    return Fsck(socket_, bare);
  }
  // What a user does who puts something and stays.
  using Puts = std::vector<std::pair<std::string, int32_t>>;
  std::unique_ptr<Child> Putter(uid_t uid, const Puts& puts) {
    return std::make_unique<Child>([this, uid, puts](Talk& talk) {
      if (!Become(uid, {kTeam})) return 101;
      User user(socket_);
      return Walk(talk, {[&] {
                    for (size_t i = 0; i < puts.size(); ++i) {
                      vineyard_id id = user.Put(puts[i].first, puts[i].second, nullptr,
                                                puts[i].second == VINEYARD_SHARE_GID ? kTeam : 0);
                      if (id == 0 || !Show(&user, id, i)) return false;
                    }
                    return true;
                  }});
    });
  }
  // Its blob, and where that lies: the i-th place of the board.
  bool Show(User* user, vineyard_id id, size_t i) {
    vineyard_object* object = user->Get(id);
    vineyard_blob* blob = nullptr;
    if (object == nullptr || vineyard_object_member_blob(object, "bytes", &blob) != VINEYARD_OK) {
      return false;
    }
    Place place = PlaceOf(vineyard_blob_data(blob));
    board_->ids[i] = vineyard_blob_id(blob);
    places_[i].inode = place.inode;
    places_[i].offset = place.offset;
    vineyard_blob_release(blob);
    vineyard_object_release(object);
    return true;
  }
  // Not of a large one that is shared: the kernel has sealed it.
  void Flip(size_t i) { FlipBit(daemon_->daemon(), places_[i]); }
  std::string Blob(size_t i) const {
    char text[VINEYARD_ID_TEXT_SIZE];
    uint64_t size = sizeof text;
    EXPECT_EQ(vineyard_id_print(board_->ids[i], text, &size), VINEYARD_OK);
    return std::string("blob ") + text;
  }

  std::string program_ = folder_ / "vineyardd";
  std::unique_ptr<Vineyardd> daemon_;
  Place* places_ = static_cast<Place*>(
      mmap(nullptr, 8 * sizeof(Place), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
};

TEST_F(AudienceFsck, OfTheDaemonsUserLooksAtTheBytesOfEveryUser) {
  User root(socket_);
  ASSERT_NE(root.Put("root's"), 0u);
  auto ann = Putter(kAnn, {{User::BytesOf(kLarge, 'a'), VINEYARD_SHARE_DEFAULT},
                           {"small", VINEYARD_SHARE_DEFAULT},
                           {"small, for a team", VINEYARD_SHARE_GID},
                           {"small, for all", VINEYARD_SHARE_ALL}});
  ASSERT_TRUE(Go(ann.get()));
  Fscked good = Fsck(socket_);
  EXPECT_EQ(good.status, 0) << good.text;
  EXPECT_THAT(good.text,
              AllOf(HasSubstr("bytes: for uid 0: 2 objects"), HasSubstr("bytes: for uid 1001: 4 "),
                    HasSubstr("bytes: for group 2000, by uid 1001: 2 "),
                    HasSubstr("bytes: for everybody, by uid 1001: 2 "), HasSubstr(": in order")));

  const char* const whose[] = {"uid 1001", "uid 1001", "group 2000, by uid 1001",
                               "everybody, by uid 1001"};
  for (size_t i = 0; i < 4; ++i) Flip(i);
  Fscked bad = Fsck(socket_);
  EXPECT_EQ(bad.status, 1) << bad.text;
  EXPECT_THAT(bad.text, HasSubstr("4 problems"));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_THAT(bad.text,
                HasSubstr("problem: for " + std::string(whose[i]) + ": " + Blob(i) + ": "));
  }
  // Also behind a daemon that took over.
  ASSERT_EQ(kill(daemon_->daemon(), SIGKILL), 0);
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_THAT(Fsck(socket_).text, HasSubstr("4 problems"));
  // To have been looked at makes nothing the daemon's user's.
  EXPECT_EQ(root.List().size(), 2u) << "its own, and what is for everybody";
  EXPECT_EQ(root.Get(board_->ids[1]), nullptr);
  EXPECT_EQ(root.status, VINEYARD_E_NOT_FOUND);
  EXPECT_EQ(ann->Wait(), 0);
}

TEST_F(AudienceFsck, OfAStrangerLooksAtWhatItOwnsAndTellsNothingOfOthers) {
  auto ann = Putter(kAnn, {{User::BytesOf(kLarge, 'a'), VINEYARD_SHARE_DEFAULT},
                           {"small, for a team", VINEYARD_SHARE_GID},
                           {"small, for all", VINEYARD_SHARE_ALL}});
  ASSERT_TRUE(Go(ann.get()));
  for (size_t i = 0; i < 3; ++i) Flip(i);
  for (const std::vector<gid_t>& groups : {std::vector<gid_t>{}, {kTeam}}) {
    Fscked bobs = FsckAs(kBob, groups);
    EXPECT_EQ(bobs.status, 0) << bobs.text;
    EXPECT_THAT(bobs.text, AllOf(HasSubstr("books: not looked at"), HasSubstr("bytes: 0 objects"),
                                 Not(HasSubstr("1001")), Not(HasSubstr("problem"))));
  }
  Fscked anns = FsckAs(kAnn);
  EXPECT_EQ(anns.status, 1) << anns.text;
  EXPECT_THAT(anns.text,
              AllOf(HasSubstr("problem: for uid 1001: " + Blob(0)),
                    HasSubstr("problem: for group 2000, by uid 1001: " + Blob(1)),
                    HasSubstr("problem: for everybody, by uid 1001: " + Blob(2)),
                    HasSubstr("3 problems"), Not(HasSubstr("1002")), Not(HasSubstr("uid 0:"))));
  EXPECT_EQ(ann->Wait(), 0);
}

}  // namespace
}  // namespace vineyard::testing

// What clear() and trim() of each of several users reach: all that it owns, in whichever audience, and nothing of
// others.
#include <memory>

#include "core/base/bytes.h"
#include "tests/integration/users.h"

namespace vineyard::testing {
namespace {

constexpr uint64_t kLarge = 3 * kMiB + 5;

class AudienceClear : public Audiences {
 protected:
  void SetUp() override {
    Audiences::SetUp();
    if (IsSkipped()) return;
    daemon_ = std::make_unique<Vineyardd>(With({"--allow-uid=any", "--size=256Mi"}));
    ASSERT_TRUE(daemon_->WaitUntilReady()) << daemon_->log();
  }
  // Alone, for its team and for all: places 3 * `who` and on of the board.
  bool PutEverywhere(User* user, int who, const std::string& bytes) {
    const int32_t shares[] = {VINEYARD_SHARE_UID, VINEYARD_SHARE_GID, VINEYARD_SHARE_ALL};
    for (int i = 0; i < 3; ++i) {
      gid_t gid = shares[i] == VINEYARD_SHARE_GID ? kTeam : 0;
      board_->ids[3 * who + i] = user->Put(bytes, shares[i], nullptr, gid);
      if (board_->ids[3 * who + i] == 0) return false;
    }
    return true;
  }
  static uint64_t Clear(User* user) {
    uint64_t count = UINT64_MAX;
    user->status = vineyard_client_clear(user->client, &count);
    return count;
  }
  static uint64_t Trim(User* user) {
    uint64_t bytes = UINT64_MAX;
    user->status = vineyard_client_trim(user->client, &bytes);
    return bytes;
  }
  std::unique_ptr<Vineyardd> daemon_;
};

TEST_F(AudienceClear, DeletesAllThatItsUserOwnsAndNothingOfAnother) {
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {kTeam})) return 101;
    User user(socket_);
    return Walk(talk, {[&] { return PutEverywhere(&user, 0, "ann's"); },
                       [&] {  // another program of ann's, which has met none of it
                         User other(socket_);
                         return Clear(&other) == 6 && Clear(&other) == 0;
                       },
                       [&] {
                         for (int i = 0; i < 3; ++i) {
                           if (user.Get(board_->ids[i]) != nullptr) return false;
                         }
                         return user.List().size() == 2 &&  // of bob: for the team, for all
                                user.Reads(board_->ids[4], "bob's");
                       }});
  });
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {kTeam})) return 101;
    User user(socket_);
    return Walk(talk, {[&] { return PutEverywhere(&user, 1, "bob's"); },
                       [&] {
                         for (int i = 3; i < 6; ++i) {
                           if (!user.Reads(board_->ids[i], "bob's")) return false;
                         }
                         return Clear(&user) == 6 && user.List().empty();
                       }});
  });
  User root(socket_);
  ASSERT_NE(root.Put("root's"), 0u);
  ASSERT_TRUE(Go(&ann));
  ASSERT_TRUE(Go(&bob));
  EXPECT_EQ(Clear(&root), 2u) << "the daemon's user clears its own, too";
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
}

TEST_F(AudienceClear, TrimGivesBackWhatItsUserOwnsAndAsTheDaemonsUserAll) {
  std::string large = User::BytesOf(kLarge, 't');
  auto puts_and_deletes = [&](User* user, int who) {
    if (!PutEverywhere(user, who, large)) return false;
    for (int i = 0; i < 3; ++i) {
      if (user->Delete(board_->ids[3 * who + i]) != VINEYARD_OK) return false;
    }
    return true;
  };
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {kTeam})) return 101;
    User user(socket_);
    return Walk(talk,
                {[&] { return puts_and_deletes(&user, 0); },
                 [&] { return Trim(&user) >= kLarge && Trim(&user) == 0; },
                 [&] { return puts_and_deletes(&user, 0); }, [&] { return Trim(&user) == 0; }});
  });
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {kTeam})) return 101;
    User user(socket_);
    return Walk(talk,
                {[&] { return puts_and_deletes(&user, 1); }, [&] { return Trim(&user) >= kLarge; },
                 [&] { return puts_and_deletes(&user, 1); }, [&] { return Trim(&user) == 0; }});
  });
  ASSERT_TRUE(Go(&ann));
  ASSERT_TRUE(Go(&bob));
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob)) << "what was free of bob's was left to him";
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  User root(socket_);
  EXPECT_GE(Trim(&root), 2 * kLarge);
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
}

}  // namespace
}  // namespace vineyard::testing

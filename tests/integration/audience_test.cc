// Several users of one daemon: what each sees, what they share, who pays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "tests/integration/users.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kLarge = 3 * kMiB + 5;

bool Contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  std::fprintf(stderr, "child: '%s' is not in '%s'\n", part.c_str(), text.c_str());
  return false;
}

TEST_F(Audiences, EachUserSeesWhatItPutAndNothingElse) {
  Vineyardd daemon(With({"--allow-uid=1001,1002"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  std::string secret = User::BytesOf(kLarge, 'a');
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {})) return 101;
    User user(socket_);
    return Walk(talk, {[&] {
                         board_->ids[0] = user.Put("small secret", 0, "mine");
                         board_->ids[1] = user.Put(secret);
                         return board_->ids[0] != 0 && board_->ids[1] != 0 &&
                                user.Reads(board_->ids[1], secret);
                       },
                       [&] { return user.Reads(board_->ids[0], "small secret"); }});
  });
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {})) return 101;
    User user(socket_);
    return Walk(talk, {[&] {
                  vineyard_id id = 0;
                  for (int i : {0, 1}) {
                    if (user.Get(board_->ids[i]) != nullptr || user.status != VINEYARD_E_NOT_FOUND)
                      return false;
                    if (user.Delete(board_->ids[i]) != VINEYARD_E_NOT_FOUND) return false;
                    if (user.Put("x", 0, nullptr, 0, board_->ids[i]) != 0) return false;
                  }
                  if (user.GetName("mine", &id) != VINEYARD_E_NOT_FOUND) return false;
                  if (!user.List().empty()) return false;
                  // The name is free for whoever does not see it.
                  vineyard_id own = user.Put("bob's", 0, "mine");
                  return user.GetName("mine", &id) == VINEYARD_OK && id == own &&
                         user.List().size() == 1;
                }});
  });
  ASSERT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_TRUE(Go(&ann));
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
  // Nor does the daemon's own user see it as its own.
  User root(socket_);
  EXPECT_TRUE(root.List().empty());
}

TEST_F(Audiences, WhatIsSharedIsReadByOthersAndChangedByNobodyElse) {
  Vineyardd daemon(With({"--allow-uid=any"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  std::string large = User::BytesOf(kLarge, 'b');
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {kTeam})) return 101;
    User user(socket_);
    return Walk(talk,
                {[&] {
                   board_->ids[0] = user.Put("for all", VINEYARD_SHARE_ALL, "shared");
                   board_->ids[1] = user.Put(large, VINEYARD_SHARE_ALL);
                   board_->ids[2] = user.Put("for the team", VINEYARD_SHARE_GID, nullptr, kTeam);
                   board_->ids[3] = user.Put("mine");
                   return board_->ids[0] != 0 && board_->ids[1] != 0 && board_->ids[2] != 0 &&
                          board_->ids[3] != 0 && user.Reads(board_->ids[1], large) &&
                          user.List().size() == 4;
                 },
                 [&] {
                   return user.Put("x", VINEYARD_SHARE_GID, nullptr, kOthers) == 0 &&
                          user.status == VINEYARD_E_PERMISSION &&
                          Contains(vineyard_error_text(), "is not in group 2001");
                 },
                 [&] {
                   return user.Put("x", VINEYARD_SHARE_ALL, nullptr, 0, board_->ids[3]) == 0 &&
                          user.status == VINEYARD_E_INVALID &&
                          Contains(vineyard_error_text(), "is for uid 1001 alone");
                 },
                 [&] { return user.Delete(board_->ids[1]) == VINEYARD_OK; }});
  });
  auto reads = [&](uid_t uid, gid_t group, bool is_in_team) {
    return [&, uid, group, is_in_team](Talk& talk) {
      if (!Become(uid, {group})) return 101;
      User user(socket_);
      vineyard_object* held = nullptr;
      return Walk(
          talk,
          {[&] {
             vineyard_id id = 0;
             if (user.GetName("shared", &id) != VINEYARD_OK || id != board_->ids[0]) return false;
             held = user.Get(board_->ids[1]);
             return user.Reads(board_->ids[0], "for all") && User::Holds(held, large) &&
                    vineyard_object_owner_uid(held) == kAnn &&
                    user.Reads(board_->ids[2], "for the team") == is_in_team &&
                    user.List().size() == (is_in_team ? 3u : 2u);
           },
           [&] {
             if (user.Delete(board_->ids[0]) != VINEYARD_E_PERMISSION) return false;
             if (vineyard_label_set(user.client, board_->ids[0], "a", "b") != VINEYARD_E_PERMISSION)
               return false;
             if (vineyard_name_drop(user.client, "shared", nullptr) != VINEYARD_E_PERMISSION)
               return false;
             return Contains(vineyard_error_text(), "belongs to uid 1001");
           },
           [&] {  // it was deleted
             bool same = User::Holds(held, large);
             vineyard_object_release(held);
             return same && user.Get(board_->ids[1]) == nullptr &&
                    user.status == VINEYARD_E_NOT_FOUND;
           }});
    };
  };
  Child bob(reads(kBob, kTeam, true));
  Child carl(reads(1003, kOthers, false));
  ASSERT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_TRUE(Go(&carl));
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_TRUE(Go(&carl));
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_TRUE(Go(&carl));
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
  EXPECT_EQ(carl.Wait(), 0);
  EXPECT_EQ(daemon.log().find("died"), std::string::npos);
}

// Of each audience the state is one of its own, which the daemon's lists.
TEST_F(Audiences, SurviveTheDaemonTheKeeperAndAnUpgrade) {
  Vineyardd daemon(With({"--allow-uid=any"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  std::string large = User::BytesOf(kLarge, 'c');
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {})) return 101;
    User user(socket_);
    return Walk(
        talk,
        {[&] {
           board_->ids[0] = user.Put("mine");
           board_->ids[1] = user.Put(large, VINEYARD_SHARE_ALL, "shared");
           return board_->ids[0] != 0 && board_->ids[1] != 0;
         },
         [&] { return user.Reads(board_->ids[0], "mine") && user.Reads(board_->ids[1], large); },
         [&] { return user.Put("after") != 0 && user.Reads(board_->ids[1], large); },
         [&] { return user.Put("after", VINEYARD_SHARE_ALL) != 0; }});
  });
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {})) return 101;
    User user(socket_);
    vineyard_object* held = nullptr;
    return Walk(talk, {[&] {
                         held = user.Get(board_->ids[1]);
                         return User::Holds(held, large);
                       },
                       [&] {
                         vineyard_id id = 0;
                         return User::Holds(held, large) && user.Reads(board_->ids[1], large) &&
                                user.GetName("shared", &id) == VINEYARD_OK &&
                                user.Get(board_->ids[0]) == nullptr;
                       }});
  });
  ASSERT_TRUE(Go(&ann));
  ASSERT_TRUE(Go(&bob));
  kill(daemon.daemon(), SIGKILL);
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  EXPECT_TRUE(Go(&ann));
  kill(daemon.keeper(), SIGKILL);
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  EXPECT_TRUE(Go(&ann));
  std::string upgrade = std::string(getenv("VINEYARDD")) + " --upgrade " + socket_ + " > /dev/null";
  ASSERT_EQ(system(upgrade.c_str()), 0) << daemon.log();
  EXPECT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
  std::string check = std::string(getenv("VINEYARDD")) + " --fsck " + socket_ + " > /dev/null";
  EXPECT_EQ(system(check.c_str()), 0);
}

TEST_F(Audiences, WithShareAllWhatSaysNothingIsForAll) {
  Vineyardd daemon(With({"--allow-uid=any", "--share=all"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  std::string large = User::BytesOf(kLarge, 'd');
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {})) return 101;
    User user(socket_);
    return Walk(talk, {[&] {
                  board_->ids[2] = user.Put(large);
                  return user.Reads(board_->ids[0], large) && user.Get(board_->ids[1]) == nullptr &&
                         user.Delete(board_->ids[0]) == VINEYARD_E_PERMISSION &&
                         board_->ids[2] != 0;
                }});
  });
  User root(socket_);
  board_->ids[0] = root.Put(large);
  board_->ids[1] = root.Put("root's alone", VINEYARD_SHARE_UID);
  ASSERT_NE(board_->ids[0], 0u);
  ASSERT_NE(board_->ids[1], 0u);
  EXPECT_TRUE(Go(&bob));
  EXPECT_TRUE(root.Reads(board_->ids[2], large));
  EXPECT_EQ(root.Delete(board_->ids[2]), VINEYARD_E_PERMISSION) << vineyard_error_text();
  EXPECT_EQ(root.Delete(board_->ids[1]), VINEYARD_OK);
  EXPECT_EQ(bob.Wait(), 0);
}

TEST_F(Audiences, AreWaitedForListedAndCountedTogether) {
  Vineyardd daemon(With({"--allow-uid=any"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  constexpr int kEach = 25;
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {})) return 101;
    User user(socket_, VINEYARD_SHARE_ALL);
    return Walk(talk, {[&] {
                         for (int i = 0; i < kEach; ++i) {
                           std::string name = "ann" + std::to_string(i);
                           if (user.Put("x", 0, name.c_str()) == 0) return false;
                         }
                         return true;
                       },
                       [&] { return user.Put("late", 0, "late") != 0; }});
  });
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {})) return 101;
    User user(socket_);
    return Walk(
        talk,
        {[&] {
           for (int i = 0; i < kEach; ++i) {
             std::string name = (i % 2 == 0 ? "ann" : "bob") + std::to_string(i);
             if (user.Put("y", 0, name.c_str()) == 0) return false;
           }
           return true;
         },
         [&] {
           std::vector<vineyard_id> ids;
           vineyard_list* list = nullptr;  // in pages of 7
           vineyard_id id = 0;
           if (vineyard_list_open(user.client, "example::*", 7, &list) != VINEYARD_OK) return false;
           while (vineyard_list_next(list, &id) == VINEYARD_OK && id != VINEYARD_ID_INVALID) {
             ids.push_back(id);
           }
           vineyard_list_release(list);
           std::sort(ids.begin(), ids.end());
           bool once = std::adjacent_find(ids.begin(), ids.end()) == ids.end();
           vineyard_name_list* names = nullptr;
           const char* name = nullptr;
           int count = 0;
           if (vineyard_name_list_open(user.client, "*", &names) != VINEYARD_OK) return false;
           while (vineyard_name_list_next(names, &name, &id, nullptr) == VINEYARD_OK && name) {
             ++count;
             vineyard_id known = 0;  // what is listed is what a get finds: one's own
             if (user.GetName(name, &known) != VINEYARD_OK || known != id) return false;
           }
           vineyard_name_list_release(names);
           vineyard_types* types = nullptr;
           uint64_t objects = 0;
           if (vineyard_types_get(user.client, &types) != VINEYARD_OK) return false;
           for (uint64_t i = 0; i < vineyard_types_count(types); ++i) {
             const char* type = nullptr;
             uint64_t of_type = 0;
             vineyard_types_at(types, i, &type, &of_type);
             if (std::strcmp(type, "example::Bytes") == 0) objects += of_type;
           }
           vineyard_types_release(types);
           // 13 of the names are ann's as well.
           return once && ids.size() == 2 * kEach && count == 2 * kEach - 13 &&
                  objects == 2 * kEach;
         },
         [&] {  // waits while it is not there
           vineyard_id id = 0;
           talk.Say('w');
           return vineyard_name_get(user.client, "late", 20'000, &id, nullptr) == VINEYARD_OK &&
                  user.Reads(id, "late");
         }});
  });
  ASSERT_TRUE(Go(&ann));
  ASSERT_TRUE(Go(&bob));
  ASSERT_TRUE(Go(&bob));
  bob.Say('g');
  ASSERT_EQ(bob.Hear(), 'w');
  ASSERT_TRUE(Go(&ann));
  EXPECT_EQ(bob.Hear(), 'd');
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
}

// What is in a child is its own: it attaches again what its parent read.
TEST_F(Audiences, AForkedReaderGoesOnAndReadsOnItsOwn) {
  Vineyardd daemon(With({"--allow-uid=any"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  std::string large = User::BytesOf(kLarge, 'e');
  Child ann([&](Talk& talk) {
    if (!Become(kAnn, {})) return 101;
    User user(socket_);
    return Walk(talk, {[&] {
                  board_->ids[0] = user.Put(large, VINEYARD_SHARE_ALL);
                  board_->ids[1] = user.Put("small", VINEYARD_SHARE_ALL);
                  return board_->ids[0] != 0 && board_->ids[1] != 0;
                }});
  });
  Child bob([&](Talk& talk) {
    if (!Become(kBob, {})) return 101;
    User user(socket_);
    return Walk(talk, {[&] {
                  vineyard_object* held = user.Get(board_->ids[0]);  // its member is not mapped yet
                  if (held == nullptr) return false;
                  Child child([&](Talk&) {
                    bool same = User::Holds(held, large) && user.Reads(board_->ids[0], large) &&
                                user.Reads(board_->ids[1], "small") && user.Put("own") != 0;
                    return same ? 0 : 1;
                  });
                  return child.Wait() == 0 && User::Holds(held, large) &&
                         user.Reads(board_->ids[1], "small");
                }});
  });
  ASSERT_TRUE(Go(&ann));
  EXPECT_TRUE(Go(&bob));
  EXPECT_EQ(ann.Wait(), 0);
  EXPECT_EQ(bob.Wait(), 0);
}

TEST_F(Audiences, EndWhenNothingIsThereAndGiveAllBack) {
  Vineyardd daemon(With({"--allow-uid=any"}));
  ASSERT_TRUE(daemon.WaitUntilReady()) << daemon.log();
  auto files = [&] {
    size_t count = 0;
    for (auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(daemon.daemon()) + "/fd")) {
      count += entry.path().empty() ? 0 : 1;
    }
    return count;
  };
  RawClient watcher(socket_);
  ASSERT_TRUE(watcher.Hello(1).ok());
  ASSERT_TRUE(watcher.PutBytes("x", 1).status().ok());  // its own memory is there
  size_t before = files();
  uint64_t taken = watcher.Number("memory_taken");
  for (int round = 0; round < 3; ++round) {
    Child ann([&](Talk&) {
      if (!Become(kAnn, {kTeam})) return 101;
      User user(socket_);
      std::string large = User::BytesOf(kLarge, 'f');
      vineyard_id ids[] = {user.Put(large), user.Put(large, VINEYARD_SHARE_ALL),
                           user.Put("x", VINEYARD_SHARE_GID, nullptr, kTeam)};
      for (vineyard_id id : ids) {
        if (user.Delete(id) != VINEYARD_OK) return 1;
      }
      return 0;
    });
    ASSERT_EQ(ann.Wait(), 0);
  }
  for (int i = 0; i < 3; ++i) ASSERT_NE(daemon.WaitForLine("it ends, nothing is there"), "");
  while (watcher.Number("audiences") != 1) usleep(10'000);
  EXPECT_LE(files(), before);
  EXPECT_EQ(watcher.Number("memory_taken"), taken);
}

}  // namespace
}  // namespace vineyard::testing

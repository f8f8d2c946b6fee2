// Histories that can be explained, and many that can not: who checks must not believe everything.
#include "tests/cluster/name_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = NameOp::Kind;
using Outcome = NameOp::Outcome;

// One operation, and how it is written here: Put(client, from, to, ...).
struct Step : NameOp {
  Step(Kind what, int who, int64_t from, int64_t to) {
    kind = what;
    client = who;
    name = "n";
    called = from;
    returned = to;
  }
  Step Saw(uint64_t object, uint64_t at = 0) const {
    Step step = *this;
    step.id = object;
    step.revision = at;
    return step;
  }
  Step Done(uint64_t at) const { return Saw(put_id, at); }
  Step Refused(uint64_t object, uint64_t at = 0) const {
    Step step = Saw(object, at);
    step.outcome = Outcome::kRefused;
    return step;
  }
  Step Unknown() const {
    Step step = *this;
    step.outcome = Outcome::kUnknown;
    return step;
  }
  Step Expecting(uint64_t at) const {
    Step step = *this;
    step.expect = at;
    return step;
  }
};
Step Put(int client, int64_t from, int64_t to, uint64_t id) {
  Step step(Kind::kPut, client, from, to);
  step.put_id = id;
  return step;
}
Step Replace(int client, int64_t from, int64_t to, uint64_t id) {
  Step step = Put(client, from, to, id);
  step.replace = true;
  return step;
}
Step Drop(int client, int64_t from, int64_t to) { return {Kind::kDrop, client, from, to}; }
Step Read(int client, int64_t from, int64_t to) { return {Kind::kRead, client, from, to}; }
Step Plain(int client, int64_t from, int64_t to) { return {Kind::kPlain, client, from, to}; }

std::string Check(const std::vector<Step>& steps) {
  return CheckNames({steps.begin(), steps.end()});
}

constexpr char kNoOrder[] = "no order explains it";

// ---- what is done ----------------------------------------------------------------------------------

TEST(NameHistory, OneAfterAnother) {
  EXPECT_THAT(Check({Read(1, 1, 2).Saw(0), Put(1, 3, 4, 10).Done(1), Put(2, 5, 6, 11).Refused(10),
                     Read(2, 7, 8).Saw(10, 1), Replace(2, 9, 10, 11).Done(2),
                     Put(1, 11, 12, 10).Expecting(2).Done(3),
                     Put(2, 13, 14, 11).Expecting(2).Refused(10, 3), Drop(1, 15, 16).Saw(0),
                     Drop(2, 17, 18).Refused(0), Drop(2, 17, 18).Expecting(0).Refused(0),
                     Put(2, 19, 20, 11).Expecting(0).Done(9)}),
              IsEmpty());
}

TEST(NameHistory, WhatIsAtTheSameTimeMayBeInAnyOrder) {
  std::vector<Step> steps = {Put(1, 1, 10, 10).Done(5), Put(2, 1, 10, 11).Refused(10)};
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Read(3, 2, 3).Saw(0));
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Read(3, 4, 5).Saw(10, 5));
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Read(4, 6, 7).Saw(0));
  EXPECT_THAT(Check(steps), HasSubstr(kNoOrder)) << "gone again";
}

TEST(NameHistory, AReadOfWhatWasIsRejected) {
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Read(2, 3, 4).Saw(0)}), HasSubstr(kNoOrder));
  EXPECT_THAT(
      Check({Put(1, 1, 2, 10).Done(1), Replace(1, 3, 4, 11).Done(2), Read(2, 5, 6).Saw(10, 1)}),
      HasSubstr("put n id 11 replace -> done"));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Drop(1, 3, 4), Read(2, 5, 6).Saw(10, 1)}),
              HasSubstr(kNoOrder));
}

TEST(NameHistory, WhatNobodyWroteIsRejected) {
  EXPECT_THAT(Check({Read(1, 1, 2).Saw(10, 1)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Read(1, 1, 2).Saw(10, 1), Put(2, 3, 4, 10).Done(1)}), HasSubstr(kNoOrder))
      << "before it was written";
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Read(1, 3, 4).Saw(10, 2)}), HasSubstr(kNoOrder))
      << "of another revision";
}

TEST(NameHistory, TwoThatWereGivenTheSameAreRejected) {
  EXPECT_THAT(Check({Put(1, 1, 9, 10).Done(1), Put(2, 1, 9, 11).Done(2)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Put(1, 3, 9, 11).Expecting(1).Done(2),
                     Put(2, 3, 9, 12).Expecting(1).Done(3)}),
              HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Drop(1, 3, 9), Drop(2, 3, 9)}), HasSubstr(kNoOrder));
}

TEST(NameHistory, ARefusalWithoutAReasonIsRejected) {
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Refused(11)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Refused(0)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Put(2, 3, 4, 12).Refused(11)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Drop(2, 3, 4).Refused(0)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Put(2, 3, 4, 12).Expecting(1).Refused(10, 1)}),
              HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(2, 3, 4, 12).Expecting(0).Refused(0)}), HasSubstr(kNoOrder));
}

TEST(NameHistory, RevisionsGrow) {
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(5), Replace(1, 3, 4, 11).Done(4)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(5), Replace(1, 3, 4, 10).Done(5)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(5), Drop(1, 3, 4), Put(1, 5, 6, 11).Done(5)}),
              HasSubstr("one revision of two objects"));
}

// ---- what nobody knows -----------------------------------------------------------------------------

TEST(NameHistory, AnUnknownWriteIsAppliedOnceAtAnyTimeOrNever) {
  Step lost = Put(1, 1, 2, 10).Unknown();
  EXPECT_THAT(Check({lost}), IsEmpty());
  EXPECT_THAT(Check({lost, Read(2, 5, 6).Saw(0)}), IsEmpty());
  EXPECT_THAT(Check({lost, Read(2, 5, 6).Saw(0), Read(2, 7, 8).Saw(10, 3)}), IsEmpty());
  EXPECT_THAT(Check({lost, Read(2, 5, 6).Saw(10, 3), Read(2, 7, 8).Saw(0)}), HasSubstr(kNoOrder));
  EXPECT_THAT(Check({Read(2, -2, -1).Saw(10, 3), lost}), HasSubstr(kNoOrder)) << "not before it";
  EXPECT_THAT(Check({lost, Drop(2, 3, 4), Read(3, 5, 6).Saw(0)}), IsEmpty()) << "nobody saw it";
  EXPECT_THAT(Check({lost, Put(2, 3, 4, 11).Refused(10), Drop(2, 5, 6), Put(2, 7, 8, 12).Done(7)}),
              IsEmpty());
}

TEST(NameHistory, AnUnknownWriteThatIsAppliedTwiceIsRejected) {
  std::vector<Step> steps = {Replace(1, 1, 2, 10).Unknown(), Read(2, 3, 4).Saw(10, 3),
                             Replace(2, 5, 6, 11).Done(4)};
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Read(2, 7, 8).Saw(10, 5));
  EXPECT_THAT(Check(steps), HasSubstr(kNoOrder));
  steps.push_back(Replace(3, 6, 6, 10).Unknown());
  EXPECT_THAT(Check(steps), IsEmpty()) << "but there were two";
}

TEST(NameHistory, OneThatIsAppliedTwiceInARowIsSeenByItsRevision) {
  EXPECT_THAT(
      Check({Replace(1, 1, 2, 10).Unknown(), Read(2, 3, 4).Saw(10, 3), Read(2, 5, 6).Saw(10, 4)}),
      HasSubstr(kNoOrder));
}

TEST(NameHistory, AnUnknownDropMayBeWhatTookItAway) {
  std::vector<Step> steps = {Put(1, 1, 2, 10).Done(1), Drop(1, 3, 4).Unknown()};
  steps.push_back(Read(2, 5, 6).Saw(10, 1));
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Read(2, 7, 8).Saw(0));
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Put(2, 9, 10, 11).Done(5));
  steps.push_back(Read(2, 11, 12).Saw(0));
  EXPECT_THAT(Check(steps), HasSubstr(kNoOrder)) << "once";
}

TEST(NameHistory, AnUnknownComparisonIsBoundToItsRevision) {
  std::vector<Step> steps = {Put(1, 1, 2, 10).Done(1), Put(1, 3, 4, 11).Expecting(1).Unknown(),
                             Replace(2, 5, 6, 12).Done(4)};
  steps.push_back(Read(2, 7, 8).Saw(11, 5));
  EXPECT_THAT(Check(steps), HasSubstr(kNoOrder));
}

// ---- plain reads -----------------------------------------------------------------------------------

TEST(NameHistory, APlainReadMayBeOldButNotGoBack) {
  std::vector<Step> steps = {Put(1, 1, 2, 10).Done(1), Replace(1, 3, 4, 11).Done(2)};
  steps.push_back(Plain(2, 5, 6).Saw(10, 1));
  steps.push_back(Plain(2, 7, 8).Saw(11, 2));
  EXPECT_THAT(Check(steps), IsEmpty());
  steps.push_back(Plain(3, 9, 10).Saw(10, 1));
  EXPECT_THAT(Check(steps), IsEmpty()) << "another client";
  steps.push_back(Plain(2, 9, 10).Saw(10, 1));
  EXPECT_THAT(Check(steps), HasSubstr("goes back"));
  steps.pop_back();
  steps.push_back(Plain(1, 9, 10).Saw(10, 1));
  EXPECT_THAT(Check(steps), HasSubstr("goes back")) << "behind its own write";
}

TEST(NameHistory, APlainReadDoesNotShowWhatItsClientSawGo) {
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Drop(1, 3, 4), Plain(2, 5, 6).Saw(10, 1)}),
              IsEmpty());
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Drop(1, 3, 4), Plain(1, 5, 6).Saw(10, 1)}),
              HasSubstr("goes back"));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Done(1), Plain(2, 3, 4).Saw(10, 1), Drop(1, 5, 6),
                     Read(2, 7, 8).Saw(0), Plain(2, 9, 10).Saw(10, 1)}),
              HasSubstr("goes back"));
}

TEST(NameHistory, APlainReadShowsWhatWasWritten) {
  EXPECT_THAT(Check({Plain(2, 5, 6).Saw(10, 1)}), HasSubstr("nobody had written"));
  EXPECT_THAT(Check({Plain(2, 5, 6).Saw(10, 1), Put(1, 7, 8, 10).Done(1)}),
              HasSubstr("nobody had written"));
  EXPECT_THAT(Check({Put(1, 1, 2, 10).Unknown(), Plain(2, 5, 6).Saw(10, 1)}), IsEmpty());
}

// ---- many ------------------------------------------------------------------------------------------

// A register and clients that use it, in a time of its own: each operation takes effect somewhere between its
// call and its return; of some the answer is lost, and some of those come late or never.
std::vector<NameOp> Simulate(uint64_t seed, int clients, int steps) {
  std::mt19937_64 random(seed);
  std::vector<NameOp> history;
  struct Running {
    NameOp op;
    int64_t effect = 0;
    bool never = false;
  };
  std::vector<Running> running;
  std::map<int, int64_t> free_from;
  for (int i = 0; i < steps; ++i) {
    int client = static_cast<int>(random() % clients);
    int64_t called = free_from[client] + 1 + static_cast<int64_t>(random() % 10);
    int64_t effect = called + 1 + static_cast<int64_t>(random() % 50);
    NameOp op;
    op.name = "n";
    op.client = client;
    op.called = called;
    op.returned = effect + 1 + static_cast<int64_t>(random() % 50);
    uint64_t what = random() % 10;
    op.kind = what < 5 ? Kind::kPut : what < 7 ? Kind::kDrop : Kind::kRead;
    if (op.kind == Kind::kPut) {
      op.put_id = 1 + random() % 20;
      op.replace = random() % 2 == 0;
    }
    bool never = false;
    if (op.kind != Kind::kRead && random() % 8 == 0) {
      op.outcome = Outcome::kUnknown;
      never = random() % 2 == 0;
      effect += static_cast<int64_t>(random() % 300);
    }
    free_from[client] = op.returned;
    running.push_back({op, effect, never});
  }
  std::stable_sort(running.begin(), running.end(),
                   [](const Running& a, const Running& b) { return a.effect < b.effect; });
  uint64_t id = 0, revision = 0;
  for (Running& one : running) {
    NameOp& op = one.op;
    bool is_lost = op.outcome == Outcome::kUnknown;
    bool is_read = op.kind == Kind::kRead;
    bool fits = op.kind == Kind::kPut ? op.replace || id == 0 : id != 0;
    if (is_read || !fits) {
      op.id = id;
      op.revision = is_read && id != 0 ? revision : 0;
      if (!is_read && !is_lost) op.outcome = Outcome::kRefused;
    } else if (!one.never) {
      ++revision;
      op.id = id = op.kind == Kind::kPut ? op.put_id : 0;
      op.revision = op.kind == Kind::kPut ? revision : 0;
    }
    if (is_lost) op.id = op.revision = 0;
    history.push_back(op);
  }
  return history;
}

TEST(NameHistory, WhatARegisterDidIsExplained) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_THAT(CheckNames(Simulate(seed, 10, 500)), IsEmpty()) << "seed " << seed;
  }
}

TEST(NameHistory, AReadThatCameLateIsRejected) {
  int changed = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<NameOp> history = Simulate(seed, 10, 200);
    // A read far behind answers what an early one did.
    auto early = std::find_if(history.begin(), history.end(), [](const NameOp& op) {
      return op.kind == Kind::kRead && op.id != 0;
    });
    if (early == history.end()) continue;
    auto late = std::find_if(history.rbegin(), history.rend(),
                             [](const NameOp& op) { return op.kind == Kind::kRead && op.id != 0; });
    if (late->revision <= early->revision + 20) continue;
    late->id = early->id;
    late->revision = early->revision;
    EXPECT_THAT(CheckNames(history), HasSubstr("no order")) << "seed " << seed;
    ++changed;
  }
  EXPECT_GT(changed, 30);
}

TEST(NameHistory, AWriteThatWasNotAppliedIsMissed) {
  int changed = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<NameOp> history = Simulate(seed, 10, 200);
    // Whose write somebody read.
    auto read = std::find_if(history.begin(), history.end(),
                             [](const NameOp& op) { return op.kind == Kind::kRead && op.id != 0; });
    if (read == history.end()) continue;
    auto write = std::find_if(history.begin(), history.end(), [&](const NameOp& op) {
      return op.kind == Kind::kPut && op.revision == read->revision;
    });
    bool maybe = std::any_of(history.begin(), history.end(), [&](const NameOp& op) {
      return op.outcome == Outcome::kUnknown && op.put_id == read->id;
    });
    if (write == history.end() || maybe) continue;
    history.erase(write);
    EXPECT_THAT(CheckNames(history), HasSubstr("no order")) << "seed " << seed;
    ++changed;
  }
  EXPECT_GT(changed, 10);
}

}  // namespace
}  // namespace vineyard::testing

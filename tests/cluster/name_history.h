// What clients did with names, when, and what they were answered; and whether one order of it all explains it.
//
// A name is a register of its own: it holds an object and a revision, or nothing. Two things are promised and
// checked, for each name alone:
//  1. Writes and reads of what is now are linearizable: each takes effect at one moment between its call and its
//     return. One whose outcome nobody knows takes effect at any moment behind its call, or never.
//  2. Plain reads of one client never go back behind what it has seen of that name, and show what was written.
// Revisions of a name grow with every change of it, which is checked, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vineyard::testing {

struct NameOp {
  enum class Kind {
    kPut,
    kDrop,
    kRead,   // of what is now; also a plain read that found nothing, which asks before it says so
    kPlain,  // a plain read that found something
  };
  enum class Outcome {
    kDone,
    kRefused,  // of a write: nothing was changed, and why is what it saw
    kUnknown,  // of a write: maybe, and maybe later
  };
  static constexpr uint64_t kNoRevision = UINT64_MAX;

  Kind kind = Kind::kRead;
  Outcome outcome = Outcome::kDone;
  int client = 0;  // does one after another
  std::string name;
  int64_t called = 0, returned = 0;
  // Of a write: what it asks for.
  uint64_t put_id = 0;
  bool replace = false;
  uint64_t expect = kNoRevision;  // else it compares; 0: there is none
  // What it made, or saw; 0: nothing has the name.
  uint64_t id = 0;
  uint64_t revision = 0;  // 0: was not told
};

std::string ToText(const NameOp& op);

// "": the history keeps both promises. Else what can not be explained, or that the search was given up.
std::string CheckNames(const std::vector<NameOp>& history);

}  // namespace vineyard::testing

#include "tests/cluster/name_history.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <tuple>
#include <utility>

namespace vineyard::testing {
namespace {

using Kind = NameOp::Kind;
using Outcome = NameOp::Outcome;

constexpr uint64_t kSteps = 20'000'000;

// ---- one name in one order -----------------------------------------------------------------------

struct State {
  uint64_t id = 0;        // 0: nothing has the name
  uint64_t revision = 0;  // 0: nobody was told
  uint64_t floor = 0;     // it is this one or above
  auto operator<=>(const State&) const = default;
};

// It has this revision, which may be news.
bool Bind(State* state, uint64_t revision) {
  if (state->revision != 0) return state->revision == revision;
  if (revision < state->floor) return false;
  state->revision = state->floor = revision;
  return true;
}

// What the name is behind a write that is applied. Nothing: it can not be, here.
std::optional<State> Written(const NameOp& op, State state) {
  bool compares = op.expect != NameOp::kNoRevision;
  if (compares && (op.expect == 0) != (state.id == 0)) return std::nullopt;
  if (compares && op.expect != 0 && !Bind(&state, op.expect)) return std::nullopt;
  bool is_drop = op.kind == Kind::kDrop;
  if (is_drop && state.id == 0) return std::nullopt;
  if (!is_drop && !compares && !op.replace && state.id != 0) return std::nullopt;
  state.id = is_drop ? 0 : op.put_id;
  state.revision = 0;
  ++state.floor;
  if (op.revision != 0 && !Bind(&state, op.revision)) return std::nullopt;
  return state;
}

// What is known behind a look. Nothing: it can not be what it saw, here.
std::optional<State> Seen(const NameOp& op, State state) {
  if (op.id != state.id) return std::nullopt;
  if (op.revision != 0 && !Bind(&state, op.revision)) return std::nullopt;
  if (op.outcome != Outcome::kRefused) return state;
  // The refusal has to be right.
  if (op.kind == Kind::kDrop && state.id == 0) return state;  // there is nothing to drop
  if (op.expect != NameOp::kNoRevision) {
    uint64_t revision = state.id == 0 ? 0 : state.revision;
    bool is_known = state.id == 0 || revision != 0;
    if (is_known && revision == op.expect) return std::nullopt;
    return state;
  }
  bool wants_none = op.kind == Kind::kPut && !op.replace;
  if ((op.kind == Kind::kPut && op.replace) || wants_none == (state.id == 0)) return std::nullopt;
  return state;
}

bool IsWrite(const NameOp& op) {
  return (op.kind == Kind::kPut || op.kind == Kind::kDrop) && op.outcome != Outcome::kRefused;
}
std::optional<State> After(const NameOp& op, const State& state) {
  return IsWrite(op) ? Written(op, state) : Seen(op, state);
}

// The search of Wing, Gong and Lowe: depth first, and never twice with the same certain operations done and the
// same state behind them, unless more of the unknown ones are left.
class Search {
 public:
  explicit Search(std::vector<const NameOp*> ops) {
    std::sort(ops.begin(), ops.end(),
              [](const NameOp* a, const NameOp* b) { return a->called < b->called; });
    std::mt19937_64 random(1);
    for (const NameOp* op : ops) {
      auto& list = op->outcome == Outcome::kUnknown ? unknown_ : certain_;
      list.push_back({op, false, {random(), random()}});
    }
    left_ = certain_.size();
    used_.resize(unknown_.size());
    for (size_t i = 0; i < certain_.size(); ++i) {
      const NameOp& op = *certain_[i].op;
      if (op.revision != 0) by_revision_.emplace_back(op.revision, i);
    }
    std::sort(by_revision_.begin(), by_revision_.end());
  }

  std::string Run() {
    stack_.push_back({});
    Enter();
    for (uint64_t step = 0; step < kSteps; ++step) {
      if (left_ == 0) return "";
      Frame& top = stack_.back();
      if (top.next == top.moves.size()) {
        Undo();
        stack_.pop_back();
        if (stack_.empty()) return Failure();
        continue;
      }
      Move move = top.moves[top.next++];
      Frame frame;
      frame.state = move.state;
      frame.first = top.first;
      frame.first_revision = top.first_revision;
      frame.done.push_back(move.item);
      stack_.push_back(std::move(frame));
      Mark(move.item, true);
      Enter();
    }
    return "given up after " + std::to_string(kSteps) + " steps; " + Failure();
  }

 private:
  struct Item {
    const NameOp* op;
    bool done;
    uint64_t hash[2];
  };
  struct Move {
    Item* item;
    State state;
  };
  struct Frame {
    State state = {};
    size_t first = 0;           // certain ones in front of it are done
    size_t first_revision = 0;  // likewise of by_revision_
    std::vector<Item*> done = {};
    std::vector<Move> moves = {};
    size_t next = 0;
  };

  void Mark(Item* item, bool done) {
    item->done = done;
    if (item->op->outcome == Outcome::kUnknown) {
      used_[static_cast<size_t>(item - unknown_.data())] = done;
      return;
    }
    hash_[0] ^= item->hash[0];
    hash_[1] ^= item->hash[1];
    left_ = done ? left_ - 1 : left_ + 1;
  }
  void Undo() {
    for (Item* item : stack_.back().done) Mark(item, false);
  }

  // Certain ones that no other one that is left has to come in front of, and until when others may be.
  int64_t Ready(Frame* frame, std::vector<Item*>* ready) {
    while (frame->first < certain_.size() && certain_[frame->first].done) ++frame->first;
    int64_t until = std::numeric_limits<int64_t>::max();
    for (size_t i = frame->first; i < certain_.size() && certain_[i].op->called <= until; ++i) {
      if (certain_[i].done) continue;
      until = std::min(until, certain_[i].op->returned);
      ready->push_back(&certain_[i]);
    }
    std::erase_if(*ready, [until](const Item* item) { return item->op->called > until; });
    return until;
  }

  // Whether the search was here before, with no fewer of the unknown ones left.
  bool WasHere(const State& state) {
    auto& before = been_[{hash_[0], hash_[1], state}];
    bool was = std::any_of(before.begin(), before.end(), [this](const std::vector<bool>& used) {
      for (size_t i = 0; i < used.size(); ++i) {
        if (used[i] && !used_[i]) return false;
      }
      return true;
    });
    if (!was) before.push_back(used_);
    return was;
  }

  // Does all that changes nothing, in no order, and lists what may come next.
  void Enter() {
    Frame& frame = stack_.back();
    std::vector<Item*> ready;
    int64_t until = 0;
    for (bool again = true; again;) {
      again = false;
      ready.clear();
      until = Ready(&frame, &ready);
      for (Item* item : ready) {
        auto after = After(*item->op, frame.state);
        if (IsWrite(*item->op) || after != frame.state) continue;
        Mark(item, true);
        frame.done.push_back(item);
        again = true;
      }
    }
    if (left_ < least_left_) {
      least_left_ = left_;
      stuck_.clear();
      for (Item* item : ready) stuck_.push_back(item->op);
      stuck_state_ = frame.state;
    }
    if (left_ == 0 || WasHere(frame.state)) return;
    while (frame.first_revision < by_revision_.size() &&
           certain_[by_revision_[frame.first_revision].second].done) {
      ++frame.first_revision;
    }
    uint64_t oldest = frame.first_revision == by_revision_.size()
                          ? UINT64_MAX
                          : by_revision_[frame.first_revision].first;
    // What nobody could see any more behind it can not come yet.
    auto add = [&](Item* item) {
      auto after = After(*item->op, frame.state);
      if (after && after != frame.state && after->floor <= oldest)
        frame.moves.push_back({item, *after});
    };
    for (Item* item : ready) add(item);
    // Those that ask for the same are as good as each other.
    std::set<std::tuple<Kind, uint64_t, bool, uint64_t>> tried;
    for (Item& item : unknown_) {
      const NameOp& op = *item.op;
      if (op.called > until) break;
      if (!item.done && tried.emplace(op.kind, op.put_id, op.replace, op.expect).second) add(&item);
    }
  }

  std::string Failure() const {
    std::string text = "no order explains it; where the longest one ends, object " +
                       std::to_string(stuck_state_.id) + " has the name since revision " +
                       std::to_string(stuck_state_.revision) + " (" +
                       std::to_string(stuck_state_.floor) + " or above), and what is left is\n";
    for (const NameOp* op : stuck_) text += "  " + ToText(*op) + "\n";
    return text;
  }

  std::vector<Item> certain_, unknown_;
  std::vector<std::pair<uint64_t, size_t>> by_revision_;  // what tells one
  size_t left_ = 0;
  uint64_t hash_[2] = {0, 0};
  std::vector<bool> used_;  // of unknown_
  std::map<std::tuple<uint64_t, uint64_t, State>, std::vector<std::vector<bool>>> been_;
  std::vector<Frame> stack_;
  size_t least_left_ = SIZE_MAX;
  std::vector<const NameOp*> stuck_;
  State stuck_state_;
};

// ---- plain reads ---------------------------------------------------------------------------------

std::string CheckPlain(const std::vector<const NameOp*>& ops) {
  std::map<int, std::vector<const NameOp*>> of_clients;
  for (const NameOp* op : ops) of_clients[op->client].push_back(op);
  for (auto& [client, own] : of_clients) {
    std::sort(own.begin(), own.end(),
              [](const NameOp* a, const NameOp* b) { return a->called < b->called; });
    uint64_t newest = 0;
    const NameOp* behind = nullptr;  // saw that the newest is no more
    for (const NameOp* op : own) {
      if (op->outcome == Outcome::kUnknown) continue;
      bool goes_back = op->revision < newest || (op->revision == newest && behind != nullptr);
      if (op->kind == Kind::kPlain && goes_back) {
        return "a plain read goes back\n  " + ToText(*op) + "\nits client had seen revision " +
               std::to_string(newest) + (behind ? ", then\n  " + ToText(*behind) : "") + "\n";
      }
      if (op->id == 0) behind = op;
      if (op->revision > newest) {
        newest = op->revision;
        behind = nullptr;
      }
    }
  }
  for (const NameOp* read : ops) {
    if (read->kind != Kind::kPlain) continue;
    bool is_written = std::any_of(ops.begin(), ops.end(), [read](const NameOp* op) {
      if (op->kind != Kind::kPut || op->outcome == Outcome::kRefused) return false;
      bool is_it = op->outcome == Outcome::kUnknown || op->revision == read->revision;
      return is_it && op->put_id == read->id && op->called <= read->returned;
    });
    if (!is_written) return "a plain read shows what nobody had written\n  " + ToText(*read) + "\n";
  }
  return "";
}

std::string CheckRevisions(const std::vector<const NameOp*>& ops) {
  std::map<uint64_t, const NameOp*> known;
  for (const NameOp* op : ops) {
    if (op->revision == 0 || op->id == 0) continue;
    auto [at, is_new] = known.emplace(op->revision, op);
    if (at->second->id != op->id) {
      return "one revision of two objects\n  " + ToText(*op) + "\n  " + ToText(*at->second) + "\n";
    }
  }
  return "";
}

}  // namespace

std::string ToText(const NameOp& op) {
  static const char* const kKinds[] = {"put", "drop", "read", "plain"};
  static const char* const kOutcomes[] = {"done", "refused", "unknown"};
  std::string text = std::to_string(op.called) + " " + std::to_string(op.returned) + " client " +
                     std::to_string(op.client) + " " + kKinds[static_cast<int>(op.kind)] + " " +
                     op.name;
  if (op.put_id != 0) text += " id " + std::to_string(op.put_id);
  if (op.replace) text += " replace";
  if (op.expect != NameOp::kNoRevision) text += " expect " + std::to_string(op.expect);
  text += std::string(" -> ") + kOutcomes[static_cast<int>(op.outcome)];
  if (op.outcome == Outcome::kUnknown) return text;
  return text + " id " + std::to_string(op.id) + " revision " + std::to_string(op.revision);
}

std::string CheckNames(const std::vector<NameOp>& history) {
  std::map<std::string, std::vector<const NameOp*>> names;
  for (const NameOp& op : history) names[op.name].push_back(&op);
  for (const auto& [name, ops] : names) {
    std::string wrong = CheckRevisions(ops);
    if (wrong.empty()) wrong = CheckPlain(ops);
    if (wrong.empty()) {
      std::vector<const NameOp*> now;
      std::copy_if(ops.begin(), ops.end(), std::back_inserter(now),
                   [](const NameOp* op) { return op->kind != Kind::kPlain; });
      Search search(std::move(now));
      wrong = search.Run();
    }
    if (!wrong.empty()) return "name " + name + ": " + wrong;
  }
  return "";
}

}  // namespace vineyard::testing

// This file is the only place that knows the bytes of `state`: a memfd of each store, which only the daemon
// has, and from which its successor learns everything: which descriptors to keep, who the sessions are,
// what the last commit was. The daemon's own lists those of the other stores.
//
// Invariants:
//  1. A descriptor entry, a session cell and the commit area each become valid by one release
//  store,
//     after everything they say is in place, and invalid by one.
//  2. What a commit changes is changed by nothing else.
//  3. Applying a valid commit again changes nothing (lines are absolute).
// Thread-confined to the daemon's loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/shm/layout.h"
#include "core/shm/os.h"

namespace vineyard::shm {

// ---- descriptors ----

enum class Role : uint32_t {
  kNone = 0,
  kState = 1,
  kListener = 2,  // the listening socket
  kIndex = 3,
  kDirectory = 4,
  kSegment = 5,      // number: of the segment; size: of the file; flags: SegmentFlags
  kPins = 6,         // number: of the session
  kKeeper = 7,       // a descriptor that the keeper needs (a log file, a lifeline)
  kSpillFolder = 8,  // the folder of spilled payloads, locked
  kStore = 9,        // the `state` of another store; number: of its audience
};
inline constexpr uint32_t kLeasableSegment = 1, kSoleSegment = 2;  // SegmentFlags

struct DescriptorEntry {
  std::atomic<uint32_t> role;  // Role; stored last, with release
  int32_t fd;
  uint64_t number;
  uint64_t size;
  uint32_t flags;
  uint32_t unused;
};
static_assert(sizeof(DescriptorEntry) == 32);
inline constexpr uint32_t kMaxDescriptors = 65536;

// ---- sessions ----

struct Reply {  // 64 bytes: one line of a commit
  uint64_t number;
  uint64_t unused0;
  uint64_t id;
  uint64_t value;
  uint64_t revision;
  uint64_t unused[3];
};
static_assert(sizeof(Reply) == 64);
inline constexpr uint64_t kReplies = 64;

struct SessionCell {
  std::atomic<uint64_t> id;  // 0: free; stored last
  uint64_t token[2];
  uint32_t uid;
  uint32_t pid;
  uint64_t unused[4];
  std::atomic<uint64_t> granted[kMaxPinPieces / 64];  // pieces of the pin table, one bit each
  Reply replies[kReplies];                            // of request n in cell n mod 64
  uint64_t unused2[376];
};
static_assert(sizeof(SessionCell) == 8192);
inline constexpr uint32_t kMaxSessions = 16384;

// ---- commit ----

// Which file a line goes to.
enum class Target : uint32_t { kIndex = 1, kState = 2 };

struct CommitLine {
  uint32_t target;
  uint32_t unused;
  uint64_t offset;    // in the target, a multiple of 64
  uint64_t words[8];  // of a slot: word first; stored last
};
static_assert(sizeof(CommitLine) == 80);

// Part of every commit: what must move with it.
struct Counters {         // 64 bytes: one line
  uint64_t next_id;       // counter of the next object id
  uint64_t next_segment;  // number of the next segment
  uint64_t revision;
  uint64_t unused[5];
};
static_assert(sizeof(Counters) == 64);

// Who may read what is in the store.
enum class AudienceKind : uint32_t {
  kUid = 1,  // its owner
  kGid = 2,  // the owner, and whoever is in the group
  kAll = 3,  // whoever may connect
};
struct AudienceId {
  AudienceKind kind = AudienceKind::kUid;
  uint32_t uid = 0;  // the owner, who alone changes it
  uint32_t gid = 0;  // kGid
  uint32_t unused = 0;
  bool operator==(const AudienceId& other) const {
    return kind == other.kind && uid == other.uid && gid == other.gid;
  }
};
static_assert(sizeof(AudienceId) == 16);

struct StateHeader {
  FileHeader header;
  uint64_t epoch;
  uint64_t instance;
  uint64_t cluster[2];
  std::atomic<uint64_t> commit_lines;  // > 0: a valid commit of so many lines waits to be applied
  int64_t first_start_ms;              // CLOCK_MONOTONIC, origin of the coarse clock
  // Grow only: entries, cells and lines below them are allocated.
  std::atomic<uint64_t> descriptors_end;
  std::atomic<uint64_t> sessions_end;
  std::atomic<uint64_t> reserved_lines;
  // Of the cluster's log (core/meta/model.h): what this daemon knew when it sent its oldest change that
  // is not answered yet. A successor finds the answers behind it.
  uint64_t log_seen[2];
  AudienceId audience;
  uint64_t next_audience;  // of the daemon's own: number of the next store
  uint64_t unused[2];
  alignas(64) Counters counters;
};
static_assert(sizeof(StateHeader) == 256);
inline constexpr uint64_t kCountersOffset = 192;

inline constexpr uint64_t kDescriptorsOffset = kPageSize;
inline constexpr uint64_t kSessionsOffset = uint64_t{4} << 20;
inline constexpr uint64_t kCommitOffset = kSessionsOffset + kMaxSessions * sizeof(SessionCell);
inline constexpr uint64_t kMaxCommitLines = uint64_t{1} << 24;
inline constexpr uint64_t kMaxStateFile = kCommitOffset + kMaxCommitLines * sizeof(CommitLine);

class StateFile {
 public:
  // A new, empty one, of a random cluster id; lists itself. `instance` 0: a random number.
  static Result<std::unique_ptr<StateFile>> Create(uint64_t instance = 0);
  // What another daemon left. Bumps nothing, applies nothing. kVersion, kCorrupt: its header can not be
  // right, and nothing else can be believed then.
  static Result<std::unique_ptr<StateFile>> Adopt(Fd fd);

  int fd() const { return fd_.get(); }
  // The process goes on without owning it (exec of a keeper).
  int ReleaseFd() { return fd_.Release(); }
  StateHeader& header() { return *reinterpret_cast<StateHeader*>(mapping_.data()); }
  const StateHeader& header() const {
    return *reinterpret_cast<const StateHeader*>(mapping_.data());
  }

  // ---- descriptors ----
  struct Listed {
    Role role;
    int fd;
    uint64_t number, size;
    uint32_t flags;
  };
  // Called before an entry is there, and before it goes (daemon/descriptor_store.h).
  std::function<void(const Listed&)> on_list, on_unlist;
  // From here on the descriptor survives the daemon; the caller may not close it except by Forget.
  Status List(Role role, int fd, uint64_t number = 0, uint64_t size = 0, uint32_t flags = 0);
  // Takes the entry out and closes the descriptor.
  void Forget(Role role, uint64_t number);
  // Takes the entry out. Returns the descriptor, -1: there is no such entry.
  int Unlist(Role role, uint64_t number);
  std::vector<Listed> Descriptors() const;
  // And of the stores that it lists: all that survives the daemon.
  std::vector<Listed> AllDescriptors() const;
  std::optional<Listed> Lookup(Role role, uint64_t number = 0) const;
  // Closes every descriptor of AllDescriptors(), this file's own included, which ends its use: of a store
  // that ends, for the last daemon on its way out, and tests.
  void CloseListed();
  // Closes every descriptor from 3 on that is not in AllDescriptors() and not in `keep`.
  void CloseUnlisted(const std::vector<int>& keep) const;

  // ---- sessions ----
  // Null: all cells are taken, or the host has no memory for one more.
  SessionCell* AllocateSession();
  SessionCell& session(uint32_t index) const;
  uint32_t session_index(const SessionCell& cell) const;
  // Cells behind it were never used.
  uint32_t sessions_end() const {
    return static_cast<uint32_t>(header().sessions_end.load(std::memory_order_relaxed));
  }

  // ---- commit ----
  // Makes room for commits of `lines` lines, so that Apply can not fail for want of memory.
  Status ReserveCommit(uint64_t lines);
  uint64_t reserved_lines() const {
    return header().reserved_lines.load(std::memory_order_relaxed);
  }
  // The lines are written, made valid, put in place in order, and cleared.
  // REQUIRES: lines.size() <= reserved_lines().
  void Apply(const std::vector<CommitLine>& lines, char* index);
  // After a crash: applies what is valid. Returns how many lines were left out, since no commit writes
  // where they would go: they are damaged.
  uint64_t Redo(char* index, uint64_t index_size);
  uint64_t allocated_bytes() const;

 private:
  StateFile(Fd fd, Mapping mapping);
  DescriptorEntry* entries() const;
  CommitLine* commit_area() const;
  void PutInPlace(const CommitLine& line, char* index);
  bool IsLine(const CommitLine& line, uint64_t index_size) const;
  void DropDoubles();
  Result<DescriptorEntry*> AllocateEntry();

  Fd fd_;
  Mapping mapping_;
};

}  // namespace vineyard::shm

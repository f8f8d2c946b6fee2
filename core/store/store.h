// This file is the only way into the state machine of one audience's objects: it creates, seals,
// finds, deletes, evicts and adopts. It takes values and returns values; it never waits, and knows
// neither sockets nor threads nor ZooKeeper. Thread-confined: to the daemon's loop.
//
// Whoever calls it owes it three things: Tick() every 100 ms, EndSession() when SessionAlive() says
// no, and, when GrowthWanted() is set after a call, to prepare the segment (on any thread) and to
// add it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/object/ids.h"
#include "core/object/record.h"
#include "core/object/tree.h"
#include "core/object/value.h"
#include "core/shm/layout.h"
#include "core/shm/segment.h"
#include "core/shm/state_file.h"
#include "core/store/budget.h"
#include "core/store/spill_file.h"

namespace vineyard::store {

enum class Eviction { kNone, kDrop, kSpill };

struct Options {
  uint64_t size_bytes = 0;  // payloads and records together, at most
  // What it may have together with other stores, which outlives it; null: it is alone.
  Budget* budget = nullptr;
  // Others than the user of its sessions read it: what a session writes lies in a segment of its own, and
  // nobody can write there once it is sealed.
  bool is_shared = false;
  uint64_t prefault_bytes = 0;  // free warm memory kept ready, as far as size_bytes allows
  Eviction eviction = Eviction::kNone;
  // kSpill: the folder in which the store makes its own, and between which bytes of use it spills before
  // anybody needs room.
  std::string spill_path;
  uint64_t spill_upper_bytes = UINT64_MAX, spill_lower_bytes = UINT64_MAX;
  // Values up to this size have a checksum; records always have.
  uint64_t checksum_limit = kMiB;
};

// Who asks. `number` 0: the request is not repeatable (tests only).
struct Request {
  uint64_t session = 0;
  uint64_t number = 0;
};

// See MutationAnswer in core/wire/messages.h for what each request puts where.
struct Mutation {
  ObjectId id = kInvalidId;
  uint64_t value = 0;
  uint64_t revision = 0;
};

struct SessionInfo {
  uint64_t id = 0;
  uint64_t token[2] = {0, 0};
  uint32_t uid = 0;
  uint32_t pid = 0;
};

// Descriptors for a new session; the caller sends them and closes them.
struct SessionFiles {
  Fd index;      // read-only
  Fd directory;  // read-only
  Fd pins;       // read-write, its own open file description, flock held
};

struct Found {
  uint32_t slot = 0;
  uint64_t word = 0;
};

struct GrowthPlan {
  uint64_t instance = 0;
  uint32_t number = 0;  // of the segment
  uint64_t size = 0;    // of the file, header included
  shm::SegmentUse use = shm::SegmentUse::kDaemon;
};

struct NameItem {
  std::string name;
  ObjectId id = kInvalidId;
  uint64_t revision = 0;
  bool is_clusters = false;  // mirrored here
};

// What a slot says. Text is valid until the next change.
struct Facts {
  ObjectId id = kInvalidId;
  uint32_t slot = 0;
  uint8_t flags = 0;                  // shm::kPersisted and others
  BlobKind kind = BlobKind::kBuffer;  // of a blob
  uint64_t value_size = 0;            // of a blob
  std::string_view record;            // of an object
};

// Objects of other instances, with the bytes of their payload.
using Foreign = std::unordered_map<ObjectId, uint64_t>;

// A page may be shorter than was asked for, or empty, without being the last.
struct NamePage {
  std::vector<NameItem> names;
  std::string cursor;  // the last name looked at; empty: that was all
};
struct TypePage {
  std::vector<std::pair<std::string, uint64_t>> types;  // name, objects
  std::string cursor;
};
struct Page {
  std::vector<std::pair<std::string, ObjectId>> objects;  // type name, id
  std::string cursor;                                     // empty: that was all
  std::vector<ObjectId> ids() const {
    std::vector<ObjectId> all;
    for (const auto& [type, id] : objects) all.push_back(id);
    return all;
  }
};

struct Statistics {
  uint64_t objects = 0, blobs = 0, names = 0, leases = 0,
           deferred = 0;  // deferred: deleted, pinned
  uint64_t memory_limit = 0, memory_allocated = 0, memory_used = 0, memory_pinned = 0;
  uint64_t memory_huge_pages = 0;
  uint64_t metadata_bytes = 0;  // index, directory, pin tables, commit area
  uint64_t sessions = 0, segments = 0;
  uint64_t puts = 0, deletes = 0, evictions = 0, copied_bytes = 0;
  uint64_t slots = 0, revision = 0, adopted = 0, quarantined = 0;
  uint64_t loads = 0, spilled_blobs = 0, spilled_bytes = 0;
};

// What an audit found.
struct Findings {
  std::vector<std::string> problems;  // a line for people each; at most kMaxProblems
  uint64_t count = 0;                 // of problems, those left out too
  std::vector<std::pair<std::string, uint64_t>> numbers;  // what was looked at
};
inline constexpr uint64_t kMaxProblems = 1000;

class Store {
 public:
  // New memory when `state` is fresh; otherwise adopts what it lists. `state` outlives the store.
  static Result<std::unique_ptr<Store>> Open(shm::StateFile* state, const Options& options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // ---- sessions ----
  // kLimit when there are too many; kExists when the id is taken by a living session.
  Result<SessionFiles> OpenSession(const SessionInfo& info);
  // The living session with this id and token and uid, as after a reconnect.
  bool ResumeSession(const SessionInfo& info);
  // Whether a process still holds the session's pin table (its flock). A socket says nothing.
  bool SessionAlive(uint64_t session) const;
  // Takes everything back that the session held: pins, leases. REQUIRES: !SessionAlive(session).
  void EndSession(uint64_t session);
  std::vector<uint64_t> Sessions() const;
  bool HasSession(uint64_t session) const;
  size_t SessionsOf(uint32_t uid) const;

  // ---- memory of sessions ----
  Status Grant(uint64_t session, uint64_t piece);
  // A descriptor of the segment that the caller sends and closes. Writable: only where the session
  // has a lease.
  Result<Fd> OpenSegment(uint64_t session, uint32_t number, bool writable, uint64_t* size_bytes,
                         bool* is_sole = nullptr);

  // ---- changes: each is one commit; a repeated request is answered from the stored reply ----
  // kOutOfMemory with GrowthWanted(): not applied; grow and call again.
  Result<Mutation> Put(Request request, const Tree& tree);
  Result<Mutation> Lease(Request request, BlobKind kind, uint64_t value_size);
  Result<Mutation> DropLease(Request request, ObjectId id);
  Result<Mutation> Delete(Request request, const std::vector<ObjectId>& ids, bool force, bool deep);
  Result<Mutation> PutName(Request request, std::string_view name, ObjectId id, bool replace,
                           uint64_t expect);
  Result<Mutation> DropName(Request request, std::string_view name, uint64_t expect);
  Result<Mutation> SetLabels(
      Request request, ObjectId id,
      const std::vector<std::pair<std::string_view, std::string_view>>& labels);
  // Deletes everything that is not leased; pinned bytes stay until they are let go.
  Result<Mutation> Clear(Request request);

  // ---- objects that the cluster knows, or is to know (persist.cc) ----
  // What was answered to this request before.
  Result<std::optional<Mutation>> Repeated(Request request) const;
  // Stores the answer of a request that changed nothing here. 0 as revision: that of the commit.
  Result<Mutation> Answer(Request request, Mutation reply);
  // A sealed object, whatever its flags.
  std::optional<Facts> Look(ObjectId id) const;
  Labels LabelsOf(ObjectId id) const;
  std::vector<NameItem> NamesOf(ObjectId id) const;
  Result<NameItem> ReadName(std::string_view name) const;
  // Of every sealed object that has one of these flags.
  std::vector<ObjectId> WithFlags(uint8_t flags) const;
  // Put of a tree that reaches objects of other instances, of which `foreign` says how many bytes they
  // have. In no list until it is marked; the tree's name is not given.
  Result<Mutation> PutPending(Request request, const Tree& tree, const Foreign& foreign);
  // Takes it back. A repeat is answered with the invalid id.
  Status DropPending(Request request, const std::vector<ObjectId>& nodes);
  // The cluster knows these trees now: their roots, and all nodes (the roots among them). What is gone is
  // left out.
  Status MarkPersisted(const std::vector<ObjectId>& homes, const std::vector<ObjectId>& nodes);
  // It knows them no more: `nodes` (the homes among them) are objects of this instance alone.
  Status Unmark(const std::vector<ObjectId>& nodes);
  // What Delete() says of these but for links: kNotFound, kInUse for what is being written, kInvalid.
  Status CheckDeletable(const std::vector<ObjectId>& ids) const;
  // Whether all that links to these is among `parents`: else kInUse, which names another.
  Status CheckUnlinked(const std::vector<ObjectId>& ids,
                       const std::vector<ObjectId>& parents) const;
  // The cluster's name of an object of this instance, so that readers find it here.
  Result<Mutation> MirrorName(Request request, std::string_view name, ObjectId id,
                              uint64_t revision);
  Result<Mutation> MirrorDrop(Request request, std::string_view name);
  // Its labels, whole.
  Result<Mutation> MirrorLabels(Request request, ObjectId id, const Labels& labels);
  // For readers: Unix time since when metadata may be old; 0: it is not.
  void SetStaleSince(int64_t unix_ms);

  // ---- reading ----
  // Of what is spilled: begins to load it. kOutOfMemory with IsSpilling() or GrowthWanted(): call again when
  // a job is done, or the store has grown.
  Result<Found> Find(ObjectId id);
  Result<Found> FindName(std::string_view name) const;
  Result<Found> FindLabels(ObjectId id) const;
  // A held slot is not freed. Counted; both only in this heap.
  void Hold(uint32_t slot);
  void Unhold(uint32_t slot);
  Result<Page> List(std::string_view type_glob, std::string_view after, uint64_t limit);
  TypePage ListTypes(std::string_view after);
  NamePage ListNames(std::string_view glob, std::string_view after, uint64_t limit) const;
  // Neither an object, nor a lease, nor a session.
  bool IsUnused() const;
  // By uid: what was deleted, and is kept by sessions of users other than `owner`.
  void AddDeletedBytes(uint32_t owner, std::map<uint32_t, uint64_t>* bytes) const;
  // The store ends: readers that have its memory mapped find nothing any more, and ask. What they hold stays.
  void End();
  Statistics Stats() const;
  uint64_t adopted() const;  // slots that another daemon left
  uint64_t instance() const;
  uint64_t epoch() const;

  // Called after the commit that made it visible. May not call back into the store.
  std::function<void(ObjectId)> on_sealed;
  std::function<void(std::string_view name)> on_named;

  // ---- spilling (spill_file.h) ----
  // What a thread is to do next: RunSpillJob, then SpillJobDone here. `load`: for those who wait to read;
  // else all else, in this order, one at a time.
  std::optional<SpillJob> NextSpillJob(bool load);
  void SpillJobDone(SpillJob job);
  // Memory comes free, or what somebody wants is read, when a job is done.
  bool IsSpilling() const;
  // The end of the files. REQUIRES: nobody adopts this store.
  void RemoveSpillFiles();

  // Spills the payloads of a tree now, but for what others link to. kUnsupported: without kSpill; kInUse: it is
  // pinned, linked to, or not complete; kOutOfMemory with IsSpilling(): call again when a job is done.
  Status Evict(ObjectId id);

  // ---- growth ----
  // Set by a change that failed for want of memory, and by Tick() when warm memory runs low. The
  // plan stays the same until AddSegment or GrowthFailed.
  std::optional<GrowthPlan> GrowthWanted() const;
  // Any thread, no store needed: makes the memory and touches every page of it.
  static Result<shm::Segment> PrepareSegment(const GrowthPlan& plan);
  Status AddSegment(shm::Segment segment);
  // The host does not have the memory that was wanted: for some seconds at most half of it is asked for,
  // and changes that need more fail with this status.
  void GrowthFailed(const Status& status);
  // Gives wholly free segments back to the host. Returns bytes.
  uint64_t Trim();
  // The same, until another store can have so many bytes.
  bool MakeRoom(uint64_t bytes);

  // ---- housekeeping ----
  // Every 100 ms: moves the coarse clock, frees what pins let go.
  void Tick(int64_t now_ms);
  // True: Tick() is worth calling soon (deleted objects wait for their pins).
  bool has_deferred() const;
  // Counts the links of every object again and puts right what damaged memory got wrong, as the store
  // does by itself once it sees damage. Slow.
  Status Repair();
  // Compares books, slots, records and sessions with each other. Slow.
  Findings Audit() const;
  // Ends with a CHECK when an audit of the books alone finds something; for tests.
  void CheckInvariants() const;

  class Impl;  // core/store/store_impl.h

 private:
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vineyard::store

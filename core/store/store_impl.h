// This file is the only place that lists what a store keeps in its heap. Everything here is derived
// from shared memory and rebuilt by adoption (adopt.cc), except what is said to be of no weight.
//
// Invariants (audit.cc checks them):
//  1. The extents of slots that are not EMPTY do not overlap; they and the free extents are all
//  there is, but for what QUARANTINE keeps from being used again.
//  2. links of a slot = member entries of objects that are not EMPTY and name it.
//  3. SEALED slots, and only slots that are not EMPTY or CREATED, are found through the directory. What is
//  below a SEALED object is SEALED.
//  4. DELETING implies links = 0, and the slot is in deferred_ or held_.
//  5. A lease is a CREATED slot whose owner is a session that exists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/object/record.h"
#include "core/object/types.h"
#include "core/shm/directory.h"
#include "core/shm/os.h"
#include "core/shm/slot_table.h"
#include "core/shm/state_file.h"
#include "core/store/batch.h"
#include "core/store/pool.h"
#include "core/store/spill_file.h"
#include "core/store/store.h"
#include "core/store/type_index.h"

namespace vineyard::store {

// A pinned table of one living session.
struct Session {
  shm::SessionCell* cell = nullptr;
  Fd pins_fd;  // listed in `state`; closed by StateFile::Forget
  shm::Mapping pins;
  bool Pins(uint32_t slot) const;
  uint32_t LastUsed(uint32_t slot) const;
  bool Granted(uint64_t piece) const;
  ~Session() { (void)pins_fd.Release(); }
};

class UsedMaps;  // adopt.cc

inline uint64_t ChecksumOf(std::string_view bytes) {
  return shm::MakeChecksum(shm::Crc32c(bytes.data(), bytes.size()));
}

// Of a blob's value.
inline uint64_t ValueSize(const shm::SlotFields& fields) {
  return fields.size - fields.before - EnvelopeOf(static_cast<BlobKind>(fields.kind), 0).after;
}

class Store::Impl {
 public:
  Impl(Store* store, shm::StateFile* state, const Options& options)
      : store_(store), state_(state), options_(options) {}
  ~Impl();

  Status Open();

  // ---- sessions.cc ----
  Result<SessionFiles> OpenSession(const SessionInfo& info);
  bool ResumeSession(const SessionInfo& info);
  bool SessionAlive(uint64_t session) const;
  void EndSession(uint64_t session);
  Status Grant(uint64_t session, uint64_t piece);
  bool HasLease(uint64_t session, uint32_t segment) const;
  bool Pinned(uint32_t slot) const;
  uint32_t LastUsed(uint32_t slot) const;

  // ---- commit.cc ----
  // The stored reply of this request, when it was applied already.
  Result<std::optional<Mutation>> Repeated(const Request& request) const;
  // Applies the batch, the counters and the reply in one commit. AfterDoom is the caller's to call.
  // `reserve`: lines that a later change without a way to fail will need. On an error nothing
  // happened.
  Status Commit(Batch& batch, const Request& request, Mutation* reply, uint64_t reserve = 0);
  uint64_t next_revision() const { return next_counters_.revision + 1; }

  // ---- slots.cc ----
  Status ReserveSlots(uint64_t count);  // and cells of the directory
  Status CheckHeap(uint64_t slots);
  uint32_t TakeSlot();  // REQUIRES: reserved
  void ReturnSlot(uint32_t slot) { free_slots_.push_back(slot); }
  Status GrowDirectory(uint64_t entries);
  uint64_t HashOfSlot(uint32_t slot) const;
  static uint64_t HashOf(const shm::SlotFields& fields);
  std::optional<uint32_t> FindSlot(ObjectId id) const;     // an object, not EMPTY, not CREATED
  std::optional<uint32_t> FindPresent(ObjectId id) const;  // SEALED or SPILLED
  static bool IsPresent(uint64_t word) {
    shm::SlotState state = shm::StateOf(word);
    return state == shm::SlotState::kSealed || state == shm::SlotState::kSpilled;
  }
  Status NoSuchObject(ObjectId id) const;
  // The slot of what may be deleted if nothing links to it.
  Result<uint32_t> FindDeletable(ObjectId id) const;

  // ---- memory.cc ----
  char* At(uint64_t location) const;  // first byte of an extent; null when there is no such segment
  std::string_view StoredBytes(const shm::SlotFields& fields) const;
  static uint64_t ExtentSize(const shm::SlotFields& fields);  // rounded
  Pool& PoolOf(uint64_t location);
  const Pool::Entry* FindSegment(uint32_t number) const;
  // Memory from one of the pools. kOutOfMemory; growth_ is set when growing can help. `hint`: bytes
  // that the whole change needs.
  Result<uint64_t> Allocate(shm::SegmentUse use, uint64_t size, uint64_t hint,
                            std::string_view what);
  std::optional<uint64_t> AllocateHere(shm::SegmentUse use, uint64_t size);
  void Free(const shm::SlotFields& fields);
  bool PlanGrowth(shm::SegmentUse use, uint64_t size);
  void DropPlan();  // of growth
  // Of a user with a quota: its tables are charged to it. kOutOfMemory: they may not grow by so much.
  Status TakeTables(uint64_t growth);
  // Of what sessions write.
  shm::SegmentUse LeaseUse() const {
    return options_.is_shared ? shm::SegmentUse::kSole : shm::SegmentUse::kLeases;
  }
  void Take(uint64_t bytes) {
    if (options_.budget != nullptr) options_.budget->Take(bytes);
  }
  void Give(uint64_t bytes) {
    if (options_.budget != nullptr) options_.budget->Give(bytes);
  }
  void Retire(Pool* pool, uint32_t number);  // REQUIRES: nothing of it is used
  bool RetireFreeSegments(uint64_t bytes);
  void PublishOldestSegment();
  void RetireIdleSegments();
  // Small payloads and records: with less than this free, more is prepared.
  uint64_t LowWater() const { return std::min<uint64_t>(kMiB, options_.size_bytes / 32); }
  uint64_t Room() const;  // that growth may take
  uint64_t Trim();
  Status OverQuota(std::string_view what) const;
  Status OutOfMemory(std::string_view what, uint64_t size) const;
  void AddDeletedBytes(uint32_t owner, std::map<uint32_t, uint64_t>* bytes) const;
  // Who pins or leases, in bytes of whole trees. `bytes` are the readers', what several hold counted once.
  struct Holder {
    uint32_t pid, uid;
    uint64_t bytes;
  };
  struct Held {
    uint64_t bytes = 0;
    std::vector<Holder> holders;  // sessions
  };
  Held HeldBytes() const;  // as long as the pin tables are
  static std::string DescribeHolders(std::vector<Holder> holders);
  Status AddSegment(shm::Segment segment);
  Statistics Stats() const;

  // ---- put.cc ----
  Result<Mutation> Put(Request request, const Tree& tree);
  Result<Mutation> PutPending(Request request, const Tree& tree, const Foreign& foreign);
  Result<Mutation> Lease(Request request, BlobKind kind, uint64_t value_size);
  Result<Mutation> DropLease(Request request, ObjectId id);
  void DropLeaseSlot(uint32_t slot);

  // ---- delete.cc ----
  Result<Mutation> Delete(Request request, const std::vector<ObjectId>& ids, bool force, bool deep);
  Result<Mutation> Clear(Request request);
  Status ClearRoots();
  // The slot becomes DELETING in this batch, and its names and labels with it.
  void Doom(Batch& batch, uint32_t slot, uint8_t flags);
  void DoomAttached(Batch& batch, ObjectId id);
  // After the commit: BookDoomed puts them into the books as deferred, AfterDoom also frees what it
  // can.
  void BookDoomed(const std::vector<uint32_t>& doomed);
  void AfterDoom(const std::vector<uint32_t>& doomed);
  // Frees DELETING slots that nobody pins: at most `frees` of them, and after at most `looks` at those that
  // somebody pinned when last looked at.
  void FreeDeferred(uint64_t frees, uint64_t looks);
  // False: the host has no memory to say so in; nothing happened.
  bool FreeSlot(uint32_t slot);
  void Linger(uint32_t slot);
  std::string FindReferrer(ObjectId id) const;
  // --evict drop: until `bytes` came free. False: nothing more can go.
  bool Evict(uint64_t bytes);
  bool EvictTree(uint32_t root);
  bool TreeIsIdle(uint32_t root) const;
  // Roots, and what only spilled parents link to, least recently used first, until `each` returns false.
  void ForEachVictim(const std::function<bool(uint32_t)>& each);

  // ---- spill.cc ----
  Status OpenSpillFolder();
  void AdoptSpilled();  // REQUIRES: all slots are adopted
  void SpillDown();     // between the watermarks
  void OnWritten(SpillJob job);
  void SpillTree(uint32_t root, const std::unordered_map<uint32_t, const SpillItem*>& written);
  std::vector<uint32_t> Spillable(uint32_t root) const;
  // Begins to load a SPILLED object and what is below it, all at once. kOutOfMemory: under way, or there
  // is no room; kCorrupt and others: why it failed the last time.
  Status Load(uint32_t root);
  void OnRead(SpillJob job);
  std::vector<uint32_t> SpilledBelow(uint32_t root) const;
  std::vector<uint32_t> SealedMembers(const std::vector<uint32_t>& objects) const;
  void EraseSpilled(const shm::SlotFields& fields);  // it lies in memory again, or nowhere
  void RemoveSpillFile(uint32_t file);
  void CountSpilledLinks(uint32_t object, int step);
  void ForgetSpilledObject(uint32_t slot);

  // ---- evict.cc ----
  // --evict spill: begins to write what `bytes` can come free of. True: it is under way; ask again when
  // a job is done. False: nothing can go.
  bool StartSpill(uint64_t bytes);
  struct WritePlan {
    SpillJob job;
    std::unordered_set<uint32_t> taken;  // slots of its items
    uint64_t bytes = 0;                  // of extents
    uint64_t end = 0;                    // of the file
  };
  void PlanTree(uint32_t root, WritePlan* plan) const;  // what of it may go, unless it is pinned
  bool BeginWrite(WritePlan plan);                      // REQUIRES: nothing is being written
  bool SpillFailedLately() const;
  Status EvictByHand(ObjectId id);
  Status CheckEvictable(uint32_t root) const;
  std::string WhoPins(uint32_t slot) const;

  // ---- names.cc ----
  Result<Mutation> PutName(Request request, std::string_view name, ObjectId id, bool replace,
                           uint64_t expect);
  Result<Mutation> DropName(Request request, std::string_view name, uint64_t expect);
  Result<Mutation> SetLabels(
      Request request, ObjectId id,
      const std::vector<std::pair<std::string_view, std::string_view>>& labels);
  // Checks before a name is given: kExists or kConflict.
  Status CheckName(std::string_view name, bool replace, uint64_t expect) const;
  NameRecord ReadName(uint32_t slot) const;

  // A small record in a slot of its own (names, labels), made in this batch.
  struct Side {
    uint32_t slot = 0;
    shm::SlotImage image;
  };
  // Making room for it may change slots: the batch must be empty.
  Result<Side> MakeSide(Batch& batch, shm::SlotKind kind, uint64_t key, std::string_view record,
                        uint64_t owner);
  // The record of a name, with the revision of the commit that comes next.
  Result<Side> MakeName(Batch& batch, std::string_view name, ObjectId id, uint64_t owner);
  void Discard(const Side& side);
  void Publish(const Side& side);  // after the commit: finds its way into the directory
  void RememberName(const Side& side, std::string name, ObjectId id);
  void ForgetName(uint32_t slot);

  // Replaces the labels of an object, which may be none.
  Result<Mutation> ReplaceLabels(Request request, ObjectId id, const Labels& labels);

  // ---- persist.cc ----
  NameItem DescribeName(uint32_t slot) const;
  Result<Mutation> MirrorName(Request request, std::string_view name, ObjectId id,
                              uint64_t revision);

  // ---- adopt.cc ----
  Status AdoptSessions();
  Status AdoptSegments();
  Status AdoptSlots();
  // Books what the slot says. Whether the directory should have it.
  bool AdoptSlot(uint32_t slot, const shm::SlotImage& image, UsedMaps* used);
  // What the slot says is wrong: it is never touched again.
  void Quarantine(uint32_t slot, const char* why);
  // Inserts what a filler left out, or quarantines it, where two slots have one id.
  void SettleTwins(const shm::DirectoryFiller& filler);

  // ---- repair.cc ----
  // Counts links again from the records, and puts right what does not add up.
  Status Repair();
  // A slot that was adopted and is no more what it was: out of the counts.
  void Unbook(const shm::SlotImage& image);
  void ForgetUndeferred();  // takes what is not DELETING (any more) out of deferred_ and held_

  // ---- list.cc ----
  Result<Page> List(std::string_view type_glob, std::string_view after, uint64_t limit);
  TypePage ListTypes(std::string_view after);
  NamePage ListNames(std::string_view glob, std::string_view after, uint64_t limit) const;
  std::string TypeOf(const shm::SlotFields& fields) const;
  TypeIndex& types();  // built at its first use after a restart

  // ---- audit.cc ----
  Findings Audit() const;
  void CheckInvariants() const;

  Store* store_;
  shm::StateFile* state_;
  Options options_;
  std::unique_ptr<shm::SlotTable> slots_;
  std::unique_ptr<shm::Directory> directory_;
  Pool small_, large_;    // only the daemon writes; sessions lease
  uint64_t planned_ = 0;  // bytes of growth_, which are taken already
  uint64_t tables_ = 0;   // bytes of index and directory that are taken, of a user's quota

  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<uint32_t> free_slots_;
  std::unordered_map<ObjectId, uint32_t> leases_;
  std::map<std::string, uint32_t, std::less<>> names_;
  std::unordered_map<ObjectId, std::unordered_set<uint32_t>>
      names_of_;                                   // object -> slots of its names
  std::unordered_map<ObjectId, uint32_t> labels_;  // object -> slot of its labels
  std::vector<uint32_t> deferred_;                 // DELETING, not looked at yet
  std::vector<uint32_t> held_;                     // DELETING, pinned at the last look
  // Of the held ones the objects that readers hold, with their members: links that no user can see.
  std::unordered_map<uint32_t, std::vector<ObjectId>> lingering_;
  TypeIndex types_;
  bool types_ready_ = true;
  uint64_t quarantined_bytes_ = 0;  // of extents that quarantined slots had

  // Spilling.
  int spill_folder_ = -1;  // listed in `state`
  uint32_t next_spill_file_ = 1;
  std::unordered_map<uint32_t, uint64_t> spill_files_;    // blobs in each
  std::unordered_set<uint32_t> spilled_objects_;          // those that are no blobs
  std::unordered_map<uint32_t, uint32_t> spilled_links_;  // links of a slot from those
  std::deque<SpillJob> spill_jobs_, load_jobs_;           // that no thread has yet
  std::unordered_set<ObjectId> unspillable_;              // damaged in memory
  bool spill_writing_ = false;                            // a thread has one, or will
  bool spilling_down_ = false;
  std::optional<Status> spill_failed_;
  uint32_t spill_failed_at_ = 0;  // coarse time
  struct Loading {
    std::vector<uint32_t> held;  // SEALED members of what is loaded: they stay, too
    std::vector<std::pair<uint32_t, uint64_t>> tree;  // slots with their words, members first
    std::vector<std::pair<uint32_t, shm::SlotFields>> placed;  // as they will be
  };
  std::unordered_map<uint32_t, Loading> loadings_;  // by root
  std::unordered_set<uint32_t> loading_;            // slots of all of them
  uint64_t loading_bytes_ = 0;                      // extents that are no slot's yet
  // By root, with its word: what the next one who asks is told.
  std::unordered_map<uint32_t, std::pair<uint64_t, Status>> load_failures_;

  bool segments_left_out_ = false;  // damaged ones, which somebody may still read
  bool links_doubted_ = false;      // some were seen to be wrong: Repair()

  // What the next commit writes as counters. An id that was planned and not committed is not used:
  // the planner takes it from here and moves it on in the same step that commits.
  shm::Counters next_counters_{};

  // Of no weight: gone after a restart.
  std::unordered_map<uint32_t, uint32_t> holds_;
  std::vector<uint32_t> sealed_at_;  // coarse time, by slot: LRU of what was never read
  uint64_t next_held_ = 0;           // of held_, to be looked at next
  std::vector<std::pair<uint32_t, uint32_t>> victims_;  // (last used, slot), oldest at the end
  std::optional<GrowthPlan> growth_;
  std::optional<Status> growth_failed_;
  uint64_t growth_failed_size_ = 0;  // of the segment that could not be made; less may be tried
  uint32_t growth_failed_at_ = 0;    // coarse time
  uint64_t unchecked_slots_ = 0;     // given out since the heap's room was looked at
  uint32_t heap_trimmed_at_ = 0;     // coarse time
  Statistics statistics_;
  uint32_t coarse_clock_ = 0;
};

}  // namespace vineyard::store

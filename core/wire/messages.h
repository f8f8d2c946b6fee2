// This file is the only place that lists what client and daemon say to each other. Each struct is
// one body: Encode appends it as one msgpack array, Decode reads it; views of a decoded message
// point into the bytes and the arena given. Arrays may grow at the end: a reader ignores what it
// does not know.
//
// A mutating request has number n > 0 in its frame, counted by the client from 1 and sent only when
// n - 64 and everything below is answered. A repeat with the same number (after a reconnect with
// the same session id) is answered from the stored reply and not applied again. Requests that
// change nothing have number 0 and may be repeated freely.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/object/ids.h"
#include "core/object/tree.h"
#include "core/object/value.h"

namespace vineyard::wire {

enum class MessageType : uint16_t {
  kHello = 1,
  kSegment = 2,
  kGrant = 3,
  kFind = 4,
  kWait = 5,
  kLease = 6,      // mutating
  kDropLease = 7,  // mutating
  kPut = 8,        // mutating
  kDelete = 9,     // mutating
  kPutName = 10,   // mutating
  kDropName = 11,  // mutating
  kListNames = 12,
  kList = 13,
  kListTypes = 14,
  kSetLabels = 15,  // mutating
  kPersist = 16,    // mutating
  kClear = 17,      // mutating
  kStatus = 18,
  kTrim = 19,
  kGoodbye = 20,
  kInstances = 21,
  kForgetInstance = 22,  // mutating
  kSync = 23,
  kWatch = 24,
  kAudit = 25,
  kUpgrade = 26,
  kAttach = 27,
  kEvict = 28,
  kAudiences = 29,
};
bool IsMutating(MessageType type);
// For the text of an error: "drop name".
const char* NameOf(MessageType type);
// Requests without a struct below (clear, status, trim, instances, audit, audiences, goodbye) have an empty list as
// body: "\x90".

inline constexpr uint64_t kRequestWindow = 64;

// In the body of a request: a value of one byte takes 24 in memory.
inline constexpr uint64_t kMaxValues = 16u << 20;

// ---- answers ----

// Every answer's body is [code, text, payload...]: payload only when code is 0.
struct Answer {
  Code code = Code::kOk;
  std::string_view text;
  const Value* payload = nullptr;  // `size` values
  uint64_t size = 0;
  Status ToStatus() const { return {code, std::string(text)}; }
};
std::string EncodeError(const Status& status);
std::string EncodeEmpty();  // code 0, no payload
Result<Answer> DecodeAnswer(std::string_view body, Arena* arena);

// ---- session ----

// First frame of a connection. Session id and token are random numbers made by the client, so that
// a hello may be repeated. A session that the daemon still knows (same id, token and uid) is
// resumed: no descriptor comes. Else a new one is made and three descriptors come: index and
// directory (read-only), pins (read-write, its flock held by this open file description).
struct Hello {
  uint32_t layout = 0;        // shm::kLayoutVersion
  uint64_t incompatible = 0;  // shm::kKnownIncompatible: the daemon has the same or refuses
  uint64_t session = 0;
  uint64_t token[2] = {0, 0};
  uint64_t pid = 0;
  std::string_view client;  // for people: "python 0.1.0"
  void Encode(std::string* out) const;
  static Result<Hello> Decode(const Value& body);
};
struct Welcome {
  bool resumed = false;
  uint64_t instance = 0;
  uint64_t epoch = 0;
  std::string_view version;     // of the daemon
  uint64_t checksum_limit = 0;  // bytes of a value up to which a put of a lease brings its checksum
  uint16_t audience = 0;        // of the session: what it puts is for, where it says nothing else
  bool is_shared = false;       // others than this user read there
  uint32_t uid = UINT32_MAX;    // the owner: root is served as the daemon's user
  void Encode(std::string* out) const;
  static Result<Welcome> Decode(const Answer& answer);
};

// Who may read what is put. kUid: its user alone; kGid: who is in the group, too; kAll: who may connect.
enum class Share : uint8_t { kDefault = 0, kUid = 1, kGid = 2, kAll = 3 };
// The store of another audience, for this session: by its number, or the one in which this user puts what is
// so shared, which is made when it is not there. Answered with three descriptors, as hello; without when the
// session has them.
struct Attach {
  uint16_t audience = 0;  // 0: by `share` and `gid`
  Share share = Share::kDefault;
  uint32_t gid = 0;
  void Encode(std::string* out) const;
  static Result<Attach> Decode(const Value& body);
};
struct AttachAnswer {
  uint16_t audience = 0;
  uint64_t instance = 0;  // of its store
  uint32_t uid = 0;       // the owner: who alone changes what is there
  bool is_shared = false;
  void Encode(std::string* out) const;
  static Result<AttachAnswer> Decode(const Answer& answer);
};
// Audiences: those that this user owns; all there are for the daemon's own user and root, who may attach to any of
// them by its number, to verify what is there.
struct AudiencesAnswer {
  struct Item {
    uint16_t number = 0;
    uint32_t uid = 0;  // the owner
    std::string text;  // for people: "group 100, by uid 1000"
  };
  std::vector<Item> audiences;  // in the order of their numbers
  void Encode(std::string* out) const;
  static Result<AudiencesAnswer> Decode(const Answer& answer);
};

// The descriptor of a segment: read-only, or writable where this session may hold leases.
struct SegmentRequest {
  uint32_t number = 0;
  bool writable = false;
  void Encode(std::string* out) const;
  static Result<SegmentRequest> Decode(const Value& body);
};
struct SegmentAnswer {   // and one descriptor
  uint64_t size = 0;     // bytes, header included
  bool is_sole = false;  // of one payload: it goes with it
  void Encode(std::string* out) const;
  static Result<SegmentAnswer> Decode(const Answer& answer);
};

// Asks for piece `piece` of this session's pin table. Answered with an empty answer once the memory
// is allocated.
struct Grant {
  uint64_t piece = 0;
  void Encode(std::string* out) const;
  static Result<Grant> Decode(const Value& body);
};

// ---- reading ----

// Find: now, or not found. Wait: until it is there or timeout_ms passed (kTimeout). By id, or by
// name when `name` is not empty (then `id` is ignored). What is in this instance's memory is answered as
// a slot, which the daemon holds until this session's next frame or for one second, so that the client
// can pin it; what other instances have persisted as metadata.
struct Find {
  ObjectId id = kInvalidId;
  std::string_view name;
  bool labels = false;      // the labels of `id` instead of `id`
  uint64_t timeout_ms = 0;  // Wait only
  bool latest = false;      // of a name: as of now, not as of what this daemon knows
  void Encode(std::string* out) const;
  static Result<Find> Decode(const Value& body);
};
enum class OwnerState : uint8_t { kAlive = 0, kLost = 1 };
// A node of a persisted tree that lives on another instance.
struct RemoteNode {
  ObjectId id = kInvalidId;
  BlobKind kind = BlobKind::kBuffer;  // of a blob
  uint64_t value_size = 0;            // of a blob: bytes of its value window
  std::string_view record;            // of an object
};
// What is known of an object of another instance: it and whatever is below it in the same tree. Members
// that are not among the nodes are objects of their own, to be asked for by their ids.
struct RemoteObject {
  uint64_t instance = 0;
  OwnerState owner = OwnerState::kAlive;
  uint64_t since_ms = 0;          // Unix time since when the owner is so
  std::string_view host;          // of the owner
  uint64_t stale_since_ms = 0;    // Unix time from which on this may be old; 0: it is not
  std::vector<RemoteNode> nodes;  // the object that was asked for first
  std::vector<std::pair<std::string_view, std::string_view>> labels;  // of that object
};
struct FindAnswer {
  enum class Kind : uint8_t { kSlot = 0, kRemote = 1, kName = 2 };
  Kind kind = Kind::kSlot;
  uint64_t slot = 0;  // of the object; for a name of the name's own slot
  uint64_t word = 0;
  uint16_t audience = 0;  // in whose store the slot is
  RemoteObject remote;
  struct {
    ObjectId id = kInvalidId;
    uint64_t revision = 0;
  } name;  // of the cluster, not of this instance's memory
  void Encode(std::string* out) const;
  static Result<FindAnswer> Decode(const Answer& answer);
};

// Objects whose type or one of its bases matches the glob, by type name and then by id: those of this
// instance, and those that the cluster knows.
struct List {
  std::string_view type_glob;
  std::string_view after;  // cursor of the answer before; empty: from the start
  uint64_t limit = 0;      // 1 to kMaxPage
  uint64_t instance = 0;   // only objects of this instance; 0: of all
  std::string_view label;  // only objects that have this label; empty: all
  std::string_view value;  // with this value; empty: any
  void Encode(std::string* out) const;
  static Result<List> Decode(const Value& body);
};
inline constexpr uint64_t kMaxPage = 10000;
inline constexpr uint64_t kMaxGlob = 1024;  // bytes
struct ListAnswer {
  std::vector<ObjectId> ids;
  std::string cursor;  // empty: that was all
  void Encode(std::string* out) const;
  static Result<ListAnswer> Decode(const Answer& answer);
};

// Type names that have objects, with how many. Answer: [[name, count], ...] and a cursor.
struct ListTypes {
  std::string_view after;  // the cursor of the answer before; empty: from the start
  void Encode(std::string* out) const;
  static Result<ListTypes> Decode(const Value& body);
};
struct ListTypesAnswer {
  std::vector<std::pair<std::string, uint64_t>> types;
  std::string cursor;  // empty: that was all
  void Encode(std::string* out) const;
  static Result<ListTypesAnswer> Decode(const Answer& answer);
};

// A page may hold fewer names than the limit, or none, without being the last.
struct ListNames {
  std::string_view glob;
  std::string_view after;  // the cursor of the answer before; empty: from the start
  uint64_t limit = 0;
  void Encode(std::string* out) const;
  static Result<ListNames> Decode(const Value& body);
};
struct ListNamesAnswer {
  struct Item {
    std::string name;
    ObjectId id = kInvalidId;
    uint64_t revision = 0;
  };
  std::vector<Item> names;
  std::string cursor;  // empty: that was all
  void Encode(std::string* out) const;
  static Result<ListNamesAnswer> Decode(const Answer& answer);
};

// Instances of the cluster, ordered by number; without a cluster this one.
struct InstancesAnswer {
  struct Item {
    uint64_t number = 0;
    OwnerState state = OwnerState::kAlive;
    uint64_t since_ms = 0;      // Unix time since when it is so
    uint64_t memory_limit = 0;  // bytes
    uint64_t epoch = 0, uid = 0;
    std::string host, socket, endpoint;
  };
  std::vector<Item> instances;
  void Encode(std::string* out) const;
  static Result<InstancesAnswer> Decode(const Answer& answer);
};

// So much of the cluster's log of changes: a token by which who has seen it on one instance asks
// another for no less.
struct LogPosition {
  uint64_t generation = 0;
  uint64_t entries = 0;
};
// Answered with the position up to which this daemon's knowledge reaches: now; once it knows everything
// that was committed anywhere before the request; or once it reaches `at_least`. kTimeout: not within
// the request's patience. kUnavailable: the metadata service can not be asked.
struct Sync {
  enum class Kind : uint8_t { kNow = 0, kBarrier = 1, kAtLeast = 2 };
  Kind kind = Kind::kNow;
  LogPosition at_least;
  void Encode(std::string* out) const;
  static Result<Sync> Decode(const Value& body);
};
struct SyncAnswer {
  LogPosition position;
  void Encode(std::string* out) const;
  static Result<SyncAnswer> Decode(const Answer& answer);
};

// Events behind a position, as soon as there is one, or none after timeout_ms. Position {0, 0}: from now
// on. The answer says where to go on.
struct Watch {
  LogPosition after;
  uint64_t timeout_ms = 0;
  uint64_t limit = 0;  // 1 to kMaxPage
  void Encode(std::string* out) const;
  static Result<Watch> Decode(const Value& body);
};
// Numbers of the C interface (VINEYARD_EVENT_*).
enum class EventKind : uint8_t {
  kCreated = 1,    // id: the root of a tree that was persisted; instance: its owner
  kDeleted = 2,    // likewise
  kNamed = 3,      // name, id
  kDropped = 4,    // name, and the id that it had
  kJoined = 5,     // instance
  kLost = 6,       // instance
  kForgotten = 7,  // instance
  kLabelled = 8,   // id: the root of the tree of which an object's labels changed
  kCompacted = 9,  // what happened up to here is not known any more: list anew
};
struct WatchAnswer {
  struct Event {
    EventKind kind = EventKind::kCreated;
    ObjectId id = kInvalidId;
    uint64_t instance = 0;
    std::string name;
  };
  std::vector<Event> events;
  LogPosition position;  // behind the last of them
  void Encode(std::string* out) const;
  static Result<WatchAnswer> Decode(const Answer& answer);
};

// Evict: the payloads of an object and of all below it go from memory to files now, as far as nothing else in
// memory links to them; they come back to whoever finds them. Answered with an empty answer once they are gone,
// also when they were before. kUnsupported: the daemon spills nothing; kInUse: somebody has pinned it.
struct Evict {
  ObjectId id = kInvalidId;
  void Encode(std::string* out) const;
  static Result<Evict> Decode(const Value& body);
};

// Status: names to numbers and texts, in the order in which people should read them.
struct StatusAnswer {
  std::vector<std::pair<std::string, uint64_t>> numbers;
  std::vector<std::pair<std::string, std::string>> texts;
  void Encode(std::string* out) const;
  static Result<StatusAnswer> Decode(const Answer& answer);
};

// Audit: whether the daemon's books and its memory agree, for its own user and root (kPermission). Each
// problem is a line for people. Slow: nothing else is answered meanwhile.
struct AuditAnswer {
  std::vector<std::string> problems;                      // some of them, when there are many
  uint64_t count = 0;                                     // of problems, those left out too
  std::vector<std::pair<std::string, uint64_t>> numbers;  // what was looked at
  void Encode(std::string* out) const;
  static Result<AuditAnswer> Decode(const Answer& answer);
};

// Upgrade: the program that asks takes the place of the one that serves; for the daemon's own user and root
// (kPermission). First it is told with which command line it will be started; if it understands that, it
// says begin. The answer to that comes just before the daemon ends.
struct Upgrade {
  bool begin = false;
  void Encode(std::string* out) const;
  static Result<Upgrade> Decode(const Value& body);
};
struct UpgradeAnswer {
  std::vector<std::string> arguments;
  void Encode(std::string* out) const;
  static Result<UpgradeAnswer> Decode(const Answer& answer);
};

// ---- writing ----

// Memory for one blob, writable by this session until it is sealed by a put or dropped.
struct Lease {
  BlobKind kind = BlobKind::kBuffer;
  uint64_t value_size = 0;
  void Encode(std::string* out) const;
  static Result<Lease> Decode(const Value& body);
};
struct LeaseAnswer {
  ObjectId id = kInvalidId;
  uint64_t location =
      0;  // shm::MakeLocation: the extent; stored form and value follow by its envelope
  void Encode(std::string* out) const;
  static Result<LeaseAnswer> Decode(const Answer& answer);
};
struct DropLease {
  ObjectId id = kInvalidId;
  void Encode(std::string* out) const;
  static Result<DropLease> Decode(const Value& body);
};

inline constexpr uint64_t kMaxTreeNodes = 4u << 20;  // of one put

// Put: a Tree. Node i that is not a lease gets the id MakeId(blob?, instance, first_counter + i).
void EncodeTree(const Tree& tree, std::string* out);
Result<Tree> DecodeTree(const Value& body);

// What a mutating request answers; one fixed form, so that it fits the stored reply.
//            id                 value                 revision
// put        root               first counter         of the commit
// delete     -                  number deleted        of the commit
// put name   object             -                     of the name
// drop name  object             -                     of the commit
// lease      (LeaseAnswer: id and location = value)
// labels, persist, clear        number of objects     of the commit
// trim       -                  bytes given back      -
struct MutationAnswer {
  ObjectId id = kInvalidId;
  uint64_t value = 0;
  uint64_t revision = 0;
  void Encode(std::string* out) const;
  static Result<MutationAnswer> Decode(const Answer& answer);
};

struct Delete {
  std::vector<ObjectId> ids;
  bool force = false;  // also when others link to it: it goes when they are gone
  bool deep = true;    // and the members that nobody else holds
  void Encode(std::string* out) const;
  static Result<Delete> Decode(const Value& body);
};

inline constexpr uint64_t kAnyRevision = UINT64_MAX;  // do not compare
struct PutName {
  std::string_view name;
  ObjectId id = kInvalidId;
  bool replace = false;
  uint64_t expect = kAnyRevision;  // 0: the name must not exist; else its revision
  void Encode(std::string* out) const;
  static Result<PutName> Decode(const Value& body);
};
struct DropName {
  std::string_view name;
  uint64_t expect = kAnyRevision;
  void Encode(std::string* out) const;
  static Result<DropName> Decode(const Value& body);
};

// Sets or (empty value) removes labels of one object.
struct SetLabels {
  ObjectId id = kInvalidId;
  std::vector<std::pair<std::string_view, std::string_view>> labels;
  void Encode(std::string* out) const;
  static Result<SetLabels> Decode(const Value& body);
};
struct Persist {
  std::vector<ObjectId> ids;
  void Encode(std::string* out) const;
  static Result<Persist> Decode(const Value& body);
};
// A lost instance goes from the cluster's books, with its trees and their names.
struct ForgetInstance {
  uint64_t number = 0;
  void Encode(std::string* out) const;
  static Result<ForgetInstance> Decode(const Value& body);
};

}  // namespace vineyard::wire

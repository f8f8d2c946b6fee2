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
};
bool IsMutating(MessageType type);
// Requests without a struct below (list types, clear, status, trim, goodbye) have an empty list as
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
  std::string_view version;  // of the daemon
  void Encode(std::string* out) const;
  static Result<Welcome> Decode(const Answer& answer);
};

// The descriptor of a segment: read-only, or writable where this session may hold leases.
struct SegmentRequest {
  uint32_t number = 0;
  bool writable = false;
  void Encode(std::string* out) const;
  static Result<SegmentRequest> Decode(const Value& body);
};
struct SegmentAnswer {  // and one descriptor
  uint64_t size = 0;    // bytes, header included
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
// name when `name` is not empty (then `id` is ignored). The daemon holds what it answers until this
// session's next frame or for one second, so that the client can pin it.
struct Find {
  ObjectId id = kInvalidId;
  std::string_view name;
  bool labels = false;      // the labels of `id` instead of `id`
  uint64_t timeout_ms = 0;  // Wait only
  void Encode(std::string* out) const;
  static Result<Find> Decode(const Value& body);
};
struct FindAnswer {
  uint64_t slot = 0;  // of the object; for a name of the name's own slot
  uint64_t word = 0;
  void Encode(std::string* out) const;
  static Result<FindAnswer> Decode(const Answer& answer);
};

// Objects whose type or one of its bases matches the glob, by type name and then by id; and labels.
struct List {
  std::string_view type_glob;
  std::string_view after;  // cursor of the answer before; empty: from the start
  uint64_t limit = 0;      // 1 to kMaxPage
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

// Status: names to numbers and texts, in the order in which people should read them.
struct StatusAnswer {
  std::vector<std::pair<std::string, uint64_t>> numbers;
  std::vector<std::pair<std::string, std::string>> texts;
  void Encode(std::string* out) const;
  static Result<StatusAnswer> Decode(const Answer& answer);
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

}  // namespace vineyard::wire

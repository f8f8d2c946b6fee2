// This file is the only place that says what ZooKeeper is asked and what it answers, in words of
// ours: nothing of its C client is seen outside this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/status.h"

namespace vineyard::meta::zookeeper {

// Runs its argument later, on the one thread that owns a connection, in the order of the calls.
// It may be called by any thread, and never runs it before it returns.
using Post = std::function<void(std::function<void()>)>;

struct Options {
  std::string servers;              // host:port,host:port; numbers rather than names, see link.h
  uint32_t session_timeout_ms = 0;  // asked for; the server may choose another
  std::string digest_auth = {};     // user:secret; what is created is then for this user only
  uint16_t own_port = 0;  // of 127.0.0.1; there only this process's user is told the secret
};

enum class State {
  kConnecting,  // there was no session yet
  kConnected,
  kSuspended,  // the link is lost; the session may live on
  kExpired,    // and so on: nothing comes behind these three
  kAuthFailed,
  kClosed,
};
std::string_view StateName(State state);

struct Stat {
  int32_t version = 0;
  int32_t cversion = 0;
  int32_t num_children = 0;
  int64_t czxid = 0;
  int64_t mzxid = 0;
  int64_t ephemeral_owner = 0;  // the session; 0: none
};

struct Node {
  std::string data;
  Stat stat;
};

struct Children {
  std::vector<std::string> names;  // in no order
  Stat stat;                       // of their parent
};

// What a watch is told, once.
enum class WatchEvent {
  kCreated,
  kChanged,
  kDeleted,
  kChildren,
  kLost,  // nobody watches any more: set it again, after reading
};

inline constexpr int32_t kAnyVersion = -1;

// One change of a multi.
struct Op {
  enum class Kind { kCreate, kSet, kRemove, kCheck };
  enum : unsigned { kPermanent = 0, kEphemeral = 1, kSequential = 2 };

  static Op Create(std::string path, std::string data = {}, unsigned flags = kPermanent);
  static Op Set(std::string path, std::string data, int32_t version = kAnyVersion);
  static Op Remove(std::string path, int32_t version = kAnyVersion);
  static Op Check(std::string path, int32_t version = kAnyVersion);

  // "create /a/b", for a message.
  std::string Text() const;

  Kind kind;
  std::string path;
  std::string data = {};
  int32_t version = kAnyVersion;
  unsigned flags = kPermanent;
};

// A server drops the connection of who sends more than 1 MiB, everybody's requests with it.
inline constexpr size_t kRequestLimit = 640 * kKiB;
// What an op takes of it: its path, its data and what goes around them.
size_t SizeOf(const Op& op);

// Whether ZooKeeper would take it, and a little stricter: absolute, printable ASCII, no empty
// component, no "." and no "..".
Status CheckPath(std::string_view path);
// Whether this multi may be sent: some op, paths, kRequestLimit.
Status CheckMulti(const std::vector<Op>& ops);

struct OpResult {
  std::string created_path;  // of a create: with its number if sequential
  Stat stat;                 // of a set
};

inline constexpr size_t kNoOp = SIZE_MAX;

// All of it is done, or nothing.
struct MultiResult {
  // What its op `failed` was refused for: not found, exists, conflict (of versions), in use (it has
  // children), permission, invalid; then nothing is done. Unavailable: it was never sent, or
  // refused as a whole; nothing is done. Unknown: it is done or not.
  Status status;
  size_t failed = kNoOp;
  std::vector<OpResult> ops = {};  // one for each, when ok
};

}  // namespace vineyard::meta::zookeeper

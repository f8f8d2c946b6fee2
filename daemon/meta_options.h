// This file is the only place that knows what can be said about the metadata service: --meta and the
// flags that begin with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace vineyard::daemon {

// What --meta is when nobody says it.
inline constexpr const char* kDefaultMeta = "auto";

enum class MetaKind {
  kLocal,      // this host only
  kZookeeper,  // a cluster that somebody runs
  kAuto,       // the ZooKeeper of this machine, started when none answers
};

struct MetaOptions {
  MetaKind kind = MetaKind::kLocal;
  // Of both kinds of clusters.
  std::string servers;  // host:port,host:port
  std::string prefix = "/vineyard";
  std::string auth;       // user:secret; empty: none. kAuto: set by the keeper
  std::string auth_file;  // of --meta-auth; empty: none
  uint32_t session_timeout_ms = 10'000;
  // Of kAuto.
  uint16_t port = 2181;
  std::string folder;      // of the started server; absolute
  bool own_folder = true;  // nobody said --meta-dir: the folder goes with the server
  uint64_t heap_bytes = kGiB;
  bool heap_said = false;
  // Set by the keeper: this daemon is one of those for which the server of `folder` was started, and
  // looks after it. False: the server that answers there is somebody else's.
  bool shares_server = false;

  // What --meta gives the same again: "auto:2181".
  std::string Text() const;
  std::vector<std::string> ToArguments() const;
};

// The flags as text; empty: not said.
struct SaidOfMeta {
  std::string where = kDefaultMeta;
  std::string auth, session_timeout, heap, folder;
};

// `resumed`: a daemon becomes its own keeper and has its secret already; nothing outside can stop it.
// A flag without effect beside this --meta is a warning.
Result<MetaOptions> InterpretMeta(const SaidOfMeta& said, uint64_t memory_limit, bool resumed,
                                  std::vector<std::string>* warnings);

// The only line of a file that is its owner's alone.
Result<std::string> ReadSecret(const std::string& path);

// The folder of a started server when nobody names one: the same for all daemons of a user.
std::string DefaultMetaFolder(uint32_t uid, uint16_t port);

}  // namespace vineyard::daemon

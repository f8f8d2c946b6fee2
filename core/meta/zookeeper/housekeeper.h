// This file is the only place that keeps the log short: it begins a new generation when one is full, removes
// generations that nobody needs any more, and the nodes of names that were dropped before them.
//
// There is no leader: whoever wrote the entry that fills a generation does it, every step is a compare-and-set,
// and a step that was not finished is found by the next one.
// Thread-confined.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/meta/zookeeper/connection.h"
#include "core/meta/zookeeper/follower.h"
#include "core/meta/zookeeper/guard.h"
#include "core/meta/zookeeper/schema.h"

namespace vineyard::meta::zookeeper {

struct LogLimits {
  uint64_t entries = 10000;       // of a generation
  uint64_t all_entries = 300000;  // of all together: 0.6 KB of the server's memory each
  int64_t keep_seconds = 600;     // a generation stays so long after its end
  uint64_t keep_generations = 3;  // and until so many newer ones are there
};

// The changes that begin another generation behind `log`, and make it so. `version`: of /log.
std::vector<Op> BeginGeneration(const Paths& paths, LogState* log, int32_t version, bool is_lost);

class Housekeeper {
 public:
  Housekeeper(const LogLimits& limits, Follower* follower, const Paths* paths);

  void Start(Connection* connection, std::string fence);
  void Stop();
  // This instance wrote this entry of the generation.
  void OnWritten(uint64_t generation, uint64_t entry);
  // The generation that was written is gone: another one begins, and all is read again.
  void ReplaceLost();
  // A name was dropped in this generation.
  void OnDropped(uint64_t generation, std::string name);
  // All that are dropped and still have a node.
  void OnLoaded(std::vector<std::pair<uint64_t, std::string>> dropped);

 private:
  void Rotate(bool is_lost = false);
  void Trim();
  void Measure(std::vector<uint64_t> generations);
  void Choose(const std::map<uint64_t, uint64_t>& entries);
  void Raise(uint64_t oldest, std::vector<uint64_t> going);
  void Remove(std::vector<uint64_t> generations);
  void RemoveEntries(std::vector<uint64_t> generations, std::vector<std::string> entries);
  void Reap(uint64_t oldest);
  void Done() { busy_ = false; }
  Deadline Soon() const { return Deadline::After(30000); }

  const LogLimits limits_;
  Follower* const follower_;
  const Paths* const paths_;
  Connection* connection_ = nullptr;
  std::string fence_;
  Guard guard_;
  bool busy_ = false;
  std::deque<std::pair<uint64_t, std::string>> dropped_;
};

}  // namespace vineyard::meta::zookeeper

// This file is the only place that knows in what shape descriptors are kept by the service manager and come
// back: their names, their old numbers, and what can be done without when not all of them are there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/shm/state_file.h"

namespace vineyard::daemon {

// FDNAME=, as the service manager shows it: `segment-2a-17`. No two living descriptors share one.
struct KeptName {
  shm::Role role = shm::Role::kNone;
  uint64_t number = 0;
  int fd = -1;  // as it is listed
  bool operator==(const KeptName&) const = default;
};
std::string PrintKeptName(const KeptName& name);
// Empty: it is of somebody else.
std::optional<KeptName> ParseKeptName(std::string_view text);

// What belongs to one run, or to one program, is not kept.
bool IsKept(const shm::StateFile::Listed& listed);

class PassedDescriptors {
 public:
  // Those of $LISTEN_FDS that have such names, each put under its own number; the variables are gone then.
  // REQUIRES: one thread, and nothing has been opened yet that is to stay open.
  static PassedDescriptors Take();

  const std::vector<KeptName>& names() const { return names_; }
  // Compares them with what the states among them list. Returns the descriptor of the one that has the listening
  // socket; or why there is none to go on with. What is missing and can be done without is unlisted, or
  // replaced by a descriptor of /dev/null where its number must stay taken: a segment, the listening socket,
  // the socket's lock, which is never kept.
  Result<int> Adopt();
  // Closes all of them.
  void DropAll();
  // What was closed because no state lists it, or by DropAll: the service manager still has it.
  const std::vector<KeptName>& dropped() const { return dropped_; }

 private:
  void Place(std::vector<int> current);
  bool Has(const shm::StateFile::Listed& listed) const;
  Status Check(shm::StateFile* state) const;
  std::vector<KeptName> AdoptStore(const shm::StateFile::Listed& store) const;
  Status DoWithout(shm::StateFile* state, const shm::StateFile::Listed& missing) const;

  std::vector<KeptName> names_, dropped_;
};

}  // namespace vineyard::daemon

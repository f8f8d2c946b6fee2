// This file is the only place that knows systemd's descriptor store: a service manager that holds a copy of
// every descriptor that a state file lists, and hands them to the next start, so that the memory outlives even
// keeper and daemon that die together (docs/decisions/0015).
//
// Invariants:
//  1. What is listed is kept: it is handed over before it is listed, and taken back before it is unlisted.
//     What is listed and not kept is on its way out, or was too much for the service manager.
//  2. A descriptor comes back under the number that it had: what state files say stays right, nothing is
//     rewritten, and a start that dies half way is done again by the next one.
//  3. What has ended does not come back: an ended state lists no listening socket.
#pragma once

#include <deque>
#include <vector>

#include "core/shm/state_file.h"
#include "daemon/notify.h"
#include "daemon/options.h"

namespace vineyard::daemon {

class DescriptorStore {
 public:
  // Does nothing where the service manager keeps none ($FDSTORE, of systemd 254 and later) or says nothing.
  explicit DescriptorStore(const Options& options);

  // What the service manager hands to this process: each descriptor under the number that it had. Returns
  // that of the state to adopt; -1: there is none, or, which it logs, it can not be used, and is taken back.
  // REQUIRES: one thread, and nothing has been opened yet that is to stay open.
  int Restore();

  // Hands over all that is listed, and from here on what is listed; takes back what is unlisted.
  // REQUIRES: this object lives as long as the state is changed.
  void Follow(shm::StateFile* state);
  // Takes back all that is listed: the state ends before this object does.
  void Unfollow(shm::StateFile* state);
  // The same number leads to another file now.
  void Replace(const shm::StateFile::Listed& listed);
  // Sends what the service manager did not take at once, if it takes it now.
  void Flush();
  bool is_behind() const { return !waiting_.empty(); }
  // The same, and waits a moment for a service manager that is behind.
  void FlushAll();
  // Takes back all that is listed, of the stores that it lists, too.
  void End(shm::StateFile* state);

 private:
  struct Message {
    bool stores;  // false: takes back
    shm::StateFile::Listed listed;
  };

  void Store(const shm::StateFile::Listed& listed);
  void TakeBack(const shm::StateFile::Listed& listed);
  void Post(Message message);
  // False: not now.
  bool Deliver(const Message& message);

  const Notifier manager_;
  size_t limit_ = 0;  // 0: none is kept
  size_t kept_ = 0;
  bool limit_told_ = false;
  std::vector<const shm::StateFile*> followed_;
  std::deque<Message> waiting_;
};

}  // namespace vineyard::daemon

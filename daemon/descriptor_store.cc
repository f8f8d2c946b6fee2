#include "daemon/descriptor_store.h"

#include <poll.h>

#include <cerrno>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "daemon/kept_descriptors.h"

namespace vineyard::daemon {
namespace {

using shm::Role;
using shm::StateFile;

constexpr int64_t kPatienceMs = 1000;
constexpr int kPauseMs = 5;

KeptName NameOf(const StateFile::Listed& listed) { return {listed.role, listed.number, listed.fd}; }

// Whether to send it later can help.
bool IsTemporary(int error) {
  return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM ||
         error == EMFILE || error == ENFILE || error == ETOOMANYREFS;
}

}  // namespace

DescriptorStore::DescriptorStore(const Options& options) : manager_(options) {
  const char* most = std::getenv("FDSTORE");
  if (most != nullptr && !manager_.is_silent()) limit_ = std::strtoul(most, nullptr, 10);
}

// ---- what is kept ------------------------------------------------------------------------------

void DescriptorStore::Follow(StateFile* state) {
  if (limit_ == 0) return;
  followed_.push_back(state);
  for (const StateFile::Listed& listed : state->Descriptors()) Store(listed);
  state->on_list = [this](const StateFile::Listed& listed) { Store(listed); };
  state->on_unlist = [this](const StateFile::Listed& listed) { TakeBack(listed); };
}

void DescriptorStore::Unfollow(StateFile* state) {
  if (limit_ == 0) return;
  std::erase(followed_, state);
  state->on_list = state->on_unlist = nullptr;
  for (const StateFile::Listed& listed : state->Descriptors()) TakeBack(listed);
}

void DescriptorStore::Store(const StateFile::Listed& listed) {
  if (!IsKept(listed)) return;
  if (++kept_ > limit_ && !std::exchange(limit_told_, true)) {
    Log(LogLevel::kWarning,
        "the service manager keeps %zu descriptors and this store has more: raise "
        "FileDescriptorStoreMax",
        limit_);
  }
  Post({true, listed});
}

void DescriptorStore::TakeBack(const StateFile::Listed& listed) {
  if (!IsKept(listed)) return;
  --kept_;
  Post({false, listed});
}

void DescriptorStore::Replace(const StateFile::Listed& listed) {
  if (limit_ == 0) return;
  TakeBack(listed);
  Store(listed);
}

void DescriptorStore::Post(Message message) {
  if (!waiting_.empty() || !Deliver(message)) waiting_.push_back(message);
}

bool DescriptorStore::Deliver(const Message& message) {
  std::string name = "FDNAME=" + PrintKeptName(NameOf(message.listed)) + "\n";
  // Not polled: of a socket that nobody reads it is not for the service manager to decide.
  return !IsTemporary(message.stores
                          ? manager_.Send("FDSTORE=1\nFDPOLL=0\n" + name, message.listed.fd)
                          : manager_.Send("FDSTOREREMOVE=1\n" + name));
}

void DescriptorStore::Flush() {
  if (waiting_.empty()) return;
  // A number that is not listed any more is that of another file, or of none.
  std::set<std::string> listed;
  for (const StateFile* state : followed_) {
    for (const auto& entry : state->Descriptors()) listed.insert(PrintKeptName(NameOf(entry)));
  }
  while (!waiting_.empty()) {
    const Message& next = waiting_.front();
    bool is_gone = next.stores && listed.count(PrintKeptName(NameOf(next.listed))) == 0;
    if (!is_gone && !Deliver(next)) return;
    waiting_.pop_front();
  }
}

void DescriptorStore::FlushAll() {
  Deadline deadline = Deadline::After(kPatienceMs);
  for (Flush(); !waiting_.empty() && !deadline.passed(); Flush()) poll(nullptr, 0, kPauseMs);
}

void DescriptorStore::End(StateFile* state) {
  if (limit_ == 0) return;
  // First: were this process killed now, what is left of it must not come back.
  state->Forget(Role::kListener, 0);
  state->on_list = state->on_unlist = nullptr;
  for (StateFile::Listed listed : state->AllDescriptors()) {
    // Kept as what it lists itself as.
    if (listed.role == Role::kStore) listed = {Role::kState, listed.fd, 0, 0, 0};
    TakeBack(listed);
  }
  FlushAll();
}

// ---- what comes back ---------------------------------------------------------------------------

int DescriptorStore::Restore() {
  PassedDescriptors passed = PassedDescriptors::Take();
  if (limit_ == 0 || passed.names().empty()) return -1;
  Result<int> state = passed.Adopt();
  if (state.ok()) {
    Log(LogLevel::kInfo, "%zu descriptors are back from the service manager",
        passed.names().size());
  } else {
    Log(LogLevel::kWarning,
        "what the service manager has kept can not be used: %s; the store begins empty",
        state.status().text().c_str());
    passed.DropAll();
  }
  for (const KeptName& name : passed.dropped()) {
    Post({false, {name.role, name.fd, name.number, 0, 0}});
  }
  FlushAll();  // before others are handed over, who may have such names
  return state.ok() ? *state : -1;
}

}  // namespace vineyard::daemon

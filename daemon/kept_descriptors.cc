#include "daemon/kept_descriptors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <utility>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "daemon/daemon.h"
#include "daemon/keeper.h"

namespace vineyard::daemon {
namespace {

using shm::Role;
using shm::StateFile;
using ull = unsigned long long;

constexpr int kFirstPassed = 3;  // as sd_listen_fds(3) says

constexpr std::pair<Role, const char*> kRoles[] = {
    {Role::kState, "state"},         {Role::kListener, "listener"}, {Role::kIndex, "index"},
    {Role::kDirectory, "directory"}, {Role::kSegment, "segment"},   {Role::kPins, "pins"},
    {Role::kKeeper, "keeper"},       {Role::kSpillFolder, "spill"},
};

const char* NameOf(Role role) {
  for (const auto& [each, name] : kRoles) {
    if (each == role) return name;
  }
  return "unknown";
}

template <typename T>
bool ParseNumber(std::string_view text, int base, T* number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

// A session that was never granted a piece of its table has pinned nothing.
bool MayPin(const StateFile& state, uint64_t session) {
  for (uint32_t i = 0; i < state.sessions_end(); ++i) {
    const shm::SessionCell& cell = state.session(i);
    if (cell.id.load(std::memory_order_relaxed) != session) continue;
    return std::any_of(std::begin(cell.granted), std::end(cell.granted),
                       [](const auto& word) { return word.load(std::memory_order_relaxed) != 0; });
  }
  return false;
}

// So that nothing else gets this number.
Status HoldNumber(int number) {
  Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid()) return ErrnoStatus("open /dev/null", errno);
  if (null.get() == number) {
    (void)null.Release();
  } else if (dup3(null.get(), number, O_CLOEXEC) < 0) {
    return ErrnoStatus(Format("descriptor %d", number), errno);
  }
  return OkStatus();
}

}  // namespace

// ---- names -------------------------------------------------------------------------------------

std::string PrintKeptName(const KeptName& name) {
  return Format("%s-%llx-%d", NameOf(name.role), static_cast<ull>(name.number), name.fd);
}

std::optional<KeptName> ParseKeptName(std::string_view text) {
  size_t first = text.find('-'), second = text.rfind('-');
  if (first == text.npos || second == first) return std::nullopt;
  KeptName name;
  for (const auto& [role, known] : kRoles) {
    if (known == text.substr(0, first)) name.role = role;
  }
  if (name.role == Role::kNone ||
      !ParseNumber(text.substr(first + 1, second - first - 1), 16, &name.number) ||
      !ParseNumber(text.substr(second + 1), 10, &name.fd) || name.fd <= STDERR_FILENO) {
    return std::nullopt;
  }
  return name;
}

// The state of another store is kept as what it lists itself as.
bool IsKept(const StateFile::Listed& listed) {
  if (listed.role == Role::kStore) return false;
  return listed.role != Role::kKeeper || listed.number == kZookeeperUsers ||
         listed.number == kSecret;
}

// ---- numbers -----------------------------------------------------------------------------------

PassedDescriptors PassedDescriptors::Take() {
  PassedDescriptors passed;
  int count = 0;
  pid_t meant = 0;
  if (ParseNumber(Variable("LISTEN_PID"), 10, &meant) && meant == getpid()) {
    (void)ParseNumber(Variable("LISTEN_FDS"), 10, &count);
  }
  std::string names(Variable("LISTEN_FDNAMES"));
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"}) {
    unsetenv(name);
  }
  std::vector<int> current;
  std::string_view rest = names;
  for (int fd = kFirstPassed; fd < kFirstPassed + count && !rest.empty(); ++fd) {
    size_t end = std::min(rest.find(':'), rest.size());
    std::optional<KeptName> name = ParseKeptName(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    bool is_twice = name && std::any_of(passed.names_.begin(), passed.names_.end(),
                                        [&](const KeptName& n) { return n.fd == name->fd; });
    if (!name || is_twice) {
      close(fd);
      continue;
    }
    passed.names_.push_back(*name);
    current.push_back(fd);
  }
  passed.Place(std::move(current));
  return passed;
}

// Whoever is in the way goes elsewhere first: one number more than there are descriptors is enough.
void PassedDescriptors::Place(std::vector<int> current) {
  std::unordered_map<int, size_t> holder;
  for (size_t i = 0; i < current.size(); ++i) holder[current[i]] = i;
  for (size_t i = 0; i < current.size(); ++i) {
    int from = current[i], to = names_[i].fd;
    if (from == to) continue;
    auto in_the_way = holder.find(to);
    if (in_the_way != holder.end()) {
      size_t other = in_the_way->second;
      holder.erase(in_the_way);
      current[other] = fcntl(to, F_DUPFD_CLOEXEC, kFirstPassed);
      if (current[other] >= 0) holder[current[other]] = other;
    }
    current[i] = dup3(from, to, O_CLOEXEC);  // EBADF where it was in the way and had no place
    if (from >= 0) {
      close(from);
      holder.erase(from);
    }
    if (current[i] >= 0) holder[to] = i;
  }
  std::vector<KeptName> placed;
  for (size_t i = 0; i < current.size(); ++i) {
    (current[i] >= 0 ? placed : dropped_).push_back(names_[i]);
  }
  names_ = std::move(placed);
}

// ---- what states say ---------------------------------------------------------------------------

bool PassedDescriptors::Has(const StateFile::Listed& listed) const {
  KeptName name{listed.role, listed.number, listed.fd};
  if (listed.role == Role::kStore) name = {Role::kState, 0, listed.fd};
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

// What can be gone on with of one state: its descriptors. None: nothing can, which is logged.
std::vector<KeptName> PassedDescriptors::AdoptStore(const StateFile::Listed& store) const {
  std::vector<KeptName> names;
  Result<std::unique_ptr<StateFile>> state = StateFile::Adopt(Fd(store.fd));
  Status good = state.ok() ? Check(state->get()) : state.status();
  if (good.ok()) {
    for (const auto& entry : (*state)->Descriptors()) {
      names.push_back({entry.role, entry.number, entry.fd});
    }
  } else {
    Log(LogLevel::kError, "audience %llu was not kept whole by the service manager: %s",
        static_cast<ull>(store.number), good.text().c_str());
  }
  if (state.ok()) (void)(*state)->ReleaseFd();
  return names;
}

Result<int> PassedDescriptors::Adopt() {
  std::unique_ptr<StateFile> main;
  bool any = false;
  for (const KeptName& name : names_) {
    if (name.role != Role::kState) continue;
    any = true;
    Result<std::unique_ptr<StateFile>> state = StateFile::Adopt(Fd(name.fd));
    if (!state.ok()) continue;  // whoever lists it says so
    if ((*state)->Lookup(Role::kListener)) {
      if (main != nullptr) (void)main->ReleaseFd();
      main = std::move(state).value();
    } else {
      (void)(*state)->ReleaseFd();
    }
  }
  if (!any) return Corrupt("the state is missing; is FileDescriptorStoreMax large enough?");
  if (main == nullptr) {
    return Status(Code::kUnavailable, "the state lists no listening socket: it has ended");
  }
  Status good = Check(main.get());
  std::vector<KeptName> listed;
  for (const StateFile::Listed& entry : main->Descriptors()) {
    listed.push_back({entry.role, entry.number, entry.fd});
    if (!good.ok() || entry.role != Role::kStore) continue;
    std::vector<KeptName> below = AdoptStore(entry);
    if (below.empty()) main->Unlist(Role::kStore, entry.number);
    listed.insert(listed.end(), below.begin(), below.end());
  }
  int number = main->ReleaseFd();
  RETURN_IF_ERROR(good);
  auto is_listed = [&](const KeptName& name) {
    return std::find(listed.begin(), listed.end(), name) != listed.end();
  };
  auto stale = std::stable_partition(names_.begin(), names_.end(), is_listed);
  for (auto name = stale; name != names_.end(); ++name) {
    close(name->fd);
    dropped_.push_back(*name);
  }
  names_.erase(stale, names_.end());
  return number;
}

Status PassedDescriptors::Check(StateFile* state) const {
  if (!state->Lookup(Role::kIndex) || !state->Lookup(Role::kDirectory)) {
    return Corrupt("the state lists no index or no directory");
  }
  for (const StateFile::Listed& listed : state->Descriptors()) {
    if (!Has(listed)) RETURN_IF_ERROR(DoWithout(state, listed));
  }
  return OkStatus();
}

Status PassedDescriptors::DoWithout(StateFile* state, const StateFile::Listed& missing) const {
  switch (missing.role) {
    case Role::kSegment:
      // Adoption leaves it out; it stays listed, so that clients keep what they have mapped of it.
      Log(LogLevel::kError,
          "segment %llu was not kept by the service manager: the objects in it are lost",
          static_cast<ull>(missing.number));
      return HoldNumber(missing.fd);
    case Role::kListener:
      return HoldNumber(missing.fd);
    case Role::kStore:
      Log(LogLevel::kError, "audience %llu was not kept by the service manager: it is lost",
          static_cast<ull>(missing.number));
      state->Unlist(missing.role, missing.number);
      return OkStatus();
    case Role::kSpillFolder:
      Log(LogLevel::kError, "the folder of spilled payloads was not kept by the service manager");
      state->Unlist(missing.role, missing.number);
      return OkStatus();
    case Role::kPins:
      // What this session reads could be freed and written over.
      if (MayPin(*state, missing.number)) break;
      state->Unlist(missing.role, missing.number);
      return OkStatus();
    case Role::kKeeper:
      if (missing.number == kLock) return HoldNumber(missing.fd);
      if (missing.number != kNextProgram) break;
      state->Unlist(missing.role, missing.number);
      return OkStatus();
    default:
      break;
  }
  return Corrupt(PrintKeptName({missing.role, missing.number, missing.fd}) +
                 " is missing; is FileDescriptorStoreMax large enough?");
}

void PassedDescriptors::DropAll() {
  for (const KeptName& name : names_) {
    // Also for those who wait at it, and in the service manager's copy.
    if (name.role == Role::kListener) shutdown(name.fd, SHUT_RDWR);
    close(name.fd);
    dropped_.push_back(name);
  }
  names_.clear();
}

}  // namespace vineyard::daemon

#include "core/shm/state_file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unordered_set>
#include <utility>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/shm/file_header.h"

namespace vineyard::shm {
namespace {

// What the successor of a killed process finds is decided by the order of its instructions alone:
// all stores before the last instruction reach memory, none after it. So here it is the compiler,
// not the processor, that must be kept from reordering.
void KeepOrder() { std::atomic_signal_fence(std::memory_order_seq_cst); }

void StoreWords(std::atomic<uint64_t>* to, const uint64_t* from, int count) {
  for (int i = 0; i < count; ++i) to[i].store(from[i], std::memory_order_relaxed);
}

}  // namespace

StateFile::StateFile(Fd fd, Mapping mapping) : fd_(std::move(fd)), mapping_(std::move(mapping)) {}

DescriptorEntry* StateFile::entries() const {
  return reinterpret_cast<DescriptorEntry*>(mapping_.data() + kDescriptorsOffset);
}
CommitLine* StateFile::commit_area() const {
  return reinterpret_cast<CommitLine*>(mapping_.data() + kCommitOffset);
}

Result<std::unique_ptr<StateFile>> StateFile::Create(uint64_t instance) {
  ASSIGN_OR_RETURN(Fd fd, CreateMemory("vineyard.state", kMaxStateFile));
  ASSIGN_OR_RETURN(Mapping mapping, Mapping::Map(fd, kMaxStateFile, /*writable=*/true));
  RETURN_IF_ERROR(AllocateRange(fd, 0, kPageSize));
  auto* header = new (mapping.data()) StateHeader{};
  header->instance = instance != 0 ? instance : 1 + RandomNumber() % kMaxInstance;
  header->cluster[0] = RandomNumber();
  header->cluster[1] = RandomNumber();
  header->first_start_ms = MonotonicNs() / 1'000'000;
  header->counters.next_id = 1;
  header->counters.next_segment = 1;
  header->next_audience = 2;  // the daemon's own is 1
  header->header = MakeFileHeader(FileKind::kState, header->instance);
  RETURN_IF_ERROR(AddSeals(fd, Seals::kDaemonOnly));
  int number = fd.get();
  std::unique_ptr<StateFile> state(new StateFile(std::move(fd), std::move(mapping)));
  RETURN_IF_ERROR(state->ReserveCommit(256));
  RETURN_IF_ERROR(state->List(Role::kState, number));
  return state;
}

Result<std::unique_ptr<StateFile>> StateFile::Adopt(Fd fd) {
  ASSIGN_OR_RETURN(uint64_t size, FileSize(fd));
  if (size != kMaxStateFile) return Corrupt("state: its file has another size");
  ASSIGN_OR_RETURN(Mapping mapping, Mapping::Map(fd, kMaxStateFile, /*writable=*/true));
  std::unique_ptr<StateFile> state(new StateFile(std::move(fd), std::move(mapping)));
  StateHeader& header = state->header();
  RETURN_IF_ERROR(CheckFileHeader(header.header, FileKind::kState, /*writer=*/true));
  if (header.descriptors_end > kMaxDescriptors || header.sessions_end > kMaxSessions ||
      header.reserved_lines > kMaxCommitLines || header.commit_lines > header.reserved_lines) {
    return Corrupt("state: its header names more than it can hold");
  }
  // What is allocated is never given back: more than that no daemon has written down.
  struct stat info;
  if (fstat(state->fd(), &info) != 0) return ErrnoStatus("fstat", errno);
  if (state->allocated_bytes() > static_cast<uint64_t>(info.st_blocks) * 512) {
    return Corrupt("state: its header names more than is allocated");
  }
  if (header.instance == 0 || header.instance > kMaxInstance ||
      header.instance != header.header.instance) {
    return Corrupt("state: its header does not say which instance it is of");
  }
  // Only the origin of time stamps: any other serves as well.
  int64_t now_ms = MonotonicNs() / 1'000'000;
  if (header.first_start_ms < 0 || header.first_start_ms > now_ms) header.first_start_ms = now_ms;
  state->DropDoubles();
  return state;
}

// Two entries of one descriptor: one of them is damaged, and to close it would close the other's.
void StateFile::DropDoubles() {
  std::unordered_set<int> seen;
  uint64_t end = header().descriptors_end.load(std::memory_order_relaxed);
  for (uint64_t i = 0; i < end; ++i) {
    DescriptorEntry& entry = entries()[i];
    uint32_t role = entry.role.load(std::memory_order_relaxed);
    if (role == 0 || seen.insert(entry.fd).second) continue;
    Log(LogLevel::kError, "state: descriptor %d is listed twice; role %u, number %llu is left out",
        entry.fd, role, static_cast<unsigned long long>(entry.number));
    entry.role.store(0, std::memory_order_release);
  }
}

Result<DescriptorEntry*> StateFile::AllocateEntry() {
  uint64_t end = header().descriptors_end.load(std::memory_order_relaxed);
  for (uint64_t i = 0; i < end; ++i) {
    if (entries()[i].role.load(std::memory_order_relaxed) == 0) return &entries()[i];
  }
  constexpr uint64_t kStep = kPageSize / sizeof(DescriptorEntry);
  if (end + kStep > kMaxDescriptors) {
    return Status(Code::kLimit, Format("the daemon holds %u descriptors already", kMaxDescriptors));
  }
  RETURN_IF_ERROR(
      AllocateRange(fd_, kDescriptorsOffset + end * sizeof(DescriptorEntry), kPageSize));
  header().descriptors_end.store(end + kStep, std::memory_order_release);
  CrashPoint();
  return &entries()[end];
}

Status StateFile::List(Role role, int fd, uint64_t number, uint64_t size, uint32_t flags) {
  ASSIGN_OR_RETURN(DescriptorEntry * entry, AllocateEntry());
  if (on_list) on_list({role, fd, number, size, flags});
  entry->fd = fd;
  entry->number = number;
  entry->size = size;
  entry->flags = flags;
  // release (a compiler matter, see KeepOrder): the entry is complete before it counts.
  CrashPoint();
  entry->role.store(static_cast<uint32_t>(role), std::memory_order_release);
  KeepOrder();
  CrashPoint();
  return OkStatus();
}

int StateFile::Unlist(Role role, uint64_t number) {
  uint64_t end = header().descriptors_end.load(std::memory_order_relaxed);
  for (uint64_t i = 0; i < end; ++i) {
    DescriptorEntry& entry = entries()[i];
    if (entry.role.load(std::memory_order_relaxed) != static_cast<uint32_t>(role) ||
        entry.number != number) {
      continue;
    }
    int fd = entry.fd;
    if (on_unlist) on_unlist({role, fd, number, entry.size, entry.flags});
    entry.role.store(0, std::memory_order_release);
    CrashPoint();
    KeepOrder();  // a descriptor that is listed is open: unlisted first, then closed
    return fd;
  }
  return -1;
}

void StateFile::Forget(Role role, uint64_t number) {
  int fd = Unlist(role, number);
  if (fd >= 0) close(fd);
}

namespace {

std::vector<StateFile::Listed> ReadEntries(const char* state) {
  std::vector<StateFile::Listed> listed;
  const auto& header = *reinterpret_cast<const StateHeader*>(state);
  const auto* entries = reinterpret_cast<const DescriptorEntry*>(state + kDescriptorsOffset);
  uint64_t end = header.descriptors_end.load(std::memory_order_relaxed);
  for (uint64_t i = 0; i < std::min<uint64_t>(end, kMaxDescriptors); ++i) {
    const DescriptorEntry& entry = entries[i];
    uint32_t role = entry.role.load(std::memory_order_acquire);
    if (role != 0) {
      listed.push_back({static_cast<Role>(role), entry.fd, entry.number, entry.size, entry.flags});
    }
  }
  return listed;
}

// Of a store that may be damaged: what can be read.
std::vector<StateFile::Listed> ReadEntriesOf(int state) {
  Fd fd(state);
  std::vector<StateFile::Listed> listed;
  Result<uint64_t> size = FileSize(fd);
  if (size.ok() && *size == kMaxStateFile) {
    Result<Mapping> mapping = Mapping::Map(fd, kSessionsOffset, /*writable=*/false);
    if (mapping.ok()) listed = ReadEntries(mapping->data());
  }
  (void)fd.Release();
  return listed;
}

}  // namespace

std::vector<StateFile::Listed> StateFile::Descriptors() const {
  return ReadEntries(mapping_.data());
}

std::vector<StateFile::Listed> StateFile::AllDescriptors() const {
  std::vector<Listed> listed = Descriptors(), all = listed;
  for (const Listed& store : listed) {
    if (store.role != Role::kStore) continue;
    for (const Listed& below : ReadEntriesOf(store.fd)) {
      if (below.fd != store.fd) all.push_back(below);  // it lists itself
    }
  }
  return all;
}

std::optional<StateFile::Listed> StateFile::Lookup(Role role, uint64_t number) const {
  for (const Listed& listed : Descriptors()) {
    if (listed.role == role && listed.number == number) return listed;
  }
  return std::nullopt;
}

void StateFile::CloseListed() {
  for (const Listed& listed : AllDescriptors()) {
    if (listed.fd != fd_.get()) close(listed.fd);
  }
  mapping_.Reset();
  fd_.Reset();
}

void StateFile::CloseUnlisted(const std::vector<int>& keep) const {
  std::vector<int> kept = keep;
  for (const Listed& listed : AllDescriptors()) kept.push_back(listed.fd);
  std::sort(kept.begin(), kept.end());
  std::vector<int> open;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder)) {
    int fd = std::atoi(entry->d_name);  // "." and ".." give 0
    if (fd > 2 && fd != dirfd(folder)) open.push_back(fd);
  }
  closedir(folder);
  for (int fd : open) {
    if (!std::binary_search(kept.begin(), kept.end(), fd)) close(fd);
  }
}

SessionCell& StateFile::session(uint32_t index) const {
  return reinterpret_cast<SessionCell*>(mapping_.data() + kSessionsOffset)[index];
}

uint32_t StateFile::session_index(const SessionCell& cell) const {
  return static_cast<uint32_t>(&cell - &session(0));
}

SessionCell* StateFile::AllocateSession() {
  uint32_t end = sessions_end();
  for (uint32_t i = 0; i < end; ++i) {
    if (session(i).id.load(std::memory_order_relaxed) == 0) return &session(i);
  }
  if (end == kMaxSessions) return nullptr;
  if (!AllocateRange(fd_, kSessionsOffset + end * sizeof(SessionCell), sizeof(SessionCell)).ok()) {
    return nullptr;
  }
  header().sessions_end.store(end + 1, std::memory_order_release);
  CrashPoint();
  return &session(end);
}

Status StateFile::ReserveCommit(uint64_t lines) {
  uint64_t reserved = reserved_lines();
  if (lines <= reserved) return OkStatus();
  if (lines > kMaxCommitLines) {
    return Limit(Format("a change of %llu objects: at most %llu are allowed",
                        static_cast<unsigned long long>(lines),
                        static_cast<unsigned long long>(kMaxCommitLines)));
  }
  uint64_t grown = std::min(std::max(lines, reserved * 2), kMaxCommitLines);
  RETURN_IF_ERROR(AllocateRange(fd_, kCommitOffset, grown * sizeof(CommitLine)));
  header().reserved_lines.store(grown, std::memory_order_release);
  CrashPoint();
  return OkStatus();
}

void StateFile::Apply(const std::vector<CommitLine>& lines, char* index) {
  CHECK(lines.size() <= reserved_lines());
  if (lines.empty()) return;
  std::memcpy(commit_area(), lines.data(), lines.size() * sizeof(CommitLine));
  KeepOrder();
  CrashPoint();
  header().commit_lines.store(lines.size(), std::memory_order_release);  // valid from here on
  KeepOrder();
  CrashPoint();
  for (uint64_t i = 0; i < lines.size(); ++i) PutInPlace(commit_area()[i], index);
  KeepOrder();
  header().commit_lines.store(0, std::memory_order_release);
  KeepOrder();  // the next commit's lines may not be written before this one is cleared
  CrashPoint();
}

uint64_t StateFile::Redo(char* index, uint64_t index_size) {
  uint64_t lines = header().commit_lines.load(std::memory_order_acquire), left_out = 0;
  for (uint64_t i = 0; i < lines; ++i) {
    const CommitLine& line = commit_area()[i];
    if (IsLine(line, index_size)) {
      PutInPlace(line, index);
    } else {
      ++left_out;
    }
  }
  KeepOrder();
  header().commit_lines.store(0, std::memory_order_release);
  KeepOrder();
  CrashPoint();
  return left_out;
}

bool StateFile::IsLine(const CommitLine& line, uint64_t index_size) const {
  if (line.offset % sizeof(line.words) != 0) return false;
  if (line.target == static_cast<uint32_t>(Target::kIndex)) {
    return line.offset >= kSlotsOffset && line.offset < index_size;
  }
  if (line.target != static_cast<uint32_t>(Target::kState)) return false;
  if (line.offset == kCountersOffset) return true;
  if (line.offset < kSessionsOffset) return false;
  uint64_t at = line.offset - kSessionsOffset, in_cell = at % sizeof(SessionCell);
  return at / sizeof(SessionCell) < sessions_end() && in_cell >= offsetof(SessionCell, replies) &&
         in_cell < offsetof(SessionCell, replies) + sizeof(SessionCell::replies);
}

void StateFile::PutInPlace(const CommitLine& line, char* index) {
  char* file = line.target == static_cast<uint32_t>(Target::kIndex) ? index : mapping_.data();
  auto* words = reinterpret_cast<std::atomic<uint64_t>*>(file + line.offset);
  StoreWords(words + 1, line.words + 1, 7);
  CrashPoint();
  // seq_cst: for a slot this is the word. It publishes the fields (release), and it is D1 of the
  // pin protocol, which must be ordered before the scan of the pins
  // (docs/shared-memory-format.md).
  words[0].store(line.words[0], std::memory_order_seq_cst);
  CrashPoint();
}

uint64_t StateFile::allocated_bytes() const {
  return kPageSize +
         header().descriptors_end.load(std::memory_order_relaxed) * sizeof(DescriptorEntry) +
         uint64_t{sessions_end()} * sizeof(SessionCell) + reserved_lines() * sizeof(CommitLine);
}

}  // namespace vineyard::shm

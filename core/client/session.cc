#include "core/client/session.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/bytes.h"
#include "core/shm/file_header.h"

namespace vineyard::client {

static_assert(Session::kMaxSegments == shm::kMaxSegmentNumber + 1);

// All sessions of this process, living and to be used again. Guarded by ProcessMutex(), never
// destroyed.
class Sessions final : public ForkListener {
 public:
  static Sessions& Get() {
    static Sessions* sessions = [] {
      auto* made = new Sessions;
      AddForkListener(made);
      return made;
    }();
    return *sessions;
  }

  Session* New() {
    for (Session* session : all_) {
      if (!session->in_use_) return session;
    }
    all_.push_back(new Session);
    return all_.back();
  }

  void AddRange(const shm::Mapping& mapping) {
    ranges_[reinterpret_cast<uintptr_t>(mapping.data())] = mapping.size();
  }
  void RemoveRange(const shm::Mapping& mapping) {
    ranges_.erase(reinterpret_cast<uintptr_t>(mapping.data()));
  }
  bool Contains(const void* data, uint64_t size) const {
    uintptr_t at = reinterpret_cast<uintptr_t>(data);
    auto above = ranges_.upper_bound(at);
    if (above == ranges_.begin()) return false;
    auto [base, length] = *std::prev(above);
    return at - base < length && size <= length - (at - base);
  }

  // Writable maps are not inherited: what lies there now may be something else, so it is neither used
  // nor unmapped.
  void AfterForkInChild() override {
    for (Session* session : all_) {
      for (const auto& segment : session->segments_) {
        if (segment->writable == nullptr) continue;
        RemoveRange(*segment->writable);
        new Session::Memory(std::move(segment->writable));
      }
      for (const auto& writable : session->sole_writables_) {
        if (Session::Memory memory = writable.lock()) {
          RemoveRange(*memory);
          new Session::Memory(std::move(memory));
        }
      }
      session->sole_writables_.clear();
    }
  }

 private:
  std::vector<Session*> all_;
  std::map<uintptr_t, uint64_t> ranges_;
};

namespace {

// What came beside an answer may be any file.
Status CheckShared(const char* name, const Fd& fd, uint64_t least_size) {
  if (!shm::NeverShrinks(fd)) {
    return Corrupt(
        Format("shared memory (%s): the daemon sent a file that is not sealed against "
               "shrinking",
               name));
  }
  ASSIGN_OR_RETURN(uint64_t size, shm::FileSize(fd));
  if (size < least_size) {
    return Corrupt(Format("shared memory (%s): its file is too small", name));
  }
  return OkStatus();
}

}  // namespace

Result<Session*> Session::Open(const Fd& index, const Fd& directory, const Fd& pins,
                               const AudienceFacts& audience) {
  RETURN_IF_ERROR(CheckShared("index", index, sizeof(shm::Superblock)));
  RETURN_IF_ERROR(CheckShared("directory", directory, sizeof(shm::FileHeader)));
  RETURN_IF_ERROR(CheckShared("pins", pins, shm::kMaxPinFile));
  ASSIGN_OR_RETURN(shm::Mapping index_map, shm::Mapping::Map(index, shm::kMaxIndexFile, false));
  ASSIGN_OR_RETURN(shm::Mapping directory_map,
                   shm::Mapping::Map(directory, shm::kMaxDirectoryFile, false));
  ASSIGN_OR_RETURN(shm::Mapping pins_map, shm::Mapping::Map(pins, shm::kMaxPinFile, true));
  const auto* superblock = reinterpret_cast<const shm::Superblock*>(index_map.data());
  RETURN_IF_ERROR(CheckFileHeader(superblock->header, shm::FileKind::kIndex, /*writer=*/false));
  const auto& header = *reinterpret_cast<const shm::FileHeader*>(directory_map.data());
  RETURN_IF_ERROR(CheckFileHeader(header, shm::FileKind::kDirectory, /*writer=*/false));
  if (superblock->header.instance != audience.instance || header.instance != audience.instance) {
    return Corrupt("shared memory: index, directory and daemon are not of one instance");
  }

  std::lock_guard lock(ProcessMutex());
  Session* session = Sessions::Get().New();
  session->in_use_ = true;
  session->audience_ = audience;
  session->stamp_ = StampOf(ForkEpoch());
  session->writers_.clear();
  session->sole_writables_.clear();
  session->detached_ = false;
  session->oldest_segment_.store(0, std::memory_order_relaxed);
  session->scanned_ = 0;
  session->superblock_ = superblock;
  session->slots_ = reinterpret_cast<const shm::Slot*>(index_map.data() + shm::kSlotsOffset);
  session->directory_ = directory_map.data();
  session->pins_ = reinterpret_cast<shm::PinCell*>(pins_map.data());
  session->index_map_ = std::move(index_map);
  session->directory_map_ = std::move(directory_map);
  session->pins_map_ = std::move(pins_map);
  session->orphan_.store(false, std::memory_order_seq_cst);
  return session;
}

void Session::Orphan() {
  // seq_cst: see Unpin().
  orphan_.store(true, std::memory_order_seq_cst);
  FreeIfUnused();
}

void Session::FreeIfUnused() {
  std::lock_guard lock(ProcessMutex());
  // The object may serve another session by now.
  if (!in_use_ || !orphan_.load(std::memory_order_seq_cst)) return;
  // What an ancestor pinned is the ancestor's to count, and its table stays mapped here so that its
  // session lives as long as this process may read.
  if (is_inherited() || (!writers_.empty() && !detached_) || AnyPinLeft()) return;
  FreeMemory();
}

bool Session::AnyPinLeft() {
  constexpr uint64_t kPiece = shm::kPinPieceSlots;
  for (; scanned_ < shm::kMaxSlots; ++scanned_) {
    if (scanned_ % kPiece == 0) {
      while (scanned_ < shm::kMaxSlots && !IsGranted(scanned_)) scanned_ += kPiece;
      if (scanned_ >= shm::kMaxSlots) break;
    }
    // seq_cst: see Unpin().
    if (pins_[scanned_].count.load(std::memory_order_seq_cst) != 0) return true;
  }
  return false;
}

bool Session::AnyPin() const {
  // acquire, of the capacity as of words below: slots below it have memory, and their fields are those of the word.
  uint64_t capacity = superblock_->capacity.load(std::memory_order_acquire);
  for (uint64_t i = 0; i < capacity; ++i) {
    if (i % shm::kPinPieceSlots == 0) {
      while (i < capacity && !IsGranted(i)) i += shm::kPinPieceSlots;
      if (i >= capacity) return false;
    }
    // relaxed: a pin of the calling thread is seen, and one that another is just taking is not waited for.
    if (pins_[i].count.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

std::map<uint32_t, SlotWord> Session::UnmappedSegments() const {
  std::map<uint32_t, SlotWord> found;
  uint64_t capacity = AnyPin() ? superblock_->capacity.load(std::memory_order_acquire) : 0;
  for (uint64_t i = 0; i < capacity; ++i) {
    uint64_t word = slots_[i].word.load(std::memory_order_acquire);
    shm::SlotState state = shm::StateOf(word);
    if (state != shm::SlotState::kSealed && state != shm::SlotState::kEvicting &&
        state != shm::SlotState::kDeleting) {
      continue;
    }
    // relaxed: of what a pin keeps they stay; of anything else they may be any, and then name no segment.
    uint64_t location = slots_[i].fields[1].load(std::memory_order_relaxed);
    uint64_t size = slots_[i].fields[2].load(std::memory_order_relaxed);
    uint32_t segment = shm::SegmentOf(location);
    if (size > 0 && segment < kMaxSegments && Find(segment) == nullptr) {
      found.insert({segment, {i, word}});
    }
  }
  return found;
}

void Session::FreeMemory() {
  for (const std::shared_ptr<Segment>& segment : segments_) Unmap(segment);
  segments_.clear();
  sole_segments_.store(0, std::memory_order_relaxed);
  for (auto& cell : leaves_) delete cell.exchange(nullptr, std::memory_order_relaxed);
  for (auto& bits : granted_) bits.store(0, std::memory_order_relaxed);
  index_map_.Reset();
  directory_map_.Reset();
  pins_map_.Reset();  // the kernel drops the session's flock here
  in_use_ = false;
}

// Each map goes with the last who holds it.
void Session::Unmap(const std::shared_ptr<Segment>& segment) {
  Sessions::Get().RemoveRange(segment->readable);
  if (segment->writable == nullptr) return;
  Sessions::Get().RemoveRange(*segment->writable);
  segment->writable.reset();
}

std::shared_ptr<const void> Session::HoldMapping(const void* data) const {
  std::lock_guard lock(ProcessMutex());
  for (const std::shared_ptr<Segment>& segment : segments_) {
    uintptr_t base = reinterpret_cast<uintptr_t>(segment->readable.data());
    if (reinterpret_cast<uintptr_t>(data) - base < segment->size) return segment;
  }
  return nullptr;
}

Session::Segment* Session::Find(uint32_t number) const {
  if (number >= kMaxSegments) return nullptr;
  // acquire: as in At().
  const Leaf* leaf = leaves_[number / kLeafSize].load(std::memory_order_acquire);
  if (leaf == nullptr) return nullptr;
  return leaf->segments[number % kLeafSize].load(std::memory_order_acquire);
}

std::atomic<Session::Segment*>& Session::Cell(uint32_t number) {
  // relaxed: written only under the lock that is held.
  Leaf* leaf = leaves_[number / kLeafSize].load(std::memory_order_relaxed);
  if (leaf == nullptr) {
    leaf = new Leaf;
    // release: readers see it empty, not raw.
    leaves_[number / kLeafSize].store(leaf, std::memory_order_release);
  }
  return leaf->segments[number % kLeafSize];
}

bool Session::HasSegment(uint32_t number, bool writable) const {
  std::lock_guard lock(ProcessMutex());
  const Segment* segment = Find(number);
  return segment != nullptr && (!writable || segment->writable != nullptr);
}

namespace {

Status CheckSegment(uint32_t number, const Fd& fd, uint64_t size) {
  if (number >= Session::kMaxSegments) {
    return Limit(Format("segment %u: the number is too large", number));
  }
  ASSIGN_OR_RETURN(uint64_t real, shm::FileSize(fd));
  if (!shm::NeverShrinks(fd)) {
    return Corrupt(Format("segment %u: its file is not sealed against shrinking", number));
  }
  if (real < size || size == 0) {
    return Corrupt(Format("segment %u: its file is smaller than the daemon says", number));
  }
  return OkStatus();
}

}  // namespace

Result<Session::Memory> Session::MapSole(uint32_t number, const Fd& fd, uint64_t size) {
  RETURN_IF_ERROR(CheckSegment(number, fd, size));
  ASSIGN_OR_RETURN(shm::Mapping writable, shm::Mapping::Map(fd, size, /*writable=*/true));
  writable.DontFork();
  Memory memory(new shm::Mapping(std::move(writable)), [](shm::Mapping* mapping) {
    {
      std::lock_guard lock(ProcessMutex());
      Sessions::Get().RemoveRange(*mapping);
    }
    delete mapping;
  });
  std::lock_guard lock(ProcessMutex());
  if (detached_) return Invalid("client: it is closed");
  Sessions::Get().AddRange(*memory);
  std::erase_if(sole_writables_, [](const auto& each) { return each.expired(); });
  sole_writables_.push_back(memory);
  return memory;
}

Status Session::AddSegment(uint32_t number, const Fd& fd, uint64_t size, bool writable,
                           const SlotWord* sole) {
  RETURN_IF_ERROR(CheckSegment(number, fd, size));
  // Views point into a read-only map, also where the descriptor allows more.
  ASSIGN_OR_RETURN(shm::Mapping readable, shm::Mapping::Map(fd, size, /*writable=*/false));
  shm::Mapping writable_map;
  if (writable) {
    ASSIGN_OR_RETURN(writable_map, shm::Mapping::Map(fd, size, /*writable=*/true));
    writable_map.DontFork();
  }
  std::lock_guard lock(ProcessMutex());
  if (writable && detached_) return Invalid("client: it is closed");
  Segment* segment = Find(number);
  if (segment == nullptr) {
    segments_.push_back(std::make_shared<Segment>());
    segment = segments_.back().get();
    segment->number = number;
    segment->size = size;
    segment->readable = std::move(readable);
    if (sole != nullptr) {
      segment->sole = *sole;
      sole_segments_.fetch_add(1, std::memory_order_relaxed);
    }
    Sessions::Get().AddRange(segment->readable);
    // release: who finds the segment sees where it is mapped.
    Cell(number).store(segment, std::memory_order_release);
  }
  if (writable && segment->writable == nullptr) {  // else another thread was first
    segment->writable = std::make_shared<shm::Mapping>(std::move(writable_map));
    Sessions::Get().AddRange(*segment->writable);
  }
  return OkStatus();
}

char* Session::WritableAt(uint64_t location, uint64_t size, Memory* memory) const {
  std::lock_guard lock(ProcessMutex());
  const Segment* segment = Find(shm::SegmentOf(location));
  if (segment == nullptr || segment->writable == nullptr) return nullptr;
  uint64_t from = shm::OffsetOf(location);
  if (size > segment->size || from > segment->size - size) return nullptr;
  *memory = segment->writable;
  return segment->writable->data() + from;
}

void Session::DropOldSegments() {
  // acquire: what was freed before the number rose is seen as free.
  uint64_t oldest = superblock_->oldest_segment.load(std::memory_order_acquire);
  // Hints that save the lock.
  if (oldest <= oldest_segment_.load(std::memory_order_relaxed) &&
      sole_segments_.load(std::memory_order_relaxed) == 0) {
    return;
  }
  std::lock_guard lock(ProcessMutex());
  if (!in_use_) return;
  oldest_segment_.store(std::max(oldest, oldest_segment_.load(std::memory_order_relaxed)),
                        std::memory_order_relaxed);
  // Its payload was freed: nobody had pinned it, and nobody can any more.
  auto is_gone = [this](const SlotWord& sole) {
    uint64_t word = slots_[sole.slot].word.load(std::memory_order_acquire);
    return shm::GenerationOf(word) != shm::GenerationOf(sole.word) ||
           shm::StateOf(word) == shm::SlotState::kEmpty;
  };
  auto old = [&](const std::shared_ptr<Segment>& segment) {
    bool is_sole = segment->sole.word != 0;
    if (segment->number >= oldest && !(is_sole && is_gone(segment->sole))) return false;
    if (is_sole) sole_segments_.fetch_sub(1, std::memory_order_relaxed);
    Cell(segment->number)
        .store(nullptr, std::memory_order_relaxed);  // nobody looks for it any more
    Unmap(segment);
    return true;
  };
  segments_.erase(std::remove_if(segments_.begin(), segments_.end(), old), segments_.end());
}

void Session::AddWriter(ObjectId lease) {
  std::lock_guard lock(ProcessMutex());
  writers_.push_back(lease);
}

// The object may serve another session by now, where that writer is not known: ids are never used twice.
void Session::RemoveWriter(ObjectId lease) {
  {
    std::lock_guard lock(ProcessMutex());
    auto found = std::find(writers_.begin(), writers_.end(), lease);
    if (found == writers_.end()) return;
    *found = writers_.back();
    writers_.pop_back();
  }
  if (orphan_.load(std::memory_order_seq_cst)) FreeIfUnused();
}

std::vector<ObjectId> Session::DetachWriters() {
  std::vector<Memory> writables;  // whose last owner takes the lock
  std::lock_guard lock(ProcessMutex());
  if (!in_use_ || is_inherited() || detached_) return {};
  for (const std::shared_ptr<Segment>& segment : segments_) {
    // Also what no writer holds yet: one may be about to.
    if (segment->writable == nullptr) continue;
    if (!segment->writable->Detach()) return {};
    Sessions::Get().RemoveRange(*segment->writable);
  }
  for (const auto& writable : sole_writables_) {
    writables.push_back(writable.lock());
    if (writables.back() == nullptr) continue;
    if (!writables.back()->Detach()) return {};
    Sessions::Get().RemoveRange(*writables.back());
  }
  detached_ = true;
  return writers_;
}

bool IsSharedMemory(const void* data, uint64_t size) {
  std::lock_guard lock(ProcessMutex());
  return Sessions::Get().Contains(data, size);
}

}  // namespace vineyard::client

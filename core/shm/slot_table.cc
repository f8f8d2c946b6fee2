#include "core/shm/slot_table.h"

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "core/shm/file_header.h"

namespace vineyard::shm {
namespace {

uint32_t HeaderChecksum(const SlotFields& fields) {
  // What never changes while the slot is in use.
  const uint64_t parts[] = {fields.id, fields.size,
                            uint64_t{fields.skip} | uint64_t{fields.before} << 8 |
                                uint64_t{static_cast<uint8_t>(fields.kind)} << 16 |
                                uint64_t{fields.type} << 24};
  return Crc32c(parts, sizeof parts);
}

uint16_t LocationCheck(uint64_t location) {
  uint32_t crc = Crc32c(&location, sizeof location);
  return static_cast<uint16_t>(crc ^ (crc >> 16));
}

}  // namespace

void SlotImage::Seal() {
  fields.checksum = HeaderChecksum(fields);
  fields.location_check = LocationCheck(fields.location);
}

bool SlotImage::HeaderIsGood() const {
  return fields.checksum == HeaderChecksum(fields) && LocationIsGood();
}

bool SlotImage::LocationIsGood() const {
  return fields.location_check == LocationCheck(fields.location);
}

CommitLine SlotImage::Line(uint32_t slot) const {
  CommitLine line{};
  line.target = static_cast<uint32_t>(Target::kIndex);
  line.offset = kSlotsOffset + uint64_t{slot} * sizeof(Slot);
  line.words[0] = word;
  std::memcpy(&line.words[1], &fields, sizeof fields);
  return line;
}

Result<std::unique_ptr<SlotTable>> SlotTable::Adopt(int fd, uint64_t instance) {
  // Whatever happens, its end leaves the descriptor open.
  std::unique_ptr<SlotTable> table(new SlotTable(Fd(fd), Mapping()));
  ASSIGN_OR_RETURN(uint64_t size, FileSize(table->fd_));
  if (size < kSlotsOffset) return Corrupt("index: its file has another size");
  ASSIGN_OR_RETURN(table->mapping_, Mapping::Map(table->fd_, kMaxIndexFile, /*writable=*/true));
  const FileHeader& header = table->superblock().header;
  RETURN_IF_ERROR(CheckFileHeader(header, FileKind::kIndex, /*writer=*/true));
  if (header.instance != instance) return Corrupt("index: it belongs to another instance");
  if (table->capacity() > kMaxSlots || table->file_size() > size) {
    return Corrupt("index: it names more slots than it has");
  }
  // A growth that was not published yet leaves one step, which is empty. With less, slots in use would count
  // as memory that nobody uses.
  uint64_t more = (size - table->file_size()) / sizeof(Slot);
  bool good = table->capacity() != 0 && table->capacity() % kSlotStep == 0 && more <= kSlotStep;
  for (uint64_t i = 0; good && i < more; ++i) {
    good = table->word(static_cast<uint32_t>(table->capacity() + i)) == 0;
  }
  if (!good) return Corrupt("index: it names less slots than it has");
  return table;
}

Result<std::unique_ptr<SlotTable>> SlotTable::Open(StateFile* state) {
  if (auto listed = state->Lookup(Role::kIndex)) {
    return Adopt(listed->fd, state->header().instance);
  }
  ASSIGN_OR_RETURN(Fd fd, CreateMemory("vineyard.index", kSlotsOffset));
  RETURN_IF_ERROR(AllocateRange(fd, 0, kSlotsOffset));
  ASSIGN_OR_RETURN(Mapping mapping, Mapping::Map(fd, kMaxIndexFile, /*writable=*/true));
  const StateHeader& header = state->header();
  auto* superblock = new (mapping.data()) Superblock{};
  superblock->header = MakeFileHeader(FileKind::kIndex, header.instance);
  superblock->instance = header.instance;
  superblock->cluster[0] = header.cluster[0];
  superblock->cluster[1] = header.cluster[1];
  RETURN_IF_ERROR(AddSeals(fd, Seals::kDaemonOnly));
  std::unique_ptr<SlotTable> table(new SlotTable(std::move(fd), std::move(mapping)));
  RETURN_IF_ERROR(table->Grow());
  RETURN_IF_ERROR(state->List(Role::kIndex, table->fd_.get()));
  return table;
}

SlotImage SlotImage::Of(const Slot& slot) {
  uint64_t words[7];
  SlotImage image;
  image.word = slot.word.load(std::memory_order_relaxed);
  for (int i = 0; i < 7; ++i) words[i] = slot.fields[i].load(std::memory_order_relaxed);
  std::memcpy(&image.fields, words, sizeof image.fields);
  return image;
}

void SlotTable::StoreWord(uint32_t slot, uint64_t word) {
  // seq_cst: D1 of the pin protocol when an eviction begins.
  at(slot).word.store(word, std::memory_order_seq_cst);
  CrashPoint();
}

Status SlotTable::Grow() {
  uint64_t slots = capacity() + kSlotStep;
  if (slots > kMaxSlots) {
    return Limit(Format("%llu objects exist already: no store holds more",
                        static_cast<unsigned long long>(kMaxSlots)));
  }
  uint64_t old_size = file_size();
  RETURN_IF_ERROR(Resize(fd_, kSlotsOffset + slots * sizeof(Slot)));
  RETURN_IF_ERROR(AllocateMapped(fd_, mapping_.data(), old_size, kSlotStep * sizeof(Slot)));
  CrashPoint();
  // release: a reader that sees the capacity may touch the slots, which are allocated and zero: EMPTY.
  superblock().capacity.store(slots, std::memory_order_release);
  CrashPoint();
  return OkStatus();
}

}  // namespace vineyard::shm

#include "core/shm/file_header.h"

#include <cstring>

namespace vineyard::shm {
namespace {
constexpr char kMagic[8] = {'V', 'I', 'N', 'E', 'Y', 'A', 'R', 'D'};

const char* NameOf(FileKind kind) {
  switch (kind) {
    case FileKind::kIndex:
      return "index";
    case FileKind::kDirectory:
      return "directory";
    case FileKind::kSegment:
      return "segment";
    case FileKind::kState:
      return "state";
  }
  return "file";
}
}  // namespace

FileHeader MakeFileHeader(FileKind kind, uint64_t instance, uint64_t number) {
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.layout_version = kLayoutVersion;
  header.byte_order = kByteOrderMark;
  header.compatible = kKnownCompatible;
  header.incompatible = kKnownIncompatible;
  header.kind = kind;
  header.page_size = kPageSize;
  header.slot_size = sizeof(Slot);
  header.header_size = sizeof(FileHeader);
  header.instance = instance;
  header.number = number;
  return header;
}

Status CheckFileHeader(const FileHeader& header, FileKind kind, bool writer) {
  const char* name = NameOf(kind);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    return Corrupt(
        Format("shared memory (%s): it does not start with the magic of vineyard", name));
  }
  if (header.byte_order != kByteOrderMark) {
    return {Code::kVersion, Format("shared memory (%s): written in another byte order", name)};
  }
  if (header.layout_version != kLayoutVersion) {
    return {Code::kVersion,
            Format("shared memory (%s): layout version %u, this build knows %u; use "
                   "a library and a daemon of one release",
                   name, header.layout_version, kLayoutVersion)};
  }
  uint64_t unknown = header.incompatible & ~kKnownIncompatible;
  if (writer) unknown |= header.compatible & ~kKnownCompatible;
  if (unknown != 0) {
    return {Code::kVersion,
            Format("shared memory (%s): features %#llx are in use, this build knows %#llx; use "
                   "a library and a daemon of one release",
                   name, static_cast<unsigned long long>(header.incompatible | header.compatible),
                   static_cast<unsigned long long>(kKnownIncompatible | kKnownCompatible))};
  }
  if (header.kind != kind)
    return Corrupt(Format("shared memory: it is not a file of kind %s", name));
  if (header.page_size != kPageSize || header.slot_size != sizeof(Slot) ||
      header.header_size != sizeof(FileHeader)) {
    return {Code::kVersion, Format("shared memory (%s): its structs have other sizes", name)};
  }
  return OkStatus();
}

}  // namespace vineyard::shm

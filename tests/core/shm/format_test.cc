// docs/shared-memory-format.md says where everything lies: each of its rows is compared with the structs.
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

#include "core/shm/layout.h"

namespace vineyard::shm {
namespace {

// The table behind this text, as far as the next blank line.
std::string TableBehind(const std::string& text) {
  std::ifstream file(VINEYARD_SOURCE_DIR "/docs/shared-memory-format.md");
  std::stringstream all;
  all << file.rdbuf();
  std::string document = all.str();
  size_t at = document.find(text);
  if (at == std::string::npos) return "";
  size_t begin = document.find("\n|", at), end = document.find("\n\n", begin);
  return document.substr(begin, end - begin);
}

void ExpectRow(const std::string& table, size_t offset, const std::string& field) {
  size_t row = table.find("\n| " + std::to_string(offset) + " |");
  ASSERT_NE(row, std::string::npos) << "no row for offset " << offset << ", " << field;
  std::string line = table.substr(row + 1, table.find('\n', row + 1) - row - 1);
  EXPECT_NE(line.find(field), std::string::npos) << line << " should be " << field;
}

TEST(Format, TheSuperblockIsWhereTheDocumentSays) {
  std::string table = TableBehind("The **superblock**");
  ExpectRow(table, offsetof(Superblock, capacity), "capacity");
  ExpectRow(table, offsetof(Superblock, directory), "directory table in use");
  ExpectRow(table, offsetof(Superblock, cluster), "cluster");
  ExpectRow(table, offsetof(Superblock, instance), "instance");
  ExpectRow(table, offsetof(Superblock, epoch), "epoch");
  ExpectRow(table, offsetof(Superblock, revision), "revision");
  ExpectRow(table, offsetof(Superblock, stale_since_ms), "stale");
  ExpectRow(table, offsetof(Superblock, oldest_segment), "oldest segment");
  ExpectRow(table, offsetof(Superblock, coarse_clock), "coarse clock");
}

TEST(Format, ASlotIsWhatTheDocumentSays) {
  std::string table = TableBehind("**Slots** follow");
  constexpr size_t kFields = offsetof(Slot, fields);
  ExpectRow(table, offsetof(Slot, word), "word");
  ExpectRow(table, kFields + offsetof(SlotFields, id), "id");
  ExpectRow(table, kFields + offsetof(SlotFields, location), "location");
  ExpectRow(table, kFields + offsetof(SlotFields, size), "size of the stored form");
  ExpectRow(table, kFields + offsetof(SlotFields, checksum), "crc32c");
  ExpectRow(table, kFields + offsetof(SlotFields, skip), "skip");
  ExpectRow(table, kFields + offsetof(SlotFields, before), "before");
  ExpectRow(table, kFields + offsetof(SlotFields, kind), "kind");
  ExpectRow(table, kFields + offsetof(SlotFields, flags), "flags");
  ExpectRow(table, kFields + offsetof(SlotFields, owner), "session");
  ExpectRow(table, kFields + offsetof(SlotFields, links), "links");
  ExpectRow(table, kFields + offsetof(SlotFields, type), "type number");
  ExpectRow(table, kFields + offsetof(SlotFields, location_check), "check of the location");
  ExpectRow(table, kFields + offsetof(SlotFields, payload_checksum), "checksum of the payload");
}

TEST(Format, AFileHeaderIsWhatTheDocumentSays) {
  std::string table = TableBehind("**file header** of 64 bytes");
  ExpectRow(table, offsetof(FileHeader, magic), "magic");
  ExpectRow(table, offsetof(FileHeader, layout_version), "layout version");
  ExpectRow(table, offsetof(FileHeader, byte_order), "byte order");
  ExpectRow(table, offsetof(FileHeader, kind), "kind");
  EXPECT_EQ(offsetof(FileHeader, compatible), 16u);
  EXPECT_EQ(offsetof(FileHeader, incompatible), 24u);
  EXPECT_EQ(offsetof(FileHeader, page_size), 36u);
  EXPECT_EQ(offsetof(FileHeader, header_size), 44u);
  EXPECT_EQ(offsetof(FileHeader, instance), 48u);
  EXPECT_EQ(offsetof(FileHeader, number), 56u);
}

}  // namespace
}  // namespace vineyard::shm

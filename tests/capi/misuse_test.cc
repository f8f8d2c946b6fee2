// What a caller may get wrong, and what two sides of different age see in each other's structs.
#include <cstring>

#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

class Misuse : public WithClient {};

TEST_F(Misuse, NullIsRefusedAndNamed) {
  vineyard_blob* blob = nullptr;
  vineyard_id id = 0;
  EXPECT_EQ(vineyard_blob_get(nullptr, VINEYARD_ID_EMPTY_BLOB | 1, &blob), VINEYARD_E_INVALID);
  EXPECT_STREQ(vineyard_error_text(), "client: it is NULL");
  EXPECT_EQ(vineyard_blob_get(client_, VINEYARD_ID_EMPTY_BLOB | 1, nullptr), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_blob_put(client_, nullptr, 1, VINEYARD_BLOB_BUFFER, &id), VINEYARD_E_INVALID);
  EXPECT_OK(vineyard_blob_put(client_, nullptr, 0, VINEYARD_BLOB_BUFFER, &id));
  EXPECT_EQ(vineyard_blob_put(client_, "x", 1, 9, &id), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_blob_put(client_, "x", UINT64_MAX, VINEYARD_BLOB_BUFFER, &id),
            VINEYARD_E_LIMIT);
  vineyard_blob_writer* writer = nullptr;
  EXPECT_EQ(vineyard_blob_writer_create(client_, UINT64_MAX, VINEYARD_BLOB_BYTES, &writer),
            VINEYARD_E_LIMIT);
  EXPECT_NE(vineyard_blob_writer_create(client_, INT64_MAX, VINEYARD_BLOB_BYTES, &writer),
            VINEYARD_OK);
  EXPECT_EQ(vineyard_name_get(client_, nullptr, 0, &id, nullptr), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_name_get(client_, "name", -2, &id, nullptr), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_client_connect("", nullptr, &client_), VINEYARD_E_INVALID);
}

TEST_F(Misuse, GivingBackNullIsAllowedAndNothingCanBeReadFromIt) {
  vineyard_client_release(nullptr);
  vineyard_blob_release(nullptr);
  vineyard_blob_writer_release(nullptr);
  vineyard_object_release(nullptr);
  vineyard_meta_release(nullptr);
  vineyard_info_release(nullptr);
  vineyard_list_release(nullptr);
  vineyard_name_list_release(nullptr);
  vineyard_types_release(nullptr);
  vineyard_labels_release(nullptr);
  EXPECT_EQ(vineyard_blob_data(nullptr), nullptr);
  EXPECT_EQ(vineyard_blob_length(nullptr), 0u);
  EXPECT_EQ(vineyard_blob_kind(nullptr), 0);
  EXPECT_STREQ(vineyard_client_socket(nullptr), "");
  EXPECT_EQ(vineyard_client_is_connected(nullptr), 0);
  EXPECT_STREQ(vineyard_object_type_name(nullptr), "");
}

TEST_F(Misuse, AClosedClientIsRefusedEverywhere) {
  vineyard_client* other = Connect();
  vineyard_id id = Put(other, "x");
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_blob_get(other, id, &blob));
  ASSERT_OK(vineyard_client_close(other));
  ASSERT_OK(vineyard_client_close(other));
  EXPECT_EQ(vineyard_client_is_connected(other), 0);
  vineyard_blob* again = nullptr;
  int32_t exists = 0;
  vineyard_list* list = nullptr;
  uint64_t instance = 0;
  EXPECT_EQ(vineyard_blob_get(other, id, &again), VINEYARD_E_INVALID);
  EXPECT_STREQ(vineyard_error_text(), "client: it is closed");
  EXPECT_EQ(vineyard_blob_put(other, "x", 1, VINEYARD_BLOB_BUFFER, &id), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_object_exists(other, id, &exists), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_list_open(other, "*", 0, &list), VINEYARD_E_INVALID);
  EXPECT_EQ(vineyard_client_instance(other, &instance), VINEYARD_E_INVALID);
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  EXPECT_OK(vineyard_client_get_statistics(other, &statistics));
  EXPECT_EQ(BytesOf(blob), "x") << "views stay valid";
  vineyard_client_release(other);
  EXPECT_EQ(BytesOf(blob), "x");
  vineyard_blob_release(blob);
}

TEST_F(Misuse, AListOfAClosedClientEndsWithAnError) {
  vineyard_client* other = Connect();
  vineyard_list* list = nullptr;
  ASSERT_OK(vineyard_list_open(other, "*", 0, &list));
  vineyard_client_release(other);
  vineyard_id id = 0;
  EXPECT_EQ(vineyard_list_next(list, &id), VINEYARD_E_INVALID);
  vineyard_list_release(list);
}

TEST_F(Misuse, IdsAreParsedStrictly) {
  vineyard_id id = 0;
  EXPECT_OK(vineyard_id_parse("o00000000000000ff", &id));
  EXPECT_EQ(id, 255u);
  for (const char* text : {"", "o", "o00000000000000FF", "o00000000000000ff ", " o00000000000000ff",
                           "x00000000000000ff", "o0000000000000000", "o00000000000000f"}) {
    EXPECT_EQ(vineyard_id_parse(text, &id), VINEYARD_E_INVALID) << text;
  }
  char buffer[VINEYARD_ID_TEXT_SIZE];
  uint64_t size = sizeof buffer;
  ASSERT_OK(vineyard_id_print(255, buffer, &size));
  EXPECT_STREQ(buffer, "o00000000000000ff");
  EXPECT_EQ(size, 17u);
  EXPECT_EQ(vineyard_id_print(255, buffer, &size), VINEYARD_E_LIMIT) << "17 bytes are too few";
}

TEST_F(Misuse, NobodyAtThePathIsUnavailableAndALongPathWorks) {
  vineyard_client* other = nullptr;
  std::string none = folder_ / "none.sock";
  EXPECT_EQ(vineyard_client_connect(none.c_str(), nullptr, &other), VINEYARD_E_UNAVAILABLE);
  EXPECT_EQ(std::string(vineyard_error_text()), "connect " + none + ": No such file or directory");
  std::string longer = folder_.path();
  while (longer.size() < 150) longer += "/.";
  longer += "/v.sock";
  EXPECT_OK(vineyard_client_connect(longer.c_str(), nullptr, &other));
  EXPECT_EQ(longer, vineyard_client_socket(other));
  vineyard_client_release(other);
}

TEST_F(Misuse, ErrorTextsBelongToTheThreadAndStay) {
  vineyard_id id = 0;
  EXPECT_EQ(vineyard_id_parse("bad", &id), VINEYARD_E_INVALID);
  std::string text = vineyard_error_text();
  EXPECT_NE(text, "");
  Put(client_, "x");
  EXPECT_EQ(vineyard_error_text(), text) << "a call that succeeds leaves it alone";
  EXPECT_STREQ(vineyard_status_name(VINEYARD_E_NOT_FOUND), "not found");
  EXPECT_STREQ(vineyard_status_name(VINEYARD_E_INTERNAL), "internal error");
  EXPECT_STREQ(vineyard_status_name(-23), "unknown status");
  EXPECT_STREQ(vineyard_status_name(1), "unknown status");
  EXPECT_EQ(vineyard_status_is_retryable(VINEYARD_E_TIMEOUT), 1);
  EXPECT_EQ(vineyard_status_is_retryable(VINEYARD_E_NOT_FOUND), 0);
  EXPECT_GT(std::strlen(vineyard_version()), 0u);
  EXPECT_EQ(vineyard_abi_version(), VINEYARD_ABI_MAJOR * 1000 + VINEYARD_ABI_MINOR);
}

// ---- structs of other versions -----------------------------------------------------------------------

TEST_F(Misuse, AnOlderCallersStructIsFilledUpWithDefaults) {
  // As if `timeout_ms` had been added after the caller was built; what lies behind is not read.
  vineyard_connect_options older = VINEYARD_CONNECT_OPTIONS_INIT;
  older.struct_size = 8;
  older.timeout_ms = -77;
  vineyard_client* other = nullptr;
  ASSERT_OK(vineyard_client_connect(socket_.c_str(), &older, &other));
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  statistics.struct_size = 16;
  statistics.copied_payload_bytes = 4711;
  ASSERT_OK(vineyard_client_get_statistics(other, &statistics));
  EXPECT_EQ(statistics.copied_payload_bytes, 4711u) << "behind the caller's struct";
  EXPECT_EQ(statistics.struct_size, 16u);
  vineyard_client_release(other);
}

TEST_F(Misuse, ANewerCallersStructIsRefusedOnlyIfItSaysSomethingUnknown) {
  struct {
    vineyard_put_options known;
    uint64_t later;
  } newer = {VINEYARD_PUT_OPTIONS_INIT, 0};
  newer.known.struct_size = sizeof newer;
  vineyard_meta* meta = nullptr;
  ASSERT_OK(vineyard_meta_create("test::Thing", &meta));
  vineyard_id id = 0;
  newer.later = 1;
  EXPECT_EQ(vineyard_object_put(client_, meta, &newer.known, &id), VINEYARD_E_VERSION);
  newer.later = 0;
  newer.known.reserved = 1;
  EXPECT_EQ(vineyard_object_put(client_, meta, &newer.known, &id), VINEYARD_E_VERSION);
  newer.known.reserved = 0;
  EXPECT_OK(vineyard_object_put(client_, meta, &newer.known, &id));
  newer.known.struct_size = 0;
  EXPECT_EQ(vineyard_object_put(client_, meta, &newer.known, &id), VINEYARD_E_INVALID);
  vineyard_meta_release(meta);
}

}  // namespace
}  // namespace vineyard::testing

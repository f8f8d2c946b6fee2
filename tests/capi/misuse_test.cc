// What a caller may get wrong, and what two sides of different age see in each other's structs.
#include <cstddef>
#include <cstring>
#include <thread>

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
  EXPECT_EQ(std::string(vineyard_error_text()),
            "connect " + none +
                ": No such file or directory; no daemon runs there: start vineyardd "
                "--socket " +
                none);
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
  EXPECT_STREQ(vineyard_status_name(VINEYARD_E_LOST), "lost");
  EXPECT_STREQ(vineyard_status_name(-24), "unknown status");
  EXPECT_STREQ(vineyard_status_name(1), "unknown status");
  EXPECT_EQ(vineyard_status_is_retryable(VINEYARD_E_TIMEOUT), 1);
  EXPECT_EQ(vineyard_status_is_retryable(VINEYARD_E_NOT_FOUND), 0);
  EXPECT_GT(std::strlen(vineyard_version()), 0u);
  EXPECT_EQ(vineyard_abi_version(), VINEYARD_ABI_MAJOR * 1000 + VINEYARD_ABI_MINOR);
}

// The thing, the reason, what to do.
TEST_F(Misuse, ErrorsOfBadInputSayWhatToDo) {
  vineyard_id id = 0;
  vineyard_id known = Put(client_, "x");
  vineyard_blob* blob = nullptr;
  vineyard_client* other = nullptr;
  vineyard_name_options expect = VINEYARD_NAME_OPTIONS_INIT;
  expect.compare = 1;
  expect.expect = 4711;
  auto give = [&](const std::string& name) {
    return vineyard_name_put(client_, name.c_str(), known, nullptr, nullptr);
  };
  struct {
    int32_t status, wanted;
    std::vector<std::string> parts;
    std::string text = vineyard_error_text();
  } const cases[] = {
      {vineyard_blob_get(client_, VINEYARD_ID_EMPTY_BLOB | 0xabc, &blob),
       VINEYARD_E_NOT_FOUND,
       {"object o8000000000000abc: ", "there is none", "check the id, or put it again"}},
      {vineyard_name_get(client_, "zz", 0, &id, nullptr),
       VINEYARD_E_NOT_FOUND,
       {"name 'zz': ", "no object has it", "give it to one, or wait for it"}},
      {vineyard_name_drop(client_, "zz", nullptr),
       VINEYARD_E_NOT_FOUND,
       {"name 'zz': ", "no object has it", "nothing to drop"}},
      {vineyard_name_put(client_, "zz", known, &expect, nullptr),
       VINEYARD_E_CONFLICT,
       {"name 'zz': ", "expected was revision 4711", "ask for the name again"}},
      {give(""), VINEYARD_E_INVALID, {"name: ", "it is empty", "at least one character"}},
      {give(std::string(1025, 'n')),
       VINEYARD_E_LIMIT,
       {"name of 1025 bytes: ", "at most 1024 are allowed", "choose a shorter one"}},
      {give("\xff"), VINEYARD_E_INVALID, {"name: ", "it is not UTF-8", "encode it"}},
      {vineyard_client_connect("", nullptr, &other),
       VINEYARD_E_INVALID,
       {"path: ", "it is empty", "NULL stands for the default socket"}},
      {vineyard_client_connect("/nowhere/v.sock", nullptr, &other),
       VINEYARD_E_UNAVAILABLE,
       {"connect /nowhere/v.sock: ", "no daemon runs there",
        "start vineyardd --socket /nowhere/v.sock"}},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(each.status, each.wanted) << each.text;
    for (const std::string& part : each.parts) {
      EXPECT_NE(each.text.find(part), std::string::npos) << "'" << part << "' in: " << each.text;
    }
  }
}

TEST_F(Misuse, ErrorTextsOfOtherThreadsAreNotSeen) {
  vineyard_id id = 0;
  EXPECT_EQ(vineyard_id_parse("bad", &id), VINEYARD_E_INVALID);
  std::string mine = vineyard_error_text();
  std::thread other([&] {
    EXPECT_STREQ(vineyard_error_text(), "") << "this thread has had no failure";
    EXPECT_EQ(vineyard_name_get(client_, "other", 0, &id, nullptr), VINEYARD_E_NOT_FOUND);
    EXPECT_NE(std::string(vineyard_error_text()).find("'other'"), std::string::npos);
  });
  other.join();
  EXPECT_EQ(vineyard_error_text(), mine);
}

TEST_F(Misuse, ErrorTextsAreOneLineOfAtMost511BytesAndWholeCharacters) {
  vineyard_id id = 0;
  const std::string before = "name '";
  for (size_t shift = 0; shift < 3; ++shift) {
    std::string name(shift, 'x');
    for (int i = 0; i < 300; ++i) name += "\xe2\x82\xac";  // three bytes each
    EXPECT_EQ(vineyard_name_get(client_, name.c_str(), 0, &id, nullptr), VINEYARD_E_NOT_FOUND);
    std::string text = vineyard_error_text();
    EXPECT_LE(text.size(), 511u);
    EXPECT_GT(text.size(), 508u);
    EXPECT_EQ(text.compare(0, before.size() + shift, before + name.substr(0, shift)), 0) << text;
    EXPECT_EQ((text.size() - before.size() - shift) % 3, 0u) << "cut within a character";
  }
  EXPECT_EQ(vineyard_name_get(client_, "two\nlines\r\x01", 0, &id, nullptr), VINEYARD_E_NOT_FOUND);
  EXPECT_NE(std::string(vineyard_error_text())
                .find("'two?lines?"
                      "?'"),
            std::string::npos)
      << vineyard_error_text();
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

// `call` passes options of every age on and answers the status.
template <typename Options, typename Call>
void ExpectTheRulesOfSkew(const char* what, const Options& init, Call call) {
  struct {
    Options known;
    uint64_t later;
  } newer = {init, 1};
  newer.known.struct_size = sizeof newer;
  EXPECT_EQ(call(&newer.known), VINEYARD_E_VERSION) << what << ": something unknown is set";
  newer.later = 0;
  EXPECT_EQ(call(&newer.known), VINEYARD_OK) << what << ": " << vineyard_error_text();
  newer.known.reserved = 1;
  EXPECT_EQ(call(&newer.known), VINEYARD_E_VERSION) << what << ": reserved";
  newer.known.reserved = 0;
  newer.known.struct_size = 0;
  EXPECT_EQ(call(&newer.known), VINEYARD_E_INVALID) << what << ": no size";
  Options older;
  std::memset(&older, 0xee, sizeof older);  // what lies behind the struct of an older caller
  older.struct_size = sizeof older.struct_size;
  EXPECT_EQ(call(&older), VINEYARD_OK) << what << ": " << vineyard_error_text();
}

TEST_F(Misuse, OptionsOfOlderAndNewerCallersAreUnderstoodOrRefused) {
  vineyard_id target = Put(client_, "x");
  ExpectTheRulesOfSkew("connect", vineyard_connect_options VINEYARD_CONNECT_OPTIONS_INIT,
                       [&](const vineyard_connect_options* options) {
                         vineyard_client* other = nullptr;
                         int32_t status = vineyard_client_connect(socket_.c_str(), options, &other);
                         vineyard_client_release(other);
                         return status;
                       });
  ExpectTheRulesOfSkew("put", vineyard_put_options VINEYARD_PUT_OPTIONS_INIT,
                       [&](const vineyard_put_options* options) {
                         vineyard_meta* meta = nullptr;
                         EXPECT_OK(vineyard_meta_create("test::Thing", &meta));
                         vineyard_id id = 0;
                         int32_t status = vineyard_object_put(client_, meta, options, &id);
                         vineyard_meta_release(meta);
                         return status;
                       });
  ExpectTheRulesOfSkew("delete", vineyard_delete_options VINEYARD_DELETE_OPTIONS_INIT,
                       [&](const vineyard_delete_options* options) {
                         vineyard_id id = Put(client_, "goes");
                         return vineyard_object_delete(client_, &id, 1, options);
                       });
  int names = 0;
  ExpectTheRulesOfSkew("name", vineyard_name_options VINEYARD_NAME_OPTIONS_INIT,
                       [&](const vineyard_name_options* options) {
                         std::string name = "n" + std::to_string(++names);
                         return vineyard_name_put(client_, name.c_str(), target, options, nullptr);
                       });
  EXPECT_EQ(Number(client_, "names"), 2u) << "nothing of what was refused was done";
}

TEST_F(Misuse, StructsToFillTakeAsMuchAsTheirCallersKnow) {
  struct {
    vineyard_client_statistics known;
    uint64_t later;
  } newer = {VINEYARD_CLIENT_STATISTICS_INIT, 4711};
  newer.known.struct_size = sizeof newer;
  ASSERT_OK(vineyard_client_get_statistics(client_, &newer.known));
  EXPECT_EQ(newer.later, 4711u);
  EXPECT_EQ(newer.known.struct_size, sizeof newer);

  vineyard_meta* meta = nullptr;
  ASSERT_OK(vineyard_meta_create("vineyard::Tensor", &meta));
  vineyard_value three = {VINEYARD_VALUE_INT64, 0, 0, {0}};
  three.as.int64 = 3;
  vineyard_value shape = {VINEYARD_VALUE_LIST, 0, 1, {0}};
  shape.as.items = &three;
  ASSERT_OK(vineyard_meta_set_value(meta, "shape_", &shape));
  ASSERT_OK(vineyard_meta_set_string(meta, "value_type_", "int8", 4));
  ASSERT_OK(vineyard_meta_set_string(meta, "order_", "C", 1));
  ASSERT_OK(vineyard_meta_add_bytes(meta, "buffer_", "abc", 3, VINEYARD_BLOB_BUFFER));
  vineyard_id id = 0;
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_put(client_, meta, nullptr, &id));
  vineyard_meta_release(meta);
  ASSERT_OK(vineyard_object_get(client_, id, &object));
  struct {
    vineyard_tensor known;
    uint64_t later;
  } larger = {VINEYARD_TENSOR_INIT, 4711};
  larger.known.struct_size = sizeof larger;
  ASSERT_OK(vineyard_object_tensor(object, &larger.known));
  EXPECT_EQ(larger.known.data_size, 3u);
  EXPECT_EQ(larger.later, 4711u);
  vineyard_tensor older = VINEYARD_TENSOR_INIT;
  older.struct_size = offsetof(vineyard_tensor, shape);
  older.data_size = 4711;
  ASSERT_OK(vineyard_object_tensor(object, &older));
  EXPECT_EQ(older.dimensions, 1);
  EXPECT_EQ(older.shape, nullptr);
  EXPECT_EQ(older.data_size, 4711u) << "behind the caller's struct";
  older.struct_size = 0;
  EXPECT_EQ(vineyard_object_tensor(object, &older), VINEYARD_E_INVALID);
  vineyard_object_release(object);
}

}  // namespace
}  // namespace vineyard::testing

// Errors about an object name it, and what it is instead of what was asked for.
#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

class Texts : public WithClient {
 protected:
  std::string Name(vineyard_id id) {
    char text[VINEYARD_ID_TEXT_SIZE];
    uint64_t size = sizeof text;
    EXPECT_OK(vineyard_id_print(id, text, &size));
    return "object " + std::string(text, size);
  }
};

TEST_F(Texts, OfAFieldOfAnotherTypeSaysTheObjectTheFieldAndTheTypeFound) {
  vineyard_meta* meta = nullptr;
  ASSERT_OK(vineyard_meta_create("test::Thing", &meta));
  ASSERT_OK(vineyard_meta_set_null(meta, "null"));
  ASSERT_OK(vineyard_meta_set_bool(meta, "bool", 1));
  ASSERT_OK(vineyard_meta_set_int64(meta, "low", -5));
  ASSERT_OK(vineyard_meta_set_uint64(meta, "high", UINT64_MAX));
  ASSERT_OK(vineyard_meta_set_float64(meta, "float", 1.5));
  ASSERT_OK(vineyard_meta_set_string(meta, "string", "5", 1));
  ASSERT_OK(vineyard_meta_set_bytes(meta, "bytes", "5", 1));
  vineyard_value list = {};
  list.type = VINEYARD_VALUE_LIST;
  ASSERT_OK(vineyard_meta_set_value(meta, "list", &list));
  list.type = VINEYARD_VALUE_MAP;
  ASSERT_OK(vineyard_meta_set_value(meta, "map", &list));
  vineyard_id id = 0;
  ASSERT_OK(vineyard_object_put(client_, meta, nullptr, &id));
  vineyard_meta_release(meta);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(client_, id, &object));

  std::string is = Name(id) + ": its field '",
              not_signed = ", not an integer that fits 64 signed bits";
  for (auto [name, found] : {std::pair{"null", "null"},
                             {"bool", "a bool"},
                             {"float", "a float"},
                             {"high", "the integer 18446744073709551615"},
                             {"string", "a string"},
                             {"bytes", "bytes"},
                             {"list", "a list"},
                             {"map", "a map"}}) {
    int64_t value = 0;
    EXPECT_EQ(vineyard_object_field_int64(object, name, &value), VINEYARD_E_TYPE);
    EXPECT_EQ(vineyard_error_text(), is + name + "' is " + found + not_signed);
  }
  int32_t boolean = 0;
  uint64_t number = 0, size = 0;
  double real = 0;
  const char* data = nullptr;
  EXPECT_EQ(vineyard_object_field_bool(object, "low", &boolean), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), is + "low' is the integer -5, not a bool");
  EXPECT_EQ(vineyard_object_field_uint64(object, "low", &number), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(),
            is + "low' is the integer -5, not an integer that fits 64 unsigned bits");
  EXPECT_EQ(vineyard_object_field_float64(object, "low", &real), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), is + "low' is the integer -5, not a float");
  EXPECT_EQ(vineyard_object_field_string(object, "bytes", &data, &size), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), is + "bytes' is bytes, not a string");
  EXPECT_EQ(vineyard_object_field_bytes(object, "string", &data, &size), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), is + "string' is a string, not bytes");
  vineyard_object_release(object);
}

TEST_F(Texts, OfAnObjectThatIsNoBlobSaysWhatItIs) {
  vineyard_id inner = PutObject(client_, "test::Inner", {});
  vineyard_id outer = PutObject(client_, "test::Outer", {{"inner", inner}});
  std::string is_inner = Name(inner) + ": it is a test::Inner, not a blob";
  vineyard_blob* blob = nullptr;
  EXPECT_EQ(vineyard_blob_get(client_, inner, &blob), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), is_inner);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(client_, outer, &object));
  EXPECT_EQ(vineyard_object_member_blob(object, "inner", &blob), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), is_inner);
  EXPECT_EQ(vineyard_object_blob(object, &blob), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), Name(outer) + ": it is a test::Outer, not a blob");
  vineyard_object_release(object);
  EXPECT_EQ(vineyard_blob_get(client_, inner + 1000, &blob), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_error_text(), Name(inner + 1000) + ": it is not a blob") << "which nobody has";
}

// What is larger than the store never fits, and is told apart by its text, not by its code.
TEST_F(Texts, OfABlobLargerThanTheStoreSaysSo) {
  std::vector<char> large((64 << 20) + 1);
  vineyard_id id = 0;
  vineyard_blob_writer* writer = nullptr;
  EXPECT_EQ(vineyard_blob_put(client_, large.data(), large.size(), VINEYARD_BLOB_BUFFER, &id),
            VINEYARD_E_OUT_OF_MEMORY);
  EXPECT_NE(std::string(vineyard_error_text()).find("larger than the whole store"),
            std::string::npos);
  EXPECT_EQ(vineyard_blob_writer_create(client_, large.size(), VINEYARD_BLOB_BUFFER, &writer),
            VINEYARD_E_OUT_OF_MEMORY);
  EXPECT_NE(std::string(vineyard_error_text()).find("larger than the whole store"),
            std::string::npos);
  EXPECT_EQ(vineyard_blob_writer_create(client_, UINT64_MAX / 4, VINEYARD_BLOB_BUFFER, &writer),
            VINEYARD_E_OUT_OF_MEMORY);
  EXPECT_EQ(vineyard_blob_writer_create(client_, UINT64_MAX - 1, VINEYARD_BLOB_BUFFER, &writer),
            VINEYARD_E_LIMIT);
}

}  // namespace
}  // namespace vineyard::testing

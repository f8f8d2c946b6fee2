// Statuses as exceptions.
#include <typeinfo>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

// The class of what raise() throws for a status: its number, or 0 of an Error that is none of them.
template <std::int32_t kStatus>
bool IsClassOf(const vineyard::Error& error) {
  return dynamic_cast<const vineyard::StatusError<kStatus>*>(&error) != nullptr;
}

TEST(HppError, EachStatusOfTheHeaderIsAClass) {
  // Numbers that the header gives away: vineyard_status_name knows each.
  int known = 0;
  for (std::int32_t status = -1; status >= -200; --status) {
    bool named = std::string(vineyard_status_name(status)) != "unknown status";
    try {
      vineyard::detail::raise(status);
      FAIL() << "raise returned";
    } catch (const vineyard::Error& error) {
      EXPECT_EQ(error.status(), status);
      EXPECT_EQ(typeid(error) == typeid(vineyard::Error), !named) << status;
    }
    if (named) ++known;
  }
  EXPECT_EQ(known, 24);
}

TEST(HppError, TheClassIsThatOfTheStatus) {
  try {
    vineyard::detail::raise(VINEYARD_E_NOT_FOUND);
  } catch (const vineyard::Error& error) {
    EXPECT_TRUE(IsClassOf<VINEYARD_E_NOT_FOUND>(error));
    EXPECT_FALSE(IsClassOf<VINEYARD_E_EXISTS>(error));
    EXPECT_STREQ(error.status_name(), "not found");
    EXPECT_FALSE(error.is_retryable());
    EXPECT_EQ(error.stored(), VINEYARD_ID_INVALID);
  }
  EXPECT_TRUE(vineyard::TimeoutError("text").is_retryable());
}

TEST(HppError, IsAStandardExceptionWhoseTextIsOfItsOwn) {
  vineyard::ObjectId id = 0;
  std::string said;
  try {
    vineyard::detail::check(vineyard_id_parse("o12", &id));
  } catch (const std::runtime_error& error) {
    vineyard_id_parse("another failure", &id);  // what it says belongs to the exception
    said = error.what();
  }
  EXPECT_NE(said, "");
  EXPECT_NE(said, vineyard_error_text());
}

TEST(HppError, WithoutATextItSaysItsStatus) {
  EXPECT_STREQ(vineyard::LostError("").what(), vineyard_status_name(VINEYARD_E_LOST));
}

TEST(HppError, IdsArePrintedAndParsedStrictly) {
  EXPECT_EQ(vineyard::print_id(0x2a), "o000000000000002a");
  EXPECT_EQ(vineyard::parse_id("o000000000000002a"), 0x2au);
  for (const char* text : {"", "o2a", "000000000000002a", "o000000000000002A"}) {
    EXPECT_ERROR(vineyard::parse_id(text), InvalidError);
  }
  EXPECT_ERROR(vineyard::parse_id(std::string_view("o000000000000002a\0", 18)), InvalidError);
  // Not NUL-terminated where it ends.
  EXPECT_EQ(vineyard::parse_id(std::string_view("o000000000000002a777", 17)), 0x2au);
  EXPECT_TRUE(vineyard::is_blob(VINEYARD_ID_EMPTY_BLOB));
  EXPECT_FALSE(vineyard::is_blob(1));
  EXPECT_EQ(vineyard::kNoObject, VINEYARD_ID_INVALID);
  EXPECT_EQ(vineyard::kEmptyBlob, VINEYARD_ID_EMPTY_BLOB);
  EXPECT_EQ(vineyard::kAnyRevision, VINEYARD_REVISION_ANY);
  EXPECT_EQ(vineyard::kNoRevision, VINEYARD_REVISION_NONE);
}

}  // namespace
}  // namespace vineyard_hpp

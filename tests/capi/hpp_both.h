// Uses names of the core and of vineyard.hpp, unqualified, where both are seen.
#pragma once

#include <gtest/gtest.h>

#include <type_traits>

namespace vineyard {

template <class PublicClient>
void ExpectBoth() {
  static_assert(!std::is_same_v<PublicClient, client::Client>);
  static_assert(std::is_same_v<ObjectId, vineyard_id>);
  Value value;  // the core's
  EXPECT_TRUE(value.is(ValueType::kNull));
  EXPECT_EQ(FieldValue().type(), FieldType::kNull);
  Status status = NotFound("a function of the core");
  EXPECT_EQ(NotFoundError("a class").status(), static_cast<int32_t>(status.code()));
  EXPECT_TRUE(Labels().empty());
  EXPECT_TRUE(LabelList().empty());
  EXPECT_EQ(PrintId(1), print_id(1));
}

}  // namespace vineyard

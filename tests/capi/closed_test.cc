// What a view keeps when its client has gone.
#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

using Closed = WithClient;

// Regression: memory was mapped when it was first looked at, which takes a client that is open.
TEST_F(Closed, WhatIsBelowAnObjectIsGotThoughItsMemoryWasNotMappedWhenTheClientWentAway) {
  const std::string large(3'000'000, 'x');
  vineyard_id blob_id = Put(client_, large), small_id = Put(client_, "small");
  vineyard_id inner = PutObject(client_, "test::Inner", {{"large", blob_id}, {"small", small_id}});
  vineyard_id outer = PutObject(client_, "test::Outer", {{"inner", inner}});
  for (auto go : {vineyard_client_release,
                  +[](vineyard_client* client) { EXPECT_OK(vineyard_client_close(client)); }}) {
    vineyard_client* other = Connect();
    vineyard_object *root = nullptr, *member = nullptr;
    ASSERT_OK(vineyard_object_get(other, outer, &root));
    go(other);
    ASSERT_OK(vineyard_object_member(root, "inner", &member));
    vineyard_object_release(root);
    for (auto [name, bytes] :
         {std::pair<const char*, std::string>{"large", large}, {"small", "small"}}) {
      vineyard_blob* blob = nullptr;
      ASSERT_OK(vineyard_object_member_blob(member, name, &blob));
      EXPECT_EQ(BytesOf(blob), bytes);
      vineyard_blob_release(blob);
    }
    vineyard_object_release(member);
    if (go != vineyard_client_release) vineyard_client_release(other);
  }
}

TEST_F(Closed, AClientWithoutViewsAsksForNothingWhenItIsClosed) {
  vineyard_id id =
      PutObject(client_, "test::Thing", {{"blob", Put(client_, std::string(100'000, 'x'))}});
  vineyard_client* other = Connect();
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(other, id, &object));
  vineyard_object_release(object);
  vineyard_client_statistics before = VINEYARD_CLIENT_STATISTICS_INIT, after = before;
  ASSERT_OK(vineyard_client_get_statistics(other, &before));
  ASSERT_OK(vineyard_client_close(other));
  ASSERT_OK(vineyard_client_get_statistics(other, &after));
  EXPECT_EQ(after.requests, before.requests);
  vineyard_client_release(other);
}

}  // namespace
}  // namespace vineyard::testing

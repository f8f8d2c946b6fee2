#include "core/client/tree_put.h"

#include <gtest/gtest.h>

#include "tests/core/client/fake_daemon.h"

namespace vineyard::client {
namespace {

using wire::MessageType;

TEST(TreePut, WhatIsStoredAndCouldNotBePersistedHasAnId) {
  Fake fake({{false, [](FakeConnection& c) {
                c.AnswerMutation(c.ReceiveType(MessageType::kPut), 42, 7);
                FakeRequest persist = c.ReceiveType(MessageType::kPersist);
                c.Send(persist.header, wire::EncodeError({Code::kUnavailable, "no metadata"}));
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  auto builder = MetaBuilder::Create("t::Empty");
  ASSERT_TRUE(builder.ok());
  PutOptions options;
  options.persist = true;
  ObjectId id = kInvalidId;
  Status status = PutTree(client->shared_from_this(), *builder, options, &id);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(id, 42u);
}

TEST(TreePut, WhatIsNotStoredHasNoId) {
  Fake fake({{false, [](FakeConnection& c) {
                FakeRequest put = c.ReceiveType(MessageType::kPut);
                c.Send(put.header, wire::EncodeError({Code::kOutOfMemory, "full"}));
                ServeNothing(c);
              }}});
  Connected client(fake.daemon.path());
  auto builder = MetaBuilder::Create("t::Empty");
  ASSERT_TRUE(builder.ok());
  ObjectId id = kInvalidId;
  Status status = PutTree(client->shared_from_this(), *builder, PutOptions{}, &id);
  EXPECT_EQ(status.code(), Code::kOutOfMemory);
  EXPECT_EQ(id, kInvalidId);
}

}  // namespace
}  // namespace vineyard::client

#include "core/wire/messages.h"

#include <gtest/gtest.h>

#include "core/object/pack.h"
#include "core/object/record.h"

namespace vineyard::wire {
namespace {

// Bytes and values that a decoded message points into live as long as this.
struct Wire {
  std::string bytes;
  Arena arena;

  template <typename T>
  Result<T> Request(const T& message) {
    message.Encode(&bytes);
    return Read<T>();
  }
  template <typename T>
  Result<T> Read() {
    Result<Value> value = Unpack(bytes, &arena);
    if (!value.ok()) return value.status();
    return T::Decode(*value);
  }
  template <typename T>
  Result<T> Reply(const T& message) {
    message.Encode(&bytes);
    return ReadReply<T>();
  }
  template <typename T>
  Result<T> ReadReply() {
    Result<Answer> answer = DecodeAnswer(bytes, &arena);
    if (!answer.ok()) return answer.status();
    return T::Decode(*answer);
  }
};

TEST(Messages, HelloRoundTrip) {
  Wire wire;
  Hello hello;
  hello.layout = 1;
  hello.incompatible = 2;
  hello.session = UINT64_MAX;
  hello.token[0] = 3;
  hello.token[1] = uint64_t{1} << 63;
  hello.pid = 77;
  hello.client = "python 0.1.0";
  auto read = wire.Request(hello);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->layout, 1u);
  EXPECT_EQ(read->incompatible, 2u);
  EXPECT_EQ(read->session, UINT64_MAX);
  EXPECT_EQ(read->token[0], 3u);
  EXPECT_EQ(read->token[1], uint64_t{1} << 63);
  EXPECT_EQ(read->pid, 77u);
  EXPECT_EQ(read->client, "python 0.1.0");
}

TEST(Messages, HelloWithoutSessionIsRefused) {
  Wire wire;
  EXPECT_EQ(wire.Request(Hello{}).status().code(), Code::kInvalid);
}

// A daemon or client that is older says less.
TEST(Messages, WhatAnOlderPeerDoesNotSendIsNone) {
  std::string body;
  Packer(&body).Array(6).Int(0).String("").Bool(true).Uint(1).Uint(5).String("0.0.9");
  Arena arena;
  auto answer = DecodeAnswer(body, &arena);
  ASSERT_TRUE(answer.ok());
  auto welcome = Welcome::Decode(*answer);
  ASSERT_TRUE(welcome.ok()) << welcome.status().ToString();
  EXPECT_EQ(welcome->checksum_limit, 0u);

  std::string put;
  Packer(&put).Array(3).Array(1).Array(4).Uint(1).Uint(77).Uint(10).Uint(1).String("").Bool(false);
  auto value = Unpack(put, &arena);
  ASSERT_TRUE(value.ok());
  auto tree = DecodeTree(*value);
  ASSERT_TRUE(tree.ok()) << tree.status().ToString();
  EXPECT_EQ(tree->nodes[0].lease, 77u);
  EXPECT_EQ(tree->nodes[0].checksum, 0u);
}

TEST(Messages, AuditRoundTrip) {
  Wire wire;
  auto read = wire.Reply(AuditAnswer{{"one", "two"}, 7, {{"slots", 65536}}});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->problems, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(read->count, 7u);
  EXPECT_EQ(read->numbers[0].second, 65536u);
}

TEST(Messages, AudiencesRoundTrip) {
  Wire wire;
  auto read = wire.Reply(AudiencesAnswer{{{1, 0, "uid 0"}, {UINT16_MAX, 1000, "uid 1000"}}});
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->audiences.size(), 2u);
  EXPECT_EQ(read->audiences[1].number, UINT16_MAX);
  EXPECT_EQ(read->audiences[1].uid, 1000u);
  EXPECT_EQ(read->audiences[1].text, "uid 1000");
}

TEST(Messages, WelcomeRoundTrip) {
  Wire wire;
  auto read = wire.Reply(Welcome{true, kMaxInstance, 5, "0.1.0"});
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->resumed);
  EXPECT_EQ(read->instance, kMaxInstance);
  EXPECT_EQ(read->epoch, 5u);
  EXPECT_EQ(read->version, "0.1.0");
}

TEST(Messages, FindRoundTrip) {
  Wire wire;
  auto read = wire.Request(Find{kEmptyBlobId | 5, "a name", true, 30000, true});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->id, kEmptyBlobId | 5);
  EXPECT_EQ(read->name, "a name");
  EXPECT_TRUE(read->labels);
  EXPECT_EQ(read->timeout_ms, 30000u);
  EXPECT_TRUE(read->latest);
}

TEST(Messages, AnswersOfFindRoundTrip) {
  Wire a, b, c;
  FindAnswer slot;
  slot.slot = 7;
  slot.word = UINT64_MAX;
  auto read = a.Reply(slot);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->kind, FindAnswer::Kind::kSlot);
  EXPECT_EQ(read->slot, 7u);
  EXPECT_EQ(read->word, UINT64_MAX);

  FindAnswer name;
  name.kind = FindAnswer::Kind::kName;
  name.name.id = 5;
  name.name.revision = 6;
  read = b.Reply(name);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->kind, FindAnswer::Kind::kName);
  EXPECT_EQ(read->name.id, 5u);
  EXPECT_EQ(read->name.revision, 6u);

  FindAnswer remote;
  remote.kind = FindAnswer::Kind::kRemote;
  remote.remote.instance = 9;
  remote.remote.owner = OwnerState::kLost;
  remote.remote.since_ms = 10;
  remote.remote.host = "host";
  remote.remote.stale_since_ms = 11;
  remote.remote.nodes = {{1, BlobKind::kBuffer, 0, "record"},
                         {kEmptyBlobId | 2, BlobKind::kByteArray, 13, {}}};
  remote.remote.labels = {{"key", "value"}};
  read = c.Reply(remote);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->kind, FindAnswer::Kind::kRemote);
  EXPECT_EQ(read->remote.instance, 9u);
  EXPECT_EQ(read->remote.owner, OwnerState::kLost);
  EXPECT_EQ(read->remote.since_ms, 10u);
  EXPECT_EQ(read->remote.host, "host");
  EXPECT_EQ(read->remote.stale_since_ms, 11u);
  ASSERT_EQ(read->remote.nodes.size(), 2u);
  EXPECT_EQ(read->remote.nodes[0].id, 1u);
  EXPECT_EQ(read->remote.nodes[0].record, "record");
  EXPECT_EQ(read->remote.nodes[1].kind, BlobKind::kByteArray);
  EXPECT_EQ(read->remote.nodes[1].value_size, 13u);
  ASSERT_EQ(read->remote.labels.size(), 1u);
  EXPECT_EQ(read->remote.labels[0].second, "value");
}

TEST(Messages, AnEvictionRoundTrips) {
  Wire wire;
  EXPECT_EQ(wire.Request(Evict{7})->id, 7u);
  EXPECT_FALSE(IsMutating(MessageType::kEvict)) << "it is done again without harm";
}

TEST(Messages, ARemoteObjectWithoutNodesIsRefused) {
  Wire wire;
  FindAnswer remote;
  remote.kind = FindAnswer::Kind::kRemote;
  EXPECT_EQ(wire.Reply(remote).status().code(), Code::kProtocol);
}

TEST(Messages, TheClustersRoundTrip) {
  Wire a, b, c, d, e, f;
  InstancesAnswer::Item item;
  item.number = 3;
  item.state = OwnerState::kLost;
  item.since_ms = 4;
  item.memory_limit = 5;
  item.epoch = 6;
  item.uid = 7;
  item.host = "host";
  item.socket = "/socket";
  item.endpoint = "endpoint";
  auto instances = a.Reply(InstancesAnswer{{item}});
  ASSERT_TRUE(instances.ok());
  const auto& read = instances->instances.at(0);
  EXPECT_EQ(read.number, 3u);
  EXPECT_EQ(read.state, OwnerState::kLost);
  EXPECT_EQ(read.since_ms, 4u);
  EXPECT_EQ(read.memory_limit, 5u);
  EXPECT_EQ(read.epoch, 6u);
  EXPECT_EQ(read.uid, 7u);
  EXPECT_EQ(read.host + read.socket + read.endpoint, "host/socketendpoint");
  EXPECT_EQ(b.Request(ForgetInstance{8})->number, 8u);

  auto sync = c.Request(Sync{Sync::Kind::kAtLeast, {1, 2}});
  ASSERT_TRUE(sync.ok());
  EXPECT_EQ(sync->kind, Sync::Kind::kAtLeast);
  EXPECT_EQ(sync->at_least.generation, 1u);
  EXPECT_EQ(sync->at_least.entries, 2u);
  EXPECT_EQ(d.Reply(SyncAnswer{{3, 4}})->position.entries, 4u);

  auto watch = e.Request(Watch{{5, 6}, 7, 8});
  ASSERT_TRUE(watch.ok());
  EXPECT_EQ(watch->after.generation, 5u);
  EXPECT_EQ(watch->timeout_ms, 7u);
  EXPECT_EQ(watch->limit, 8u);
  auto events = f.Reply(WatchAnswer{{{EventKind::kNamed, 1, 2, "name"}}, {9, 10}});
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->events.at(0).kind, EventKind::kNamed);
  EXPECT_EQ(events->events.at(0).id, 1u);
  EXPECT_EQ(events->events.at(0).instance, 2u);
  EXPECT_EQ(events->events.at(0).name, "name");
  EXPECT_EQ(events->position.entries, 10u);
}

TEST(Messages, SegmentAndGrantRoundTrip) {
  Wire a, b, c;
  auto segment = a.Request(SegmentRequest{UINT32_MAX, true});
  ASSERT_TRUE(segment.ok());
  EXPECT_EQ(segment->number, UINT32_MAX);
  EXPECT_TRUE(segment->writable);
  EXPECT_EQ(b.Reply(SegmentAnswer{4096})->size, 4096u);
  EXPECT_EQ(c.Request(Grant{12})->piece, 12u);
}

TEST(Messages, ListsRoundTrip) {
  Wire a, b, c, d, e, f;
  auto list = a.Request(
      List{"vineyard::*", std::string_view("\xff\0cursor", 8), kMaxPage, 7, "key", "value"});
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->type_glob, "vineyard::*");
  EXPECT_EQ(list->after, std::string_view("\xff\0cursor", 8));
  EXPECT_EQ(list->instance, 7u);
  EXPECT_EQ(list->label, "key");
  EXPECT_EQ(list->value, "value");
  auto page = b.Reply(ListAnswer{{1, UINT64_MAX}, "\xfe"});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->ids, (std::vector<ObjectId>{1, UINT64_MAX}));
  EXPECT_EQ(page->cursor, "\xfe");
  auto types = c.Reply(ListTypesAnswer{{{"vineyard::Blob", 3}}, "cursor"});
  ASSERT_TRUE(types.ok());
  EXPECT_EQ(types->types[0].first, "vineyard::Blob");
  EXPECT_EQ(types->types[0].second, 3u);
  EXPECT_EQ(types->cursor, "cursor");
  EXPECT_EQ(f.Request(ListTypes{"after"})->after, "after");
  auto names = d.Reply(ListNamesAnswer{{{"n", 5, 6}}, "last"});
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(names->names[0].name, "n");
  EXPECT_EQ(names->names[0].id, 5u);
  EXPECT_EQ(names->names[0].revision, 6u);
  EXPECT_EQ(names->cursor, "last");
  EXPECT_EQ(e.Request(ListNames{"*", "n", 7})->limit, 7u);
}

TEST(Messages, PageAboveTheLimitIsRefused) {
  Wire wire;
  EXPECT_EQ(wire.Request(List{"*", "", kMaxPage + 1, 0, "", ""}).status().code(), Code::kLimit);
}

TEST(Messages, StatusKeepsItsOrder) {
  Wire wire;
  StatusAnswer status;
  status.numbers = {{"zebra", 1}, {"ant", UINT64_MAX}};
  status.texts = {{"version", "0.1.0"}};
  auto read = wire.Reply(status);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->numbers, status.numbers);
  EXPECT_EQ(read->texts, status.texts);
}

TEST(Messages, LeaseRoundTripAndUnknownKind) {
  Wire a, b, c, d;
  auto lease = a.Request(Lease{BlobKind::kBytes, uint64_t{1} << 40});
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->kind, BlobKind::kBytes);
  EXPECT_EQ(lease->value_size, uint64_t{1} << 40);
  EXPECT_EQ(b.Request(Lease{static_cast<BlobKind>(9), 1}).status().code(), Code::kInvalid);
  auto answer = c.Reply(LeaseAnswer{7, UINT64_MAX});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->id, 7u);
  EXPECT_EQ(answer->location, UINT64_MAX);
  EXPECT_EQ(d.Request(DropLease{8})->id, 8u);
}

TEST(Messages, ChangesRoundTrip) {
  Wire a, b, c, d, e, f;
  auto mutation = a.Reply(MutationAnswer{1, 2, 3});
  ASSERT_TRUE(mutation.ok());
  EXPECT_EQ(mutation->id, 1u);
  EXPECT_EQ(mutation->value, 2u);
  EXPECT_EQ(mutation->revision, 3u);
  auto remove = b.Request(Delete{{1, 2, 3}, true, false});
  ASSERT_TRUE(remove.ok());
  EXPECT_EQ(remove->ids.size(), 3u);
  EXPECT_TRUE(remove->force);
  EXPECT_FALSE(remove->deep);
  auto put = c.Request(PutName{"n", 4, true, 0});
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(put->expect, 0u);
  EXPECT_TRUE(put->replace);
  EXPECT_EQ(d.Request(DropName{"n"})->expect, kAnyRevision);
  auto labels = e.Request(SetLabels{5, {{"k", "v"}, {"gone", ""}}});
  ASSERT_TRUE(labels.ok());
  EXPECT_EQ(labels->labels.size(), 2u);
  EXPECT_EQ(labels->labels[1].first, "gone");
  EXPECT_EQ(f.Request(Persist{{9}})->ids[0], 9u);
}

TEST(Messages, ErrorsKeepCodeAndText) {
  Arena arena;
  std::string bytes = EncodeError(NotFound("object o0000000000000001"));
  auto answer = DecodeAnswer(bytes, &arena);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->ToStatus().ToString(), "not found: object o0000000000000001");
  auto mutation = MutationAnswer::Decode(*answer);
  EXPECT_EQ(mutation.status().code(), Code::kNotFound);
}

TEST(Messages, ErrorTextIsAlwaysText) {
  Arena arena;
  std::string bytes = EncodeError(Invalid("name \xff\xfe"));
  auto answer = DecodeAnswer(bytes, &arena);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->text, "name ??");
}

TEST(Messages, UnknownTrailingItemsAreIgnored) {
  Wire wire;
  Packer(&wire.bytes).Array(3).Uint(4).String("later").Bool(true);
  auto grant = wire.Read<Grant>();
  ASSERT_TRUE(grant.ok());
  EXPECT_EQ(grant->piece, 4u);
}

TEST(Messages, WrongShapesAreNamed) {
  Wire a, b, c, d;
  Packer(&a.bytes).Array(0);
  EXPECT_EQ(a.Read<Grant>().status().ToString(), "protocol error: grant: piece: missing");
  Packer(&b.bytes).Array(1).String("x");
  EXPECT_EQ(b.Read<Grant>().status().ToString(),
            "protocol error: grant: piece: expected an unsigned integer");
  Packer(&c.bytes).Bool(true);
  EXPECT_EQ(c.Read<Grant>().status().ToString(), "protocol error: grant: expected a list");
  Packer(&d.bytes).Array(1).Int(-1);
  EXPECT_FALSE(d.Read<Grant>().ok());
}

// ---- trees
// ---------------------------------------------------------------------------------------

Result<Tree> Reread(const Tree& tree, Wire* wire) {
  EncodeTree(tree, &wire->bytes);
  Result<Value> value = Unpack(wire->bytes, &wire->arena);
  if (!value.ok()) return value.status();
  return DecodeTree(*value);
}

TreeNode Inline(std::string_view bytes) {
  TreeNode node;
  node.type = TreeNode::Type::kInlineBlob;
  node.kind = BlobKind::kBytes;
  node.bytes = bytes;
  return node;
}

TreeNode Parent(std::vector<TreeMember> members) {
  TreeNode node;
  node.type_name = "vineyard::Tuple";
  node.members = std::move(members);
  node.fields = "\x80";
  return node;
}

TEST(Tree, RoundTrip) {
  TreeNode leased;
  leased.type = TreeNode::Type::kLeasedBlob;
  leased.lease = UINT64_MAX;
  leased.value_size = uint64_t{1} << 33;
  Tree tree;
  tree.nodes = {Inline("Hello"), leased,
                Parent({{"a", true, 0}, {"b", true, 1}, {"c", false, kEmptyBlobId}})};
  tree.name = "root";
  tree.replace_name = true;
  Wire wire;
  auto read = Reread(tree, &wire);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->nodes.size(), 3u);
  EXPECT_EQ(read->nodes[0].bytes, "Hello");
  EXPECT_EQ(read->nodes[0].kind, BlobKind::kBytes);
  EXPECT_EQ(read->nodes[1].lease, UINT64_MAX);
  EXPECT_EQ(read->nodes[1].value_size, uint64_t{1} << 33);
  EXPECT_EQ(read->nodes[2].type_name, "vineyard::Tuple");
  EXPECT_EQ(read->nodes[2].fields, "\x80");
  ASSERT_EQ(read->nodes[2].members.size(), 3u);
  EXPECT_TRUE(read->nodes[2].members[1].local);
  EXPECT_EQ(read->nodes[2].members[1].ref, 1u);
  EXPECT_FALSE(read->nodes[2].members[2].local);
  EXPECT_EQ(read->nodes[2].members[2].ref, kEmptyBlobId);
  EXPECT_EQ(read->name, "root");
  EXPECT_TRUE(read->replace_name);
}

TEST(Tree, WithoutNodesIsRefused) {
  Wire wire;
  EXPECT_EQ(Reread(Tree{}, &wire).status().code(), Code::kInvalid);
}

TEST(Tree, ParentBeforeItsMemberIsRefused) {
  Wire a, b;
  Tree own, later;
  own.nodes = {Parent({{"self", true, 0}})};
  EXPECT_EQ(Reread(own, &a).status().code(), Code::kInvalid);
  later.nodes = {Parent({{"next", true, 1}}), Inline("x")};
  EXPECT_EQ(Reread(later, &b).status().code(), Code::kInvalid);
}

TEST(Tree, PayloadThatDoesNotBelongInAMessageIsRefused) {
  Wire a, b;
  std::string payload(kMaxInlinePayload + 1, 'x');
  Tree tree;
  tree.nodes = {Inline(payload)};
  EXPECT_EQ(Reread(tree, &a).status().code(), Code::kLimit);
  payload.pop_back();
  tree.nodes = {Inline(payload)};
  EXPECT_TRUE(Reread(tree, &b).ok());
}

TEST(Tree, UnknownNodeTypeIsNamed) {
  Arena arena;
  std::string bytes;
  Packer(&bytes).Array(3).Array(1).Array(1).Uint(7).String("").Bool(false);
  auto value = Unpack(bytes, &arena);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(DecodeTree(*value).status().ToString(),
            "protocol error: put: type of a node: 7 is not known");
}

TEST(Tree, OddMemberListIsRefused) {
  Arena arena;
  std::string bytes;
  Packer(&bytes).Array(3).Array(1).Array(4).Uint(2).String("T").Array(1).String("a").Bytes("\x80");
  Packer(&bytes).String("").Bool(false);
  auto value = Unpack(bytes, &arena);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(DecodeTree(*value).status().code(), Code::kProtocol);
}

}  // namespace
}  // namespace vineyard::wire
